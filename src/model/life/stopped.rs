//! Stopped: the process has ended; its writable layer, its name and its exit code are left.

use alloc::vec;

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::{Observation, Outcome, Reason, Refusal, State, Ticket};
use super::change::Change;
use super::starting::{Announce, Starting};
use super::{Life, Removing};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Stopped;

impl Stopped {
    pub(super) fn rest() -> Life {
        Life::Stopped(Self)
    }

    #[expect(clippy::unused_self, reason = "a state answers commands, even when it has nothing to remember")]
    pub(super) fn change(
        &self,
        cx: &mut Cx<'_>,
        ticket: Ticket,
        change: Change<'_>,
    ) -> Result<Life, Refusal> {
        match change {
            Change::Start => Ok(Self::start(cx, ticket, Announce::Start)),
            Change::Restart(_) => Ok(Self::start(cx, ticket, Announce::Restart)),
            Change::Stop(_) => {
                cx.reply(ticket, Outcome::Noop);
                Ok(Self::rest())
            }
            Change::Remove(_) => Ok(Removing::without_process(cx, ticket, State::Stopped)),
            Change::Pause | Change::Kill { .. } | Change::Exec(_) => Err(cx.refuse(Reason::NotRunning)),
            Change::Unpause => Err(cx.refuse(Reason::NotPaused)),
        }
    }

    fn start(cx: &mut Cx<'_>, ticket: Ticket, announce: Announce) -> Life {
        cx.record.forget_restarts();
        Starting::anew(cx, vec![ticket], announce, State::Stopped)
    }

    pub(super) fn observe(self, seen: Observation) -> Life {
        match seen {
            Observation::NameGranted
            | Observation::NameDenied
            | Observation::PortsGranted(_)
            | Observation::PortsDenied(_)
            | Observation::Within(_)
            | Observation::Prepared
            | Observation::PrepareFailed(_)
            | Observation::Executed
            | Observation::ExecuteFailed(_)
            | Observation::Ended(_)
            | Observation::Frozen
            | Observation::FreezeFailed(_)
            | Observation::Thawed
            | Observation::ThawFailed(_)
            | Observation::Fired(_)
            | Observation::Removed
            | Observation::RemoveFailed(_) => Life::Stopped(self),
        }
    }
}
