//! Many at once: of commands, and of containers.

use std::fs;
use std::process::Child;

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
        let all = statuses((0..20).map(|nth| stage.begin(words[nth % words.len()])).collect());
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

#[test]
fn many_containers_live_at_once_and_leave_nothing() {
    if is_forbidden("many containers") {
        return;
    }
    let many = std::env::var("TERRARIUM_MANY").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let stage = Stage::new();
    let names: Vec<String> = (0..many).map(|nth| format!("c{nth}")).collect();
    for name in &names {
        stage.good(&["run", "-d", "--name", name, "lab"]);
    }
    assert_eq!((stage.keepers().len(), stage.inmates().len()), (many, many));
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    stage.good(&[vec!["kill"], words.clone()].concat());
    let ids = stage.ids();
    stage.good(&[vec!["rm"], words].concat());
    stage.is_empty_soon(&ids);
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
