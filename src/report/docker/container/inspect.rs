//! What `inspect` shows: Docker's fields, with what there is to say in each.
//!
//! What terrarium has nothing like (security labels, links, swap, block devices) is left out, and not shown as if it were there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::super::moment::{self, NEVER};
use super::super::words;
use super::Portrait;
use crate::engine::journal::Probe;
use crate::model::{
    Access, Answer, CallFilter, HeldPort, NetworkMode, PortBinding, RestartPolicy, State, StopTimeout,
};

/// What its journal does not tell of a container.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Its PID 1, as this host numbers it.
    pub pid: Option<i32>,
    /// Its address, while it has one.
    pub address: Option<String>,
    /// Its read-only layers, the topmost first.
    pub lower: Vec<PathBuf>,
    /// Its writable layer.
    pub upper: PathBuf,
    /// What overlayfs needs beside it.
    pub work: PathBuf,
    /// Where they are mounted together, inside its mount namespace.
    pub merged: PathBuf,
    /// Where the volumes lie that have a name.
    pub volumes: PathBuf,
    /// What it has written.
    pub log: PathBuf,
    /// What it has written into its files, and what it is in all; where that was asked for.
    pub size: Option<(u64, u64)>,
}

/// All that is known of it.
pub fn inspect(of: &Portrait<'_>, around: &Surroundings) -> Value {
    let command = of.command();
    let (path, args) = command.split_first().map_or(("", &[][..]), |(path, args)| (path.as_str(), args));
    let mut all = json!({
        "Id": of.id,
        "Created": moment::exact(of.account.opened.wall),
        "Path": path,
        "Args": args,
        "State": state(of, around),
        "Image": of.spec.image,
        "LogPath": around.log,
        "Name": format!("/{}", of.name()),
        "RestartCount": of.status.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "HostConfig": host_config(of),
        "GraphDriver": graph_driver(around),
    });
    let mut add = |key: &str, value: Value| {
        if let Some(fields) = all.as_object_mut() {
            fields.insert(key.into(), value);
        }
    };
    if let Some((written, whole)) = around.size {
        add("SizeRw", written.into());
        add("SizeRootFs", whole.into());
    }
    add("Mounts", mounts(of, &around.volumes));
    add("Config", config(of));
    add("NetworkSettings", network_settings(of, around));
    all
}

fn state(of: &Portrait<'_>, around: &Surroundings) -> Value {
    let time = |at: &Option<crate::engine::journal::Moment>| {
        at.map_or_else(|| NEVER.to_owned(), |at| moment::exact(at.wall))
    };
    let state = of.status.state;
    let mut told = json!({
        "Status": state.docker(),
        "Running": of.is_running(),
        "Paused": state == State::Paused,
        "Restarting": state == State::Restarting,
        "OOMKilled": of.status.oom && !state.has_process(),
        "Dead": state == State::Dead,
        "Pid": around.pid.unwrap_or(0),
        "ExitCode": of.status.exit.unwrap_or(0),
        "Error": of.status.error.as_deref().unwrap_or(""),
        "StartedAt": time(&of.account.started),
        "FinishedAt": time(&of.account.finished),
    });
    if let (Some(health), Some(fields)) = (of.status.health, told.as_object_mut()) {
        let probes = &of.account.probes;
        let log: Vec<Value> = probes.latest.iter().map(probe).collect();
        let told = json!({ "Status": health.word(), "FailingStreak": probes.failing, "Log": log });
        fields.insert("Health".into(), told);
    }
    told
}

/// What a probe has written is not kept.
fn probe(probe: &Probe) -> Value {
    let code = match probe.answer {
        Answer::Good => 0,
        Answer::Bad => 1,
    };
    let (start, end) = (moment::exact(probe.began.wall), moment::exact(probe.ended.wall));
    json!({ "Start": start, "End": end, "ExitCode": code })
}

