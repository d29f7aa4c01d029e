//! Lockstep: the simulator plays each step before the kernel does, and what was measured is held against what was predicted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Tolerance;
use super::stage::Stage;
use crate::engine::trace::{Against, Divergence, Happening, StepTrace, What};
use crate::engine::{Engine, Local};
use crate::model::{Name, Resources, State, Status};
use crate::scenario::Step;
use crate::world::Interrupted;
use crate::world::images::ShownLayer;
use crate::world::simulated::Simulated;

/// Bytes by which memory may always be off.
const MEMORY_SLACK: u64 = 4 << 20;

/// The simulator, and how far the two have been found to agree.
pub(super) struct Comparison {
    oracle: Stage<Local<Simulated>>,
    /// How many of the predicted and of the measured happenings have been compared.
    predicted: usize,
    measured: usize,
}

/// Foretells each step, and compares.
pub(super) trait Oracle {
    /// What the simulator says will happen when it is asked at this time. It knows nothing of what the host has said.
    fn predict(&mut self, index: usize, step: &Step, asked: Duration) -> Result<Vec<StepTrace>, Interrupted>;

    /// Notes in each part of a step where it differs from its prediction.
    fn compare<E: Engine>(
        &mut self,
        predicted: &[StepTrace],
        parts: &mut [StepTrace],
        stage: &mut Stage<E>,
    ) -> Result<(), Interrupted>;
}

impl Oracle for Comparison {
    fn predict(&mut self, index: usize, step: &Step, _: Duration) -> Result<Vec<StepTrace>, Interrupted> {
        self.oracle.play(index, step)
    }

    fn compare<E: Engine>(
        &mut self,
        predicted: &[StepTrace],
        parts: &mut [StepTrace],
        stage: &mut Stage<E>,
    ) -> Result<(), Interrupted> {
        for (predicted, part) in predicted.iter().zip(parts.iter_mut()) {
            if is_about_images(part) {
                // How long a build or a transfer takes is nobody's to foretell: the simulator looks at the clock.
                self.oracle.pass(part.took.unwrap_or_default())?;
            }
            part.diverged.extend(compare_outcomes(predicted, part));
            part.diverged.extend(compare_images(predicted, part, Digests::Compared));
            part.diverged.extend(compare_times(predicted, part, Tolerance::Kernel));
        }
        let (Some(predicted), Some(last)) = (predicted.last(), parts.last_mut()) else { return Ok(()) };
        let deadline = stage.now() + Tolerance::Kernel.of_time(last.took.unwrap_or_default(), &[]);
        loop {
            self.catch_up(stage, last)?;
            last.diverged.extend(self.compare_happenings(stage));
            let compared = stage.so_far();
            let differences = self.settle(stage, predicted, last)?;
            // What has happened while they were looked at has to be predicted, too.
            if stage.so_far() == compared || !last.diverged.is_empty() || stage.now() > deadline {
                last.diverged.extend(differences);
                return Ok(());
            }
        }
    }
}

impl Comparison {
    pub(super) fn new(oracle: Stage<Local<Simulated>>) -> Self {
        Self { oracle, predicted: 0, measured: 0 }
    }

    /// A kernel takes a moment for what costs the simulator none: what is on its way (a process that is brought in, one that
    /// is being waited for) has the tolerance's time to arrive.
    fn settle<E: Engine>(
        &self,
        stage: &mut Stage<E>,
        predicted: &StepTrace,
        last: &mut StepTrace,
    ) -> Result<Vec<Divergence>, Interrupted> {
        let mut differences = self.compare_entries(predicted, last);
        if !differences.is_empty() && last.diverged.is_empty() {
            let patience = Tolerance::Kernel.of_time(Duration::ZERO, &[]);
            let before = stage.so_far();
            stage.pass_until(patience, |stage| {
                let mut now = last.clone();
                stage.look_again(&mut now);
                differences = self.compare_entries(predicted, &now);
                differences.is_empty() || stage.so_far() > before
            })?;
            stage.look_again(last);
        }
        Ok(differences)
    }

