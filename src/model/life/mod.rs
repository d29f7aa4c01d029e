//! The boxes of the diagram, one file each; within a file one match arm per arrow.
//!
//! A type is named for what it waits for. Four of them lie on an arrow rather than in a box (`Starting`, `Freezing`, `Thawing`,
//! `Killing`): to people they look like the state they left, and commands wait until they have settled.

#![expect(
    clippy::needless_pass_by_value,
    reason = "every state takes an observation in, whatever it makes of it"
)]

mod change;
mod created;
mod creating;
mod dead;
mod freezing;
mod killing;
mod paused;
mod removing;
mod restarting;
mod running;
mod starting;
mod stopped;
mod stopping;
mod thawing;
mod wake;

use serde::{Deserialize, Serialize};

pub(super) use created::Created;
pub(super) use creating::Creating;
pub(super) use dead::Dead;
pub(super) use freezing::Freezing;
pub(super) use killing::Killing;
pub(super) use paused::Paused;
pub(super) use removing::Removing;
pub(super) use restarting::Restarting;
pub(super) use running::Running;
pub(super) use starting::Starting;
pub(super) use stopped::Stopped;
pub(super) use stopping::Stopping;
pub(super) use thawing::Thawing;
pub(super) use wake::{host_went_down, keeper_lost};

use super::container::Cx;
use super::run::{Handled, Run};
use super::{Observation, State};

/// The exit code of a start that failed for none of the reasons that have a code of their own.
pub(super) const UNKNOWN_FAILURE: i32 = 128;

/// Where a container is, and what only matters there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Life {
    Creating(Creating),
    Created(Created),
    Starting(Starting),
    Running(Running),
    Freezing(Freezing),
    Paused(Paused),
    Thawing(Thawing),
    Killing(Killing),
    Stopping(Stopping),
    Restarting(Restarting),
    Stopped(Stopped),
    Removing(Removing),
    Dead(Dead),
    /// It is no more: the host forgets it, and its name is free.
    Gone,
}

impl Life {
    /// The state that people see.
    pub(super) fn state(&self) -> State {
        match self {
            Self::Creating(creating) => creating.looks_like(),
            Self::Created(_) => State::Created,
            Self::Starting(starting) => starting.looks_like(),
            Self::Running(_) | Self::Freezing(_) => State::Running,
            Self::Paused(_) | Self::Thawing(_) => State::Paused,
            Self::Killing(killing) => killing.looks_like(),
            Self::Stopping(_) => State::Stopping,
            Self::Restarting(_) => State::Restarting,
            Self::Stopped(_) => State::Stopped,
            Self::Removing(_) => State::Removing,
            Self::Dead(_) => State::Dead,
            Self::Gone => State::Absent,
        }
    }

    /// Takes in what has happened.
    pub(super) fn observe(mut self, cx: &mut Cx<'_>, seen: Observation) -> Self {
        if self.run_mut().is_some_and(|run| run.observe(cx, &seen) == Handled::Yes) {
            return self;
        }
        match self {
            Self::Creating(creating) => creating.observe(cx, seen),
            Self::Created(created) => created.observe(cx, seen),
            Self::Starting(starting) => starting.observe(cx, seen),
            Self::Running(running) => running.observe(cx, seen),
            Self::Freezing(freezing) => freezing.observe(cx, seen),
            Self::Paused(paused) => paused.observe(cx, seen),
            Self::Thawing(thawing) => thawing.observe(cx, seen),
            Self::Killing(killing) => killing.observe(cx, seen),
            Self::Stopping(stopping) => stopping.observe(cx, seen),
            Self::Restarting(restarting) => restarting.observe(cx, seen),
            Self::Stopped(stopped) => stopped.observe(seen),
            Self::Removing(removing) => removing.observe(cx, seen),
            Self::Dead(dead) => dead.observe(seen),
            Self::Gone => Self::Gone,
        }
    }

    /// Its run, as long as it has a process.
    pub(super) fn run_mut(&mut self) -> Option<&mut Run> {
        match self {
            Self::Running(running) => Some(running.run_mut()),
            Self::Freezing(freezing) => Some(freezing.run_mut()),
            Self::Paused(paused) => Some(paused.run_mut()),
            Self::Thawing(thawing) => Some(thawing.run_mut()),
            Self::Killing(killing) => Some(killing.run_mut()),
            Self::Stopping(stopping) => Some(stopping.run_mut()),
            Self::Removing(removing) => removing.run_mut(),
            Self::Creating(_)
            | Self::Created(_)
            | Self::Starting(_)
            | Self::Restarting(_)
            | Self::Stopped(_)
            | Self::Dead(_)
            | Self::Gone => None,
        }
    }

    /// Whether commands that have waited can be taken up now.
    pub(super) fn has_settled(&self) -> bool {
        match self {
            Self::Creating(_)
            | Self::Starting(_)
            | Self::Freezing(_)
            | Self::Thawing(_)
            | Self::Killing(_)
            | Self::Gone => false,
            Self::Running(running) => !running.run().is_being_entered(),
            Self::Stopping(stopping) => !stopping.run().is_being_entered(),
            Self::Created(_)
            | Self::Paused(_)
            | Self::Restarting(_)
            | Self::Stopped(_)
            | Self::Removing(_)
            | Self::Dead(_) => true,
        }
    }
}
