//! What Docker's `events` shows, in the model's words: what a container did not live through is left out.

use std::collections::HashMap;

use bollard::models::EventMessage;

use crate::model::{EventKind, Health, Signal};

/// Something that happened to a container, as Docker tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Nanoseconds since the epoch, on the daemon's clock.
    pub(super) at: i64,
    /// The container's id.
    pub(super) id: String,
    /// Its name, as Docker knows it.
    pub(super) name: String,
    pub(super) kind: EventKind,
    /// Of the three events of a command inside: which words it has. The last comes without.
    pub(super) words: Option<String>,
    /// And by which number Docker knows it.
    pub(super) exec: Option<String>,
}

/// None for networks, copies, attached terminals and whatever else a container does not live through.
pub(super) fn read(message: EventMessage) -> Option<Told> {
    let (at, action) = (message.time_nano?, message.action?);
    let actor = message.actor?;
    let mut attributes = actor.attributes.unwrap_or_default();
    let (kind, words) = kind_of(&action, &attributes)?;
    let name = attributes.remove("name").unwrap_or_default();
    let exec = attributes.remove("execID");
    Some(Told { at, id: actor.id?, name, kind, words, exec })
}

fn kind_of(action: &str, attributes: &HashMap<String, String>) -> Option<(EventKind, Option<String>)> {
    let code = || attributes.get("exitCode").and_then(|code| code.parse().ok()).unwrap_or(0);
    if let Some((word, words)) = action.split_once(':') {
        let words = words.trim();
        return Some(match word {
            "exec_create" => (EventKind::ExecCreate, Some(words.into())),
            "exec_start" => (EventKind::ExecStart, Some(words.into())),
            "health_status" => (EventKind::HealthStatus(health(words)?), None),
            _ => return None,
        });
    }
    let kind = match action {
        "create" => EventKind::Create,
        "start" => EventKind::Start,
        "pause" => EventKind::Pause,
        "unpause" => EventKind::Unpause,
        "kill" => EventKind::Kill(signal(attributes)?),
        "oom" => EventKind::Oom,
        "die" => EventKind::Die(code()),
        "stop" => EventKind::Stop,
        "restart" => EventKind::Restart,
        "destroy" => EventKind::Destroy,
        "rename" => EventKind::Rename,
        "update" => EventKind::Update,
        "commit" => EventKind::Commit,
        "exec_die" => EventKind::ExecDie(code()),
        _ => return None,
    };
    Some((kind, None))
}

/// Docker 20.10 tells its number; later ones its name.
fn signal(attributes: &HashMap<String, String>) -> Option<Signal> {
    attributes.get("signal")?.parse().ok()
}

pub(super) fn health(word: &str) -> Option<Health> {
    [Health::Starting, Health::Healthy, Health::Unhealthy].into_iter().find(|health| health.word() == word)
}

#[cfg(test)]
mod tests {
    use bollard::models::EventActor;

    use super::*;

    fn message(action: &str, attributes: &[(&str, &str)]) -> EventMessage {
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let actor = EventActor { id: Some("1f".into()), attributes: Some(attributes) };
        EventMessage {
            action: Some(action.into()),
            actor: Some(actor),
            time_nano: Some(7),
            ..EventMessage::default()
        }
    }

    fn kind(action: &str, attributes: &[(&str, &str)]) -> Option<EventKind> {
        read(message(action, attributes)).map(|told| told.kind)
    }

    #[test]
    fn signals_and_codes_are_details() {
        assert_eq!(kind("kill", &[("signal", "15")]), Some(EventKind::Kill(Signal::TERM)));
        assert_eq!(kind("kill", &[("signal", "SIGKILL")]), Some(EventKind::Kill(Signal::KILL)));
        assert_eq!(kind("die", &[("exitCode", "137")]), Some(EventKind::Die(137)));
        assert_eq!(kind("health_status: unhealthy", &[]), Some(EventKind::HealthStatus(Health::Unhealthy)));
    }

    #[test]
    fn a_command_inside_loses_its_words_from_the_event_but_they_are_kept() {
        let told = read(message("exec_create: exit 7", &[("execID", "e"), ("name", "web")])).unwrap();
        assert_eq!((told.kind, told.words.as_deref()), (EventKind::ExecCreate, Some("exit 7")));
        assert_eq!((told.exec.as_deref(), told.name.as_str()), (Some("e"), "web"));
    }

    #[test]
    fn what_a_container_does_not_live_through_is_left_out() {
        for action in ["attach", "archive-path", "resize", "top", "disconnect", "exec_detach"] {
            assert_eq!(kind(action, &[]), None, "{action}");
        }
    }
}
