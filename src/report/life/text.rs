//! Chapters and lines for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::docker::container::Portrait;
use super::super::docker::moment;
use super::super::paint::{Paint, Role};
use super::super::text::Why;
use super::super::words::{time, wrap};
use super::chapters::{self, Cause, Chapter};
use super::entry;
use crate::engine::journal::{Moment, Said, Tale};
use crate::model::EventKind;

const WIDTH: usize = 80;
/// Where a chapter's title begins: behind its time.
const INDENT: usize = 16;
const LABEL: usize = 10;
/// A pause between two events, or an answer's delay, that is worth mentioning.
const LONG: Duration = Duration::from_millis(95);
/// A pause between two chapters that is worth mentioning.
const QUIET: Duration = Duration::from_secs(1);

/// A life, looked back on.
pub fn history(of: &Portrait<'_>, paint: Paint, why: Why) -> String {
    let mut page = Page { text: String::new(), paint, why };
    page.heading(of);
    let mut before: Option<Moment> = None;
    for chapter in chapters::of(&of.account.tale) {
        page.pause(before.as_ref(), &chapter.at);
        page.chapter(&chapter);
        before = Some(chapter.until);
    }
    page.text
}

/// What there is to say before one begins to watch.
pub fn beginning(of: &Portrait<'_>, paint: Paint) -> String {
    let mut page = Page { text: String::new(), paint, why: Why::Untold };
    page.heading(of);
    let now = format!("{}: {}", of.status.state, of.status.state.sentence());
    for part in wrap(&now, WIDTH - 2) {
        let _ = writeln!(page.text, "  {}", paint.as_role(Role::Text, part));
    }
    page.text.push('\n');
    page.text
}

/// One thing, as it happens.
pub fn line(tale: &Tale, paint: Paint) -> String {
    let (label, text) = entry::words(&tale.told);
    let role = match label {
        "asked" => Role::Heading,
        "state" => Role::State,
        "refused" | "failed" | "lost" => Role::Bad,
        _ => Role::Text,
    };
    let clock = paint.as_role(Role::Label, clock(&tale.at));
    let label = paint.as_role(Role::Label, format!("{label:<LABEL$}"));
    format!("  {clock}  {label}{}\n", paint.as_role(role, text))
}

struct Page {
    text: String,
    paint: Paint,
    why: Why,
}

impl Page {
    fn heading(&mut self, of: &Portrait<'_>) {
        let name = self.paint.as_role(Role::Heading, of.name().to_owned());
        let rest = format!("made of {}, {}", of.spec.image, of.short_id());
        let _ = writeln!(self.text, "\n  {name}  {}", self.paint.as_role(Role::Label, rest));
        if of.account.forgotten > 0 {
            let less = format!("its earlier life is forgotten ({} things)", of.account.forgotten);
            let _ = writeln!(self.text, "  {}", self.paint.as_role(Role::Label, less));
        }
    }

    /// The day, where another one begins, or how long nothing happened.
    fn pause(&mut self, before: Option<&Moment>, at: &Moment) {
        let day = |at: &Moment| moment::date(at.wall);
        if before.is_none_or(|before| day(before) != day(at)) {
            let day = format!("{} UTC", day(at));
            let _ = writeln!(self.text, "\n  {}", self.paint.as_role(Role::Label, day));
            return;
        }
        let quiet = before.and_then(|before| at.since(before)).unwrap_or_default();
        let told =
            if quiet >= QUIET { format!("{:INDENT$}{} later", "", time(quiet)) } else { String::new() };
        let _ = writeln!(self.text, "{}", self.paint.as_role(Role::Label, told));
    }

    fn chapter(&mut self, chapter: &Chapter) {
        let clock = self.paint.as_role(Role::Label, clock(&chapter.at));
        let role = if chapter.cause == Cause::Asked { Role::Heading } else { Role::Question };
        let _ = writeln!(self.text, "  {clock}  {}", self.paint.as_role(role, &chapter.title));
        match &chapter.answer {
            Some(said @ (Said::Refused(_) | Said::Failed(_))) => {
                let (label, text) = entry::answered(said);
                self.line(label, &text, Role::Bad);
            }
            Some(said @ Said::Noop) => {
                let (label, text) = entry::answered(said);
                self.line(label, &text, Role::Text);
            }
            _ => {}
        }
        if !chapter.path.is_empty() {
            let states: Vec<&str> = chapter.path.iter().map(|state| state.word()).collect();
            let code = chapter.code.map_or_else(String::new, |code| format!(", {}", entry::code_words(code)));
            self.line("state", &format!("{}{code}", states.join(" → ")), Role::State);
        }
        if self.why == Why::Told {
            for rule in &chapter.rules {
                let because = format!("{} ({}; {})", rule.sentence(), rule.id(), rule.source());
                self.line("because", &because, Role::Text);
            }
        }
        if !chapter.events.is_empty() {
            self.line("events", &events(&chapter.events), Role::Text);
        }
        if let Some(took) = chapter.took.filter(|took| *took >= LONG) {
            self.line("took", &time(took), Role::Text);
        }
    }

    fn line(&mut self, label: &str, text: &str, role: Role) {
        for (nth, part) in wrap(text, WIDTH - INDENT - LABEL).iter().enumerate() {
            let label = if nth == 0 { label } else { "" };
            let label = self.paint.as_role(Role::Label, format!("{label:<LABEL$}"));
            let _ = writeln!(self.text, "{:INDENT$}{label}{}", "", self.paint.as_role(role, part));
        }
    }
}

fn events(events: &[(Moment, EventKind)]) -> String {
    let mut text = String::new();
    let mut last: Option<&Moment> = None;
    for (at, kind) in events {
        if let Some(before) = last {
            text.push_str(" · ");
            let pause = at.since(before).unwrap_or_default();
            if pause >= LONG {
                let _ = write!(text, "{} later: ", time(pause));
            }
        }
        text.push_str(&entry::event_words(*kind));
        last = Some(at);
    }
    text
}

/// `09:30:00.123`.
fn clock(at: &Moment) -> String {
    format!("{}.{:03}", moment::clock(at.wall), moment::since_epoch(at.wall).subsec_millis())
}
