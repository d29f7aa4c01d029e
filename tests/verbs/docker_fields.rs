//! The names of `inspect` are Docker's, letter by letter.

use std::collections::BTreeSet;

use serde_json::Value;
use terrarium::model::{
    Access, ContainerSpec, HealthCheck, PortBinding, Protocol, Signal, StopTimeout, TmpfsMount, VolumeMount,
};

use super::stage::{Stage, seconds};

/// What `docker inspect -s` of Docker 20.10 shows of a container with ports, a health check, volumes and limits.
const DOCKERS: &str = "
Id Created Path Args
State State.Status State.Running State.Paused State.Restarting State.OOMKilled State.Dead State.Pid State.ExitCode
State.Error State.StartedAt State.FinishedAt State.Health State.Health.Status State.Health.FailingStreak
State.Health.Log
Image LogPath Name RestartCount Driver Platform
HostConfig HostConfig.Binds HostConfig.LogConfig HostConfig.LogConfig.Type HostConfig.LogConfig.Config
HostConfig.NetworkMode HostConfig.PortBindings HostConfig.RestartPolicy HostConfig.RestartPolicy.Name
HostConfig.RestartPolicy.MaximumRetryCount HostConfig.AutoRemove HostConfig.CapAdd HostConfig.CapDrop
HostConfig.CgroupnsMode HostConfig.Dns HostConfig.DnsOptions HostConfig.DnsSearch HostConfig.ExtraHosts HostConfig.IpcMode HostConfig.Privileged HostConfig.ReadonlyRootfs HostConfig.SecurityOpt
HostConfig.Tmpfs HostConfig.Runtime HostConfig.Memory HostConfig.NanoCpus HostConfig.PidsLimit HostConfig.Init
GraphDriver GraphDriver.Data GraphDriver.Data.LowerDir GraphDriver.Data.MergedDir GraphDriver.Data.UpperDir
GraphDriver.Data.WorkDir GraphDriver.Name SizeRw SizeRootFs
Mounts Mounts.Type Mounts.Source Mounts.Destination Mounts.Mode Mounts.RW Mounts.Propagation
Config Config.Hostname Config.User Config.ExposedPorts Config.Tty Config.OpenStdin Config.Env Config.Cmd
Config.Healthcheck Config.Healthcheck.Test Config.Healthcheck.Interval Config.Healthcheck.Timeout
Config.Healthcheck.StartPeriod Config.Healthcheck.Retries Config.Image Config.WorkingDir Config.Entrypoint
Config.Labels Config.StopSignal Config.StopTimeout
NetworkSettings NetworkSettings.Ports NetworkSettings.SandboxKey NetworkSettings.IPAddress NetworkSettings.Networks
";

/// Their entries are called as people want.
const MAPS: [&str; 6] = [
    "HostConfig.PortBindings",
    "HostConfig.Tmpfs",
    "Config.ExposedPorts",
    "Config.Labels",
    "NetworkSettings.Ports",
    "NetworkSettings.Networks",
];

#[test]
fn every_field_has_dockers_name_and_none_is_missing() {
    let mut stage = Stage::new();
    let spec = ContainerSpec {
        publish: vec![PortBinding { ip: None, host: Some(18_081), container: 80, protocol: Protocol::Tcp }],
        volumes: vec![VolumeMount { source: "/srv".into(), target: "/x".into(), access: Access::ReadOnly }],
        tmpfs: vec![TmpfsMount { target: "/scratch".into(), options: "size=1m".into() }],
        labels: [("a".into(), "b".into())].into(),
        stop_signal: Some(Signal::TERM),
        stop_timeout: Some(StopTimeout::After(seconds(3))),
        init: true,
        health: Some(HealthCheck {
            test: vec!["true".into()],
            interval: seconds(5),
            timeout: seconds(1),
            retries: 2,
            start_period: seconds(0),
        }),
        ..ContainerSpec::default()
    };
    stage.run(seconds(60), "web", spec);
    let told: Value = serde_json::from_str(&stage.printed(&["inspect", "-s", "web"])).unwrap();
    let mut fields = BTreeSet::new();
    collect(&told[0], "", &mut fields);
    let dockers: BTreeSet<String> = DOCKERS.split_whitespace().map(String::from).collect();
    assert_eq!(fields, dockers);
    let of = |path: &str| told[0].pointer(path).unwrap().clone();
    assert_eq!(of("/State/Health/Status"), "starting");
    assert_eq!(of("/HostConfig/PortBindings/80~1tcp/0/HostPort"), "18081");
    assert_eq!(of("/Config/Healthcheck/Interval"), 5_000_000_000_u64);
    assert_eq!(of("/State/FinishedAt"), "0001-01-01T00:00:00Z");
}

fn collect(value: &Value, path: &str, fields: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) if !MAPS.contains(&path) => {
            for (key, value) in entries {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, &path, fields);
                fields.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, fields)),
        _ => {}
    }
}
