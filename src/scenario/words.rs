//! What a wrong word is answered with: what was meant, perhaps, or what could stand there.

use thiserror::Error;

/// Why one word of a scenario means nothing.
#[derive(Debug, Error)]
pub(super) enum WordError {
    #[error("expected {expected}, found {}", found(.text))]
    Expected { text: String, expected: &'static str },
    #[error("`{}` has no unit: write {example}", shown(.text))]
    NoUnit { text: String, example: String },
    #[error("`{}` is too long: a duration is at most `1000years`", shown(.text))]
    TooLong { text: String },
    #[error("unknown {what} `{}`{}", shown(.text), advice(.text, .words))]
    Unknown { text: String, what: &'static str, words: Vec<String> },
    #[error("`{text}` is Docker's word: here it is `{ours}`")]
    Dockers { text: String, ours: &'static str },
    #[error("{0}")]
    Name(#[from] crate::model::InvalidName),
    #[error("{0}")]
    Publish(#[from] crate::model::InvalidPublish),
}

impl WordError {
    /// A word that is none of those which may stand there.
    pub(super) fn unknown<W: AsRef<str>>(what: &'static str, text: &str, words: &[W]) -> Self {
        let words = words.iter().map(|word| word.as_ref().to_owned()).collect();
        Self::Unknown { text: text.to_owned(), what, words }
    }
}

/// How many words a sentence lists.
const MOST: usize = 40;

/// What to say after a wrong word: the nearest valid one, or else all of them.
pub(super) fn advice<W: AsRef<str>>(wrong: &str, valid: &[W]) -> String {
    if let Some(near) = nearest(wrong, valid) {
        return format!(" (did you mean `{near}`?)");
    }
    let mut all: Vec<_> = valid.iter().take(MOST).map(|word| format!("`{}`", word.as_ref())).collect();
    if valid.len() > MOST {
        all.push("…".into());
    }
    match all.as_slice() {
        [] => String::new(),
        [only] => format!(" (only {only} may stand here)"),
        _ => format!(" (one of {})", all.join(", ")),
    }
}

/// A text from a file as the object of "found …".
pub(super) fn found(text: &str) -> String {
    if text.trim().is_empty() { "nothing".to_owned() } else { format!("`{}`", shown(text)) }
}

/// A text from a file, fit to stand inside a sentence.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String =
        text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// The valid word that takes the fewest slips of the finger to become the wrong one, if few enough.
fn nearest<'a, W: AsRef<str>>(wrong: &str, valid: &'a [W]) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let wrong = wrong.to_lowercase();
    let length = wrong.chars().count();
    if length > LONGEST {
        return None;
    }
    valid
        .iter()
        .map(AsRef::as_ref)
        .filter(|word| word.chars().count().abs_diff(length) <= 2)
        .map(|word| (slips(&wrong, &word.to_lowercase()), word))
        .filter(|(slips, word)| slips * 3 <= word.chars().count().max(length))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, word)| word)
}

/// How many letters were left out, added, changed or swapped with their neighbour.
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let valid = ["start", "stop", "restart", "remove"];
        for (wrong, meant) in [("stpo", "stop"), ("sto", "stop"), ("Strat", "start"), ("removve", "remove")] {
            assert_eq!(nearest(wrong, &valid), Some(meant));
        }
        assert_eq!(nearest("launch", &valid), None);
        assert_eq!(nearest("", &valid), None);
    }

    #[test]
    fn what_is_far_from_every_word_gets_the_list() {
        assert_eq!(advice("launch", &["start", "stop"]), " (one of `start`, `stop`)");
    }

    #[test]
    fn swapped_neighbours_are_one_slip() {
        assert_eq!(slips("stpo", "stop"), 1);
        assert_eq!(slips("kitten", "sitting"), 3);
        assert_eq!(slips("", "abc"), 3);
    }
}
