//! What another engine made of the same scenario, laid beside what happens now.
//!
//! Two hosts cannot be asked at once: both would want the same ports. So the other one goes first and is written down. What one
//! has told at the end of a step and the other has not may be a matter of time: it has until the end of the next step.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::Tolerance;
use super::compare::{
    compare_outcomes, compare_resources, compare_status, compare_times, differs, is_event, stories,
};
use crate::engine::trace::{Against, Audience, Closing, Divergence, Opening, StepOpening, StepTrace};
use crate::model::Name;

/// A replay on another engine, written down.
pub struct Reference {
    engine: &'static str,
    parts: Vec<StepTrace>,
}

/// Somebody who hears of a replay, and of how it differs from the other.
pub struct Beside<'a> {
    reference: Reference,
    audience: &'a mut dyn Audience,
    tolerance: Tolerance,
    next: usize,
    /// Events of each container that one has told and the other has not.
    ahead: BTreeMap<Name, Ahead>,
    diverged: BTreeSet<usize>,
}

#[derive(Default)]
struct Ahead {
    other: Vec<String>,
    this: Vec<String>,
    /// Since how many steps.
    steps: usize,
}

impl Reference {
    /// Nothing yet.
    pub fn new(engine: &'static str) -> Self {
        Self { engine, parts: Vec::new() }
    }

    /// Tells an audience how another replay differs from this one.
    pub fn beside(self, audience: &mut dyn Audience) -> Beside<'_> {
        let tolerance = if self.engine == "docker" { Tolerance::Docker } else { Tolerance::Kernel };
        Beside {
            reference: self,
            audience,
            tolerance,
            next: 0,
            ahead: BTreeMap::new(),
            diverged: BTreeSet::new(),
        }
    }
}

impl Audience for Reference {
    fn opening(&mut self, _: &Opening) -> io::Result<()> {
        Ok(())
    }

    fn step_begins(&mut self, _: &StepOpening) -> io::Result<()> {
        Ok(())
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        self.parts.push(step.clone());
        Ok(())
    }

    fn closing(&mut self, _: &Closing) -> io::Result<()> {
        Ok(())
    }
}

impl Beside<'_> {
    /// How many steps went otherwise than on the other engine, beside those that went otherwise than predicted.
    pub fn diverged(&self) -> usize {
        self.diverged.len()
    }

    fn compare(&mut self, step: &StepTrace) -> Vec<Divergence> {
        let Some(other) = self.reference.parts.get(self.next).cloned() else { return Vec::new() };
        self.next += 1;
        let mut found: Vec<Divergence> = compare_outcomes(&other, step).into_iter().collect();
        found.extend(compare_times(&other, step, self.tolerance));
        found.extend(self.compare_events(&other, step));
        for (name, change) in &step.ledger {
            let Some(before) = other.ledger.get(name) else { continue };
            if self.ahead.contains_key(name) {
                continue;
            }
            let state = change.after.state();
            found.extend(compare_status(name, &before.after.status, &change.after.status));
            if before.after.state() == state && self.tolerance.counts_resources(state) {
                found.extend(compare_resources(name, &before.after.resources, &change.after.resources));
            }
        }
        let against = Against::Engine(self.reference.engine);
        found.into_iter().map(|divergence| Divergence { against, ..divergence }).collect()
    }

    fn compare_events(&mut self, other: &StepTrace, step: &StepTrace) -> Vec<Divergence> {
        let (mut theirs, mut ours) = (stories(&other.happened, is_event), stories(&step.happened, is_event));
        let names: BTreeSet<Name> =
            theirs.keys().chain(ours.keys()).chain(self.ahead.keys()).cloned().collect();
        let mut found = Vec::new();
        for name in names {
            let mut ahead = self.ahead.remove(&name).unwrap_or_default();
            ahead.other.extend(theirs.remove(&name).unwrap_or_default());
            ahead.this.extend(ours.remove(&name).unwrap_or_default());
            let common =
                ahead.other.iter().zip(&ahead.this).take_while(|(other, this)| other == this).count();
            ahead.other.drain(..common);
            ahead.this.drain(..common);
            match (ahead.other.is_empty(), ahead.this.is_empty()) {
                (true, true) => {}
                (false, false) => found.push(ahead.told(&name)),
                _ if ahead.steps > 0 => found.push(ahead.told(&name)),
                _ => {
                    ahead.steps += 1;
                    self.ahead.insert(name, ahead);
                }
            }
        }
        found
    }
}

impl Ahead {
    fn told(&self, name: &Name) -> Divergence {
        let told = |story: &[String]| if story.is_empty() { "nothing".into() } else { story.join(" · ") };
        differs(format!("{name}'s events"), told(&self.other), told(&self.this))
    }
}

impl Audience for Beside<'_> {
    fn opening(&mut self, opening: &Opening) -> io::Result<()> {
        if opening.engine == "docker" {
            self.tolerance = Tolerance::Docker;
        }
        self.audience.opening(opening)
    }

    fn step_begins(&mut self, step: &StepOpening) -> io::Result<()> {
        self.audience.step_begins(step)
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        let found = self.compare(step);
        if step.unexplained().next().is_none() && !found.is_empty() {
            self.diverged.insert(step.index);
        }
        let diverged = step.diverged.iter().cloned().chain(found).collect();
        self.audience.step_done(&StepTrace { diverged, ..step.clone() })
    }

    fn closing(&mut self, closing: &Closing) -> io::Result<()> {
        let diverged = closing.diverged + self.diverged();
        self.audience.closing(&Closing { diverged, ..closing.clone() })
    }
}
