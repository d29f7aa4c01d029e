//! What a stop, a kill and a removal do, and what they must not.

use super::{Kind, Rule};
use crate::check::moment::{Asked, Input, Moment};
use crate::model::{EventKind, Observation, State};

pub(super) const RULES: [Rule; 4] = [
    Rule {
        name: "stop-ends",
        sentence: "A stop is over when its grace period is: after that, SIGKILL ends the process.",
        why: "A deploy that waits for a process which never leaves waits for ever.",
        source: "measured on Docker Engine 20.10: 10.015 to 10.032 s to SIGKILL; moby daemon/stop.go",
        kind: Kind::Always(stop_ends),
    },
    Rule {
        name: "a-stop-wakes",
        sentence: "Stop thaws a paused container, so that its process can answer the signal.",
        why: "Frozen, it would lose its grace period without having been asked.",
        source: "measured on Docker Engine 20.10: kill, unpause 2 to 18 ms later; moby daemon/kill.go",
        kind: Kind::Always(a_stop_wakes),
    },
    Rule {
        name: "only-force-removes-the-living",
        sentence: "A container with a process is removed only by force.",
        why: "Nobody loses a running service by a slip of the finger.",
        source: "measured on Docker Engine 20.10: You cannot remove a running container",
        kind: Kind::Always(only_force_removes_the_living),
    },
    Rule {
        name: "told-as-asked",
        sentence: "Stop, restart, kill, pause and rename are told only where somebody asked for them.",
        why: "Who reads the events must be able to tell a stop from a crash and from a kill.",
        source: "measured on Docker Engine 20.10: kill and rm -f emit no stop event",
        kind: Kind::Always(told_as_asked),
    },
];

fn stop_ends(moment: &Moment<'_>) -> Option<String> {
    let of_time = matches!(moment.input, Input::TimePassed | Input::Seen(_));
    let overdue = moment.now.open.values().find(|request| {
        matches!(request.verb, Asked::Stop | Asked::Restart) && request.due.is_some_and(|due| due < moment.at)
    })?;
    // What it waits for may be somebody else's: its own process has to be there still.
    (of_time && moment.after.state.has_process()).then(|| {
        let late = moment.at.saturating_sub(overdue.due.unwrap_or_default());
        let late = humantime::format_duration(late);
        format!(
            "{} was to be ended by SIGKILL, and is still {} {late} later",
            moment.name, moment.after.state
        )
    })
}

fn a_stop_wakes(moment: &Moment<'_>) -> Option<String> {
    let held = moment.after.state == State::Stopping && moment.now.frozen && !moment.now.paused_in_stop;
    let freezes = matches!(moment.input, Input::Seen(Observation::Frozen));
    (held && !freezes).then(|| format!("{} is stopping, and its processes stand still", moment.name))
}

fn told_as_asked(moment: &Moment<'_>) -> Option<String> {
    moment.events().find_map(|kind| {
        let wanted: &[Asked] = match kind {
            EventKind::Stop => &[Asked::Stop, Asked::Restart],
            EventKind::Restart => &[Asked::Restart],
            EventKind::Kill(_) => &[Asked::Kill, Asked::Stop, Asked::Restart, Asked::ForcedRemoval],
            EventKind::Pause => &[Asked::Pause],
            EventKind::Rename => &[Asked::Rename],
            _ => return None,
        };
        // Before this moment, or by what has made it.
        let asked = moment.past.is_asked(wanted) || asks(moment.input, wanted);
        (!asked).then(|| format!("{} is told of {}, and nobody asked for one", kind.action(), moment.name))
    })
}

fn asks(input: Input<'_>, wanted: &[Asked]) -> bool {
    use crate::model::Verb;
    let Input::Asked(_, command) = input else { return false };
    let verb = match &command.verb {
        Verb::Stop { .. } => Asked::Stop,
        Verb::Restart { .. } => Asked::Restart,
        Verb::Kill { .. } => Asked::Kill,
        Verb::Pause => Asked::Pause,
        Verb::Rename { .. } => Asked::Rename,
        Verb::Remove(crate::model::Removal::Forced) => Asked::ForcedRemoval,
        _ => return false,
    };
    wanted.contains(&verb)
}

fn only_force_removes_the_living(moment: &Moment<'_>) -> Option<String> {
    let taken = moment.moves().find(|moved| moved.to == State::Removing && moved.from.has_process())?;
    let forced = moment.past.is_asked(&[Asked::ForcedRemoval]) || asks(moment.input, &[Asked::ForcedRemoval]);
    (!forced).then(|| format!("{} was {} and is removed, though nobody forced that", moment.name, taken.from))
}
