//! Lives at random on a real engine: the simulator predicts each step, and what goes otherwise is told.
//!
//! Docker spends most of a life waiting, so several go on side by side. The first life that went wrong is made shorter for as
//! long as it goes wrong again; one that a race of the engine decides may go well the next time.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::super::engine::{EngineFailure, EngineWord, Engines};
use super::super::{BAD, GOOD, Globals, complain};
use super::{Check, print, progress};
use crate::check::lives::{self, Venue};
use crate::engine::differences::{BESIDE_OTHERS, Difference, ON_A_BUSY_HOST};
use crate::engine::trace::{Audience, Closing, Opening, StepOpening, StepTrace};
use crate::report;
use crate::scenario::Scenario;
use crate::scenario::replay::Play;

/// How many lives go on side by side on Docker. On a kernel they share the cgroup of this process.
const SIDE_BY_SIDE: u64 = 6;
/// So many lives are lived at most to make one shorter.
const PATIENCE: u32 = 60;

/// Where lives are lived.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Kernel,
    Docker,
}

/// What came of a life.
#[derive(Default)]
struct Came {
    steps: usize,
    wrong: Vec<String>,
    /// How many of those say that a step took longer than it was to.
    late: usize,
    /// By name: how often a known difference explains what the engine did.
    explained: BTreeMap<&'static str, (usize, &'static Difference)>,
}

impl Place {
    const fn venue(self) -> Venue {
        match self {
            Self::Kernel => Venue::Kernel,
            Self::Docker => Venue::Docker,
        }
    }

    const fn engine(self) -> EngineWord {
        match self {
            Self::Kernel => EngineWord::Linux,
            Self::Docker => EngineWord::Docker,
        }
    }

    const fn side_by_side(self) -> u64 {
        match self {
            Self::Kernel => 1,
            Self::Docker => SIDE_BY_SIDE,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Kernel => "on this kernel",
            Self::Docker => "on Docker",
        }
    }
}

impl Check {
    /// Lives them all, and tells of those that went otherwise than predicted.
    pub(super) fn in_lockstep(&self, place: Place, globals: &Globals) -> io::Result<u8> {
        let engines = Engines::default();
        let (mut lived, cut_short) = self.live_all(place, globals, &engines);
        if cut_short.is_none() {
            self.live_again(&mut lived, place, globals, &engines);
        }
        progress("");
        let wrong: Vec<u64> =
            lived.iter().filter(|(_, came)| !came.wrong.is_empty()).map(|(number, _)| *number).collect();
        let steps: usize = lived.values().map(|came| came.steps).sum();
        for number in &wrong {
            let text = format!("life {number} of seed {} went otherwise than predicted", self.seed);
            print(&report::fails(&text, globals.paint))?;
            for wrong in &lived[number].wrong {
                print(&format!("    {wrong}\n"))?;
            }
        }
        explain(&lived)?;
        if let Some(failure) = cut_short {
            // A run of hours that is cut short has told something all the same.
            if !lived.is_empty() {
                let (good, all, place) = (lived.len() - wrong.len(), lived.len(), place.words());
                print(&format!(
                    "  {good} of {all} lives at random ({steps} steps) {place} had gone as predicted until then\n"
                ))?;
            }
            complain(&failure);
            return Ok(BAD);
        }
        let Some(first) = wrong.first() else {
            let text = format!(
                "{} lives at random ({steps} steps) {} went as predicted",
                lived.len(),
                place.words()
            );
            print(&report::holds(&text, globals.paint))?;
            return Ok(GOOD);
        };
        let text = format!(
            "{} of {} lives {} went as predicted",
            lived.len() - wrong.len(),
            lived.len(),
            place.words()
        );
        print(&report::fails(&text, globals.paint))?;
        let life = lives::life(self.seed, *first, place.venue());
        let shortest = shortest(&life, place, globals, &engines);
        print(&format!("\n{}", shortest.to_yaml()))?;
        self.keep_life(*first, &shortest)?;
        Ok(BAD)
    }

    /// What went otherwise beside others may go as predicted by itself, and what was only late may be in time.
    fn live_again(
        &self,
        lived: &mut BTreeMap<u64, Came>,
        place: Place,
        globals: &Globals,
        engines: &Engines,
    ) {
        let why = match place {
            Place::Kernel => &ON_A_BUSY_HOST,
            Place::Docker => &BESIDE_OTHERS,
        };
        for (number, came) in lived.iter_mut().filter(|(_, came)| came.deserves_another(place)) {
            progress(&format!("life {number} once more, by itself"));
            let again = live(&lives::life(self.seed, *number, place.venue()), place, globals, engines);
            if let Ok(mut again) = again
                && again.wrong.is_empty()
            {
                again.explained.entry(why.name).or_insert((0, why)).0 += 1;
                *came = again;
            }
        }
    }

