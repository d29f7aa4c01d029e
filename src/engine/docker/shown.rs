//! What Docker shows of a container when it is asked: its state in the model's words, and what it costs.

use std::net::{Ipv4Addr, Ipv6Addr};

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, PortMap};

use super::cgroup::Cgroup;
use super::event::health;
use crate::model::{Families, HeldPort, Protocol, Resources, State, Status};

/// What an inspection says.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) status: Status,
    pub(super) pid: Option<i32>,
    address: Option<String>,
}

impl Shown {
    /// `known` tells what Docker has no word for: whether what runs is being stopped.
    pub(super) fn read(inspected: ContainerInspectResponse, known: State) -> Self {
        let told = inspected.state.unwrap_or_default();
        let state = state(told.status, known);
        let code = told.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
        let exit = match state {
            State::Running | State::Paused | State::Stopping | State::Creating | State::Absent => None,
            State::Created => Some(code).filter(|code| *code != 0),
            State::Restarting | State::Stopped | State::Removing | State::Dead => Some(code),
        };
        let network = inspected.network_settings.unwrap_or_default();
        let addresses = network.networks.unwrap_or_default().into_values();
        let health_word = told.health.and_then(|health| health.status).map(|status| status.to_string());
        let status = Status {
            state,
            exit,
            restarts: inspected.restart_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
            oom: told.oom_killed.unwrap_or(false),
            health: health_word.and_then(|word| health(&word)),
            ports: held(network.ports.unwrap_or_default()),
            error: told.error.filter(|error| !error.is_empty()),
        };
        Self {
            status,
            pid: told.pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0),
            address: addresses.filter_map(|endpoint| endpoint.ip_address).find(|address| !address.is_empty()),
        }
    }
}

fn state(word: Option<ContainerStateStatusEnum>, known: State) -> State {
    match word {
        Some(ContainerStateStatusEnum::CREATED) => State::Created,
        Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED)
            if known == State::Stopping =>
        {
            State::Stopping
        }
        Some(ContainerStateStatusEnum::RUNNING) => State::Running,
        Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => State::Restarting,
        Some(ContainerStateStatusEnum::REMOVING) => State::Removing,
        Some(ContainerStateStatusEnum::DEAD) => State::Dead,
        _ => State::Stopped,
    }
}

/// What it costs now. Without a process Docker holds nothing for it but files.
pub(super) fn measure(id: &str, shown: &Shown) -> Resources {
    let Some(pid) = shown.pid else { return Resources { layer_bytes: None, ..Resources::zero() } };
    let counted = Cgroup::of(pid, id).map(|cgroup| cgroup.measure()).unwrap_or_default();
    let ports = shown.status.ports.iter().map(ToString::to_string).collect();
    Resources { ports, address: shown.address.clone(), ..counted }
}

/// Docker holds a port on IPv6, too, where it holds it on all addresses: one line is enough for both.
fn held(ports: PortMap) -> Vec<HeldPort> {
    let mut all = Vec::new();
    for (inside, bindings) in ports {
        let Some((container, protocol)) = inside.split_once('/') else { continue };
        let protocol = if protocol == "udp" { Protocol::Udp } else { Protocol::Tcp };
        let Ok(container) = container.parse() else { continue };
        for binding in bindings.unwrap_or_default() {
            let ip = binding.host_ip.filter(|ip| !ip.is_empty()).unwrap_or_else(|| "0.0.0.0".into());
            let (Ok(ip), Some(Ok(host))) = (ip.parse(), binding.host_port.map(|port| port.parse())) else {
                continue;
            };
            all.push(HeldPort { ip, host, container, protocol, families: Families::One });
        }
    }
    // Docker tells of all addresses of IPv6 beside those of IPv4; the two are one entry.
    let (everywhere, mut held): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|port: &HeldPort| port.ip == Ipv6Addr::UNSPECIFIED);
    for port in everywhere {
        let is_twin = |other: &&mut HeldPort| {
            let same = |port: &HeldPort| (port.host, port.container, port.protocol);
            other.ip == Ipv4Addr::UNSPECIFIED && same(other) == same(&port)
        };
        match held.iter_mut().find(is_twin) {
            Some(twin) => twin.families = Families::Both,
            None => held.push(port),
        }
    }
    held.sort();
    held
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerState, PortBinding};

    use super::*;

    fn shown(status: ContainerStateStatusEnum, code: i64, known: State) -> Status {
        let state =
            ContainerState { status: Some(status), exit_code: Some(code), ..ContainerState::default() };
        Shown::read(ContainerInspectResponse { state: Some(state), ..Default::default() }, known).status
    }

    #[test]
    fn what_runs_while_a_stop_is_under_way_is_stopping() {
        let running = ContainerStateStatusEnum::RUNNING;
        assert_eq!(shown(running, 0, State::Stopping).state, State::Stopping);
        assert_eq!(shown(running, 0, State::Running).state, State::Running);
        assert_eq!(shown(ContainerStateStatusEnum::EXITED, 0, State::Stopping).state, State::Stopped);
    }

    #[test]
    fn an_exit_code_is_one_only_while_there_is_no_process() {
        assert_eq!(shown(ContainerStateStatusEnum::RUNNING, 0, State::Running).exit, None);
        assert_eq!(shown(ContainerStateStatusEnum::EXITED, 0, State::Running).exit, Some(0));
        assert_eq!(shown(ContainerStateStatusEnum::CREATED, 0, State::Created).exit, None);
        assert_eq!(shown(ContainerStateStatusEnum::CREATED, 127, State::Created).exit, Some(127));
    }

    #[test]
    fn a_port_that_is_held_on_all_addresses_is_told_once() {
        let binding = |ip: &str| PortBinding { host_ip: Some(ip.into()), host_port: Some("8081".into()) };
        let ports: PortMap =
            [("80/tcp".into(), Some(vec![binding("0.0.0.0"), binding("::")])), ("81/tcp".into(), None)]
                .into();
        let told: Vec<String> = held(ports).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["0.0.0.0:8081->80/tcp"]);
    }
}
