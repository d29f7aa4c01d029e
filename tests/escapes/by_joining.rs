//! Ways out by way of whoever joins: for a moment there is somebody in the container who is a copy of the keeper.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use terrarium::runtime::{ExecCreateError, ExecOptions, ExecProgress};

use crate::stage::{Stage, eventually, readable, while_making_children};
use crate::target::{assert_all_refused, bundle, told};

/// Runs a command inside and waits for its end.
fn exec(
    container: &terrarium::runtime::Container,
    options: ExecOptions,
) -> Result<Option<String>, ExecCreateError> {
    let mut exec = while_making_children(|| container.exec(options))?;
    let mut failed = None;
    while let Some(status) = exec.status_fd() {
        readable(status);
        while let Some(progress) = exec.progress().unwrap() {
            if let ExecProgress::Failed(error) = progress {
                failed = Some(error.to_string());
            }
        }
    }
    if let Some(pidfd) = exec.pidfd() {
        readable(pidfd);
        eventually("its tracer lets it be reaped", || exec.reap().unwrap().is_some());
    }
    Ok(failed)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn whoever_joins_is_not_to_be_had_and_neither_is_the_keepers_program() {
    let before = fs::read(std::env::current_exe().unwrap()).unwrap();
    let stage = Stage::new();
    let mut bundle = bundle(&stage, "grab");
    // Without a filter nothing is left to whoever joins that the attacker has not, so only its own care protects it.
    bundle.spec.linux_mut().as_mut().unwrap().set_seccomp(None);
    let mut actor = stage.create(&bundle);
    actor.start();
    while actor.line() != "> ready: refused" {}
    for _ in 0..60 {
        exec(&actor.container, ExecOptions { args: words(&["true"]), ..ExecOptions::default() }).unwrap();
    }
    exec(
        &actor.container,
        ExecOptions { args: words(&["mkdir", "-p", "/tmp/enough"]), ..ExecOptions::default() },
    )
    .unwrap();
    assert_all_refused(&told(&mut actor));
    actor.container.delete().unwrap();
    assert!(
        fs::read(std::env::current_exe().unwrap()).unwrap() == before,
        "the keeper's program was changed"
    );
}

#[test]
fn whoever_joins_does_not_work_in_a_directory_of_the_hosts() {
    let actor = Stage::new().play(&["sleep", "1000"]);
    for number in 3..12 {
        let cwd = Some(PathBuf::from(format!("/proc/self/fd/{number}")));
        let failed =
            exec(&actor.container, ExecOptions { args: words(&["true"]), cwd, ..ExecOptions::default() });
        let said = failed.unwrap().unwrap();
        assert!(said.contains("step `working directory` failed"), "{said}");
    }
    actor.strike();
}

#[test]
fn a_descriptor_that_the_keeper_forgot_to_close_does_not_come_along() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("marker-of-the-host"), "").unwrap();
    let open = File::open(directory.path()).unwrap();
    // As if it had been opened by a library that does not think of execve.
    fcntl(&open, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let stage = Stage::new();
    let mut bundle = bundle(&stage, "descriptors");
    let process = bundle.spec.process_mut().as_mut().unwrap();
    let mut env = process.env().clone().unwrap();
    env.push("TERRARIUM_MARKER=marker-of-the-host".to_owned());
    process.set_env(Some(env));
    let mut actor = stage.create(&bundle);
    actor.start();
    assert_all_refused(&told(&mut actor));
    actor.container.delete().unwrap();

    let actor = Stage::new().play(&["sleep", "1000"]);
    let (mut output, writer) = nix::unistd::pipe().map(|(read, write)| (File::from(read), write)).unwrap();
    let stdio = terrarium::runtime::Stdio { output: Some(writer), ..Default::default() };
    exec(
        &actor.container,
        ExecOptions { args: words(&["ls", "-l", "/proc/self/fd"]), stdio, ..ExecOptions::default() },
    )
    .unwrap();
    let mut listed = String::new();
    output.read_to_string(&mut listed).unwrap();
    assert!(!listed.contains(directory.path().to_str().unwrap()), "{listed}");
    assert!(open.as_raw_fd() > 2);
    actor.strike();
}
