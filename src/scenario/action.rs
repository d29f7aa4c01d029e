//! What a step does: one variant for each verb of the format, and what its long form can say.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::{
    container::RestartWord,
    quantity::{CommandLine, Cpus, Grace, NameWord, Names, Reference, SignalWord, Size, Span, StateWord},
    schema::{self, Scalar},
    shape::{Maybe, One, Shape},
    words::WordError,
};
use crate::model::{Name, RestartPolicy, Signal, State, StopTimeout};
use crate::world::images::Context;

/// What a step does. A list of names means the same on each in turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Makes containers.
    Create(Vec<Name>),
    /// Starts containers.
    Start(Vec<Name>),
    /// Makes and starts containers.
    Run(Vec<Name>),
    /// Freezes containers.
    Pause(Vec<Name>),
    /// Thaws containers.
    Unpause(Vec<Name>),
    /// Asks containers to end, and ends them when their grace is over.
    Stop(Stop),
    /// Stops and starts containers.
    Restart(Stop),
    /// Sends a signal through the engine.
    Kill(Kill),
    /// Removes containers.
    Remove(Remove),
    /// Runs another command in containers.
    Exec(Exec),
    /// Gives a container another name.
    Rename(Rename),
    /// Changes limits or the restart policy.
    Update(Update),
    /// Something bad happens to containers, not through the engine.
    Crash(Crash),
    /// The host goes down and comes up again.
    Reboot,
    /// Lets time pass.
    Wait(Duration),
    /// Waits until a container is in a state.
    WaitFor(WaitFor),
    /// Waits until containers have died.
    WaitExit(WaitExit),
    /// Asks a server by HTTP.
    Request(Request),
    /// Builds an image.
    Build(Build),
    /// Gives an image another name.
    Tag(Tag),
    /// Sends images to a registry.
    Push(Vec<String>),
    /// Gets images from a registry.
    Pull(Vec<String>),
    /// Removes images.
    RemoveImage(Vec<String>),
    /// Begins an action and goes on.
    Async(Box<Action>),
    /// Waits for what was begun on these containers.
    Join(Vec<Name>),
}

/// `stop`, `restart`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Which containers.
    #[serde(rename = "container", with = "One::<Names>")]
    pub containers: Vec<Name>,
    /// How long to wait before SIGKILL; what the container says if not given.
    #[serde(default, with = "Maybe::<Grace>", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<StopTimeout>,
    /// What asks it to end; what the container says if not given.
    #[serde(default, with = "Maybe::<SignalWord>", skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
}

/// `kill`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Which containers.
    #[serde(rename = "container", with = "One::<Names>")]
    pub containers: Vec<Name>,
    /// Which signal; SIGKILL if not given.
    #[serde(default, with = "Maybe::<AskedSignalWord>", skip_serializing_if = "Option::is_none")]
    pub signal: Option<AskedSignal>,
}

/// A signal as asked for. An unknown one can stand only where the engine is expected to refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedSignal {
    /// There is such a signal.
    Known(Signal),
    /// There is none; the text as it was written.
    Unknown(String),
}

/// `remove`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Which containers.
    #[serde(rename = "container", with = "One::<Names>")]
    pub containers: Vec<Name>,
    /// Whether a running container is killed first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub force: bool,
}

/// `exec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// In which containers.
    #[serde(rename = "container", with = "One::<Names>")]
    pub containers: Vec<Name>,
    /// Program and arguments.
    #[serde(with = "One::<CommandLine>")]
    pub command: Vec<String>,
}

/// `rename`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// Its name so far.
    #[serde(with = "One::<NameWord>")]
    pub container: Name,
    /// Its name from now on.
    #[serde(with = "One::<NameWord>")]
    pub to: Name,
}

/// `update`: what is not given stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// Which containers.
    #[serde(rename = "container", with = "One::<Names>")]
    pub containers: Vec<Name>,
    /// Restart policy.
    #[serde(default, with = "Maybe::<RestartWord>", skip_serializing_if = "Option::is_none")]
    pub restart: Option<RestartPolicy>,
    /// Memory limit in bytes.
    #[serde(default, with = "Maybe::<Size>", skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// CPU limit in thousandths of a CPU.
    #[serde(default, with = "Maybe::<Cpus>", skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Limit on the number of processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
}

