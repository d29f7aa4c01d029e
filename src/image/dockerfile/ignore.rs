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
    let first = |pattern: &[String], part: &String| fits(&pattern[0], part).then_some(1);
    covers(pattern, parts, |part| part == "**", first)
}

/// One part against a pattern: `*`, `?`, `[a-z]`, `[^a-z]`, and `\` for a sign as it is.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    covers(&pattern, &text, |sign| *sign == '*', |pattern, letter| takes(pattern, *letter))
}

/// Whether a pattern covers all of something, where some of its signs are for any number of things. `takes` says how much of a
/// pattern that begins with another sign is for one thing. Only the last sign for any number is ever tried again, with
/// one thing more: what an earlier one could take instead, the last one can, too. So no pattern takes long.
fn covers<P, T>(
    mut pattern: &[P],
    mut text: &[T],
    is_for_any: impl Fn(&P) -> bool,
    takes: impl Fn(&[P], &T) -> Option<usize>,
) -> bool {
    let mut again: Option<(&[P], &[T])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((sign, rest)), _) if is_for_any(sign) => {
                again = Some((rest, text));
                pattern = rest;
                continue;
            }
            (None, None) => return true,
            (Some(_), Some((thing, after))) => {
                if let Some(taken) = takes(pattern, thing) {
                    (pattern, text) = (&pattern[taken..], after);
                    continue;
                }
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        let Some((rest, [_, after @ ..])) = again else { return false };
        again = Some((rest, after));
        (pattern, text) = (rest, after);
    }
}

/// How many signs of a pattern are for a letter that fits them.
fn takes(pattern: &[char], letter: char) -> Option<usize> {
    let (first, rest) = pattern.split_first()?;
    match first {
        '?' => Some(1),
        '[' => {
            let end = rest.iter().skip(1).position(|sign| *sign == ']')? + 1;
            let (set, not) = match rest[..end].split_first() {
                Some(('^' | '!', set)) => (set, true),
                _ => (&rest[..end], false),
            };
            (in_set(set, letter) != not).then_some(end + 2)
        }
        '\\' if !rest.is_empty() => (rest[0] == letter).then_some(2),
        sign => (*sign == letter).then_some(1),
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

    #[test]
    fn signs_for_any_number_take_what_the_rest_leaves_them() {
        for (pattern, text) in
            [("*a*b", "xaab"), ("a*[b-d]?", "abbcx"), ("*\\**", "a*b"), ("**", ""), ("[^a]*", "ba")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("*a*b", "xba"), ("[a", "a"), ("*[^a]", "ba"), ("?*", "")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
        let ignore = Ignore::parse("a/**/b/**/c\n");
        assert!(ignore.leaves_out(Path::new("a/x/b/b/y/c/within")));
        assert!(!ignore.leaves_out(Path::new("a/x/y/c")));
    }

    #[test]
    fn no_pattern_takes_longer_than_its_length_and_its_text_have_it() {
        assert!(!fits(&("*a".repeat(50) + "b"), &"a".repeat(5000)));
        let deep: Vec<String> = vec!["a".into(); 500];
        assert!(!matches(&Ignore::parse(&("**/a/".repeat(50) + "b")).patterns[0].0, &deep));
    }
}
