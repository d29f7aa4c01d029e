//! What a keeper's model is told goes into the journal first.

use tracing::warn;

use super::fault;
use crate::engine::Notes;
use crate::engine::journal::{HostClock, Input, Journal};
use crate::model::{Command, Failure, Id, Observation, Ticket, Verb};

/// A journal, and the clock on the wall beside it.
#[derive(Debug)]
pub(super) struct Notebook {
    pub(super) journal: Journal,
    pub(super) clock: HostClock,
}

impl Notebook {
    /// Writes down what has happened, whether or not that can be written.
    pub(super) fn has_happened(&mut self, input: Input) {
        fault::point();
        if let Err(error) = self.journal.write(input, &self.clock) {
            warn!(%error, "not written down");
        }
        fault::point();
    }
}

impl Notes for Notebook {
    fn asked(&mut self, ticket: Ticket, command: &Command) -> Result<(), Failure> {
        // To look changes nothing.
        if let Verb::Look(_) = command.verb {
            return Ok(());
        }
        if matches!(command.verb, Verb::Create(_) | Verb::Start | Verb::Restart { .. } | Verb::Exec(_))
            && !self.journal.has_reserve()
        {
            return Err(no_room(command));
        }
        let asked = Input::Asked(ticket, command.clone());
        // What gives room is done even if there is none to write it down.
        if matches!(command.verb, Verb::Stop { .. } | Verb::Kill { .. } | Verb::Remove(_)) {
            self.has_happened(asked);
            return Ok(());
        }
        fault::point();
        let written = self.journal.write_first(asked, &self.clock);
        fault::point();
        written.map_err(|error| Failure { code: None, message: error.to_string() })
    }

    fn seen(&mut self, _: Id, seen: &Observation) {
        self.has_happened(Input::Seen(seen.clone()));
    }
}

fn no_room(command: &Command) -> Failure {
    let message = format!(
        "cannot {} {}: the disk has no room left for its journal (free some, then ask again)",
        command.verb.word(),
        command.container
    );
    Failure { code: None, message }
}
