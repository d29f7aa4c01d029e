//! Shipped scenarios on Docker.

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use terrarium::scenario::{Action, Crash, Scenario, Step, bundled};

use crate::court::{Court, Record, is_closed};

#[test]
fn a_declaration_that_is_a_lie_is_found_out_by_docker() {
    if is_closed("a lie on Docker") {
        return;
    }
    let lie = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/lie.yaml");
    let records = Court::new().judge(&[lie]);
    let objections = records[0].objections().join("\n");
    assert!(
        objections.contains("exit 0, measured") || objections.contains("predicted stopped, exit 0"),
        "{objections}"
    );
}

#[test]
fn docker_builds_what_was_foretold_and_keeps_what_is_used() {
    if is_closed("an image built by Docker") {
        return;
    }
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/image-layers.yaml");
    let records = Court::new().judge(&[story]);
    assert_eq!(records[0].objections(), Vec::<String>::new());
}

#[test]
fn what_once_went_wrong_goes_on_docker_as_predicted() {
    if is_closed("lives that once went wrong, on Docker") {
        return;
    }
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/regressions");
    let files: Vec<_> = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect();
    let wrong: Vec<_> = Court::new().judge(&files).iter().flat_map(complaints).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Shares of a CPU: several lessons live side by side, and each gets what the others leave.
const IS_OF_SHARES: [&str; 3] = ["CPU", "to be busy", "to be idle"];

/// Some lessons live by the second, and Docker does not when several start at once: who fails may try twice more, alone.
#[test]
fn every_lesson_that_docker_has_a_notion_of_comes_true_there() {
    if std::env::var_os("TERRARIUM_ORACLE_LESSONS").is_none() {
        println!("skipped: the lessons on Docker, nobody asked for it (TERRARIUM_ORACLE_LESSONS=1)");
        return;
    }
    if is_closed("the lessons on Docker") {
        return;
    }
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lessons = bundled().into_iter().filter(|bundled| bundled.number().is_some());
    let (lived, not): (Vec<_>, Vec<_>) = lessons.partition(|lesson| is_of_docker(&lesson.scenario));
    assert!(lived.len() > 20, "Docker has a notion of most lessons, and not of {}", not.len());
    let files: Vec<_> =
        lived.iter().map(|lesson| home.join(format!("scenarios/{}.yaml", lesson.name))).collect();
    let court = Court::new();
    let mut records = court.judge(&files);
    for _ in 0..2 {
        records.retain(|record| !complaints(record).is_empty());
        for record in &mut records {
            println!("once more: {}", complaints(record).join("; "));
            *record = court.judge(&[record.file.clone().into()]).remove(0);
        }
    }
    println!("{} lessons lived on Docker, {} of which it has no notion", lived.len(), not.len());
    let wrong: Vec<_> = records.iter().flat_map(complaints).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn complaints(record: &Record) -> Vec<String> {
    let told = record.objections().into_iter().chain(record.unmet());
    let told = told.filter(|text| !IS_OF_SHARES.iter().any(|word| text.contains(word)));
    told.map(|text| format!("{}: {text}", record.file)).collect()
}

/// Nobody reboots a host for a replay, Docker has no keepers, and a registry has to be there to be asked.
fn is_of_docker(lesson: &Scenario) -> bool {
    let no_registry = TcpStream::connect("localhost:5000").is_err();
    let is_strange = |step: &Step| match step.action {
        Action::Reboot | Action::Crash(Crash::Keeper(_)) => true,
        Action::Push(_) => no_registry,
        _ => false,
    };
    !lesson.steps.iter().any(is_strange)
}
