//! `terrarium lessons`: what is on board, in order.

use clap::Args;

use super::language::Language;
use super::{Globals, written};
use crate::report::{self, LessonLine};
use crate::scenario::{Bundled, bundled};

/// List the lessons on board, with what each teaches
#[derive(Args)]
#[command(after_help = "\
Replay one by number or by name, from any directory:
  terrarium replay 04
  terrarium replay ten-seconds")]
pub(super) struct Lessons {
    #[command(flatten)]
    language: Language,
}

impl Lessons {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        let lang = self.language.code();
        let rows: Vec<_> = bundled().iter().map(|bundled| row(bundled, &lang)).collect();
        let table = report::lessons(&rows, globals.paint);
        let hint = "Replay one: terrarium replay 4, or terrarium replay ten-seconds";
        written("the lessons", &format!("{table}\n  {hint}\n"))
    }
}

fn row(bundled: &Bundled, lang: &str) -> LessonLine {
    let lesson = bundled.scenario.lesson.as_ref();
    LessonLine {
        number: bundled.number(),
        name: bundled.name.into(),
        title: bundled.scenario.title.in_lang(lang).into(),
        teaches: lesson.map_or_else(Vec::new, |lesson| {
            lesson.teaches.iter().map(|text| text.in_lang(lang).into()).collect()
        }),
        minutes: lesson.and_then(|lesson| lesson.minutes),
    }
}
