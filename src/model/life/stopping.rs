//! Stopping: it has been asked to end; waits for its death, and after the grace period sees to it.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::container::Cx;
use super::super::run::Run;
use super::super::timer::{FIRST_KILL_WAIT, SECOND_KILL_WAIT};
use super::super::{
    Action, Ending, EventKind, Failure, Observation, Outcome, Reason, Refusal, Removal, Rule, Signal, State,
    StopTimeout, Ticket, Timer,
};
use super::change::{Change, How};
use super::starting::{Announce, Starting};
use super::{Life, Paused, Removing, Running, Stopped};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Stopping {
    run: Run,
    /// Each request to stop or restart, in the order in which they came: each has its own grace period and its own event.
    stops: Vec<Stop>,
    /// Kills with SIGKILL that wait for the death, too.
    killers: Vec<Ticket>,
    waits_for: WaitsFor,
    freezer: Freezer,
}

/// A request that waits for the death.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Stop {
    pub(super) asked: Ticket,
    pub(super) then: Then,
}

/// What a request wants after the death.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Then {
    StayStopped,
    StartAgain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum WaitsFor {
    /// The process, to end by itself.
    Process,
    /// The kernel, after SIGKILL.
    FirstKill,
    /// The kernel, after another SIGKILL.
    SecondKill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Freezer {
    Thawed,
    /// Thawing is under way and is to be told.
    Thawing,
    /// Paused during the stop; `Some` while the pause is not answered yet.
    Frozen(Option<Ticket>),
    /// Thawed for a SIGKILL alone, which nobody is told: to people it is paused until its end.
    Released,
}

impl Stopping {
    /// The stop of a running container.
    pub(super) fn begin(cx: &mut Cx<'_>, asked: Ticket, how: How, then: Then, run: Run) -> Life {
        cx.moved(State::Running, State::Stopping, Rule::StopGrace);
        Self::first(cx, run, Freezer::Thawed).stop(cx, asked, how, then)
    }

    /// The stop of a paused container: the signal first, then the thaw, so that it finds the signal when it wakes.
    pub(super) fn frozen(cx: &mut Cx<'_>, asked: Ticket, how: How, then: Then, run: Run) -> Life {
        cx.moved(State::Paused, State::Stopping, Rule::StopPaused);
        Self::first(cx, run, Freezer::Frozen(None)).stop(cx, asked, how, then)
    }

    fn first(cx: &mut Cx<'_>, run: Run, freezer: Freezer) -> Self {
        let run = run.signalled(cx, Signal::KILL);
        Self { run, stops: vec![], killers: vec![], waits_for: WaitsFor::Process, freezer }
    }

    fn stop(mut self, cx: &mut Cx<'_>, asked: Ticket, how: How, then: Then) -> Life {
        self.answer_pause(cx);
        let signal = how.signal.unwrap_or_else(|| cx.record.stop_signal());
        cx.kill(signal);
        self.thaw(cx);
        let nth = self.stops.len();
        self.stops.push(Stop { asked, then });
        match (self.waits_for, cx.record.grace(how.timeout)) {
            // No grace at all: SIGKILL follows on the heels of the signal, which is sent all the same.
            (WaitsFor::Process, StopTimeout::After(Duration::ZERO)) => self.grace_is_over(cx),
            (WaitsFor::Process, StopTimeout::After(grace)) => {
                cx.act(Action::Arm(Self::timer_of(nth), grace));
                Life::Stopping(self)
            }
            (WaitsFor::FirstKill | WaitsFor::SecondKill, _) | (_, StopTimeout::Never) => Life::Stopping(self),
        }
    }

    fn timer_of(stop: usize) -> Timer {
        Timer::Grace(u32::try_from(stop).unwrap_or(u32::MAX))
    }

    pub(super) fn change(
        &self,
        cx: &mut Cx<'_>,
        ticket: Ticket,
        change: Change<'_>,
    ) -> Result<Life, Refusal> {
        match change {
            Change::Start | Change::Exec(_) if self.counts_as_paused() => Err(cx.refuse(Reason::Paused)),
            Change::Start => {
                cx.reply(ticket, Outcome::Noop);
                Ok(Life::Stopping(self.clone()))
            }
            Change::Stop(how) => Ok(self.clone().stop(cx, ticket, how, Then::StayStopped)),
            Change::Restart(how) => Ok(self.clone().stop(cx, ticket, how, Then::StartAgain)),
            Change::Exec(spec) => {
                let mut stopping = self.clone();
                stopping.tell_of_thaw(cx);
                let run = stopping.run.clone().exec(cx, ticket, spec);
                Ok(Life::Stopping(Self { run, ..stopping }))
            }
            Change::Kill { signal } => Ok(self.clone().kill(cx, ticket, signal)),
            Change::Pause => self.pause(cx, ticket),
            Change::Unpause => self.unpause(cx, ticket),
            Change::Remove(Removal::Forced) => {
                let mut stopping = self.clone();
                stopping.answer_pause(cx);
                stopping.tell_of_thaw(cx);
                stopping.cancel_timers(cx);
                let otherwise = stopping.otherwise();
                let Self { run, stops, killers, .. } = stopping;
                Ok(Removing::instead_of_stop(cx, ticket, run, stops, killers, otherwise))
            }
            Change::Remove(Removal::Gentle) => Err(cx.refuse(Reason::Running)),
        }
    }

    fn kill(mut self, cx: &mut Cx<'_>, ticket: Ticket, signal: Signal) -> Life {
        self.answer_pause(cx);
        cx.kill(signal);
        if signal == Signal::KILL {
            self.killers.push(ticket);
            self.await_the_kernel(cx);
        } else {
            if cx.record.means_the_end(signal) {
                self.thaw(cx);
            }
            cx.reply(ticket, Outcome::Done);
        }
        Life::Stopping(self)
    }

    fn is_frozen(&self) -> bool {
        matches!(self.freezer, Freezer::Frozen(_))
    }

    fn counts_as_paused(&self) -> bool {
        matches!(self.freezer, Freezer::Frozen(_) | Freezer::Released)
    }

    /// What it is again if nothing can end its process.
    fn otherwise(&self) -> State {
        if self.counts_as_paused() { State::Paused } else { State::Running }
    }

    /// A pause that has been begun is answered before anything undoes it.
    fn answer_pause(&mut self, cx: &mut Cx<'_>) {
        if let Freezer::Frozen(Some(ticket)) = self.freezer {
            cx.emit(EventKind::Pause);
            cx.reply(ticket, Outcome::Done);
            self.run.suspend_health(cx);
            self.freezer = Freezer::Frozen(None);
        }
    }

    fn thaw(&mut self, cx: &mut Cx<'_>) {
        if self.is_frozen() {
            cx.act(Action::Thaw);
            self.freezer = Freezer::Thawing;
        }
    }

    fn tell_of_thaw(&mut self, cx: &mut Cx<'_>) {
        if self.freezer == Freezer::Thawing {
            cx.emit(EventKind::Unpause);
            self.run.resume_health(cx);
            self.freezer = Freezer::Thawed;
        }
    }

    /// SIGKILL has been sent: no grace counts any more, and the kernel has its time.
    fn await_the_kernel(&mut self, cx: &mut Cx<'_>) {
        self.thaw_for_sigkill(cx);
        if self.waits_for == WaitsFor::Process {
            self.cancel_timers(cx);
            cx.act(Action::Arm(Timer::KillWait, FIRST_KILL_WAIT));
            self.waits_for = WaitsFor::FirstKill;
        }
    }

    /// The v1 freezer holds even a SIGKILL back.
    fn thaw_for_sigkill(&mut self, cx: &mut Cx<'_>) {
        self.answer_pause(cx);
        if self.is_frozen() {
            cx.act(Action::Thaw);
            self.freezer = Freezer::Released;
        }
    }

    /// A pause during a stop takes its effect, but not the deadline away.
    fn pause(&self, cx: &mut Cx<'_>, ticket: Ticket) -> Result<Life, Refusal> {
        if self.counts_as_paused() {
            return Err(cx.refuse(Reason::AlreadyPaused));
        }
        let mut stopping = self.clone();
        stopping.tell_of_thaw(cx);
        cx.act(Action::Freeze);
        Ok(Life::Stopping(Self { freezer: Freezer::Frozen(Some(ticket)), ..stopping }))
    }

    fn unpause(&self, cx: &mut Cx<'_>, ticket: Ticket) -> Result<Life, Refusal> {
        if !self.is_frozen() {
            return Err(cx.refuse(Reason::NotPaused));
        }
        let mut stopping = self.clone();
        stopping.answer_pause(cx);
        stopping.thaw(cx);
        cx.reply(ticket, Outcome::Done);
        Ok(Life::Stopping(stopping))
    }

    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    pub(super) fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    pub(super) fn tickets(&self) -> Vec<Ticket> {
        let asked = self.stops.iter().map(|stop| stop.asked).chain(self.killers.iter().copied());
        let pause = match self.freezer {
            Freezer::Frozen(pause) => pause,
            Freezer::Thawed | Freezer::Thawing | Freezer::Released => None,
        };
        self.run.tickets().into_iter().chain(asked).chain(pause).collect()
    }

    pub(super) fn observe(self, cx: &mut Cx<'_>, seen: Observation) -> Life {
        match seen {
            Observation::Ended(ending) => self.ended(cx, ending),
            Observation::Fired(Timer::Grace(_)) => self.grace_is_over(cx),
            Observation::Fired(Timer::KillWait) => self.kill_is_unanswered(cx),
            Observation::Frozen => self.paused(cx),
            Observation::FreezeFailed(failure) => self.pause_failed(cx, failure),
            Observation::Thawed => self.thawed(cx),
            Observation::Fired(_)
            | Observation::ThawFailed(_)
            | Observation::NameGranted
            | Observation::NameDenied
            | Observation::PortsGranted(_)
            | Observation::PortsDenied(_)
            | Observation::Within(_)
            | Observation::Prepared
            | Observation::PrepareFailed(_)
            | Observation::Executed
            | Observation::ExecuteFailed(_)
            | Observation::Removed
            | Observation::RemoveFailed(_) => Life::Stopping(self),
        }
    }

    fn grace_is_over(mut self, cx: &mut Cx<'_>) -> Life {
        if self.waits_for == WaitsFor::Process {
            cx.kill(Signal::KILL);
            self.await_the_kernel(cx);
        }
        Life::Stopping(self)
    }

    fn kill_is_unanswered(mut self, cx: &mut Cx<'_>) -> Life {
        if self.waits_for == WaitsFor::FirstKill {
            cx.act(Action::Signal(Signal::KILL));
            cx.act(Action::Arm(Timer::KillWait, SECOND_KILL_WAIT));
            return Life::Stopping(Self { waits_for: WaitsFor::SecondKill, ..self });
        }
        self.answer_pause(cx);
        self.tell_of_thaw(cx);
        let otherwise = self.otherwise();
        cx.moved(State::Stopping, otherwise, Rule::KillUnanswered);
        for ticket in self.stops.iter().map(|stop| stop.asked).chain(self.killers) {
            cx.reply(ticket, Outcome::Failed(unanswered()));
        }
        go_on(otherwise, self.run)
    }

    fn paused(mut self, cx: &mut Cx<'_>) -> Life {
        self.answer_pause(cx);
        Life::Stopping(self)
    }

    /// One that was answered before counts as done: it is told of, and an unpause undoes it.
    fn pause_failed(mut self, cx: &mut Cx<'_>, failure: Failure) -> Life {
        if let Freezer::Frozen(Some(ticket)) = self.freezer {
            cx.reply(ticket, Outcome::Failed(failure));
            self.freezer = Freezer::Thawed;
        }
        Life::Stopping(self)
    }

    fn thawed(mut self, cx: &mut Cx<'_>) -> Life {
        self.tell_of_thaw(cx);
        Life::Stopping(self)
    }

    fn ended(self, cx: &mut Cx<'_>, ending: Ending) -> Life {
        self.cancel_timers(cx);
        if let Freezer::Frozen(Some(ticket)) = self.freezer {
            cx.reply(ticket, Outcome::Done);
        }
        cx.ended(self.run.clone(), ending);
        cx.moved(State::Stopping, State::Stopped, Rule::StopEnded);
        for stop in &self.stops {
            cx.emit(EventKind::Stop);
            if stop.then == Then::StayStopped {
                cx.reply(stop.asked, Outcome::Done);
            }
        }
        cx.reply_all(&self.killers, &Outcome::Done);
        self.what_then(cx)
    }

    /// One start grants the wishes of all who asked for a restart.
    fn what_then(&self, cx: &mut Cx<'_>) -> Life {
        let again = self.stops.iter().filter(|stop| stop.then == Then::StartAgain);
        let again: Vec<Ticket> = again.map(|stop| stop.asked).collect();
        if !again.is_empty() {
            cx.record.forget_restarts();
            return Starting::anew(cx, again, Announce::Restart, State::Stopped);
        }
        if cx.record.spec.auto_remove { Removing::by_itself(cx, State::Stopped) } else { Stopped::rest() }
    }

    fn cancel_timers(&self, cx: &mut Cx<'_>) {
        match self.waits_for {
            WaitsFor::Process => {
                for stop in 0..self.stops.len() {
                    cx.act(Action::Cancel(Self::timer_of(stop)));
                }
            }
            WaitsFor::FirstKill | WaitsFor::SecondKill => cx.act(Action::Cancel(Timer::KillWait)),
        }
    }
}

/// Nothing has ended it: it is again what it was, or has become meanwhile.
pub(super) fn go_on(state: State, run: Run) -> Life {
    if state == State::Paused { Paused::rest(run) } else { Running::go_on(run) }
}

/// What those hear who asked for a death that did not come.
pub(super) fn unanswered() -> Failure {
    let message =
        "it was sent SIGKILL twice and has not ended (it hangs in the kernel, or is frozen by another: \
                   look at its state with ps, or thaw it)"
            .into();
    Failure { code: None, message }
}
