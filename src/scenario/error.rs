//! Why a scenario cannot be loaded, shown with the line where it went wrong.

use std::{fmt, io, path::PathBuf};

use thiserror::Error;

use super::format::Place;

/// Why a scenario cannot be loaded.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// There is no such file.
    #[error("{}: no such file (`terrarium lessons` lists what is built in)", .0.display())]
    Missing(PathBuf),
    /// It is a directory.
    #[error("{}: is a directory: name a file in it", .0.display())]
    Directory(PathBuf),
    /// The system does not let it be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is larger than any scenario.
    #[error("{}: is larger than 4 MiB: this is no scenario", .0.display())]
    TooLarge(PathBuf),
    /// It is not text.
    #[error("{}: is not text: a scenario is a YAML file in UTF-8", .0.display())]
    NotText(PathBuf),
    /// There is nothing in it.
    #[error("{}: is empty: a scenario needs a `title` and `steps`", .0.display())]
    Empty(PathBuf),
    /// Something in it is wrong.
    #[error("{0}")]
    Wrong(Box<Wrong>),
}

/// What is wrong in a file, and where.
#[derive(Debug)]
pub struct Wrong {
    /// The file, as it was named.
    pub file: String,
    /// Where it is wrong.
    pub place: Place,
    /// What is wrong, in one sentence.
    pub message: String,
    excerpt: String,
}

/// Something wrong at a place of a file that is still to be named.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Span,
    pub(super) message: String,
}

/// A stretch of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) place: Place,
    /// In characters; what goes beyond the line's end is not shown.
    pub(super) length: usize,
}

impl Fault {
    pub(super) fn new(span: Span, message: impl fmt::Display) -> Self {
        Self { span, message: message.to_string() }
    }

    /// The fault with the line that shows it.
    pub(super) fn in_file(self, file: &str, text: &str) -> ScenarioError {
        let line = text.lines().nth(self.span.place.line.saturating_sub(1)).unwrap_or("");
        ScenarioError::Wrong(Box::new(Wrong {
            file: file.to_owned(),
            place: self.span.place,
            excerpt: excerpt(line, self.span),
            message: self.message,
        }))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n{}", self.file, self.place, self.message, self.excerpt)
    }
}

/// The line and, below it, carets under the part that is meant.
fn excerpt(line: &str, span: Span) -> String {
    /// What is shown of a very long line, before the first caret and in all.
    const BEFORE: usize = 60;
    const LONGEST: usize = 100;

    let column = span.place.column.saturating_sub(1);
    let skipped = column.saturating_sub(BEFORE);
    // One cell for each tab and control character, so that the carets stay below what they mean.
    let shown: Vec<char> =
        line.chars().skip(skipped).take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let column = (column - skipped).min(shown.len());
    let meant = &shown[column..shown.len().min(column.saturating_add(span.length))];
    let number = span.place.line.to_string();
    format!(
        "  {number} | {}\n  {:width$} | {:indent$}{}",
        shown.iter().collect::<String>(),
        "",
        "",
        "^".repeat(cells(meant).max(1)),
        width = number.len(),
        indent = cells(&shown[..column]),
    )
}

/// How many cells of a terminal a text takes: Korean letters and the like take two.
fn cells(text: &[char]) -> usize {
    let wide = |c: char| matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd);
    text.iter().map(|&c| if wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: &str, column: usize, length: usize) -> String {
        excerpt(line, Span { place: Place { line: 12, column }, length })
    }

    #[test]
    fn carets_stand_below_what_is_meant() {
        assert_eq!(at("  - stpo: web", 5, 4), "  12 |   - stpo: web\n     |     ^^^^");
    }

    #[test]
    fn a_korean_letter_takes_two_cells() {
        assert_eq!(at("가: 나", 4, 1), "  12 | 가: 나\n     |     ^^");
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_caret() {
        let line = format!("{}HERE{}", "a".repeat(100_000), "b".repeat(100_000));
        let shown = at(&line, 100_001, 4);
        assert!(shown.contains("aaHEREbb") && shown.len() < 250, "{shown}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(at("a\tb\u{1b}[31mc", 3, 1), "  12 | a b [31mc\n     |   ^");
    }
}