fn host_config(of: &Portrait<'_>) -> Value {
    let spec = of.spec;
    let binds: Vec<String> = spec
        .volumes
        .iter()
        .map(|mount| match mount.access {
            Access::ReadWrite => format!("{}:{}", mount.source, mount.target),
            Access::ReadOnly => format!("{}:{}:ro", mount.source, mount.target),
        })
        .collect();
    let (policy, retries) = match spec.restart {
        RestartPolicy::No => ("no", 0),
        RestartPolicy::OnFailure { max } => ("on-failure", max),
        RestartPolicy::Always => ("always", 0),
        RestartPolicy::UnlessStopped => ("unless-stopped", 0),
    };
    let capability = |name: &String| if name == "ALL" { name.clone() } else { format!("CAP_{name}") };
    let capabilities = |names: &[String]| unless_empty(&names.iter().map(capability).collect::<Vec<_>>());
    let mut security = if spec.privileges.no_new_privileges { vec!["no-new-privileges"] } else { Vec::new() };
    if spec.privileges.call_filter == CallFilter::Unconfined {
        security.push("seccomp=unconfined");
    }
    let tmpfs: BTreeMap<&str, &str> =
        spec.tmpfs.iter().map(|mount| (mount.target.as_str(), mount.options.as_str())).collect();
    let known: Vec<String> = spec.lookup.hosts.iter().map(ToString::to_string).collect();
    let mut config = json!({
        "Binds": unless_empty(&binds),
        "LogConfig": { "Type": "json-file", "Config": {} },
        "NetworkMode": match &spec.network {
            NetworkMode::Bridge => "default".to_owned(),
            _ => of.network(),
        },
        "PortBindings": port_bindings(&spec.publish),
        "RestartPolicy": { "Name": policy, "MaximumRetryCount": retries },
        "AutoRemove": spec.auto_remove,
        "CapAdd": capabilities(&spec.privileges.cap_add),
        "CapDrop": capabilities(&spec.privileges.cap_drop),
        "CgroupnsMode": "private",
        "Dns": spec.lookup.servers,
        "DnsOptions": spec.lookup.options,
        "DnsSearch": spec.lookup.search,
        "ExtraHosts": unless_empty(&known),
        "IpcMode": "private",
        "Privileged": spec.privileges.privileged,
        "ReadonlyRootfs": spec.read_only,
        "SecurityOpt": unless_empty(&security),
        "Runtime": "terrarium",
        "Memory": spec.memory.unwrap_or(0),
        "NanoCpus": u64::from(spec.cpus.unwrap_or(0)) * 1_000_000,
        "PidsLimit": spec.pids,
    });
    let Some(fields) = config.as_object_mut() else { return config };
    if !tmpfs.is_empty() {
        fields.insert("Tmpfs".into(), json!(tmpfs));
    }
    if spec.init {
        fields.insert("Init".into(), true.into());
    }
    config
}

fn graph_driver(around: &Surroundings) -> Value {
    let lower: Vec<String> = around.lower.iter().map(|path| path.display().to_string()).collect();
    json!({
        "Data": {
            "LowerDir": lower.join(":"),
            "MergedDir": around.merged,
            "UpperDir": around.upper,
            "WorkDir": around.work,
        },
        "Name": "overlay2",
    })
}

fn mounts(of: &Portrait<'_>, volumes: &Path) -> Value {
    let mount = |mount: &crate::model::VolumeMount| {
        let writable = mount.access == Access::ReadWrite;
        let mut told = Map::new();
        let is_path = mount.source.starts_with('/');
        told.insert("Type".into(), if is_path { "bind" } else { "volume" }.into());
        if !is_path {
            told.insert("Name".into(), mount.source.clone().into());
        }
        let source =
            if is_path { mount.source.clone() } else { volumes.join(&mount.source).display().to_string() };
        told.insert("Source".into(), source.into());
        told.insert("Destination".into(), mount.target.clone().into());
        if !is_path {
            told.insert("Driver".into(), "local".into());
        }
        let mode = match (writable, is_path) {
            (false, _) => "ro",
            (true, true) => "",
            (true, false) => "z",
        };
        told.insert("Mode".into(), mode.into());
        told.insert("RW".into(), writable.into());
        told.insert("Propagation".into(), if is_path { "rprivate" } else { "" }.into());
        Value::Object(told)
    };
    of.spec.volumes.iter().map(mount).collect()
}

