//! What has to occur somewhere among all lives, so that a model that does nothing does not pass for a safe one.

use std::collections::BTreeSet;

use super::{Kind, Rule};
use crate::check::moment::Moment;
use crate::model::{Rule as Arrow, State};

pub(super) const RULES: [Rule; 3] = [
    Rule {
        name: "every-state-is-reached",
        sentence: "Among all lives, every state occurs.",
        why: "A model that does nothing breaks no rule, and is of no use.",
        source: "terrarium: src/model/state.rs",
        kind: Kind::Sometimes(every_state),
    },
    Rule {
        name: "every-arrow-is-taken",
        sentence: "Among all lives, every rule of the model that can move a container does.",
        why: "An arrow that nobody can take is either dead or missing its condition.",
        source: "terrarium: src/model/rule.rs",
        kind: Kind::Sometimes(every_arrow),
    },
    Rule {
        name: "every-event-is-told",
        sentence: "Among all lives, every kind of event occurs.",
        why: "An event that is never told is waited for in vain.",
        source: "measured on Docker Engine 20.10",
        kind: Kind::Sometimes(every_event),
    },
];

/// What Docker's events can tell of a life.
const EVENTS: [&str; 16] = [
    "create",
    "start",
    "pause",
    "unpause",
    "kill",
    "oom",
    "die",
    "stop",
    "restart",
    "destroy",
    "rename",
    "update",
    "exec_create",
    "exec_start",
    "exec_die",
    "health_status",
];

/// They say what does not move: what cannot be frozen or thawed, and the wait before a start.
const UNMOVED: [Arrow; 3] = [Arrow::PauseFailed, Arrow::UnpauseFailed, Arrow::RestartBackOff];

/// What has occurred among all lives so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    states: BTreeSet<State>,
    arrows: BTreeSet<Arrow>,
    events: BTreeSet<&'static str>,
}

impl Tally {
    /// Counts a moment in.
    pub fn count(&mut self, moment: &Moment<'_>) {
        self.states.insert(moment.after.state);
        for moved in moment.moves() {
            self.arrows.insert(moved.rule);
            self.states.extend([moved.from, moved.to]);
        }
        self.events.extend(moment.events().map(crate::model::EventKind::action));
    }

    /// Counts in what another has counted.
    pub fn add(&mut self, other: &Self) {
        self.states.extend(&other.states);
        self.arrows.extend(&other.arrows);
        self.events.extend(&other.events);
    }
}

fn every_state(tally: &Tally) -> Option<String> {
    never("no life was ever", State::ALL.iter().filter(|state| !tally.states.contains(state)))
}

fn every_arrow(tally: &Tally) -> Option<String> {
    let moving = Arrow::ALL.iter().filter(|arrow| !UNMOVED.contains(arrow));
    never("no life ever followed", moving.filter(|arrow| !tally.arrows.contains(arrow)))
}

fn every_event(tally: &Tally) -> Option<String> {
    never("no life was ever told of", EVENTS.iter().filter(|event| !tally.events.contains(*event)))
}

fn never<T: ToString>(what: &str, missing: impl Iterator<Item = T>) -> Option<String> {
    let missing: Vec<String> = missing.map(|thing| thing.to_string()).collect();
    (!missing.is_empty()).then(|| format!("{what} {}", missing.join(", ")))
}
