//! What a restart policy may do.

use std::time::Duration;

use super::{Kind, Rule};
use crate::check::moment::{Asked, Moment};
use crate::model::{Action, EventKind, RestartPolicy, State, Timer};

/// The first wait of a back-off and the longest, as they were measured.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

pub(super) const RULES: [Rule; 6] = [
    Rule {
        name: "stopped-stays-stopped",
        sentence: "What a person has ended is not started again by its restart policy.",
        why: "Otherwise nobody could stop a container that restarts.",
        source: "measured on Docker Engine 20.10; moby daemon/internal/restartmanager",
        kind: Kind::Always(stopped_stays_stopped),
    },
    Rule {
        name: "policy-is-obeyed",
        sentence: "Under `no` nothing is started again, and under `on-failure` nothing that ended with 0.",
        why: "A job that has done its work is done.",
        source: "moby daemon/internal/restartmanager/restartmanager.go ShouldRestart",
        kind: Kind::Always(policy_is_obeyed),
    },
    Rule {
        name: "restarts-are-bounded",
        sentence: "`on-failure:N` starts a container again N times at most.",
        why: "A broken job must not burn a host for ever.",
        source: "measured on Docker Engine 20.10: on-failure:N gives N+1 runs",
        kind: Kind::Always(restarts_are_bounded),
    },
    Rule {
        name: "back-off-doubles",
        sentence: "Each wait of a back-off is twice as long as the one before, up to a minute.",
        why: "A container that crashes at once must not take the host's time with its starts.",
        source: "measured on Docker Engine 20.10: 0.1 0.2 0.4 0.8 1.6 … s; moby backoffMultiplier",
        kind: Kind::Always(back_off_doubles),
    },
    Rule {
        name: "back-off-is-capped",
        sentence: "No wait of a back-off is longer than a minute.",
        why: "What has been mended has to come back soon.",
        source: "measured on Docker Engine 20.10: 60.35 s; moby maxRestartTimeout",
        kind: Kind::Always(back_off_is_capped),
    },
    Rule {
        name: "back-off-is-reset",
        sentence: "After a run of ten seconds, and after a start by hand, the back-off begins anew with 100 ms.",
        why: "A service that has run well for a day is not to wait a minute for its old sins.",
        source: "measured on Docker Engine 20.10: after 11 s next wait 0.22 to 0.28 s",
        kind: Kind::Always(back_off_is_reset),
    },
];

fn stopped_stays_stopped(moment: &Moment<'_>) -> Option<String> {
    let starts = moment.events().any(|kind| kind == EventKind::Start);
    let asked = moment.past.is_asked(&[Asked::Start, Asked::Restart]);
    (starts && moment.past.ended_by_hand && !asked).then(|| {
        format!("{} was ended by hand, and has been started again though nobody asked for that", moment.name)
    })
}

fn begins_back_off(moment: &Moment<'_>) -> bool {
    moment.moves().any(|moved| moved.to == State::Restarting)
}

fn policy_is_obeyed(moment: &Moment<'_>) -> Option<String> {
    let code = moment.now.last_end?.code;
    let policy = moment.past.policy();
    let may = match policy {
        RestartPolicy::No => false,
        RestartPolicy::OnFailure { .. } => code != 0,
        RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
    };
    (begins_back_off(moment) && !may)
        .then(|| format!("{} ended with {code}, and is started again under `{policy}`", moment.name))
}

fn restarts_are_bounded(moment: &Moment<'_>) -> Option<String> {
    let RestartPolicy::OnFailure { max } = moment.past.policy() else { return None };
    let count = moment.now.policy_restarts;
    (max > 0 && count > max && begins_back_off(moment))
        .then(|| format!("{} is started again for the {count}th time under `on-failure:{max}`", moment.name))
}

fn wait(moment: &Moment<'_>) -> Option<Duration> {
    moment.actions().find_map(|action| match action {
        Action::Arm(Timer::BackOff, wait) => Some(*wait),
        _ => None,
    })
}

fn told(wait: Duration) -> impl std::fmt::Display {
    humantime::format_duration(wait)
}

fn back_off_doubles(moment: &Moment<'_>) -> Option<String> {
    let wait = wait(moment)?;
    let last = moment.past.last_wait.filter(|_| !moment.past.steady)?;
    let wanted = (last * 2).min(LONGEST);
    (wait < wanted)
        .then(|| format!("{} waited {} last time, and now waits {}", moment.name, told(last), told(wait)))
}

fn back_off_is_capped(moment: &Moment<'_>) -> Option<String> {
    let wait = wait(moment)?;
    (wait > LONGEST).then(|| format!("{} waits {} before its next start", moment.name, told(wait)))
}

fn back_off_is_reset(moment: &Moment<'_>) -> Option<String> {
    let wait = wait(moment)?;
    let anew = moment.past.steady || moment.past.last_wait.is_none();
    (anew && wait != FIRST).then(|| {
        let since = if moment.past.steady { "had run for ten seconds" } else { "had been started by hand" };
        format!("{} {since}, and waits {} before its next start", moment.name, told(wait))
    })
}