/// `crash`: what befalls a container from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CrashFields", into = "CrashFields")]
pub enum Crash {
    /// A signal reaches its process.
    Process {
        /// Which containers.
        containers: Vec<Name>,
        /// Which signal.
        signal: Signal,
    },
    /// The process that keeps the container is killed.
    Keeper(Name),
}

/// `wait: { for: … }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitFor {
    /// What is waited for.
    #[serde(rename = "for")]
    pub awaited: Awaited,
    /// How long to wait for it.
    #[serde(default = "half_a_minute", with = "One::<Span>", skip_serializing_if = "is_half_a_minute")]
    pub within: Duration,
}

/// A state that a container holds already or enters in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Awaited {
    /// Which container.
    #[serde(with = "One::<NameWord>")]
    pub container: Name,
    /// The state.
    #[serde(with = "One::<StateWord>")]
    pub state: State,
}

/// `wait_exit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitExit {
    /// Which containers.
    #[serde(rename = "container", with = "One::<Names>")]
    pub containers: Vec<Name>,
    /// How long to wait for the death of each.
    #[serde(default = "a_minute", with = "One::<Span>", skip_serializing_if = "is_a_minute")]
    pub within: Duration,
}

/// `request`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// An `http://` address on this host.
    #[serde(with = "One::<UrlWord>")]
    pub url: String,
    /// The HTTP method.
    #[schemars(with = "Scalar")]
    #[serde(default = "get", skip_serializing_if = "is_get")]
    pub method: String,
    /// What is sent along.
    #[schemars(with = "Option<Scalar>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// How long to wait for the whole answer.
    #[serde(default = "half_a_minute", with = "One::<Span>", skip_serializing_if = "is_half_a_minute")]
    pub within: Duration,
}

/// `build`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// What the image will be called.
    #[serde(with = "One::<Reference>")]
    pub image: String,
    /// The directory that is handed over, as seen from the scenario's own.
    #[schemars(with = "Scalar")]
    pub from: PathBuf,
    /// The build file in it; `Dockerfile` if not given.
    #[schemars(with = "Option<Scalar>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The files of that directory.
    #[serde(skip)]
    pub context: Context,
}

impl Build {
    /// Where the build file is among those files.
    pub fn build_file(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| "Dockerfile".into())
    }
}

/// `tag`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// Which image.
    #[serde(with = "One::<Reference>")]
    pub image: String,
    /// Its other name.
    #[serde(with = "One::<Reference>")]
    pub to: String,
}

impl Action {
    /// The word that begins it in a file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Start(_) => "start",
            Self::Run(_) => "run",
            Self::Pause(_) => "pause",
            Self::Unpause(_) => "unpause",
            Self::Stop(_) => "stop",
            Self::Restart(_) => "restart",
            Self::Kill(_) => "kill",
            Self::Remove(_) => "remove",
            Self::Exec(_) => "exec",
            Self::Rename(_) => "rename",
            Self::Update(_) => "update",
            Self::Crash(_) => "crash",
            Self::Reboot => "reboot",
            Self::Wait(_) | Self::WaitFor(_) => "wait",
            Self::WaitExit(_) => "wait_exit",
            Self::Request(_) => "request",
            Self::Build(_) => "build",
            Self::Tag(_) => "tag",
            Self::Push(_) => "push",
            Self::Pull(_) => "pull",
            Self::RemoveImage(_) => "remove_image",
            Self::Async(_) => "async",
            Self::Join(_) => "join",
        }
    }

    /// The action that is begun, where `async` begins one; else itself.
    pub fn begun(&self) -> &Self {
        match self {
            Self::Async(action) => action,
            action => action,
        }
    }

    /// Whether it does something with images.
    pub fn is_about_images(&self) -> bool {
        matches!(self, Self::Build(_) | Self::Tag(_) | Self::Push(_) | Self::Pull(_) | Self::RemoveImage(_))
    }

    /// The names that images get by it.
    pub fn names_given(&self) -> &[String] {
        match self.begun() {
            Self::Build(Build { image, .. }) | Self::Tag(Tag { to: image, .. }) => {
                std::slice::from_ref(image)
            }
            Self::Pull(images) => images,
            _ => &[],
        }
    }

    /// The names that images get or lose by it.
    pub fn names_changed(&self) -> &[String] {
        match self.begun() {
            Self::RemoveImage(images) => images,
            _ => self.names_given(),
        }
    }

    /// The containers that it is about, in its order; those of an `async` action are its action's.
    pub fn containers(&self) -> &[Name] {
        match self {
            Self::Create(names)
            | Self::Start(names)
            | Self::Run(names)
            | Self::Pause(names)
            | Self::Unpause(names)
            | Self::Join(names)
            | Self::Crash(Crash::Process { containers: names, .. }) => names,
            Self::Stop(stop) | Self::Restart(stop) => &stop.containers,
            Self::Kill(kill) => &kill.containers,
            Self::Remove(remove) => &remove.containers,
            Self::Exec(exec) => &exec.containers,
            Self::Update(update) => &update.containers,
            Self::WaitExit(wait) => &wait.containers,
            Self::Rename(Rename { container: name, .. })
            | Self::WaitFor(WaitFor { awaited: Awaited { container: name, .. }, .. })
            | Self::Crash(Crash::Keeper(name)) => std::slice::from_ref(name),
            Self::Async(action) => action.containers(),
            Self::Reboot
            | Self::Wait(_)
            | Self::Request(_)
            | Self::Build(_)
            | Self::Tag(_)
            | Self::Push(_)
            | Self::Pull(_)
            | Self::RemoveImage(_) => &[],
        }
    }
}

