//! What create and run can be told about a container: Docker's flags, and what they come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Args};
use thiserror::Error;

use super::quantity::{count, cpus, grace, memory, policy, shares, span, swap};
use crate::keeper::ContainerId;
use crate::model::{
    Access, CallFilter, ContainerSpec, HealthCheck, InvalidPublish, KnownHost, LAB_IMAGE, Lookup, MemorySwap,
    Name, NetworkMode, PortBinding, Privileges, RestartPolicy, SearchDomain, Signal, StopTimeout, Streams,
    TmpfsMount, VolumeMount,
};

/// All that can be said about a container that is to be.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "a flag is there or not")]
pub(super) struct Wishes {
    /// Its name [default: two words that nobody has]
    #[arg(long, value_parser = super::name)]
    pub(super) name: Option<Name>,

    /// Remove it when it has ended
    #[arg(long = "rm")]
    auto_remove: bool,

    /// Keep its standard input open
    #[arg(short, long, help_heading = STREAMS)]
    pub(super) interactive: bool,

    /// Give it a terminal
    #[arg(short, long, help_heading = STREAMS)]
    pub(super) tty: bool,

    /// A variable of its environment; without a value, the one of ours
    #[arg(short, long, value_name = "NAME[=VALUE]", help_heading = PROCESS)]
    env: Vec<String>,

    /// A file with such variables, one a line
    #[arg(long, value_name = "FILE", help_heading = PROCESS)]
    env_file: Vec<PathBuf>,

    /// Its working directory
    #[arg(short, long, value_name = "DIR", help_heading = PROCESS)]
    workdir: Option<String>,

    /// Its user, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]", help_heading = PROCESS)]
    user: Option<String>,

    /// In place of the image's entrypoint; empty for none
    #[arg(long, value_name = "PROGRAM", help_heading = PROCESS)]
    entrypoint: Option<String>,

    /// A small init is PID 1: it passes signals on and buries the dead
    #[arg(long, help_heading = PROCESS)]
    init: bool,

    /// What happens after its end: no, on-failure[:N], always or unless-stopped
    #[arg(long, value_name = "POLICY", default_value = "no", value_parser = policy, help_heading = LIFE)]
    restart: RestartPolicy,

    /// The signal that stop sends first
    #[arg(long, value_name = "SIGNAL", help_heading = LIFE)]
    stop_signal: Option<Signal>,

