//! The words that begin an action in a file, and what may follow each: the only place that knows how they pair.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, value::MapAccessDeserializer},
    ser::SerializeMap,
};

use super::{
    action::{
        Action, Build, Crash, Exec, Kill, Remove, Rename, Request, Stop, Tag, Update, UrlWord, WaitExit,
        WaitFor, a_minute, get, half_a_minute,
    },
    quantity::{Names, References, Span},
    shape::{One, Shape, Written},
    words::WordError,
};
use crate::model::{Name, Signal};

/// The words for actions, in the order of a life.
#[derive(Clone, Copy)]
pub(super) enum Verb {
    Create,
    Start,
    Run,
    Pause,
    Unpause,
    Stop,
    Restart,
    Kill,
    Remove,
    Exec,
    Rename,
    Update,
    Crash,
    Reboot,
    Wait,
    WaitExit,
    Request,
    Build,
    Tag,
    Push,
    Pull,
    RemoveImage,
    Async,
    Join,
}

impl Verb {
    pub(super) const ALL: [(Self, &'static str); 24] = [
        (Self::Create, "create"),
        (Self::Start, "start"),
        (Self::Run, "run"),
        (Self::Pause, "pause"),
        (Self::Unpause, "unpause"),
        (Self::Stop, "stop"),
        (Self::Restart, "restart"),
        (Self::Kill, "kill"),
        (Self::Remove, "remove"),
        (Self::Exec, "exec"),
        (Self::Rename, "rename"),
        (Self::Update, "update"),
        (Self::Crash, "crash"),
        (Self::Reboot, "reboot"),
        (Self::Wait, "wait"),
        (Self::WaitExit, "wait_exit"),
        (Self::Request, "request"),
        (Self::Build, "build"),
        (Self::Tag, "tag"),
        (Self::Push, "push"),
        (Self::Pull, "pull"),
        (Self::RemoveImage, "remove_image"),
        (Self::Async, "async"),
        (Self::Join, "join"),
    ];

    /// All words, in the order of a life.
    pub(super) fn words() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(|(_, word)| word)
    }

    /// What a word means.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(verb, _)| *verb)
    }
}

impl Action {
    /// Writes the entry of a step: the word and what follows it.
    pub(super) fn write_entry<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let word = self.word();
        match self {
            Self::Create(names)
            | Self::Start(names)
            | Self::Run(names)
            | Self::Pause(names)
            | Self::Unpause(names)
            | Self::Join(names) => map.serialize_entry(word, &Written::<Names, _>::new(names)),
            Self::Stop(stop) | Self::Restart(stop) => {
                map.serialize_entry(word, &Written::<NamesOrMore, _>::new(stop))
            }
            Self::Kill(kill) => map.serialize_entry(word, &Written::<NamesOrMore, _>::new(kill)),
            Self::Remove(remove) => map.serialize_entry(word, &Written::<NamesOrMore, _>::new(remove)),
            Self::Exec(exec) => map.serialize_entry(word, exec),
            Self::Rename(rename) => map.serialize_entry(word, rename),
            Self::Update(update) => map.serialize_entry(word, update),
            Self::Crash(crash) => map.serialize_entry(word, &Written::<NamesOrMore, _>::new(crash)),
            Self::Reboot => map.serialize_entry(word, "host"),
            Self::Wait(_) | Self::WaitFor(_) => map.serialize_entry(word, &Written::<WaitForm, _>::new(self)),
            Self::WaitExit(wait) => map.serialize_entry(word, &Written::<NamesOrMore, _>::new(wait)),
            Self::Request(request) => map.serialize_entry(word, &Written::<RequestForm, _>::new(request)),
            Self::Build(build) => map.serialize_entry(word, build),
            Self::Tag(tag) => map.serialize_entry(word, tag),
            Self::Push(images) | Self::Pull(images) | Self::RemoveImage(images) => {
                map.serialize_entry(word, &Written::<References, _>::new(images))
            }
            Self::Async(action) => map.serialize_entry(word, &Written::<Begun, _>::new(&**action)),
        }
    }
}

