//! The scenarios that every terrarium has on board, to be replayed by number or by name from anywhere.

use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use super::{format::Scenario, load::parse_with, words::advice};
use crate::world::images::Context;

/// A scenario on board.
#[derive(Clone, Debug)]
pub struct Bundled {
    /// Its file's name, without the extension and without a lesson's number.
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

/// Files beneath `scenarios`, and texts; a test compares them with the directory.
const ON_BOARD: &[(&str, &str)] = on_board! {
    "lessons/01-first-life"
    "lessons/02-one-image-three-lives"
    "lessons/03-three-servers"
    "lessons/04-port-binding"
    "lessons/05-what-runs"
    "lessons/06-created-uses-no-cpu"
    "lessons/07-paused"
    "lessons/08-paused-server"
    "lessons/09-ten-seconds"
    "lessons/10-process-and-container"
    "lessons/11-exit-codes"
    "lessons/12-pid-1-is-special"
    "lessons/13-zombies"
    "lessons/14-kill-is-not-stop"
    "lessons/15-restart-policies"
    "lessons/16-back-off"
    "lessons/17-after-a-reboot"
    "lessons/18-exec-sessions"
    "lessons/19-two-stops-at-once"
    "lessons/20-stop-and-exec"
    "lessons/21-health"
    "lessons/22-out-of-memory"
    "lessons/23-cpu-quota"
    "lessons/24-fork-bomb"
    "lessons/25-walls"
    "lessons/26-what-it-needs"
    "lessons/27-image-is-data"
    "lessons/28-dockerfile"
    "lessons/29-registry"
    "lessons/30-keeper-lost"
    "lessons/31-what-root-can-do-inside"
    "lessons/32-rootless"
    "lessons/33-where-it-writes"
    "image-layers"
    "lie"
};

macro_rules! files_on_board {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../scenarios/", $name)))),*]
    };
}

/// What is built there: files beneath `scenarios`, and what is in them.
const FILES: &[(&str, &str)] = files_on_board! {
    "images/page/Dockerfile"
    "images/page/Dockerfile.metadata"
    "images/page/index.html"
};

/// The files of a directory, as seen from a scenario on board.
fn files_of(file: &str, from: &Path) -> Context {
    let mut path = PathBuf::new();
    for part in Path::new(file).parent().unwrap_or(Path::new("")).join(from).components() {
        match part {
            Component::ParentDir => _ = path.pop(),
            Component::Normal(part) => path.push(part),
            _ => {}
        }
    }
    let inside = FILES
        .iter()
        .filter_map(|(name, text)| Some((Path::new(name).strip_prefix(&path).ok()?.into(), *text)));
    Context::OnBoard(inside.collect())
}

/// All scenarios on board: the lessons in their order, then those that are no lessons.
pub fn bundled() -> Vec<Bundled> {
    let read = |&(file, text)| Bundled {
        name: name(file),
        scenario: parse_with(file, text, |from| files_of(file, from)).expect("a test has read them all"),
    };
    let mut all: Vec<_> = ON_BOARD.iter().map(read).collect();
    all.sort_by_key(|bundled| bundled.number().map_or((1, 0), |number| (0, number)));
    all
}

/// The one that is meant by a name like `ten-seconds`, or by a lesson's number like `04`.
pub fn find_bundled(word: &str) -> Result<Bundled, NeitherFileNorLesson> {
    let number = word.parse().ok();
    let meant = |bundled: &Bundled| bundled.name == word || (number.is_some() && bundled.number() == number);
    bundled().into_iter().find(meant).ok_or_else(|| {
        let names: Vec<_> = ON_BOARD.iter().map(|(file, _)| name(file)).collect();
        // A whole list of names would say what `lessons` says better.
        let advice = Some(advice(word, &names)).filter(|advice| advice.contains("did you mean"));
        NeitherFileNorLesson { word: word.into(), advice: advice.unwrap_or_default() }
    })
}

/// `ten-seconds` of `lessons/04-ten-seconds`.
fn name(file: &'static str) -> &'static str {
    let lesson = file.strip_prefix("lessons/").and_then(|lesson| lesson.split_once('-'));
    lesson.map_or(file, |(_, name)| name)
}

impl Bundled {
    /// Its number, if it is a lesson.
    pub fn number(&self) -> Option<u32> {
        self.scenario.lesson.as_ref().map(|lesson| lesson.order)
    }
}
