//! Plays a small scenario in the simulator and keeps what has happened, with the virtual time of each event.

use std::io;
use std::time::Duration;

use terrarium::engine::trace::{Audience, Closing, Opening, StepOpening, StepTrace};
use terrarium::engine::{Engine, Local, Passed};
use terrarium::model::{Command, Freezer, HostFacts, Name, Outcome, Verb};
use terrarium::scenario::parse;
use terrarium::scenario::replay::{Play, live, simulate};
use terrarium::world::simulated::Simulated;

/// What has happened in a scenario, step by step.
#[derive(Default)]
pub(crate) struct Told {
    steps: Vec<StepTrace>,
    unmet: Vec<String>,
}

/// Plays `containers` and `steps`: all that they expect has to come true.
pub(crate) fn holds(story: &str) -> Told {
    played(story, |play, told| simulate(play, told))
}

/// The same on a host with this freezer.
pub(crate) fn holds_on(freezer: Freezer, story: &str) -> Told {
    played(story, |play, told| live(play, host_with(freezer), told))
}

/// A simulated host with this freezer, and nothing on it.
pub(crate) fn host_with(freezer: Freezer) -> Local<Simulated> {
    Local::new(Simulated::new(HostFacts { freezer, ..HostFacts::ASSUMED }))
}

fn played<E: std::fmt::Debug>(
    story: &str,
    play: impl FnOnce(Play<'_>, &mut dyn Audience) -> Result<Closing, E>,
) -> Told {
    let scenario =
        parse("fact.yaml", &format!("title: A fact\n{story}")).unwrap_or_else(|error| panic!("{error}"));
    let mut told = Told::default();
    let closing = play(Play { scenario: &scenario, file: "fact.yaml", lang: "en" }, &mut told).unwrap();
    assert!(told.unmet.is_empty(), "{}", told.unmet.join("\n"));
    assert_eq!(closing.left_behind, [""; 0]);
    told
}

impl Told {
    /// Every event with its time in seconds: `10 web kill SIGKILL`.
    pub(crate) fn timeline(&self) -> Vec<String> {
        let events = self.steps.iter().flat_map(StepTrace::events);
        events.map(|(at, event)| format!("{} {event}", seconds(at))).collect()
    }

    /// The times of the events of one kind, of whichever container.
    pub(crate) fn times_of(&self, action: &str) -> Vec<f64> {
        let events = self.steps.iter().flat_map(StepTrace::events);
        events.filter(|(_, event)| event.kind.action() == action).map(|(at, _)| seconds(at)).collect()
    }

    /// What the steps were answered that were refused or went wrong.
    pub(crate) fn messages(&self) -> Vec<&str> {
        self.steps.iter().filter_map(|step| step.message.as_deref()).collect()
    }
}

fn seconds(time: Duration) -> f64 {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap()).as_secs_f64()
}

impl Audience for Told {
    fn opening(&mut self, _: &Opening) -> io::Result<()> {
        Ok(())
    }

    fn step_begins(&mut self, _: &StepOpening) -> io::Result<()> {
        Ok(())
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        let complaints =
            step.unmet.iter().flatten().cloned().chain(step.diverged.iter().map(ToString::to_string));
        self.unmet.extend(complaints.map(|complaint| format!("step {}: {complaint}", step.index)));
        self.steps.push(step.clone());
        Ok(())
    }

    fn closing(&mut self, _: &Closing) -> io::Result<()> {
        Ok(())
    }
}

/// Asks for something, past the scenario language, and lets time pass until it is answered; `None` after a minute.
pub(crate) fn ask(engine: &mut Local<Simulated>, name: &str, verb: Verb) -> Option<Outcome> {
    let ticket = engine.submit(&Command { container: Name::new(name).unwrap(), verb });
    let deadline = engine.now() + Duration::from_secs(60);
    while engine.answer(ticket).is_none() {
        if engine.advance(deadline) != Ok(Passed::Something) {
            return None;
        }
    }
    engine.answer(ticket).map(|(_, outcome)| outcome.clone())
}

/// Lets so much time pass.
pub(crate) fn pass(engine: &mut Local<Simulated>, time: Duration) {
    let deadline = engine.now() + time;
    while engine.advance(deadline) == Ok(Passed::Something) {}
}
