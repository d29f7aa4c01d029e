//! The same tests once more, as an ordinary user.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::geteuid;

use crate::program::{ELSEWHERE, program, shipped};
use crate::theatre::{Theatre, UNDISTURBED};

/// Executes what follows as nobody in particular: no entry in /etc/passwd, no range of ids, no session.
pub(crate) const AS_USER: [&str; 4] = ["setpriv", "--clear-groups", "--reuid=65533", "--regid=65533"];

#[test]
fn an_ordinary_user_can_do_all_of_this() {
    if !geteuid().is_root() {
        println!("skipped: becoming an ordinary user, this is one");
        return;
    }
    // The directories of the build may be closed to others.
    let directory = tempfile::Builder::new().prefix("terrarium-user-").tempdir().unwrap();
    let tests = directory.path().join("replay");
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    bring_along(directory.path());
    let worlds = "kernel::both_worlds_live_the_shipped_scenarios";
    let elsewhere = ["transcripts::", "user::", "traces::", worlds];
    play(directory.path(), &[], &elsewhere.map(|name| ["--skip", name]).concat());
    let first: &[_] = if Theatre::undisturbed().is_some() { &UNDISTURBED } else { &[] };
    play(directory.path(), first, &["--exact", worlds]);
}

fn play(stage: &Path, around: &[&str], words: &[&str]) {
    let program = [around, &AS_USER].concat();
    let output = Command::new(program[0])
        .args(&program[1..])
        .arg(stage.join("replay"))
        .args(words)
        .current_dir("/")
        .env(ELSEWHERE, stage)
        .env("TMPDIR", stage.join("tmp"))
        .env_remove("XDG_RUNTIME_DIR")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!told.contains("running 0 tests"), "{told}");
}

/// Puts the program and the scenarios where everybody can see them, with a place for temporary files.
pub(crate) fn bring_along(directory: &Path) {
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    fs::copy(program(), directory.join("terrarium")).unwrap();
    fs::create_dir(directory.join("scenarios")).unwrap();
    for entry in fs::read_dir(shipped("lie").parent().unwrap()).unwrap() {
        let from = entry.unwrap().path();
        if from.is_file() {
            fs::copy(&from, directory.join("scenarios").join(from.file_name().unwrap())).unwrap();
        }
    }
    let page = shipped("lie").with_file_name("images/page");
    let copy = directory.join("scenarios/images/page");
    fs::create_dir_all(&copy).unwrap();
    for entry in fs::read_dir(page).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, copy.join(from.file_name().unwrap())).unwrap();
    }
    fs::create_dir(directory.join("tmp")).unwrap();
    fs::set_permissions(directory.join("tmp"), Permissions::from_mode(0o1777)).unwrap();
}
