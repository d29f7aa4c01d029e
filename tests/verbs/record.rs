//! `record`: a life as a scenario, which makes the same transitions when it is replayed.

use std::fs;

use assert_cmd::Command;
use serde_json::Value;
use terrarium::engine::journal::{self, Told};
use terrarium::model::{
    Behavior, ContainerSpec, ExecSpec, Exit, Limits, Name, Reaction, Removal, RestartPolicy, Signal,
    StopTimeout, Verb,
};

use super::stage::{Stage, millis, seconds};

fn restarted(restart: RestartPolicy) -> ContainerSpec {
    ContainerSpec { restart, ..ContainerSpec::default() }
}

fn exits(after: u64, code: u8) -> Behavior {
    Behavior { exits: Some(Exit { after: millis(after), code }), ..Behavior::default() }
}

/// Asks for something in each of many ways.
fn lives() -> Stage {
    let mut stage = Stage::new();
    let stop = || Verb::Stop { timeout: None, signal: None };
    let life = stage.run(seconds(600), "plain", ContainerSpec::default());
    life.pass(seconds(5)).ask(Verb::Pause).ask(Verb::Pause).pass(millis(1250)).ask(Verb::Unpause).ask(stop());
    life.ask(Verb::Start).ask(Verb::Exec(ExecSpec::of(&["exit".into(), "7".into()])));
    life.ask(Verb::Rename { to: Name::new("other").unwrap() }).ask(Verb::Kill { signal: Signal::KILL });
    life.ask(Verb::Remove(Removal::Gentle));
    let id = life.id.clone();
    stage.estate.bury(&id).unwrap();

    let life = stage.run(seconds(600), "struck", restarted(RestartPolicy::Always));
    life.pass(seconds(2)).strike(Signal::KILL).pass(seconds(12)).strike(Signal::KILL).pass(seconds(1));

    let spec = ContainerSpec { behavior: exits(700, 3), ..restarted(RestartPolicy::OnFailure { max: 4 }) };
    stage.run(seconds(600), "loop", spec).pass(seconds(30));

    // Somebody else's image: nobody has said what it does, it is seen.
    let handler = Reaction::Exit(Exit { after: millis(800), code: 0 });
    let one = Behavior { signals: [(Signal::TERM, handler)].into(), ..Behavior::default() };
    let behavior = Behavior { runs: vec![one.clone(), exits(4000, 9), one], ..Behavior::default() };
    let spec =
        ContainerSpec { image: "web-server".into(), behavior, ..restarted(RestartPolicy::UnlessStopped) };
    let life = stage.run(seconds(600), "seen", spec);
    life.pass(seconds(3))
        .ask(stop())
        .ask(Verb::Start)
        .pass(seconds(6))
        .ask(Verb::Restart { timeout: None, signal: None });
    life.ask(Verb::Stop { timeout: Some(StopTimeout::After(seconds(2))), signal: None });
    life.ask(Verb::Update {
        restart: Some(RestartPolicy::No),
        limits: Limits { pids: Some(9), ..Limits::default() },
    });

    let life = stage.run(seconds(600), "hurried", ContainerSpec::default());
    life.begin(stop()).pass(seconds(3)).ask(Verb::Kill { signal: Signal::KILL }).pass(seconds(1));

    let spec = ContainerSpec { command: Some(vec!["nosuch".into()]), ..ContainerSpec::default() };
    stage.run(seconds(600), "unable", spec);
    stage
}

#[test]
fn a_recorded_life_makes_the_same_transitions_in_the_simulator() {
    let stage = lives();
    for name in ["other", "struck", "loop", "seen", "hurried", "unable"] {
        let yaml = stage.printed(&["record", name]);
        let lived = transitions_of_journal(&stage, name);
        let file = stage.file(&format!("{name}.yaml"));
        fs::write(&file, &yaml).unwrap();
        let mut replay = Command::cargo_bin("terrarium").unwrap();
        let output =
            replay.args(["replay", "--engine", "sim", "--format", "json"]).arg(&file).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}:\n{yaml}\n{told}\n{said}");
        assert_eq!(transitions_of_replay(&told), lived, "{name}:\n{yaml}");
    }
}

#[test]
fn a_recorded_life_reads_well() {
    insta::assert_snapshot!(lives().printed(&["record", "seen"]));
}

fn transitions_of_journal(stage: &Stage, name: &str) -> Vec<String> {
    let id = stage.id(name);
    let past = stage.estate.past().unwrap().into_iter().find(|(gone, _)| gone == id);
    let account = journal::read(&past.map_or(stage.estate.journal(id), |(_, path)| path)).unwrap();
    let moved = account.tale.into_iter().filter_map(|tale| match tale.told {
        Told::Moved(moved) => Some(format!("{} {} → {}", moved.container, moved.from, moved.to)),
        _ => None,
    });
    moved.collect()
}

fn transitions_of_replay(told: &str) -> Vec<String> {
    let steps = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let transitions = steps.flat_map(|step| step["transitions"].as_array().cloned().unwrap_or_default());
    let word = |moved: &Value, key: &str| moved[key].as_str().unwrap().to_owned();
    transitions
        .map(|moved| {
            format!("{} {} → {}", word(&moved, "container"), word(&moved, "from"), word(&moved, "to"))
        })
        .collect()
}
