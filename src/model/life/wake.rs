//! After the host went down, or a container's keeper: every process is gone, nobody saw it end, and the restart policies
//! decide who lives again.

use alloc::{string::ToString, vec::Vec};

use super::super::container::{Cx, EndedBy, Record};
use super::super::{
    Action, Effect, Ending, Failure, Observation, Oom, Outcome, RestartPolicy, Rule, Signal, State, Ticket,
};
use super::{Created, Dead, Life, Removing, Starting, Stopped};

/// What Docker notes of a process whose end it did not see.
const UNSEEN: i32 = 255;
/// What it notes of a container in back-off, which had no process: so `on-failure` lets it lie. Later engines note 255 here, too.
const NO_PROCESS: i32 = 0;

impl Life {
    /// The host has come up again.
    pub(in super::super) fn wake(self, cx: &mut Cx<'_>) -> Self {
        self.answer_all(cx);
        cx.record.ports.clear();
        cx.record.back_off = core::time::Duration::ZERO;
        let from = self.state();
        match self {
            Self::Creating(_) => {
                let name = cx.record.name.clone();
                cx.act(Action::Discard);
                cx.act(Action::Remove);
                cx.act(Action::ReleaseName(name));
                return Self::Gone;
            }
            Self::Gone => return Self::Gone,
            Self::Dead(_) => return Dead::rest(),
            Self::Removing(_) => return Removing::resumed(cx),
            Self::Created(_) => return Created::after_failed_start(),
            Self::Stopped(_) => {}
            Self::Starting(_) if from == State::Created => return Created::after_failed_start(),
            Self::Starting(_) if from == State::Stopped => {}
            Self::Starting(_) | Self::Restarting(_) => {
                cx.record.exit = Some(NO_PROCESS);
                cx.moved(State::Restarting, State::Stopped, Rule::HostDown);
            }
            Self::Running(_)
            | Self::Freezing(_)
            | Self::Paused(_)
            | Self::Thawing(_)
            | Self::Killing(_)
            | Self::Stopping(_) => {
                cx.record.exit = Some(UNSEEN);
                cx.moved(from, State::Stopped, Rule::HostDown);
            }
        }
        cx.act(Action::Discard);
        if cx.record.spec.auto_remove {
            return Removing::by_itself(cx, State::Stopped);
        }
        if !wants_start(cx.record) {
            return Stopped::rest();
        }
        cx.record.restarts = 0;
        Starting::by_policy(cx, State::Stopped)
    }

    /// Its keeper was killed. What had a process counts as killed; what was half-made is taken back; a back-off goes on, and
    /// its timer is the next keeper's.
    pub(in super::super) fn lose_keeper(self, cx: &mut Cx<'_>) -> Self {
        let queued: Vec<Ticket> = cx.record.queue.drain(..).map(|(ticket, _)| ticket).collect();
        cx.reply_all(&queued, &Outcome::Failed(keeper_lost()));
        match self {
            Self::Creating(creating) => {
                cx.reply_all(&creating.tickets(), &Outcome::Failed(keeper_lost()));
                let name = cx.record.name.clone();
                cx.act(Action::Discard);
                cx.act(Action::Remove);
                cx.act(Action::ReleaseName(name));
                if creating.looks_like() == State::Creating {
                    cx.moved(State::Creating, State::Absent, Rule::CreateFailed);
                }
                Self::Gone
            }
            Self::Created(_) => {
                cx.act(Action::Discard);
                Created::after_failed_start()
            }
            Self::Removing(removing) if removing.has_no_process() => {
                cx.reply_all(&removing.tickets(), &Outcome::Failed(keeper_lost()));
                Removing::resumed(cx)
            }
            Self::Starting(_)
            | Self::Running(_)
            | Self::Freezing(_)
            | Self::Paused(_)
            | Self::Thawing(_)
            | Self::Killing(_)
            | Self::Stopping(_)
            | Self::Removing(_) => {
                let killed = Ending { code: Signal::KILL.exit_code(), oom: Oom::None };
                let began = cx.effects.0.len();
                let life = self.observe(cx, Observation::Ended(killed));
                for effect in &mut cx.effects.0[began..] {
                    if let Effect::Moved(moved) = effect
                        && moved.rule == Rule::ExitCode
                    {
                        moved.rule = Rule::KeeperLost;
                    }
                }
                life
            }
            Self::Restarting(_) | Self::Stopped(_) | Self::Dead(_) | Self::Gone => self,
        }
    }

    /// Whether it takes a keeper to go on: somebody has to watch a process, a timer, or a deletion.
    pub(in super::super) fn needs_keeper(&self) -> bool {
        match self {
            Self::Created(created) => created.has_process(),
            Self::Stopped(_) | Self::Dead(_) | Self::Gone => false,
            Self::Creating(_)
            | Self::Starting(_)
            | Self::Running(_)
            | Self::Freezing(_)
            | Self::Paused(_)
            | Self::Thawing(_)
            | Self::Killing(_)
            | Self::Stopping(_)
            | Self::Restarting(_)
            | Self::Removing(_) => true,
        }
    }

    /// Whoever waited for something hears that the host went down.
    fn answer_all(&self, cx: &mut Cx<'_>) {
        let mut tickets = self.tickets();
        tickets.extend(cx.record.queue.drain(..).map(|(ticket, _)| ticket));
        tickets.append(&mut cx.record.waiters);
        cx.reply_all(&tickets, &Outcome::Failed(host_went_down()));
    }

    fn tickets(&self) -> Vec<Ticket> {
        match self {
            Self::Creating(creating) => creating.tickets(),
            Self::Starting(starting) => starting.tickets(),
            Self::Running(running) => running.tickets(),
            Self::Freezing(freezing) => freezing.tickets(),
            Self::Paused(paused) => paused.tickets(),
            Self::Thawing(thawing) => thawing.tickets(),
            Self::Killing(killing) => killing.tickets(),
            Self::Stopping(stopping) => stopping.tickets(),
            Self::Removing(removing) => removing.tickets(),
            Self::Created(_) | Self::Restarting(_) | Self::Stopped(_) | Self::Dead(_) | Self::Gone => {
                Vec::new()
            }
        }
    }
}

/// What those hear who waited for an answer when the host went down.
pub(in super::super) fn host_went_down() -> Failure {
    Failure { code: None, message: "the host went down meanwhile (ask again)".to_string() }
}

/// What those would hear who waited for an answer when its keeper was killed.
pub(in super::super) fn keeper_lost() -> Failure {
    Failure { code: None, message: "its keeper was killed meanwhile (ask again)".to_string() }
}

fn wants_start(record: &Record) -> bool {
    match record.spec.restart {
        RestartPolicy::No => false,
        RestartPolicy::Always => true,
        RestartPolicy::UnlessStopped => record.ended_by == EndedBy::Itself,
        RestartPolicy::OnFailure { max } => record.exit != Some(0) && (max == 0 || record.restarts < max),
    }
}
