//! Running: waits for its process to end, or for somebody to want something of it.

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
use super::{Freezing, Killing, Life, Removing};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Running {
    run: Run,
}

impl Running {
    pub(super) fn go_on(run: Run) -> Life {
        Life::Running(Self { run })
    }

    pub(super) fn change(
        &self,
        cx: &mut Cx<'_>,
        ticket: Ticket,
        change: Change<'_>,
    ) -> Result<Life, Refusal> {
        match change {
            Change::Start => {
                cx.reply(ticket, Outcome::Noop);
                Ok(Life::Running(self.clone()))
            }
            Change::Pause => {
                cx.act(Action::Freeze);
                Ok(Freezing::begin(ticket, self.run.clone()))
            }
            Change::Exec(spec) => Ok(Self::go_on(self.run.clone().exec(cx, ticket, spec))),
            Change::Stop(how) => Ok(Stopping::begin(cx, ticket, how, Then::StayStopped, self.run.clone())),
            Change::Restart(how) => Ok(Stopping::begin(cx, ticket, how, Then::StartAgain, self.run.clone())),
            Change::Kill { signal } => Ok(self.kill(cx, ticket, signal)),
            Change::Remove(Removal::Forced) => {
                Ok(Removing::with_process(cx, ticket, State::Running, self.run.clone()))
            }
            Change::Remove(Removal::Gentle) => Err(cx.refuse(Reason::Running)),
            Change::Unpause => Err(cx.refuse(Reason::NotPaused)),
        }
    }

    /// SIGKILL is answered by the death; every other signal as soon as it is sent, whatever comes of it.
    fn kill(&self, cx: &mut Cx<'_>, ticket: Ticket, signal: Signal) -> Life {
        let run = self.run.clone().signalled(cx, signal);
        if signal == Signal::KILL {
            return Killing::begin(cx, ticket, State::Running, run);
        }
        cx.kill(signal);
        cx.reply(ticket, Outcome::Done);
        Self::go_on(run)
    }

    pub(super) fn run(&self) -> &Run {
        &self.run
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
            | Observation::RemoveFailed(_) => Life::Running(self),
        }
    }

    fn ended(self, cx: &mut Cx<'_>, ending: Ending) -> Life {
        after_death(cx, self.run, ending, State::Running, Rule::ExitCode)
    }
}
