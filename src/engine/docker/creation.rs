//! What a scenario asks for at create, as Docker is asked for it.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, HealthConfig, HostConfig, PortBinding, RestartPolicyNameEnum,
};

use super::image::RUNS_DIRECTORY;
use crate::lab;
use crate::model::{
    Access, ContainerSpec, HealthCheck, LAB_IMAGE, Limits, MemorySwap, Name, NetworkMode, RestartPolicy,
    StopTimeout,
};

/// What belongs to the replay and not to the scenario.
pub(super) struct Ours<'a> {
    pub(super) image: &'a str,
    pub(super) labels: HashMap<String, String>,
    /// What Docker knows a container of the scenario by, or a volume.
    pub(super) names: &'a dyn Fn(&str) -> String,
}

/// Docker writes a CPU in billionths, the model in thousandths.
const NANO_CPUS: i64 = 1_000_000;

pub(super) fn body(name: &Name, spec: &ContainerSpec, ours: &Ours<'_>) -> ContainerCreateBody {
    let is_lab = lab::acts_out(spec);
    let counts = is_lab && !spec.behavior.runs.is_empty();
    let own_env = spec.env.iter().map(|(name, value)| format!("{name}={value}"));
    let labels = spec.labels.clone().into_iter().chain(ours.labels.clone()).collect();
    let port = |port: &crate::model::PortBinding| format!("{}/{}", port.container, port.protocol);
    ContainerCreateBody {
        image: Some(if spec.image == LAB_IMAGE { ours.image.into() } else { spec.image.clone() }),
        cmd: spec.command.clone(),
        entrypoint: spec.entrypoint.clone(),
        env: Some(own_env.chain(is_lab.then(|| behavior(name, spec)).into_iter().flatten()).collect()),
        working_dir: spec.workdir.clone(),
        user: spec.user.clone(),
        // Who joins another one's network has its name, too, and Docker refuses a second one.
        hostname: (!matches!(spec.network, NetworkMode::Container(_)))
            .then(|| spec.hostname.clone().unwrap_or_else(|| name.to_string())),
        labels: Some(labels),
        stop_signal: spec.stop_signal.map(|signal| signal.to_string()),
        stop_timeout: spec.stop_timeout.map(|grace| i64::from(seconds(grace))),
        tty: Some(spec.streams.tty),
        open_stdin: Some(spec.streams.stdin),
        exposed_ports: Some(spec.publish.iter().map(port).collect()),
        volumes: counts.then(|| vec![format!("/{RUNS_DIRECTORY}")]),
        healthcheck: spec.health.as_ref().map(|check| health(check, spec)),
        host_config: Some(host_config(spec, ours, port)),
        ..ContainerCreateBody::default()
    }
}

/// New limits and a new policy; what is not given stays.
pub(super) fn update(restart: Option<RestartPolicy>, limits: Limits) -> ContainerUpdateBody {
    ContainerUpdateBody {
        restart_policy: restart.map(policy),
        memory: limits.memory.map(signed),
        // Without swap if nothing is said of it, as at create; and Docker refuses a limit above the one for both.
        memory_swap: match limits.memory_swap {
            Some(MemorySwap::Both(both)) => Some(signed(both)),
            Some(MemorySwap::Unlimited) => Some(-1),
            None => limits.memory.map(signed),
        },
        cpu_shares: limits.cpu_shares.map(i64::from),
        nano_cpus: limits.cpus.map(|cpus| i64::from(cpus) * NANO_CPUS),
        pids_limit: limits.pids.map(i64::from),
        ..ContainerUpdateBody::default()
    }
}

/// Docker counts graces in whole seconds; a part of one is a whole one.
pub(super) fn seconds(grace: StopTimeout) -> i32 {
    match grace {
        StopTimeout::Never => -1,
        StopTimeout::After(time) => {
            let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
            i32::try_from(whole).unwrap_or(i32::MAX)
        }
    }
}

fn host_config(
    spec: &ContainerSpec,
    ours: &Ours<'_>,
    port: impl Fn(&crate::model::PortBinding) -> String,
) -> HostConfig {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for binding in &spec.publish {
        let held = PortBinding {
            host_ip: binding.ip.map(|ip| ip.to_string()),
            host_port: binding.host.map(|host| host.to_string()),
        };
        bindings.entry(port(binding)).or_default().get_or_insert_default().push(held);
    }
    let limits = update(Some(spec.restart), Limits::of(spec));
    HostConfig {
        port_bindings: Some(bindings),
        binds: Some(spec.volumes.iter().map(|volume| bind(volume, ours.names)).collect()),
        restart_policy: limits.restart_policy,
        memory: limits.memory,
        memory_swap: limits.memory_swap,
        nano_cpus: limits.nano_cpus,
        pids_limit: limits.pids_limit,
        init: Some(spec.init),
        auto_remove: Some(spec.auto_remove),
        readonly_rootfs: Some(spec.read_only),
        network_mode: Some(match &spec.network {
            NetworkMode::Bridge => "bridge".into(),
            NetworkMode::None => "none".into(),
            NetworkMode::Host => "host".into(),
            NetworkMode::Container(name) => format!("container:{}", (ours.names)(name.as_str())),
        }),
        tmpfs: Some(spec.tmpfs.iter().map(|tmpfs| (tmpfs.target.clone(), tmpfs.options.clone())).collect()),
        cap_add: Some(spec.privileges.cap_add.clone()),
        cap_drop: Some(spec.privileges.cap_drop.clone()),
        security_opt: spec.privileges.no_new_privileges.then(|| vec!["no-new-privileges".into()]),
        ..HostConfig::default()
    }
}

