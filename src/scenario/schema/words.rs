//! How words look: names, times, sizes, signals and the like, as patterns and lists that editors complete from.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

use crate::engine::planted::Break;
use crate::model::{Feat, FileDeed, Signal, State};
use crate::scenario::{
    action::{AskedSignalWord, UrlWord},
    behavior::{FeatWord, FileDeedWord, LastWords, ReactionForm},
    claim::{CpuForm, EVENT_ACTIONS, EventWord, FailureWord, HealthWord, MemoryBound, Ports},
    container::{NetworkWord, PublishWord, RestartWord, VolumeWord},
    format::TextForm,
    quantity::{
        BreakWord, CommandLine, Cpus, Grace, NameWord, Names, Percent, Port, Reference, References,
        SignalWord, Size, Span, StateWord,
    },
    shape::Shape,
};

/// Any text, also one that looks like a number, or none.
pub(in crate::scenario) struct Scalar;

const NAME: &str = "[a-zA-Z0-9][a-zA-Z0-9_.-]*";
const DURATION: &str = r"([0-9]+(\.[0-9]+)?\s*(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y)\s*)+";
const SIZE: &str = r"[0-9]*\.?[0-9]*\s*([bB]|[kKmMgGtTpPeE][iI]?[bB]|[kKmMgGtTpPeE][iI])";
const EXIT_CODE: &str = r"\+?0*(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[0-9]{1,2})";

draw! {
    Scalar, "Text": |_| json_schema!({ "type": ["string", "number", "boolean", "null"] });
    TextForm, "Narration": |generator| {
        let text = generator.subschema_for::<Scalar>();
        json_schema!({
            "description": TextForm::EXPECTED,
            "anyOf": [
                { "type": ["string", "number", "boolean"], "pattern": r"\S" },
                { "type": "object", "minProperties": 1, "additionalProperties": text },
            ],
        })
    };
    NameWord, "Name": |_| word(NameWord::EXPECTED, NAME);
    Names, "Names": |generator| one_or_more::<NameWord>(Names::EXPECTED, generator);
    Reference, "Image": |_| word(Reference::EXPECTED, r"\S+");
    References, "Images": |generator| one_or_more::<Reference>(References::EXPECTED, generator);
    Span, "Duration": |_| text(Span::EXPECTED, &format!(r"\s*{DURATION}"));
    Grace, "Grace": |generator| {
        let duration = generator.subschema_for::<Span>();
        json_schema!({ "description": Grace::EXPECTED, "anyOf": [duration, { "const": "never" }] })
    };
    Size, "Size": |_| text(Size::EXPECTED, SIZE);
    Percent, "Share": |_| text(Percent::EXPECTED, r"\+?[0-9]+\s*%");
    Cpus, "CPUs": |_| json_schema!({
        "description": Cpus::EXPECTED, "type": ["number", "string"], "exclusiveMinimum": 0,
        "pattern": r"^\+?[0-9]*(\.[0-9]{0,3})?$",
    });
    Port, "Port": |_| json_schema!({
        "description": Port::EXPECTED, "type": ["integer", "string"], "minimum": 1, "maximum": 65535,
        "pattern": r"^\+?[0-9]+$",
    });
    Ports, "Ports": |generator| {
        json_schema!({ "description": Ports::EXPECTED, "type": "array", "items": generator.subschema_for::<Port>() })
    };
    CommandLine, "Command": |generator| {
        let text = generator.subschema_for::<Scalar>();
        json_schema!({
            "description": CommandLine::EXPECTED,
            "anyOf": [
                { "type": ["string", "number", "boolean"], "pattern": r#"^[^"'\\]*$"# },
                { "type": "array", "items": text },
            ],
        })
    };
    SignalWord, "Signal": |_| json_schema!({
        "description": SignalWord::EXPECTED,
        "anyOf": [
            { "enum": named_signals().map(|signal| signal.to_string()).collect::<Vec<_>>() },
            { "type": "string", "pattern": format!("^{}$", signal_pattern()) },
            { "type": "integer", "minimum": 1, "maximum": 64 },
        ],
    });
    AskedSignalWord, "AskedSignal": |generator| {
        let signal = generator.subschema_for::<SignalWord>();
        let any = generator.subschema_for::<Scalar>();
        json_schema!({ "description": "a signal, or with `refused` anything else", "anyOf": [signal, any] })
    };
    StateWord, "State": |_| {
        let states = State::ALL.into_iter().filter(|state| *state != State::Creating);
        let described = states.map(|state| json!({ "const": state.word(), "description": state.sentence() }));
        json_schema!({ "description": StateWord::EXPECTED, "oneOf": described.collect::<Vec<_>>() })
    };
    FeatWord, "Feat": |_| words(FeatWord::EXPECTED, &Feat::ALL.map(Feat::word));
    FileDeedWord, "FileDeed": |_| json_schema!({
        "description": FileDeedWord::EXPECTED,
        "type": "string",
        "pattern": format!("^({}) +/.*[^/]$", FileDeed::WORDS.join("|")),
    });
    BreakWord, "Bug": |_| {
        let described = Break::ALL.iter().map(|bug| json!({ "const": bug.name(), "description": bug.sentence() }));
        json_schema!({ "description": BreakWord::EXPECTED, "oneOf": described.collect::<Vec<_>>() })
    };
    RestartWord, "RestartPolicy": |_| json_schema!({
        "description": RestartWord::EXPECTED,
        "anyOf": [
            { "enum": ["no", "on-failure", "always", "unless-stopped"] },
            { "type": "string", "pattern": r"^on-failure:\+?[0-9]+$" },
        ],
    });
    NetworkWord, "Network": |_| json_schema!({
        "description": NetworkWord::EXPECTED,
        "anyOf": [
            { "enum": ["bridge", "none", "host"] },
            { "type": "string", "pattern": format!("^container:{NAME}$") },
        ],
    });
    PublishWord, "PublishedPort": |_| json_schema!({
        "description": PublishWord::EXPECTED,
        "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 65535 },
            { "type": "string", "pattern": r"^((\[?[0-9a-fA-F.:]+\]?:)?(\+?[0-9]+(-\+?[0-9]+)?)?:)?\+?[0-9]+(-\+?[0-9]+)?(/tcp|/udp)?$" },
        ],
    });
    VolumeWord, "Volume": |_| text(VolumeWord::EXPECTED, r"[^:]+:/[\s\S]*");
    UrlWord, "URL": |_| text(UrlWord::EXPECTED, r"http://[^/\s]\S*");
    FailureWord, "RequestFailure": |_| words(FailureWord::EXPECTED, &["refused", "reset", "timed out"]);
    HealthWord, "Health": |_| words(HealthWord::EXPECTED, &["none", "starting", "healthy", "unhealthy"]);
    EventWord, "Event": |_| text(EventWord::EXPECTED, &event_pattern());
    CpuForm, "CPUShare": |generator| {
        let share = generator.subschema_for::<Percent>();
        json_schema!({ "description": CpuForm::EXPECTED, "anyOf": [{ "enum": ["idle", "busy"] }, share] })
    };
    MemoryBound, "MemoryBound": |_| text(MemoryBound::EXPECTED, &format!(r"[<>]\s*{SIZE}\s*"));
    ReactionForm, "Reaction": |generator| {
        let end = generator.subschema_for::<LastWords>();
        json_schema!({ "description": ReactionForm::EXPECTED, "anyOf": [{ "enum": ["ignore", "handle"] }, end] })
    };
}

