//! Restarting: the process has ended, and the restart policy waits for the end of the back-off.

use alloc::vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::container::{Cx, EndedBy, Record};
use super::super::run::{Length, Policy, Run};
use super::super::timer::{BACK_OFF_FACTOR, FIRST_BACK_OFF, LONGEST_BACK_OFF};
use super::super::{
    Action, Ending, EventKind, Observation, Outcome, Reason, Refusal, Removal, RestartPolicy, Rule, State,
    Ticket, Timer,
};
use super::change::Change;
use super::starting::{Announce, Starting};
use super::{Life, Removing, Stopped};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct Restarting;

/// A process has ended that nobody asked to stop: the restart policy decides what comes next.
pub(super) fn after_death(cx: &mut Cx<'_>, run: Run, ending: Ending, from: State, rule: Rule) -> Life {
    let (length, policy) = (run.length, run.policy);
    cx.ended(run, ending);
    cx.record.back_off = next_back_off(cx.record.back_off, length);
    if wants_restart(cx.record, policy, ending) {
        cx.record.restarts += 1;
        cx.moved(from, State::Restarting, Rule::RestartPolicy);
        let wait = cx.record.back_off;
        cx.act(Action::Arm(Timer::BackOff, wait));
        return Life::Restarting(Restarting);
    }
    cx.moved(from, State::Stopped, rule);
    if cx.record.spec.auto_remove { Removing::by_itself(cx, State::Stopped) } else { Stopped::rest() }
}

fn next_back_off(last: Duration, length: Length) -> Duration {
    if length == Length::Steady || last.is_zero() {
        return FIRST_BACK_OFF;
    }
    (last * BACK_OFF_FACTOR).min(LONGEST_BACK_OFF)
}

fn wants_restart(record: &Record, policy: Policy, ending: Ending) -> bool {
    if policy == Policy::Cancelled {
        return false;
    }
    match record.spec.restart {
        RestartPolicy::No => false,
        RestartPolicy::Always => true,
        RestartPolicy::UnlessStopped => record.ended_by == EndedBy::Itself,
        RestartPolicy::OnFailure { max } => ending.code != 0 && (max == 0 || record.restarts < max),
    }
}

impl Restarting {
    #[expect(clippy::unused_self, reason = "a state answers commands, even when it has nothing to remember")]
    pub(super) fn change(
        &self,
        cx: &mut Cx<'_>,
        ticket: Ticket,
        change: Change<'_>,
    ) -> Result<Life, Refusal> {
        match change {
            Change::Start => {
                cx.reply(ticket, Outcome::Noop);
                Ok(Life::Restarting(Restarting))
            }
            Change::Stop(_) => {
                cx.act(Action::Cancel(Timer::BackOff));
                cx.emit(EventKind::Stop);
                Ok(Self::ended_by_hand(cx, ticket))
            }
            Change::Kill { .. } => {
                cx.act(Action::Cancel(Timer::BackOff));
                Ok(Self::ended_by_hand(cx, ticket))
            }
            Change::Restart(_) => {
                cx.act(Action::Cancel(Timer::BackOff));
                cx.moved(State::Restarting, State::Stopped, Rule::RestartByHand);
                cx.emit(EventKind::Stop);
                cx.answer_waiters();
                cx.record.forget_restarts();
                Ok(Starting::anew(cx, vec![ticket], Announce::Restart, State::Stopped))
            }
            Change::Remove(Removal::Forced) => {
                cx.act(Action::Cancel(Timer::BackOff));
                cx.answer_waiters();
                Ok(Removing::without_process(cx, ticket, State::Restarting))
            }
            Change::Remove(Removal::Gentle) | Change::Pause | Change::Exec(_) => {
                Err(cx.refuse(Reason::Restarting))
            }
            Change::Unpause => Err(cx.refuse(Reason::NotPaused)),
        }
    }

    fn ended_by_hand(cx: &mut Cx<'_>, ticket: Ticket) -> Life {
        cx.record.ended_by = EndedBy::Hand;
        cx.moved(State::Restarting, State::Stopped, Rule::StopBackOff);
        cx.reply(ticket, Outcome::Done);
        cx.answer_waiters();
        if cx.record.spec.auto_remove { Removing::by_itself(cx, State::Stopped) } else { Stopped::rest() }
    }

    pub(super) fn observe(self, cx: &mut Cx<'_>, seen: Observation) -> Life {
        match seen {
            Observation::Fired(Timer::BackOff) => Starting::by_policy(cx, State::Restarting),
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
            | Observation::Ended(_)
            | Observation::Frozen
            | Observation::FreezeFailed(_)
            | Observation::Thawed
            | Observation::ThawFailed(_)
            | Observation::Removed
            | Observation::RemoveFailed(_) => Life::Restarting(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn waits_double_from_100_ms_up_to_a_minute() {
        let waits =
            core::iter::successors(Some(Duration::ZERO), |last| Some(next_back_off(*last, Length::Short)));
        let millis: Vec<_> = waits.skip(1).take(12).map(|wait| wait.as_millis()).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
    }

    #[test]
    fn a_run_of_ten_seconds_begins_them_anew() {
        assert_eq!(next_back_off(Duration::from_secs(60), Length::Steady), FIRST_BACK_OFF);
    }
}
