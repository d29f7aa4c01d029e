//! What a journal comes to: the inputs, given to the model once more.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::Moment;
use super::probes::Probes;
use super::record::{Input, Opening};
use crate::model::{
    Action, Answer, Command, ContainerSpec, Effect, Effects, Event, EventKind, Host, Id, Name, Observation,
    Outcome, State, Status, Ticket, Timer, Transition, Verb, Within,
};

/// A container as its journal tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// How it began.
    pub opening: Opening,
    /// When that was.
    pub opened: Moment,
    /// When the last record was written.
    pub latest: Moment,
    /// The model.
    pub host: Host,
    /// Its name; the last one, if it is gone.
    pub name: Option<Name>,
    /// What was asked for, with all updates since.
    pub spec: Option<Box<ContainerSpec>>,
    /// When its last run began.
    pub started: Option<Moment>,
    /// When its last run ended.
    pub finished: Option<Moment>,
    /// What there is to tell, the latest at the end.
    pub tale: Vec<Tale>,
    /// How much of it was forgotten when the journal was compacted.
    pub forgotten: u64,
    /// How often it was asked for something.
    pub asked: u64,
    /// What its health check has found in its last run.
    #[serde(default)]
    pub probes: Probes,
    /// Timers that run: when they were armed, and for how long.
    pub timers: BTreeMap<Timer, (Moment, Duration)>,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tale {
    /// When it was.
    pub at: Moment,
    /// What it was.
    pub told: Told,
}

/// What there can be to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Told {
    /// Somebody asked for something.
    Asked(Ticket, Verb),
    /// That was answered.
    Answered(Ticket, Said),
    /// A transition.
    Moved(Transition),
    /// An event.
    Emitted(Event),
    /// PID 1 ended, with this code.
    Ended(i32),
    /// The keeper was killed.
    KeeperLost,
    /// The host went down and came up again.
    Woke,
}

/// An answer, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// It was done.
    Done,
    /// What was waited for had ended with this code.
    Exited(i32),
    /// There was nothing to do.
    Noop,
    /// It was refused.
    Refused(String),
    /// It went wrong.
    Failed(String),
}

/// The container's number in the model of its own keeper.
pub(super) const ITSELF: Id = Id(0);
/// How much is kept of the tale when a journal is compacted.
const REMEMBERED: usize = 256;

impl Account {
    /// Of a journal that has only been opened.
    pub(super) fn begin(opening: Opening, at: Moment) -> Self {
        let host = Host::new(opening.facts);
        Self {
            opening,
            opened: at,
            latest: at,
            host,
            name: None,
            spec: None,
            started: None,
            finished: None,
            tale: Vec::new(),
            forgotten: 0,
            asked: 0,
            probes: Probes::default(),
            timers: BTreeMap::new(),
        }
    }

    /// How it is.
    pub fn status(&self) -> Status {
        self.name.as_ref().map_or(Status::ABSENT, |name| self.host.status(name))
    }

    /// Whether it never came to be, or is no more.
    pub fn is_gone(&self) -> bool {
        self.host.names().next().is_none()
    }

    /// Whether it ever came to be.
    pub fn was_created(&self) -> bool {
        let created =
            |tale: &Tale| matches!(&tale.told, Told::Emitted(event) if event.kind == EventKind::Create);
        self.forgotten > 0 || self.tale.iter().any(created)
    }

    /// What is left of each timer that runs, `now`; nothing of one that was armed in an earlier life of the host.
    pub fn timers_left(&self, now: &Moment) -> impl Iterator<Item = (Timer, Duration)> {
        self.timers.iter().map(move |(timer, (armed, length))| {
            (*timer, now.since(armed).map_or(Duration::ZERO, |gone| length.saturating_sub(gone)))
        })
    }

    /// Goes one record further.
    pub(super) fn take_in(&mut self, at: Moment, input: Input) {
        self.latest = at;
        let effects = match input {
            Input::Opened(_) => return,
            Input::Compacted(account) => {
                *self = *account;
                return;
            }
            Input::Asked(ticket, command) => self.asked_for(at, ticket, command),
            Input::Seen(seen) => {
                if let Observation::Ended(ending) = &seen {
                    self.tell(at, Told::Ended(ending.code));
                }
                match &seen {
                    Observation::Fired(timer) => {
                        self.timers.remove(timer);
                        if *timer == Timer::HealthTimeout {
                            self.probes.end(at, Answer::Bad);
                        }
                    }
                    Observation::Within(Within::Probed(answer)) => self.probes.end(at, *answer),
                    _ => {}
                }
                self.host.observe(ITSELF, seen)
            }
            Input::KeeperLost => {
                self.tell(at, Told::KeeperLost);
                self.timers.retain(|timer, _| *timer == Timer::BackOff);
                self.host.keeper_lost()
            }
            Input::Woke => {
                self.tell(at, Told::Woke);
                self.timers.clear();
                self.host.wake()
            }
        };
        self.watch(at, effects);
        if let Some(name) = self.host.names().next() {
            self.spec = self.host.spec(name).cloned().map(Box::new);
            self.name = Some(name.clone());
        }
    }

    fn asked_for(&mut self, at: Moment, ticket: Ticket, command: Command) -> Effects {
        self.asked = self.asked.max(ticket.0.saturating_add(1));
        if let Verb::Create(spec) = &command.verb {
            self.name = Some(command.container.clone());
            self.spec = Some(spec.clone());
        }
        let outcome = self.host.command(ticket, &command);
        // Looking changes nothing and is nothing to tell.
        if !matches!(command.verb, Verb::Look(_) | Verb::Wait) {
            self.tell(at, Told::Asked(ticket, command.verb));
        }
        outcome.unwrap_or_else(|refusal| {
            self.tell(at, Told::Answered(ticket, Said::Refused(refusal.to_string())));
            Effects::default()
        })
    }

    fn watch(&mut self, at: Moment, effects: Effects) {
        for effect in effects.0 {
            match effect {
                Effect::Act(_, Action::Arm(timer, length)) => {
                    self.timers.insert(timer, (at, length));
                }
                Effect::Act(_, Action::Cancel(timer)) => {
                    self.timers.remove(&timer);
                }
                Effect::Act(_, Action::Probe) => {
                    self.probes.begin(at, self.timers.contains_key(&Timer::StartPeriod));
                }
                Effect::Act(..) => {}
                Effect::Moved(moved) => {
                    if moved.to == State::Running && moved.from != State::Paused {
                        self.started = Some(at);
                        self.probes = Probes::default();
                    }
                    self.tell(at, Told::Moved(moved));
                }
                Effect::Emitted(event) => {
                    if let EventKind::Die(_) = event.kind {
                        self.finished = Some(at);
                    }
                    self.tell(at, Told::Emitted(event));
                }
                Effect::Reply(ticket, outcome) => self.tell(at, Told::Answered(ticket, Said::of(&outcome))),
            }
        }
    }

    fn tell(&mut self, at: Moment, told: Told) {
        self.tale.push(Tale { at, told });
    }

    /// Forgets what a compacted journal need not tell any more.
    pub(super) fn abridge(&mut self) {
        let too_much = self.tale.len().saturating_sub(REMEMBERED);
        self.tale.drain(..too_much);
        self.forgotten = self.forgotten.saturating_add(too_much as u64);
    }
}

impl Said {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Exited(code) => Self::Exited(*code),
            Outcome::Noop => Self::Noop,
            Outcome::Refused(refusal) => Self::Refused(refusal.to_string()),
            Outcome::Failed(failure) => Self::Failed(failure.message.clone()),
        }
    }
}
