//! How claims are written: the forms of what stands under `expect` and of a condition.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{
    Deserialize, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, value::MapAccessDeserializer},
};

use super::{
    expect::{CpuExpect, EventPattern, Events, HealthState, MemoryExpect, Order, Took},
    quantity::{Percent, Port, SignalWord, Size, Span, signal_name, size},
    shape::{List, Maybe, Shape, Written, read_list},
    words::WordError,
};
use crate::model::Name;
use crate::world::RequestError;

/// Everything that an event can say happened, in Docker's words.
pub(super) const EVENT_ACTIONS: [&str; 21] = [
    "create",
    "start",
    "kill",
    "die",
    "stop",
    "restart",
    "pause",
    "unpause",
    "destroy",
    "oom",
    "rename",
    "update",
    "health_status",
    "exec_create",
    "exec_start",
    "exec_die",
    "exec_detach",
    "attach",
    "detach",
    "commit",
    "resize",
];

/// `10s`, or `{ at_least: 9s, at_most: 11s }`.
pub(super) struct TookForm;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct Bounds {
    /// No less than this.
    #[serde(default, with = "Maybe::<Span>", skip_serializing_if = "Option::is_none")]
    at_least: Option<Duration>,
    /// No more than this.
    #[serde(default, with = "Maybe::<Span>", skip_serializing_if = "Option::is_none")]
    at_most: Option<Duration>,
}

impl Shape<Took> for TookForm {
    const EXPECTED: &'static str = "a duration like `10s`, or `{ at_least: 9s, at_most: 11s }`";

    fn word(text: &str) -> Result<Took, WordError> {
        Span::word(text).map(Took::About)
    }

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<Took, A::Error> {
        let Bounds { at_least, at_most } = Bounds::deserialize(MapAccessDeserializer::new(entries))?;
        if at_least.is_none() && at_most.is_none() {
            return Err(de::Error::custom("`took` needs `at_least` or `at_most`"));
        }
        if at_least.zip(at_most).is_some_and(|(least, most)| least > most) {
            return Err(de::Error::custom("nothing can take `at_least` more than `at_most`"));
        }
        Ok(Took::Between { at_least, at_most })
    }

    fn write<S: Serializer>(value: &Took, serializer: S) -> Result<S::Ok, S::Error> {
        match *value {
            Took::About(duration) => Span::write(&duration, serializer),
            Took::Between { at_least, at_most } => Bounds { at_least, at_most }.serialize(serializer),
        }
    }
}

/// `refused`, `reset`, `timed out`.
pub(super) struct FailureWord;

impl Shape<RequestError> for FailureWord {
    const EXPECTED: &'static str = "`refused`, `reset` or `timed out`";

    fn word(text: &str) -> Result<RequestError, WordError> {
        match text {
            "refused" => Ok(RequestError::Refused),
            "reset" => Ok(RequestError::Reset),
            "timed out" => Ok(RequestError::TimedOut),
            _ => Err(WordError::unknown("failure of a request", text, &["refused", "reset", "timed out"])),
        }
    }

    fn write<S: Serializer>(value: &RequestError, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match value {
            RequestError::Refused => "refused",
            RequestError::Reset => "reset",
            RequestError::TimedOut => "timed out",
        })
    }
}

/// A list of events, or `{ any_order: [...] }`.
pub(super) struct EventsForm;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Race {
    /// All of them, in whatever order.
    #[serde(with = "List::<EventWord>")]
    any_order: Vec<EventPattern>,
}

impl Shape<Events> for EventsForm {
    const EXPECTED: &'static str = "a list like `[web kill SIGTERM, web die 0]`, or `{ any_order: [...] }`";

    fn list<'de, A: SeqAccess<'de>>(items: A) -> Result<Events, A::Error> {
        Ok(Events { list: read_list::<EventWord, _, A>(items)?, order: Order::Exact })
    }

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<Events, A::Error> {
        let race = Race::deserialize(MapAccessDeserializer::new(entries))?;
        Ok(Events { list: race.any_order, order: Order::Any })
    }

    fn write<S: Serializer>(value: &Events, serializer: S) -> Result<S::Ok, S::Error> {
        match value.order {
            Order::Exact => serializer.collect_seq(value.list.iter().map(Written::<EventWord, _>::new)),
            Order::Any => Race { any_order: value.list.clone() }.serialize(serializer),
        }
    }
}

