//! Lives at random: who is in them, what is asked of whom and when, as scenarios that anybody can read and replay.
//!
//! A life is thought out while the simulator lives it, so that most of what is asked makes sense, and some of it is refused. In
//! a life for a real engine nothing is asked at a moment in which something else is about to happen by itself: what
//! then comes first is a race, which says nothing about the model.

mod cast;
mod shrink;

use std::time::Duration;

pub use self::shrink::{breaks, retold, shrunk};

use super::chance::Chance;
use super::rules::{Rule, Tally, Violation};
use super::watched::Watched;
use crate::engine::planted::Break;
use crate::engine::trace::{StepOutcome, StepTrace};
use crate::engine::{Engine, Passed};
use crate::model::{HostFacts, Limits, Name, RestartPolicy, Signal, State, StopTimeout};
use crate::scenario::replay::Stage;
use crate::scenario::{
    Action, AskedSignal, Awaited, Crash, Exec, Kill, Place, Remove, Rename, Scenario, Step, Stop, Text,
    Update, WaitFor,
};

/// Where a life is to be lived: that decides what may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Venue {
    /// Anything at any time: the virtual clock knows no race.
    Simulator,
    /// What a kernel can be predicted to do, in a second or two.
    Kernel,
    /// The same for a Docker Engine.
    Docker,
}

/// A life and what came of it in the simulator.
#[derive(Clone, Debug)]
pub struct Lived {
    /// What happened.
    pub scenario: Scenario,
    /// Which rules it broke.
    pub broken: Vec<Violation>,
    /// What occurred in it.
    pub tally: Tally,
}

/// The life of this number, which is the same wherever it is asked for.
pub fn life(seed: u64, number: u64, venue: Venue) -> Scenario {
    lived(seed, number, venue, None, None).scenario
}

/// The same, lived in the simulator, perhaps with a bug in it, under the eyes of all rules or only one.
pub fn lived(seed: u64, number: u64, venue: Venue, bug: Option<Break>, only: Option<&'static Rule>) -> Lived {
    let mut chance = Chance::nth(seed, number);
    let title = Text::Plain(format!("Life {number} of seed {seed}"));
    let containers = cast::cast(&mut chance, venue);
    let scenario = Scenario { title, containers, planted: bug, ..Scenario::default() };
    let stage = Stage::exact(Watched::new(HostFacts::ASSUMED, bug, only), &scenario);
    let author = Author { chance, venue, scenario, stage, renamed: 0 };
    author.write()
}

/// Thinks out a life while it is being lived.
struct Author {
    chance: Chance,
    venue: Venue,
    scenario: Scenario,
    stage: Stage<Watched>,
    renamed: u32,
}

/// How long it may take until a container has come to rest by itself.
const AT_REST: Duration = Duration::from_secs(5);
/// How much later than predicted something may happen by itself.
const LATE: Duration = Duration::from_secs(2);

impl Venue {
    /// What is to go on beside something else has to take at least this long, lest it be over before that is asked for.
    const fn long(self) -> Duration {
        match self {
            Self::Simulator => Duration::ZERO,
            Self::Kernel => Duration::from_millis(600),
            Self::Docker => Duration::from_millis(1800),
        }
    }
}

impl Author {
    fn write(mut self) -> Lived {
        let length = match self.venue {
            Venue::Simulator => 3 + self.chance.below(9),
            Venue::Kernel | Venue::Docker => 3 + self.chance.below(4),
        };
        let first = self.cast_name();
        self.play(Action::Run(vec![first]));
        for _ in 1..length {
            let action = self.think();
            match self.begun_beside(&action) {
                Some(name) => self.play_beside(action, &name),
                None => self.play(action),
            }
        }
        // A clock that jumps has no interruptions.
        let _ = self.stage.clear();
        self.stage.engine_mut().rest();
        let watched = self.stage.engine();
        Lived { broken: watched.broken().to_vec(), tally: watched.tally().clone(), scenario: self.scenario }
    }

    /// Plays a step and writes down how it went.
    fn play(&mut self, action: Action) {
        self.put(action);
        if self.venue != Venue::Simulator {
            self.come_to_rest();
        }
    }

    fn put(&mut self, action: Action) {
        let mut step = step(action);
        let index = self.scenario.steps.len() + 1;
        let parts = self.stage.play(index, &step).unwrap_or_default();
        step.refused = refusal(&parts);
        self.scenario.steps.push(step);
    }

    /// Begins something that takes a while, asks for something else meanwhile, and joins it.
    fn play_beside(&mut self, action: Action, name: &Name) {
        self.put(Action::Async(Box::new(action)));
        for _ in 0..=self.chance.below(2) {
            let beside = self.beside(name);
            self.put(beside);
        }
        self.play(Action::Join(vec![name.clone()]));
    }