    /// A timer that is due within the tolerance may have fired in one world only: the other gets the time to follow.
    fn catch_up<E: Engine>(&mut self, stage: &mut Stage<E>, last: &mut StepTrace) -> Result<(), Interrupted> {
        let patience = Tolerance::Kernel.of_time(last.took.unwrap_or_default(), &[]);
        let predicted = stories(self.oracle.since(self.predicted), |_| true);
        let measured = stories(stage.since(self.measured), |_| true);
        if lags_behind(&measured, &predicted) {
            let from = self.measured;
            stage.pass_until(patience, |stage| {
                !lags_behind(&stories(stage.since(from), |_| true), &predicted)
            })?;
            stage.look_again(last);
        } else if lags_behind(&predicted, &measured) {
            let from = self.predicted;
            let mut ahead = self.oracle.clone();
            let follows = |stage: &mut Stage<Local<Simulated>>| {
                !lags_behind(&stories(stage.since(from), |_| true), &measured)
            };
            if ahead.pass_until(patience, follows)? {
                self.oracle = ahead;
            }
        }
        Ok(())
    }

    /// Events say most; where they agree, the transitions may still differ. What happens to different containers at the same
    /// time has no order that could be predicted, so each is compared by itself.
    fn compare_happenings<E: Engine>(&mut self, stage: &Stage<E>) -> Vec<Divergence> {
        let predicted = self.oracle.since(self.predicted);
        let measured = stage.since(self.measured);
        let kinds = [("events", is_event as fn(&What) -> bool), ("states", is_transition)];
        let compare = |(what, kind): (&str, fn(&What) -> bool)| {
            let (predicted, measured) = (stories(predicted, kind), stories(measured, kind));
            let names: BTreeSet<&Name> = predicted.keys().chain(measured.keys()).collect();
            let differ = names.into_iter().filter(|name| predicted.get(*name) != measured.get(*name));
            let told = |story: Option<&Vec<String>>| {
                story.map_or_else(|| "nothing".into(), |story| story.join(" · "))
            };
            let differ = differ.map(|name| {
                differs(format!("{name}'s {what}"), told(predicted.get(name)), told(measured.get(name)))
            });
            differ.collect::<Vec<_>>()
        };
        let differences = kinds.into_iter().map(compare).find(|differences| !differences.is_empty());
        self.predicted += predicted.len();
        self.measured += measured.len();
        differences.unwrap_or_default()
    }

    fn compare_entries(&self, predicted: &StepTrace, part: &StepTrace) -> Vec<Divergence> {
        let mut differences = Vec::new();
        for (name, measured) in &part.ledger {
            let foreseen = self.oracle.status(name);
            differences.extend(compare_status(name, &foreseen, &measured.after.status));
            let Some(change) = predicted.ledger.get(name) else { continue };
            if foreseen.state == measured.after.state() && change.after.state() == foreseen.state {
                differences.extend(compare_resources(
                    name,
                    &change.after.resources,
                    &measured.after.resources,
                ));
                differences.extend(compare_cpu(name, predicted, part, None));
            }
        }
        differences
    }
}

/// What happened to each container, as words and in its order.
pub(super) type Stories = BTreeMap<Name, Vec<String>>;

pub(super) fn stories(happened: &[Happening], wanted: impl Fn(&What) -> bool) -> Stories {
    let mut stories = Stories::new();
    for happening in happened.iter().filter(|happening| wanted(&happening.what)) {
        let (name, words) = match &happening.what {
            What::Moved(moved) => (&moved.container, format!("{} → {}", moved.from, moved.to)),
            What::Emitted(event) => (&event.container, event.kind.to_string()),
        };
        stories.entry(name.clone()).or_default().push(words);
    }
    stories
}

/// Whether one world has come less far on the same way.
fn lags_behind(behind: &Stories, ahead: &Stories) -> bool {
    behind != ahead
        && behind
            .iter()
            .all(|(name, story)| ahead.get(name).is_some_and(|further| further.starts_with(story)))
}