    /// Seconds that stop waits before SIGKILL; -1 for ever
    #[arg(
        long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = grace, help_heading = LIFE
    )]
    stop_timeout: Option<StopTimeout>,

    #[command(flatten)]
    health: Health,

    /// The most memory that its processes may use, like 64m or 1g
    #[arg(short, long, value_name = "BYTES", value_parser = memory, help_heading = LIMITS)]
    memory: Option<u64>,

    /// How much of memory and swap together, like 1g; -1 for all the swap there is
    #[arg(long, value_name = "BYTES", value_parser = swap, allow_hyphen_values = true, help_heading = LIMITS)]
    memory_swap: Option<MemorySwap>,

    /// Its share of a CPU that others want too, where 1024 is usual
    #[arg(long, value_name = "SHARES", value_parser = shares, help_heading = LIMITS)]
    cpu_shares: Option<u32>,

    /// How many CPUs it may use, like 0.5
    #[arg(long, value_name = "CPUS", value_parser = cpus, help_heading = LIMITS)]
    cpus: Option<u32>,

    /// The most processes that it may have
    #[arg(long, value_name = "COUNT", value_parser = count, help_heading = LIMITS)]
    pids_limit: Option<u32>,

    /// A directory of the host, or a volume, that appears inside
    #[arg(short, long, value_name = "SOURCE:TARGET[:ro]", value_parser = volume, help_heading = FILES)]
    volume: Vec<VolumeMount>,

    /// A file system in memory that appears inside
    #[arg(long, value_name = "TARGET[:OPTIONS]", value_parser = tmpfs, help_heading = FILES)]
    tmpfs: Vec<TmpfsMount>,

    /// Nothing can be written to its root file system
    #[arg(long, help_heading = FILES)]
    read_only: bool,

    /// Ports of the host that lead inside
    #[arg(
        short, long, value_name = "[[IP:]HOST:]PORT[/udp]", value_parser = Published::read, help_heading = NETWORK
    )]
    publish: Vec<Published>,

    /// All ports that its image exposes, at any free ports of the host
    #[arg(short = 'P', long, help_heading = NETWORK)]
    pub(super) publish_all: bool,

    /// Its host name [default: its name]
    #[arg(short = 'h', long, value_name = "NAME", help_heading = NETWORK)]
    hostname: Option<String>,

    /// bridge, none, host or container:NAME
    #[arg(
        long, alias = "net", value_name = "NETWORK", default_value = "bridge", value_parser = network,
        help_heading = NETWORK
    )]
    network: NetworkMode,

    /// A server that it asks for names, in place of the host's
    #[arg(long, value_name = "ADDRESS", value_parser = Lookup::server, help_heading = NETWORK)]
    dns: Vec<IpAddr>,

    /// A domain in which it looks for short names; `.` for none
    #[arg(long, value_name = "DOMAIN", help_heading = NETWORK)]
    dns_search: Vec<SearchDomain>,

    /// How it asks, in the words of resolv.conf
    #[arg(long, alias = "dns-opt", value_name = "OPTION", value_parser = Lookup::option, help_heading = NETWORK)]
    dns_option: Vec<String>,

    /// A name that it knows by itself; with host-gateway as address, it leads to the host
    #[arg(long, value_name = "NAME:ADDRESS", help_heading = NETWORK)]
    add_host: Vec<KnownHost>,

    /// A capability beside the usual ones
    #[arg(long, value_name = "NAME", help_heading = RIGHTS)]
    cap_add: Vec<String>,

    /// A usual capability that it does not get
    #[arg(long, value_name = "NAME", help_heading = RIGHTS)]
    cap_drop: Vec<String>,

    /// It may do all that this host may, devices included
    #[arg(long, help_heading = RIGHTS)]
    privileged: bool,

    /// no-new-privileges: no program inside can give it more rights; seccomp=FILE: the system calls it may make, as a profile
    /// of Docker's; seccomp=unconfined: all of them
    #[arg(long, value_name = "OPTION", help_heading = RIGHTS)]
    security_opt: Vec<String>,

    /// Something to call it by, beside its name
    #[arg(short, long, value_name = "NAME[=VALUE]", help_heading = NOTES)]
    label: Vec<String>,

    /// Write its id to this file, which must not be there yet
    #[arg(long, value_name = "FILE", help_heading = NOTES)]
    cidfile: Option<PathBuf>,

    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,

    /// The image, and after it the command to run
    #[arg(required = true, trailing_var_arg = true, value_name = "IMAGE")]
    words: Vec<String>,
}

/// How to find out whether the service inside works.
#[derive(Args)]
struct Health {
    /// A command that tells by its exit code whether it works
    #[arg(long = "health-cmd", value_name = "COMMAND", help_heading = HEALTH)]
    test: Option<String>,

    /// Time between two checks
    #[arg(long = "health-interval", value_name = "TIME", value_parser = span, help_heading = HEALTH)]
    interval: Option<Duration>,

    /// A check that takes longer has failed
    #[arg(long = "health-timeout", value_name = "TIME", value_parser = span, help_heading = HEALTH)]
    timeout: Option<Duration>,

    /// So many failures in a row make it unhealthy
    #[arg(long = "health-retries", value_name = "COUNT", help_heading = HEALTH)]
    retries: Option<u32>,

    /// Failures do not count so long after its start
    #[arg(long = "health-start-period", value_name = "TIME", value_parser = span, help_heading = HEALTH)]
    start_period: Option<Duration>,

    /// No health check, whatever its image says
    #[arg(long = "no-healthcheck", conflicts_with = "test", help_heading = HEALTH)]
    none: bool,
}

const STREAMS: &str = "Its streams";
const PROCESS: &str = "Its process";
const LIFE: &str = "Its life";
const HEALTH: &str = "Its health";
const LIMITS: &str = "Its limits";
const FILES: &str = "Its files";
const NETWORK: &str = "Its network";
const RIGHTS: &str = "Its rights";
const NOTES: &str = "Notes";

/// Words that can be read one by one and mean nothing together.
#[derive(Debug, Error)]
pub(super) enum WrongWish {
    #[error("cannot read the variables in {}: {source} (see: --env-file)", path.display())]
    EnvFile { path: PathBuf, source: std::io::Error },
    #[error("cannot take `{0}` as a variable: it has no name (write NAME=VALUE)")]
    Variable(String),
    #[error(
        "cannot take the security option `{0}` (there are: no-new-privileges, seccomp=FILE, seccomp=unconfined)"
    )]
    SecurityOption(String),
    #[error("cannot read the seccomp profile {}: {source} (see: --security-opt seccomp=FILE)", path.display())]
    Profile { path: PathBuf, source: std::io::Error },
    #[error(
        "conflicting options: {what} and the network mode container:{other} (say it to {other}, whose names it shares)"
    )]
    SharedNames { what: &'static str, other: Name },
    #[error("cannot write the id to {}: {source} (choose a file that is not there yet)", path.display())]
    IdFile { path: PathBuf, source: std::io::Error },
}

