//! The rules that every life keeps: a name, one sentence, why it matters, where it is known from, and a function that sees
//! one moment of a trace.

mod costs;
mod coverage;
mod ends;
mod order;
mod requests;
mod restarts;
mod stops;

use std::fmt;
use std::time::Duration;

pub use self::coverage::Tally;

use super::moment::{Moment, Past};
use crate::model::Name;

/// A claim about every life.
#[derive(Debug)]
pub struct Rule {
    /// What it is called.
    pub name: &'static str,
    /// What it says.
    pub sentence: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// Where it is known from.
    pub source: &'static str,
    /// When it has to hold.
    pub kind: Kind,
}

/// When a rule has to hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// At every moment; says what is wrong with one.
    Always(fn(&Moment<'_>) -> Option<String>),
    /// When a life has come to rest; says what is still missing.
    Eventually(fn(&Past) -> Option<String>),
    /// Somewhere among all lives; says what never was.
    Sometimes(fn(&Tally) -> Option<String>),
}

impl Kind {
    /// The word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Always(_) => "always",
            Self::Eventually(_) => "eventually",
            Self::Sometimes(_) => "sometimes",
        }
    }
}

/// A rule that a life has broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub rule: &'static Rule,
    /// Whose life.
    pub container: Option<Name>,
    /// When.
    pub at: Duration,
    /// What was seen.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name, self.seen)
    }
}

/// All of them, theme by theme.
pub const RULES: [&[Rule]; 7] = [
    &costs::RULES,
    &ends::RULES,
    &restarts::RULES,
    &stops::RULES,
    &requests::RULES,
    &order::RULES,
    &coverage::RULES,
];

/// All of them in one row.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    RULES.into_iter().flatten()
}

/// The rule of this name.
pub fn find(name: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.name == name)
}

/// What is wrong with a moment; only by one rule, if one is given.
pub fn judge(moment: &Moment<'_>, only: Option<&'static Rule>, found: &mut Vec<Violation>) {
    for rule in rules().filter(|rule| only.is_none_or(|only| only.name == rule.name)) {
        if let Kind::Always(judge) = rule.kind
            && let Some(seen) = judge(moment)
        {
            found.push(Violation { rule, container: Some(moment.name.clone()), at: moment.at, seen });
        }
    }
}

/// What never was, among all lives.
pub fn judge_all(tally: &Tally, only: Option<&'static Rule>) -> Vec<Violation> {
    let asked = rules().filter(|rule| only.is_none_or(|only| only.name == rule.name));
    let missed = |rule: &'static Rule| match rule.kind {
        Kind::Sometimes(judge) => {
            judge(tally).map(|seen| Violation { rule, container: None, at: Duration::ZERO, seen })
        }
        Kind::Always(_) | Kind::Eventually(_) => None,
    };
    asked.filter_map(missed).collect()
}

/// What is still missing when a life has come to rest.
pub fn judge_rest(
    name: &Name,
    at: Duration,
    past: &Past,
    only: Option<&'static Rule>,
    found: &mut Vec<Violation>,
) {
    for rule in rules().filter(|rule| only.is_none_or(|only| only.name == rule.name)) {
        if let Kind::Eventually(judge) = rule.kind
            && let Some(seen) = judge(past)
        {
            found.push(Violation { rule, container: Some(name.clone()), at, seen });
        }
    }
}
