//! The health check: a probe every interval, and what its answers make of the container's health.

use alloc::boxed::Box;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::container::Cx;
use super::{Action, EventKind, HealthCheck, Observation, Timer, Within};

/// What a container's health check has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It has not been found out yet.
    Starting,
    /// The last probe succeeded.
    Healthy,
    /// Too many probes in a row have failed, or nobody probes any more.
    Unhealthy,
}

impl Health {
    /// Docker's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// Who probes a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Monitor {
    check: Box<HealthCheck>,
    failures: u32,
    start: Start,
    probe: Probe,
}

/// Whether failures count already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Start {
    Within,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Probe {
    Awaited,
    /// Its failure counts, or not, by when it began.
    UnderWay(Start),
    Suspended,
}

/// What a check has where nothing, or zero, is asked for (moby `daemon/health.go`).
const DEFAULT_TIME: Duration = Duration::from_secs(30);
const DEFAULT_RETRIES: u32 = 3;

impl Monitor {
    /// A run begins: its health is to be found out, if it has a check.
    pub(super) fn begin(cx: &mut Cx<'_>) -> Option<Self> {
        let check = Box::new(with_defaults(cx.record.spec.health.clone()?));
        cx.record.health = Some(Health::Starting);
        let start = if check.start_period.is_zero() { Start::Over } else { Start::Within };
        if start == Start::Within {
            cx.act(Action::Arm(Timer::StartPeriod, check.start_period));
        }
        cx.act(Action::Arm(Timer::Health, check.interval));
        Some(Self { check, failures: 0, start, probe: Probe::Awaited })
    }

    pub(super) fn observe(&mut self, cx: &mut Cx<'_>, seen: &Observation) {
        match (self.probe, seen) {
            (_, Observation::Fired(Timer::StartPeriod)) => self.start = Start::Over,
            (Probe::Awaited, Observation::Fired(Timer::Health)) => {
                self.probe = Probe::UnderWay(self.start);
                cx.act(Action::Probe);
                cx.act(Action::Arm(Timer::HealthTimeout, self.check.timeout));
            }
            (Probe::UnderWay(began), Observation::Fired(Timer::HealthTimeout)) => {
                cx.act(Action::StopProbe);
                self.probed(cx, began, Answer::Bad);
            }
            (Probe::UnderWay(began), Observation::Within(Within::Probed(answer))) => {
                cx.act(Action::Cancel(Timer::HealthTimeout));
                self.probed(cx, began, *answer);
            }
            _ => {}
        }
    }

    fn probed(&mut self, cx: &mut Cx<'_>, began: Start, answer: Answer) {
        match answer {
            Answer::Good => {
                self.failures = 0;
                become_(cx, Health::Healthy);
            }
            Answer::Bad if began == Start::Within && cx.record.health == Some(Health::Starting) => {}
            Answer::Bad => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= self.check.retries {
                    become_(cx, Health::Unhealthy);
                }
            }
        }
        self.await_next(cx);
    }

    fn await_next(&mut self, cx: &mut Cx<'_>) {
        self.probe = Probe::Awaited;
        cx.act(Action::Arm(Timer::Health, self.check.interval));
    }

    /// A paused container is not probed. Docker calls it unhealthy meanwhile, without an event.
    pub(super) fn suspend(&mut self, cx: &mut Cx<'_>) {
        self.cancel(cx);
        self.probe = Probe::Suspended;
        cx.record.health = Some(Health::Unhealthy);
    }

    /// It goes on: the next probe comes after a whole interval.
    pub(super) fn resume(&mut self, cx: &mut Cx<'_>) {
        if self.probe == Probe::Suspended {
            self.await_next(cx);
        }
    }

    /// The run has ended, and nobody probes any more.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>) {
        self.cancel(cx);
        if self.start == Start::Within {
            cx.act(Action::Cancel(Timer::StartPeriod));
        }
        cx.record.health = Some(Health::Unhealthy);
    }

    fn cancel(&mut self, cx: &mut Cx<'_>) {
        match self.probe {
            Probe::Awaited => cx.act(Action::Cancel(Timer::Health)),
            Probe::UnderWay(_) => {
                cx.act(Action::StopProbe);
                cx.act(Action::Cancel(Timer::HealthTimeout));
            }
            Probe::Suspended => {}
        }
    }
}

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Answer {
    /// The check succeeded.
    Good,
    /// It failed.
    Bad,
}

fn with_defaults(check: HealthCheck) -> HealthCheck {
    let time = |asked: Duration| if asked.is_zero() { DEFAULT_TIME } else { asked };
    let retries = if check.retries == 0 { DEFAULT_RETRIES } else { check.retries };
    HealthCheck { interval: time(check.interval), timeout: time(check.timeout), retries, ..check }
}

fn become_(cx: &mut Cx<'_>, health: Health) {
    if cx.record.health != Some(health) {
        cx.record.health = Some(health);
        cx.emit(EventKind::HealthStatus(health));
    }
}
