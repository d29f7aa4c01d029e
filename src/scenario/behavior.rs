//! `behavior:` in a file: the forms of [`Behavior`] and of what it is made of.

use std::{
    collections::BTreeMap,
    path::{Component, Path},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{
    Deserialize, Serialize, Serializer,
    de::{MapAccess, value::MapAccessDeserializer},
};

use super::{
    quantity::{Percent, Port, SignalWord, Size, Span, size},
    schema::{self, Scalar},
    shape::{List, Maybe, One, Shape, Table},
    words::WordError,
};
use crate::model::{Behavior, Children, Exit, Feat, FileDeed, HealthPhase, Memory, Reaction, Signal};

/// `behavior: { … }`. The compiler compares these fields with the model's.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(
    remote = "Behavior",
    default = "Behavior::default",
    deny_unknown_fields,
    expecting = "a mapping like `{ cpu: 50% }`"
)]
pub(super) struct BehaviorForm {
    /// How much of one CPU it burns.
    #[serde(with = "One::<Percent>", skip_serializing_if = "is_default")]
    cpu: u32,
    /// How much memory it holds.
    #[serde(with = "Maybe::<MemoryForm>", skip_serializing_if = "is_default")]
    memory: Option<Memory>,
    /// Ports on which it answers HTTP with 200 and `NAME:PORT`.
    #[serde(with = "List::<Port>", skip_serializing_if = "is_default")]
    listen: Vec<u16>,
    /// What it writes to its standard output when it begins.
    #[schemars(with = "Option<Scalar>")]
    #[serde(skip_serializing_if = "is_default")]
    output: Option<String>,
    /// What it tries, as root of its container; it writes of each whether it was done or refused.
    #[serde(with = "List::<FeatWord>", skip_serializing_if = "is_default")]
    tries: Vec<Feat>,
    /// What it does to files of its container; it writes of each what came of it.
    #[serde(with = "List::<FileDeedWord>", skip_serializing_if = "is_default")]
    files: Vec<FileDeed>,
    /// Processes that it starts.
    #[serde(with = "Maybe::<ChildrenForm>", skip_serializing_if = "is_default")]
    children: Option<Children>,
    /// When it ends by itself, and how.
    #[serde(with = "Maybe::<ExitForm>", skip_serializing_if = "is_default")]
    exits: Option<Exit>,
    /// What a health check finds, one span of time after another.
    #[serde(with = "List::<HealthPhaseForm>", skip_serializing_if = "is_default")]
    health: Vec<HealthPhase>,
    /// What it does about signals that it has a handler for.
    #[serde(with = "Table::<SignalWord, ReactionForm>", skip_serializing_if = "is_default")]
    signals: BTreeMap<Signal, Reaction>,
    /// The behaviour of its first run, its second and so on; the last one repeats.
    #[serde(with = "List::<BehaviorForm>", skip_serializing_if = "is_default")]
    runs: Vec<Behavior>,
}

impl Shape<Behavior> for BehaviorForm {
    const EXPECTED: &'static str = "a mapping like `{ cpu: 50% }`";

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<Behavior, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(entries))
    }

    fn write<S: Serializer>(value: &Behavior, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(value, serializer)
    }
}

/// `20MiB`, or `{ size: 20MiB, after: 2s }`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Memory", deny_unknown_fields)]
#[schemars(transform = schema::or_a_size)]
pub(super) struct MemoryForm {
    /// How much.
    #[serde(with = "One::<Size>")]
    size: u64,
    /// How long after the beginning.
    #[serde(default, with = "One::<Span>")]
    after: Duration,
}

impl Shape<Memory> for MemoryForm {
    const EXPECTED: &'static str = "a size like `20MiB`, or a mapping with `size` and `after`";

    fn word(text: &str) -> Result<Memory, WordError> {
        Size::word(text).map(|size| Memory { size, after: Duration::ZERO })
    }

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<Memory, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(entries))
    }

    fn write<S: Serializer>(value: &Memory, serializer: S) -> Result<S::Ok, S::Error> {
        if value.after.is_zero() {
            serializer.serialize_str(&size(value.size))
        } else {
            Self::serialize(value, serializer)
        }
    }
}

/// `2`, or `{ count: 2, memory: 5MiB, exits: { after: 1s }, reap: false }`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Children", deny_unknown_fields)]
#[schemars(transform = schema::or_a_count)]
pub(super) struct ChildrenForm {
    /// How many.
    count: u32,
    /// How much memory each of them holds.
    #[serde(default, with = "Maybe::<Size>", skip_serializing_if = "is_default")]
    memory: Option<u64>,
    /// When it ends by itself, and how.
    #[serde(default, with = "Maybe::<ExitForm>", skip_serializing_if = "is_default")]
    exits: Option<Exit>,
    /// Whether their parent waits for them when they have ended.
    #[serde(default = "reaps")]
    reap: bool,
}

