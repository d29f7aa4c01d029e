//! What a replay promises to whoever called it: its exit status, its engine, and that the simulator does not sleep.

use std::fs;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;

use crate::program::{program, shipped};

const GOOD: i32 = 0;
const BAD: i32 = 1;
const WRONG: i32 = 2;

#[test]
fn ten_seconds_pass_in_the_simulator_without_taking_time() {
    let began = Instant::now();
    let output = sim().args(["--format", "json"]).arg(shipped("ten-seconds")).output().unwrap();
    let took = began.elapsed();
    let lines = String::from_utf8(output.stdout).unwrap();
    let steps: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let stop = steps.iter().find(|step| step["action"] == "stop" && step["container"] == "stubborn").unwrap();
    assert_eq!(stop["took"], 10.0);
    assert_eq!(stop["ledger"]["stubborn"]["after"]["exit"], 137);
    // A release takes a few milliseconds; the build that is tested here is not optimised, and not alone.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn all_met_is_0() {
    sim().args([shipped("first-life"), shipped("ten-seconds")]).assert().code(GOOD);
}

#[test]
fn something_unmet_is_1_and_the_others_are_played_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let story = dir.path().join("wrong.yaml");
    fs::write(
        &story,
        "title: T\ncontainers: { a: }\nsteps:\n  - run: a\n    expect: { a: { state: paused } }\n",
    )
    .unwrap();
    let output = sim().args([&story, &shipped("lie")]).output().unwrap();
    assert_eq!(output.status.code(), Some(BAD));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("1 of 1 expectation unmet"), "{told}");
    assert!(told.contains("A declared behaviour that is a lie"));
}

#[test]
fn a_bad_file_among_good_ones_is_2_and_nothing_runs() {
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.yaml");
    fs::write(&bad, "title: T\ncontainers: { web: }\nsteps:\n  - run: wbe\n").unwrap();
    let output = sim().args([&shipped("first-life"), &bad]).output().unwrap();
    assert_eq!(output.status.code(), Some(WRONG));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with(&format!("terrarium: {}:4:10: ", bad.display())), "{told}");
    assert!(told.contains("`web`"), "{told}");
}

#[test]
fn wrong_words_are_2_and_help_is_0() {
    for words in [&["replay"][..], &["replay", "--engine", "moon", "x"], &["rplay"], &[]] {
        Command::new(program()).args(words).assert().code(WRONG);
    }
    for words in [&["--help"][..], &["--version"], &["replay", "--help"]] {
        Command::new(program()).args(words).assert().code(GOOD);
    }
}

#[cfg(not(all(target_os = "linux", feature = "linux")))]
#[test]
fn the_portable_part_says_that_it_has_no_kernel() {
    let replay = |engine: &str| {
        let mut command = Command::new(program());
        command.args(["replay", "--engine", engine]).arg(shipped("lie")).output().unwrap()
    };
    let (auto, linux) = (replay("auto"), replay("linux"));
    assert_eq!((auto.status.code(), linux.status.code()), (Some(GOOD), Some(BAD)));
    let told = String::from_utf8(auto.stderr).unwrap();
    assert!(
        told.starts_with("terrarium: replaying in the simulator: this terrarium was built without"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(linux.stdout.is_empty());
}

#[test]
fn the_simulators_host_is_told_nothing_of() {
    let output = sim().args(["--format", "json"]).arg(shipped("lie")).output().unwrap();
    let first: Value =
        serde_json::from_slice(output.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!((&first["engine"], &first["host"]), (&"sim".into(), &serde_json::json!({})));
}

fn sim() -> Command {
    let mut command = Command::new(program());
    command.args(["replay", "--engine", "sim"]);
    command
}
