//! Docker decides: what it did is held against what the simulator had predicted.
//!
//! Docker spends a third of a second on each start and stop that the model does not count, so one of the two is always a little
//! ahead. Each container's events are therefore compared as one story from its beginning: as far as both have told it they have to
//! agree, and who is ahead may be so by no more than the time that the starts and stops up to then allow. Of a container on
//! which the two have come equally far, all the rest has to agree as well.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Tolerance;
use super::compare::{
    Digests, Oracle, compare_cpu, compare_images, compare_outcomes, compare_resources, compare_status,
    compare_times, differs, is_event, stories,
};
use super::stage::Stage;
use crate::engine::differences::{self, Agreed};
use crate::engine::trace::{Divergence, Happening, StepTrace, What};
use crate::engine::{Engine, Local};
use crate::model::{Event, Name};
use crate::scenario::Step;
use crate::world::Interrupted;
use crate::world::simulated::Simulated;

/// The simulator, and how far it and Docker have been found to agree on each container.
pub(super) struct AgainstDocker {
    oracle: Stage<Local<Simulated>>,
    agreed: BTreeMap<Name, Agreed>,
}

/// Docker's.
const TOLERANCE: Tolerance = Tolerance::Docker;

impl Oracle for AgainstDocker {
    /// It is told what time it is, as one who looks at a clock: what Docker spends would add up from step to step.
    fn predict(&mut self, index: usize, step: &Step, asked: Duration) -> Result<Vec<StepTrace>, Interrupted> {
        let behind = asked.saturating_sub(self.oracle.now());
        self.oracle.pass(behind)?;
        self.oracle.play(index, step)
    }

    fn compare<E: Engine>(
        &mut self,
        predicted: &[StepTrace],
        parts: &mut [StepTrace],
        stage: &mut Stage<E>,
    ) -> Result<(), Interrupted> {
        let began_apart = self.apart(stage);
        let looked_for = stage.looked_for();
        let (Some(foreseen), Some(last)) = (predicted.last(), parts.last_mut()) else { return Ok(()) };
        // Before anybody waits for anything else: the share is one of the time between two looks.
        let names: Vec<Name> = last.ledger.keys().cloned().collect();
        let cpu: Vec<Divergence> =
            names.iter().filter_map(|name| compare_cpu(name, foreseen, last, Some(looked_for))).collect();
        self.catch_up(stage, last)?;
        let events = self.compare_events(stage);
        let entries = self.settle(stage, foreseen, last)?;
        let apart = self.apart(stage);
        let is_apart = |name: &Name| began_apart.contains(name) || apart.contains(name);
        last.diverged.extend(cpu.into_iter().filter(|_| !names.iter().any(is_apart)));
        last.diverged.extend(events);
        last.diverged.extend(entries);
        for (foreseen, part) in predicted.iter().zip(parts.iter_mut()) {
            part.diverged.extend(compare_outcomes(foreseen, part));
            part.diverged.extend(compare_images(foreseen, part, Digests::Docker));
            if !part.container.as_ref().is_some_and(is_apart) {
                part.diverged.extend(compare_times(&self.with_all_it_contains(foreseen), part, TOLERANCE));
            }
        }
        Ok(())
    }
}

impl AgainstDocker {
    pub(super) fn new(oracle: Stage<Local<Simulated>>) -> Self {
        Self { oracle, agreed: BTreeMap::new() }
    }

    /// What is joined has begun before its step: most of its starts and stops belong to earlier ones.
    fn with_all_it_contains(&self, foreseen: &StepTrace) -> StepTrace {
        let mut whole = foreseen.clone();
        if let Some(name) = foreseen.container.as_ref().filter(|_| foreseen.action == "join") {
            let told = self.oracle.since(0).iter().filter(|happening| is_of(&happening.what, name));
            let of_a_restart = told.rev().take(LONGEST_COMMAND);
            whole.happened = of_a_restart.cloned().collect();
        }
        whole
    }

    /// Whoever is behind gets the time to follow.
    fn catch_up<E: Engine>(&mut self, stage: &mut Stage<E>, last: &mut StepTrace) -> Result<(), Interrupted> {
        let took = last.took.unwrap_or_default();
        if self.rests(stage).values().any(Rest::is_ahead_in_prediction) {
            let patience = TOLERANCE.of_time(took, self.oracle.since(0));
            let patience = patience.min(LONGEST_WAIT);
            stage.pass_until(patience, |stage| {
                !self.rests(stage).values().any(Rest::is_ahead_in_prediction)
            })?;
            stage.look_again(last);
        }
        if self.rests(stage).values().any(Rest::is_ahead_in_measurement) {
            let measured = stage.since(0);
            let patience = TOLERANCE.of_time(took, measured).min(LONGEST_WAIT);
            let mut ahead = self.oracle.clone();
            let agreed = &self.agreed;
            let follows = |oracle: &mut Stage<Local<Simulated>>| {
                !rests(agreed, oracle.since(0), measured).values().any(Rest::is_ahead_in_measurement)
            };
            if ahead.pass_until(patience, follows)? {
                self.oracle = ahead;
            }
        }
        Ok(())
    }