/// A text of this form.
fn text(expected: &str, pattern: &str) -> Schema {
    json_schema!({ "description": expected, "type": "string", "pattern": format!("^{pattern}$") })
}

/// A word of this form, which YAML may take for a number.
fn word(expected: &str, pattern: &str) -> Schema {
    json_schema!({
        "description": expected, "type": ["string", "number", "boolean"], "pattern": format!("^{pattern}$"),
    })
}

fn words(expected: &str, words: &[&str]) -> Schema {
    json_schema!({ "description": expected, "enum": words })
}

fn one_or_more<T: JsonSchema>(expected: &str, generator: &mut SchemaGenerator) -> Schema {
    let one = generator.subschema_for::<T>();
    json_schema!({
        "description": expected, "anyOf": [one, { "type": "array", "minItems": 1, "items": one }],
    })
}

fn named_signals() -> impl Iterator<Item = Signal> {
    (1..=31).filter_map(Signal::from_number)
}

/// `SIGTERM`, `term`, `15`, `RTMIN+1`.
fn signal_pattern() -> String {
    let in_any_case = |name: &str| {
        let letter = |c: char| match c {
            'A'..='Z' => format!("[{c}{}]", c.to_ascii_lowercase()),
            other => other.to_string(),
        };
        name.chars().map(letter).collect::<String>()
    };
    let names: Vec<_> =
        named_signals().map(|signal| in_any_case(signal.to_string().trim_start_matches("SIG"))).collect();
    let (sig, rtmin) = (in_any_case("SIG"), in_any_case("RTMIN"));
    format!(r"(({sig})?({}|{rtmin}(\+\+?[0-9]+)?)|\+?0*([1-5]?[0-9]|6[0-4]))", names.join("|"))
}

/// `NAME ACTION [DETAIL]`.
fn event_pattern() -> String {
    let others: Vec<_> =
        EVENT_ACTIONS.into_iter().filter(|action| !matches!(*action, "kill" | "die")).collect();
    let (signal, others) = (signal_pattern(), others.join("|"));
    format!(r"\s*{NAME}\s+(kill(\s+{signal})?|die(\s+{EXIT_CODE})?|({others})(\s[\s\S]*)?)\s*")
}

/// `memory: 20MiB` says as much as a mapping with `size`.
pub(in crate::scenario) fn or_a_size(mapping: &mut Schema) {
    let size = text(Size::EXPECTED, SIZE);
    *mapping = json_schema!({ "anyOf": [size, mapping.clone()] });
}

/// `children: 2` says as much as a mapping with `count`.
pub(in crate::scenario) fn or_a_count(mapping: &mut Schema) {
    *mapping = json_schema!({
        "anyOf": [{ "type": ["integer", "string"], "minimum": 0, "pattern": r"^\+?[0-9]+$" }, mapping.clone()],
    });
}