pub(super) fn is_event(what: &What) -> bool {
    matches!(what, What::Emitted(_))
}

fn is_transition(what: &What) -> bool {
    matches!(what, What::Moved(_))
}

pub(super) fn differs(
    what: impl Into<String>,
    predicted: impl Into<String>,
    measured: impl Into<String>,
) -> Divergence {
    Divergence {
        what: what.into(),
        against: Against::Prediction,
        predicted: predicted.into(),
        measured: measured.into(),
        explained: None,
        late: false,
    }
}

pub(super) fn compare_outcomes(predicted: &StepTrace, part: &StepTrace) -> Option<Divergence> {
    let told = |trace: &StepTrace| match &trace.message {
        Some(message) => format!("{} ({message})", trace.outcome.word()),
        None => trace.outcome.word().into(),
    };
    // Nobody knows what a registry has that one has not sent there before.
    let unknown =
        predicted.image.as_ref().is_some_and(|image| image.base.is_some() && image.history.is_empty());
    (predicted.outcome != part.outcome && !unknown).then(|| differs("outcome", told(predicted), told(part)))
}

/// Whether a layer's digest can be held against a prediction: Docker keeps the times of files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Digests {
    Compared,
    Docker,
}

fn is_about_images(part: &StepTrace) -> bool {
    matches!(part.action, "build" | "tag" | "push" | "pull" | "remove_image")
}

/// What an image was made of, as far as that could be foretold.
pub(super) fn compare_images(
    predicted: &StepTrace,
    part: &StepTrace,
    digests: Digests,
) -> Option<Divergence> {
    let (foreseen, seen) = predicted.image.as_ref().zip(part.image.as_ref())?;
    if foreseen.base.is_some() {
        return None;
    }
    let told = |layer: Option<&ShownLayer>| {
        let Some(layer) = layer else { return "none".into() };
        let bytes = layer.bytes.map_or_else(|| "a layer".into(), |bytes| format!("{bytes} bytes"));
        let digest = layer.digest.as_ref().map(|digest| format!(" ({})", digest.short()));
        bytes + &digest.unwrap_or_default()
    };
    let differs_in = |foreseen: &ShownLayer, seen: &ShownLayer| {
        let bytes = foreseen.bytes.zip(seen.bytes).is_some_and(|(foreseen, seen)| foreseen != seen);
        let digest = foreseen.digest.as_ref().zip(seen.digest.as_ref());
        bytes || (digests == Digests::Compared && digest.is_some_and(|(foreseen, seen)| foreseen != seen))
    };
    // A layer without bytes is one that Docker does not tell from none.
    let worth = |layer: &&ShownLayer| digests == Digests::Compared || layer.bytes != Some(0);
    let (foreseen, seen): (Vec<_>, Vec<_>) =
        (foreseen.layers().filter(worth).collect(), seen.layers().filter(worth).collect());
    let count = foreseen.len().max(seen.len());
    (0..count).find_map(|nth| {
        let (foreseen, seen) = (foreseen.get(nth).copied(), seen.get(nth).copied());
        let same = foreseen.zip(seen).is_some_and(|(foreseen, seen)| !differs_in(foreseen, seen));
        (!same).then(|| differs(format!("layer {}", nth + 1), told(foreseen), told(seen)))
    })
}

pub(super) fn compare_times(
    predicted: &StepTrace,
    part: &StepTrace,
    tolerance: Tolerance,
) -> Option<Divergence> {
    let (foreseen, took) = predicted.took.zip(part.took).filter(|_| !is_about_images(part))?;
    let told = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    (foreseen.abs_diff(took) > tolerance.of_time(foreseen, &predicted.happened))
        .then(|| Divergence { late: took > foreseen, ..differs("took", told(foreseen), told(took)) })
}

