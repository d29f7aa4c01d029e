//! `terrarium quiz`: endless questions, graded by the model.

use std::io::{self, BufRead, Read as _};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use super::keyboard::keyboard;
use super::{BAD, GOOD, Globals, complain};
use crate::check::quiz::{self, Topic};
use crate::report::{Echo, QuizText, Tally, Verdict};

/// Answer endless questions, graded by the model
///
/// Each question tells a small life and asks what happens next. The simulator
/// lives it; a wrong answer is explained by the rules behind it. An empty line or
/// the end of the input ends the quiz with the score.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  terrarium quiz                       about everything
  terrarium quiz --topic stop          about grace periods alone
  terrarium quiz --seed 7              the same questions for a whole class"
)]
pub(super) struct Quiz {
    /// Ask about this alone
    #[arg(long, value_name = "TOPIC")]
    topic: Option<TopicWord>,

    /// The same number brings the same questions [default: others each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// A topic as it is typed.
#[derive(Clone, Copy)]
struct TopicWord(Topic);

impl ValueEnum for TopicWord {
    fn value_variants<'a>() -> &'a [Self] {
        const WORDS: [TopicWord; Topic::ALL.len()] = {
            let mut words = [TopicWord(Topic::States); Topic::ALL.len()];
            let mut nth = 0;
            while nth < words.len() {
                words[nth] = TopicWord(Topic::ALL[nth]);
                nth += 1;
            }
            words
        };
        &WORDS
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.word()).help(self.0.about()))
    }
}

/// No answer is longer.
const LONGEST: u64 = 1000;

impl Quiz {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        let (answers, echo) = keyboard();
        match self.quiz(QuizText::new(io::stdout().lock(), globals.paint), answers, echo) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                complain(&format_args!("cannot ask or hear any more: {error}"));
                BAD
            }
            _ => GOOD,
        }
    }

    fn quiz(
        &self,
        mut text: QuizText<impl io::Write>,
        mut answers: impl BufRead,
        echo: Echo,
    ) -> io::Result<()> {
        let seed = self.seed.unwrap_or_else(seed_of_the_moment);
        let topic = self.topic.map(|word| word.0);
        let only = topic.map_or_else(String::new, |topic| format!(" --topic {topic}"));
        text.opening(&format!("terrarium quiz{only} --seed {seed}"))?;
        let mut tally = Tally::default();
        for (number, question) in (1..).zip(quiz::Quiz::new(seed, topic)) {
            text.asked(number, &question.setting, &question.so_far, &question.act, question.ask)?;
            let mut line = Vec::new();
            answers.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
            let answer = String::from_utf8_lossy(&line);
            let answer: String = answer.trim().chars().filter(|c| !c.is_control()).collect();
            if echo == Echo::Ours || line.is_empty() {
                text.echoed(&answer)?;
            }
            if answer.is_empty() {
                break;
            }
            let grade = question.grade(&answer);
            tally.answered += 1;
            tally.right += usize::from(grade.verdict == Verdict::Right);
            text.graded(&grade.verdict, &grade.truth, &grade.because)?;
        }
        text.closing(tally)
    }
}

/// Small enough to be typed.
fn seed_of_the_moment() -> u64 {
    let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(moment.subsec_nanos()) % 10_000
}
