//! What `events` shows of a container: the events of its journal, with Docker's attributes.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::super::filter::{FilterError, Filters};
use super::super::moment;
use crate::engine::journal::{Account, Moment, Told};
use crate::model::{EventKind, ExecSpec, Verb};

/// One event.
#[derive(Clone, Debug)]
pub struct Happened {
    /// When.
    pub at: Moment,
    /// Its place in the container's tale, counted from the beginning of its life.
    pub nth: u64,
    /// The container.
    id: String,
    /// The name that it had then.
    name: String,
    action: String,
    attributes: BTreeMap<String, String>,
}

/// Which events are shown.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    filters: Filters,
}

const KEYS: [&str; 6] = ["container", "event", "image", "label", "scope", "type"];

/// All events that a journal tells of, from the `from`th entry of its tale on.
pub fn happened(account: &Account, from: u64) -> Vec<Happened> {
    let mut told = Vec::new();
    let mut execs: VecDeque<&ExecSpec> = VecDeque::new();
    let (mut old_name, mut started) = (String::new(), account.started);
    for (nth, tale) in (account.forgotten..).zip(&account.tale) {
        let event = match &tale.told {
            Told::Asked(_, Verb::Exec(spec)) => {
                execs.push_back(spec);
                continue;
            }
            Told::Emitted(event) => event,
            _ => continue,
        };
        let mut action = event.kind.action().to_owned();
        let mut attributes: BTreeMap<String, String> =
            account.spec.as_ref().map_or_else(BTreeMap::new, |spec| spec.labels.clone());
        let image = account.spec.as_ref().map_or("", |spec| &spec.image);
        attributes.insert("image".into(), image.into());
        attributes.insert("name".into(), event.container.to_string());
        let mut attribute = |key: &str, value: String| {
            attributes.insert(key.into(), value);
        };
        match event.kind {
            EventKind::Start => started = Some(tale.at),
            EventKind::Kill(signal) => attribute("signal", signal.number().to_string()),
            EventKind::Die(code) => {
                attribute("exitCode", code.to_string());
                if let Some(lived) = started.and_then(|at| tale.at.since(&at)) {
                    attribute("execDuration", lived.as_secs().to_string());
                }
            }
            EventKind::ExecDie(code) => attribute("exitCode", code.to_string()),
            EventKind::ExecCreate => action = with_command(&action, execs.front().copied()),
            EventKind::ExecStart => action = with_command(&action, execs.pop_front()),
            EventKind::HealthStatus(health) => action = format!("{action}: {}", health.word()),
            EventKind::Rename => attribute("oldName", format!("/{old_name}")),
            EventKind::Create
            | EventKind::Pause
            | EventKind::Unpause
            | EventKind::Oom
            | EventKind::Stop
            | EventKind::Restart
            | EventKind::Destroy
            | EventKind::Update
            | EventKind::Commit => {}
        }
        old_name = event.container.to_string();
        let name = event.container.to_string();
        told.push(Happened { at: tale.at, nth, id: account.opening.id.clone(), name, action, attributes });
    }
    told.retain(|event| event.nth >= from);
    told
}

fn with_command(action: &str, exec: Option<&ExecSpec>) -> String {
    exec.map_or_else(|| action.to_owned(), |exec| format!("{action}: {}", exec.command.join(" ")))
}

impl Happened {
    /// `2026-11-24T23:56:16.064391379Z container die ID (exitCode=3, image=lab, name=web)`.
    pub fn line(&self) -> String {
        let attributes: Vec<String> =
            self.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let at = moment::fixed(self.at.wall);
        format!("{at} container {} {} ({})", self.action, self.id, attributes.join(", "))
    }

    /// What `--format json` prints.
    pub fn json(&self) -> Value {
        let since = moment::since_epoch(self.at.wall);
        json!({
            "status": self.action, "id": self.id, "from": self.image(), "Type": "container", "Action": self.action,
            "Actor": { "ID": self.id, "Attributes": self.attributes },
            "scope": "local", "time": since.as_secs(), "timeNano": nanos(since),
        })
    }

    /// What a template is filled with.
    pub fn fields(&self) -> Value {
        let since = moment::since_epoch(self.at.wall);
        json!({
            "Status": self.action, "ID": self.id, "From": self.image(), "Type": "container", "Action": self.action,
            "Actor": { "ID": self.id, "Attributes": self.attributes },
            "Scope": "local", "Time": since.as_secs(), "TimeNano": nanos(since),
        })
    }

    fn image(&self) -> &str {
        self.attributes.get("image").map_or("", String::as_str)
    }
}

fn nanos(since: std::time::Duration) -> u64 {
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl EventFilter {
    /// Reads filters.
    pub fn parse(texts: &[String]) -> Result<Self, FilterError> {
        Ok(Self { filters: Filters::parse(texts, &KEYS)? })
    }

    /// Whether an event is to be shown.
    pub fn takes(&self, event: &Happened) -> bool {
        let any = |key: &str, is: &dyn Fn(&str) -> bool| {
            let values = self.filters.values(key);
            values.is_empty() || values.iter().any(|value| is(value))
        };
        // `exec_create` means each of them, whatever it runs.
        let kind = event.action.split(':').next().unwrap_or_default();
        any("container", &|word| word == event.name || (!word.is_empty() && event.id.starts_with(word)))
            && any("event", &|word| word == event.action || word == kind)
            && any("image", &|word| word == event.image())
            && any("type", &|word| word == "container")
            && any("scope", &|word| word == "local")
            && self.filters.match_labels(|key| event.attributes.get(key).map(String::as_str))
    }
}