    /// Whether this is to go on beside other things: only what lasts.
    fn begun_beside(&mut self, action: &Action) -> Option<Name> {
        let (Action::Stop(stop) | Action::Restart(stop)) = action else { return None };
        let name = stop.containers.first()?.clone();
        if !self.chance.percent(40) {
            return None;
        }
        if self.venue == Venue::Simulator {
            return Some(name);
        }
        let mut ahead = self.stage.clone();
        let parts = ahead.play(0, &step(action.clone())).ok()?;
        parts.last()?.took.filter(|took| *took >= self.venue.long()).map(|_| name)
    }

    /// Something to do to a container that is being stopped.
    fn beside(&mut self, name: &Name) -> Action {
        let names = vec![name.clone()];
        match self.chance.below(7) {
            0 => Action::Pause(names),
            1 => Action::Unpause(names),
            2 => Action::Start(names),
            3 => Action::Stop(Stop { containers: names, timeout: None, signal: None }),
            4 => Action::Remove(Remove { containers: names, force: self.chance.percent(30) }),
            5 => Action::Kill(Kill { containers: names, signal: Some(AskedSignal::Known(Signal::TERM)) }),
            _ => Action::Kill(Kill { containers: names, signal: None }),
        }
    }

    /// If something is about to happen by itself, waits for it.
    fn come_to_rest(&mut self) {
        for name in self.stage.engine().names() {
            let mut ahead = self.stage.clone();
            let engine = ahead.engine_mut();
            let so_far = engine.happened().len();
            let deadline = engine.now() + AT_REST;
            while engine.advance(deadline) == Ok(Passed::Something) {}
            if engine.happened().len() == so_far {
                continue;
            }
            let rests_after = engine.happened().last().map_or(engine.now(), |last| last.at);
            let state = engine.status(&name).state;
            if state == self.stage.engine().status(&name).state {
                // It ends and is started again: nothing shows that this is over.
                let wait = rests_after.saturating_sub(self.stage.engine().now()) + LATE;
                self.put(Action::Wait(wait));
                continue;
            }
            let awaited = Awaited { container: name, state };
            self.put(Action::WaitFor(WaitFor { awaited, within: Duration::from_secs(30) }));
        }
    }

    fn think(&mut self) -> Action {
        if self.venue == Venue::Simulator && self.chance.percent(16) {
            return match self.chance.below(12) {
                0 => Action::Reboot,
                _ => Action::Wait(self.chance.millis(&[50, 100, 250, 1000, 2500, 12_000, 70_000])),
            };
        }
        let name = self.someone();
        match self.stage.engine().status(&name).state {
            State::Absent => self.beginning(name),
            State::Created | State::Stopped | State::Dead | State::Removing | State::Creating => {
                self.at_rest(name)
            }
            State::Running | State::Stopping => self.alive(name),
            State::Paused => self.frozen(name),
            State::Restarting => self.in_back_off(name),
        }
    }

    fn cast_name(&mut self) -> Name {
        let names: Vec<&Name> = self.scenario.containers.keys().collect();
        self.chance.pick(&names).clone()
    }

    fn someone(&mut self) -> Name {
        let there = self.stage.engine().names();
        let there: Vec<&Name> = there.iter().collect();
        if there.is_empty() || self.chance.percent(25) {
            self.cast_name()
        } else {
            self.chance.pick(&there).clone()
        }
    }

    fn beginning(&mut self, name: Name) -> Action {
        match self.chance.below(10) {
            0 => Action::Stop(Stop { containers: vec![name], timeout: None, signal: None }),
            1 => Action::Start(vec![name]),
            2 | 3 => Action::Create(vec![name]),
            _ => Action::Run(vec![name]),
        }
    }

    fn at_rest(&mut self, name: Name) -> Action {
        match self.chance.below(20) {
            0..=8 => Action::Start(vec![name]),
            9 => Action::Pause(vec![name]),
            10 => Action::Kill(Kill { containers: vec![name], signal: None }),
            11 | 12 => self.stop(name, Action::Restart),
            13..=15 => Action::Remove(Remove { containers: vec![name], force: self.chance.percent(20) }),
            16 => self.update(name),
            17 => self.rename(name),
            18 => self.stop(name, Action::Stop),
            _ => Action::Unpause(vec![name]),
        }
    }

    fn alive(&mut self, name: Name) -> Action {
        match self.chance.below(24) {
            0..=5 => self.stop(name, Action::Stop),
            6 | 7 => self.stop(name, Action::Restart),
            8..=11 => Action::Pause(vec![name]),
            12 | 13 => self.kill(name),
            14 | 15 => self.crash(name),
            16 | 17 => Action::Exec(Exec {
                containers: vec![name],
                command: self
                    .chance
                    .pick(&[&["exit", "7"][..], &["true"], &["nosuch"]])
                    .iter()
                    .map(|word| (*word).into())
                    .collect(),
            }),
            18 => self.update(name),
            19 => self.rename(name),
            20 => Action::Remove(Remove { containers: vec![name], force: true }),
            21 => Action::Remove(Remove { containers: vec![name], force: false }),
            22 => Action::Start(vec![name]),
            _ => Action::Unpause(vec![name]),
        }
    }

