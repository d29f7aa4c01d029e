//! What is asked for at create: everything about a container that does not change by living.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
    vec::Vec,
};
use core::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Behavior, Lookup, Name, Signal};

/// The image that is built in: a copy of the running binary that acts out a [`Behavior`].
pub const LAB_IMAGE: &str = "lab";

/// A container as asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The image it is made from, as it was asked for.
    pub image: String,
    /// Which image that was at the time; none for the built-in one, and where images are only declared.
    pub image_id: Option<String>,
    /// Overrides the image's CMD.
    pub command: Option<Vec<String>>,
    /// Overrides the image's ENTRYPOINT.
    pub entrypoint: Option<Vec<String>>,
    /// Environment variables beside the image's.
    pub env: BTreeMap<String, String>,
    /// Variables of the image that it does not get.
    pub unset_env: BTreeSet<String>,
    /// Working directory.
    pub workdir: Option<String>,
    /// `user[:group]`, by name or number.
    pub user: Option<String>,
    /// Host name; else the container's id.
    pub hostname: Option<String>,
    /// Host ports that lead inside.
    pub publish: Vec<PortBinding>,
    /// Host directories or volumes that appear inside.
    pub volumes: Vec<VolumeMount>,
    /// What happens after its process has ended.
    pub restart: RestartPolicy,
    /// The signal that `stop` sends first; Docker's default is SIGTERM.
    pub stop_signal: Option<Signal>,
    /// How long `stop` waits before SIGKILL, when the request does not say.
    pub stop_timeout: Option<StopTimeout>,
    /// Memory limit in bytes.
    pub memory: Option<u64>,
    /// How much of swap it may use beside its memory; none at all if not given.
    #[serde(default)]
    pub memory_swap: Option<MemorySwap>,
    /// CPU limit in thousandths of a CPU.
    pub cpus: Option<u32>,
    /// Its share of a busy CPU, in relation to others: 1024 is usual.
    #[serde(default)]
    pub cpu_shares: Option<u32>,
    /// Limit on the number of processes.
    pub pids: Option<u32>,
    /// Whether a small init is PID 1 and forwards signals to the process.
    pub init: bool,
    /// Whether the container is removed once it has ended.
    pub auto_remove: bool,
    /// Whether its root file system is read-only.
    pub read_only: bool,
    /// The network it lives in.
    pub network: NetworkMode,
    /// Whom it asks for names, and whose it knows by itself.
    #[serde(default)]
    pub lookup: Lookup,
    /// The health check.
    pub health: Option<HealthCheck>,
    /// File systems in memory that appear inside.
    pub tmpfs: Vec<TmpfsMount>,
    /// What its owner calls it by, beside its name.
    pub labels: BTreeMap<String, String>,
    /// What its processes may do.
    pub privileges: Privileges,
    /// How its standard streams are connected.
    pub streams: Streams,
    /// What its process does, for the simulator and for the lab image.
    pub behavior: Behavior,
}

impl ContainerSpec {
    /// The host ports that really lead inside: in another network than the bridge Docker lets them lie.
    pub fn published(&self) -> &[PortBinding] {
        if self.network == NetworkMode::Bridge { &self.publish } else { &[] }
    }
}

impl Default for ContainerSpec {
    fn default() -> Self {
        Self {
            image: LAB_IMAGE.into(),
            image_id: None,
            command: None,
            entrypoint: None,
            env: BTreeMap::new(),
            unset_env: BTreeSet::new(),
            workdir: None,
            user: None,
            hostname: None,
            publish: Vec::new(),
            volumes: Vec::new(),
            restart: RestartPolicy::No,
            stop_signal: None,
            stop_timeout: None,
            memory: None,
            memory_swap: None,
            cpus: None,
            cpu_shares: None,
            pids: None,
            init: false,
            auto_remove: false,
            read_only: false,
            network: NetworkMode::Bridge,
            lookup: Lookup::default(),
            health: None,
            tmpfs: Vec::new(),
            labels: BTreeMap::new(),
            privileges: Privileges::default(),
            streams: Streams::default(),
            behavior: Behavior::default(),
        }
    }
}

/// What happens after a container's process has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RestartPolicy {
    /// It stays stopped.
    #[default]
    No,
    /// It is started again after a failure, at most so many times (0: without limit).
    OnFailure {
        /// The most restarts, 0 for no limit.
        max: u32,
    },
    /// It is started again whatever the exit code.
    Always,
    /// As `always`, but a container stopped by hand stays stopped over a reboot.
    UnlessStopped,
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::OnFailure { max: 0 } => f.write_str("on-failure"),
            Self::OnFailure { max } => write!(f, "on-failure:{max}"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
        }
    }
}

/// How long `stop` waits between its signal and SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StopTimeout {
    /// So long.
    After(Duration),
    /// For ever: SIGKILL is never sent (Docker's negative timeout).
    Never,
}

