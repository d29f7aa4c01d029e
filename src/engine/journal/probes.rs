//! What the health check of a run has found lately, as its journal tells.

use serde::{Deserialize, Serialize};

use super::clock::Moment;
use crate::model::Answer;

/// The latest probes of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    /// The last one at the end.
    pub latest: Vec<Probe>,
    /// How many have failed since one succeeded; those of the start period do not count.
    pub failing: u32,
    under_way: Option<UnderWay>,
}

/// A probe that has been answered, or was not in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// When it began.
    pub began: Moment,
    /// When it ended.
    pub ended: Moment,
    /// What it found.
    pub answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UnderWay {
    began: Moment,
    counts: bool,
}

/// As many as Docker keeps (moby `daemon/health.go`).
const REMEMBERED: usize = 5;

impl Probes {
    pub(super) fn begin(&mut self, began: Moment, in_start_period: bool) {
        self.under_way = Some(UnderWay { began, counts: !in_start_period });
    }

    /// Nothing, if none is under way.
    pub(super) fn end(&mut self, ended: Moment, answer: Answer) {
        let Some(UnderWay { began, counts }) = self.under_way.take() else { return };
        self.failing = match answer {
            Answer::Good => 0,
            Answer::Bad => self.failing.saturating_add(u32::from(counts)),
        };
        self.latest.push(Probe { began, ended, answer });
        let too_many = self.latest.len().saturating_sub(REMEMBERED);
        self.latest.drain(..too_many);
    }
}