/// A volume of the scenario's is this replay's alone; a path is the host's.
fn bind(volume: &crate::model::VolumeMount, names: &dyn Fn(&str) -> String) -> String {
    let source = if volume.source.starts_with('/') {
        volume.source.clone()
    } else if volume.source.starts_with('.') {
        let full = std::path::absolute(&volume.source);
        full.map_or_else(|_| volume.source.clone(), |path| path.to_string_lossy().into_owned())
    } else {
        names(&volume.source)
    };
    let access = match volume.access {
        Access::ReadWrite => "",
        Access::ReadOnly => ":ro",
    };
    format!("{source}:{}{access}", volume.target)
}

fn policy(policy: RestartPolicy) -> bollard::models::RestartPolicy {
    let (name, most) = match policy {
        RestartPolicy::No => (RestartPolicyNameEnum::NO, None),
        RestartPolicy::OnFailure { max } => (RestartPolicyNameEnum::ON_FAILURE, Some(i64::from(max))),
        RestartPolicy::Always => (RestartPolicyNameEnum::ALWAYS, None),
        RestartPolicy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
    };
    bollard::models::RestartPolicy { name: Some(name), maximum_retry_count: most }
}

/// Its phases are acted out by the lab program; else the test decides. The lab image has no shell for any form but `CMD`.
fn health(check: &HealthCheck, spec: &ContainerSpec) -> HealthConfig {
    let acted_out = lab::acts_out(spec) && !spec.behavior.health.is_empty();
    let words = if acted_out { lab::HEALTH.map(String::from).to_vec() } else { check.test.clone() };
    let is_formed = matches!(words.first().map(String::as_str), Some("CMD" | "CMD-SHELL"));
    let test = match (is_formed, lab::acts_out(spec)) {
        (true, false) => words,
        _ => std::iter::once("CMD".into()).chain(lab::without_form(&words).to_vec()).collect(),
    };
    HealthConfig {
        test: Some(test),
        interval: Some(nanoseconds(check.interval)),
        timeout: Some(nanoseconds(check.timeout)),
        retries: Some(i64::from(check.retries)),
        start_period: Some(nanoseconds(check.start_period)),
        start_interval: None,
    }
}

/// The words of a container's health check, as its events have them.
pub(super) fn health_words(spec: &ContainerSpec) -> Option<String> {
    let test = health(spec.health.as_ref()?, spec).test?;
    Some(match lab::without_form(&test) {
        [shell] if test[0] == "CMD-SHELL" => format!("/bin/sh -c {shell}"),
        words => words.join(" "),
    })
}

/// How the lab program learns what to act out. Docker passes no descriptor on: that it is ready it says on standard error.
fn behavior(name: &Name, spec: &ContainerSpec) -> Vec<String> {
    let behavior =
        serde_json::to_string(&spec.behavior).expect("a behaviour has no map whose keys are not texts");
    let mut env = vec![
        format!("TERRARIUM_NAME={name}"),
        format!("TERRARIUM_BEHAVIOR={behavior}"),
        "TERRARIUM_READY_FD=2".into(),
    ];
    if !spec.behavior.runs.is_empty() {
        env.push(format!("TERRARIUM_RUNS_FILE=/{RUNS_DIRECTORY}/runs"));
    }
    env
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(spec: &ContainerSpec) -> ContainerCreateBody {
        let names = |name: &str| format!("ours-{name}");
        let ours = Ours { image: "lab:1", labels: [("run".into(), "1".into())].into(), names: &names };
        body(&Name::new("web").unwrap(), spec, &ours)
    }

    #[test]
    fn a_grace_is_whole_seconds_or_for_ever() {
        let graces = [(0, 0), (1000, 1), (1001, 2), (300, 1)];
        for (millis, whole) in graces {
            assert_eq!(seconds(StopTimeout::After(Duration::from_millis(millis))), whole);
        }
        assert_eq!(seconds(StopTimeout::Never), -1);
    }

    #[test]
    fn the_lab_image_is_ours_and_another_is_the_scenarios() {
        assert_eq!(created(&ContainerSpec::default()).image.as_deref(), Some("lab:1"));
        let other = ContainerSpec { image: "nginx".into(), ..ContainerSpec::default() };
        assert_eq!(created(&other).image.as_deref(), Some("nginx"));
        assert_eq!(created(&other).env, Some(vec![]));
    }

    #[test]
    fn a_named_volume_is_the_replays_and_a_path_the_hosts() {
        let volume = |source: &str| crate::model::VolumeMount {
            source: source.into(),
            target: "/data".into(),
            access: Access::ReadOnly,
        };
        let spec =
            ContainerSpec { volumes: vec![volume("data"), volume("/srv")], ..ContainerSpec::default() };
        let binds = created(&spec).host_config.unwrap().binds.unwrap();
        assert_eq!(binds, ["ours-data:/data:ro", "/srv:/data:ro"]);
    }
}
