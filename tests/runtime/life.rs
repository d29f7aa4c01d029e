//! From create to delete.

use nix::sys::signal::Signal;
use terrarium::runtime::{
    Bundle, ControlError, CreateOptions, DeleteError, ExitStatus, Progress, Root, create,
};

use crate::stage::{Stage, cgroup_name, eventually, run, while_making_children};

#[test]
fn a_container_runs_and_exits_with_its_own_code() {
    assert_eq!(run("echo hello; exit 7"), ("hello\n".to_owned(), ExitStatus::Exited(7)));
}

#[test]
fn a_created_container_waits_for_start() {
    let stage = Stage::new();
    let bundle = stage.bundle(&["true"]);
    let mut actor = stage.create(&bundle);
    assert_eq!(actor.progress(), Progress::Parked);
    assert_eq!(actor.container.processes(), [actor.container.pid()]);
    assert_eq!(actor.container.reap().unwrap(), None);
    actor.container.start().unwrap();
    assert_eq!(actor.progress(), Progress::Executed);
    assert!(actor.container.status_fd().is_none());
    assert_eq!(actor.end(), ExitStatus::Exited(0));
    actor.container.delete().unwrap();
}

#[test]
fn a_container_is_started_once() {
    let mut actor = Stage::new().play(&["sleep", "1000"]);
    assert!(matches!(actor.container.start(), Err(ControlError::NotParked)));
    actor.strike();
}

#[test]
fn pid_1_without_a_handler_never_sees_a_sigterm() {
    let mut actor = Stage::new().play(&["sleep", "1000"]);
    actor.container.kill(Signal::SIGTERM as i32).unwrap();
    let pid = actor.container.pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.lines().any(|line| line == "ShdPnd:\t0000000000000000"), "{status}");
    assert_eq!(actor.container.reap().unwrap(), None);
    actor.strike();
}

#[test]
fn pid_1_with_a_handler_does() {
    let script = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    let mut actor = Stage::new().play(&["sh", "-c", script]);
    assert_eq!(actor.line(), "ready");
    actor.container.kill(Signal::SIGTERM as i32).unwrap();
    assert_eq!(actor.end(), ExitStatus::Exited(3));
    assert_eq!(actor.output(), "bye\n");
    actor.container.delete().unwrap();
}

#[test]
fn a_kill_ends_it_with_the_signals_number() {
    let mut actor = Stage::new().play(&["sleep", "1000"]);
    actor.container.kill(Signal::SIGKILL as i32).unwrap();
    assert_eq!(actor.end(), ExitStatus::Signaled(9));
    assert!(matches!(actor.container.kill(Signal::SIGKILL as i32), Err(ControlError::Ended)));
    actor.container.delete().unwrap();
}

#[test]
fn a_container_killed_before_its_start_never_ran() {
    let stage = Stage::new();
    let bundle = stage.bundle(&["true"]);
    let mut actor = stage.create(&bundle);
    assert_eq!(actor.progress(), Progress::Parked);
    actor.container.kill_all().unwrap();
    assert_eq!(actor.progress(), Progress::Ended);
    assert_eq!(actor.end(), ExitStatus::Signaled(9));
    actor.container.delete().unwrap();
}

#[test]
fn all_processes_die_with_the_first() {
    let script = "sleep 1000 & sleep 1000 & echo ready; wait";
    let mut actor = Stage::new().play(&["sh", "-c", script]);
    assert_eq!(actor.line(), "ready");
    let processes = actor.container.processes();
    assert_eq!(processes.len(), 3);
    actor.container.kill(Signal::SIGKILL as i32).unwrap();
    actor.end();
    let gone = |pid: &nix::unistd::Pid| !std::path::Path::new(&format!("/proc/{pid}/ns/pid")).exists();
    assert!(processes.iter().all(gone));
    actor.container.delete().unwrap();
}

#[test]
fn a_living_container_is_not_deleted() {
    let actor = Stage::new().play(&["sleep", "1000"]);
    let pid = actor.container.pid();
    assert!(matches!(actor.container.delete(), Err(DeleteError::Alive)));
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "it was dropped, so it is no more");
}

#[test]
fn nothing_is_left_on_the_host() {
    let stage = Stage::new();
    let cgroups = stage.cgroups.clone();
    let place = stage.path().display().to_string();
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap().matches(&place).count();
    let name = cgroup_name();
    let options = || CreateOptions { cgroup: name.clone(), ..CreateOptions::default() };
    let bundle = stage.bundle(&["sleep", "1000"]);
    let make = |bundle: &Bundle| while_making_children(|| create(bundle, &cgroups, options()));
    let mut container = make(&bundle).unwrap();
    let other = Stage::new();
    let taken = make(&other.bundle(&["true"]));
    let pid = container.pid();
    if container.freeze_event_fd().is_some() {
        assert!(taken.unwrap_err().to_string().contains("clear it or take another name"));
    }
    container.kill_all().unwrap();
    eventually("its end", || container.reap().unwrap().is_some());
    container.delete().unwrap();
    assert_eq!(mounts(), 0);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    drop(make(&bundle).unwrap());
    make(&bundle).unwrap();
}

#[test]
fn what_a_container_writes_is_in_its_layer_when_it_runs_again() {
    let stage = Stage::new();
    let layer = stage.path().join("upper");
    let bundle = stage.bundle(&["sh", "-c", "mkdir /kept && echo made || echo found"]);
    for said in ["made\n", "mkdir: cannot create directory '/kept': File exists\nfound\n"] {
        let mut actor = stage.lend(&bundle, CreateOptions::default());
        actor.start();
        actor.end();
        assert_eq!(actor.output().replace(['‘', '’'], "'"), said);
        actor.container.delete().unwrap();
        assert!(layer.join("kept").is_dir());
    }
}

#[test]
fn a_directory_can_be_the_root_file_system() {
    let stage = Stage::new();
    let Bundle { spec, .. } = stage.bundle(&["sh", "-c", "mkdir /made && echo made"]);
    let root = stage.path().join("lower");
    let mut actor = stage.create(&Bundle { spec, root: Root::Directory(root.clone()) });
    actor.start();
    assert_eq!(actor.end(), ExitStatus::Exited(0));
    assert!(root.join("made").is_dir());
    actor.container.delete().unwrap();
}

#[test]
fn a_container_uses_what_it_uses() {
    let script = "echo ready; while :; do :; done";
    let mut actor = Stage::new().play(&["sh", "-c", script]);
    assert_eq!(actor.line(), "ready");
    let container = &actor.container;
    assert!(container.memory().unwrap() > 4096);
    eventually("CPU time", || container.cpu_time().unwrap().as_millis() > 50);
    let namespaces = if nix::unistd::geteuid().is_root() { 6 } else { 7 };
    assert_eq!(container.namespaces(), namespaces);
    actor.strike();
}
