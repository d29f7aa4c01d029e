//! The lessons as a table: number, name, minutes, and what each is about.

use std::fmt::Write as _;

use super::paint::{Paint, Role};
use super::words::wrap;

const WIDTH: usize = 80;

/// A row of the table.
#[derive(Clone, Debug)]
pub struct LessonLine {
    /// Its place in the course; none for a scenario that is no lesson.
    pub number: Option<u32>,
    /// How it is asked for.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What it teaches, in a few words each.
    pub teaches: Vec<String>,
    /// How long a learner takes.
    pub minutes: Option<u32>,
}

/// The table, as wide as a terminal has always been.
pub fn lessons(rows: &[LessonLine], paint: Paint) -> String {
    let name_width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let indent = 2 + 2 + 2 + name_width + 2 + 6 + 2;
    let width = WIDTH.saturating_sub(indent);
    let mut text = String::new();
    for row in rows {
        let number = row.number.map_or_else(String::new, |number| number.to_string());
        let minutes = row.minutes.map_or_else(String::new, |minutes| format!("{minutes} min"));
        let name = paint.as_role(Role::State, format!("{:<name_width$}", row.name));
        let titles = wrap(&row.title, width);
        let teaches = wrap(&row.teaches.join(", "), width);
        let lines = titles
            .iter()
            .map(|line| (Role::Heading, line))
            .chain(teaches.iter().map(|line| (Role::Label, line)));
        for (nth, (role, line)) in lines.enumerate() {
            let line = paint.as_role(role, line);
            let _ = match nth {
                0 => writeln!(text, "  {number:>2}  {name}  {minutes:>6}  {line}"),
                _ => writeln!(text, "{:indent$}{line}", ""),
            };
        }
    }
    text
}
