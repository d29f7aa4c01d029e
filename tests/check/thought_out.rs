//! What lives at random are made of: everything that can be asked of a container in each state, and containers of every kind. On a
//! real engine nothing is asked that would be a race.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use serde_yaml::Value;
use terrarium::check::lives::{Venue, life};
use terrarium::check::watched::Watched;
use terrarium::engine::{Engine as _, Passed};
use terrarium::model::HostFacts;
use terrarium::scenario::replay::Stage;
use terrarium::scenario::{Action, Scenario, Step};

/// Enough for what is seldom.
const LIVES: u64 = 600;
/// Who is in them, if they are not called `d1`, `d2` by then.
const NAMES: [&str; 3] = ["a", "b", "c"];

#[test]
fn everything_is_asked_of_containers_of_every_kind() {
    let mut told = String::new();
    for venue in [Venue::Simulator, Venue::Kernel, Venue::Docker] {
        let (mut asked, mut wishes) = (BTreeMap::<String, BTreeSet<String>>::new(), BTreeSet::new());
        for life in (0..LIVES).map(|number| life(1, number, venue)) {
            let mut stage = on_stage(&life);
            let written: Value = serde_yaml::from_str(&life.to_yaml()).unwrap();
            let steps = written["steps"].as_sequence().unwrap();
            for ((index, step), written) in (1..).zip(&life.steps).zip(steps) {
                asked.entry(state(&stage, step)).or_default().insert(words(written));
                stage.play(index, step).unwrap();
            }
            for spec in written["containers"].as_mapping().unwrap().values() {
                leaves(spec, "", &mut wishes);
            }
        }
        let _ = writeln!(told, "{venue:?}");
        for (state, asked) in asked {
            let _ = writeln!(told, "  {state}: {}", asked.into_iter().collect::<Vec<_>>().join(", "));
        }
        for wish in wishes {
            let _ = writeln!(told, "  - {wish}");
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn on_a_real_engine_nothing_is_asked_while_something_is_about_to_happen() {
    for (venue, shortest) in [(Venue::Kernel, 600), (Venue::Docker, 1800)] {
        for life in (0..150).map(|number| life(3, number, venue)) {
            let mut stage = on_stage(&life);
            let mut is_under_way = false;
            for (index, step) in (1..).zip(&life.steps) {
                if matches!(step.action, Action::Join(_)) {
                    is_under_way = false;
                } else if !is_under_way && !matches!(step.action, Action::Wait(_) | Action::WaitFor(_)) {
                    assert!(rests(&stage), "step {index}:\n{}", life.to_yaml());
                }
                stage.play(index, step).unwrap();
                if matches!(step.action, Action::Async(_)) {
                    is_under_way = true;
                    let joins = |step: &&Step| matches!(step.action, Action::Join(_));
                    let mut ahead = stage.clone();
                    ahead.play(index + 1, life.steps[index..].iter().find(joins).unwrap()).unwrap();
                    let took = ahead.engine().now().saturating_sub(stage.engine().now());
                    assert!(
                        took >= Duration::from_millis(shortest),
                        "step {index}: {took:?}\n{}",
                        life.to_yaml()
                    );
                }
            }
        }
    }
}

fn on_stage(life: &Scenario) -> Stage<Watched> {
    Stage::exact(Watched::new(HostFacts::ASSUMED, None, None), life)
}

/// Whether nothing happens by itself soon.
fn rests(stage: &Stage<Watched>) -> bool {
    let mut ahead = stage.clone();
    let engine = ahead.engine_mut();
    let so_far = engine.happened().len();
    let soon = engine.now() + Duration::from_secs(2);
    while engine.advance(soon) == Ok(Passed::Something) {}
    engine.happened().len() == so_far
}

/// How the container is of which something is asked.
fn state(stage: &Stage<Watched>, step: &Step) -> String {
    let action = if let Action::Async(action) = &step.action { action } else { &step.action };
    let of = |name| stage.engine().status(name).state.to_string();
    action.containers().first().map_or_else(|| "in whatever state".into(), of)
}

/// What is asked, whoever it is asked of.
fn words(step: &Value) -> String {
    match step {
        Value::Mapping(fields) => {
            let word = |(key, value): (&Value, &Value)| match key.as_str() {
                Some(key) if !["container", "to", "refused"].contains(&key) => {
                    Some(format!("{key} {}", words(value)).trim_end().to_owned())
                }
                _ => None,
            };
            fields.iter().filter_map(word).collect::<Vec<_>>().join(" ")
        }
        Value::Sequence(all) => all.iter().map(words).collect::<Vec<_>>().join(" "),
        Value::String(word) if NAMES.contains(&word.as_str()) || word.starts_with('d') => String::new(),
        other => serde_yaml::to_string(other).unwrap().trim_end().to_owned(),
    }
}

/// Everything that is set, with its path.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Mapping(fields) => {
            for (key, value) in fields {
                leaves(value, &format!("{path} {}", key.as_str().unwrap_or("?")), found);
            }
        }
        Value::Sequence(all) => all.iter().for_each(|value| leaves(value, path, found)),
        leaf => {
            found.insert(format!(
                "{}: {}",
                path.trim_start(),
                serde_yaml::to_string(leaf).unwrap().trim_end()
            ));
        }
    }
}
