//! An answer, held against what has happened.

use std::time::Duration;

use super::words::{Piece, pieces};
use crate::engine::trace::{Checkable, StepOutcome, StepTrace};
use crate::model::{EventKind, Name, State};
use crate::report::words::time;

/// How an answer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it.
    Right,
    /// Not all of it was right; so it was.
    Wrong(String),
    /// Nothing of it could be checked.
    Open,
}

/// Every checkable part of an answer has to be right.
pub fn judge(answer: &str, checkable: &[Checkable], parts: &[StepTrace]) -> Verdict {
    let truth = Truth::of(checkable, parts);
    let pieces = pieces(answer);
    let judged: Vec<Judged> =
        pieces.iter().filter_map(|piece| truth.judge(piece)).chain(truth.judge_events(&pieces)).collect();
    if judged.is_empty() {
        return Verdict::Open;
    }
    if judged.iter().all(|judged| judged.fits == Fits::Yes) {
        return Verdict::Right;
    }
    let mut truths: Vec<String> = Vec::new();
    for judged in judged {
        if !truths.contains(&judged.truth) {
            truths.push(judged.truth);
        }
    }
    Verdict::Wrong(truths.join(" and "))
}

/// The answer that would have been right.
pub fn truth(checkable: &[Checkable], parts: &[StepTrace]) -> String {
    let truth = Truth::of(checkable, parts);
    let mut words: Vec<String> = Vec::new();
    words.extend(truth.took.map(time));
    words.extend(truth.refusal.as_ref().map(|is| if *is == Piece::No { "no".into() } else { "yes".into() }));
    words.extend(truth.events.as_deref().map(in_order));
    words.extend(truth.states.iter().map(|state| state.word().to_owned()));
    words.extend(truth.codes.iter().chain(&truth.counts).map(ToString::to_string));
    distinct(words)
}

/// A piece of an answer beside what was so.
struct Judged {
    fits: Fits,
    truth: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fits {
    Yes,
    No,
}

/// What has happened, as far as an answer may speak of it.
#[derive(Default)]
struct Truth {
    took: Option<Duration>,
    refusal: Option<Piece>,
    events: Option<Vec<EventKind>>,
    states: Vec<State>,
    /// Exit codes, and the status of a request.
    codes: Vec<i64>,
    /// Numbers that a container has beside.
    counts: Vec<i64>,
}

impl Truth {
    fn of(checkable: &[Checkable], parts: &[StepTrace]) -> Self {
        let mut truth = Self::default();
        let Some(last) = parts.last() else { return truth };
        let after = |name: &Name| last.ledger.get(name).map(|change| &change.after);
        for what in checkable {
            match what {
                Checkable::Took => truth.took = parts.iter().map(|part| part.took).sum(),
                Checkable::Refusal => truth.refusal = Some(refusal(parts)),
                Checkable::Events => {
                    let kinds = parts.iter().flat_map(StepTrace::events).map(|(_, event)| event.kind);
                    truth.events = Some(kinds.collect());
                }
                Checkable::State(name) => {
                    truth.states.push(after(name).map_or(State::Absent, |entry| entry.status.state));
                }
                Checkable::Exit(name) => {
                    truth.codes.extend(after(name).and_then(|entry| entry.status.exit).map(i64::from));
                }
                Checkable::Restarts(name) => {
                    truth.counts.extend(after(name).map(|entry| i64::from(entry.status.restarts)));
                }
                Checkable::Processes(name) => {
                    let processes = after(name).and_then(|entry| entry.resources.processes);
                    truth.counts.extend(processes.and_then(|count| i64::try_from(count).ok()));
                }
                Checkable::Reply(code) => {
                    let is_so = last.unmet.as_ref().is_some_and(Vec::is_empty);
                    truth.codes.extend(is_so.then_some(i64::from(*code)));
                }
            }
        }
        truth
    }

    fn judge(&self, piece: &Piece) -> Option<Judged> {
        let judged = |is_so: bool, truth: String| {
            Some(Judged { fits: if is_so { Fits::Yes } else { Fits::No }, truth })
        };
        match piece {
            Piece::Time(said) => judged(is_about(self.took?, *said), time(self.took?)),
            Piece::Number(said) => self.judge_number(*said),
            Piece::State(said) => {
                let words: Vec<_> = self.states.iter().map(|state| state.word()).collect();
                if words.is_empty() { None } else { judged(self.states.contains(said), distinct(words)) }
            }
            Piece::Yes | Piece::No => {
                let is = self.refusal.as_ref()?;
                let word = if *is == Piece::No { "refused" } else { "done" };
                judged(is == piece, word.into())
            }
            Piece::Event(..) => None,
        }
    }

    /// A number may mean any of the numbers in question; a wrong one is held against an exit code or a time.
    fn judge_number(&self, said: f64) -> Option<Judged> {
        let is = |number: &i64| said.to_string() == number.to_string();
        let seconds = Duration::try_from_secs_f64(said).ok();
        let is_time = self.took.zip(seconds).is_some_and(|(took, said)| is_about(took, said));
        if self.codes.iter().chain(&self.counts).any(is) {
            return Some(Judged { fits: Fits::Yes, truth: said.to_string() });
        }
        let codes: Vec<_> = self.codes.iter().map(ToString::to_string).collect();
        let truth = if is_time || codes.is_empty() { time(self.took?) } else { distinct(codes) };
        Some(Judged { fits: if is_time { Fits::Yes } else { Fits::No }, truth })
    }

    /// Events that are named have to have happened, in that order; some may be left out.
    fn judge_events(&self, pieces: &[Piece]) -> Option<Judged> {
        let happened = self.events.as_ref()?;
        let mut left = happened.iter();
        let mut named = 0;
        let mut fits = Fits::Yes;
        for piece in pieces {
            let Piece::Event(action, detail) = piece else { continue };
            named += 1;
            let is_meant = |kind: &&EventKind| {
                kind.action() == *action
                    && detail.as_ref().is_none_or(|said| kind.detail().as_ref() == Some(said))
            };
            if left.find(is_meant).is_none() {
                fits = Fits::No;
            }
        }
        (named > 0).then_some(Judged { fits, truth: in_order(happened) })
    }
}

fn in_order(events: &[EventKind]) -> String {
    let words: Vec<_> = events.iter().map(ToString::to_string).collect();
    if words.is_empty() { "no event".into() } else { words.join(", ") }
}

fn refusal(parts: &[StepTrace]) -> Piece {
    let refused = |part: &StepTrace| matches!(part.outcome, StepOutcome::Refused | StepOutcome::Failed);
    if parts.iter().any(refused) { Piece::No } else { Piece::Yes }
}

/// People guess in round numbers, and a kernel is a little late.
fn is_about(took: Duration, said: Duration) -> bool {
    took.abs_diff(said) <= (took / 10).max(Duration::from_millis(500))
}

fn distinct<T: AsRef<str>>(words: Vec<T>) -> String {
    let mut distinct: Vec<T> = Vec::new();
    for word in words {
        if distinct.iter().all(|known| known.as_ref() != word.as_ref()) {
            distinct.push(word);
        }
    }
    let words: Vec<_> = distinct.iter().map(AsRef::as_ref).collect();
    words.join(" and ")
}
