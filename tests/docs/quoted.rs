//! What a page takes from other files: a section of another page, a piece of the code.

use std::fs;

use super::root;
use super::source::fenced;

/// What stands under a heading, up to the next one of its rank.
pub(crate) fn section(heading: &str, file: &str) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let mut lines = text.lines().skip_while(|line| line.trim_start_matches('#').trim() != heading);
    let first = lines.next().unwrap_or_else(|| panic!("{file} has no section `{heading}`"));
    let rank = first.chars().take_while(|c| *c == '#').count();
    let ends = |line: &&str| (1..=rank).any(|rank| line.starts_with(&format!("{} ", "#".repeat(rank))));
    let lines: Vec<_> = lines.take_while(|line| !ends(line)).collect();
    format!("{}\n", lines.join("\n").trim())
}

/// An item by its name (`fn pivot`, `enum Step`), with the comments above it.
pub(crate) fn code(name: &str, file: &str) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let is_it = |line: &&str| {
        line.split_once(name).is_some_and(|(before, after)| {
            before.chars().all(|c| c.is_alphanumeric() || " ()_:".contains(c))
                && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        })
    };
    let at = lines.iter().position(is_it).unwrap_or_else(|| panic!("{file} has no `{name}`"));
    let indent = lines[at].len() - lines[at].trim_start().len();
    let above = lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with(['/', '#'])).count();
    let close = format!("{}}}", " ".repeat(indent));
    let list = close.replace('}', "];");
    let is_end = |line: &&str| **line == *close || **line == format!("{close};") || **line == list;
    let length =
        if lines[at].ends_with(';') { 1 } else { 1 + lines[at..].iter().position(is_end).expect("it ends") };
    let item: Vec<_> =
        lines[at - above..at + length].iter().map(|line| line.get(indent..).unwrap_or("")).collect();
    fenced("rust", &item.join("\n"))
}
