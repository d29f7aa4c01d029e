//! Pause and resume, with each kind of freezer.

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use terrarium::runtime::{Cgroups, ExitStatus, Freezer};

use crate::stage::{Actor, Stage, eventually};

/// Counts as fast as it can, so that it is seen whether it runs.
const BUSY: &str = "sleep 1000 & echo ready; while :; do :; done";

fn play(freezer: Freezer, script: &str) -> Option<Actor> {
    match Cgroups::with(freezer) {
        Ok(cgroups) => {
            let mut actor = Stage::with(cgroups).play(&["sh", "-c", script]);
            assert_eq!(actor.line(), "ready");
            Some(actor)
        }
        Err(error) => {
            println!("skipped: {freezer:?}, {error}");
            None
        }
    }
}

fn freeze(actor: &mut Actor) {
    actor.container.pause().unwrap();
    if let Some(events) = actor.container.freeze_event_fd() {
        while !actor.container.frozen().unwrap() {
            use nix::poll::{PollFd, PollFlags, poll};
            assert_eq!(poll(&mut [PollFd::new(events, PollFlags::POLLPRI)], 20_000_u16).unwrap(), 1);
        }
    }
    eventually("frozen", || actor.container.frozen().unwrap());
}

fn ticks(pid: Pid) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    stat.split(' ').next().unwrap().to_owned()
}

fn pauses_and_resumes(freezer: Freezer) {
    let Some(mut actor) = play(freezer, BUSY) else { return };
    freeze(&mut actor);
    let pid = actor.container.pid();
    let before = ticks(pid);
    // Another process of this machine gets the time that it does not use.
    for _ in 0..200 {
        std::thread::yield_now();
    }
    assert_eq!(ticks(pid), before);
    actor.container.resume().unwrap();
    eventually("it runs on", || ticks(pid) != before);
    assert!(!actor.container.frozen().unwrap());
    assert_eq!(actor.container.processes().len(), 2);
    freeze(&mut actor);
    actor.container.kill_all().unwrap();
    assert_eq!(actor.end(), ExitStatus::Signaled(9));
    actor.container.delete().unwrap();
}

#[test]
fn the_v2_freezer_pauses_and_resumes() {
    pauses_and_resumes(Freezer::CgroupV2);
}

#[test]
fn the_v1_freezer_pauses_and_resumes() {
    pauses_and_resumes(Freezer::CgroupV1);
}

#[test]
fn signals_pause_and_resume() {
    pauses_and_resumes(Freezer::Signals);
}

#[test]
fn a_sigkill_ends_what_v2_has_frozen() {
    let Some(mut actor) = play(Freezer::CgroupV2, BUSY) else { return };
    freeze(&mut actor);
    actor.container.kill(Signal::SIGKILL as i32).unwrap();
    assert_eq!(actor.end(), ExitStatus::Signaled(9));
    actor.container.delete().unwrap();
}

#[test]
fn a_sigkill_waits_for_the_thaw_of_what_v1_has_frozen() {
    let Some(mut actor) = play(Freezer::CgroupV1, BUSY) else { return };
    freeze(&mut actor);
    actor.container.kill(Signal::SIGKILL as i32).unwrap();
    assert_eq!(actor.container.reap().unwrap(), None);
    actor.container.resume().unwrap();
    assert_eq!(actor.end(), ExitStatus::Signaled(9));
    actor.container.delete().unwrap();
}

#[test]
fn resuming_by_signals_leaves_stopped_who_was_stopped_before() {
    let script = "sleep 1000 & kill -STOP $!; echo ready; while :; do :; done";
    let Some(mut actor) = play(Freezer::Signals, script) else { return };
    let init = actor.container.pid();
    let child = actor.container.processes().into_iter().find(|pid| *pid != init).unwrap();
    let is_stopped = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap().contains(") T ");
    eventually("the child is stopped", is_stopped);
    freeze(&mut actor);
    actor.container.resume().unwrap();
    let before = ticks(init);
    eventually("init runs on", || ticks(init) != before);
    assert!(is_stopped());
    actor.strike();
}

#[test]
fn counting_works_without_a_cgroup() {
    let Some(actor) = play(Freezer::Signals, BUSY) else { return };
    assert_eq!(actor.container.processes().len(), 2);
    eventually("CPU time", || actor.container.cpu_time().unwrap().as_millis() > 50);
    actor.strike();
}

#[test]
fn a_v1_cgroup_counts_cpu_time() {
    let Some(actor) = play(Freezer::CgroupV1, BUSY) else { return };
    assert_eq!(actor.container.processes().len(), 2);
    eventually("CPU time", || actor.container.cpu_time().unwrap().as_millis() > 50);
    actor.strike();
}