fn config(of: &Portrait<'_>) -> Value {
    let spec = of.spec;
    let env: Vec<String> = spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut config = json!({
        "Hostname": spec.hostname.as_deref().unwrap_or_else(|| of.name()),
        "User": spec.user.as_deref().unwrap_or(""),
        "ExposedPorts": spec.publish.iter().map(|port| (port_key(port.container, port.protocol), json!({}))).collect::<Map<_, _>>(),
        "Tty": spec.streams.tty,
        "OpenStdin": spec.streams.stdin,
        "Env": env,
        "Cmd": spec.command,
        "Image": spec.image,
        "WorkingDir": spec.workdir.as_deref().unwrap_or(""),
        "Entrypoint": spec.entrypoint,
        "Labels": spec.labels,
    });
    let Some(fields) = config.as_object_mut() else { return config };
    if let Some(check) = &spec.health {
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let told = json!({
            "Test": as_typed(&check.test), "Interval": nanos(check.interval), "Timeout": nanos(check.timeout),
            "StartPeriod": nanos(check.start_period), "Retries": check.retries,
        });
        fields.insert("Healthcheck".into(), told);
    }
    if let Some(signal) = spec.stop_signal {
        fields.insert("StopSignal".into(), signal.to_string().into());
    }
    match spec.stop_timeout {
        None => {}
        Some(StopTimeout::After(grace)) => {
            fields.insert("StopTimeout".into(), grace.as_secs().into());
        }
        Some(StopTimeout::Never) => {
            fields.insert("StopTimeout".into(), (-1).into());
        }
    }
    config
}

/// A line for a shell, as it was before the shell was put in front of it.
fn as_typed(test: &[String]) -> Vec<&str> {
    match test.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["CMD", "/bin/sh", "-c", line] => vec!["CMD-SHELL", line],
        ref other => other.to_vec(),
    }
}

/// What a template sees: also the fields that Docker leaves out where they are empty. A list without entries is null in JSON, and
/// `[]` in all other text.
pub fn for_templates(told: &Value, template: &str) -> Value {
    const LISTS: [&str; 6] = [
        "/HostConfig/Binds",
        "/HostConfig/CapAdd",
        "/HostConfig/CapDrop",
        "/HostConfig/SecurityOpt",
        "/Config/Cmd",
        "/Config/Entrypoint",
    ];
    const HIDDEN: [(&str, &str); 7] = [
        ("/State", "Health"),
        ("/Config", "Healthcheck"),
        ("/Config", "StopTimeout"),
        ("/Config", "Volumes"),
        ("/HostConfig", "Init"),
        ("/HostConfig", "Tmpfs"),
        ("", "SizeRw"),
    ];
    let mut all = told.clone();
    for (within, field) in HIDDEN {
        if let Some(Value::Object(fields)) = all.pointer_mut(within) {
            fields.entry(field).or_insert(Value::Null);
        }
    }
    for list in LISTS {
        match all.pointer_mut(list) {
            Some(none @ Value::Null) if !template.contains("json") => *none = json!([]),
            _ => {}
        }
    }
    if let Some(Value::Object(config)) = all.pointer_mut("/Config") {
        config.entry("StopSignal").or_insert_with(|| "".into());
    }
    for mount in all.pointer_mut("/Mounts").and_then(Value::as_array_mut).into_iter().flatten() {
        for field in ["Name", "Driver"] {
            if let Value::Object(fields) = mount {
                fields.entry(field).or_insert_with(|| "".into());
            }
        }
    }
    all
}

fn network_settings(of: &Portrait<'_>, around: &Surroundings) -> Value {
    let mut ports: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for HeldPort { ip, host, container, protocol, .. } in words::each_family(&of.status.ports) {
        let bound = json!({ "HostIp": ip.to_string(), "HostPort": host.to_string() });
        ports.entry(port_key(container, protocol)).or_default().push(bound);
    }
    let key = around.pid.map_or_else(String::new, |pid| format!("/proc/{pid}/ns/net"));
    let address = around.address.as_deref().unwrap_or("");
    json!({
        "Ports": ports,
        "SandboxKey": key,
        "IPAddress": address,
        "Networks": { of.network(): { "IPAddress": address } },
    })
}

fn port_bindings(publish: &[PortBinding]) -> Value {
    let mut bindings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for binding in publish {
        let ip = binding.ip.map_or_else(String::new, |ip| ip.to_string());
        let port = binding.host.map_or_else(String::new, |port| port.to_string());
        let bound = json!({ "HostIp": ip, "HostPort": port });
        bindings.entry(port_key(binding.container, binding.protocol)).or_default().push(bound);
    }
    json!(bindings)
}

fn port_key(port: u16, protocol: crate::model::Protocol) -> String {
    format!("{port}/{protocol}")
}

/// Docker says null where a list is empty.
fn unless_empty<T: serde::Serialize>(list: &[T]) -> Value {
    if list.is_empty() { Value::Null } else { json!(list) }
}
