//! An audience that keeps all that it sees, while another one is told.

use std::io;
use std::time::Duration;

use crate::engine::trace::{Audience, Closing, Opening, StepOpening, StepTrace};
use crate::model::Name;

/// Tells an audience, and remembers.
pub struct Recorded<'a> {
    audience: &'a mut dyn Audience,
    pub(in crate::report) record: Record,
}

/// A replay as it went.
#[derive(Clone, Default)]
pub struct Record {
    pub(in crate::report) opening: Option<Opening>,
    pub(in crate::report) steps: Vec<StepRecord>,
    pub(in crate::report) closing: Closing,
}

/// A step, and what each container had of it.
#[derive(Clone)]
pub(in crate::report) struct StepRecord {
    pub(in crate::report) opening: StepOpening,
    pub(in crate::report) parts: Vec<StepTrace>,
}

impl<'a> Recorded<'a> {
    /// Begins with the replay.
    pub fn new(audience: &'a mut dyn Audience) -> Self {
        Self { audience, record: Record::default() }
    }

    /// What was seen.
    pub fn into_record(self) -> Record {
        self.record
    }
}

/// Who listens to nothing.
pub struct Nobody;

impl Audience for Nobody {
    fn opening(&mut self, _: &Opening) -> io::Result<()> {
        Ok(())
    }

    fn step_begins(&mut self, _: &StepOpening) -> io::Result<()> {
        Ok(())
    }

    fn step_done(&mut self, _: &StepTrace) -> io::Result<()> {
        Ok(())
    }

    fn closing(&mut self, _: &Closing) -> io::Result<()> {
        Ok(())
    }
}

impl Audience for Recorded<'_> {
    fn opening(&mut self, opening: &Opening) -> io::Result<()> {
        self.record.opening = Some(opening.clone());
        self.audience.opening(opening)
    }

    fn step_begins(&mut self, step: &StepOpening) -> io::Result<()> {
        self.record.steps.push(StepRecord { opening: step.clone(), parts: Vec::new() });
        self.audience.step_begins(step)
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        if let Some(last) = self.record.steps.last_mut() {
            last.parts.push(step.clone());
        }
        self.audience.step_done(step)
    }

    fn closing(&mut self, closing: &Closing) -> io::Result<()> {
        self.record.closing = closing.clone();
        self.audience.closing(closing)
    }
}

impl Record {
    /// How it ended.
    pub fn closing(&self) -> &Closing {
        &self.closing
    }

    pub(in crate::report) fn title(&self) -> &str {
        self.opening.as_ref().map_or("", |opening| &opening.title)
    }

    /// What it is about.
    pub(in crate::report) fn about(&self) -> &str {
        self.opening.as_ref().and_then(|opening| opening.about.as_deref()).unwrap_or_default()
    }

    /// Every container that there was, in the order of their first appearance.
    pub(in crate::report) fn containers(&self) -> Vec<&Name> {
        let mut names: Vec<&Name> = Vec::new();
        for part in self.parts() {
            let moved = part.transitions().map(|(_, moved)| &moved.container);
            let there = part.ledger.iter().filter(|(_, change)| change.after.status.state.word() != "absent");
            for name in moved.chain(there.map(|(name, _)| name)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    pub(in crate::report) fn parts(&self) -> impl Iterator<Item = &StepTrace> {
        self.steps.iter().flat_map(|step| &step.parts)
    }

    /// When all was over; no earlier than the last thing that happened.
    pub(in crate::report) fn end(&self) -> Duration {
        let last = self.parts().last();
        let happened = last.and_then(|part| part.happened.last()).map(|happening| happening.at);
        let answered = last.map(|part| part.at + part.took.unwrap_or_default());
        self.closing.took.max(happened.unwrap_or_default()).max(answered.unwrap_or_default())
    }
}

impl StepRecord {
    /// `stop web within 1s`.
    pub(in crate::report) fn sentence(&self) -> String {
        let names: Vec<_> = self.opening.containers.iter().map(Name::as_str).collect();
        let mut sentence = self.opening.action.clone();
        for part in [&names.join(", "), &self.opening.words] {
            if !part.is_empty() {
                sentence.push_str(if part.starts_with(':') { "" } else { " " });
                sentence.push_str(part);
            }
        }
        sentence
    }
}
