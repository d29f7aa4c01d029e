//! What a step claims about its outcome and about containers, to be compared with what happens.

use std::{collections::BTreeMap, fmt, time::Duration};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};

use super::{
    claim::{CpuForm, EventsForm, FailureWord, HealthWord, MemoryBound, Ports, TookForm},
    quantity::StateWord,
    schema::Scalar,
    shape::{Maybe, Read, Written},
};
use crate::model::{Name, State};
use crate::world::RequestError;

/// What has to be true after a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// From asking to answer.
    pub took: Option<Took>,
    /// Contained in the output.
    pub output: Option<String>,
    /// The exit code of an `exec`.
    pub exec_exit: Option<u8>,
    /// The HTTP status of a `request`.
    pub status: Option<u16>,
    /// Contained in the body that a `request` got.
    pub body: Option<String>,
    /// How a `request` failed.
    pub error: Option<RequestError>,
    /// The lifecycle events of the step, all of them.
    pub events: Option<Events>,
    /// What holds for each container.
    pub containers: BTreeMap<Name, ContainerExpect>,
}

/// How long a command took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// So long, within the tolerance of the engine.
    About(Duration),
    /// Bounds that are taken as written.
    Between {
        /// No less than this.
        at_least: Option<Duration>,
        /// No more than this.
        at_most: Option<Duration>,
    },
}

/// The events of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// Exactly these and no others.
    pub list: Vec<EventPattern>,
    /// Whether their order counts.
    pub order: Order,
}

/// Whether the order of events counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As written.
    Exact,
    /// Any: they race.
    Any,
}

/// One event: `web kill SIGTERM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPattern {
    /// Whose event.
    pub container: Name,
    /// What happened, in Docker's words.
    pub action: String,
    /// The signal, the exit code and the like; anything if not given.
    pub detail: Option<String>,
}

/// What holds for one container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping like `{ state: running }`")]
pub struct ContainerExpect {
    /// Where it is in its life.
    #[serde(with = "Maybe::<StateWord>", skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Its exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    /// Whether it ran out of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom: Option<bool>,
    /// How often its policy has started it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// Live processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// CPU used over the half second after the step.
    #[serde(with = "Maybe::<CpuForm>", skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuExpect>,
    /// Memory held.
    #[serde(with = "Maybe::<MemoryBound>", skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryExpect>,
    /// Host ports held, all of them.
    #[serde(with = "Maybe::<Ports>", skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<u16>>,
    /// What its health check says.
    #[serde(with = "Maybe::<HealthWord>", skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthState>,
    /// Contained in the error that its last start left.
    #[schemars(with = "Option<Scalar>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How busy a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuExpect {
    /// Under 5 % of one CPU.
    Idle,
    /// Over 25 % of one CPU.
    Busy,
    /// About so many percent of one CPU.
    Percent(u32),
}

/// A bound on the memory a container holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryExpect {
    /// More than this.
    More(u64),
    /// Less than this.
    Less(u64),
}

/// What a health check says, in Docker's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthState {
    /// There is no check.
    None,
    /// Not known yet.
    Starting,
    /// The last check succeeded.
    Healthy,
    /// The last checks failed.
    Unhealthy,
}

/// The keys of `expect` that are not names of containers.
pub(super) const EXPECT_WORDS: [&str; 7] =
    ["took", "output", "exec_exit", "status", "body", "error", "events"];

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.container, self.action)?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, " {detail}"))
    }
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Claims;

        impl<'de> Visitor<'de> for Claims {
            type Value = Expect;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping like `{ took: 10s, web: { state: stopped } }`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Expect, A::Error> {
                let mut expect = Expect::default();
                while let Some(key) = entries.next_key::<String>()? {
                    match key.as_str() {
                        "took" => expect.took = Some(entries.next_value_seed(Read::<TookForm, _>::new())?),
                        "output" => expect.output = Some(entries.next_value()?),
                        "exec_exit" => expect.exec_exit = Some(entries.next_value()?),
                        "status" => expect.status = Some(entries.next_value()?),
                        "body" => expect.body = Some(entries.next_value()?),
                        "error" => {
                            expect.error = Some(entries.next_value_seed(Read::<FailureWord, _>::new())?);
                        }
                        "events" => {
                            expect.events = Some(entries.next_value_seed(Read::<EventsForm, _>::new())?);
                        }
                        _ => {
                            let claims = entries.next_value()?;
                            expect.containers.insert(Name::new(key).map_err(de::Error::custom)?, claims);
                        }
                    }
                }
                Ok(expect)
            }
        }

        deserializer.deserialize_map(Claims)
    }
}

impl Serialize for Expect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(took) = &self.took {
            map.serialize_entry("took", &Written::<TookForm, _>::new(took))?;
        }
        if let Some(output) = &self.output {
            map.serialize_entry("output", output)?;
        }
        if let Some(code) = &self.exec_exit {
            map.serialize_entry("exec_exit", code)?;
        }
        if let Some(status) = &self.status {
            map.serialize_entry("status", status)?;
        }
        if let Some(body) = &self.body {
            map.serialize_entry("body", body)?;
        }
        if let Some(error) = &self.error {
            map.serialize_entry("error", &Written::<FailureWord, _>::new(error))?;
        }
        for (name, claims) in &self.containers {
            map.serialize_entry(name, claims)?;
        }
        if let Some(events) = &self.events {
            map.serialize_entry("events", &Written::<EventsForm, _>::new(events))?;
        }
        map.end()
    }
}
