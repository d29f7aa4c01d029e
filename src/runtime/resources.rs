//! The resources section of a configuration, as limits.

use std::time::Duration;

use oci_spec::runtime::{Linux, LinuxCpu, LinuxMemory};

use super::bundle::BundleError;
use super::cgroup::{CPU_PERIOD, Limit};

/// The limits that a bundle asks for. Negative numbers ask for none, explicitly.
pub(super) fn limits(linux: &Linux) -> Result<Vec<Limit>, BundleError> {
    let Some(resources) = linux.resources() else { return Ok(Vec::new()) };
    let mut rest = resources.clone();
    // Rules for devices come with every configuration; see `devices of its own` in the plan.
    rest.set_memory(None).set_cpu(None).set_pids(None).set_devices(None);
    nothing_in(&rest, "limits on resources other than memory, cpu and pids")?;

    let mut limits = Vec::new();
    if let Some(memory) = resources.memory() {
        limits.extend(memory_limit(*memory)?);
    }
    if let Some(cpu) = resources.cpu() {
        limits.extend(cpu_limit(cpu)?);
    }
    let pids = resources.pids().map(|pids| pids.limit()).filter(|limit| *limit != 0);
    limits.extend(pids.map(|limit| Limit::Pids(u64::try_from(limit).ok())));
    Ok(limits)
}

fn memory_limit(memory: LinuxMemory) -> Result<Vec<Limit>, BundleError> {
    let (limit, swap) = (memory.limit(), memory.swap());
    let mut rest = memory;
    rest.set_limit(None).set_swap(None);
    nothing_in(&rest, "settings of memory other than limit and swap")?;
    let limit = limit.filter(|limit| *limit != 0);
    let both = swap.filter(|swap| *swap != 0 && Some(*swap) != limit);
    let beside = match (both, limit) {
        (None, _) => None,
        (Some(..0), _) => Some(Limit::Swap(None)),
        (Some(both), Some(memory @ 0..)) if both > memory => {
            Some(Limit::Swap(u64::try_from(both - memory).ok()))
        }
        (Some(_), _) => {
            return Err(BundleError::Unsupported(
                "a limit on memory and swap that is below the one on memory".into(),
            ));
        }
    };
    let memory = limit.map(|limit| Limit::Memory(u64::try_from(limit).ok()));
    Ok(memory.into_iter().chain(beside).collect())
}

fn cpu_limit(cpu: &LinuxCpu) -> Result<Vec<Limit>, BundleError> {
    let mut rest = cpu.clone();
    rest.set_quota(None).set_period(None).set_shares(None);
    nothing_in(&rest, "settings of the CPU other than quota, period and shares")?;
    let shares = cpu.shares().filter(|shares| *shares != 0).map(Limit::Shares);
    let period = cpu.period().filter(|period| *period != 0).map_or(CPU_PERIOD, Duration::from_micros);
    let quota = |quota| Limit::Cpu { quota: u64::try_from(quota).ok().map(Duration::from_micros), period };
    Ok(cpu.quota().filter(|given| *given != 0).map(quota).into_iter().chain(shares).collect())
}

/// What is left of a section when all that is known has been taken out.
fn nothing_in<T: Default + PartialEq>(rest: &T, what: &str) -> Result<(), BundleError> {
    if *rest == T::default() { Ok(()) } else { Err(BundleError::Unsupported(what.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(resources: &str) -> Result<Vec<Limit>, BundleError> {
        let mut linux = Linux::default();
        linux.set_resources(Some(serde_json::from_str(resources).unwrap()));
        limits(&linux)
    }

    #[test]
    fn limits_are_read_and_none_is_not_the_same_as_no_limit() {
        let all = r#"{"memory": {"limit": 4096, "swap": 4096}, "cpu": {"quota": 20000, "period": 50000},
                      "pids": {"limit": 7}, "devices": [{"allow": false, "access": "rwm"}]}"#;
        let micros = Duration::from_micros;
        let expected = [
            Limit::Memory(Some(4096)),
            Limit::Cpu { quota: Some(micros(20_000)), period: micros(50_000) },
            Limit::Pids(Some(7)),
        ];
        assert_eq!(of(all).unwrap(), expected);
        let unlimited = r#"{"memory": {"limit": -1}, "cpu": {"quota": -1}, "pids": {"limit": -1}}"#;
        let expected =
            [Limit::Memory(None), Limit::Cpu { quota: None, period: CPU_PERIOD }, Limit::Pids(None)];
        assert_eq!(of(unlimited).unwrap(), expected);
        assert_eq!(of(r#"{"memory": {}, "cpu": {"period": 50000}}"#).unwrap(), []);
        assert_eq!(limits(&Linux::default()).unwrap(), []);
    }

    #[test]
    fn swap_is_what_there_is_beside_memory_and_shares_are_a_limit_of_their_own() {
        let some = of(r#"{"memory": {"limit": 4096, "swap": 8192}, "cpu": {"shares": 512}}"#).unwrap();
        assert_eq!(some, [Limit::Memory(Some(4096)), Limit::Swap(Some(4096)), Limit::Shares(512)]);
        let unlimited = of(r#"{"memory": {"limit": 4096, "swap": -1}}"#).unwrap();
        assert_eq!(unlimited, [Limit::Memory(Some(4096)), Limit::Swap(None)]);
    }

    #[test]
    fn whatever_else_is_asked_for_is_refused() {
        for resources in [
            r#"{"memory": {"limit": 4096, "reservation": 1024}}"#,
            r#"{"memory": {"limit": 4096, "swap": 2048}}"#,
            r#"{"memory": {"limit": 4096, "disableOOMKiller": true}}"#,
            r#"{"cpu": {"quota": 20000, "cpus": "0-1"}}"#,
            r#"{"blockIO": {"weight": 10}}"#,
            r#"{"unified": {"memory.high": "4096"}}"#,
        ] {
            let error = of(resources).unwrap_err().to_string();
            assert!(
                error.contains("other than") || error.contains("memory and swap"),
                "{resources}: {error}"
            );
        }
    }
}
