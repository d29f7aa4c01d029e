//! One container, as its journal tells of it, in Docker's words and fields.

mod events;
mod inspect;
mod row;
mod selection;

pub use events::{EventFilter, Happened, happened};
pub use inspect::{Surroundings, for_templates, inspect};
pub use row::{COLUMNS, Truncation, USUAL, WITH_SIZE, row};
pub use selection::Selection;

use std::time::Duration;

use super::words;
use crate::engine::journal::{Account, Moment};
use crate::model::{ContainerSpec, Health, LAB_IMAGE, NetworkMode, State, Status};

/// A container at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Portrait<'a> {
    /// Its number, all of it.
    pub id: &'a str,
    /// What its journal comes to.
    pub account: &'a Account,
    /// How it is.
    pub status: &'a Status,
    /// What was asked for.
    pub spec: &'a ContainerSpec,
    /// When it is looked at.
    pub now: &'a Moment,
}

/// How many digits of an id people are shown.
const SHORT: usize = 12;

impl Portrait<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        self.account.name.as_ref().map_or("", |name| name.as_str())
    }

    /// Its number, as far as people are shown it.
    pub fn short_id(&self) -> &str {
        self.id.get(..SHORT).unwrap_or(self.id)
    }

    /// Whether Docker calls it running: it has a process, or will have one again by itself.
    pub fn is_running(&self) -> bool {
        self.status.state.has_process() || self.status.state == State::Restarting
    }

    /// `Up 3 minutes (Paused)`, `Exited (137) 5 seconds ago`.
    pub fn status_words(&self) -> String {
        let up = || {
            self.account
                .started
                .map_or_else(|| words::span(Duration::ZERO), |at| words::span(self.since(&at)))
        };
        let ago = || {
            self.account
                .finished
                .map_or_else(|| words::span(Duration::ZERO), |at| words::span(self.since(&at)))
        };
        let code = self.status.exit.unwrap_or(0);
        match self.status.state {
            State::Paused => format!("Up {} (Paused)", up()),
            State::Running | State::Stopping => match self.status.health {
                Some(Health::Starting) => format!("Up {} (health: starting)", up()),
                Some(health) => format!("Up {} ({})", up(), health.word()),
                None => format!("Up {}", up()),
            },
            State::Restarting => format!("Restarting ({code}) {} ago", ago()),
            State::Removing => "Removal In Progress".into(),
            State::Dead => "Dead".into(),
            State::Stopped => format!("Exited ({code}) {} ago", ago()),
            State::Absent | State::Creating | State::Created => "Created".into(),
        }
    }

    /// How long ago something was. Over a reboot only the clock on the wall can tell.
    pub fn since(&self, at: &Moment) -> Duration {
        self.now.since(at).unwrap_or_else(|| self.now.wall.duration_since(at.wall).unwrap_or_default())
    }

    /// The program and its arguments; the lab image's own, if none were asked for.
    pub fn command(&self) -> Vec<String> {
        let given = [&self.spec.entrypoint, &self.spec.command].into_iter().flatten().flatten();
        let given: Vec<String> = given.cloned().collect();
        if given.is_empty() && self.spec.image == LAB_IMAGE { vec![LAB_IMAGE.into()] } else { given }
    }

    /// The network that it is in.
    pub fn network(&self) -> String {
        match &self.spec.network {
            NetworkMode::Bridge => "bridge".into(),
            NetworkMode::None => "none".into(),
            NetworkMode::Host => "host".into(),
            NetworkMode::Container(name) => format!("container:{name}"),
        }
    }
}
