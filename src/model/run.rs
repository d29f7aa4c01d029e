//! One run of a process: what has to be remembered from its start to its end, whatever the container's state meanwhile.

use alloc::{collections::BTreeMap, vec::Vec};

use serde::{Deserialize, Serialize};

use super::container::{Cx, EndedBy};
use super::health::Monitor;
use super::timer::STEADY_RUN;
use super::{Action, EventKind, ExecSpec, Observation, Oom, Outcome, Signal, Ticket, Timer, Within};

/// What is remembered of a run until it ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) length: Length,
    pub(super) policy: Policy,
    pub(super) oom: Oom,
    pub(super) health: Option<Monitor>,
    /// Commands that run inside.
    pub(super) execs: BTreeMap<ExecId, Guest>,
}

/// A command inside, and who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Guest {
    /// Nobody, once this has been answered.
    pub(super) asked: Option<Ticket>,
    waits: WaitsFor,
    place: Place,
}

/// What the answer to an exec is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum WaitsFor {
    Beginning,
    End,
}

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Place {
    OnItsWay,
    Inside,
}

/// The number of a command that runs inside a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExecId(pub u32);

/// Whether a run was long enough to begin the back-off anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Length {
    Short,
    Steady,
}

/// Whether the restart policy has a say when this run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Policy {
    Armed,
    /// A person has sent it a signal: what follows is their doing.
    Cancelled,
}

impl Run {
    /// It has just begun: its clocks start.
    pub(super) fn begin(cx: &mut Cx<'_>) -> Self {
        cx.act(Action::Arm(Timer::SteadyRun, STEADY_RUN));
        let health = Monitor::begin(cx);
        Self { length: Length::Short, policy: Policy::Armed, oom: Oom::None, health, execs: BTreeMap::new() }
    }

    /// A signal by hand: from now on its end may be a person's doing, and the policy keeps still.
    pub(super) fn signalled(self, cx: &mut Cx<'_>, signal: Signal) -> Self {
        cx.record.ended_by = EndedBy::Hand;
        if cx.record.means_the_end(signal) { self.cancelled() } else { self }
    }

    pub(super) fn cancelled(self) -> Self {
        Self { policy: Policy::Cancelled, ..self }
    }

    /// Begins to run a command inside; its end is the answer.
    pub(super) fn exec(mut self, cx: &mut Cx<'_>, asked: Ticket, spec: &ExecSpec) -> Self {
        let exec = ExecId(cx.record.execs);
        cx.record.execs += 1;
        cx.emit(EventKind::ExecCreate);
        cx.emit(EventKind::ExecStart);
        cx.act(Action::Exec { exec, spec: spec.clone() });
        let waits = if spec.detach { WaitsFor::Beginning } else { WaitsFor::End };
        self.execs.insert(exec, Guest { asked: Some(asked), waits, place: Place::OnItsWay });
        self
    }

    /// Whether somebody is between the door and the room: nothing is done to the container meanwhile.
    pub(super) fn is_being_entered(&self) -> bool {
        self.execs.values().any(|guest| guest.place == Place::OnItsWay)
    }

    /// Who waits for commands inside.
    pub(super) fn tickets(&self) -> Vec<Ticket> {
        self.execs.values().filter_map(|guest| guest.asked).collect()
    }

    pub(super) fn suspend_health(&mut self, cx: &mut Cx<'_>) {
        if let Some(monitor) = &mut self.health {
            monitor.suspend(cx);
        }
    }

    pub(super) fn resume_health(&mut self, cx: &mut Cx<'_>) {
        if let Some(monitor) = &mut self.health {
            monitor.resume(cx);
        }
    }

    /// Takes in what changes the run and not the container's state; says whether that was all there is to it.
    pub(super) fn observe(&mut self, cx: &mut Cx<'_>, seen: &Observation) -> Handled {
        match seen {
            Observation::Fired(Timer::SteadyRun) => self.length = Length::Steady,
            Observation::Fired(Timer::Health | Timer::HealthTimeout | Timer::StartPeriod)
            | Observation::Within(Within::Probed(_)) => {
                if let Some(monitor) = &mut self.health {
                    monitor.observe(cx, seen);
                }
            }
            Observation::Within(Within::OutOfMemory) => {
                self.oom = Oom::Struck;
                cx.emit(EventKind::Oom);
            }
            Observation::Within(Within::ExecBegan(exec)) => {
                if let Some(guest) = self.execs.get_mut(exec) {
                    guest.place = Place::Inside;
                    if guest.waits == WaitsFor::Beginning
                        && let Some(ticket) = guest.asked.take()
                    {
                        cx.reply(ticket, Outcome::Done);
                    }
                }
            }
            Observation::Within(Within::ExecEnded(exec, code)) => {
                if let Some(guest) = self.execs.remove(exec) {
                    cx.emit(EventKind::ExecDie(*code));
                    cx.reply_all(guest.asked.as_slice(), &Outcome::Exited(*code));
                }
            }
            Observation::Within(Within::ExecFailed(exec, failure)) => {
                if let Some(guest) = self.execs.remove(exec) {
                    cx.reply_all(guest.asked.as_slice(), &Outcome::Failed(failure.clone()));
                }
            }
            Observation::NameGranted
            | Observation::NameDenied
            | Observation::PortsGranted(_)
            | Observation::PortsDenied(_)
            | Observation::Prepared
            | Observation::PrepareFailed(_)
            | Observation::Executed
            | Observation::ExecuteFailed(_)
            | Observation::Ended(_)
            | Observation::Frozen
            | Observation::FreezeFailed(_)
            | Observation::Thawed
            | Observation::ThawFailed(_)
            | Observation::Fired(Timer::Grace(_) | Timer::KillWait | Timer::BackOff)
            | Observation::Removed
            | Observation::RemoveFailed(_) => return Handled::No,
        }
        Handled::Yes
    }
}

/// Whether an observation has found its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handled {
    Yes,
    No,
}
