//! A scenario's own rules, held against every moment: `always`, `never`, `eventually`.
//!
//! A moment is whenever something has happened, and whenever time has passed. CPU time is used between moments: its share
//! counts for the states in which containers were meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Tolerance;
use super::expectation;
use crate::engine::Engine;
use crate::model::{Health, Name, Resources, Status};
use crate::scenario::{ContainerExpect, CpuExpect, MemoryExpect, Rule, Scenario};

/// Shorter than this, a share of CPU time cannot be told.
const SHORTEST: Duration = Duration::from_millis(100);

/// The rules of a scenario, and what has become of them so far.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnRules {
    always: Vec<Kept>,
    never: Vec<Kept>,
    eventually: Vec<Kept>,
    /// When CPU time was last looked at, and what each container had used and was like then.
    looked: Duration,
    used: BTreeMap<Name, (f64, Status)>,
}

/// A rule, and whether that for which it is there has happened.
#[derive(Clone, Debug)]
struct Kept {
    rule: Rule,
    settled: bool,
}

/// What a container is like at a moment, and what it has been like up to it.
struct Look {
    status: Status,
    costs: Resources,
    /// How it was meanwhile, and what share of a CPU it used; none where too little time has passed to tell.
    meanwhile: Option<(Status, f64)>,
}

impl OwnRules {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let kept = |rules: &[Rule]| -> Vec<Kept> {
            rules.iter().map(|rule| Kept { rule: rule.clone(), settled: false }).collect()
        };
        Self {
            always: kept(&scenario.always),
            never: kept(&scenario.never),
            eventually: kept(&scenario.eventually),
            looked: Duration::ZERO,
            used: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.always.is_empty() && self.never.is_empty() && self.eventually.is_empty()
    }

    /// Holds this moment against the rules; says which are broken now and have not been before.
    pub(super) fn look<E: Engine>(&mut self, engine: &mut E, tolerance: Tolerance) -> Vec<String> {
        let looks = self.looks(engine);
        let at = engine.now();
        let told = |time: Duration| {
            humantime::format_duration(Duration::from_millis(
                u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            ))
        };
        let mut broken = Vec::new();
        for kept in self.never.iter_mut().filter(|kept| !kept.settled) {
            if holds(&kept.rule, &looks, tolerance) == Some(true) {
                kept.settled = true;
                broken.push(format!(
                    "this was never to be, and is so after {}: {}",
                    told(at),
                    spoken(&kept.rule)
                ));
            }
        }
        for kept in self.always.iter_mut().filter(|kept| !kept.settled) {
            if holds(&kept.rule, &looks, tolerance) == Some(false) {
                kept.settled = true;
                broken.push(format!(
                    "this was always to be, and is not so after {}: {}",
                    told(at),
                    spoken(&kept.rule)
                ));
            }
        }
        for kept in self.eventually.iter_mut().filter(|kept| !kept.settled) {
            kept.settled = holds(&kept.rule, &looks, tolerance) == Some(true);
        }
        broken
    }

    /// What was to be at some moment, and never was.
    pub(super) fn missed(&self) -> Vec<String> {
        let missed = self.eventually.iter().filter(|kept| !kept.settled);
        missed
            .map(|kept| format!("this was to be eventually, and never was: {}", spoken(&kept.rule)))
            .collect()
    }

    fn looks<E: Engine>(&mut self, engine: &mut E) -> BTreeMap<Name, Look> {
        let rules = self.always.iter().chain(&self.never).chain(&self.eventually);
        let names: Vec<Name> = rules.flat_map(|kept| kept.rule.containers.keys().cloned()).collect();
        let now = engine.now();
        let elapsed = now.saturating_sub(self.looked);
        let tellable = elapsed >= SHORTEST;
        let mut looks = BTreeMap::new();
        for name in names {
            let (status, costs) = (engine.status(&name), engine.resources(&name));
            let cpu = costs.cpu_seconds.unwrap_or(0.0);
            let last = self.used.get(&name).filter(|_| tellable);
            let share = |used: f64| 100.0 * (cpu - used).max(0.0) / elapsed.as_secs_f64();
            let meanwhile = last.map(|(used, was)| (was.clone(), share(*used)));
            if tellable || self.used.get(&name).is_none_or(|(_, was)| *was != status) {
                self.used.insert(name.clone(), (cpu, status.clone()));
            }
            looks.insert(name, Look { status, costs, meanwhile });
        }
        if tellable {
            self.looked = now;
        }
        looks
    }
}

/// Whether all conditions of a rule hold together; none if that cannot be told at this moment.
fn holds(rule: &Rule, looks: &BTreeMap<Name, Look>, tolerance: Tolerance) -> Option<bool> {
    let of_time = rule.containers.values().any(|claims| claims.cpu.is_some());
    let mut all = true;
    for (name, claims) in &rule.containers {
        let look = looks.get(name)?;
        let status = if of_time { &look.meanwhile.as_ref()?.0 } else { &look.status };
        all &= is_like(status, claims) && costs(&look.costs, claims);
        if let Some(wanted) = claims.cpu {
            all &= is_as_busy(look.meanwhile.as_ref()?.1, wanted, tolerance);
        }
    }
    Some(all)
}

fn is_like(status: &Status, claims: &ContainerExpect) -> bool {
    let health = status.health.map_or("none", Health::word);
    claims.state.is_none_or(|state| state == status.state)
        && claims.exit.is_none_or(|code| status.exit == Some(code.into()))
        && claims.oom.is_none_or(|oom| oom == status.oom)
        && claims.restarts.is_none_or(|count| count == status.restarts)
        && claims.health.is_none_or(|wanted| expectation::health_word(wanted) == health)
        && claims
            .error
            .as_ref()
            .is_none_or(|text| status.error.as_ref().is_some_and(|error| error.contains(text.as_str())))
}

fn costs(costs: &Resources, claims: &ContainerExpect) -> bool {
    let held = costs.memory_bytes;
    let ports = || costs.ports.iter().filter_map(|port| expectation::host_port(port)).collect::<Vec<_>>();
    claims.processes.is_none_or(|count| costs.processes == Some(count))
        && claims.memory.is_none_or(|bound| match bound {
            MemoryExpect::More(bytes) => held.is_some_and(|held| held > bytes),
            MemoryExpect::Less(bytes) => held.is_some_and(|held| held < bytes),
        })
        && claims.ports.as_ref().is_none_or(|wanted| *wanted == ports())
}

fn is_as_busy(share: f64, wanted: CpuExpect, tolerance: Tolerance) -> bool {
    match wanted {
        CpuExpect::Idle => share < 5.0,
        CpuExpect::Busy => share > 25.0,
        CpuExpect::Percent(percent) => (share - f64::from(percent)).abs() <= tolerance.of_cpu(),
    }
}

/// A rule as it is written, in one line.
fn spoken(rule: &Rule) -> String {
    let told = serde_json::to_string(rule).unwrap_or_default();
    told.replace('"', "").replace(':', ": ").replace(',', ", ")
}
