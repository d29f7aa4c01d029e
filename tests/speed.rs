//! `--speed`: virtual seconds take as long as was asked for, and change nothing of what is told.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]

use std::process::Output;
use std::time::{Duration, Instant};

use assert_cmd::Command;

#[test]
fn five_virtual_seconds_at_ten_a_second_take_half_a_second() {
    let (began, paced) = (Instant::now(), replay(&["--engine", "sim", "--speed", "10"]));
    let took = began.elapsed();
    assert!((Duration::from_millis(500)..Duration::from_secs(5)).contains(&took), "{took:?}");
    assert_eq!(paced.stdout, replay(&["--engine", "sim"]).stdout);
}

#[test]
fn auto_means_the_simulator_where_a_speed_is_asked_for() {
    let output = replay(&["--speed", "1000"]);
    assert!(output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("In the simulator"), "{told}");
}

#[test]
fn the_kernels_time_has_one_speed() {
    let output = replay(&["--engine", "linux", "--speed", "10"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"terrarium: cannot set the --speed of --engine linux: a kernel's time passes by itself (use --engine sim)");
}

#[test]
fn a_speed_that_is_none_is_answered_with_an_example() {
    let output = replay(&["--speed", "0"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("10 for ten times as fast"), "{told}");
}

/// A scenario of five virtual seconds.
fn replay(words: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("wait.yaml"), "title: Five seconds\nsteps:\n  - wait: 2s\n  - wait: 3s\n")
        .unwrap();
    let mut command = Command::cargo_bin("terrarium").unwrap();
    command.current_dir(dir.path()).args(["replay", "wait.yaml"]).args(words).output().unwrap()
}
