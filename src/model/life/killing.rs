//! Killing: SIGKILL was sent by hand; waits for the death, which is the answer.

use alloc::{vec, vec::Vec};

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::run::Run;
use super::super::timer::{FIRST_KILL_WAIT, SECOND_KILL_WAIT};
use super::super::{
    Action, Ending, EventKind, Freezer, Observation, Outcome, Rule, Signal, State, Ticket, Timer,
};
use super::Life;
use super::restarting::after_death;
use super::stopping::{go_on, unanswered};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Killing {
    killers: Vec<Ticket>,
    from: State,
    run: Run,
    attempt: Attempt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Attempt {
    First,
    Second,
}

impl Killing {
    pub(super) fn begin(cx: &mut Cx<'_>, asked: Ticket, from: State, run: Run) -> Life {
        send_sigkill(cx, from);
        cx.act(Action::Arm(Timer::KillWait, FIRST_KILL_WAIT));
        Life::Killing(Self { killers: vec![asked], from, run, attempt: Attempt::First })
    }

    pub(super) fn looks_like(&self) -> State {
        self.from
    }

    /// Another SIGKILL waits for the same death; everything else waits until it has come.
    pub(super) fn killed_again(&self, cx: &mut Cx<'_>, ticket: Ticket) -> Life {
        cx.kill(Signal::KILL);
        let mut killing = self.clone();
        killing.killers.push(ticket);
        Life::Killing(killing)
    }

    pub(super) fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    pub(super) fn tickets(&self) -> Vec<Ticket> {
        self.run.tickets().into_iter().chain(self.killers.iter().copied()).collect()
    }

    pub(super) fn observe(self, cx: &mut Cx<'_>, seen: Observation) -> Life {
        match seen {
            Observation::Ended(ending) => self.ended(cx, ending),
            Observation::Fired(Timer::KillWait) => self.unanswered(cx),
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
            | Observation::RemoveFailed(_) => Life::Killing(self),
        }
    }

    fn ended(self, cx: &mut Cx<'_>, ending: Ending) -> Life {
        cx.act(Action::Cancel(Timer::KillWait));
        let life = after_death(cx, self.run, ending, self.from, Rule::ExitCode);
        cx.reply_all(&self.killers, &Outcome::Done);
        life
    }

    fn unanswered(self, cx: &mut Cx<'_>) -> Life {
        match self.attempt {
            Attempt::First => {
                cx.act(Action::Signal(Signal::KILL));
                cx.act(Action::Arm(Timer::KillWait, SECOND_KILL_WAIT));
                Life::Killing(Self { attempt: Attempt::Second, ..self })
            }
            Attempt::Second => {
                cx.reply_all(&self.killers, &Outcome::Failed(unanswered()));
                go_on(self.from, self.run)
            }
        }
    }
}

/// SIGKILL by hand. Only the v1 freezer holds it back, so only there a frozen container has to be thawed for it;
/// no `unpause` is told, because nothing of it lives on.
pub(super) fn send_sigkill(cx: &mut Cx<'_>, from: State) {
    cx.emit(EventKind::Kill(Signal::KILL));
    cx.act(Action::Signal(Signal::KILL));
    if from != State::Running && cx.facts.freezer == Freezer::CgroupV1 {
        cx.act(Action::Thaw);
    }
}
