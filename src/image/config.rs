//! An image's configuration: what its containers are like, and how its layers came to be. Docker's additions to OCI's form
//! (health check, triggers, shell) are read and written, and what we do not know is kept as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::digest::Digest;
use super::platform::Platform;

/// The whole document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Where it runs.
    #[serde(flatten)]
    pub platform: Platform,
    /// What its containers are like.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: RuntimeConfig,
    /// Its layers, by what is in them.
    pub rootfs: RootFs,
    /// How they came to be.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// All else.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// What the containers of an image are like, unless they are asked to be otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RuntimeConfig {
    /// `user[:group]`, by name or number.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub user: String,
    /// `port/protocol` of what it listens on.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", with = "set")]
    pub exposed_ports: BTreeSet<String>,
    /// `NAME=VALUE`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// What the command is given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Directories that are volumes of their own.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", with = "set")]
    pub volumes: BTreeSet<String>,
    /// Where the process begins.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub working_dir: String,
    /// What its maker calls it by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
    /// What `stop` sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// How its health is checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// What a build that begins with this image does first.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub on_build: Vec<String>,
    /// What runs a command that is one text.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub shell: Vec<String>,
    /// All else.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// A health check as Docker writes it: times in nanoseconds, 0 for what is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `NONE`, or `CMD` and a program, or `CMD-SHELL` and a text; nothing if it is inherited.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub test: Vec<String>,
    /// From one check to the next.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: u64,
    /// How long a check may take.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: u64,
    /// How long failures do not count.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: u64,
    /// From one check to the next in that time.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: u64,
    /// How many failures in a row count.
    #[serde(skip_serializing_if = "is_zero_count")]
    pub retries: u32,
}

/// The layers, by the digests of what is in them: the lowest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What each is called when it is not packed.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

/// One instruction that made the image what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What was said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether there is no layer of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Of nothing, for this machine.
    pub fn scratch() -> Self {
        Self {
            created: None,
            author: None,
            platform: Platform::here(),
            config: RuntimeConfig::default(),
            rootfs: RootFs { kind: "layers".into(), diff_ids: Vec::new() },
            history: Vec::new(),
            rest: BTreeMap::new(),
        }
    }
}

impl RuntimeConfig {
    /// Its variables, with the later of two that have the same name.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let pair = |text: &String| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        self.env.iter().map(pair).collect()
    }

    /// Sets a variable where it stands, or at the end.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let text = format!("{name}={value}");
        let named = |pair: &&mut String| pair.split_once('=').is_some_and(|(known, _)| known == name);
        match self.env.iter_mut().find(named) {
            Some(pair) => *pair = text,
            None => self.env.push(text),
        }
    }
}

impl Healthcheck {
    /// A time of ours as Docker writes it.
    pub fn nanoseconds(time: Duration) -> u64 {
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// As Go writes sets: a map in which every member has the value `{}`.
mod set {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::{Deserializer, Serializer};
    use serde_json::{Map, Value};

    pub(super) fn serialize<S: Serializer>(members: &BTreeSet<String>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(members.iter().map(|member| (member, Value::Object(Map::new()))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<String>, D::Error> {
        let map: BTreeMap<String, Value> = super::null_is_default(from)?;
        Ok(map.into_keys().collect())
    }
}

/// Go writes `null` where it has nothing.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero_count(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_writes_is_read_and_nothing_of_it_is_lost() {
        let text = r#"{"architecture":"amd64","os":"linux","docker_version":"20.10","config":{"Hostname":"","User":"",
            "Env":null,"Cmd":["sh"],"Entrypoint":null,"OnBuild":null,"Labels":null,"Healthcheck":{"Test":["NONE"]}},
            "rootfs":{"type":"layers","diff_ids":null},"history":null}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.platform.to_string(), "linux/amd64");
        assert_eq!(config.config.cmd, Some(vec!["sh".into()]));
        assert_eq!(config.config.entrypoint, None);
        assert_eq!(config.config.healthcheck.as_ref().unwrap().test, ["NONE"]);
        let written = serde_json::to_value(&config).unwrap();
        assert_eq!(written["docker_version"], "20.10");
        assert_eq!(written["config"]["Hostname"], "");
    }

    #[test]
    fn the_configuration_of_a_foreign_builder_may_leave_almost_everything_out() {
        let text = r#"{"architecture":"arm64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.config, RuntimeConfig::default());
    }

    #[test]
    fn a_variable_is_set_where_it_stands() {
        let mut config = RuntimeConfig { env: vec!["A=1".into(), "B=2".into()], ..RuntimeConfig::default() };
        config.set_variable("A", "3=4");
        config.set_variable("C", "");
        assert_eq!(config.env, ["A=3=4", "B=2", "C="]);
        assert_eq!(config.variables()["A"], "3=4");
    }
}
