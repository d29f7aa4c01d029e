//! An entry of `containers:` in a file: the forms of [`ContainerSpec`] and of what it is made of.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{
    Deserialize, Serialize, Serializer,
    de::{MapAccess, SeqAccess, value::MapAccessDeserializer},
};

use super::{
    behavior::BehaviorForm,
    quantity::{CommandLine, Cpus, Grace, NameWord, Reference, SignalWord, Size, Span},
    schema::Scalar,
    shape::{List, Maybe, One, Shape, Table, read_list},
    words::WordError,
};
use crate::model::{
    Access, Behavior, ContainerSpec, HealthCheck, LAB_IMAGE, Lookup, MemorySwap, NetworkMode, PortBinding,
    Privileges, RestartPolicy, Signal, StopTimeout, Streams, TmpfsMount, VolumeMount,
};

/// A container as declared. The compiler compares these fields with the model's.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "ContainerSpec", default = "ContainerSpec::default", deny_unknown_fields)]
pub(super) struct ContainerForm {
    /// The image that it is made of.
    #[serde(with = "One::<Reference>", skip_serializing_if = "is_lab")]
    image: String,
    #[serde(skip)]
    image_id: Option<String>,
    /// Program and arguments, instead of the image's.
    #[serde(with = "Maybe::<CommandLine>", skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    /// What the command is given to, instead of the image's.
    #[serde(with = "Maybe::<CommandLine>", skip_serializing_if = "Option::is_none")]
    entrypoint: Option<Vec<String>>,
    /// Environment variables.
    #[schemars(with = "Table<Scalar, Scalar>")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    #[serde(skip)]
    unset_env: BTreeSet<String>,
    /// The directory in which it begins.
    #[schemars(with = "Option<Scalar>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    workdir: Option<String>,
    /// Which user, by name or number.
    #[schemars(with = "Option<Scalar>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// What it calls itself; a part of its number if not given.
    #[schemars(with = "Option<Scalar>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    /// Ports of the host that lead to ports of the container: `8080:80`, `127.0.0.1:8080:80/udp`, `8000-8003:80-83`, or `80`
    /// for any.
    #[schemars(with = "List<PublishWord>")]
    #[serde(with = "One::<PublishList>", skip_serializing_if = "Vec::is_empty")]
    publish: Vec<PortBinding>,
    /// What is mounted where: `data:/var/lib/data`, `/srv:/srv:ro`.
    #[serde(with = "List::<VolumeWord>", skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<VolumeMount>,
    /// What happens when its process has ended.
    #[serde(with = "One::<RestartWord>", skip_serializing_if = "is_default")]
    restart: RestartPolicy,
    /// What `stop` sends first; SIGTERM if not given.
    #[serde(with = "Maybe::<SignalWord>", skip_serializing_if = "Option::is_none")]
    stop_signal: Option<Signal>,
    /// How long `stop` waits before SIGKILL; 10 s if not given.
    #[serde(with = "Maybe::<Grace>", skip_serializing_if = "Option::is_none")]
    stop_timeout: Option<StopTimeout>,
    /// The memory limit.
    #[serde(with = "Maybe::<Size>", skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    /// The CPU limit, in CPUs.
    #[serde(with = "Maybe::<Cpus>", skip_serializing_if = "Option::is_none")]
    cpus: Option<u32>,
    /// The limit on the number of processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pids: Option<u32>,
    /// Whether a small init is PID 1, with the program as its child.
    #[serde(skip_serializing_if = "is_default")]
    init: bool,
    /// Whether it is removed when its process has ended.
    #[serde(skip_serializing_if = "is_default")]
    auto_remove: bool,
    /// Whether its root file system cannot be written.
    #[serde(skip_serializing_if = "is_default")]
    read_only: bool,
    /// Whose network it uses.
    #[serde(with = "One::<NetworkWord>", skip_serializing_if = "is_bridge")]
    network: NetworkMode,
    /// How its health is checked.
    #[serde(with = "Maybe::<HealthForm>", skip_serializing_if = "Option::is_none")]
    health: Option<HealthCheck>,
    #[serde(skip)]
    lookup: Lookup,
    #[serde(skip)]
    tmpfs: Vec<TmpfsMount>,
    #[serde(skip)]
    labels: BTreeMap<String, String>,
    #[serde(skip)]
    memory_swap: Option<MemorySwap>,
    #[serde(skip)]
    cpu_shares: Option<u32>,
    #[serde(skip)]
    privileges: Privileges,
    #[serde(skip)]
    streams: Streams,
    /// What its process does; idle for ever, without handlers, if not given.
    #[serde(with = "One::<BehaviorForm>", skip_serializing_if = "is_default")]
    behavior: Behavior,
}

