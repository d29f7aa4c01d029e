//! One thing that a journal has to tell, in words and as an object.

use serde_json::{Value, json};

use super::super::docker::moment;
use crate::engine::journal::{Said, Tale, Told};
use crate::model::{EventKind, Limits, MemorySwap, Removal, Signal, StopTimeout, Verb};

/// A word for what kind of thing it is, and the thing.
pub(super) fn words(told: &Told) -> (&'static str, String) {
    match told {
        Told::Asked(_, verb) => ("asked", asked(verb)),
        Told::Answered(_, said) => answered(said),
        Told::Moved(moved) => ("state", format!("{} → {}", moved.from, moved.to)),
        Told::Emitted(event) => ("event", event_words(event.kind)),
        Told::Ended(code) => ("ended", format!("its process, with {}", code_words(*code))),
        Told::KeeperLost => ("lost", "its keeper was killed, and the container with it".into()),
        Told::Woke => ("woke", "the host went down and came up again".into()),
    }
}

/// What was asked for, as one would say it.
pub(super) fn asked(verb: &Verb) -> String {
    let within = |word: &str, timeout: &Option<StopTimeout>| match timeout {
        None => word.to_owned(),
        Some(StopTimeout::Never) => format!("{word}, without a deadline"),
        Some(StopTimeout::After(grace)) => format!("{word}, within {}", humantime::format_duration(*grace)),
    };
    let with = |signal: &Option<Signal>| signal.map_or(String::new(), |signal| format!(" with {signal}"));
    match verb {
        Verb::Stop { timeout, signal } => within(&format!("stop{}", with(signal)), timeout),
        Verb::Restart { timeout, signal } => within(&format!("restart{}", with(signal)), timeout),
        Verb::Kill { signal } => format!("kill with {signal}"),
        Verb::Remove(Removal::Forced) => "remove by force".into(),
        Verb::Rename { to } => format!("rename to {to}"),
        Verb::Exec(exec) => format!("exec: {}", exec.command.join(" ")),
        Verb::Update { restart, limits } => {
            let Limits { memory, memory_swap, cpus, cpu_shares, pids } = limits;
            let size = |bytes| bytesize::ByteSize(bytes).display().iec();
            let changes = [
                restart.map(|policy| format!("restart {policy}")),
                memory.map(|bytes| format!("memory {}", size(bytes))),
                memory_swap.map(|swap| match swap {
                    MemorySwap::Both(bytes) => format!("memory and swap {}", size(bytes)),
                    MemorySwap::Unlimited => "any swap".into(),
                }),
                cpus.map(|cpus| format!("cpus {}", f64::from(cpus) / 1000.0)),
                cpu_shares.map(|shares| format!("CPU shares {shares}")),
                pids.map(|pids| format!("pids {pids}")),
            ];
            format!("update: {}", changes.into_iter().flatten().collect::<Vec<_>>().join(", "))
        }
        Verb::Create(_)
        | Verb::Start
        | Verb::Pause
        | Verb::Unpause
        | Verb::Remove(Removal::Gentle)
        | Verb::Wait
        | Verb::Commit
        | Verb::Look(_) => verb.word().into(),
    }
}

/// How it was answered.
pub(super) fn answered(said: &Said) -> (&'static str, String) {
    match said {
        Said::Done => ("done", String::new()),
        Said::Exited(code) => ("done", code_words(*code)),
        Said::Noop => ("nothing", "to do: it is so already".into()),
        Said::Refused(text) => ("refused", text.clone()),
        Said::Failed(text) => ("failed", text.clone()),
    }
}

pub(super) fn event_words(kind: EventKind) -> String {
    match kind {
        EventKind::HealthStatus(health) => format!("health_status: {}", health.word()),
        _ => kind.to_string(),
    }
}

/// `exit 137 (128 + SIGKILL)`.
pub(super) fn code_words(code: i32) -> String {
    match crate::model::Signal::from_number(code - 128) {
        Some(signal) if code > 128 => format!("exit {code} (128 + {signal})"),
        _ => format!("exit {code}"),
    }
}

/// For programs.
pub fn json(tale: &Tale) -> Value {
    let mut told = json!({ "time": moment::exact(tale.at.wall), "uptime": tale.at.since_boot.as_secs_f64() });
    let more = match &tale.told {
        Told::Asked(ticket, verb) => {
            json!({ "type": "asked", "ticket": ticket.0, "verb": verb_word(verb), "words": asked(verb) })
        }
        Told::Answered(ticket, said) => {
            let (outcome, message) = match said {
                Said::Done | Said::Exited(_) => ("done", None),
                Said::Noop => ("noop", None),
                Said::Refused(text) => ("refused", Some(text)),
                Said::Failed(text) => ("failed", Some(text)),
            };
            let exit = if let Said::Exited(code) = said { Some(code) } else { None };
            json!({ "type": "answered", "ticket": ticket.0, "outcome": outcome, "exit": exit, "message": message })
        }
        Told::Moved(moved) => {
            let (from, to) = (moved.from.word(), moved.to.word());
            json!({ "type": "transition", "container": moved.container, "from": from, "to": to, "rule": moved.rule.id() })
        }
        Told::Emitted(event) => {
            let (action, detail) = (event.kind.action(), event.kind.detail());
            json!({ "type": "event", "container": event.container, "action": action, "detail": detail })
        }
        Told::Ended(code) => json!({ "type": "ended", "exit": code }),
        Told::KeeperLost => json!({ "type": "keeper_lost" }),
        Told::Woke => json!({ "type": "reboot" }),
    };
    if let (Some(fields), Value::Object(more)) = (told.as_object_mut(), more) {
        fields.extend(more);
    }
    told
}

/// The word that people type.
fn verb_word(verb: &Verb) -> &'static str {
    match verb {
        Verb::Exec(_) => "exec",
        Verb::Wait => "wait",
        other => other.word(),
    }
}
