//! A broken rule, told: what it says, why it matters, what was seen. And lists of names with a sentence each.

use std::fmt::Write as _;

use super::paint::{Paint, Role};
use super::words::wrap;

const WIDTH: usize = 80;
const LABEL: usize = 10;

/// A rule that was broken.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// The bug that was planted, by name, and what it does.
    pub planted: Option<(&'a str, &'a str)>,
    /// The rule's name.
    pub rule: &'a str,
    /// What it says.
    pub sentence: &'a str,
    /// Why that matters.
    pub why: &'a str,
    /// Where it is known from.
    pub source: &'a str,
    /// What was seen instead.
    pub seen: &'a str,
    /// How it was found.
    pub found: &'a str,
}

/// The page that comes before the life in which a rule is broken.
pub fn finding(finding: Finding<'_>, paint: Paint) -> String {
    let mut page = String::new();
    let heading = paint.as_role(Role::Bad, format!("✗ The rule {} is broken.", finding.rule));
    let _ = writeln!(page, "\n  {heading}\n");
    let planted = finding.planted.map(|(name, sentence)| format!("{name}. {sentence}"));
    let lines = [
        ("planted", planted.as_deref()),
        ("rule", Some(finding.sentence)),
        ("seen", Some(finding.seen)),
        ("why", Some(finding.why)),
        ("source", Some(finding.source)),
        ("found", Some(finding.found)),
    ];
    for (label, text) in lines {
        labelled(&mut page, label, text.unwrap_or_default(), paint);
    }
    page
}

fn labelled(page: &mut String, label: &str, text: &str, paint: Paint) {
    for (nth, part) in wrap(text, WIDTH - 2 - LABEL).iter().enumerate() {
        let label = format!("{:<LABEL$}", if nth == 0 { label } else { "" });
        let _ = writeln!(page, "  {}{part}", paint.as_role(Role::Label, label));
    }
}

/// Names, one a line and first on it, each with a sentence.
pub fn listing(rows: &[(&str, &str)], paint: Paint) -> String {
    let column = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    let mut page = String::new();
    for (name, sentence) in rows {
        for (nth, part) in wrap(sentence, WIDTH - column).iter().enumerate() {
            let name = if nth == 0 { *name } else { "" };
            let _ = writeln!(page, "{}{part}", paint.as_role(Role::Heading, format!("{name:<column$}")));
        }
    }
    page
}

/// A line that says what holds.
pub fn holds(text: &str, paint: Paint) -> String {
    format!("  {}\n", paint.as_role(Role::Good, format!("✓ {text}")))
}

/// A line that says what does not.
pub fn fails(text: &str, paint: Paint) -> String {
    format!("  {}\n", paint.as_role(Role::Bad, format!("✗ {text}")))
}
