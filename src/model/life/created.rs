//! Created: everything is in place, and a process waits to be released.

use alloc::vec;

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::{Action, Observation, Outcome, Reason, Refusal, State, Ticket};
use super::change::Change;
use super::starting::{Announce, Starting};
use super::{Life, Removing};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Created {
    init: Init,
}

/// The parked process; a failed start loses it, and the next start makes a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Init {
    Parked,
    Lost,
}

impl Created {
    pub(super) fn with_parked_init() -> Life {
        Life::Created(Self { init: Init::Parked })
    }

    pub(super) fn after_failed_start() -> Life {
        Life::Created(Self { init: Init::Lost })
    }

    pub(super) fn has_process(&self) -> bool {
        self.init == Init::Parked
    }

    pub(super) fn change(
        &self,
        cx: &mut Cx<'_>,
        ticket: Ticket,
        change: Change<'_>,
    ) -> Result<Life, Refusal> {
        match change {
            Change::Start => Ok(self.start(cx, ticket, Announce::Start)),
            Change::Restart(_) => Ok(self.start(cx, ticket, Announce::Restart)),
            Change::Stop(_) => {
                cx.reply(ticket, Outcome::Noop);
                Ok(Life::Created(self.clone()))
            }
            Change::Remove(_) => Ok(Removing::without_process(cx, ticket, State::Created)),
            Change::Pause | Change::Kill { .. } | Change::Exec(_) => Err(cx.refuse(Reason::NotRunning)),
            Change::Unpause => Err(cx.refuse(Reason::NotPaused)),
        }
    }

    fn start(&self, cx: &mut Cx<'_>, ticket: Ticket, announce: Announce) -> Life {
        cx.record.forget_restarts();
        match self.init {
            Init::Parked => Starting::parked(cx, ticket, announce),
            Init::Lost => Starting::anew(cx, vec![ticket], announce, State::Created),
        }
    }

    pub(super) fn observe(self, cx: &mut Cx<'_>, seen: Observation) -> Life {
        match seen {
            // Somebody outside killed the parked process. To Docker nothing has happened: its `created` has none.
            Observation::Ended(_) => {
                cx.act(Action::Discard);
                Self::after_failed_start()
            }
            Observation::NameGranted
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
            | Observation::Fired(_)
            | Observation::Removed
            | Observation::RemoveFailed(_) => Life::Created(self),
        }
    }
}
