//! A quiz on the screen: a small life, a question, and what was right and why.

use std::io::{self, Write};

use super::paint::{Paint, Role};
use super::predict::Verdict;
use super::words::wrap;

const WIDTH: usize = 80;
const INDENT: &str = "      ";

/// Writes questions and what became of them.
pub struct QuizText<W> {
    out: W,
    paint: Paint,
}

/// How the learner did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answers that were right.
    pub right: usize,
    /// Questions that were answered.
    pub answered: usize,
}

impl<W: Write> QuizText<W> {
    /// Writes there.
    pub fn new(out: W, paint: Paint) -> Self {
        Self { out, paint }
    }

    /// How it is played, and how it can be had again.
    pub fn opening(&mut self, again: &str) -> io::Result<()> {
        let text = "Predict what happens. Write a time (10s), a state, an exit code, events, or yes or no. An empty line ends it.";
        writeln!(self.out)?;
        for line in wrap(text, WIDTH - 4) {
            writeln!(self.out, "  {}", self.paint.as_role(Role::Label, line))?;
        }
        writeln!(
            self.out,
            "  {}",
            self.paint.as_role(Role::Label, format_args!("The same questions again: {again}"))
        )
    }

    /// A life up to a point, what is done now, and the question; stays on the line of the answer.
    pub fn asked(
        &mut self,
        number: usize,
        setting: &str,
        so_far: &[String],
        act: &str,
        ask: &str,
    ) -> io::Result<()> {
        let done = if so_far.is_empty() { String::new() } else { format!(" So far: {}.", so_far.join(", ")) };
        writeln!(self.out)?;
        for (nth, line) in wrap(&format!("{setting}{done}"), WIDTH - INDENT.len()).iter().enumerate() {
            let begin = if nth == 0 { format!("{number:>4}  ") } else { INDENT.into() };
            writeln!(self.out, "{begin}{line}")?;
        }
        self.lines(Role::Heading, &format!("Now: {act}."))?;
        self.lines(Role::Question, &format!("? {ask}"))?;
        write!(self.out, "{INDENT}{}", self.paint.as_role(Role::Question, "> "))?;
        self.out.flush()
    }

    /// What was typed, where no terminal shows it.
    pub fn echoed(&mut self, answer: &str) -> io::Result<()> {
        writeln!(self.out, "{answer}")
    }

    /// Whether it was right, what was so, and why.
    pub fn graded(&mut self, verdict: &Verdict, truth: &str, because: &[String]) -> io::Result<()> {
        match verdict {
            Verdict::Right => return self.lines(Role::Good, "✓ right"),
            Verdict::Wrong(_) => self.lines(Role::Bad, &format!("✗ it was {truth}"))?,
            Verdict::Open => {
                self.lines(Role::Bad, &format!("✗ that does not answer the question: it was {truth}"))?;
            }
        }
        because.iter().try_for_each(|reason| self.lines(Role::Label, reason))
    }

    /// The score.
    pub fn closing(&mut self, tally: Tally) -> io::Result<()> {
        let text = match tally.answered {
            0 => "nothing answered".into(),
            answered => format!("{} of {answered} right", tally.right),
        };
        writeln!(self.out, "\n  {}", self.paint.as_role(Role::Heading, text))?;
        self.out.flush()
    }

    fn lines(&mut self, role: Role, text: &str) -> io::Result<()> {
        for line in wrap(text, WIDTH - INDENT.len()) {
            writeln!(self.out, "{INDENT}{}", self.paint.as_role(role, line))?;
        }
        self.out.flush()
    }
}