pub(super) fn compare_status(name: &Name, predicted: &Status, measured: &Status) -> Option<Divergence> {
    let told = |status: &Status| {
        let exit = status.exit.map(|code| format!(", exit {code}")).unwrap_or_default();
        let restarts =
            if status.restarts == 0 { String::new() } else { format!(", {} restarts", status.restarts) };
        let oom = if status.oom { ", out of memory" } else { "" };
        format!("{}{exit}{restarts}{oom}", status.state)
    };
    let (predicted, measured) = (told(predicted), told(measured));
    (predicted != measured).then(|| differs(name.as_str(), predicted, measured))
}

pub(super) fn compare_resources(name: &Name, predicted: &Resources, measured: &Resources) -> Vec<Divergence> {
    let counts = [
        ("processes", predicted.processes, measured.processes, 0),
        ("namespaces", predicted.namespaces, measured.namespaces, 0),
        ("mounts", predicted.mounts, measured.mounts, 0),
        ("bytes of memory", predicted.memory_bytes, measured.memory_bytes, slack(predicted.memory_bytes)),
    ];
    let known =
        counts.into_iter().filter_map(|(what, foreseen, seen, slack)| Some((what, foreseen?, seen?, slack)));
    let differ = known.filter(|(_, foreseen, seen, slack)| foreseen.abs_diff(*seen) > *slack);
    differ
        .map(|(what, foreseen, seen, _)| {
            differs(format!("{name}'s {what}"), foreseen.to_string(), seen.to_string())
        })
        .chain(compare_addresses(name, predicted, measured))
        .collect()
}

/// Which address it is depends on what else this host has; whether there is one does not.
fn compare_addresses(name: &Name, predicted: &Resources, measured: &Resources) -> Option<Divergence> {
    let told = |resources: &Resources| resources.address.clone().unwrap_or_else(|| "none".into());
    (predicted.address.is_some() != measured.address.is_some())
        .then(|| differs(format!("{name}'s address"), told(predicted), told(measured)))
}

fn slack(memory: Option<u64>) -> u64 {
    (memory.unwrap_or(0) / 4).max(MEMORY_SLACK)
}

/// CPU time of a container that lived through a step which was long enough to tell. Where looking itself takes time, `looked_for`
/// says how long the host had between the two looks.
pub(super) fn compare_cpu(
    name: &Name,
    predicted: &StepTrace,
    part: &StepTrace,
    looked_for: Option<Duration>,
) -> Option<Divergence> {
    let share = |trace: &StepTrace, looked_for: Option<Duration>| {
        let change = trace.ledger.get(name)?;
        let took = trace.took.filter(|took| *took >= Duration::from_millis(500))?;
        let lived = change.before.state() == change.after.state() && change.after.state() != State::Absent;
        let used = change.after.resources.cpu_seconds? - change.before.resources.cpu_seconds?;
        lived.then(|| 100.0 * used / looked_for.unwrap_or(took).as_secs_f64())
    };
    let (predicted, measured) = share(predicted, None).zip(share(part, looked_for))?;
    ((predicted - measured).abs() > Tolerance::Kernel.of_cpu())
        .then(|| differs(format!("{name}'s CPU"), format!("{predicted:.0} %"), format!("{measured:.0} %")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::trace::StepOutcome;

    fn step_of(seconds: u64) -> StepTrace {
        StepTrace {
            index: 1,
            action: "stop",
            container: None,
            at: Duration::ZERO,
            took: Some(Duration::from_secs(seconds)),
            outcome: StepOutcome::Done,
            message: None,
            happened: Vec::new(),
            ledger: BTreeMap::new(),
            unmet: None,
            diverged: Vec::new(),
            image: None,
        }
    }

    #[test]
    fn a_step_is_late_if_it_took_longer_and_not_if_it_was_over_too_soon() {
        let late = |took| {
            compare_times(&step_of(10), &step_of(took), Tolerance::Kernel).map(|divergence| divergence.late)
        };
        assert_eq!([late(8), late(10), late(12)], [Some(false), None, Some(true)]);
    }
}
