//! Freezing: the arrow from running to paused; waits until every process stands still.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::run::Run;
use super::super::{Ending, EventKind, Failure, Observation, Outcome, Rule, State, Ticket};
use super::restarting::after_death;
use super::{Life, Paused, Running};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Freezing {
    asked: Ticket,
    run: Run,
}

impl Freezing {
    pub(super) fn begin(asked: Ticket, run: Run) -> Life {
        Life::Freezing(Self { asked, run })
    }

    pub(super) fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    pub(super) fn tickets(&self) -> Vec<Ticket> {
        self.run.tickets().into_iter().chain([self.asked]).collect()
    }

    pub(super) fn observe(self, cx: &mut Cx<'_>, seen: Observation) -> Life {
        match seen {
            Observation::Frozen => {
                cx.moved(State::Running, State::Paused, Rule::PauseFreeze);
                cx.emit(EventKind::Pause);
                cx.reply(self.asked, Outcome::Done);
                let mut run = self.run;
                run.suspend_health(cx);
                Paused::rest(run)
            }
            Observation::FreezeFailed(failure) => {
                cx.reply(self.asked, Outcome::Failed(failure));
                Running::go_on(self.run)
            }
            Observation::Ended(ending) => {
                cx.reply(self.asked, Outcome::Failed(died_first(ending)));
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
            | Observation::Thawed
            | Observation::ThawFailed(_)
            | Observation::Removed
            | Observation::RemoveFailed(_) => Life::Freezing(self),
        }
    }
}

fn died_first(ending: Ending) -> Failure {
    let message = alloc::format!("it is not running: it ended with {} before it was frozen", ending.code);
    Failure { code: None, message }
}
