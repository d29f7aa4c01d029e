//! Paused: every process stands still, and keeps what it holds.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::run::Run;
use super::super::{
    Action, Ending, Observation, Outcome, Reason, Refusal, Removal, Rule, Signal, State, Ticket,
};
use super::change::Change;
use super::restarting::after_death;
use super::stopping::{Stopping, Then};
use super::{Killing, Life, Removing, Thawing};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Paused {
    run: Run,
}

impl Paused {
    pub(super) fn rest(run: Run) -> Life {
        Life::Paused(Self { run })
    }

    pub(super) fn change(
        &self,
        cx: &mut Cx<'_>,
        ticket: Ticket,
        change: Change<'_>,
    ) -> Result<Life, Refusal> {
        match change {
            Change::Unpause => {
                cx.act(Action::Thaw);
                Ok(Thawing::begin(ticket, self.run.clone(), Rule::UnpauseThaw))
            }
            Change::Stop(how) => Ok(Stopping::frozen(cx, ticket, how, Then::StayStopped, self.run.clone())),
            Change::Restart(how) => Ok(Stopping::frozen(cx, ticket, how, Then::StartAgain, self.run.clone())),
            Change::Kill { signal } => Ok(self.kill(cx, ticket, signal)),
            Change::Remove(Removal::Forced) => {
                Ok(Removing::with_process(cx, ticket, State::Paused, self.run.clone()))
            }
            Change::Remove(Removal::Gentle) | Change::Start | Change::Exec(_) => {
                Err(cx.refuse(Reason::Paused))
            }
            Change::Pause => Err(cx.refuse(Reason::AlreadyPaused)),
        }
    }

    /// A signal by hand wakes it, so that the signal can act; with a stop signal configured only that one does.
    fn kill(&self, cx: &mut Cx<'_>, ticket: Ticket, signal: Signal) -> Life {
        let run = self.run.clone().signalled(cx, signal);
        if signal == Signal::KILL {
            return Killing::begin(cx, ticket, State::Paused, run);
        }
        cx.kill(signal);
        if cx.record.means_the_end(signal) {
            cx.act(Action::Thaw);
            return Thawing::begin(ticket, run, Rule::KillThaws);
        }
        cx.reply(ticket, Outcome::Done);
        Self::rest(run)
    }

    pub(super) fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    pub(super) fn tickets(&self) -> Vec<Ticket> {
        self.run.tickets()
    }

    pub(super) fn observe(self, cx: &mut Cx<'_>, seen: Observation) -> Life {
        match seen {
            Observation::Ended(ending) => self.ended(cx, ending),
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
            | Observation::Thawed
            | Observation::ThawFailed(_)
            | Observation::Removed
            | Observation::RemoveFailed(_) => Life::Paused(self),
        }
    }

    fn ended(self, cx: &mut Cx<'_>, ending: Ending) -> Life {
        after_death(cx, self.run, ending, State::Paused, Rule::ExitCode)
    }
}