/// `NAME ACTION [DETAIL]`.
pub(super) struct EventWord;

impl Shape<EventPattern> for EventWord {
    const EXPECTED: &'static str = "an event like `web kill SIGTERM`";

    fn word(text: &str) -> Result<EventPattern, WordError> {
        let mut words = text.split_whitespace();
        let (Some(container), Some(action)) = (words.next(), words.next()) else {
            return Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED });
        };
        if !EVENT_ACTIONS.contains(&action) {
            return Err(WordError::unknown("event", action, &EVENT_ACTIONS));
        }
        let detail: Vec<_> = words.collect();
        let detail = (!detail.is_empty()).then(|| detail.join(" "));
        let detail = match (action, detail) {
            ("kill", Some(signal)) => Some(signal_name(SignalWord::word(&signal)?)),
            ("die", Some(code)) if code.parse::<u8>().is_err() => {
                return Err(WordError::Expected { text: code, expected: "an exit code from 0 to 255" });
            }
            (_, detail) => detail,
        };
        Ok(EventPattern { container: Name::new(container)?, action: action.to_owned(), detail })
    }

    fn write<S: Serializer>(value: &EventPattern, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }
}

/// `idle`, `busy`, `50%`.
pub(super) struct CpuForm;

impl Shape<CpuExpect> for CpuForm {
    const EXPECTED: &'static str = "`idle`, `busy` or a share of one CPU like `50%`";

    fn word(text: &str) -> Result<CpuExpect, WordError> {
        match text {
            "idle" => Ok(CpuExpect::Idle),
            "busy" => Ok(CpuExpect::Busy),
            _ if text.starts_with(|c: char| c.is_ascii_digit()) => {
                Percent::word(text).map(CpuExpect::Percent)
            }
            _ => Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED }),
        }
    }

    fn write<S: Serializer>(value: &CpuExpect, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            CpuExpect::Idle => serializer.serialize_str("idle"),
            CpuExpect::Busy => serializer.serialize_str("busy"),
            CpuExpect::Percent(percent) => Percent::write(percent, serializer),
        }
    }
}

/// `"> 10MiB"`, `"< 1GiB"`.
pub(super) struct MemoryBound;

impl Shape<MemoryExpect> for MemoryBound {
    const EXPECTED: &'static str = "a bound in quotes like `\"> 10MiB\"` or `\"< 1GiB\"`";

    fn word(text: &str) -> Result<MemoryExpect, WordError> {
        if let Some(size) = text.strip_prefix('>') {
            Size::word(size.trim()).map(MemoryExpect::More)
        } else if let Some(size) = text.strip_prefix('<') {
            Size::word(size.trim()).map(MemoryExpect::Less)
        } else {
            Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED })
        }
    }

    fn write<S: Serializer>(value: &MemoryExpect, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&match value {
            MemoryExpect::More(bytes) => format!("> {}", size(*bytes)),
            MemoryExpect::Less(bytes) => format!("< {}", size(*bytes)),
        })
    }
}

/// A list of ports, perhaps empty.
pub(super) struct Ports;

impl Shape<Vec<u16>> for Ports {
    const EXPECTED: &'static str = "a list of ports on the host like `[8080]`";

    fn list<'de, A: SeqAccess<'de>>(items: A) -> Result<Vec<u16>, A::Error> {
        read_list::<Port, _, A>(items)
    }

    fn write<S: Serializer>(value: &Vec<u16>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(value)
    }
}

/// Docker's words for health.
pub(super) struct HealthWord;

impl Shape<HealthState> for HealthWord {
    const EXPECTED: &'static str = "`none`, `starting`, `healthy` or `unhealthy`";

    fn word(text: &str) -> Result<HealthState, WordError> {
        match text {
            "none" => Ok(HealthState::None),
            "starting" => Ok(HealthState::Starting),
            "healthy" => Ok(HealthState::Healthy),
            "unhealthy" => Ok(HealthState::Unhealthy),
            _ => Err(WordError::unknown("health", text, &["none", "starting", "healthy", "unhealthy"])),
        }
    }

    fn write<S: Serializer>(value: &HealthState, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match value {
            HealthState::None => "none",
            HealthState::Starting => "starting",
            HealthState::Healthy => "healthy",
            HealthState::Unhealthy => "unhealthy",
        })
    }
}