/// A declaration may also say nothing at all: `stubborn:`.
pub(super) struct Declaration;

impl Shape<ContainerSpec> for Declaration {
    const EXPECTED: &'static str = "nothing, or a mapping like `{ image: lab }`";

    fn nothing() -> Option<ContainerSpec> {
        Some(ContainerSpec::default())
    }

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<ContainerSpec, A::Error> {
        ContainerForm::deserialize(MapAccessDeserializer::new(entries))
    }

    fn write<S: Serializer>(value: &ContainerSpec, serializer: S) -> Result<S::Ok, S::Error> {
        ContainerForm::serialize(value, serializer)
    }
}

/// `no`, `on-failure`, `on-failure:3`, `always`, `unless-stopped`.
pub(super) struct RestartWord;

impl Shape<RestartPolicy> for RestartWord {
    const EXPECTED: &'static str = "a restart policy like `always`";

    fn word(text: &str) -> Result<RestartPolicy, WordError> {
        const WORDS: [&str; 5] = ["no", "on-failure", "on-failure:3", "always", "unless-stopped"];
        let wrong = || WordError::unknown("restart policy", text, &WORDS);
        Ok(match text {
            "no" => RestartPolicy::No,
            "always" => RestartPolicy::Always,
            "unless-stopped" => RestartPolicy::UnlessStopped,
            "on-failure" => RestartPolicy::OnFailure { max: 0 },
            _ => {
                let max = text.strip_prefix("on-failure:").ok_or_else(wrong)?;
                RestartPolicy::OnFailure { max: max.parse().map_err(|_| wrong())? }
            }
        })
    }

    fn write<S: Serializer>(value: &RestartPolicy, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }
}

/// `[ip:]host:container[/udp]`, or `container` alone; a range is as many ports.
pub(super) struct PublishWord;

impl Shape<Vec<PortBinding>> for PublishWord {
    const EXPECTED: &'static str =
        "a port like `8080:80`, `127.0.0.1:8080:80/udp`, `8000-8003:80-83` or `80`";

    fn word(text: &str) -> Result<Vec<PortBinding>, WordError> {
        Ok(PortBinding::read(text)?)
    }

    fn write<S: Serializer>(value: &Vec<PortBinding>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(value.iter().map(ToString::to_string))
    }
}

/// A list of such words, which may come to more ports than it has words.
struct PublishList;

impl Shape<Vec<PortBinding>> for PublishList {
    const EXPECTED: &'static str = "a list of ports like `[\"8080:80\"]`";

    fn nothing() -> Option<Vec<PortBinding>> {
        Some(Vec::new())
    }

    fn list<'de, A: SeqAccess<'de>>(items: A) -> Result<Vec<PortBinding>, A::Error> {
        Ok(read_list::<PublishWord, Vec<PortBinding>, A>(items)?.concat())
    }

    fn write<S: Serializer>(value: &Vec<PortBinding>, serializer: S) -> Result<S::Ok, S::Error> {
        PublishWord::write(value, serializer)
    }
}

/// `source:target[:ro]`.
pub(super) struct VolumeWord;

