//! A pattern of a name: the part of regular expressions that people type for one.
//!
//! `^` and `$` are its ends, `.` is any letter, `[a-z]` one of these, `*`, `+` and `?` say how often, `a|b` is either, `\` takes a
//! sign as it is. Whatever else stands there stands for itself.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use thiserror::Error;

/// One that was read.
#[derive(Clone, Debug)]
pub struct Pattern {
    either: Vec<Vec<Item>>,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot read the pattern `{0}`: {1}")]
pub struct InvalidPattern(String, &'static str);

#[derive(Clone, Debug)]
struct Item {
    what: What,
    often: Often,
}

#[derive(Clone, Debug)]
enum What {
    Begin,
    End,
    Any,
    Letter(char),
    OneOf { ranges: Vec<(char, char)>, but_not: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Often {
    Once,
    Optional,
    Any,
    Some,
}

impl Pattern {
    /// Reads it.
    pub fn new(text: &str) -> Result<Self, InvalidPattern> {
        let wrong = |why| InvalidPattern(text.into(), why);
        let mut either = vec![Vec::<Item>::new()];
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let items = either.last_mut().expect("there is always one");
            let what = match letter {
                '|' => {
                    either.push(Vec::new());
                    continue;
                }
                '*' | '+' | '?' => {
                    let last = items.last_mut().filter(|item| item.often == Often::Once);
                    let last =
                        last.ok_or_else(|| wrong("nothing stands before the sign that says how often"))?;
                    last.often = match letter {
                        '*' => Often::Any,
                        '+' => Often::Some,
                        _ => Often::Optional,
                    };
                    continue;
                }
                '(' | ')' | '{' | '}' => return Err(wrong("parentheses and braces are not known here")),
                '^' => What::Begin,
                '$' => What::End,
                '.' => What::Any,
                '[' => one_of(&mut letters).ok_or_else(|| wrong("a `[` is not closed"))?,
                '\\' => What::Letter(letters.next().ok_or_else(|| wrong("a `\\` stands at its end"))?),
                other => What::Letter(other),
            };
            items.push(Item { what, often: Often::Once });
        }
        Ok(Self { either })
    }

    /// Whether it is anywhere in a text.
    pub fn is_in(&self, text: &str) -> bool {
        let letters: Vec<char> = text.chars().collect();
        self.either.iter().any(|items| (0..=letters.len()).any(|at| matches(items, &letters, at)))
    }
}

fn one_of(letters: &mut std::str::Chars<'_>) -> Option<What> {
    let inside: String = letters.by_ref().take_while(|letter| *letter != ']').collect();
    let bare = inside.strip_prefix('^');
    let signs: Vec<char> = bare.unwrap_or(&inside).chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < signs.len() {
        if at + 2 < signs.len() && signs[at + 1] == '-' {
            ranges.push((signs[at], signs[at + 2]));
            at += 3;
        } else {
            ranges.push((signs[at], signs[at]));
            at += 1;
        }
    }
    (!ranges.is_empty()).then_some(What::OneOf { ranges, but_not: bare.is_some() })
}

/// Whether a text has it, beginning there. Item by item, it is known up to where they may have come so far: so a long pattern takes
/// no longer than its length and that of the text have it.
fn matches(items: &[Item], letters: &[char], at: usize) -> bool {
    let mut places = BTreeSet::from([at]);
    for item in items {
        places = places.iter().flat_map(|at| behind(item, letters, *at)).collect();
    }
    !places.is_empty()
}

/// Up to where an item may reach that begins there.
fn behind(item: &Item, letters: &[char], at: usize) -> RangeInclusive<usize> {
    let nowhere = RangeInclusive::new(1, 0);
    let is = |at: usize| letters.get(at).is_some_and(|letter| stands_for(&item.what, *letter));
    let (least, most) = match (&item.what, item.often) {
        (What::Begin, _) => return if at == 0 { at..=at } else { nowhere },
        (What::End, _) => return if at == letters.len() { at..=at } else { nowhere },
        (_, Often::Once) => (1, 1),
        (_, Often::Optional) => (0, 1),
        (_, Often::Any) => (0, letters.len()),
        (_, Often::Some) => (1, letters.len()),
    };
    let run = (at..).take(most).take_while(|at| is(*at)).count();
    at + least..=at + run
}

fn stands_for(what: &What, letter: char) -> bool {
    match what {
        What::Any => true,
        What::Letter(own) => *own == letter,
        What::OneOf { ranges, but_not } => {
            ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter)) != *but_not
        }
        What::Begin | What::End => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        for (pattern, name, is_in) in [
            ("web", "my-web-1", true),
            ("^web", "my-web-1", false),
            ("^web$", "web", true),
            ("^web$", "web-1", false),
            ("web-[0-9]+$", "web-12", true),
            ("web-[^0-9]", "web-12", false),
            ("w.b", "wob", true),
            ("^(a", "a", false),
            ("a|^b", "xb", false),
            ("a|^b", "xa", true),
            ("ab*c?d", "ad", true),
            ("a\\.b", "axb", false),
            ("", "anything", true),
        ] {
            let found = Pattern::new(pattern).is_ok_and(|pattern| pattern.is_in(name));
            assert_eq!(found, is_in, "{pattern} in {name}");
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (pattern, why) in
            [("*a", "how often"), ("[a", "not closed"), ("(a)", "parentheses"), ("a\\", "at its end")]
        {
            let said = Pattern::new(pattern).map_or_else(|error| error.to_string(), |_| String::new());
            assert!(pattern == "[a" || said.contains(why), "{pattern}: {said}");
        }
    }

    #[test]
    fn a_long_pattern_takes_no_longer_than_it_is() {
        assert!(Pattern::new(&format!("^{}a$", "a?".repeat(20_000))).unwrap().is_in("a"));
        let text = "a".repeat(50);
        assert!(Pattern::new(&format!("^{}{text}$", "a?".repeat(50))).unwrap().is_in(&text));
        assert!(!Pattern::new(&format!("^{}b", "a*".repeat(50))).unwrap().is_in(&text));
    }
}
