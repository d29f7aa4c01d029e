//! What a process does to the files of its container, and what it says came of that.

use alloc::{format, string::String};

use serde::{Deserialize, Serialize};

/// Something done to one file, by its path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileDeed {
    /// Its own name is what stands there afterwards, whatever stood there before.
    Write(String),
    /// Who has written it?
    Read(String),
    /// It is gone.
    Delete(String),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// It could be done.
    Done,
    /// The kernel refused it.
    Refused,
    /// No file has this name.
    Nothing,
    /// What is read was written by the process of this container.
    WrittenBy(String),
    /// What is read was written by none of those.
    AsItCame,
}

impl FileDeed {
    /// The words for deeds.
    pub const WORDS: [&'static str; 3] = ["write", "read", "delete"];

    /// What a word says is done to this file.
    pub fn of(word: &str, path: &str) -> Option<Self> {
        match word {
            "write" => Some(Self::Write(path.into())),
            "read" => Some(Self::Read(path.into())),
            "delete" => Some(Self::Delete(path.into())),
            _ => None,
        }
    }

    /// Its word in scenarios.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Write(_) => "write",
            Self::Read(_) => "read",
            Self::Delete(_) => "delete",
        }
    }

    /// Of which file.
    pub fn path(&self) -> &str {
        match self {
            Self::Write(path) | Self::Read(path) | Self::Delete(path) => path,
        }
    }

    /// The line that says what came of it.
    pub fn told(&self, came: &Came) -> String {
        let came = match came {
            Came::Done => "done",
            Came::Refused => "refused",
            Came::Nothing => "nothing there",
            Came::AsItCame => "as it came",
            Came::WrittenBy(name) => &format!("written by {name}"),
        };
        format!("{} {}: {came}\n", self.word(), self.path())
    }
}