impl<'de> Deserialize<'de> for Verb {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::from_word(&word).ok_or_else(|| {
            de::Error::custom(WordError::unknown("action", &word, &Self::words().collect::<Vec<_>>()))
        })
    }
}

impl<'de> DeserializeSeed<'de> for Verb {
    type Value = Action;

    /// Reads what follows the word.
    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Action, D::Error> {
        Ok(match self {
            Self::Create => Action::Create(One::<Names>::deserialize(value)?),
            Self::Start => Action::Start(One::<Names>::deserialize(value)?),
            Self::Run => Action::Run(One::<Names>::deserialize(value)?),
            Self::Pause => Action::Pause(One::<Names>::deserialize(value)?),
            Self::Unpause => Action::Unpause(One::<Names>::deserialize(value)?),
            Self::Stop => Action::Stop(One::<NamesOrMore>::deserialize(value)?),
            Self::Restart => Action::Restart(One::<NamesOrMore>::deserialize(value)?),
            Self::Kill => Action::Kill(One::<NamesOrMore>::deserialize(value)?),
            Self::Remove => Action::Remove(One::<NamesOrMore>::deserialize(value)?),
            Self::Exec => Action::Exec(Exec::deserialize(value)?),
            Self::Rename => Action::Rename(Rename::deserialize(value)?),
            Self::Update => Action::Update(Update::deserialize(value)?),
            Self::Crash => Action::Crash(One::<NamesOrMore>::deserialize(value)?),
            Self::Reboot => One::<HostWord>::deserialize(value)?,
            Self::Wait => One::<WaitForm>::deserialize(value)?,
            Self::WaitExit => Action::WaitExit(One::<NamesOrMore>::deserialize(value)?),
            Self::Request => Action::Request(One::<RequestForm>::deserialize(value)?),
            Self::Build => Action::Build(Build::deserialize(value)?),
            Self::Tag => Action::Tag(Tag::deserialize(value)?),
            Self::Push => Action::Push(One::<References>::deserialize(value)?),
            Self::Pull => Action::Pull(One::<References>::deserialize(value)?),
            Self::RemoveImage => Action::RemoveImage(One::<References>::deserialize(value)?),
            Self::Async => Action::Async(Box::new(One::<Begun>::deserialize(value)?)),
            Self::Join => Action::Join(One::<Names>::deserialize(value)?),
        })
    }
}

/// `web`, `[web, db]`, or a mapping that names them under `container` and says more.
struct NamesOrMore;

/// What is said with names alone when nothing else has to be.
trait OnNames: Serialize + DeserializeOwned {
    fn on(names: Vec<Name>) -> Self;
    /// The names, if they say it all.
    fn names_alone(&self) -> Option<&Vec<Name>>;
}

impl<T: OnNames> Shape<T> for NamesOrMore {
    const EXPECTED: &'static str = "a container's name, a list of names, or a mapping with `container`";

    fn word(text: &str) -> Result<T, WordError> {
        Names::word(text).map(T::on)
    }

    fn list<'de, A: SeqAccess<'de>>(items: A) -> Result<T, A::Error> {
        Names::list(items).map(T::on)
    }

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries))
    }

    fn write<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        match value.names_alone() {
            Some(names) => Names::write(names, serializer),
            None => value.serialize(serializer),
        }
    }
}

impl OnNames for Stop {
    fn on(containers: Vec<Name>) -> Self {
        Self { containers, timeout: None, signal: None }
    }

    fn names_alone(&self) -> Option<&Vec<Name>> {
        (self.timeout.is_none() && self.signal.is_none()).then_some(&self.containers)
    }
}

impl OnNames for Kill {
    fn on(containers: Vec<Name>) -> Self {
        Self { containers, signal: None }
    }

