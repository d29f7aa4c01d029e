//! A replay as data: what was asked, what happened, what it cost, and whether it was expected and predicted.

use std::collections::BTreeMap;
use std::time::Duration;
use std::{fmt, io};

use super::differences::Difference;
use crate::model::{Event, HostFacts, Name, Resources, State, Status, Transition};

pub use crate::world::images::{ShownImage, ShownLayer};

/// Takes in a replay as it happens.
pub trait Audience {
    /// It is about to begin.
    fn opening(&mut self, opening: &Opening) -> io::Result<()>;

    /// A step is about to begin.
    fn step_begins(&mut self, step: &StepOpening) -> io::Result<()>;

    /// A step is done: one call for each container of a list.
    fn step_done(&mut self, step: &StepTrace) -> io::Result<()>;

    /// It is over.
    fn closing(&mut self, closing: &Closing) -> io::Result<()>;
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Since the beginning.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// A change of state, or an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A container changed its state.
    Moved(Transition),
    /// Docker's `events` would show this.
    Emitted(Event),
}

/// What a replay is about, known before its first step.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The scenario's title.
    pub title: String,
    /// What it is about, in Markdown.
    pub about: Option<String>,
    /// The file that it comes from.
    pub file: String,
    /// Where its containers live.
    pub engine: &'static str,
    /// What that host can do; `None` for the simulator, which is the same everywhere.
    pub host: Option<HostFacts>,
    /// Whether the simulator predicts each step.
    pub prediction: Prediction,
}

/// Whether the simulator runs in lockstep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// It does, and every divergence is reported.
    Lockstep,
    /// The simulator is all there is.
    Alone,
}

/// What is known of a step before it happens.
#[derive(Clone, Debug)]
pub struct StepOpening {
    /// Its number, from 1.
    pub index: usize,
    /// The action's name.
    pub action: String,
    /// The containers that it is for, in turn.
    pub containers: Vec<Name>,
    /// What follows the container: `--timeout 2s`, `SIGUSR1`, `5s`.
    pub words: String,
    /// Narration; where there is a question, what is said once the answer can be seen.
    pub say: Option<String>,
    /// A question to think about before it happens.
    pub ask: Option<String>,
    /// What its containers' processes should have written by its end.
    pub output: Option<String>,
    /// Of what an answer can be held against what will have happened.
    pub checkable: Vec<Checkable>,
}

/// What an answer to a question may speak of, because the step's expectations do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkable {
    /// How long it takes.
    Took,
    /// Whether it is refused.
    Refusal,
    /// Which events there are.
    Events,
    /// A container's state.
    State(Name),
    /// A container's exit code.
    Exit(Name),
    /// How often a container's policy has started it again.
    Restarts(Name),
    /// How many processes a container has.
    Processes(Name),
    /// The exit code of an `exec` or the status of a `request`, which is this one if the expectations are met.
    Reply(u16),
}

/// A step (or what one container had of it), done.
#[derive(Clone, Debug)]
pub struct StepTrace {
    /// Its number, from 1.
    pub index: usize,
    /// The action's name.
    pub action: &'static str,
    /// The container, where the action is for one.
    pub container: Option<Name>,
    /// When it was asked for.
    pub at: Duration,
    /// From asking to answer.
    pub took: Option<Duration>,
    /// How it ended.
    pub outcome: StepOutcome,
    /// What was said of a refusal or failure.
    pub message: Option<String>,
    /// What happened, in its order.
    pub happened: Vec<Happening>,
    /// What each container that there was cost before and after.
    pub ledger: BTreeMap<Name, Change>,
    /// What was expected and did not come true; `None` where nothing was expected.
    pub unmet: Option<Vec<String>>,
    /// Where measurement and prediction differ.
    pub diverged: Vec<Divergence>,
    /// The image that it has made, sent or fetched.
    pub image: Option<ShownImage>,
}

/// One thing that was measured otherwise than predicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Which.
    pub what: String,
    /// Who said otherwise: the prediction, or another engine.
    pub against: Against,
    /// What that said.
    pub predicted: String,
    /// What the host showed.
    pub measured: String,
    /// Why that is so, where it is known and no mistake.
    pub explained: Option<&'static Difference>,
    /// Whether it is that a step took longer than it was to.
    pub late: bool,
}

/// What a measurement is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// What the simulator predicted.
    Prediction,
    /// What another engine did with the same scenario.
    Engine(&'static str),
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prediction => f.pad("predicted"),
            Self::Engine(name) => f.pad(&format!("on {name}")),
        }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}, measured {}", self.what, self.against, self.predicted, self.measured)?;
        self.explained.map_or(Ok(()), |difference| {
            write!(f, " ({}: {})", difference.name, difference.sentence.trim_end_matches('.'))
        })
    }
}

impl StepTrace {
    /// Where it differs, and nobody knows why.
    pub fn unexplained(&self) -> impl Iterator<Item = &Divergence> {
        self.diverged.iter().filter(|divergence| divergence.explained.is_none())
    }

    /// Where it differs, and that is known to be so.
    pub fn explained(&self) -> impl Iterator<Item = &Divergence> {
        self.diverged.iter().filter(|divergence| divergence.explained.is_some())
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// As asked.
    Done,
    /// There was nothing to do.
    Noop,
    /// Refused: nothing changed.
    Refused,
    /// It went wrong.
    Failed,
}

impl StepOutcome {
    /// The word that the JSON uses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Noop => "noop",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A container in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// How it was.
    pub status: Status,
    /// What it cost.
    pub resources: Resources,
}

/// An entry before and after a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Before.
    pub before: Entry,
    /// After.
    pub after: Entry,
}

/// How a replay ended.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    /// How many steps the scenario has.
    pub steps: usize,
    /// Steps whose expectations were met.
    pub met: usize,
    /// Steps with an expectation that was not.
    pub unmet: usize,
    /// Steps that went otherwise than predicted.
    pub diverged: usize,
    /// What the host still shows.
    pub left_behind: Vec<String>,
    /// How long it took on the engine's clock.
    pub took: Duration,
}

impl StepTrace {
    /// Its transitions, with their times.
    pub fn transitions(&self) -> impl Iterator<Item = (Duration, &Transition)> {
        self.happened.iter().filter_map(|happening| match &happening.what {
            What::Moved(transition) => Some((happening.at, transition)),
            What::Emitted(_) => None,
        })
    }

    /// Its events, with their times.
    pub fn events(&self) -> impl Iterator<Item = (Duration, &Event)> {
        self.happened.iter().filter_map(|happening| match &happening.what {
            What::Emitted(event) => Some((happening.at, event)),
            What::Moved(_) => None,
        })
    }
}

impl Closing {
    /// Whether all was as it should be.
    pub fn is_good(&self) -> bool {
        self.unmet == 0 && self.diverged == 0 && self.left_behind.is_empty()
    }
}

impl Entry {
    /// Of a container that does not exist.
    pub fn absent() -> Self {
        Self { status: Status::ABSENT, resources: Resources::zero() }
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.status.state
    }
}
