//! Thawing: the arrow from paused to running; waits until the processes go on.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::run::Run;
use super::super::{EventKind, Observation, Outcome, Rule, State, Ticket};
use super::restarting::after_death;
use super::{Life, Paused, Running};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Thawing {
    asked: Ticket,
    run: Run,
    rule: Rule,
}

impl Thawing {
    pub(super) fn begin(asked: Ticket, run: Run, rule: Rule) -> Life {
        Life::Thawing(Self { asked, run, rule })
    }

    pub(super) fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    pub(super) fn tickets(&self) -> Vec<Ticket> {
        self.run.tickets().into_iter().chain([self.asked]).collect()
    }

    pub(super) fn observe(self, cx: &mut Cx<'_>, seen: Observation) -> Life {
        match seen {
            Observation::Thawed => {
                cx.moved(State::Paused, State::Running, self.rule);
                cx.emit(EventKind::Unpause);
                cx.reply(self.asked, Outcome::Done);
                let mut run = self.run;
                run.resume_health(cx);
                Running::go_on(run)
            }
            Observation::ThawFailed(failure) => {
                cx.reply(self.asked, Outcome::Failed(failure));
                Paused::rest(self.run)
            }
            // A signal that had waited in the freezer acted at the thaw: it was thawed, if only for a moment.
            Observation::Ended(ending) => {
                cx.moved(State::Paused, State::Running, self.rule);
                cx.emit(EventKind::Unpause);
                cx.reply(self.asked, Outcome::Done);
                after_death(cx, self.run, ending, State::Running, Rule::ExitCode)
            }
            Observation::Fired(_)
            | Observation::NameGranted
            | Observation::NameDenied
            | Observation::PortsGranted(_)
            | Observation::PortsDenied(_)
            | Observation::Within(_)
            | Observation::Prepared
            | Observation::PrepareFailed(_)
            | Observation::Executed
            | Observation::ExecuteFailed(_)
            | Observation::Frozen
            | Observation::FreezeFailed(_)
            | Observation::Removed
            | Observation::RemoveFailed(_) => Life::Thawing(self),
        }
    }
}