    fn names_alone(&self) -> Option<&Vec<Name>> {
        self.signal.is_none().then_some(&self.containers)
    }
}

impl OnNames for Remove {
    fn on(containers: Vec<Name>) -> Self {
        Self { containers, force: false }
    }

    fn names_alone(&self) -> Option<&Vec<Name>> {
        (!self.force).then_some(&self.containers)
    }
}

impl OnNames for WaitExit {
    fn on(containers: Vec<Name>) -> Self {
        Self { containers, within: a_minute() }
    }

    fn names_alone(&self) -> Option<&Vec<Name>> {
        (self.within == a_minute()).then_some(&self.containers)
    }
}

impl OnNames for Crash {
    fn on(containers: Vec<Name>) -> Self {
        Self::Process { containers, signal: Signal::KILL }
    }

    fn names_alone(&self) -> Option<&Vec<Name>> {
        match self {
            Self::Process { containers, signal } => (*signal == Signal::KILL).then_some(containers),
            Self::Keeper(_) => None,
        }
    }
}

/// `5s`, or `{ for: { container: web, state: running }, within: 10s }`.
struct WaitForm;

impl Shape<Action> for WaitForm {
    const EXPECTED: &'static str =
        "a duration like `5s`, or a mapping like `{ for: { container: web, state: running } }`";

    fn word(text: &str) -> Result<Action, WordError> {
        Span::word(text).map(Action::Wait)
    }

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<Action, A::Error> {
        WaitFor::deserialize(MapAccessDeserializer::new(entries)).map(Action::WaitFor)
    }

    fn write<S: Serializer>(value: &Action, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Action::Wait(duration) => Span::write(duration, serializer),
            Action::WaitFor(wait) => wait.serialize(serializer),
            other => Begun::write(other, serializer),
        }
    }
}

/// An address, or a mapping with `url`.
struct RequestForm;

impl Shape<Request> for RequestForm {
    const EXPECTED: &'static str = "an address like `http://localhost:8080/`, or a mapping with `url`";

    fn word(text: &str) -> Result<Request, WordError> {
        let url = UrlWord::word(text)?;
        Ok(Request { url, method: get(), body: None, within: half_a_minute() })
    }

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<Request, A::Error> {
        Request::deserialize(MapAccessDeserializer::new(entries))
    }

    fn write<S: Serializer>(value: &Request, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = value.body.is_none() && value.method == get() && value.within == half_a_minute();
        if plain { serializer.serialize_str(&value.url) } else { value.serialize(serializer) }
    }
}

/// `host`: the only thing that reboots.
struct HostWord;

impl Shape<Action> for HostWord {
    const EXPECTED: &'static str = "`host`";

    fn word(text: &str) -> Result<Action, WordError> {
        if text == "host" {
            return Ok(Action::Reboot);
        }
        Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED })
    }

    fn write<S: Serializer>(_: &Action, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("host")
    }
}

/// The action inside `async`.
struct Begun;

impl Shape<Action> for Begun {
    const EXPECTED: &'static str = "a mapping with one action like `{ stop: web }`";

    fn mapping<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Action, A::Error> {
        let mut begun = None;
        while let Some(verb) = entries.next_key()? {
            let action = entries.next_value_seed::<Verb>(verb)?;
            if begun.replace(action).is_some() {
                return Err(de::Error::custom("`async` begins one action, not two"));
            }
        }
        if let Some(action @ (Action::Async(_) | Action::Join(_))) = &begun {
            let word = action.word();
            return Err(de::Error::custom(format_args!(
                "`async` cannot begin `{word}`: write it as a step of its own"
            )));
        }
        begun.ok_or_else(|| de::Error::custom("`async` needs an action to begin, like `{ stop: web }`"))
    }

    fn write<S: Serializer>(value: &Action, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        value.write_entry(&mut map)?;
        map.end()
    }
}