    /// Takes note of how far both agree now, and of where they do not.
    fn compare_events<E: Engine>(&mut self, stage: &Stage<E>) -> Vec<Divergence> {
        let mut found = Vec::new();
        for (name, rest) in self.rests(stage) {
            let agreed = self.agreed.entry(name.clone()).or_default();
            let (common, difference) = differences::agree(&rest.predicted, &rest.measured);
            agreed.predicted += common.predicted;
            agreed.measured += common.measured;
            let (predicted, measured) =
                (&rest.predicted[common.predicted..], &rest.measured[common.measured..]);
            let told = |story: &[String]| {
                if story.is_empty() { "nothing".to_owned() } else { story.join(" · ") }
            };
            if difference.is_some() {
                let (predicted, measured) =
                    (&rest.predicted[..common.predicted], &rest.measured[..common.measured]);
                let divergence = differs(format!("{name}'s events"), told(predicted), told(measured));
                found.push(Divergence { explained: difference, ..divergence });
            }
            let first = self.first_of_rest(stage, &name, self.agreed[&name]);
            let late = first.is_some_and(|first| {
                let allowed = TOLERANCE.of_time(first, &self.told_of(stage, &name));
                stage.now() > first + allowed
            });
            if (!predicted.is_empty() && !measured.is_empty()) || late {
                found.push(differs(format!("{name}'s events"), told(predicted), told(measured)));
                let agreed = self.agreed.entry(name).or_default();
                agreed.predicted += predicted.len();
                agreed.measured += measured.len();
            }
        }
        found
    }

    /// Of containers on which both have come equally far: what is on its way may still take a moment.
    fn settle<E: Engine>(
        &self,
        stage: &mut Stage<E>,
        predicted: &StepTrace,
        last: &mut StepTrace,
    ) -> Result<Vec<Divergence>, Interrupted> {
        let mut found = self.compare_entries(stage, predicted, last);
        if !found.is_empty() {
            let before = stage.so_far();
            let patience = TOLERANCE.of_time(Duration::ZERO, &[]);
            stage.pass_until(patience, |stage| {
                let mut now = last.clone();
                stage.look_again(&mut now);
                found = self.compare_entries(stage, predicted, &now);
                found.is_empty() || stage.so_far() > before
            })?;
            stage.look_again(last);
            found = self.compare_entries(stage, predicted, last);
        }
        Ok(found)
    }

    fn compare_entries<E: Engine>(
        &self,
        stage: &Stage<E>,
        predicted: &StepTrace,
        part: &StepTrace,
    ) -> Vec<Divergence> {
        let apart = self.apart(stage);
        let mut found = Vec::new();
        for (name, measured) in part.ledger.iter().filter(|(name, _)| !apart.contains(*name)) {
            let foreseen = self.oracle.status(name);
            found.extend(compare_status(name, &foreseen, &measured.after.status));
            let Some(change) = predicted.ledger.get(name) else { continue };
            let is = foreseen.state;
            let same = is == measured.after.state() && change.after.state() == is;
            if same && TOLERANCE.counts_resources(is) {
                found.extend(compare_resources(name, &change.after.resources, &measured.after.resources));
            }
        }
        found
    }

    /// The containers on which one of the two is ahead.
    fn apart<E: Engine>(&self, stage: &Stage<E>) -> BTreeSet<Name> {
        let rests = self.rests(stage).into_iter();
        rests
            .filter(|(_, rest)| !rest.predicted.is_empty() || !rest.measured.is_empty())
            .map(|(name, _)| name)
            .collect()
    }

    fn rests<E: Engine>(&self, stage: &Stage<E>) -> BTreeMap<Name, Rest> {
        rests(&self.agreed, self.oracle.since(0), stage.since(0))
    }

    /// When the first event was told that only one has told.
    fn first_of_rest<E: Engine>(&self, stage: &Stage<E>, name: &Name, agreed: Agreed) -> Option<Duration> {
        let nth = |happened: &[Happening], skipped: usize| {
            happened
                .iter()
                .filter(|happening| is_of(&happening.what, name))
                .nth(skipped)
                .map(|first| first.at)
        };
        nth(self.oracle.since(0), agreed.predicted).or_else(|| nth(stage.since(0), agreed.measured))
    }

    /// Everything that either has told of a container.
    fn told_of<E: Engine>(&self, stage: &Stage<E>, name: &Name) -> Vec<Happening> {
        let of = |happened: &[Happening]| -> Vec<Happening> {
            happened.iter().filter(|happening| is_of(&happening.what, name)).cloned().collect()
        };
        let (predicted, measured) = (of(self.oracle.since(0)), of(stage.since(0)));
        if predicted.len() > measured.len() { predicted } else { measured }
    }
}

/// The most events that one command tells: signal, signal, death, stop, start, restart.
const LONGEST_COMMAND: usize = 6;
/// Nobody waits longer for who is behind: it has the next steps to follow.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What has been told of a container since both agreed.
struct Rest {
    predicted: Vec<String>,
    measured: Vec<String>,
}

impl Rest {
    fn is_ahead_in_prediction(&self) -> bool {
        self.predicted.len() > self.measured.len() && self.predicted.starts_with(&self.measured)
    }

    fn is_ahead_in_measurement(&self) -> bool {
        self.measured.len() > self.predicted.len() && self.measured.starts_with(&self.predicted)
    }
}

fn rests(
    agreed: &BTreeMap<Name, Agreed>,
    predicted: &[Happening],
    measured: &[Happening],
) -> BTreeMap<Name, Rest> {
    let (mut predicted, mut measured) = (stories(predicted, is_event), stories(measured, is_event));
    let names: BTreeSet<Name> = predicted.keys().chain(measured.keys()).cloned().collect();
    let rest = |name: Name| {
        let agreed = agreed.get(&name).copied().unwrap_or_default();
        let rest_of = |stories: &mut super::compare::Stories, count: usize| {
            stories.remove(&name).unwrap_or_default().into_iter().skip(count).collect::<Vec<_>>()
        };
        let rest = Rest {
            predicted: rest_of(&mut predicted, agreed.predicted),
            measured: rest_of(&mut measured, agreed.measured),
        };
        (name, rest)
    };
    names.into_iter().map(rest).collect()
}

fn is_of(what: &What, name: &Name) -> bool {
    matches!(what, What::Emitted(Event { container, .. }) if container == name)
}
