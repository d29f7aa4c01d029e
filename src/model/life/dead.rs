//! Dead: taking it apart failed half-way, and can only be tried again.

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::{Observation, Outcome, Reason, Refusal, State, Ticket};
use super::change::Change;
use super::{Life, Removing};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Dead;

impl Dead {
    pub(super) fn rest() -> Life {
        Life::Dead(Self)
    }

    #[expect(clippy::unused_self, reason = "a state answers commands, even when it has nothing to remember")]
    pub(super) fn change(
        &self,
        cx: &mut Cx<'_>,
        ticket: Ticket,
        change: Change<'_>,
    ) -> Result<Life, Refusal> {
        match change {
            Change::Remove(_) => Ok(Removing::without_process(cx, ticket, State::Dead)),
            Change::Stop(_) => {
                cx.reply(ticket, Outcome::Noop);
                Ok(Self::rest())
            }
            Change::Start | Change::Restart(_) => Err(cx.refuse(Reason::MarkedForRemoval)),
            Change::Pause | Change::Kill { .. } | Change::Exec(_) => Err(cx.refuse(Reason::NotRunning)),
            Change::Unpause => Err(cx.refuse(Reason::NotPaused)),
        }
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
            | Observation::RemoveFailed(_) => Life::Dead(self),
        }
    }
}
