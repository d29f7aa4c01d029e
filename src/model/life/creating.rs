//! Creating: waits for its name, then for its parked process.

use alloc::{vec, vec::Vec};

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::{
    Action, EventKind, Failure, NetworkMode, Observation, Outcome, Reason, Refusal, Rule, State, Ticket,
};
use super::starting::ended_too_early;
use super::{Created, Life};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Creating {
    asked: Ticket,
    waits_for: WaitsFor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum WaitsFor {
    Name,
    Process,
}

impl Creating {
    pub(in super::super) fn begin(cx: &mut Cx<'_>, asked: Ticket) -> Life {
        let name = cx.record.name.clone();
        cx.act(Action::ClaimName(name));
        Life::Creating(Self { asked, waits_for: WaitsFor::Name })
    }

    /// Without a name there is nothing yet that one could see.
    pub(super) fn looks_like(&self) -> State {
        match self.waits_for {
            WaitsFor::Name => State::Absent,
            WaitsFor::Process => State::Creating,
        }
    }

    pub(super) fn tickets(&self) -> Vec<Ticket> {
        vec![self.asked]
    }

    pub(super) fn observe(self, cx: &mut Cx<'_>, seen: Observation) -> Life {
        match seen {
            Observation::NameGranted => {
                cx.moved(State::Absent, State::Creating, Rule::CreateClaim);
                // Whose network it is to share has to run by then, which only matters at the start.
                if let NetworkMode::Container(_) = cx.record.spec.network {
                    self.created(cx);
                    return Created::after_failed_start();
                }
                cx.prepare();
                Life::Creating(Self { waits_for: WaitsFor::Process, ..self })
            }
            Observation::NameDenied => {
                let container = cx.record.name.clone();
                let refusal = Refusal {
                    container: container.clone(),
                    verb: "create",
                    reason: Reason::NameInUse(container),
                };
                cx.reply(self.asked, Outcome::Refused(refusal));
                Life::Gone
            }
            Observation::Prepared => {
                self.created(cx);
                Created::with_parked_init()
            }
            Observation::PrepareFailed(failure) => self.failed(cx, failure),
            // Somebody outside killed its process, or it had not even the memory to be set up.
            Observation::Ended(ending) if self.waits_for == WaitsFor::Process => {
                self.failed(cx, ended_too_early(ending))
            }
            Observation::PortsGranted(_)
            | Observation::PortsDenied(_)
            | Observation::Within(_)
            | Observation::Executed
            | Observation::ExecuteFailed(_)
            | Observation::Ended(_)
            | Observation::Frozen
            | Observation::FreezeFailed(_)
            | Observation::Thawed
            | Observation::ThawFailed(_)
            | Observation::Fired(_)
            | Observation::Removed
            | Observation::RemoveFailed(_) => Life::Creating(self),
        }
    }

    fn failed(self, cx: &mut Cx<'_>, failure: Failure) -> Life {
        let name = cx.record.name.clone();
        cx.act(Action::Discard);
        cx.act(Action::Remove);
        cx.act(Action::ReleaseName(name));
        cx.moved(State::Creating, State::Absent, Rule::CreateFailed);
        cx.reply(self.asked, Outcome::Failed(failure));
        Life::Gone
    }

    fn created(self, cx: &mut Cx<'_>) {
        cx.moved(State::Creating, State::Created, Rule::CreateParked);
        cx.emit(EventKind::Create);
        cx.reply(self.asked, Outcome::Done);
    }
}