impl Wishes {
    /// What all of it comes to.
    pub(super) fn spec(&self) -> Result<ContainerSpec, WrongWish> {
        let mut words = self.words.iter().cloned();
        let image = words.next().unwrap_or_default();
        let command: Vec<String> = words.collect();
        if let Some(path) = self.cidfile.as_ref().filter(|path| path.exists()) {
            let source = std::io::ErrorKind::AlreadyExists.into();
            return Err(WrongWish::IdFile { path: path.clone(), source });
        }
        let health = self.health.check(&image);
        let (env, unset_env) = environment(&self.env_file, &self.env)?;
        Ok(ContainerSpec {
            image,
            command: (!command.is_empty()).then_some(command),
            entrypoint: self.entrypoint.clone().map(|program| vec![program]),
            env,
            unset_env,
            workdir: self.workdir.clone(),
            user: self.user.clone(),
            hostname: self.hostname.clone(),
            publish: self.publish.iter().flat_map(|published| published.0.clone()).collect(),
            volumes: self.volume.clone(),
            restart: self.restart,
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            memory: self.memory,
            cpus: self.cpus,
            pids: self.pids_limit,
            memory_swap: self.memory_swap,
            cpu_shares: self.cpu_shares,
            init: self.init,
            auto_remove: self.auto_remove,
            read_only: self.read_only,
            network: self.network.clone(),
            lookup: self.lookup()?,
            health,
            tmpfs: self.tmpfs.clone(),
            labels: pairs(&self.label),
            privileges: self.privileges()?,
            streams: Streams { tty: self.tty, stdin: self.interactive },
            ..ContainerSpec::default()
        })
    }

    /// Writes its id where somebody wants to find it.
    pub(super) fn note(&self, id: &ContainerId) -> Result<(), WrongWish> {
        let Some(path) = &self.cidfile else { return Ok(()) };
        fs::write(path, id.as_str()).map_err(|source| WrongWish::IdFile { path: path.clone(), source })
    }

    /// Who moves in with another has that one's files, too.
    fn lookup(&self) -> Result<Lookup, WrongWish> {
        if let NetworkMode::Container(other) = &self.network {
            let said =
                [("dns", self.dns.is_empty()), ("custom host-to-IP mapping", self.add_host.is_empty())];
            if let Some((what, _)) = said.iter().find(|(_, is_empty)| !is_empty) {
                return Err(WrongWish::SharedNames { what, other: other.clone() });
            }
        }
        Ok(Lookup {
            servers: self.dns.clone(),
            search: self.dns_search.clone(),
            options: self.dns_option.clone(),
            hosts: self.add_host.clone(),
        })
    }

    fn privileges(&self) -> Result<Privileges, WrongWish> {
        let capability = |name: &String| name.to_ascii_uppercase().trim_start_matches("CAP_").to_owned();
        let mut privileges = Privileges {
            cap_add: self.cap_add.iter().map(capability).collect(),
            cap_drop: self.cap_drop.iter().map(capability).collect(),
            privileged: self.privileged,
            ..Privileges::default()
        };
        for option in &self.security_opt {
            if let Some(filter) = option.strip_prefix("seccomp=").or_else(|| option.strip_prefix("seccomp:"))
            {
                privileges.call_filter = call_filter(filter)?;
                continue;
            }
            match option.as_str() {
                "no-new-privileges" | "no-new-privileges=true" | "no-new-privileges:true" => {
                    privileges.no_new_privileges = true;
                }
                other => return Err(WrongWish::SecurityOption(other.into())),
            }
        }
        Ok(privileges)
    }
}

/// What stands behind `seccomp=`.
fn call_filter(word: &str) -> Result<CallFilter, WrongWish> {
    match word {
        "unconfined" => Ok(CallFilter::Unconfined),
        "default" | "builtin" => Ok(CallFilter::Usual),
        file => {
            let wrong = |source| WrongWish::Profile { path: file.into(), source };
            Ok(CallFilter::Profile(fs::read_to_string(file).map_err(wrong)?))
        }
    }
}

