//! Removing: it is killed first if it has to be, then taken apart.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::run::Run;
use super::super::timer::{FIRST_KILL_WAIT, SECOND_KILL_WAIT};
use super::super::{
    Action, Ending, EventKind, Failure, Observation, Outcome, Reason, Refusal, Rule, Signal, State, Ticket,
    Timer,
};
use super::change::Change;
use super::killing::send_sigkill;
use super::stopping::{Stop, Then, go_on, unanswered};
use super::{Dead, Life};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Removing {
    /// Who asked for it; nobody, when it removes itself.
    asked: Option<Ticket>,
    /// Stops, restarts and kills that wait for the death.
    stops: Vec<Stop>,
    killers: Vec<Ticket>,
    waits_for: WaitsFor,
    /// What it is again if nothing can end its process.
    otherwise: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum WaitsFor {
    FirstKill(Run),
    SecondKill(Run),
    Deletion,
}

impl Removing {
    /// It has ended, or never begun.
    pub(super) fn without_process(cx: &mut Cx<'_>, asked: Ticket, from: State) -> Life {
        cx.moved(from, State::Removing, Rule::RemoveBegin);
        Life::Removing(Self::delete(cx, Some(asked)))
    }

    /// It removes itself after its end.
    pub(super) fn by_itself(cx: &mut Cx<'_>, from: State) -> Life {
        cx.moved(from, State::Removing, Rule::RemoveAuto);
        Life::Removing(Self::delete(cx, None))
    }

    /// It is removed by force: the process is killed first.
    pub(super) fn with_process(cx: &mut Cx<'_>, asked: Ticket, from: State, run: Run) -> Life {
        cx.moved(from, State::Removing, Rule::RemoveBegin);
        send_sigkill(cx, from);
        Self::begin(cx, asked, run, Vec::new(), Vec::new(), from)
    }

    /// It is removed by force while it is being stopped: who waits for its death is answered by it.
    pub(super) fn instead_of_stop(
        cx: &mut Cx<'_>,
        asked: Ticket,
        run: Run,
        stops: Vec<Stop>,
        killers: Vec<Ticket>,
        otherwise: State,
    ) -> Life {
        cx.moved(State::Stopping, State::Removing, Rule::RemoveBegin);
        send_sigkill(cx, State::Stopping);
        Self::begin(cx, asked, run, stops, killers, otherwise)
    }

    fn begin(
        cx: &mut Cx<'_>,
        asked: Ticket,
        run: Run,
        stops: Vec<Stop>,
        killers: Vec<Ticket>,
        otherwise: State,
    ) -> Life {
        cx.act(Action::Arm(Timer::KillWait, FIRST_KILL_WAIT));
        let waits_for = WaitsFor::FirstKill(run.signalled(cx, Signal::KILL));
        Life::Removing(Self { asked: Some(asked), stops, killers, waits_for, otherwise })
    }

    /// Its removal had begun before the host went down, and goes on.
    pub(super) fn resumed(cx: &mut Cx<'_>) -> Life {
        Life::Removing(Self::delete(cx, None))
    }

    fn delete(cx: &mut Cx<'_>, asked: Option<Ticket>) -> Self {
        cx.act(Action::Discard);
        cx.act(Action::Remove);
        let waits_for = WaitsFor::Deletion;
        Self { asked, stops: Vec::new(), killers: Vec::new(), waits_for, otherwise: State::Stopped }
    }

    pub(super) fn change(
        &self,
        cx: &mut Cx<'_>,
        ticket: Ticket,
        change: Change<'_>,
    ) -> Result<Life, Refusal> {
        match change {
            Change::Stop(_) => {
                cx.reply(ticket, Outcome::Noop);
                Ok(Life::Removing(self.clone()))
            }
            Change::Start | Change::Restart(_) => Err(cx.refuse(Reason::MarkedForRemoval)),
            Change::Pause | Change::Kill { .. } | Change::Exec(_) => Err(cx.refuse(Reason::NotRunning)),
            Change::Unpause => Err(cx.refuse(Reason::NotPaused)),
            Change::Remove(_) => Err(cx.refuse(Reason::RemovalInProgress)),
        }
    }

    pub(super) fn has_no_process(&self) -> bool {
        matches!(self.waits_for, WaitsFor::Deletion)
    }

    pub(super) fn run_mut(&mut self) -> Option<&mut Run> {
        match &mut self.waits_for {
            WaitsFor::FirstKill(run) | WaitsFor::SecondKill(run) => Some(run),
            WaitsFor::Deletion => None,
        }
    }

    pub(super) fn tickets(&self) -> Vec<Ticket> {
        let run = match &self.waits_for {
            WaitsFor::FirstKill(run) | WaitsFor::SecondKill(run) => run.tickets(),
            WaitsFor::Deletion => Vec::new(),
        };
        run.into_iter().chain(self.awaiting()).chain(self.asked).collect()
    }

    fn awaiting(&self) -> impl Iterator<Item = Ticket> {
        self.stops.iter().map(|stop| stop.asked).chain(self.killers.iter().copied())
    }

    pub(super) fn observe(self, cx: &mut Cx<'_>, seen: Observation) -> Life {
        match seen {
            Observation::Ended(ending) => self.ended(cx, ending),
            Observation::Fired(Timer::KillWait) => self.unanswered(cx),
            Observation::Removed => self.removed(cx),
            Observation::RemoveFailed(message) => self.failed(cx, message),
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
            | Observation::ThawFailed(_) => Life::Removing(self),
        }
    }

    fn ended(self, cx: &mut Cx<'_>, ending: Ending) -> Life {
        let (WaitsFor::FirstKill(run) | WaitsFor::SecondKill(run)) = self.waits_for else {
            return Life::Removing(self);
        };
        cx.act(Action::Cancel(Timer::KillWait));
        cx.ended(run, ending);
        for stop in self.stops {
            cx.emit(EventKind::Stop);
            let outcome = match stop.then {
                Then::StayStopped => Outcome::Done,
                Then::StartAgain => {
                    let container = cx.record.name.clone();
                    let reason = Reason::MarkedForRemoval;
                    Outcome::Refused(Refusal { container, verb: "restart", reason })
                }
            };
            cx.reply(stop.asked, outcome);
        }
        cx.reply_all(&self.killers, &Outcome::Done);
        Life::Removing(Self::delete(cx, self.asked))
    }

    fn unanswered(self, cx: &mut Cx<'_>) -> Life {
        let waiting: Vec<Ticket> = self.awaiting().chain(self.asked).collect();
        match self.waits_for {
            WaitsFor::FirstKill(run) => {
                cx.act(Action::Signal(Signal::KILL));
                cx.act(Action::Arm(Timer::KillWait, SECOND_KILL_WAIT));
                Life::Removing(Self { waits_for: WaitsFor::SecondKill(run), ..self })
            }
            WaitsFor::SecondKill(run) => {
                cx.moved(State::Removing, self.otherwise, Rule::KillUnanswered);
                cx.reply_all(&waiting, &Outcome::Failed(unanswered()));
                go_on(self.otherwise, run)
            }
            WaitsFor::Deletion => Life::Removing(self),
        }
    }

    fn removed(self, cx: &mut Cx<'_>) -> Life {
        let name = cx.record.name.clone();
        cx.act(Action::ReleaseName(name));
        cx.moved(State::Removing, State::Absent, Rule::RemoveDone);
        cx.emit(EventKind::Destroy);
        if let Some(ticket) = self.asked {
            cx.reply(ticket, Outcome::Done);
        }
        Life::Gone
    }

    fn failed(self, cx: &mut Cx<'_>, message: String) -> Life {
        cx.moved(State::Removing, State::Dead, Rule::RemoveFailed);
        cx.record.error = Some(message.clone());
        if let Some(ticket) = self.asked {
            cx.reply(ticket, Outcome::Failed(Failure { code: None, message }));
        }
        Dead::rest()
    }
}
