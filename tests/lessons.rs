//! The scenarios on board: all that are shipped, in an order that a course can follow, within reach from anywhere.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use terrarium::scenario::{Text, bundled};

#[test]
fn every_shipped_scenario_is_on_board() {
    let on_board: BTreeSet<String> = bundled().iter().map(|bundled| bundled.name.to_owned()).collect();
    assert_eq!(
        on_board,
        shipped("scenarios"),
        "the list in src/scenario/bundled.rs is not that of scenarios/"
    );
}

#[test]
fn lessons_are_numbered_without_gaps_and_say_what_they_teach() {
    let lessons: Vec<_> = bundled().into_iter().filter(|bundled| bundled.number().is_some()).collect();
    let mut files = BTreeSet::new();
    for (number, bundled) in (1..).zip(&lessons) {
        let lesson = bundled.scenario.lesson.as_ref().unwrap();
        assert_eq!(lesson.order, number, "{}", bundled.name);
        assert!(!lesson.teaches.is_empty() && lesson.notes.is_some(), "{}", bundled.name);
        assert!(lesson.minutes.is_some_and(|minutes| minutes <= 5), "{}", bundled.name);
        files.insert(format!("{number:02}-{}", bundled.name));
    }
    assert_eq!(files, shipped("scenarios/lessons"), "a lesson's file is named by its number and its name");
}

#[test]
fn every_lesson_asks_claims_and_can_be_had_by_its_name_alone() {
    for bundled in bundled().into_iter().filter(|bundled| bundled.number().is_some()) {
        let (name, steps) = (bundled.name, &bundled.scenario.steps);
        assert!(steps.iter().any(|step| step.ask.is_some()), "{name} asks nothing");
        for step in steps.iter().filter(|step| step.ask.is_some()) {
            let claims = step.expect.is_some() || step.refused.is_some();
            assert!(claims, "{name}: step {} asks, and expects no answer", step.place);
        }
        let short = fs::read(home().join(format!("scenarios/{name}.yaml"))).unwrap();
        let long = home().join(format!("scenarios/lessons/{:02}-{name}.yaml", bundled.number().unwrap()));
        assert_eq!(short, fs::read(long).unwrap(), "scenarios/{name}.yaml is not the lesson");
    }
}

/// The names of the scenarios in a directory.
fn shipped(directory: &str) -> BTreeSet<String> {
    let files = fs::read_dir(home().join(directory)).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
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
    let number = bundled().iter().find(|bundled| bundled.name == "ten-seconds").unwrap().number().unwrap();
    for number in [format!("{number}"), format!("{number:02}")] {
        assert_eq!(stdout(&["replay", &number, "--engine", "sim", "--format", "json"]), by_name);
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

#[test]
fn a_lesson_is_told_in_korean_whole_or_not_at_all_and_more_than_half_are() {
    let lessons: Vec<_> = bundled().into_iter().filter(|bundled| bundled.number().is_some()).collect();
    let mut told = 0;
    for bundled in &lessons {
        let scenario = &bundled.scenario;
        let of_steps = scenario.steps.iter().flat_map(|step| [&step.say, &step.ask]);
        let texts = [&scenario.about].into_iter().chain(of_steps).flatten().chain([&scenario.title]);
        // An unquoted comma inside of `{ en: …, ko: … }` makes the rest of a text a language.
        let languages = texts.clone().flat_map(|text| match text {
            Text::Plain(_) => Vec::new(),
            Text::ByLanguage(texts) => texts.keys().map(String::as_str).collect(),
        });
        let unknown: Vec<_> = languages.filter(|language| !["en", "ko"].contains(language)).collect();
        assert!(unknown.is_empty(), "{} speaks {unknown:?}", bundled.name);
        let (korean, others): (Vec<_>, Vec<_>) =
            texts.partition(|text| text.in_lang("ko") != text.in_lang("en"));
        assert!(korean.is_empty() || others.is_empty(), "{} lacks Korean in: {others:?}", bundled.name);
        told += usize::from(!korean.is_empty());
    }
    assert!(told * 2 > lessons.len(), "README and book say that more than half are told in Korean: {told}");
}