/// `crash` as written: either `container` or `keeper`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = schema::container_or_keeper)]
pub(super) struct CrashFields {
    /// Which containers a signal reaches.
    #[serde(default, with = "Maybe::<Names>", skip_serializing_if = "Option::is_none")]
    container: Option<Vec<Name>>,
    /// Which signal; SIGKILL if not given.
    #[serde(default, with = "Maybe::<SignalWord>", skip_serializing_if = "Option::is_none")]
    signal: Option<Signal>,
    /// Whose keeper is killed.
    #[serde(default, with = "Maybe::<NameWord>", skip_serializing_if = "Option::is_none")]
    keeper: Option<Name>,
}

impl TryFrom<CrashFields> for Crash {
    type Error = &'static str;

    fn try_from(fields: CrashFields) -> Result<Self, Self::Error> {
        match fields {
            CrashFields { container: Some(containers), signal, keeper: None } => {
                Ok(Self::Process { containers, signal: signal.unwrap_or(Signal::KILL) })
            }
            CrashFields { container: None, signal: None, keeper: Some(name) } => Ok(Self::Keeper(name)),
            _ => Err("expected either `container`, perhaps with `signal`, or `keeper` alone"),
        }
    }
}

impl From<Crash> for CrashFields {
    fn from(crash: Crash) -> Self {
        match crash {
            Crash::Process { containers, signal } => {
                let signal = (signal != Signal::KILL).then_some(signal);
                Self { container: Some(containers), signal, keeper: None }
            }
            Crash::Keeper(name) => Self { container: None, signal: None, keeper: Some(name) },
        }
    }
}

/// A signal, or what somebody takes for one.
pub(super) struct AskedSignalWord;

impl Shape<AskedSignal> for AskedSignalWord {
    const EXPECTED: &'static str = SignalWord::EXPECTED;

    fn word(text: &str) -> Result<AskedSignal, WordError> {
        Ok(text.parse().map_or_else(|_| AskedSignal::Unknown(text.to_owned()), AskedSignal::Known))
    }

    fn write<S: Serializer>(value: &AskedSignal, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            AskedSignal::Known(signal) => SignalWord::write(signal, serializer),
            AskedSignal::Unknown(text) => serializer.serialize_str(text),
        }
    }
}

/// An `http://` address.
pub(super) struct UrlWord;

impl Shape<String> for UrlWord {
    const EXPECTED: &'static str = "an address on this host like `http://localhost:8080/`";

    fn word(text: &str) -> Result<String, WordError> {
        let host = text.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap_or("");
        if host.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED });
        }
        Ok(text.to_owned())
    }

    fn write<S: Serializer>(value: &String, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value)
    }
}

pub(super) fn get() -> String {
    "GET".into()
}

fn is_get(method: &String) -> bool {
    method == "GET"
}

pub(super) fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

fn is_half_a_minute(duration: &Duration) -> bool {
    *duration == half_a_minute()
}

pub(super) fn a_minute() -> Duration {
    Duration::from_secs(60)
}

fn is_a_minute(duration: &Duration) -> bool {
    *duration == a_minute()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
