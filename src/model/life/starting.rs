//! Starting: an arrow from created, stopped or restarting to running; waits for a parked process, then for its program.

use alloc::{vec, vec::Vec};

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::run::Run;
use super::super::{Action, Ending, EventKind, Failure, Observation, Oom, Outcome, Rule, State, Ticket};
use super::{Created, Life, Removing, Running, Stopped};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Starting {
    /// Nobody, when the restart policy starts it; several, when as many restarts meet.
    asked: Vec<Ticket>,
    announce: Announce,
    from: State,
    waits_for: WaitsFor,
}

/// Which events tell of the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Announce {
    Start,
    /// `start`, then `restart`.
    Restart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum WaitsFor {
    /// Its host ports; then for a process, or for the program of the one that is parked.
    Ports(Init),
    Process,
    Program,
}

/// Whether a process is parked already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Init {
    Parked,
    None,
}

impl Starting {
    /// The process parked at create is released.
    pub(super) fn parked(cx: &mut Cx<'_>, asked: Ticket, announce: Announce) -> Life {
        Self::begin(cx, vec![asked], announce, State::Created, Init::Parked)
    }

    /// A new process has to be parked first.
    pub(super) fn anew(cx: &mut Cx<'_>, asked: Vec<Ticket>, announce: Announce, from: State) -> Life {
        Self::begin(cx, asked, announce, from, Init::None)
    }

    /// The restart policy starts it.
    pub(super) fn by_policy(cx: &mut Cx<'_>, from: State) -> Life {
        Self::begin(cx, Vec::new(), Announce::Start, from, Init::None)
    }

    /// Ports are claimed here and not at create: that is why a conflict shows so late.
    fn begin(cx: &mut Cx<'_>, asked: Vec<Ticket>, announce: Announce, from: State, init: Init) -> Life {
        let starting = Self { asked, announce, from, waits_for: WaitsFor::Ports(init) };
        let ports = cx.record.spec.published().to_vec();
        if ports.is_empty() {
            return starting.go_on(cx, init);
        }
        cx.act(Action::ClaimPorts(ports));
        Life::Starting(starting)
    }

    fn go_on(self, cx: &mut Cx<'_>, init: Init) -> Life {
        match init {
            Init::Parked => self.execute(cx),
            Init::None => {
                cx.prepare();
                Life::Starting(Self { waits_for: WaitsFor::Process, ..self })
            }
        }
    }

    pub(super) fn looks_like(&self) -> State {
        self.from
    }

    pub(super) fn tickets(&self) -> Vec<Ticket> {
        self.asked.clone()
    }

    pub(super) fn observe(self, cx: &mut Cx<'_>, seen: Observation) -> Life {
        match seen {
            Observation::PortsGranted(held) => {
                cx.record.ports = held;
                match self.waits_for {
                    WaitsFor::Ports(init) => self.go_on(cx, init),
                    WaitsFor::Process | WaitsFor::Program => Life::Starting(self),
                }
            }
            Observation::PortsDenied(failure) => self.failed(cx, &failure),
            Observation::Prepared => self.execute(cx),
            Observation::Executed => self.executed(cx),
            Observation::PrepareFailed(failure) | Observation::ExecuteFailed(failure) => {
                self.failed(cx, &failure)
            }
            Observation::Ended(ending) => self.failed(cx, &ended_too_early(ending)),
            Observation::NameGranted
            | Observation::NameDenied
            | Observation::Within(_)
            | Observation::Frozen
            | Observation::FreezeFailed(_)
            | Observation::Thawed
            | Observation::ThawFailed(_)
            | Observation::Fired(_)
            | Observation::Removed
            | Observation::RemoveFailed(_) => Life::Starting(self),
        }
    }

    fn execute(self, cx: &mut Cx<'_>) -> Life {
        cx.act(Action::Execute);
        Life::Starting(Self { waits_for: WaitsFor::Program, ..self })
    }

    fn executed(self, cx: &mut Cx<'_>) -> Life {
        cx.record.exit = None;
        cx.record.error = None;
        cx.record.runs += 1;
        cx.moved(self.from, State::Running, Rule::StartExec);
        cx.emit(EventKind::Start);
        let run = Run::begin(cx);
        for ticket in self.asked {
            if self.announce == Announce::Restart {
                cx.emit(EventKind::Restart);
            }
            cx.reply(ticket, Outcome::Done);
        }
        Running::go_on(run)
    }

    fn failed(self, cx: &mut Cx<'_>, failure: &Failure) -> Life {
        if self.asked.is_empty() {
            cx.policys_start_failed(failure);
        } else {
            cx.start_failed(failure);
        }
        cx.reply_all(&self.asked, &Outcome::Failed(failure.clone()));
        if cx.record.spec.auto_remove {
            return Removing::by_itself(cx, self.from);
        }
        match self.from {
            State::Created => Created::after_failed_start(),
            State::Restarting => {
                cx.moved(State::Restarting, State::Stopped, Rule::StartFailed);
                Stopped::rest()
            }
            _ => Stopped::rest(),
        }
    }
}

/// Whoever it was that killed the process.
pub(super) fn ended_too_early(ending: Ending) -> Failure {
    let code = ending.code;
    let message = match ending.oom {
        Oom::Struck => {
            "it ran out of memory before it could execute its program (give it more: --memory)".into()
        }
        Oom::None => alloc::format!(
            "the parked process ended with {code} before it could execute its program (somebody killed it: try again)"
        ),
    };
    Failure { code: None, message }
}
