//! What becomes of a request.

use super::{Kind, Rule};
use crate::check::moment::{Asked, Input, Moment, Past};
use crate::model::{Effect, State};

pub(super) const RULES: [Rule; 4] = [
    Rule {
        name: "refused-changes-nothing",
        sentence: "A request that is refused has changed nothing.",
        why: "Who is told no must be able to go on as if they had not asked.",
        source: "OCI runtime-spec, runtime.md, section Errors",
        kind: Kind::Always(refused_changes_nothing),
    },
    Rule {
        name: "answered-once",
        sentence: "A request is answered once.",
        why: "A second answer reaches somebody who asked for something else.",
        source: "terrarium: src/model, the contract of the core",
        kind: Kind::Always(answered_once),
    },
    Rule {
        name: "answers-come",
        sentence: "Every request is answered in the end: nothing waits for ever that should not.",
        why: "A terminal that never comes back is a hung engine.",
        source: "terrarium: src/model, the contract of the core",
        kind: Kind::Eventually(answers_come),
    },
    Rule {
        name: "no-ghost-after-its-keeper",
        sentence: "When its keeper was killed, a container shows no process, and its journal says the truth.",
        why: "The next command reads the journal and acts on it.",
        source: "terrarium: src/keeper; prctl(2) PR_SET_PDEATHSIG",
        kind: Kind::Always(no_ghost_after_its_keeper),
    },
];

fn refused_changes_nothing(moment: &Moment<'_>) -> Option<String> {
    let refusal = moment.refusal?;
    (moment.before != moment.after || !moment.effects.is_empty())
        .then(|| format!("\"{refusal}\", and yet something has changed"))
}

fn answered_once(moment: &Moment<'_>) -> Option<String> {
    let own = match moment.input {
        Input::Asked(ticket, _) => Some(ticket),
        _ => None,
    };
    let mut answered = Vec::new();
    for effect in moment.effects {
        let Effect::Reply(ticket, _) = effect else { continue };
        let open = Some(*ticket) == own || moment.past.open.contains_key(ticket);
        if !open || answered.contains(ticket) {
            return Some(format!("a request to {} is answered that has been answered before", moment.name));
        }
        answered.push(*ticket);
    }
    None
}

/// Those that wait for a death, or for what runs inside, wait as long as that takes.
fn answers_come(past: &Past) -> Option<String> {
    let waits = |asked: &Asked| !matches!(asked, Asked::Wait | Asked::Exec);
    let left = past.open.values().map(|request| request.verb).find(waits)?;
    Some(format!("a request to {} was never answered", left.word()))
}

fn no_ghost_after_its_keeper(moment: &Moment<'_>) -> Option<String> {
    let lost = matches!(moment.input, Input::KeeperLost);
    let alive = moment.after.state.has_process() || moment.after.state == State::Creating;
    (lost && alive).then(|| {
        format!("the keeper of {} was killed, and it still counts as {}", moment.name, moment.after.state)
    })
}

impl Asked {
    /// The word that people type.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Kill => "kill",
            Self::GentleRemoval | Self::ForcedRemoval => "remove",
            Self::Rename => "rename",
            Self::Update => "update",
            Self::Exec => "exec",
            Self::Wait => "wait",
            Self::Commit => "commit",
            Self::Look => "look",
        }
    }
}
