//! One container along the rows: which state it was in from where to where, and what it used and held there.
//!
//! The ledger is known at the beginning and at the end of each step. Between the two, CPU time is spread over the time in
//! which the container's processes could run, and memory and ports are there as long as it has a process.

use std::time::Duration;

use super::rows::Rows;
use crate::engine::trace::{Entry, What};
use crate::model::{Name, State};
use crate::report::record::Record;

/// Shares of a CPU are not told from less time than this.
const SHORTEST: f64 = 0.05;

pub(super) struct Lane<'a> {
    pub(super) name: &'a Name,
    pub(super) stretches: Vec<Stretch>,
    /// Host ports that it held at any time.
    pub(super) ports: Vec<String>,
}

/// From one height to another, in one state.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) state: State,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) began: Duration,
    pub(super) ended: Duration,
    /// The share of a CPU that was used, if it is known.
    pub(super) cpu: Option<f64>,
    /// Bytes at its beginning and at its end.
    pub(super) memory: Option<(u64, u64)>,
    pub(super) holds_ports: bool,
}

/// A height, its time, and the state from there on.
struct Point {
    y: f64,
    at: Duration,
    state: State,
}

impl<'a> Lane<'a> {
    pub(super) fn of(name: &'a Name, record: &Record, rows: &Rows) -> Self {
        let mut lane = Self { name, stretches: Vec::new(), ports: Vec::new() };
        let parts: Vec<_> = record.parts().collect();
        let mut state = State::Absent;
        for (nth, part) in parts.iter().enumerate() {
            let begin = &rows.lines[rows.begins[nth]];
            let end = rows
                .begins
                .get(nth + 1)
                .map_or_else(|| rows.lines.last().expect("the last row is the end"), |row| &rows.lines[*row]);
            let change = part.ledger.get(name);
            let after = change.map_or_else(Entry::absent, |change| change.after.clone());
            let before = change.map_or_else(Entry::absent, |change| change.before.clone());
            let mut points = vec![Point { y: begin.y, at: part.at, state }];
            for (happening, row) in part.happened.iter().zip(&rows.happened[nth]) {
                if let What::Moved(moved) = &happening.what
                    && moved.container == *name
                {
                    points.push(Point { y: rows.lines[*row].y, at: happening.at, state: moved.to });
                    state = moved.to;
                }
            }
            // A new name, say, comes without a transition.
            if state != after.state() {
                state = after.state();
                points.push(Point { y: points.last().map_or(begin.y, |point| point.y), at: part.at, state });
            }
            let next = parts.get(nth + 1).map_or(record.end(), |next| next.at);
            points.push(Point { y: end.y, at: next, state });
            lane.extend(&points, &before, &after);
        }
        lane
    }

    fn extend(&mut self, points: &[Point], before: &Entry, after: &Entry) {
        let runs = |state: State| matches!(state, State::Running | State::Stopping);
        let seconds = |pair: &[Point]| pair[1].at.saturating_sub(pair[0].at).as_secs_f64();
        let running: f64 = points.windows(2).filter(|pair| runs(pair[0].state)).map(seconds).sum();
        let used = match (before.resources.cpu_seconds, after.resources.cpu_seconds) {
            (Some(before), Some(after)) if after >= before => Some(after - before),
            (_, after) => after,
        };
        let share = used.filter(|_| running >= SHORTEST).map(|used| used / running);
        let (m0, m1) = (before.resources.memory_bytes, after.resources.memory_bytes);
        let stretches = points.len() - 1;
        for (nth, pair) in points.windows(2).enumerate() {
            let state = pair[0].state;
            let has_process = state.has_process() || matches!(state, State::Created);
            let cpu = match state {
                _ if runs(state) => share,
                _ => Some(0.0),
            };
            let memory = match (m0.filter(|m| *m > 0), m1.filter(|m| *m > 0)) {
                _ if !has_process => Some((0, 0)),
                (Some(m0), Some(m1)) if stretches == 1 => Some((m0, m1)),
                (Some(m0), _) if nth == 0 => Some((m0, m0)),
                (m0, m1) => m1.or(m0).map(|m| (m, m)),
            };
            let ports = if after.resources.ports.is_empty() {
                &before.resources.ports
            } else {
                &after.resources.ports
            };
            let holds_ports = state.has_process() && !ports.is_empty();
            for port in ports {
                if !self.ports.contains(port) {
                    self.ports.push(port.clone());
                }
            }
            self.push(Stretch {
                state,
                from: pair[0].y,
                to: pair[1].y,
                began: pair[0].at,
                ended: pair[1].at,
                cpu,
                memory,
                holds_ports,
            });
        }
    }

    /// What has no height cannot be seen.
    fn push(&mut self, stretch: Stretch) {
        if stretch.to > stretch.from && stretch.state != State::Absent {
            self.stretches.push(stretch);
        }
    }

    /// Stretches of one state, joined.
    pub(super) fn bands(&self) -> Vec<Stretch> {
        let mut bands: Vec<Stretch> = Vec::new();
        for stretch in &self.stretches {
            match bands.last_mut() {
                Some(last) if last.state == stretch.state && last.to >= stretch.from => {
                    last.to = stretch.to;
                    last.ended = stretch.ended;
                }
                _ => bands.push(stretch.clone()),
            }
        }
        bands
    }

    pub(super) fn most_cpu(&self) -> f64 {
        self.stretches.iter().filter_map(|stretch| stretch.cpu).fold(0.0, f64::max)
    }

    pub(super) fn most_memory(&self) -> u64 {
        self.stretches.iter().filter_map(|stretch| stretch.memory).map(|(a, b)| a.max(b)).max().unwrap_or(0)
    }
}