    /// What came of each life, and why not all of them were lived.
    fn live_all(
        &self,
        place: Place,
        globals: &Globals,
        engines: &Engines,
    ) -> (BTreeMap<u64, Came>, Option<EngineFailure>) {
        let cases = self.cases.unwrap_or(20);
        // Between two lives nobody else would hear of a signal, and nothing would be told.
        #[cfg(all(target_os = "linux", feature = "linux"))]
        let _composure = (place == Place::Kernel).then(crate::world::linux::Composure::begin);
        let (next, lived) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()));
        let failure = Mutex::new(None);
        let bench = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= cases {
                    return;
                }
                progress(&format!("life {number} of {cases}"));
                match live(&lives::life(self.seed, number, place.venue()), place, globals, engines) {
                    Ok(came) => drop(unpoisoned(&lived).insert(number, came)),
                    Err(error) => {
                        next.store(cases, Ordering::Relaxed);
                        unpoisoned(&failure).get_or_insert(error);
                    }
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..place.side_by_side().min(cases) {
                scope.spawn(bench);
            }
            bench();
        });
        (std::mem::take(&mut unpoisoned(&lived)), unpoisoned(&failure).take())
    }
}

impl Came {
    /// On a kernel nothing but time depends on how busy it is.
    fn deserves_another(&self, place: Place) -> bool {
        !self.wrong.is_empty() && (place == Place::Docker || self.wrong.len() == self.late)
    }
}

/// Whoever panicked has ended the whole check.
fn unpoisoned<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while holding it")
}

/// What is known of the engine and was met in these lives, once each.
fn explain(lived: &BTreeMap<u64, Came>) -> io::Result<()> {
    let mut all: BTreeMap<&str, (usize, &Difference)> = BTreeMap::new();
    for (name, (count, difference)) in lived.values().flat_map(|came| &came.explained) {
        all.entry(name).or_insert((0, difference)).0 += count;
    }
    for (name, (count, difference)) in all {
        print(&format!("  ≈ {count} × {name}: {}\n", difference.sentence))?;
    }
    Ok(())
}

fn live(life: &Scenario, place: Place, globals: &Globals, engines: &Engines) -> Result<Came, EngineFailure> {
    let mut came = Came::default();
    engines.play(place.engine(), Play { scenario: life, file: "life", lang: "en" }, globals, &mut came)?;
    Ok(came)
}

/// The shortest life that still goes wrong, as far as one has the patience to look for it.
fn shortest(life: &Scenario, place: Place, globals: &Globals, engines: &Engines) -> Scenario {
    let mut tries = 0;
    let goes_wrong = |life: &Scenario| {
        tries += 1;
        progress(&format!("making it shorter: try {tries}"));
        tries <= PATIENCE && live(life, place, globals, engines).is_ok_and(|came| !came.wrong.is_empty())
    };
    let shortest = lives::shrunk(life, goes_wrong);
    progress("");
    shortest
}

impl Audience for Came {
    fn opening(&mut self, _: &Opening) -> io::Result<()> {
        Ok(())
    }

    fn step_begins(&mut self, _: &StepOpening) -> io::Result<()> {
        Ok(())
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        self.steps += 1;
        let of_step = |text: String| format!("step {}, {}: {text}", step.index, step.action);
        self.late += step.unexplained().filter(|difference| difference.late).count();
        self.wrong.extend(step.unexplained().map(|difference| of_step(difference.to_string())));
        self.wrong.extend(step.unmet.iter().flatten().map(|unmet| of_step(unmet.clone())));
        for difference in step.explained().filter_map(|divergence| divergence.explained) {
            self.explained.entry(difference.name).or_insert((0, difference)).0 += 1;
        }
        Ok(())
    }

    fn closing(&mut self, closing: &Closing) -> io::Result<()> {
        self.wrong.extend(closing.left_behind.iter().map(|left| format!("left behind: {left}")));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_asked_again_only_if_it_was_late_and_nothing_else() {
        let came = |wrong: &[&str], late| Came {
            wrong: wrong.iter().map(|wrong| (*wrong).into()).collect(),
            late,
            ..Came::default()
        };
        let late = came(&["step 1, run: took"], 1);
        assert!(late.deserves_another(Place::Kernel) && late.deserves_another(Place::Docker));
        let otherwise = came(&["step 1, run: took", "step 2, stop: a"], 1);
        assert!(!otherwise.deserves_another(Place::Kernel) && otherwise.deserves_another(Place::Docker));
        assert!(!came(&[], 0).deserves_another(Place::Docker));
    }
}
