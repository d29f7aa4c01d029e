//! The simulator says the same every time and everywhere: its JSON is compared byte by byte.

#![expect(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]

use std::fs;
use std::path::Path;

use terrarium::report::Json;
use terrarium::scenario::load;
use terrarium::scenario::replay::{Play, simulate};

fn output_of(file: &Path) -> String {
    let scenario = load(file).unwrap_or_else(|error| panic!("{error}"));
    let name = format!("scenarios/{}", file.file_name().unwrap().to_string_lossy());
    let mut out = Vec::new();
    let play = Play { scenario: &scenario, file: &name, lang: "en" };
    let closing = simulate(play, &mut Json::new(&mut out)).unwrap();
    assert!(closing.is_good(), "{name}: {closing:?}");
    String::from_utf8(out).unwrap()
}

#[test]
fn every_shipped_scenario_holds_and_two_replays_of_it_are_identical_byte_by_byte() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "yaml") {
            assert_eq!(output_of(&file), output_of(&file), "{}", file.display());
        }
    }
}

#[test]
fn the_output_of_a_first_life_is_the_one_that_was_committed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/first-life.yaml");
    insta::assert_snapshot!(output_of(&file));
}
