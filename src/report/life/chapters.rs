//! A tale, cut into chapters: each begins with what somebody asked for, or with what befell the container.

use std::collections::BTreeMap;
use std::time::Duration;

use super::entry;
use crate::engine::journal::{Moment, Said, Tale, Told};
use crate::model::{EventKind, Rule, State, Ticket};

/// What came of one thing.
#[derive(Clone, Debug)]
pub(super) struct Chapter {
    pub(super) at: Moment,
    pub(super) title: String,
    /// Whether nobody asked for it.
    pub(super) cause: Cause,
    /// The states that it went through.
    pub(super) path: Vec<State>,
    pub(super) rules: Vec<Rule>,
    /// How its process ended.
    pub(super) code: Option<i32>,
    pub(super) events: Vec<(Moment, EventKind)>,
    pub(super) answer: Option<Said>,
    /// From asking to answer.
    pub(super) took: Option<Duration>,
    /// When the last of it was.
    pub(super) until: Moment,
}

/// Why a chapter begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody asked.
    Asked,
    /// It happened by itself.
    Befell,
}

/// Cuts it.
pub(super) fn of(tale: &[Tale]) -> Vec<Chapter> {
    let mut book = Book::default();
    for Tale { at, told } in tale {
        match told {
            Told::Asked(ticket, verb) => {
                book.begin(*at, entry::asked(verb), Cause::Asked);
                book.pending.insert(*ticket, book.chapters.len() - 1);
            }
            Told::Answered(ticket, said) => book.answer(*ticket, *at, said),
            Told::Moved(moved) => {
                let chapter = book.current(*at, || title_of_move(moved.from, moved.to, moved.rule));
                if chapter.path.is_empty() {
                    chapter.path.push(moved.from);
                }
                chapter.path.push(moved.to);
                chapter.rules.push(moved.rule);
            }
            Told::Emitted(event) => {
                book.current(*at, || title_of_event(event.kind)).events.push((*at, event.kind));
            }
            Told::Ended(code) => {
                if book.pending.is_empty() {
                    book.begin(*at, "its process ends by itself".into(), Cause::Befell);
                }
                book.current(*at, String::new).code = Some(*code);
            }
            Told::KeeperLost => {
                book.pending.clear();
                book.begin(*at, "its keeper is killed, and the container with it".into(), Cause::Befell);
            }
            Told::Woke => {
                book.pending.clear();
                book.begin(*at, "the host goes down and comes up again".into(), Cause::Befell);
            }
        }
    }
    book.chapters
}

#[derive(Default)]
struct Book {
    chapters: Vec<Chapter>,
    /// What was asked for and is not answered, with its chapter.
    pending: BTreeMap<Ticket, usize>,
}

impl Book {
    fn begin(&mut self, at: Moment, title: String, cause: Cause) {
        self.chapters.push(Chapter {
            at,
            title,
            cause,
            path: Vec::new(),
            rules: Vec::new(),
            code: None,
            events: Vec::new(),
            answer: None,
            took: None,
            until: at,
        });
    }

    /// The chapter that something belongs to: the last one, if anything of it is still under way or this comes along with it.
    fn current(&mut self, at: Moment, title: impl FnOnce() -> String) -> &mut Chapter {
        let goes_on = self.chapters.last().is_some_and(|last| !self.pending.is_empty() || last.until == at);
        if !goes_on {
            self.begin(at, title(), Cause::Befell);
        }
        let last = self.chapters.last_mut().expect("one was begun if there was none");
        last.until = at;
        last
    }

    fn answer(&mut self, ticket: Ticket, at: Moment, said: &Said) {
        // What was asked before the journal was compacted has no chapter any more.
        let Some(chapter) = self.pending.remove(&ticket).and_then(|nth| self.chapters.get_mut(nth)) else {
            return;
        };
        chapter.answer = Some(said.clone());
        chapter.took = at.since(&chapter.at);
        if let Some(last) = self.chapters.last_mut() {
            last.until = at;
        }
    }
}

fn title_of_move(from: State, to: State, rule: Rule) -> String {
    match (from, to) {
        (State::Restarting, State::Running) => "started again by its restart policy".into(),
        (State::Restarting, _) => "its restart policy gives up".into(),
        (_, State::Removing | State::Absent) => "removed".into(),
        _ if rule == Rule::HostDown => "after the host came up again".into(),
        _ => format!("becomes {to}"),
    }
}

fn title_of_event(kind: EventKind) -> String {
    match kind {
        EventKind::HealthStatus(health) => format!("found to be {}", health.word()),
        EventKind::ExecDie(_) => "a command inside ends".into(),
        EventKind::Oom => "the kernel kills a process of it for want of memory".into(),
        EventKind::Start => "started again".into(),
        _ => kind.to_string(),
    }
}
