//! What is written reads back the same: the scenarios that are shipped, and random ones with everything in them.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]

mod random;
mod schema;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use proptest::prelude::*;
use terrarium::scenario::{Place, RequestError, Scenario, Text, Took, load, parse};

#[test]
fn every_shipped_scenario_is_read_and_reads_back() {
    let files = shipped();
    assert!(files.len() >= 5, "only {files:?}");
    for file in files {
        load(&file).unwrap_or_else(|error| panic!("{error}"));
        // Read as a text it knows no directories, and so reads back wherever that is.
        let text = fs::read_to_string(&file).unwrap();
        reads_back(&parse(&file.display().to_string(), &text).unwrap());
    }
}

/// The scenarios that are shipped, by name.
fn shipped() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_step_knows_its_place() {
    let yaml = "title: T\ncontainers: { web: }\nsteps:\n  - run: web\n  - say: Now.\n    stop: web\nnever:\n  - web: { oom: true }\n";
    let scenario = parse("places.yaml", yaml).unwrap();
    let places: Vec<_> = scenario.steps.iter().map(|step| step.place.to_string()).collect();
    assert_eq!(places, ["4:5", "5:5"]);
    assert_eq!(scenario.never[0].place, Place { line: 8, column: 5 });
}

#[test]
fn a_text_is_found_in_the_wanted_language_or_else_in_english_or_else_in_any() {
    let text = |texts: &[(&str, &str)]| {
        Text::ByLanguage(texts.iter().map(|(lang, text)| ((*lang).into(), (*text).into())).collect())
    };
    assert_eq!(text(&[("en", "life"), ("ko", "삶")]).in_lang("ko"), "삶");
    assert_eq!(text(&[("de", "Leben"), ("en", "life")]).in_lang("ko"), "life");
    assert_eq!(text(&[("de", "Leben")]).in_lang("ko"), "Leben");
    assert_eq!(Text::from("life").in_lang("ko"), "life");
}

#[test]
fn ten_times_the_steps_take_about_ten_times_as_long() {
    let story = |steps: usize| {
        let step = "  - run: web\n    say: Once more, from the beginning.\n    expect: { took: 0s, web: { state: running } }\n";
        format!("title: T\ncontainers: {{ web: }}\nsteps:\n{}", step.repeat(steps))
    };
    let time = |text: &str| {
        let read = |_| {
            let start = Instant::now();
            parse("long.yaml", text).unwrap();
            start.elapsed()
        };
        (0..3).map(read).min().unwrap()
    };
    let (short, long) = (time(&story(1_000)), time(&story(10_000)));
    assert!(long < short * 40, "1,000 steps in {short:?}, 10,000 in {long:?}");
}

#[test]
fn claims_that_fit_one_action_alone_read_back() {
    for (action, claims) in [
        (
            "request: http://127.0.0.1:1/",
            "{ status: 200, body: web, took: { at_least: 1s, at_most: 1m30s } }",
        ),
        ("request: http://127.0.0.1:1/", "{ error: timed out, took: { at_least: 1s } }"),
        ("exec: { container: web, command: [exit, 7] }", "{ exec_exit: 7, took: 0s, output: '' }"),
    ] {
        let yaml = format!(
            "title: T\ncontainers: {{ web: }}\nsteps:\n  - run: web\n  - {action}\n    expect: {claims}\n"
        );
        let scenario = parse("claims.yaml", &yaml).unwrap_or_else(|error| panic!("{error}"));
        let expect = scenario.steps[1].expect.as_ref().unwrap();
        assert!(matches!(expect.took, Some(Took::About(_) | Took::Between { at_least: Some(_), .. })));
        assert!(expect.error.is_none_or(|error| error == RequestError::TimedOut));
        reads_back(&scenario);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn a_file_with_a_random_wound_is_read_or_answered(at in 0..4000_usize, lost in 0..40_usize, inserted in "[ -~\\n\\t가]{0,4}") {
        let mut text: Vec<char> = include_str!("../../scenarios/ten-seconds.yaml").chars().collect();
        let at = at.min(text.len());
        let end = (at + lost).min(text.len());
        text.splice(at..end, inserted.chars());
        let text: String = text.into_iter().collect();
        if let Err(error) = parse("wounded.yaml", &text) {
            let answer = error.to_string();
            prop_assert!(answer.starts_with("wounded.yaml:") && answer.contains('^'), "{answer}");
        }
    }

    #[test]
    fn a_random_scenario_reads_back(scenario in random::scenario()) {
        reads_back(&scenario);
    }
}

/// Writes a scenario, reads it, and compares all but the places.
fn reads_back(scenario: &Scenario) {
    let yaml = scenario.to_yaml();
    let read = parse("written.yaml", &yaml).unwrap_or_else(|error| panic!("{error}\n\n{yaml}"));
    assert_eq!(without_places(read), without_places(scenario.clone()), "{yaml}");
}

fn without_places(mut scenario: Scenario) -> Scenario {
    for step in &mut scenario.steps {
        step.place = Place::default();
    }
    for rule in [&mut scenario.always, &mut scenario.never, &mut scenario.eventually].into_iter().flatten() {
        rule.place = Place::default();
    }
    scenario
}