impl Shape<Children> for ChildrenForm {
    const EXPECTED: &'static str = "a number of processes, or a mapping with `count`";

    fn word(text: &str) -> Result<Children, WordError> {
        let count =
            text.parse().map_err(|_| WordError::Expected { text: text.into(), expected: Self::EXPECTED })?;
        Ok(Children { count, memory: None, exits: None, reap: reaps() })
    }

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<Children, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(entries))
    }

    fn write<S: Serializer>(value: &Children, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Children { count, memory: None, exits: None, reap: true } => serializer.serialize_u32(*count),
            children => Self::serialize(children, serializer),
        }
    }
}

/// `{ after: 5s, code: 1 }`; at once and 0 if not said.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Exit", deny_unknown_fields)]
pub(super) struct ExitForm {
    /// How long after the beginning.
    #[serde(default, with = "One::<Span>")]
    after: Duration,
    /// With which exit code.
    #[serde(default)]
    code: u8,
}

impl Shape<Exit> for ExitForm {
    const EXPECTED: &'static str = "a mapping like `{ after: 5s, code: 1 }`";

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<Exit, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(entries))
    }

    fn write<S: Serializer>(value: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(value, serializer)
    }
}

/// `mount`, `reboot` and the like.
pub(super) struct FeatWord;

impl Shape<Feat> for FeatWord {
    const EXPECTED: &'static str = "something that takes root, like `mount`";

    fn word(text: &str) -> Result<Feat, WordError> {
        let found = Feat::ALL.into_iter().find(|feat| feat.word() == text);
        found.ok_or_else(|| WordError::unknown("feat", text, &Feat::ALL.map(Feat::word)))
    }

    fn write<S: Serializer>(value: &Feat, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.word())
    }
}

/// `write /note`, `read /note` or `delete /note`.
pub(super) struct FileDeedWord;

impl FileDeedWord {
    /// Where it writes belongs to no layer: the kernel's own file systems.
    const NO_FILES: [&str; 3] = ["/dev", "/proc", "/sys"];
}

impl Shape<FileDeed> for FileDeedWord {
    const EXPECTED: &'static str = "`write`, `read` or `delete` and the path of a file outside of /dev, /proc and /sys, like `write /note`";

    fn word(text: &str) -> Result<FileDeed, WordError> {
        let (word, path) = text.split_once(' ').unwrap_or((text, ""));
        let path = path.trim_start();
        let plain = Path::new(path).components().all(|part| !matches!(part, Component::ParentDir));
        let file = path.starts_with('/') && !path.ends_with('/') && plain;
        if !file || Self::NO_FILES.iter().any(|directory| Path::new(path).starts_with(directory)) {
            return Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED });
        }
        FileDeed::of(word, path).ok_or_else(|| WordError::unknown("deed", word, &FileDeed::WORDS))
    }

    fn write<S: Serializer>(value: &FileDeed, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{} {}", value.word(), value.path()))
    }
}

/// `{ for: 5s, ok: true }`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "HealthPhase", deny_unknown_fields)]
pub(super) struct HealthPhaseForm {
    /// How long this is found.
    #[serde(rename = "for", with = "One::<Span>")]
    lasts: Duration,
    /// Whether it is found well.
    ok: bool,
}

impl Shape<HealthPhase> for HealthPhaseForm {
    const EXPECTED: &'static str = "a mapping like `{ for: 5s, ok: true }`";

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<HealthPhase, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(entries))
    }

    fn write<S: Serializer>(value: &HealthPhase, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(value, serializer)
    }
}

/// `ignore`, `handle`, or `{ exit: 0, after: 2s }`.
pub(super) struct ReactionForm;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LastWords {
    /// With which exit code it ends.
    exit: u8,
    /// How long after the beginning.
    #[serde(default, with = "One::<Span>", skip_serializing_if = "Duration::is_zero")]
    after: Duration,
}

impl Shape<Reaction> for ReactionForm {
    const EXPECTED: &'static str = "`ignore`, `handle` or a mapping like `{ exit: 0, after: 2s }`";

    fn word(text: &str) -> Result<Reaction, WordError> {
        match text {
            "ignore" => Ok(Reaction::Ignore),
            "handle" => Ok(Reaction::Handle),
            _ => Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED }),
        }
    }

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<Reaction, A::Error> {
        let LastWords { exit, after } = LastWords::deserialize(MapAccessDeserializer::new(entries))?;
        Ok(Reaction::Exit(Exit { after, code: exit }))
    }

    fn write<S: Serializer>(value: &Reaction, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Reaction::Ignore => serializer.serialize_str("ignore"),
            Reaction::Handle => serializer.serialize_str("handle"),
            Reaction::Exit(Exit { after, code }) => {
                LastWords { exit: *code, after: *after }.serialize(serializer)
            }
        }
    }
}

/// A parent waits for its children, as nearly all programs do.
fn reaps() -> bool {
    true
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
