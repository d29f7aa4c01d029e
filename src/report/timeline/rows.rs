//! The record as lines of text from top to bottom: a line for each step, and one for what happened at one moment.
//!
//! A row is as high as its text. Where time passes before the next, it is as high as that time is long, if that is more.
//! So an instant can be read, and ten seconds look like ten seconds.

use std::time::Duration;

use super::super::words::{time, wrap};
use crate::engine::trace::{Happening, StepOutcome, StepTrace, What};
use crate::model::Name;
use crate::report::record::{Record, StepRecord};

/// What happens within this time of each other is one moment.
const MOMENT: Duration = Duration::from_millis(95);
/// How high a line of text is.
pub(super) const LINE: f64 = 17.0;
/// What stands above a step to set it off.
const ABOVE_A_STEP: f64 = 9.0;
/// How many letters fit on a line, and how many bold ones.
const LETTERS: usize = 42;
const BOLD: usize = 36;
/// A second is no higher than this, and the longest time that passes between two rows no higher than that.
const SECOND: f64 = 26.0;
const LONGEST: f64 = 150.0;

/// Lines of text at one time.
pub(super) struct Row {
    pub(super) at: Duration,
    pub(super) kind: RowKind,
    pub(super) lines: Vec<String>,
    /// Of the middle of its first line.
    pub(super) y: f64,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum RowKind {
    /// A step begins.
    Step,
    /// A refusal, or a remark.
    Remark,
    /// Something happened to this container.
    Moment { container: Name },
    /// All is over.
    End,
}

/// The rows, and where each thing that the record holds is to be found on them.
pub(super) struct Rows {
    pub(super) lines: Vec<Row>,
    /// For each part of the record, in order: the row at which it begins.
    pub(super) begins: Vec<usize>,
    /// For each part: the row of each of its happenings.
    pub(super) happened: Vec<Vec<usize>>,
    pub(super) height: f64,
}

impl Rows {
    /// With the first row below `top`. `several` is whether containers have to be told apart by name.
    pub(super) fn of(record: &Record, top: f64, several: Several) -> Self {
        let mut rows = Self { lines: Vec::new(), begins: Vec::new(), happened: Vec::new(), height: 0.0 };
        for step in &record.steps {
            rows.step(step, several);
        }
        rows.push(record.end(), RowKind::End, "");
        rows.lay_out(top);
        rows
    }

    fn step(&mut self, step: &StepRecord, several: Several) {
        let Some(first) = step.parts.first() else { return };
        let mut sentence = step.sentence();
        let took = step.parts.iter().filter_map(|part| part.took).max().filter(|took| *took >= MOMENT);
        // How long it takes to wait for two seconds is told already.
        let is_plain_wait = step.opening.action == "wait" && step.opening.containers.is_empty();
        if let Some(took) = took.filter(|_| !is_plain_wait) {
            sentence = format!("{sentence} — {}", time(took));
        }
        let header = self.push_lines(first.at, RowKind::Step, wrap(&sentence, BOLD));
        for (nth, part) in step.parts.iter().enumerate() {
            // Those that have their turn later begin where their own first row will be.
            self.begins.push(if nth == 0 { header } else { self.lines.len() });
            if let Some(remark) = remark(part) {
                self.push(part.at, RowKind::Remark, &remark);
            }
            self.moments(part, several);
        }
    }

    fn moments(&mut self, part: &StepTrace, several: Several) {
        let mut places = vec![0; part.happened.len()];
        let mut from = 0;
        while from < part.happened.len() {
            let first = &part.happened[from];
            let together = |happening: &&Happening| {
                whose(happening) == whose(first) && happening.at.saturating_sub(first.at) < MOMENT
            };
            let group = part.happened[from..].iter().take_while(together).count();
            let row = self.moment(&part.happened[from..from + group], several);
            places[from..from + group].fill(row);
            from += group;
        }
        self.happened.push(places);
    }

    fn moment(&mut self, group: &[Happening], several: Several) -> usize {
        let container = whose(&group[0]).clone();
        let mut state = None;
        let mut words: Vec<String> = Vec::new();
        for happening in group {
            match &happening.what {
                What::Moved(moved) => state = Some(moved.to),
                What::Emitted(event) => words.push(event.kind.to_string()),
            }
        }
        let mut text = words.join(" · ");
        if several == Several::Containers {
            text = format!("{container}: {text}");
        }
        let mut lines = wrap(&text, LETTERS);
        if let Some(state) = state {
            let arrow = format!("→ {state}");
            match lines.last_mut() {
                Some(last) if last.chars().count() + 1 + arrow.chars().count() <= LETTERS => {
                    last.push(' ');
                    last.push_str(&arrow);
                }
                _ => lines.push(arrow),
            }
        }
        self.push_lines(group[0].at, RowKind::Moment { container }, lines)
    }

    fn push(&mut self, at: Duration, kind: RowKind, text: &str) -> usize {
        self.push_lines(at, kind, wrap(text, LETTERS))
    }

    fn push_lines(&mut self, at: Duration, kind: RowKind, lines: Vec<String>) -> usize {
        self.lines.push(Row { at, kind, lines, y: 0.0 });
        self.lines.len() - 1
    }

    fn lay_out(&mut self, top: f64) {
        let gaps = self.lines.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at).as_secs_f64());
        let longest = gaps.fold(0.0, f64::max);
        let second = if longest > 0.0 { SECOND.min(LONGEST / longest) } else { SECOND };
        let mut y = top;
        let mut before: Option<(Duration, f64)> = None;
        for row in &mut self.lines {
            if let Some((at, height)) = before {
                y += height.max(row.at.saturating_sub(at).as_secs_f64() * second);
            }
            if row.kind == RowKind::Step {
                y += ABOVE_A_STEP;
            }
            row.y = y;
            before = Some((row.at, row.height()));
        }
        self.height = y + LINE;
    }
}

/// Whether there is more than one container.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Several {
    One,
    Containers,
}

impl Row {
    #[expect(clippy::cast_precision_loss, reason = "a row has few lines")]
    fn height(&self) -> f64 {
        LINE * self.lines.len().max(1) as f64
    }
}

fn whose(happening: &Happening) -> &Name {
    match &happening.what {
        What::Moved(moved) => &moved.container,
        What::Emitted(event) => &event.container,
    }
}

/// What is to be said of an outcome; a refusal without the advice in its brackets.
fn remark(part: &StepTrace) -> Option<String> {
    let message = || part.message.as_deref().unwrap_or_default().split(" (").next().unwrap_or_default();
    match part.outcome {
        StepOutcome::Done => None,
        StepOutcome::Noop => Some("nothing to do".into()),
        StepOutcome::Refused => Some(format!("refused: {}", message())),
        StepOutcome::Failed => Some(format!("failed: {}", message())),
    }
}
