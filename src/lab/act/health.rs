//! The health check of a behaviour: asked from outside, it goes by how long the container's PID 1 has lived.

use std::{fs, io, time::Duration};

use nix::{
    time::{ClockId, clock_gettime},
    unistd::{SysconfVar, sysconf},
};
use thiserror::Error;

use crate::model::Behavior;

/// Why a container's health cannot be told.
#[derive(Debug, Error)]
pub(super) enum HealthError {
    #[error("cannot read when PID 1 was started: {0}")]
    Start(#[source] io::Error),
    #[error("cannot read when PID 1 was started: /proc/1/stat has no such field")]
    Field,
    #[error("cannot read the clock: {0}")]
    Clock(#[from] nix::errno::Errno),
}

/// 0 for healthy, 1 for not. A behaviour that says nothing of its health is healthy.
pub(super) fn check(behavior: &Behavior) -> Result<u8, HealthError> {
    let age = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME)?).saturating_sub(start_of_pid_1()?);
    Ok(u8::from(behavior.is_healthy(age) == Some(false)))
}

/// Since the host came up, from the 22nd field of `proc_pid_stat(5)`; the second may contain spaces.
fn start_of_pid_1() -> Result<Duration, HealthError> {
    let stat = fs::read_to_string("/proc/1/stat").map_err(HealthError::Start)?;
    let (_, after_name) = stat.rsplit_once(')').ok_or(HealthError::Field)?;
    let ticks: u64 = after_name
        .split_whitespace()
        .nth(19)
        .and_then(|field| field.parse().ok())
        .ok_or(HealthError::Field)?;
    let per_second =
        sysconf(SysconfVar::CLK_TCK)?.and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(100).max(1);
    Ok(Duration::from_millis(ticks * 1000 / per_second))
}
