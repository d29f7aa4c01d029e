//! What a container may cost its host, and what it has to keep and to give back.

use super::{Kind, Rule};
use crate::check::moment::{Input, Kept, Moment};
use crate::model::{Action, Name, Observation, Resources, State, Status, Within};

pub(super) const RULES: [Rule; 6] = [
    Rule {
        name: "cpu-only-while-running",
        sentence: "A container uses CPU time only while it is running or stopping.",
        why: "Paused and created containers are promised to cost no CPU; people pause them for just that.",
        source: "measured on Docker Engine 20.10: CPU delta 0.0 while paused; kernel cgroup-v2.rst, cgroup.freeze",
        kind: Kind::Always(cpu_only_while_running),
    },
    Rule {
        name: "paused-keeps-all",
        sentence: "A paused container keeps its processes, its memory, its host ports and its address.",
        why: "It has to go on from where it stood, and its clients have to find it.",
        source: "measured on Docker Engine 20.10",
        kind: Kind::Always(paused_keeps_all),
    },
    Rule {
        name: "nothing-left-of-the-ended",
        sentence: "A container without a process holds no process, no memory, no namespace and no host port.",
        why: "What is not given back runs out, and nobody sees who has it.",
        source: "measured on Docker Engine 20.10: stopped and restarting containers have no cgroup, mount, address or listener",
        kind: Kind::Always(nothing_left_of_the_ended),
    },
    Rule {
        name: "nothing-left-of-the-removed",
        sentence: "With a removed container go its writable layer and its name.",
        why: "The name has to be free for the next one, and the ledger has to come back to zero.",
        source: "measured on Docker Engine 20.10",
        kind: Kind::Always(nothing_left_of_the_removed),
    },
    Rule {
        name: "one-owner-of-a-port",
        sentence: "A host port has one owner.",
        why: "Two owners get each other's clients.",
        source: "measured on Docker Engine 20.10: Bind for 0.0.0.0:8081 failed: port is already allocated",
        kind: Kind::Always(one_owner_of_a_port),
    },
    Rule {
        name: "one-owner-of-a-name",
        sentence: "A name has one owner, and so has a number.",
        why: "Whoever says `stop web` has to know whom that stops.",
        source: "measured on Docker Engine 20.10: create of a used name is refused with 409",
        kind: Kind::Always(one_owner_of_a_name),
    },
];

fn cpu_only_while_running(moment: &Moment<'_>) -> Option<String> {
    let state = moment.burnt_in?;
    (!matches!(state, State::Running | State::Stopping))
        .then(|| format!("{} used CPU time while it was {state}", moment.name))
}

fn paused_keeps_all(moment: &Moment<'_>) -> Option<String> {
    let kept = moment.past.paused_with.as_ref()?;
    let changed_on_purpose = matches!(moment.input, Input::Asked(..))
        || matches!(moment.input, Input::Seen(Observation::Within(Within::OutOfMemory)));
    // Its processes may end where they stand: somebody else may see that a moment before it is told.
    let dying = moment.past.killed.is_some()
        || (moment.costs.processes == Some(0) && !matches!(moment.input, Input::TimePassed));
    if moment.after.state != State::Paused || changed_on_purpose || dying {
        return None;
    }
    let has = Kept::of(moment.costs);
    let told = |kept: &Kept| {
        let number = |number: Option<u64>| number.map_or_else(|| "?".into(), |number| number.to_string());
        format!(
            "{} processes, {} bytes of memory and the ports [{}]",
            number(kept.processes),
            number(kept.memory),
            kept.ports.join(", ")
        )
    };
    (has != *kept).then(|| format!("{} was paused with {} and has {}", moment.name, told(kept), told(&has)))
}

fn nothing_left_of_the_ended(moment: &Moment<'_>) -> Option<String> {
    if moment.now.set_up {
        return None;
    }
    let state = moment.after.state;
    let held = match state {
        State::Stopped | State::Restarting | State::Dead | State::Absent => held(moment.costs),
        // It has a parked process, unless a failed start has cost it that.
        State::Created => moment.costs.ports.clone(),
        State::Creating | State::Running | State::Paused | State::Stopping | State::Removing => return None,
    };
    (!held.is_empty()).then(|| format!("{} is {state}, and still holds {}", moment.name, held.join(", ")))
}

fn held(costs: &Resources) -> Vec<String> {
    let counted = [
        ("processes", costs.processes),
        ("bytes of memory", costs.memory_bytes),
        ("namespaces", costs.namespaces),
        ("mounts", costs.mounts),
    ];
    let numbers = counted.into_iter().filter_map(|(what, number)| {
        number.filter(|number| *number > 0).map(|number| format!("{number} {what}"))
    });
    numbers.chain(costs.ports.iter().map(|port| format!("the port {port}"))).collect()
}

fn nothing_left_of_the_removed(moment: &Moment<'_>) -> Option<String> {
    let gone = moment.moves().any(|moved| moved.to == State::Absent);
    let gives_name_back = moment.actions().any(|action| matches!(action, Action::ReleaseName(_)));
    let name = moment.name;
    (gone && !gives_name_back).then(|| format!("{name} is removed, and its name is still taken"))
}

fn one_owner_of_a_port(moment: &Moment<'_>) -> Option<String> {
    let shared = |(name, status): &(Name, Status)| {
        let theirs = status.ports.iter();
        let both = theirs.filter(|theirs| moment.after.ports.iter().any(|ours| collide(ours, theirs)));
        both.map(|port| format!("{} and {name} both hold host port {}", moment.name, port.host)).next()
    };
    moment.others.iter().find_map(shared)
}

fn collide(ours: &crate::model::HeldPort, theirs: &crate::model::HeldPort) -> bool {
    ours.host == theirs.host
        && ours.protocol == theirs.protocol
        && (ours.ip == theirs.ip || ours.ip.is_unspecified() || theirs.ip.is_unspecified())
}

fn one_owner_of_a_name(moment: &Moment<'_>) -> Option<String> {
    let created = moment.moves().any(|moved| moved.to == State::Creating);
    let name = moment.name;
    (created && moment.others.iter().any(|(other, _)| other == name))
        .then(|| format!("there are two containers called {name}"))
}
