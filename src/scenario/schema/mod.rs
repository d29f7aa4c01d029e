//! The schema of the format, by which editors complete and check: drawn from the same forms that read a file.
//!
//! Mappings draw themselves, from serde's attributes and their doc comments. Here stands what hand-written
//! readers accept, and in `words` how words look; tests hold all of it against the loader.

/// What a value looks like for which there is a word in the format's own language.
macro_rules! draw {
    ($($form:ty, $name:literal: |$generator:pat_param| $schema:expr;)*) => {$(
        impl JsonSchema for $form {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

mod words;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

pub(super) use self::words::{Scalar, or_a_count, or_a_size};

use super::{
    action::{
        Build, CrashFields, Exec, Kill, Remove, Rename, Request, Stop, Tag, Update, UrlWord, WaitExit,
        WaitFor,
    },
    claim::{Bounds, EventWord, EventsForm, FailureWord, Race, TookForm},
    container::{ContainerForm, Declaration},
    expect::{ContainerExpect, EXPECT_WORDS, Expect},
    format::{Rule, Scenario, Step, TextForm},
    quantity::{NameWord, Names, References, Span},
    shape::{List, Maybe, One, Shape, Table},
    verb::Verb,
};

/// The JSON Schema of a scenario.
pub fn schema() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<Scenario>();
    schema.insert("title".into(), "A terrarium scenario".into());
    schema.to_value()
}

draw! {
    EventsForm, "Events": |generator| {
        let list = generator.subschema_for::<List<EventWord>>();
        let race = generator.subschema_for::<Race>();
        json_schema!({ "description": EventsForm::EXPECTED, "anyOf": [list, race] })
    };
    TookForm, "Took": |generator| {
        let duration = generator.subschema_for::<Span>();
        let bounds = generator.subschema_for::<Bounds>();
        json_schema!({ "description": TookForm::EXPECTED, "anyOf": [duration, bounds] })
    };
    Declaration, "Container": |generator| {
        let form = generator.subschema_for::<ContainerForm>();
        json_schema!({ "description": Declaration::EXPECTED, "anyOf": [{ "type": "null" }, form] })
    };
    Expect, "Expect": |generator| {
        let claims: Map<_, _> =
            EXPECT_WORDS.iter().map(|word| ((*word).into(), claim(word, generator))).collect();
        let name = generator.subschema_for::<NameWord>();
        let container = generator.subschema_for::<Maybe<ContainerExpect>>();
        json_schema!({
            "description": "What has to be true after a step: of the step, and of containers by their names.",
            "type": "object", "properties": claims, "propertyNames": name, "additionalProperties": container,
        })
    };
    Rule, "Rule": |generator| {
        let name = generator.subschema_for::<NameWord>();
        let container = generator.subschema_for::<Maybe<ContainerExpect>>();
        json_schema!({
            "description": "Conditions on containers by their names, that hold together.",
            "type": "object", "minProperties": 1, "propertyNames": name, "additionalProperties": container,
        })
    };
    Step, "Step": |generator| {
        let mut keys = Map::new();
        for (verb, word) in Verb::ALL {
            keys.insert(word.into(), action(verb, generator));
        }
        let actions: Vec<_> = Verb::words().map(|word| json!({ "required": [word] })).collect();
        let narration = generator.subschema_for::<Maybe<TextForm>>();
        keys.insert("say".into(), described("What the narrator says.", narration.clone()));
        keys.insert("ask".into(), described("What the learner is asked before it happens.", narration));
        let expect = generator.subschema_for::<Maybe<Expect>>();
        keys.insert("expect".into(), described("What has to be true then.", expect));
        let reason = json_schema!({ "type": ["string", "number", "boolean", "null"], "pattern": r"\S" });
        let reason = described("The action must be refused or fail, with this in the message.", reason);
        keys.insert("refused".into(), reason);
        json_schema!({
            "description": "One action, and what is said, asked and claimed about it.",
            "type": "object", "properties": keys, "additionalProperties": false, "oneOf": actions,
        })
    };
}

/// What follows an action's word.
fn action(verb: Verb, generator: &mut SchemaGenerator) -> Value {
    let (sentence, value) = match verb {
        Verb::Create => ("Makes containers.", generator.subschema_for::<Names>()),
        Verb::Start => ("Starts containers.", generator.subschema_for::<Names>()),
        Verb::Run => ("Makes and starts containers.", generator.subschema_for::<Names>()),
        Verb::Pause => ("Freezes containers.", generator.subschema_for::<Names>()),
        Verb::Unpause => ("Thaws containers.", generator.subschema_for::<Names>()),
        Verb::Stop => (
            "Asks containers to end, and ends them when their grace is over.",
            either::<Names, Stop>(generator),
        ),
        Verb::Restart => ("Stops and starts containers.", either::<Names, Stop>(generator)),
        Verb::Kill => ("Sends a signal through the engine.", either::<Names, Kill>(generator)),
        Verb::Remove => ("Removes containers.", either::<Names, Remove>(generator)),
        Verb::Exec => ("Runs another command in containers.", generator.subschema_for::<Exec>()),
        Verb::Rename => ("Gives a container another name.", generator.subschema_for::<Rename>()),
        Verb::Update => ("Changes limits or the restart policy.", generator.subschema_for::<Update>()),
        Verb::Crash => (
            "Something bad happens to containers, not through the engine.",
            either::<Names, CrashFields>(generator),
        ),
        Verb::Reboot => ("The host goes down and comes up again.", json_schema!({ "const": "host" })),
        Verb::Wait => {
            ("Lets time pass, or waits until a container is in a state.", either::<Span, WaitFor>(generator))
        }
        Verb::WaitExit => ("Waits until containers have died.", either::<Names, WaitExit>(generator)),
        Verb::Request => ("Asks a server by HTTP.", either::<UrlWord, Request>(generator)),
        Verb::Build => ("Builds an image.", generator.subschema_for::<Build>()),
        Verb::Tag => ("Gives an image another name.", generator.subschema_for::<Tag>()),
        Verb::Push => ("Sends images to a registry.", generator.subschema_for::<References>()),
        Verb::Pull => ("Gets images from a registry.", generator.subschema_for::<References>()),
        Verb::RemoveImage => ("Removes images.", generator.subschema_for::<References>()),
        Verb::Async => ("Begins an action and goes on.", begun(generator)),
        Verb::Join => ("Waits for what was begun on these containers.", generator.subschema_for::<Names>()),
    };
    described(sentence, value)
}

/// What can be begun without waiting for its end.
fn begun(generator: &mut SchemaGenerator) -> Schema {
    let verbs = Verb::ALL.into_iter().filter(|(verb, _)| !matches!(verb, Verb::Async | Verb::Join));
    let actions: Map<_, _> = verbs.map(|(verb, word)| (word.into(), action(verb, generator))).collect();
    json_schema!({
        "type": "object", "properties": actions, "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
    })
}

/// What follows a word of `expect`.
fn claim(word: &str, generator: &mut SchemaGenerator) -> Value {
    let (sentence, value) = match word {
        "took" => ("From asking to answer.", generator.subschema_for::<TookForm>()),
        "output" => ("Contained in the output.", generator.subschema_for::<Scalar>()),
        "exec_exit" => ("The exit code of an `exec`.", generator.subschema_for::<u8>()),
        "status" => ("The HTTP status of a `request`.", generator.subschema_for::<u16>()),
        "body" => ("Contained in the body that a `request` got.", generator.subschema_for::<Scalar>()),
        "error" => ("How a `request` failed.", generator.subschema_for::<FailureWord>()),
        "events" => {
            ("The lifecycle events of the step, all of them.", generator.subschema_for::<EventsForm>())
        }
        // A word that is forgotten here would make every scenario wrong that uses it, and a test fail.
        _ => ("", json_schema!(false)),
    };
    described(sentence, value)
}

/// Either containers, perhaps with a signal, or a keeper alone.
pub(super) fn container_or_keeper(mapping: &mut Schema) {
    let given = |key: &str| json!({ "required": [key] });
    let forms = json!([
        { "required": ["container"], "not": given("keeper") },
        { "required": ["keeper"], "not": { "anyOf": [given("container"), given("signal")] } },
    ]);
    mapping.insert("oneOf".into(), forms);
}

/// A short form or a long one.
fn either<A: JsonSchema, B: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let (short, long) = (generator.subschema_for::<A>(), generator.subschema_for::<B>());
    json_schema!({ "anyOf": [short, long] })
}

fn described(sentence: &str, mut schema: Schema) -> Value {
    if schema.as_object().is_some() {
        schema.insert("description".into(), sentence.into());
    }
    schema.to_value()
}

impl<P: JsonSchema> JsonSchema for One<P> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        P::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<P>()
    }
}

impl<P: JsonSchema> JsonSchema for Maybe<P> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Maybe{}", P::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<P>();
        json_schema!({ "anyOf": [value, { "type": "null" }] })
    }
}

// Nothing after the colon is an empty list or mapping.
impl<P: JsonSchema> JsonSchema for List<P> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", P::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["array", "null"], "items": generator.subschema_for::<P>() })
    }
}

impl<Q: JsonSchema, P: JsonSchema> JsonSchema for Table<Q, P> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}By{}", P::schema_name(), Q::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (key, value) = (generator.subschema_for::<Q>(), generator.subschema_for::<P>());
        json_schema!({ "type": ["object", "null"], "propertyNames": key, "additionalProperties": value })
    }
}