/// One published port, `[ip:]host:container[/udp]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortBinding {
    /// The host's address; all of them if not given.
    pub ip: Option<IpAddr>,
    /// The host's port; any free one if not given.
    pub host: Option<u16>,
    /// The port inside.
    pub container: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// A host port that is held for a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HeldPort {
    /// The host's address; `0.0.0.0` is all of them.
    pub ip: IpAddr,
    /// The host's port.
    pub host: u16,
    /// The port inside.
    pub container: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Whether that is all.
    #[serde(default)]
    pub families: Families,
}

/// On addresses of which kind a port is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Families {
    /// On that of the address that is named.
    #[default]
    One,
    /// On all addresses of IPv4, and all of IPv6.
    Both,
}

impl HeldPort {
    /// What such a wish comes to with this port of the host. Whoever names no address gets all.
    pub fn granted(wish: &PortBinding, host: u16) -> Self {
        let (ip, families) = match wish.ip {
            Some(ip) => (ip, Families::One),
            None => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), Families::Both),
        };
        Self { ip, host, container: wish.container, protocol: wish.protocol, families }
    }
}

/// As the ledger has it: one entry, whichever families.
impl fmt::Display for HeldPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = match self.ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => alloc::format!("[{ip}]"),
        };
        write!(f, "{ip}:{}->{}/{}", self.host, self.container, self.protocol)
    }
}

/// What a container may use at most; what is not given stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Of memory and swap together.
    #[serde(default)]
    pub memory_swap: Option<MemorySwap>,
    /// CPU in thousandths of a CPU.
    pub cpus: Option<u32>,
    /// Its share of a CPU that others want, too.
    #[serde(default)]
    pub cpu_shares: Option<u32>,
    /// Number of processes.
    pub pids: Option<u32>,
}

impl Limits {
    /// What a container is made with.
    pub fn of(spec: &ContainerSpec) -> Self {
        Self {
            memory: spec.memory,
            memory_swap: spec.memory_swap,
            cpus: spec.cpus,
            cpu_shares: spec.cpu_shares,
            pids: spec.pids,
        }
    }
}

/// How much a container may have of memory and swap together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MemorySwap {
    /// So many bytes, those of its memory included.
    Both(u64),
    /// As much swap as there is.
    Unlimited,
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// `source:target[:ro]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VolumeMount {
    /// A path on the host, or a volume's name.
    pub source: String,
    /// An absolute path inside.
    pub target: String,
    /// Whether it can be written to.
    pub access: Access,
}

/// A file system in memory that appears inside, `target[:options]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TmpfsMount {
    /// An absolute path inside.
    pub target: String,
    /// Comma-separated, as for mount(8); Docker's defaults where there are none.
    pub options: String,
}

/// What a container's processes may do beyond, or short of, Docker's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Privileges {
    /// Capabilities beside the usual ones; `ALL` is every one. Without `CAP_`.
    pub cap_add: Vec<String>,
    /// Usual capabilities that it does not get.
    pub cap_drop: Vec<String>,
    /// Whether no program inside can give it more, as a setuid program would.
    pub no_new_privileges: bool,
    /// Whether it may do all that its host may, devices included.
    #[serde(default)]
    pub privileged: bool,
    /// Which system calls it may make.
    #[serde(default)]
    pub call_filter: CallFilter,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CallFilter {
    /// Those of Docker's default profile.
    #[default]
    Usual,
    /// All.
    Unconfined,
    /// Those of a profile in Docker's format, which stands here whole.
    Profile(String),
}

/// How its standard streams are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Streams {
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its standard input stays open for somebody to write to.
    pub stdin: bool,
}

/// A command to be run inside a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExecSpec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment variables beside the container's.
    pub env: BTreeMap<String, String>,
    /// Working directory; the container's if not given.
    pub workdir: Option<String>,
    /// `user[:group]`; the container's if not given.
    pub user: Option<String>,
    /// Whether nobody waits for its end: then the answer is that it has begun.
    pub detach: bool,
    /// Whether it has a terminal.
    pub tty: bool,
    /// What its keeper knows its streams by; none if it writes where its container does.
    pub connection: Option<u32>,
}

impl ExecSpec {
    /// A command, and nothing special about it.
    pub fn of(command: &[String]) -> Self {
        Self { command: command.to_vec(), ..Self::default() }
    }
}

/// What may be done with a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Access {
    /// Reading and writing.
    ReadWrite,
    /// Reading.
    ReadOnly,
}

/// The network a container lives in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NetworkMode {
    /// One of its own, joined to the host's bridge where there is one.
    Bridge,
    /// One of its own with nothing but loopback.
    None,
    /// The host's.
    Host,
    /// Another container's.
    Container(Name),
}

/// How to find out whether the service inside works.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HealthCheck {
    /// The command whose exit code tells.
    pub test: Vec<String>,
    /// Time between checks.
    pub interval: Duration,
    /// A check that takes longer has failed.
    pub timeout: Duration,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Failures do not count so long after the start.
    pub start_period: Duration,
}
