//! The scenarios on board: all that are shipped, in an order that a course can follow, within reach from anywhere.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use terrarium::scenario::bundled;

#[test]
fn every_shipped_scenario_is_on_board() {
    let shipped: BTreeSet<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let on_board: BTreeSet<String> = bundled().iter().map(|bundled| bundled.name.to_owned()).collect();
    assert_eq!(on_board, shipped, "the list in src/scenario/bundled.rs is not that of scenarios/");
}

#[test]
fn lessons_are_numbered_without_gaps_and_say_what_they_teach() {
    let lessons: Vec<_> = bundled().into_iter().filter_map(|bundled| bundled.scenario.lesson).collect();
    for (number, lesson) in (1..).zip(&lessons) {
        assert_eq!(lesson.order, number);
        assert!(
            !lesson.teaches.is_empty() && lesson.minutes.is_some() && lesson.notes.is_some(),
            "lesson {number}"
        );
    }
}

#[test]
fn the_table_fits_a_terminal_in_every_language() {
    for lang in ["en", "ko"] {
        let table = stdout(&["lessons", "--lang", lang]);
        assert!(table.contains("ten-seconds"), "{table}");
        for line in table.lines() {
            let cells: usize = line.chars().map(|c| if c < '\u{1100}' { 1 } else { 2 }).sum();
            assert!(cells <= 80, "{line}");
        }
    }
    let table = stdout(&["lessons", "--lang", "en"]);
    let first: Vec<_> = table.lines().take(2).collect();
    assert!(first[0].contains("1  first-life") && first[0].ends_with("5 min  A first life"), "{table}");
    assert_eq!(first[1].trim(), "the life cycle, events");
}

#[test]
fn a_lesson_is_replayed_by_number_or_by_name() {
    let by_name = stdout(&["replay", "ten-seconds", "--engine", "sim", "--format", "json"]);
    assert!(by_name.contains(r#""file":"ten-seconds""#), "{by_name}");
    for number in ["4", "04"] {
        assert_eq!(stdout(&["replay", number, "--engine", "sim", "--format", "json"]), by_name);
    }
}

#[test]
fn a_file_wins_over_a_lesson_and_a_lesson_over_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("04"), "title: Mine\nsteps: []\n").unwrap();
    fs::create_dir(dir.path().join("paused")).unwrap();
    let told = |word: &str| {
        let output =
            terrarium().current_dir(dir.path()).args(["replay", word, "--engine", "sim"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(told("04").contains("Mine"));
    assert!(told("paused").contains("What a paused container keeps"));
}

#[test]
fn what_is_neither_file_nor_lesson_is_said_to_be_neither() {
    let dir = tempfile::tempdir().unwrap();
    let told = |word: &str| {
        let output = terrarium().current_dir(dir.path()).args(["replay", word]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    insta::assert_snapshot!(told("pausd") + &told("99") + &told("."), @r"
    terrarium: pausd: no such file, and no lesson of that name or number (did you mean `paused`?); `terrarium lessons` lists them
    terrarium: 99: no such file, and no lesson of that name or number; `terrarium lessons` lists them
    terrarium: .: is a directory: name a file in it
    ");
}

fn terrarium() -> Command {
    let mut command = Command::cargo_bin("terrarium").unwrap();
    command.env("LC_ALL", "C");
    command
}

fn stdout(words: &[&str]) -> String {
    let output = terrarium().args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