impl Health {
    /// What is not said is the image's, and else Docker's.
    fn check(&self, image: &str) -> Option<HealthCheck> {
        let zero = Duration::ZERO;
        let says_nothing = self.test.is_none()
            && self.retries.is_none()
            && [self.interval, self.timeout, self.start_period].iter().all(Option::is_none);
        let test = match &self.test {
            _ if self.none => vec!["NONE".to_owned()],
            None if says_nothing || image == LAB_IMAGE => return None,
            None => Vec::new(),
            // The built-in image has no shell to read it.
            Some(command) if image == LAB_IMAGE => {
                ["CMD"].into_iter().chain(command.split_whitespace()).map(Into::into).collect()
            }
            Some(command) => vec!["CMD-SHELL".to_owned(), command.clone()],
        };
        (test != ["NONE"] || image != LAB_IMAGE).then(|| HealthCheck {
            test,
            interval: self.interval.unwrap_or(zero),
            timeout: self.timeout.unwrap_or(zero),
            retries: self.retries.unwrap_or(0),
            start_period: self.start_period.unwrap_or(zero),
        })
    }
}

/// The variables of a process, and those of its image that it does not get.
pub(super) type Environment = (BTreeMap<String, String>, BTreeSet<String>);

/// Files first, so that the words have the last word. A variable without a value is ours; if we have none, nobody has it.
pub(super) fn environment(files: &[PathBuf], words: &[String]) -> Result<Environment, WrongWish> {
    let mut all = Environment::default();
    for path in files {
        let text =
            fs::read_to_string(path).map_err(|source| WrongWish::EnvFile { path: path.clone(), source })?;
        let lines = text.lines().map(str::trim_start);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(String::from).try_for_each(|line| take_variable(&mut all, &line))?;
    }
    words.iter().try_for_each(|word| take_variable(&mut all, word))?;
    Ok(all)
}

fn take_variable((all, unset): &mut Environment, word: &str) -> Result<(), WrongWish> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, std::env::var(word).ok()),
    };
    if name.is_empty() {
        return Err(WrongWish::Variable(word.into()));
    }
    if let Some(value) = value {
        unset.remove(name);
        all.insert(name.into(), value);
    } else {
        all.remove(name);
        unset.insert(name.into());
    }
    Ok(())
}

fn pairs(words: &[String]) -> BTreeMap<String, String> {
    words
        .iter()
        .map(|word| word.split_once('=').unwrap_or((word, "")))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn volume(text: &str) -> Result<VolumeMount, String> {
    let wrong = || "SOURCE:TARGET[:ro] is wanted, with an absolute TARGET".to_owned();
    let mut parts = text.split(':');
    let (Some(source), Some(target)) = (parts.next(), parts.next()) else { return Err(wrong()) };
    let access = match (parts.next(), parts.next()) {
        (None | Some("rw"), None) => Access::ReadWrite,
        (Some("ro"), None) => Access::ReadOnly,
        _ => return Err(wrong()),
    };
    if source.is_empty() || !Path::new(target).is_absolute() {
        return Err(wrong());
    }
    Ok(VolumeMount { source: source.into(), target: target.into(), access })
}

fn tmpfs(text: &str) -> Result<TmpfsMount, String> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    if !Path::new(target).is_absolute() {
        return Err("TARGET[:OPTIONS] is wanted, with an absolute TARGET".into());
    }
    Ok(TmpfsMount { target: target.into(), options: options.into() })
}

fn network(text: &str) -> Result<NetworkMode, String> {
    match text.split_once(':').unwrap_or((text, "")) {
        ("bridge" | "default", "") => Ok(NetworkMode::Bridge),
        ("none", "") => Ok(NetworkMode::None),
        ("host", "") => Ok(NetworkMode::Host),
        ("container", text) => {
            super::name(text).map(NetworkMode::Container).map_err(|error| error.to_string())
        }
        _ => Err("bridge, none, host or container:NAME is wanted".into()),
    }
}

/// What one `--publish` comes to: one port, or as many as its range has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Published(Vec<PortBinding>);

impl Published {
    fn read(text: &str) -> Result<Self, InvalidPublish> {
        PortBinding::read(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_last_word_over_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "# a comment\nA=1\nB=\"as it stands\"\n\n").unwrap();
        let (all, unset) =
            environment(&[file.path().into()], &["A=2".into(), "NOT_SET_ANYWHERE_AT_ALL".into()]).unwrap();
        let told: Vec<String> = all.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(told, ["A=2", "B=\"as it stands\""]);
        assert!(unset.contains("NOT_SET_ANYWHERE_AT_ALL"));
        assert!(environment(&[], &["=x".into()]).is_err());
    }
}
