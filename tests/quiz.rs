//! The quiz as it is played: asked, answered, explained, counted.

#![expect(clippy::unwrap_used, reason = "clippy knows test functions, but not what they are made of")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use assert_cmd::Command;
use terrarium::check::quiz::{Question, Quiz, Topic};

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
fn after_a_reboot_is_when_the_policies_have_acted() {
    let always = |question: &Question| {
        question.setting.contains("always")
            && question.so_far[0] == "run web"
            && question.ask.contains("state")
    };
    let mut asked = Quiz::new(2, Some(Topic::Reboot)).take(100).filter(always).peekable();
    assert!(asked.peek().is_some());
    for question in asked {
        assert_eq!(question.grade("").truth, "running", "{question:#?}");
    }
}

/// Somebody has read these answers, and found them right.
#[test]
fn the_model_answers_as_it_did_when_it_was_read() {
    let mut told = String::new();
    for topic in Topic::ALL {
        let _ = writeln!(told, "{topic}");
        for question in Quiz::new(1, Some(*topic)).take(12) {
            let grade = question.grade("");
            let so_far = question.so_far.join(", ");
            let _ = writeln!(
                told,
                "- {} {so_far} | {} | {} {}",
                question.setting, question.act, question.ask, grade.truth
            );
            for because in grade.because {
                let _ = writeln!(told, "    {because}");
            }
        }
    }
    insta::assert_snapshot!(told);
}

/// In each topic: which containers, what is done with them, what is asked of that, and what explains it.
#[test]
fn everything_is_asked_in_the_end() {
    let mut told = String::new();
    for topic in Topic::ALL {
        let mut parts = [const { BTreeSet::new() }; 5];
        for question in Quiz::new(5, Some(*topic)).take(400) {
            parts[4].extend(question.grade("").because);
            parts[0].insert(question.setting);
            parts[1].extend(question.so_far);
            parts[2].insert(question.act);
            parts[3].insert(question.ask.to_owned());
        }
        let _ = writeln!(told, "{topic}");
        for part in parts {
            let _ = writeln!(told, "- {}", part.into_iter().collect::<Vec<_>>().join(" / "));
        }
    }
    insta::assert_snapshot!(told);
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
