//! The freezers that are not this host's best: what is better is hidden from the replay, in a mount namespace.

use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use serde_json::Value;

use crate::theatre::{Actor, Theatre, eventually, is_forbidden};

/// Hides the unified hierarchy, so that the v1 freezer is the best there is.
const WITHOUT_V2: [&str; 6] = [
    "unshare",
    "--mount",
    "--propagation=private",
    "sh",
    "-c",
    "umount --all --types cgroup2 && exec \"$0\" \"$@\"",
];
/// Hides all hierarchies, so that only signals are left.
const WITHOUT_CGROUPS: [&str; 6] = [
    "unshare",
    "--mount",
    "--propagation=private",
    "sh",
    "-c",
    "umount --all --types cgroup,cgroup2 && exec \"$0\" \"$@\"",
];

#[test]
fn frozen_by_v1_it_is_the_same_life() {
    if let Some(theatre) = theatre(&WITHOUT_V2, "cgroup_v1") {
        lives_as_foretold(&theatre);
    }
}

#[test]
fn frozen_by_signals_it_is_the_same_life() {
    if let Some(theatre) = theatre(&WITHOUT_CGROUPS, "signals") {
        lives_as_foretold(&theatre);
    }
}

/// Only the v1 freezer holds back the signal that the keeper's death sends.
#[test]
fn what_v1_has_frozen_is_ended_by_the_next_replay() {
    let Some(theatre) = theatre(&WITHOUT_V2, "cgroup_v1") else { return };
    let story =
        theatre.story("title: T\ncontainers: { a: }\nsteps:\n  - run: a\n  - pause: a\n  - wait: 1h\n");
    let mut replay = theatre.begin(&story);
    replay.until_step(2);
    let cast = replay.cast();
    replay.signal(nix::sys::signal::Signal::SIGKILL);
    replay.end();
    assert!(cast.iter().all(Actor::lives));
    theatre.clear();
    eventually("the frozen one is dead", || !cast.iter().any(Actor::lives));
}

#[test]
fn what_signals_have_frozen_dies_with_its_replay() {
    let Some(theatre) = theatre(&WITHOUT_CGROUPS, "signals") else { return };
    let story = theatre.story(
        "title: T\ncontainers: { a: { behavior: { children: 2 } } }\nsteps:\n  - run: a\n  - pause: a\n  - wait: 1h\n",
    );
    let mut replay = theatre.begin(&story);
    replay.until_step(2);
    assert_eq!(replay.cast().len(), 3);
    replay.perish();
    theatre.clear();
}

/// A theatre with this freezer, if this host lets it be made.
fn theatre(around: &'static [&'static str], freezer: &str) -> Option<Theatre> {
    if !geteuid().is_root() {
        println!("skipped: the freezer {freezer}, only root can hide the better ones");
        return None;
    }
    if is_forbidden(freezer) {
        return None;
    }
    let theatre = Theatre::inside(around);
    let story = theatre.story("title: T\ncontainers: { a: }\nsteps:\n  - create: a\n");
    let found = opening(&theatre, &story)["host"]["freezer"].clone();
    if found != freezer {
        println!("skipped: the freezer {freezer}, this host has {found}");
        return None;
    }
    Some(theatre)
}

fn opening(theatre: &Theatre, story: &Path) -> Value {
    let output = theatre.replay(&[story]).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let first = told.lines().next().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(first).unwrap()
}

/// No CPU is burned here: how much of it there is depends on the neighbours.
fn lives_as_foretold(theatre: &Theatre) {
    let story = theatre.story(
        "title: Frozen\n\
         containers:\n  \
         a: { behavior: { children: 2, memory: 20MiB } }\n  \
         b: { behavior: { signals: { SIGTERM: { exit: 0 } } } }\n\
         steps:\n  \
         - run: [a, b]\n  \
         - pause: [a, b]\n    expect: { a: { state: paused, processes: 3, memory: \"> 10MiB\" }, b: { state: paused } }\n  \
         - wait: 1s\n  \
         - stop: b\n    expect: { took: { at_most: 5s }, b: { state: stopped, exit: 0 }, events: [b kill SIGTERM, b unpause, b die, b stop] }\n  \
         - kill: a\n    expect: { a: { state: stopped, exit: 137, processes: 0 }, events: [a kill SIGKILL, a die 137] }\n  \
         - start: [a, b]\n  \
         - pause: [a, b]\n  \
         - kill: { container: a, signal: SIGUSR1 }\n    expect: { a: { state: running, processes: 3 } }\n  \
         - unpause: b\n  \
         - pause: a\n  \
         - stop: { container: a, timeout: 1s }\n    expect: { took: 1s, a: { state: stopped, exit: 137 } }\n  \
         - pause: b\n  \
         - remove: { container: b, force: true }\n    expect: { b: { state: absent }, events: [b kill SIGKILL, b die 137, b destroy] }\n",
    );
    let output = theatre.replay(&[&story]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(theatre.remains(), Vec::<PathBuf>::new());
}
