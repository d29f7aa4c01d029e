//! The simulator under the eyes of the rules is the simulator: it lives the same, and every rule holds in every shipped scenario.

use std::path::{Path, PathBuf};
use std::time::Duration;

use terrarium::check::watched::Watched;
use terrarium::engine::planted::Break;
use terrarium::engine::{Engine, Local};
use terrarium::model::HostFacts;
use terrarium::scenario::replay::Stage;
use terrarium::scenario::{Scenario, parse};
use terrarium::world::simulated::Simulated;

fn shipped() -> Vec<(PathBuf, Scenario)> {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files =
        ["", "regressions"].into_iter().flat_map(|folder| std::fs::read_dir(scenarios.join(folder)).unwrap());
    let files =
        files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|is| is == "yaml"));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = parse(path.to_str().unwrap(), &text).unwrap_or_else(|error| panic!("{error}"));
        (path, scenario)
    };
    let mut all: Vec<_> = files.map(read).collect();
    all.push((PathBuf::from("the story below"), parse("story", STORY).unwrap()));
    all
}

/// Of what no shipped scenario leaves for others to see.
const STORY: &str = "
title: T
containers: { web: { restart: always }, other: }
steps:
  - run: [web, other]
  - async: { stop: web }
  - reboot: host
  - join: web
";

/// Everything that can be seen of a life, step by step, and what it has left.
fn seen<E: Engine>(engine: E, scenario: &Scenario) -> (Vec<String>, Stage<E>) {
    let mut stage = Stage::exact(engine, scenario);
    let mut seen = Vec::new();
    for (index, step) in (1..).zip(&scenario.steps) {
        seen.push(format!("{:?}", stage.play(index, step).unwrap()));
        for name in scenario.containers.keys() {
            seen.push(stage.engine_mut().output(name));
        }
    }
    seen.push(format!("{:?} {:?}", stage.clear().unwrap(), stage.engine().images()));
    (seen, stage)
}

#[test]
fn shipped_scenarios_are_lived_the_same_and_keep_every_rule() {
    for (path, scenario) in shipped() {
        let (plain, _) = seen(Local::new(Simulated::new(HostFacts::ASSUMED)), &scenario);
        let (watched, mut stage) = seen(Watched::new(HostFacts::ASSUMED, None, None), &scenario);
        assert_eq!(watched, plain, "{}", path.display());
        stage.engine_mut().rest();
        let broken: Vec<String> = stage.engine().broken().iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{}: {broken:#?}", path.display());
    }
}

#[test]
fn what_time_alone_shows_is_seen_as_it_passes() {
    let yaml = "title: T\ncontainers: { web: { behavior: { cpu: 100% } } }\nsteps: [{ run: web }, { pause: web }, { wait: 1s }]\n";
    let scenario = parse("story", yaml).unwrap();
    let mut stage =
        Stage::exact(Watched::new(HostFacts::ASSUMED, Some(Break::FreezeUndone), None), &scenario);
    for (index, step) in (1..).zip(&scenario.steps) {
        assert!(stage.engine().broken().is_empty(), "before step {index}");
        stage.play(index, step).unwrap();
    }
    let broken = stage.engine().broken().first().expect("it has used CPU time");
    assert_eq!((broken.rule.name, broken.at), ("cpu-only-while-running", Duration::from_secs(1)));
}
