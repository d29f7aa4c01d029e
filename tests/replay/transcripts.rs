//! What people see of the shipped scenarios, to be read like a book. In the simulator it is the same everywhere.

use crate::program::{program, shipped};

#[test]
fn every_shipped_scenario_in_words() {
    let names = names();
    assert!(names.len() >= 20, "only {names:?}");
    for name in names {
        insta::assert_snapshot!(name.clone(), told(&[], &name));
    }
}

/// A new scenario gets a transcript by itself, and somebody has to have read it.
fn names() -> Vec<String> {
    let files = std::fs::read_dir(shipped("lie").parent().unwrap()).unwrap().map(|file| file.unwrap().path());
    let stories = files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<_> =
        stories.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_rules_behind_each_transition() {
    insta::assert_snapshot!("why", told(&["--why"], "lie"));
}

#[test]
fn the_same_for_programs() {
    insta::assert_snapshot!("json", told(&["--format", "json"], "paused"));
}

#[test]
fn narration_in_another_language() {
    insta::assert_snapshot!("korean", told(&["--lang", "ko"], "created-uses-no-cpu"));
    let by_environment = replay(&[], "created-uses-no-cpu", &[("LC_ALL", "ko_KR.UTF-8")]);
    assert_eq!(by_environment, told(&["--lang", "ko"], "created-uses-no-cpu"));
}

#[test]
fn the_same_story_is_told_in_the_same_words() {
    assert_eq!(told(&[], "ten-seconds"), told(&[], "ten-seconds"));
}

#[test]
fn off_a_terminal_there_are_no_colours_and_no_wide_lines() {
    for name in ["first-life", "ten-seconds", "paused"] {
        let text = replay(&[], name, &[("TERM", "xterm-256color"), ("CLICOLOR_FORCE", "1")]);
        assert!(!text.contains('\x1b'), "{name}");
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{name}: {widest:?} columns");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_there_are_colours_unless_they_are_not_wanted() {
    assert!(on_a_terminal("", &[]).contains("\x1b["));
    assert!(!on_a_terminal("--no-color", &[]).contains("\x1b["));
    assert!(!on_a_terminal("", &[("NO_COLOR", "1")]).contains("\x1b["));
}

fn told(words: &[&str], name: &str) -> String {
    replay(words, name, &[])
}

fn replay(words: &[&str], name: &str, environment: &[(&str, &str)]) -> String {
    let directory = shipped(name).parent().unwrap().to_owned();
    let output = assert_cmd::Command::new(program())
        .current_dir(directory.parent().unwrap())
        .args(["replay", "--engine", "sim"])
        .args(words)
        .arg(format!("scenarios/{name}.yaml"))
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env("LANG", "C")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// By way of script(1), which gives its child a terminal.
#[cfg(target_os = "linux")]
fn on_a_terminal(word: &str, environment: &[(&str, &str)]) -> String {
    let command =
        format!("'{}' replay --engine sim {word} '{}'", program().display(), shipped("lie").display());
    let output = assert_cmd::Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env_remove("NO_COLOR")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
