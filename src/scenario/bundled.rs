//! The scenarios that every terrarium has on board, to be replayed by number or by name from anywhere.

use thiserror::Error;

use super::{format::Scenario, load::parse, words::advice};

/// A scenario on board.
#[derive(Clone, Debug)]
pub struct Bundled {
    /// Its file's name, without the extension.
    pub name: &'static str,
    /// The scenario.
    pub scenario: Scenario,
}

/// There is nothing of that name, neither here nor on board.
#[derive(Debug, Error)]
#[error("{word}: no such file, and no lesson of that name or number{advice}; `terrarium lessons` lists them")]
pub struct NeitherFileNorLesson {
    word: String,
    advice: String,
}

macro_rules! on_board {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../scenarios/", $name, ".yaml")))),*]
    };
}

/// Names and texts; a test compares them with the directory.
const ON_BOARD: &[(&str, &str)] = on_board! {
    "back-off"
    "created-uses-no-cpu"
    "exec-sessions"
    "first-life"
    "health"
    "kill-is-not-stop"
    "lie"
    "out-of-memory"
    "paused"
    "pid-1-is-special"
    "restart-policies"
    "ten-seconds"
    "two-stops-at-once"
};

/// All scenarios on board: the lessons in their order, then those that are no lessons.
pub fn bundled() -> Vec<Bundled> {
    let read =
        |&(name, text)| Bundled { name, scenario: parse(name, text).expect("a test has read them all") };
    let mut all: Vec<_> = ON_BOARD.iter().map(read).collect();
    all.sort_by_key(|bundled| bundled.number().map_or((1, 0), |number| (0, number)));
    all
}

/// The one that is meant by a name like `ten-seconds`, or by a lesson's number like `04`.
pub fn find_bundled(word: &str) -> Result<Bundled, NeitherFileNorLesson> {
    let number = word.parse().ok();
    let meant = |bundled: &Bundled| bundled.name == word || (number.is_some() && bundled.number() == number);
    bundled().into_iter().find(meant).ok_or_else(|| {
        let names: Vec<_> = ON_BOARD.iter().map(|(name, _)| *name).collect();
        // A whole list of names would say what `lessons` says better.
        let advice = Some(advice(word, &names)).filter(|advice| advice.contains("did you mean"));
        NeitherFileNorLesson { word: word.into(), advice: advice.unwrap_or_default() }
    })
}

impl Bundled {
    /// Its number, if it is a lesson.
    pub fn number(&self) -> Option<u32> {
        self.scenario.lesson.as_ref().map(|lesson| lesson.order)
    }
}
