//! `history`: a life, told.

use terrarium::model::{Behavior, ContainerSpec, Exit, Reaction, RestartPolicy, Signal, Verb};

use super::stage::{Stage, seconds};

const NOON: u64 = 1_795_608_000;

fn a_life() -> Stage {
    let mut stage = Stage::new();
    let spec = ContainerSpec { restart: RestartPolicy::OnFailure { max: 1 }, ..ContainerSpec::default() };
    let life = stage.create_in(NOON, "web", spec);
    life.ask(Verb::Start).pass(seconds(65)).ask(Verb::Pause).ask(Verb::Pause);
    life.ask(Verb::Unpause)
        .pass(seconds(1))
        .strike(Signal::KILL)
        .pass(seconds(3))
        .ask(Verb::Stop { timeout: None, signal: None });
    life.ask(Verb::Start).pass(seconds(90_000)).ask(Verb::Kill { signal: Signal::KILL });
    stage
}

#[test]
fn a_life_is_told_in_chapters() {
    let stage = a_life();
    let told = stage.printed(&["history", "web"]);
    let id = stage.printed(&["ps", "-aq"]);
    insta::assert_snapshot!(told.replace(id.trim(), "0123456789ab"));
}

#[test]
fn why_names_the_rules() {
    let told = a_life().printed(&["history", "--why", "web"]);
    assert!(told.contains("because   Start lets the parked process execute its program."), "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
}

#[test]
fn a_life_is_told_to_programs_too() {
    let told = a_life().printed(&["history", "--format", "json", "web"]);
    let lines: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = &lines[0];
    assert_eq!((first["type"].as_str(), first["verb"].as_str()), (Some("asked"), Some("create")));
    assert!(lines.iter().any(|line| line["type"] == "answered" && line["outcome"] == "refused"));
    assert!(lines.iter().any(|line| line["rule"] == "restart.policy"));
}

#[test]
fn who_is_gone_can_still_be_told_of() {
    let mut stage = Stage::new();
    let exits = Behavior {
        signals: [(Signal::TERM, Reaction::Exit(Exit { after: seconds(2), code: 0 }))].into(),
        ..Behavior::default()
    };
    let life = stage.create_in(NOON, "gone", ContainerSpec { behavior: exits, ..ContainerSpec::default() });
    life.ask(Verb::Start).ask(Verb::Stop { timeout: None, signal: None });
    life.ask(Verb::Remove(terrarium::model::Removal::Gentle));
    let id = life.id.clone();
    stage.estate.bury(&id).unwrap();
    for word in ["gone", id.short()] {
        let told = stage.printed(&["history", word]);
        assert!(
            told.contains("running → stopping → stopped, exit 0") && told.contains("took      2.00 s"),
            "{told}"
        );
        assert!(told.contains("stopped → removing → absent"), "{told}");
    }
    assert_eq!(stage.terrarium(&["inspect", "gone"]).status, Some(1));
}
