//! Requests that may change a state, and those that only touch what every container has.

use super::super::container::Cx;
use super::super::{
    Action, Command, EventKind, ExecSpec, Limits, Look, Outcome, Reason, Refusal, Removal, RestartPolicy,
    Signal, State, StopTimeout, Ticket, Verb,
};
use super::Life;

/// A request that every state answers in its own way.
#[derive(Clone, Copy)]
pub(super) enum Change<'a> {
    Start,
    Pause,
    Unpause,
    Stop(How),
    Restart(How),
    Kill { signal: Signal },
    Remove(Removal),
    Exec(&'a ExecSpec),
}

/// How a container is to be stopped, as far as the request says.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) timeout: Option<StopTimeout>,
    pub(super) signal: Option<Signal>,
}

impl Life {
    /// Takes up a request, or refuses it; a life that has not settled puts a change in the queue.
    pub(in super::super) fn command(
        &self,
        cx: &mut Cx<'_>,
        ticket: Ticket,
        verb: &Verb,
    ) -> Result<Self, Refusal> {
        let change = match verb {
            Verb::Start => Change::Start,
            Verb::Pause => Change::Pause,
            Verb::Unpause => Change::Unpause,
            Verb::Stop { timeout, signal } => Change::Stop(How { timeout: *timeout, signal: *signal }),
            Verb::Restart { timeout, signal } => Change::Restart(How { timeout: *timeout, signal: *signal }),
            Verb::Kill { signal } => Change::Kill { signal: *signal },
            Verb::Remove(how) => Change::Remove(*how),
            Verb::Exec(spec) => Change::Exec(spec),
            Verb::Create(_) | Verb::Rename { .. } => {
                let name = cx.record.name.clone();
                return Err(cx.refuse(Reason::NameInUse(name)));
            }
            Verb::Update { restart, limits } => return self.update(cx, ticket, *restart, *limits),
            Verb::Wait => return Ok(self.wait(cx, ticket)),
            Verb::Commit => return self.commit(cx, ticket),
            Verb::Look(look) => return self.look(cx, ticket, *look),
        };
        if self.has_settled() || (matches!(self, Self::Killing(_)) && is_sigkill(change)) {
            return self.change(cx, ticket, change);
        }
        let container = cx.record.name.clone();
        cx.record.queue.push((ticket, Command { container, verb: verb.clone() }.verb));
        Ok(self.clone())
    }

    fn change(&self, cx: &mut Cx<'_>, ticket: Ticket, change: Change<'_>) -> Result<Self, Refusal> {
        match self {
            Self::Created(created) => created.change(cx, ticket, change),
            Self::Running(running) => running.change(cx, ticket, change),
            Self::Paused(paused) => paused.change(cx, ticket, change),
            Self::Killing(killing) => Ok(killing.killed_again(cx, ticket)),
            Self::Stopping(stopping) => stopping.change(cx, ticket, change),
            Self::Restarting(restarting) => restarting.change(cx, ticket, change),
            Self::Stopped(stopped) => stopped.change(cx, ticket, change),
            Self::Removing(removing) => removing.change(cx, ticket, change),
            Self::Dead(dead) => dead.change(cx, ticket, change),
            Self::Creating(_) | Self::Starting(_) | Self::Freezing(_) | Self::Thawing(_) | Self::Gone => {
                Ok(self.clone())
            }
        }
    }

    fn update(
        &self,
        cx: &mut Cx<'_>,
        ticket: Ticket,
        restart: Option<RestartPolicy>,
        limits: Limits,
    ) -> Result<Self, Refusal> {
        // Before its `create` is told, nobody can know of it.
        if matches!(self.state(), State::Absent | State::Creating) {
            return Err(cx.refuse(Reason::NoSuchContainer));
        }
        if matches!(self.state(), State::Removing | State::Dead) {
            return Err(cx.refuse(Reason::MarkedForRemoval));
        }
        if cx.record.spec.auto_remove && restart.is_some_and(|policy| policy != RestartPolicy::No) {
            return Err(cx.refuse(Reason::RemovedAndRestarted));
        }
        let spec = &mut cx.record.spec;
        spec.restart = restart.unwrap_or(spec.restart);
        spec.memory = limits.memory.or(spec.memory);
        spec.memory_swap = limits.memory_swap.or(spec.memory_swap);
        spec.cpus = limits.cpus.or(spec.cpus);
        spec.cpu_shares = limits.cpu_shares.or(spec.cpu_shares);
        spec.pids = limits.pids.or(spec.pids);
        if limits != Limits::default() {
            // How much swap there is beside the memory takes both to say.
            let both = limits.memory.is_some() || limits.memory_swap.is_some();
            let (memory, memory_swap) = if both { (spec.memory, spec.memory_swap) } else { (None, None) };
            cx.act(Action::Limit(Limits { memory, memory_swap, ..limits }));
        }
        cx.emit(EventKind::Update);
        cx.reply(ticket, Outcome::Done);
        Ok(self.clone())
    }

    /// Whoever makes the image pauses it meanwhile, by asking for that.
    fn commit(&self, cx: &mut Cx<'_>, ticket: Ticket) -> Result<Self, Refusal> {
        match self.state() {
            State::Absent | State::Creating => Err(cx.refuse(Reason::NoSuchContainer)),
            State::Removing | State::Dead => Err(cx.refuse(Reason::MarkedForRemoval)),
            State::Created
            | State::Running
            | State::Paused
            | State::Stopping
            | State::Restarting
            | State::Stopped => {
                cx.emit(EventKind::Commit);
                cx.reply(ticket, Outcome::Done);
                Ok(self.clone())
            }
        }
    }

    /// Until the next death, whether or not the policy starts it again; at once if there is no process to wait for.
    fn wait(&self, cx: &mut Cx<'_>, ticket: Ticket) -> Self {
        match self.state() {
            State::Running | State::Paused | State::Stopping | State::Restarting => {
                cx.record.waiters.push(ticket);
            }
            State::Absent
            | State::Creating
            | State::Created
            | State::Stopped
            | State::Removing
            | State::Dead => {
                let code = cx.record.exit.unwrap_or(0);
                cx.reply(ticket, Outcome::Exited(code));
            }
        }
        self.clone()
    }

    fn look(&self, cx: &mut Cx<'_>, ticket: Ticket, look: Look) -> Result<Self, Refusal> {
        let refusal = match (look, self.state()) {
            (Look::Logs | Look::CopyIn | Look::CopyOut, State::Dead | State::Removing)
            | (Look::Diff, State::Removing) => Some(Reason::MarkedForRemoval),
            (Look::Top, State::Restarting) => Some(Reason::Restarting),
            (Look::Top, state) if !state.has_process() => Some(Reason::NotRunning),
            (
                Look::Top
                | Look::Logs
                | Look::Inspect
                | Look::Stats
                | Look::CopyOut
                | Look::CopyIn
                | Look::Diff,
                _,
            ) => None,
        };
        if let Some(reason) = refusal {
            return Err(cx.refuse(reason));
        }
        cx.reply(ticket, Outcome::Done);
        Ok(self.clone())
    }
}

fn is_sigkill(change: Change<'_>) -> bool {
    matches!(change, Change::Kill { signal: Signal::KILL })
}
