//! One container: the record that lasts as long as its name, and the life that it leads at the moment.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::life::Life;
use super::run::{Length, Run};
use super::timer::DEFAULT_GRACE;
use super::{
    Action, ContainerSpec, Effect, Effects, Ending, Event, EventKind, Failure, Health, HeldPort, HostFacts,
    Id, Name, Oom, Outcome, Reason, Refusal, Rule, Signal, State, StopTimeout, Ticket, Timer, Transition,
    Verb,
};

/// What is remembered of a container whatever its state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) id: Id,
    pub(super) name: Name,
    pub(super) spec: Box<ContainerSpec>,

    /// The last exit code, until the next start.
    pub(super) exit: Option<i32>,
    /// What the last start or removal failed of.
    pub(super) error: Option<String>,
    /// Whether the last run to end had run out of memory.
    pub(super) oom: Oom,

    /// How many runs have begun.
    pub(super) runs: u32,
    /// How many of them the restart policy began since a person last did.
    pub(super) restarts: u32,
    /// The wait before the policy's last start; zero if the next wait is to be the first again.
    pub(super) back_off: Duration,
    /// Whether a person has ended it since a person started it.
    pub(super) ended_by: EndedBy,

    /// What its health check has found; none without a check, or before its first start.
    pub(super) health: Option<Health>,
    /// How many commands have been run inside it.
    pub(super) execs: u32,
    /// Host ports that are held for it.
    pub(super) ports: Vec<HeldPort>,
    /// Who waits for its next death.
    pub(super) waiters: Vec<Ticket>,

    /// Commands that came while it was between two states; they are taken up when it has settled.
    pub(super) queue: Vec<(Ticket, Verb)>,
}

/// Who ended the last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum EndedBy {
    Itself,
    Hand,
}

impl Record {
    pub(super) fn new(id: Id, name: Name, spec: Box<ContainerSpec>) -> Self {
        Self {
            id,
            name,
            spec,
            exit: None,
            error: None,
            oom: Oom::None,
            runs: 0,
            restarts: 0,
            back_off: Duration::ZERO,
            ended_by: EndedBy::Itself,
            health: None,
            execs: 0,
            ports: Vec::new(),
            waiters: Vec::new(),
            queue: Vec::new(),
        }
    }

    /// A person starts it: the restart policy begins anew.
    pub(super) fn forget_restarts(&mut self) {
        self.restarts = 0;
        self.back_off = Duration::ZERO;
        self.ended_by = EndedBy::Itself;
    }

    pub(super) fn stop_signal(&self) -> Signal {
        self.spec.stop_signal.unwrap_or(Signal::TERM)
    }

    /// The grace period by precedence: the request's, the container's, ten seconds.
    pub(super) fn grace(&self, asked: Option<StopTimeout>) -> StopTimeout {
        asked.or(self.spec.stop_timeout).unwrap_or(StopTimeout::After(DEFAULT_GRACE))
    }

    /// Whether a signal sent by hand ends the policy's say, and wakes a frozen container: only the configured stop
    /// signal and SIGKILL do; any signal, if none is configured.
    pub(super) fn means_the_end(&self, signal: Signal) -> bool {
        signal == Signal::KILL || self.spec.stop_signal.is_none_or(|configured| configured == signal)
    }
}

/// A record in the hands of one call, with the effects that the call has had so far.
pub(super) struct Cx<'a> {
    pub(super) record: &'a mut Record,
    pub(super) facts: &'a HostFacts,
    /// What is being asked for, when somebody asks.
    pub(super) verb: &'static str,
    pub(super) effects: &'a mut Effects,
}

impl Cx<'_> {
    pub(super) fn act(&mut self, action: Action) {
        self.effects.0.push(Effect::Act(self.record.id, action));
    }

    pub(super) fn emit(&mut self, kind: EventKind) {
        self.effects.0.push(Effect::Emitted(Event { container: self.record.name.clone(), kind }));
    }

    pub(super) fn reply(&mut self, ticket: Ticket, outcome: Outcome) {
        self.effects.0.push(Effect::Reply(ticket, outcome));
    }

    pub(super) fn reply_all(&mut self, tickets: &[Ticket], outcome: &Outcome) {
        for ticket in tickets {
            self.reply(*ticket, outcome.clone());
        }
    }

    pub(super) fn moved(&mut self, from: State, to: State, rule: Rule) {
        let container = self.record.name.clone();
        self.effects.0.push(Effect::Moved(Transition { container, from, to, rule }));
    }

    /// Sends a signal and says so, as every signal sent by hand is.
    pub(super) fn kill(&mut self, signal: Signal) {
        self.emit(EventKind::Kill(signal));
        self.act(Action::Signal(signal));
    }

    pub(super) fn prepare(&mut self) {
        let (spec, name, run) = (self.record.spec.clone(), self.record.name.clone(), self.record.runs);
        self.act(Action::Prepare { spec, name, run });
    }

    pub(super) fn refuse(&self, reason: Reason) -> Refusal {
        Refusal { container: self.record.name.clone(), verb: self.verb, reason }
    }

    /// What every end of a process brings: its code is kept, what it held is given back, and `die` is told. Commands that
    /// ran inside die with it, and whoever waited for a death has seen one.
    pub(super) fn ended(&mut self, mut run: Run, ending: Ending) {
        if run.length == Length::Short {
            self.act(Action::Cancel(Timer::SteadyRun));
        }
        if let Some(monitor) = &mut run.health {
            monitor.end(self);
        }
        self.record.exit = Some(ending.code);
        self.record.oom = if run.oom == Oom::Struck { Oom::Struck } else { ending.oom };
        self.record.ports.clear();
        self.act(Action::Discard);
        if ending.oom == Oom::Struck {
            self.emit(EventKind::Oom);
        }
        for guest in run.execs.into_values() {
            self.emit(EventKind::ExecDie(Signal::KILL.exit_code()));
            self.reply_all(guest.asked.as_slice(), &Outcome::Exited(Signal::KILL.exit_code()));
        }
        self.emit(EventKind::Die(ending.code));
        self.answer_waiters();
    }

    /// Whoever waits for a death hears the last code: it has died, or will not be started any more.
    pub(super) fn answer_waiters(&mut self) {
        let code = self.record.exit.unwrap_or(0);
        for ticket in core::mem::take(&mut self.record.waiters) {
            self.reply(ticket, Outcome::Exited(code));
        }
    }

    /// What a failed start leaves: its code and its text. A failure without a code leaves what code there is, if it
    /// is not 0.
    pub(super) fn start_failed(&mut self, failure: &Failure) {
        let last = self.record.exit.filter(|code| *code != 0);
        self.record.exit = failure.code.or(last).or(Some(super::life::UNKNOWN_FAILURE));
        self.policys_start_failed(failure);
    }

    /// What a failed start of the restart policy leaves: only its text. The code remains that of the last run.
    pub(super) fn policys_start_failed(&mut self, failure: &Failure) {
        self.record.ports.clear();
        self.act(Action::Discard);
        self.record.error = Some(failure.message.clone());
        self.answer_waiters();
    }
}

/// A container as the model holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Container {
    pub(super) record: Record,
    pub(super) life: Life,
}
