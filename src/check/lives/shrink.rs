//! The shortest life that still goes wrong: leaves out what can be left out, and makes simpler what can be simpler.

use crate::check::rules::{Rule, Violation};
use crate::check::watched::Watched;
use crate::engine::planted::Break;
use crate::engine::trace::StepTrace;
use crate::model::{Behavior, ContainerSpec, HostFacts, Name};
use crate::scenario::replay::Stage;
use crate::scenario::{Action, Scenario};

/// Tells a life anew as the simulator lives it: which steps are refused, and with which words.
///
/// None if it could not be a file: something in it is asked of a container that no step can have made.
pub fn retold(scenario: &Scenario) -> Option<Scenario> {
    let mut told = scenario.clone();
    let mut stage = Stage::exact(Watched::new(HostFacts::ASSUMED, None, None), scenario);
    for (index, step) in (1..).zip(&mut told.steps) {
        step.refused = None;
        let parts = stage.play(index, step).ok()?;
        step.refused = super::refusal(&parts);
        if nothing_to_join(&parts) {
            return None;
        }
    }
    crate::scenario::parse("life", &told.to_yaml()).ok().map(|_| told)
}

fn nothing_to_join(parts: &[StepTrace]) -> bool {
    let says_so = |message: &String| message.contains("nothing was begun");
    parts.iter().any(|part| part.message.as_ref().is_some_and(says_so))
}

/// How a life breaks a rule, if it does.
pub fn breaks(scenario: &Scenario, bug: Option<Break>, rule: &'static Rule) -> Option<Violation> {
    let mut stage = Stage::exact(Watched::new(HostFacts::ASSUMED, bug, Some(rule)), scenario);
    for (index, step) in (1..).zip(&scenario.steps) {
        stage.play(index, step).ok()?;
    }
    stage.clear().ok()?;
    stage.engine_mut().rest();
    stage.engine().broken().first().cloned()
}

/// Makes a life shorter and simpler as long as it goes wrong in the same way.
pub fn shrunk(scenario: &Scenario, mut goes_wrong: impl FnMut(&Scenario) -> bool) -> Scenario {
    let mut best = scenario.clone();
    loop {
        let simpler = simpler(&best).into_iter().filter_map(|candidate| retold(&candidate));
        match simpler.into_iter().find(|candidate| goes_wrong(candidate)) {
            Some(candidate) => best = candidate,
            None => return best,
        }
    }
}

/// Everything that is one step simpler: the largest steps first.
fn simpler(scenario: &Scenario) -> Vec<Scenario> {
    let mut found = Vec::new();
    for name in scenario.containers.keys() {
        found.push(without(scenario, name));
    }
    let steps = scenario.steps.len();
    for length in [steps / 2, steps / 4, 1] {
        for from in (0..steps).rev() {
            if from + length <= steps {
                let mut shorter = scenario.clone();
                shorter.steps.drain(from..from + length);
                found.push(shorter);
            }
        }
    }
    for (nth, step) in scenario.steps.iter().enumerate() {
        if let Action::Async(action) = &step.action {
            let mut plainer = scenario.clone();
            plainer.steps[nth].action = (**action).clone();
            found.push(plainer);
        }
    }
    for (name, spec) in &scenario.containers {
        for plainer in plainer(spec) {
            let mut simpler = scenario.clone();
            simpler.containers.insert(name.clone(), plainer);
            found.push(simpler);
        }
    }
    found.retain(|candidate| candidate != scenario);
    found
}

fn without(scenario: &Scenario, name: &Name) -> Scenario {
    let mut smaller = scenario.clone();
    smaller.containers.remove(name);
    smaller.steps.retain(|step| !step.action.containers().contains(name));
    smaller
}

/// One wish less each.
fn plainer(spec: &ContainerSpec) -> Vec<ContainerSpec> {
    let usual = ContainerSpec::default();
    let behavior = |behavior: Behavior| ContainerSpec { behavior, ..spec.clone() };
    let own = &spec.behavior;
    let mut found = vec![
        usual.clone(),
        behavior(Behavior::default()),
        ContainerSpec { restart: usual.restart, ..spec.clone() },
        ContainerSpec { stop_signal: None, ..spec.clone() },
        ContainerSpec { stop_timeout: None, ..spec.clone() },
        ContainerSpec { init: false, ..spec.clone() },
        ContainerSpec { auto_remove: false, ..spec.clone() },
        ContainerSpec { publish: Vec::new(), ..spec.clone() },
        ContainerSpec { memory: None, ..spec.clone() },
        ContainerSpec { health: None, ..spec.clone() },
        ContainerSpec { command: None, ..spec.clone() },
        behavior(Behavior { exits: None, ..own.clone() }),
        behavior(Behavior { children: None, ..own.clone() }),
        behavior(Behavior { memory: None, ..own.clone() }),
        behavior(Behavior { cpu: 0, ..own.clone() }),
        behavior(Behavior { health: Vec::new(), ..own.clone() }),
        behavior(Behavior { runs: Vec::new(), ..own.clone() }),
    ];
    found.extend(own.runs.iter().cloned().map(behavior));
    for signal in own.signals.keys() {
        let mut fewer = own.clone();
        fewer.signals.remove(signal);
        found.push(behavior(fewer));
    }
    found.retain(|plainer| plainer != spec);
    found
}