impl Shape<VolumeMount> for VolumeWord {
    const EXPECTED: &'static str = "a volume like `data:/var/lib/data` or `/srv:/srv:ro`";

    fn word(text: &str) -> Result<VolumeMount, WordError> {
        let (paths, access) = match text.strip_suffix(":ro") {
            Some(paths) => (paths, Access::ReadOnly),
            None => (text.strip_suffix(":rw").unwrap_or(text), Access::ReadWrite),
        };
        match paths.split_once(':') {
            Some((source, target)) if !source.is_empty() && target.starts_with('/') => {
                Ok(VolumeMount { source: source.into(), target: target.into(), access })
            }
            _ => Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED }),
        }
    }

    fn write<S: Serializer>(value: &VolumeMount, serializer: S) -> Result<S::Ok, S::Error> {
        let access = match value.access {
            Access::ReadWrite => "",
            Access::ReadOnly => ":ro",
        };
        serializer.serialize_str(&format!("{}:{}{access}", value.source, value.target))
    }
}

/// `bridge`, `none`, `host`, `container:NAME`.
pub(super) struct NetworkWord;

impl Shape<NetworkMode> for NetworkWord {
    const EXPECTED: &'static str = "a network like `bridge`";

    fn word(text: &str) -> Result<NetworkMode, WordError> {
        if let Some(name) = text.strip_prefix("container:") {
            return NameWord::word(name).map(NetworkMode::Container);
        }
        match text {
            "bridge" => Ok(NetworkMode::Bridge),
            "none" => Ok(NetworkMode::None),
            "host" => Ok(NetworkMode::Host),
            _ => Err(WordError::unknown("network", text, &["bridge", "none", "host", "container:NAME"])),
        }
    }

    fn write<S: Serializer>(value: &NetworkMode, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            NetworkMode::Bridge => serializer.serialize_str("bridge"),
            NetworkMode::None => serializer.serialize_str("none"),
            NetworkMode::Host => serializer.serialize_str("host"),
            NetworkMode::Container(name) => serializer.serialize_str(&format!("container:{name}")),
        }
    }
}

/// `{ test: […], interval, timeout, retries, start_period }`, with Docker's defaults.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(remote = "HealthCheck", deny_unknown_fields)]
pub(super) struct HealthForm {
    /// What is run to see whether it is well.
    #[serde(default, with = "One::<CommandLine>", skip_serializing_if = "Vec::is_empty")]
    test: Vec<String>,
    /// From one check to the next.
    #[serde(default = "half_a_minute", with = "One::<Span>")]
    interval: Duration,
    /// How long a check may take.
    #[serde(default = "half_a_minute", with = "One::<Span>")]
    timeout: Duration,
    /// How many checks in a row have to fail.
    #[serde(default = "three")]
    retries: u32,
    /// How long after the start failures do not count.
    #[serde(default, with = "One::<Span>")]
    start_period: Duration,
}

impl Shape<HealthCheck> for HealthForm {
    const EXPECTED: &'static str = "a mapping like `{ test: [check], interval: 1s }`";

    fn mapping<'de, A: MapAccess<'de>>(entries: A) -> Result<HealthCheck, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(entries))
    }

    fn write<S: Serializer>(value: &HealthCheck, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(value, serializer)
    }
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

fn three() -> u32 {
    3
}

fn is_lab(image: &String) -> bool {
    image == LAB_IMAGE
}

fn is_bridge(network: &NetworkMode) -> bool {
    *network == NetworkMode::Bridge
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_needs_a_source_and_an_absolute_target() {
        let mount = VolumeWord::word("data:/d:ro").unwrap();
        assert_eq!((mount.source.as_str(), mount.target.as_str()), ("data", "/d"));
        for text in ["data", ":/d", "data:d", ""] {
            assert!(VolumeWord::word(text).is_err(), "{text} was read");
        }
    }
}
