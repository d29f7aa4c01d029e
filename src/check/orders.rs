//! All orders in which a scenario's commands can be asked for, held against its own rules and against those of every life.
//!
//! What is asked of one container keeps its order; what is asked of different ones, and the passing of time, may mix in any
//! way. Where an answer takes its time, the next command may also come before it.

use super::rules::Rule;
use super::watched::Watched;
use crate::engine::trace::StepOutcome;
use crate::model::{HostFacts, Name};
use crate::scenario::replay::Stage;
use crate::scenario::{Action, Scenario, Step};

/// More orders than that are not tried.
pub const MOST: usize = 20_000;

/// What came of a scenario in all its orders.
#[derive(Clone, Debug)]
pub struct Orders {
    /// How many were tried.
    pub tried: usize,
    /// Whether those were all.
    pub all: bool,
    /// The first in which something is broken, and what.
    pub broken: Option<(Scenario, String)>,
}

/// Tries them one after the other, the file's own first.
pub fn orders(scenario: &Scenario, only: Option<&'static Rule>) -> Orders {
    let mut plain = scenario.clone();
    for step in &mut plain.steps {
        (step.expect, step.refused, step.ask) = (None, None, None);
    }
    let stage = Stage::exact(Watched::new(HostFacts::ASSUMED, scenario.planted, only), &plain);
    let mut search = Search { scenario: &plain, found: Orders { tried: 0, all: true, broken: None } };
    search.go_on(stage, &Vec::new(), &rows(&plain));
    search.found
}

struct Search<'a> {
    scenario: &'a Scenario,
    found: Orders,
}

/// Steps that keep their order among themselves.
type Row = Vec<Step>;

fn rows(scenario: &Scenario) -> Vec<Row> {
    let mut rows: Vec<(Vec<Name>, Row)> = Vec::new();
    for step in &scenario.steps {
        let names = step.action.containers().to_vec();
        let belongs = |(own, _): &(Vec<Name>, Row)| {
            own.iter().any(|name| names.contains(name)) || (own.is_empty() && names.is_empty())
        };
        // A step for several containers ties their rows together.
        let (mut tied, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(belongs);
        rows = others;
        let mut own = names;
        let mut row = Row::new();
        for (names, steps) in tied.drain(..) {
            own.extend(names);
            row.extend(steps);
        }
        row.push(step.clone());
        row.sort_by_key(|step| scenario.steps.iter().position(|other| other.place == step.place));
        rows.push((own, row));
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

impl Search<'_> {
    fn go_on(&mut self, mut stage: Stage<Watched>, so_far: &[Step], rows: &[Row]) {
        if self.found.broken.is_some() {
            return;
        }
        if rows.iter().all(Vec::is_empty) {
            return self.end(&mut stage, so_far);
        }
        if self.found.tried >= MOST {
            self.found.all = false;
            return;
        }
        // The file's own order first.
        let mut next: Vec<usize> = (0..rows.len()).filter(|nth| !rows[*nth].is_empty()).collect();
        next.sort_by_key(|nth| rows[*nth][0].place);
        for nth in next {
            let mut left = rows.to_vec();
            let step = left[nth].remove(0);
            let took = self.play(&stage, so_far, step.clone(), &left);
            if took
                && !matches!(
                    step.action,
                    Action::Async(_) | Action::Join(_) | Action::Wait(_) | Action::WaitFor(_)
                )
            {
                let action = Action::Async(Box::new(step.action.clone()));
                self.play(&stage, so_far, Step { action, ..step }, &left);
            }
        }
    }

    /// Plays a step and everything that may come after it; says whether its answer took any time.
    fn play(&mut self, stage: &Stage<Watched>, so_far: &[Step], step: Step, left: &[Row]) -> bool {
        let mut further = stage.clone();
        let Ok(parts) = further.play(so_far.len() + 1, &step) else { return false };
        let mut so_far = so_far.to_vec();
        so_far.push(step);
        let unlike = |text: &&String| text.starts_with("this was ");
        let own = parts.iter().flat_map(|part| part.unmet.iter().flatten()).find(unlike).cloned();
        let broken = own.or_else(|| further.engine().broken().first().map(ToString::to_string));
        if let Some(broken) = broken {
            self.break_off(&so_far, broken);
            return false;
        }
        let took = parts
            .iter()
            .any(|part| part.outcome == StepOutcome::Done && part.took.is_some_and(|took| !took.is_zero()));
        self.go_on(further, &so_far, left);
        took
    }

    fn end(&mut self, stage: &mut Stage<Watched>, so_far: &[Step]) {
        self.found.tried += 1;
        if let Some(missed) = stage.missed().into_iter().next() {
            return self.break_off(so_far, missed);
        }
        if stage.clear().is_ok() {
            stage.engine_mut().rest();
        }
        if let Some(broken) = stage.engine().broken().first().map(ToString::to_string) {
            self.break_off(so_far, broken);
        }
    }

    fn break_off(&mut self, so_far: &[Step], broken: String) {
        let scenario = Scenario { steps: so_far.to_vec(), ..self.scenario.clone() };
        let told = super::lives::retold(&scenario).unwrap_or(scenario);
        self.found.broken.get_or_insert((told, broken));
    }
}
