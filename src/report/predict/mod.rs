//! Predict, then see: before a step that asks, the learner answers; when it is done, the answer is held against it.
//!
//! Nothing passes in the simulator while the learner thinks. On a kernel containers live on meanwhile; what they did in
//! that time is told with the step. No step takes longer for it: what `took` counts begins after the answer.

mod verdict;
mod words;

use std::io::{self, BufRead, Read as _, Write};

pub use self::verdict::{Verdict, judge, truth};
use super::Text;
use super::paint::Role;
use super::words::count;
use crate::engine::trace::{Audience, Checkable, Closing, Opening, StepOpening, StepTrace};

/// No answer is longer; what follows is the next one.
const LONGEST: u64 = 1000;

/// Who shows on the screen what the learner types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// The terminal.
    Terminal,
    /// Nobody else: answers come from a file or a pipe.
    Ours,
}

/// Text for a terminal, and questions.
pub struct Predict<W, R> {
    text: Text<W>,
    answers: R,
    echo: Echo,
    /// Whether more answers can come.
    input: Input,
    /// The step under way: what was answered, and what can be checked of it.
    answered: Option<(String, Vec<Checkable>)>,
    parts: Vec<StepTrace>,
    score: Score,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    Ended,
}

#[derive(Default)]
struct Score {
    right: u64,
    wrong: u64,
    open: u64,
    passed: u64,
}

impl<W: Write, R: BufRead> Predict<W, R> {
    /// Tells the replay in this text, and reads answers line by line.
    pub fn new(text: Text<W>, answers: R, echo: Echo) -> Self {
        let parts = Vec::new();
        Self { text, answers, echo, input: Input::Open, answered: None, parts, score: Score::default() }
    }

    /// What the learner says, if anything; nothing more once the input has ended.
    fn ask(&mut self) -> io::Result<Option<String>> {
        if self.input == Input::Ended {
            return Ok(None);
        }
        self.text.prompt("> ")?;
        let mut line = Vec::new();
        self.answers.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            self.input = Input::Ended;
            self.text.prompted("(no more answers: the rest goes on by itself)")?;
            return Ok(None);
        }
        let answer = String::from_utf8_lossy(&line);
        let answer: String = answer.trim().chars().filter(|c| !c.is_control()).collect();
        if self.echo == Echo::Ours {
            self.text.prompted(&answer)?;
        }
        self.score.passed += u64::from(answer.is_empty());
        Ok(Some(answer).filter(|answer| !answer.is_empty()))
    }

    fn reveal(&mut self) -> io::Result<()> {
        let parts = std::mem::take(&mut self.parts);
        let Some((answer, checkable)) = self.answered.take() else { return Ok(()) };
        match judge(&answer, &checkable, &parts) {
            Verdict::Right => {
                self.score.right += 1;
                self.text.told(Role::Good, &format!("✓ you said {answer}"))
            }
            Verdict::Wrong(truth) => {
                self.score.wrong += 1;
                self.text.told(Role::Question, &format!("≠ you said {answer}, it was {truth}"))
            }
            Verdict::Open => {
                self.score.open += 1;
                self.text.told(Role::Question, &format!("? you said {answer}: see for yourself"))
            }
        }
    }
}

impl<W: Write, R: BufRead> Audience for Predict<W, R> {
    fn opening(&mut self, opening: &Opening) -> io::Result<()> {
        self.text.opening(opening)?;
        self.text
            .aside("Predict what will happen. An empty line passes; the end of the input ends the questions.")
    }

    fn step_begins(&mut self, step: &StepOpening) -> io::Result<()> {
        self.text.step_begins(step)?;
        if step.ask.is_some() {
            self.answered = self.ask()?.map(|answer| (answer, step.checkable.clone()));
        }
        Ok(())
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        self.parts.push(step.clone());
        self.text.step_done(step)?;
        if self.text.has_shown_all_turns() { self.reveal() } else { Ok(()) }
    }

    fn closing(&mut self, closing: &Closing) -> io::Result<()> {
        self.text.closing(closing)?;
        self.text.aside(&self.score.told())
    }
}

impl Score {
    /// `3 of 5 predicted, 1 passed`.
    fn told(&self) -> String {
        let mut parts = vec![match self.right + self.wrong {
            0 => "nothing predicted that could be checked".into(),
            checked => format!("{} of {checked} predicted", self.right),
        }];
        if self.open > 0 {
            parts.push(format!("{} left to you", count(self.open, "answer", "answers")));
        }
        if self.passed > 0 {
            parts.push(format!("{} passed", self.passed));
        }
        parts.join(", ")
    }
}
