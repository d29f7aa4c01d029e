//! Help that fits a terminal, begins with what to do, and answers a slip of the finger.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]

use assert_cmd::Command;

const VERBS: [&str; 6] = ["replay", "lessons", "quiz", "check", "model", "schema"];
#[cfg(all(target_os = "linux", feature = "linux"))]
const VERBS_THAT_READ: [&str; 13] = [
    "ps",
    "inspect",
    "logs",
    "stats",
    "top",
    "port",
    "events",
    "diff",
    "history",
    "record",
    "watch",
    "completions",
    "cp",
];
#[cfg(not(all(target_os = "linux", feature = "linux")))]
const VERBS_THAT_READ: [&str; 0] = [];

#[test]
fn all_help_fits_eighty_columns() {
    for words in VERBS.iter().chain(&VERBS_THAT_READ).map(|verb| vec![*verb]).chain([vec![]]) {
        for help in ["-h", "--help"] {
            let told = told(words.iter().copied().chain([help]), 0);
            for line in told.lines() {
                assert!(line.chars().count() <= 80, "{words:?} {help}: {line}");
            }
        }
    }
}

#[test]
fn help_lists_every_verb_and_says_where_to_begin() {
    let told = told(["--help"], 0);
    for verb in VERBS.iter().chain(&VERBS_THAT_READ) {
        assert!(told.lines().any(|line| line.trim_start().starts_with(*verb)), "{verb}:\n{told}");
    }
    assert!(told.contains("terrarium replay first-life"), "{told}");
}

#[test]
fn a_slip_of_the_finger_is_answered_with_what_was_meant() {
    for (words, meant) in [
        (vec!["lesons"], "'lessons'"),
        (vec!["replay", "4", "--pedict"], "'--predict'"),
        (vec!["replay", "4", "--engine", "sym"], "'sim'"),
    ] {
        let told = told(words, 2);
        assert!(told.starts_with("terrarium: ") && told.lines().count() == 1, "{told}");
        assert!(told.contains(&format!("did you mean {meant}?")), "{told}");
    }
}

fn told<'a>(words: impl IntoIterator<Item = &'a str>, status: i32) -> String {
    let output = Command::cargo_bin("terrarium").unwrap().args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(status));
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}