    fn frozen(&mut self, name: Name) -> Action {
        match self.chance.below(16) {
            0..=4 => Action::Unpause(vec![name]),
            5..=7 => self.stop(name, Action::Stop),
            8 => self.stop(name, Action::Restart),
            9 | 10 => self.kill(name),
            11 => Action::Start(vec![name]),
            12 => Action::Pause(vec![name]),
            13 => Action::Remove(Remove { containers: vec![name], force: self.chance.percent(60) }),
            14 => Action::Exec(Exec { containers: vec![name], command: vec!["true".into()] }),
            _ => self.rename(name),
        }
    }

    fn in_back_off(&mut self, name: Name) -> Action {
        match self.chance.below(10) {
            0 | 1 => self.stop(name, Action::Stop),
            2 => self.stop(name, Action::Restart),
            3 => self.kill(name),
            4 => Action::Start(vec![name]),
            5 => Action::Pause(vec![name]),
            6 => Action::Remove(Remove { containers: vec![name], force: true }),
            7 => self.update(name),
            _ => Action::Wait(self.chance.millis(&[100, 1000, 5000])),
        }
    }

    fn stop(&mut self, name: Name, action: fn(Stop) -> Action) -> Action {
        let timeout = match self.venue {
            Venue::Simulator if self.chance.percent(30) => {
                Some(StopTimeout::After(self.chance.millis(&[0, 200, 2000])))
            }
            Venue::Kernel if self.chance.percent(20) => Some(StopTimeout::After(Duration::from_millis(800))),
            _ => None,
        };
        action(Stop { containers: vec![name], timeout, signal: None })
    }

    fn kill(&mut self, name: Name) -> Action {
        let signal = match self.chance.below(6) {
            0 | 1 => None,
            2 | 3 => Some(AskedSignal::Known(Signal::TERM)),
            4 => Signal::from_number(10).map(AskedSignal::Known),
            _ => Signal::from_number(2).map(AskedSignal::Known),
        };
        Action::Kill(Kill { containers: vec![name], signal })
    }

    fn crash(&mut self, name: Name) -> Action {
        let signal = if self.chance.percent(70) { Signal::KILL } else { Signal::TERM };
        Action::Crash(Crash::Process { containers: vec![name], signal })
    }

    fn update(&mut self, name: Name) -> Action {
        let restart =
            self.chance.pick(&[RestartPolicy::No, RestartPolicy::UnlessStopped, RestartPolicy::Always]);
        let auto_remove = self.stage.engine().host().spec(&name).is_none_or(|spec| spec.auto_remove);
        // On a real engine nothing that ends by itself gets a policy under which it would never come to rest.
        let restart =
            if self.venue == Venue::Simulator && !auto_remove { restart } else { RestartPolicy::No };
        let limits = Limits::default();
        Action::Update(Update {
            containers: vec![name],
            restart: Some(restart),
            memory: limits.memory,
            cpus: limits.cpus,
            pids: limits.pids,
        })
    }

    fn rename(&mut self, container: Name) -> Action {
        self.renamed += 1;
        let to = Name::new(format!("d{}", self.renamed)).expect("a letter begins it");
        Action::Rename(Rename { container, to })
    }
}

fn step(action: Action) -> Step {
    Step { action, say: None, ask: None, expect: None, refused: None, place: Place::default() }
}

/// Words that a refusal has on every engine.
const KEY_WORDS: [&str; 14] = [
    "nosuch",
    "not running",
    "already paused",
    "not paused",
    "paused",
    "restarting",
    "already in use",
    "port is already allocated",
    "no such container",
    "already in progress",
    "marked for removal",
    "it is running",
    "no such command",
    "contradict each other",
];

/// What a step has to say of its refusal, if it was refused.
fn refusal(parts: &[StepTrace]) -> Option<String> {
    let refused = |part: &&StepTrace| matches!(part.outcome, StepOutcome::Refused | StepOutcome::Failed);
    let message = parts.iter().rev().find(refused)?.message.clone().unwrap_or_default();
    Some(key_words(&message))
}

/// The words of a refusal that are the same on every engine; all of it, if there are none.
pub(super) fn key_words(message: &str) -> String {
    let known = KEY_WORDS.iter().find(|word| message.contains(*word));
    known.map_or_else(|| message.to_owned(), |word| (*word).to_owned())
}
