//! The quiz as it is played: asked, answered, explained, counted.

#![expect(clippy::unwrap_used, reason = "clippy knows test functions, but not what they are made of")]

use assert_cmd::Command;

#[test]
fn an_empty_line_ends_the_quiz_with_the_score() {
    let told = quiz(&["--seed", "7", "--topic", "stop"], "10s\n10s\n10s\n\nnot read\n");
    assert!(told.contains("The same questions again: terrarium quiz --topic stop --seed 7"), "{told}");
    assert!(told.trim_end().ends_with("of 3 right"), "{told}");
}

#[test]
fn the_end_of_the_input_ends_it_too() {
    assert!(quiz(&["--seed", "7"], "running\n").trim_end().ends_with("of 1 right"));
    assert!(quiz(&[], "").trim_end().ends_with("nothing answered"));
}

#[test]
fn whoever_knows_the_rules_is_right_and_whoever_does_not_hears_them() {
    let told = quiz(&["--seed", "1", "--topic", "back-off"], &"3.2s\n".repeat(30));
    assert!(told.contains("✓ right"), "{told}");
    assert!(told.contains("✗ it was 6.40 s") && told.contains("(restart.back-off)"), "{told}");
}

#[test]
fn the_same_seed_asks_the_same() {
    assert_eq!(quiz(&["--seed", "3"], &"x\n".repeat(50)), quiz(&["--seed", "3"], &"x\n".repeat(50)));
}

#[test]
fn every_line_fits_a_terminal() {
    let told = quiz(&["--seed", "9"], &"0\n".repeat(200));
    for line in told.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_topic_that_there_is_not_is_answered_with_those_that_there_are() {
    let output = terrarium().args(["quiz", "--topic", "stopp"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("stop"));
}

fn quiz(words: &[&str], answers: &str) -> String {
    let output = terrarium().arg("quiz").args(words).write_stdin(answers).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn terrarium() -> Command {
    let mut command = Command::cargo_bin("terrarium").unwrap();
    command.env("LC_ALL", "C");
    command
}
