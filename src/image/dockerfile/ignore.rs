//! `.dockerignore`: which files of a directory a build does not see. The last pattern that fits decides.

use std::path::Path;

/// The patterns of a file.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    patterns: Vec<(Vec<String>, Sense)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    LeftOut,
    /// `!PATTERN`
    Kept,
}

impl Ignore {
    /// Reads a file.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let pattern = |line: &str| {
            let (line, sense) =
                line.strip_prefix('!').map_or((line, Sense::LeftOut), |line| (line.trim(), Sense::Kept));
            let parts = line.split('/').filter(|part| !part.is_empty() && *part != ".");
            (parts.map(Into::into).collect(), sense)
        };
        Self { patterns: lines.map(pattern).filter(|(parts, _): &(Vec<_>, _)| !parts.is_empty()).collect() }
    }

    /// Whether a file is left out: it, or a directory that it is in.
    pub fn leaves_out(&self, path: &Path) -> bool {
        let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let mut out = false;
        for (pattern, sense) in &self.patterns {
            let fits = (1..=parts.len()).any(|length| matches(pattern, &parts[..length]));
            if fits {
                out = *sense == Sense::LeftOut;
            }
        }
        out
    }

    /// Whether something beneath a directory that is left out may be kept.
    pub fn may_keep_beneath(&self) -> bool {
        self.patterns.iter().any(|(_, sense)| *sense == Sense::Kept)
    }
}

/// Parts against parts; `**` is any number of them.
fn matches(pattern: &[String], parts: &[String]) -> bool {
    match (pattern.split_first(), parts.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            matches(rest, parts) || parts.split_first().is_some_and(|(_, after)| matches(pattern, after))
        }
        (Some((first, rest)), Some((part, after))) => fits(first, part) && matches(rest, after),
        _ => false,
    }
}

/// One part against a pattern: `*`, `?`, `[a-z]`, `[^a-z]`, and `\` for a sign as it is.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    fits_letters(&pattern, &text)
}

fn fits_letters(pattern: &[char], text: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
    match first {
        '*' => (0..=text.len()).any(|skipped| fits_letters(rest, &text[skipped..])),
        '?' => text.split_first().is_some_and(|(_, after)| fits_letters(rest, after)),
        '[' => {
            let Some(end) = rest.iter().skip(1).position(|letter| *letter == ']').map(|at| at + 1) else {
                return false;
            };
            let Some((letter, after)) = text.split_first() else { return false };
            let (set, not) = match rest[..end].split_first() {
                Some(('^' | '!', set)) => (set, true),
                _ => (&rest[..end], false),
            };
            in_set(set, *letter) != not && fits_letters(&rest[end + 1..], after)
        }
        '\\' if !rest.is_empty() => text.first() == Some(&rest[0]) && fits_letters(&rest[1..], &text[1..]),
        letter => {
            text.split_first().is_some_and(|(found, after)| found == letter && fits_letters(rest, after))
        }
    }
}

fn in_set(set: &[char], letter: char) -> bool {
    let mut at = 0;
    while at < set.len() {
        if at + 2 < set.len() && set[at + 1] == '-' {
            if (set[at]..=set[at + 2]).contains(&letter) {
                return true;
            }
            at += 3;
        } else {
            if set[at] == letter {
                return true;
            }
            at += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_fits_decides() {
        let ignore = Ignore::parse("# comment\n*.log\n/target\n**/*.tmp\n!keep.log\nsecret?\n[a-c]x\n");
        let out = |path: &str| ignore.leaves_out(Path::new(path));
        for path in ["a.log", "target", "target/deep/file", "x/y/z.tmp", "z.tmp", "secret1", "bx"] {
            assert!(out(path), "{path}");
        }
        for path in ["keep.log", "sub/a.log", "src/main", "secret", "dx"] {
            assert!(!out(path), "{path}");
        }
    }
}
