//! A scenario as replay sees it, and the outer layers of its form in a file.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};

use super::{
    action::Action,
    container::Declaration,
    expect::{ContainerExpect, Expect},
    quantity::{BreakWord, NameWord},
    shape::{List, Maybe, One, Shape, Table, Written},
    verb::Verb,
    words::WordError,
};
use crate::engine::planted::Break;
use crate::model::{ContainerSpec, Name};

/// A story about containers: who is in it, what happens, and what is claimed about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called.
    #[serde(with = "One::<TextForm>")]
    pub title: Text,
    /// What it is about, in Markdown.
    #[serde(default, with = "Maybe::<TextForm>", skip_serializing_if = "Option::is_none")]
    pub about: Option<Text>,
    /// Its place among the lessons, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lesson: Option<Lesson>,
    /// The containers that it can create, by name.
    #[serde(default, with = "Table::<NameWord, Declaration>", skip_serializing_if = "BTreeMap::is_empty")]
    pub containers: BTreeMap<Name, ContainerSpec>,
    /// What happens, in order.
    #[schemars(with = "List<Step>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What holds at every moment.
    #[schemars(with = "List<Rule>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub always: Vec<Rule>,
    /// What holds at no moment.
    #[schemars(with = "List<Rule>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<Rule>,
    /// What holds at some moment.
    #[schemars(with = "List<Rule>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub eventually: Vec<Rule>,
    /// The bug that it is about: it is planted wherever the scenario is played, which is only in the simulator.
    #[serde(default, rename = "break", with = "Maybe::<BreakWord>", skip_serializing_if = "Option::is_none")]
    pub planted: Option<Break>,
}

/// A text that people read, in one or several languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The same for everybody.
    Plain(String),
    /// By language code.
    ByLanguage(BTreeMap<String, String>),
}

/// What a scenario teaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// Its place in the course.
    pub order: u32,
    /// What it teaches, in a few words each.
    #[serde(default, with = "List::<TextForm>", skip_serializing_if = "Vec::is_empty")]
    pub teaches: Vec<Text>,
    /// How long a learner takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// For the teacher.
    #[serde(default, with = "Maybe::<TextForm>", skip_serializing_if = "Option::is_none")]
    pub notes: Option<Text>,
}

/// One action, and what is said, asked and claimed about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What happens.
    pub action: Action,
    /// What the narrator says.
    pub say: Option<Text>,
    /// What the learner is asked before it happens.
    pub ask: Option<Text>,
    /// What has to be true then.
    pub expect: Option<Expect>,
    /// The action must be refused or fail, with this in the message.
    pub refused: Option<String>,
    /// Where it stands in its file; 0:0 if it never stood in one.
    pub place: Place,
}

/// A rule of the scenario's own: conditions that hold together.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What holds for each container.
    pub containers: BTreeMap<Name, ContainerExpect>,
    /// Where it stands in its file; 0:0 if it never stood in one.
    pub place: Place,
}

/// A line and a column of a file, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Scenario {
    /// The scenario as a file, in the short forms. Loading it gives the same scenario, but for the places.
    pub fn to_yaml(&self) -> String {
        serde_yaml::to_string(self).expect("every part of a scenario has a form in YAML")
    }
}

impl Text {
    /// The text in a language; else in English; else in any.
    pub fn in_lang(&self, lang: &str) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::ByLanguage(texts) => texts
                .get(lang)
                .or_else(|| texts.get("en"))
                .or_else(|| texts.values().next())
                .map_or("", String::as_str),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Plain(String::new())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// `text`, or `{ en: text, ko: 글 }`.
pub(super) struct TextForm;

impl Shape<Text> for TextForm {
    const EXPECTED: &'static str = "a text, or a mapping like `{ en: a text, ko: 글 }`";

    fn word(text: &str) -> Result<Text, WordError> {
        if text.trim().is_empty() {
            return Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED });
        }
        Ok(Text::Plain(text.to_owned()))
    }

    fn mapping<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Text, A::Error> {
        let mut texts = BTreeMap::new();
        while let Some((language, text)) = entries.next_entry()? {
            texts.insert(language, text);
        }
        if texts.is_empty() {
            return Err(de::Error::invalid_length(0, &"a text in at least one language"));
        }
        Ok(Text::ByLanguage(texts))
    }

    fn write<S: Serializer>(value: &Text, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Text::Plain(text) => serializer.serialize_str(text),
            Text::ByLanguage(texts) => texts.serialize(serializer),
        }
    }
}

/// A key of a step.
enum StepKey {
    Say,
    Ask,
    Expect,
    Refused,
    Action(Verb),
}

impl<'de> Deserialize<'de> for StepKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Ok(match word.as_str() {
            "say" => Self::Say,
            "ask" => Self::Ask,
            "expect" => Self::Expect,
            "refused" => Self::Refused,
            _ => Self::Action(Verb::from_word(&word).ok_or_else(|| {
                let words: Vec<_> = Verb::words().chain(["say", "ask", "expect", "refused"]).collect();
                de::Error::custom(WordError::unknown("key", &word, &words))
            })?),
        })
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Step;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping with an action like `stop: web`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Step, A::Error> {
                let (mut action, mut say, mut ask, mut expect, mut refused) = (None, None, None, None, None);
                while let Some(key) = entries.next_key()? {
                    match key {
                        StepKey::Say => say = entries.next_value::<Said>()?.0,
                        StepKey::Ask => ask = entries.next_value::<Said>()?.0,
                        StepKey::Expect => expect = entries.next_value()?,
                        StepKey::Refused => refused = Some(entries.next_value()?),
                        StepKey::Action(verb) => action = Some(entries.next_value_seed(verb)?),
                    }
                }
                let action =
                    action.ok_or_else(|| de::Error::custom("a step needs an action, like `stop: web`"))?;
                Ok(Step { action, say, ask, expect, refused, place: Place::default() })
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

/// What follows `say` and `ask`.
#[derive(Deserialize)]
#[serde(transparent)]
struct Said(#[serde(with = "Maybe::<TextForm>")] Option<Text>);

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.action.write_entry(&mut map)?;
        if let Some(say) = &self.say {
            map.serialize_entry("say", &Written::<TextForm, _>::new(say))?;
        }
        if let Some(ask) = &self.ask {
            map.serialize_entry("ask", &Written::<TextForm, _>::new(ask))?;
        }
        if let Some(expect) = &self.expect {
            map.serialize_entry("expect", expect)?;
        }
        if let Some(refused) = &self.refused {
            map.serialize_entry("refused", refused)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let containers = BTreeMap::deserialize(deserializer)?;
        if containers.is_empty() {
            return Err(de::Error::custom("a rule needs a condition, like `web: { state: paused }`"));
        }
        Ok(Self { containers, place: Place::default() })
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.containers.serialize(serializer)
    }
}
