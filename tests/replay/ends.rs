//! However a replay ends, its containers end with it; and what it could not clear itself, the next one clears.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use terrarium::engine::Local;
use terrarium::engine::trace::{Audience, Closing, Opening, StepOpening, StepTrace};
use terrarium::runtime::{Step, steps};
use terrarium::scenario::load;
use terrarium::scenario::replay::{Play, live};
use terrarium::world::linux::Linux;

use crate::theatre::{Actor, Theatre, eventually, is_forbidden};

/// One container of several processes, one that is frozen, and all the time in the world.
const TWO: &str = "title: Two\ncontainers: { a: { behavior: { children: 2 } }, b: }\nsteps:\n  - run: [a, b]\n  - pause: b\n  - wait: 1h\n";

#[test]
fn a_signal_that_can_be_heard_ends_it_in_good_order() {
    if is_forbidden("a replay ended by a signal") {
        return;
    }
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let theatre = Theatre::new();
        let mut replay = theatre.begin(&theatre.story(TWO));
        replay.until_step(2);
        let cast = replay.cast();
        assert_eq!(cast.len(), 4, "{cast:?}");
        replay.signal(signal);
        assert_eq!(replay.end().code(), Some(status), "{signal}");
        assert!(!cast.iter().any(Actor::lives), "{signal}");
        let told =
            format!("terrarium: interrupted by {signal} (all containers of this replay are removed)\n");
        assert_eq!(replay.complaint(), told);
        assert_eq!(theatre.remains(), Vec::<PathBuf>::new(), "{signal}");
        assert_eq!(cgroups_of(replay.pid()), Vec::<PathBuf>::new(), "{signal}");
    }
}

#[test]
fn a_panic_gives_everything_back() {
    if is_forbidden("a replay that panics") {
        return;
    }
    let theatre = Theatre::new();
    let scenario = load(&theatre.story("title: T\ncontainers: { a: }\nsteps:\n  - create: a\n")).unwrap();
    let root = theatre.root();
    // A world belongs to one thread, which lives as long as its containers.
    let panicked = std::thread::spawn(move || {
        let world = Linux::open(Some(&root), &scenario.containers).unwrap();
        let play = Play { scenario: &scenario, file: "story.yaml", lang: "en" };
        let _ = live(play, Local::new(world), &mut Clumsy);
    });
    assert_eq!(panicked.join().unwrap_err().downcast_ref(), Some(&"they dropped it"));
    assert_eq!(theatre.remains(), Vec::<PathBuf>::new());
    assert_eq!(cgroups_of(std::process::id()), Vec::<PathBuf>::new());
}

/// An audience that panics when the first container is there.
struct Clumsy;

impl Audience for Clumsy {
    fn opening(&mut self, _: &Opening) -> io::Result<()> {
        Ok(())
    }

    fn step_begins(&mut self, _: &StepOpening) -> io::Result<()> {
        Ok(())
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        let costs = step.ledger.values().next().unwrap().after.resources.processes;
        assert_eq!(costs, Some(1));
        std::panic::panic_any("they dropped it");
    }

    fn closing(&mut self, _: &Closing) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lives_at_random_that_are_cut_short_say_how_they_went_until_then() {
    if is_forbidden("a check that is cut short") {
        return;
    }
    let theatre = Theatre::new();
    let check = Command::new(env!("CARGO_BIN_EXE_terrarium"))
        .arg("--root")
        .arg(theatre.root())
        .args(["check", "--engine", "linux", "--cases", "100000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Each life has a directory of its own, which goes with it.
    let mut houses = BTreeSet::new();
    eventually("the first life is over", || {
        let made = theatre.remains().into_iter().filter(|path| path.is_dir());
        houses.extend(made.filter_map(|house| fs::metadata(house).ok()?.created().ok()));
        houses.len() > 1
    });
    kill(Pid::from_raw(check.id().cast_signed()), Signal::SIGINT).unwrap();
    let output = check.wait_with_output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("on this kernel had gone as predicted until then"), "{told}{complaint}");
    assert!(complaint.starts_with("terrarium: interrupted by SIGINT"), "{complaint}");
    assert_eq!(theatre.remains(), Vec::<PathBuf>::new());
}

#[test]
fn a_reader_that_has_read_enough_ends_it_too() {
    if is_forbidden("a replay without a reader") {
        return;
    }
    let theatre = Theatre::new();
    let story =
        theatre.story("title: T\ncontainers: { a: }\nsteps:\n  - run: a\n  - wait: 50ms\n  - wait: 50ms\n");
    let replay = theatre.replay(&[&story]);
    let program = replay.get_program().to_owned();
    let words: Vec<_> = replay.get_args().map(ToOwned::to_owned).collect();
    let output = assert_cmd::Command::new("sh")
        .args(["-c", "{ \"$@\"; echo $? >&2; } | head -n 1 >/dev/null", "sh"])
        .arg(program)
        .args(words)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "141\n");
    assert_eq!(theatre.remains(), Vec::<PathBuf>::new());
}

#[test]
fn killed_at_any_step_of_a_story_it_takes_its_containers_along() {
    if is_forbidden("a replay killed at any step") {
        return;
    }
    let theatre = Theatre::new();
    let story = theatre.story(
        "title: T\ncontainers: { a: { behavior: { cpu: 20%, children: 2 } }, b: }\nsteps:\n  \
         - create: a\n  - start: a\n  - run: b\n  - pause: [a, b]\n  - unpause: a\n  \
         - stop: { container: a, timeout: 0s }\n  - start: a\n  - wait: 1h\n",
    );
    let mut killed = Vec::new();
    for step in 1..=7 {
        let mut replay = theatre.begin(&story);
        replay.until_step(step);
        replay.perish();
        killed.push(replay.pid());
    }
    assert_cleared(&theatre, &killed);
}

#[test]
fn killed_at_every_step_of_the_set_up_it_leaves_no_process() {
    if is_forbidden("a replay killed at every step of the set-up") {
        return;
    }
    let theatre = Theatre::new();
    let story = theatre.story(TWO);
    let mut killed = Vec::new();
    for step in steps().iter().filter(|step| **step != Step::Execute) {
        let mut replay = theatre.begin_and_stall(&story, step.name());
        eventually(&format!("stalled at {step}"), || replay.cast().iter().any(Actor::stalls));
        replay.perish();
        killed.push(replay.pid());
    }
    assert_cleared(&theatre, &killed);
}

#[test]
fn killed_at_any_moment_it_leaves_no_process() {
    if is_forbidden("a replay killed at any moment") {
        return;
    }
    let theatre = Theatre::new();
    let story = theatre.story(TWO);
    let mut killed = Vec::new();
    for moment in 0..25 {
        let mut replay = theatre.begin(&story);
        // Nothing is awaited here: this is the moment.
        std::thread::sleep(Duration::from_millis(6) * moment);
        replay.perish();
        killed.push(replay.pid());
    }
    assert_cleared(&theatre, &killed);
}

/// The next replay clears directories and cgroups.
fn assert_cleared(theatre: &Theatre, killed: &[u32]) {
    theatre.clear();
    let left: Vec<PathBuf> = killed.iter().flat_map(|pid| cgroups_of(*pid)).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

/// The cgroups of a replay with this number, in all hierarchies.
fn cgroups_of(pid: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = next.pop() {
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        next.extend(
            entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()),
        );
        if is_of(&directory, pid) {
            found.push(directory);
        }
    }
    found
}

fn is_of(cgroup: &Path, pid: u32) -> bool {
    let name = cgroup.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("terrarium") && name.split('-').any(|part| part == pid.to_string())
}
