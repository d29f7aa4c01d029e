//! A broken rule as a scenario: the steps that lead to it, and what would have been right.
//!
//! What is right is what the simulator does without the bug. So the file fails as long as the bug is in it, and is met as
//! soon as its line `break:` is taken out.

use std::fmt::Write as _;
use std::time::Duration;

use super::rules::Violation;
use crate::engine::planted::Break;
use crate::engine::trace::{StepOutcome, StepTrace};
use crate::engine::{Engine, Local};
use crate::model::{HostFacts, Name, State};
use crate::scenario::replay::Stage;
use crate::scenario::{
    ContainerExpect, CpuExpect, EventPattern, Events, Expect, Order, Scenario, Step, Text, Took,
};
use crate::world::simulated::Simulated;

type Simulator = Stage<Local<Simulated>>;

/// Over how long it is seen whether a container uses CPU time.
const WINDOW: Duration = Duration::from_millis(500);
/// Shorter than that nobody waits.
const NOTICED: Duration = Duration::from_millis(100);

/// What a life showed after one step.
#[derive(Clone, Debug, PartialEq)]
struct Shown {
    outcome: StepOutcome,
    message: Option<String>,
    took: Option<Duration>,
    events: Vec<String>,
    containers: Vec<(Name, Look)>,
}

/// What can be claimed of one container.
#[derive(Clone, Debug, PartialEq)]
struct Look {
    state: State,
    exit: Option<i32>,
    oom: bool,
    restarts: u32,
    processes: Option<u64>,
    ports: Vec<String>,
    burns: bool,
}

/// Whether who replays it sees it go otherwise than it should.
pub fn shows(scenario: &Scenario) -> bool {
    let (right, wrong) = (played(scenario, None), played(scenario, scenario.planted));
    right != wrong
}

/// The scenario with what it is about, and with the right expectations wherever it goes otherwise.
pub fn written(scenario: &Scenario, violation: &Violation) -> Scenario {
    let rule = violation.rule;
    let mut about = format!("Rule `{}`: {}\n\n{}\n", rule.name, rule.sentence, rule.why);
    if let Some(bug) = scenario.planted {
        let sentence = bug.sentence();
        let _ = writeln!(about, "\nPlanted: {sentence} Without the line `break` all is as expected.");
    }
    let (right, wrong) = (played(scenario, None).0, played(scenario, scenario.planted).0);
    let mut told = Scenario {
        title: Text::Plain(title(rule.sentence)),
        about: Some(Text::Plain(about)),
        ..scenario.clone()
    };
    for ((step, right), wrong) in told.steps.iter_mut().zip(&right).zip(&wrong) {
        claim(step, right, wrong);
    }
    told
}

/// A sentence without its full stop.
fn title(sentence: &str) -> String {
    sentence.trim_end_matches('.').to_owned()
}

fn played(scenario: &Scenario, bug: Option<Break>) -> (Vec<Shown>, Vec<String>) {
    let engine = Local::new(Simulated::new(HostFacts::ASSUMED)).broken_by(bug);
    let mut stage = Stage::exact(engine, scenario);
    let mut shown = Vec::new();
    for (index, step) in (1..).zip(&scenario.steps) {
        // The simulator has no interruptions.
        let Ok(parts) = stage.play(index, step) else { break };
        shown.push(look(scenario, &stage, &parts));
    }
    let left = stage.clear().unwrap_or_default();
    (shown, left)
}

fn look(scenario: &Scenario, stage: &Simulator, parts: &[StepTrace]) -> Shown {
    let events = parts.iter().flat_map(StepTrace::events).map(|(_, event)| event.to_string()).collect();
    let last = parts.last();
    Shown {
        outcome: last.map_or(StepOutcome::Done, |part| part.outcome),
        message: last.and_then(|part| part.message.clone()),
        took: last.and_then(|part| part.took),
        events,
        containers: scenario.containers.keys().map(|name| (name.clone(), look_at(stage, name))).collect(),
    }
}

fn look_at(stage: &Simulator, name: &Name) -> Look {
    let mut ahead = stage.clone();
    let engine = ahead.engine_mut();
    let status = engine.status(name);
    let costs = engine.resources(name);
    // Looking at a container takes time, so a copy of it is looked at; a question that changes nothing keeps it awake.
    let deadline = engine.now() + WINDOW;
    while engine.advance(deadline) == Ok(crate::engine::Passed::Something) {}
    let later = engine.resources(name).cpu_seconds.unwrap_or(0.0);
    let burns = engine.status(name).state == status.state && later > costs.cpu_seconds.unwrap_or(0.0) + 0.1;
    Look {
        state: status.state,
        exit: status.exit,
        oom: status.oom,
        restarts: status.restarts,
        processes: costs.processes,
        ports: costs.ports,
        burns,
    }
}

/// Claims what is right wherever it is shown otherwise.
fn claim(step: &mut Step, right: &Shown, wrong: &Shown) {
    let refused = |shown: &Shown| matches!(shown.outcome, StepOutcome::Refused | StepOutcome::Failed);
    if refused(right) {
        step.refused.clone_from(&right.message);
        if let Some(message) = &right.message {
            step.refused = Some(super::lives::key_words(message));
        }
    }
    let mut expect = Expect::default();
    let took = right.took.unwrap_or_default();
    if right.took != wrong.took || took >= NOTICED {
        expect.took = right.took.map(Took::About);
    }
    if right.events != wrong.events {
        let list = right.events.iter().filter_map(|event| pattern(event)).collect();
        expect.events = Some(Events { list, order: Order::Exact });
    }
    for ((name, right), (_, wrong)) in right.containers.iter().zip(&wrong.containers) {
        let claims = claims(right, wrong);
        if claims != ContainerExpect::default() {
            expect.containers.insert(name.clone(), claims);
        }
    }
    if expect != Expect::default() {
        step.expect = Some(expect);
    }
}

fn claims(right: &Look, wrong: &Look) -> ContainerExpect {
    let mut claims = ContainerExpect::default();
    if right == wrong {
        return claims;
    }
    claims.state = Some(right.state).filter(|state| *state != State::Creating);
    if right.exit != wrong.exit {
        claims.exit = right.exit.and_then(|code| u8::try_from(code).ok());
    }
    if right.restarts != wrong.restarts {
        claims.restarts = Some(right.restarts);
    }
    if right.oom != wrong.oom {
        claims.oom = Some(right.oom);
    }
    if right.processes != wrong.processes {
        claims.processes = right.processes;
    }
    if right.ports != wrong.ports {
        claims.ports = Some(right.ports.iter().filter_map(|port| host_port(port)).collect());
    }
    if right.burns != wrong.burns {
        claims.cpu = Some(if right.burns { CpuExpect::Busy } else { CpuExpect::Idle });
    }
    claims
}

/// `web kill SIGTERM`, as an event is told and as it is claimed.
fn pattern(event: &str) -> Option<EventPattern> {
    let mut words = event.splitn(3, ' ');
    let container = Name::new(words.next()?).ok()?;
    let action = words.next()?.to_owned();
    Some(EventPattern { container, action, detail: words.next().map(str::to_owned) })
}

/// `8081` of `0.0.0.0:8081->80/tcp`.
fn host_port(shown: &str) -> Option<u16> {
    shown.split("->").next()?.rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::host_port;

    #[test]
    fn a_port_is_claimed_by_its_number_on_the_host() {
        assert_eq!(host_port("0.0.0.0:8081->80/tcp"), Some(8081));
        assert_eq!(host_port("[::]:8081->80/udp"), Some(8081));
        assert_eq!(host_port("80/tcp"), None);
    }
}
