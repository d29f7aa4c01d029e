//! How a process ends, and what is told of it.

use super::{Kind, Rule};
use crate::check::moment::{Input, Moment};
use crate::model::{
    ContainerSpec, Ending, EventKind, Freezer, LAB_IMAGE, Observation, Oom, Signal, State, Within,
};

pub(super) const RULES: [Rule; 5] = [
    Rule {
        name: "no-exit-code-while-alive",
        sentence: "There is an exit code only where a process has ended: stopped, restarting, or after a failed start.",
        why: "Scripts read the exit code; one of a process that lives is a lie.",
        source: "measured on Docker Engine 20.10: ExitCode becomes 0 at the next start; moby SetRunning",
        kind: Kind::Always(no_exit_code_while_alive),
    },
    Rule {
        name: "exit-code-is-the-last",
        sentence: "The exit code is that of the run that has just ended.",
        why: "Who looks why it failed this time must not find why it failed the first time.",
        source: "measured on Docker Engine 20.10",
        kind: Kind::Always(exit_code_is_the_last),
    },
    Rule {
        name: "oom-is-told",
        sentence: "When the kernel has killed a process for want of memory, an oom event says so, before the death.",
        why: "Exit code 137 alone says nothing of memory: somebody may have killed it by hand.",
        source: "measured on Docker Engine 20.10: oom die; ExitCode 137, OOMKilled=true",
        kind: Kind::Always(oom_is_told),
    },
    Rule {
        name: "sigkill-ends",
        sentence: "A SIGKILL ends a process at once, unless the v1 freezer holds it.",
        why: "It is the last resort of every stop.",
        source: "measured on Docker Engine 20.10; kernel cgroup-v2.rst, cgroup.freeze",
        kind: Kind::Always(sigkill_ends),
    },
    Rule {
        name: "pid-1-survives",
        sentence: "A PID 1 without a handler survives every signal but SIGKILL.",
        why: "That is why a stop takes ten seconds.",
        source: "measured on Docker Engine 20.10; pid_namespaces(7)",
        kind: Kind::Always(pid_1_survives),
    },
];

fn no_exit_code_while_alive(moment: &Moment<'_>) -> Option<String> {
    let code = moment.after.exit?;
    let state = moment.after.state;
    let may = match state {
        State::Stopped | State::Restarting | State::Removing | State::Dead => true,
        State::Created => moment.now.failed_start,
        State::Absent | State::Creating | State::Running | State::Paused | State::Stopping => false,
    };
    (!may).then(|| format!("{} is {state}, and has the exit code {code}", moment.name))
}

fn exit_code_is_the_last(moment: &Moment<'_>) -> Option<String> {
    let Input::Seen(Observation::Ended(Ending { code, .. })) = moment.input else { return None };
    let told = moment.events().find_map(|kind| match kind {
        EventKind::Die(told) => Some(told),
        _ => None,
    })?;
    (told != *code).then(|| format!("{} ended with {code}, and {told} is told", moment.name))
}

fn oom_is_told(moment: &Moment<'_>) -> Option<String> {
    let struck = matches!(
        moment.input,
        Input::Seen(
            Observation::Ended(Ending { oom: Oom::Struck, .. }) | Observation::Within(Within::OutOfMemory)
        )
    );
    let alive =
        matches!(moment.past.word, crate::check::grammar::Word::Up | crate::check::grammar::Word::Still);
    let told = moment.events().next() == Some(EventKind::Oom);
    (struck && alive && !told).then(|| {
        format!("the kernel killed a process of {} for want of memory, and no oom is told", moment.name)
    })
}

fn sigkill_ends(moment: &Moment<'_>) -> Option<String> {
    let since = moment.past.killed.filter(|since| *since < moment.at)?;
    let held = moment.past.frozen && moment.freezer == Freezer::CgroupV1;
    let alive = moment.now.killed.is_some() && moment.after.state.has_process();
    (alive && !held).then(|| {
        let after = moment.at.saturating_sub(since).as_secs_f64();
        format!("{} was sent SIGKILL and is still alive {after} s later", moment.name)
    })
}

fn pid_1_survives(moment: &Moment<'_>) -> Option<String> {
    let Input::Seen(Observation::Ended(Ending { code, oom: Oom::None })) = moment.input else { return None };
    let signal = Signal::from_number(code - 128).filter(|signal| *signal != Signal::KILL)?;
    let spec = moment.past.spec.as_ref()?;
    let ends_so = spec.init || handles(spec, signal) || spec.image != LAB_IMAGE || exits_with(spec, *code);
    (!ends_so).then(|| format!("{} is PID 1, has no handler for {signal}, and was ended by it", moment.name))
}

fn handles(spec: &ContainerSpec, signal: Signal) -> bool {
    let behavior = &spec.behavior;
    [behavior].into_iter().chain(&behavior.runs).any(|run| run.signals.contains_key(&signal))
}

fn exits_with(spec: &ContainerSpec, code: i32) -> bool {
    let behavior = &spec.behavior;
    let mut runs = [behavior].into_iter().chain(&behavior.runs);
    let exits = |code: u8, wanted: i32| i32::from(code) == wanted;
    spec.command.is_some()
        || runs.any(|run| {
            run.exits.is_some_and(|exit| exits(exit.code, code))
                || run.signals.values().any(|reaction| {
                    matches!(reaction, crate::model::Reaction::Exit(exit) if exits(exit.code, code))
                })
        })
}
