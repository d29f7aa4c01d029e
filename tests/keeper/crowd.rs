//! Many at once: of commands, and of containers. `TERRARIUM_CROWD=1000` says how many containers; then it takes longer, and is worth
//! it with `cargo test --release --test keeper many_containers -- --nocapture`.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::stage::{Stage, eventually, is_forbidden};

fn statuses(all: Vec<Child>) -> Vec<(i32, String)> {
    let ended = |child: Child| {
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    all.into_iter().map(ended).collect()
}

#[test]
fn of_twenty_who_create_one_name_one_wins() {
    if is_forbidden("twenty creates") {
        return;
    }
    let stage = Stage::new();
    // The image is unpacked once, and not by twenty at once.
    stage.good(&["run", "--rm", "lab", "true"]);
    let all = statuses((0..20).map(|_| stage.begin(&["create", "--name", "one", "lab"])).collect());
    assert_eq!(all.iter().filter(|(status, _)| *status == 0).count(), 1, "{all:#?}");
    let clean = |(status, told): &(i32, String)| *status == 0 || told.contains("already in use");
    assert!(all.iter().all(clean), "{all:#?}");
    eventually("the others have left nothing", || stage.ids().len() == 1 && stage.keepers().len() == 1);
    stage.good(&["rm", "one"]);
    stage.is_empty_soon(&[]);
}

#[test]
fn twenty_commands_at_once_are_answered_one_after_the_other() {
    if is_forbidden("twenty commands") {
        return;
    }
    let stage = Stage::new();
    for round in 0..3 {
        let id = stage.good(&["create", "--name", "web", "lab"]);
        let words: [&[&str]; 7] = [
            &["start", "web"],
            &["stop", "-t", "0", "web"],
            &["restart", "-t", "0", "web"],
            &["pause", "web"],
            &["unpause", "web"],
            &["kill", "web"],
            &["exec", "web", "true"],
        ];
        let mut all: Vec<_> = (0..20).map(|nth| stage.begin(words[nth % words.len()])).collect();
        // What is run inside while a pause holds it is answered after the thaw, so whoever came last must not be that pause.
        let is_inside = |nth: usize| words[nth % words.len()][0] == "exec";
        eventually("all others are answered", || {
            let others = all.iter_mut().enumerate().filter(|(nth, _)| !is_inside(*nth));
            others.map(|(_, child)| child.try_wait().unwrap()).all(|status| status.is_some())
        });
        stage.run(&["unpause", "web"]);
        let all = statuses(all);
        for (status, told) in &all {
            let refused = [
                "not running",
                "not paused",
                "already paused",
                "is paused",
                "is restarting",
                "is running",
                // An exec that the death overtook.
                "has ended",
                "on its way",
            ];
            let died_with_it = told.is_empty() && *status == 137;
            assert!(
                *status == 0 || died_with_it || refused.iter().any(|word| told.contains(word)),
                "round {round}: {status} {told}"
            );
        }
        // The journal tells all of it, and can be read: the container is taken up once more.
        stage.good(&["restart", "-t", "0", "web"]);
        stage.good(&["rm", "-f", "web"]);
        stage.is_empty_soon(&[id]);
    }
}

/// How often a keeper has gone to sleep so far, and the memory that is its own, in KiB; none if it has ended.
fn rest_of(keeper: i32) -> Option<(u64, u64)> {
    let number = |file: &str, label: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{keeper}/{file}")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(label))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    let own = number("smaps_rollup", "Private_Clean:")? + number("smaps_rollup", "Private_Dirty:")?;
    Some((number("status", "voluntary_ctxt_switches:")?, own))
}

/// Everybody's, added up.
fn woken(keepers: &[i32]) -> u64 {
    keepers.iter().filter_map(|keeper| rest_of(*keeper)).map(|(woken, _)| woken).sum()
}

#[test]
fn many_containers_live_at_once_and_leave_nothing() {
    if is_forbidden("many containers") {
        return;
    }
    let asked = std::env::var("TERRARIUM_CROWD").ok().and_then(|text| text.parse().ok());
    let many = asked.unwrap_or(20);
    let stage = Stage::new();
    let names: Vec<String> = (0..many).map(|nth| format!("c{nth}")).collect();
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    let began = Instant::now();
    for name in &names {
        stage.good(&["run", "-d", "--name", name, "lab"]);
    }
    let started = began.elapsed();
    let keepers = stage.keepers();
    assert_eq!((keepers.len(), stage.inmates().len()), (many, many));
    let listing = |_| {
        let began = Instant::now();
        assert_eq!(stage.good(&["ps"]).lines().count(), many + 1);
        began.elapsed()
    };
    let listed = (0..5).map(listing).min().unwrap();
    if asked.is_some() {
        // After ten seconds a run has been steady, which is the last thing that a keeper wakes up for.
        std::thread::sleep(Duration::from_secs(11));
    }
    let seconds = if asked.is_some() { 10 } else { 1 };
    let before = woken(&keepers);
    std::thread::sleep(Duration::from_secs(seconds));
    let wakes = woken(&keepers) - before;
    let mut own: Vec<u64> =
        keepers.iter().filter_map(|keeper| rest_of(*keeper)).map(|(_, own)| own).collect();
    own.sort_unstable();
    let ended = Instant::now();
    stage.good(&[vec!["kill"], words.clone()].concat());
    let ids = stage.ids();
    stage.good(&[vec!["rm"], words].concat());
    stage.is_empty_soon(&ids);
    println!(
        "{many} containers: started in {started:.1?}, ps in {listed:.1?}, {wakes} wake-ups in {seconds} s, \
         {} to {} KiB of memory each, ended and removed in {:.1?}",
        own.first().unwrap(),
        own.last().unwrap(),
        ended.elapsed()
    );
    // A run that becomes steady while they are watched is not at rest yet.
    assert!(wakes <= if asked.is_some() { 0 } else { many as u64 }, "{wakes} wake-ups");
    if !cfg!(debug_assertions) {
        assert!(listed < Duration::from_millis(100), "ps took {listed:?}");
    }
}

#[test]
fn a_keeper_at_rest_does_not_wake_up_and_has_little_memory_of_its_own() {
    if is_forbidden("a keeper at rest") {
        return;
    }
    let stage = Stage::new();
    stage.good(&["run", "-d", "--name", "web", "lab"]);
    let [keeper] = stage.keepers()[..] else { panic!("one container has one keeper") };
    // A thread for each keeper, and nothing that wakes it.
    let threads = || fs::read_dir(format!("/proc/{keeper}/task")).unwrap().count();
    eventually("it is one thread", || threads() == 1);
    let woken = || {
        let status = fs::read_to_string(format!("/proc/{keeper}/status")).unwrap();
        status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::to_owned))
            .unwrap()
    };
    let sleeps = || fs::read_to_string(format!("/proc/{keeper}/stat")).unwrap().contains(") S ");
    eventually("it rests", sleeps);
    let before = woken();
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(woken(), before);
    let rollup = fs::read_to_string(format!("/proc/{keeper}/smaps_rollup")).unwrap();
    let own = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).unwrap();
    let own: u64 = own.trim().trim_end_matches(" kB").parse().unwrap();
    // Without optimisation most of it are tables of the program that its loader has filled in.
    let most = if cfg!(debug_assertions) { 8 << 10 } else { 1 << 10 };
    assert!(own < most, "{own} KiB of memory are its own");
    stage.good(&["rm", "-f", "web"]);
}
