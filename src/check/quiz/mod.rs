//! Endless questions about small lives, and answers that the model gives by living them.
//!
//! 1. A topic makes up, by chance, a `tale`: a container, what was done so far, and one step to predict.
//! 2. The simulator plays it. Only then is it known what can be asked: a time, a state, a code, events, a refusal.
//! 3. The learner's answer is held against that, and the rules behind the step explain it.

mod tale;

use std::io;

pub use self::tale::Topic;
use self::tale::{Aspect, Tale};
use super::chance::Chance;
use crate::engine::trace::{Audience, Checkable, Closing, Opening, StepOpening, StepOutcome, StepTrace};
use crate::model::State;
use crate::report::{Verdict, judge, truth};
use crate::scenario::parse;
use crate::scenario::replay::{Play, simulate};

/// Questions without an end, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Quiz {
    chance: Chance,
    topic: Option<Topic>,
}

/// A life up to a point, and what happens then.
#[derive(Clone, Debug)]
pub struct Question {
    /// What it is about.
    pub topic: Topic,
    /// What kind of container it is.
    pub setting: String,
    /// What has been done with it, in order.
    pub so_far: Vec<String>,
    /// What is done now.
    pub act: String,
    /// What is to be predicted.
    pub ask: &'static str,
    /// The same as a scenario.
    pub scenario: String,
    checkable: Vec<Checkable>,
    parts: Vec<StepTrace>,
    aside: Option<String>,
}

/// How an answer did, and why it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grade {
    /// Whether it was right.
    pub verdict: Verdict,
    /// What was so.
    pub truth: String,
    /// Why: the rules behind it, or what was said of a refusal.
    pub because: Vec<String>,
}

impl Quiz {
    /// About everything, or about one topic.
    pub fn new(seed: u64, topic: Option<Topic>) -> Self {
        Self { chance: Chance::new(seed), topic }
    }
}

impl Iterator for Quiz {
    type Item = Question;

    fn next(&mut self) -> Option<Question> {
        let topic = self.topic.unwrap_or_else(|| self.chance.pick(Topic::ALL));
        let tale = topic.tale(&mut self.chance);
        let parts = played(&tale.scenario(), tale.so_far.len() + 1);
        let aspect = aspect(&tale, &parts, &mut self.chance);
        Some(Question {
            topic,
            ask: aspect.question(),
            checkable: vec![aspect.checkable()],
            parts,
            scenario: tale.scenario(),
            setting: tale.setting,
            so_far: tale
                .so_far
                .into_iter()
                .map(|(words, _)| words)
                .filter(|words| !words.is_empty())
                .collect(),
            act: tale.act.0,
            aside: tale.aside,
        })
    }
}

impl Question {
    /// Holds an answer against what the model says.
    pub fn grade(&self, answer: &str) -> Grade {
        Grade {
            verdict: judge(answer, &self.checkable, &self.parts),
            truth: truth(&self.checkable, &self.parts),
            because: self.because(),
        }
    }

    fn because(&self) -> Vec<String> {
        let mut because: Vec<String> = Vec::new();
        for part in &self.parts {
            if is_refused(part) {
                because.extend(part.message.clone());
            }
            for (_, moved) in part.transitions() {
                let told = tale::told(moved.rule);
                if !because.contains(&told) {
                    because.push(told);
                }
            }
        }
        if because.is_empty() || self.topic == Topic::BackOff {
            because.extend(self.aside.clone());
        }
        because
    }
}

/// One of the aspects in which it has something to show, now that it is known how it went.
fn aspect(tale: &Tale, parts: &[StepTrace], chance: &mut Chance) -> Aspect {
    let refused = parts.iter().any(is_refused);
    let events: usize = parts.iter().map(|part| part.events().count()).sum();
    let after =
        parts.last().and_then(|part| part.ledger.get(&tale::web())).map(|change| &change.after.status);
    let has_code = after.is_some_and(|status| status.exit.is_some());
    let has_ended = after.is_some_and(|status| status.state == State::Stopped);
    let shows = |aspect: &Aspect| match aspect {
        Aspect::Refusal | Aspect::Restarts => true,
        Aspect::Took | Aspect::State => !refused,
        Aspect::Events => !refused && events >= 2,
        Aspect::Exit => has_code && (has_ended || tale.aspects == [Aspect::Exit]),
    };
    let aspects: Vec<_> = tale.aspects.iter().copied().filter(shows).collect();
    if aspects.is_empty() { Aspect::Refusal } else { chance.pick(&aspects) }
}

fn is_refused(part: &StepTrace) -> bool {
    matches!(part.outcome, StepOutcome::Refused | StepOutcome::Failed)
}

/// Plays it in the simulator, and returns what came of the steps from this one on.
fn played(scenario: &str, from: usize) -> Vec<StepTrace> {
    let read = parse("quiz", scenario).expect("tales are told in the language of scenarios");
    let mut seen = Seen { from, parts: Vec::new() };
    let play = Play { scenario: &read, file: "quiz", lang: "en" };
    simulate(play, &mut seen).expect("nothing interrupts the simulator");
    seen.parts
}

struct Seen {
    from: usize,
    parts: Vec<StepTrace>,
}

impl Audience for Seen {
    fn opening(&mut self, _: &Opening) -> io::Result<()> {
        Ok(())
    }

    fn step_begins(&mut self, _: &StepOpening) -> io::Result<()> {
        Ok(())
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        if step.index >= self.from {
            self.parts.push(step.clone());
        }
        Ok(())
    }

    fn closing(&mut self, _: &Closing) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer that is built from the truth is right, whatever the question.
    #[test]
    fn the_truth_is_a_right_answer_to_every_question() {
        for topic in Topic::ALL {
            for question in Quiz::new(3, Some(*topic)).take(60) {
                let truth = question.grade("").truth;
                let grade = question.grade(&truth);
                assert_eq!(grade.verdict, Verdict::Right, "{question:#?}\n{grade:#?}");
            }
        }
    }

    #[test]
    fn a_wrong_answer_is_explained() {
        for question in Quiz::new(4, None).take(200) {
            let wrong = question.grade("77 s, 77, dead, no");
            assert!(!wrong.because.is_empty(), "{question:#?}");
            assert!(wrong.truth.contains(|c: char| c.is_alphanumeric()), "{question:#?}");
        }
    }

    #[test]
    fn a_seed_asks_the_same_and_another_one_asks_something_else() {
        let asked = |seed| Quiz::new(seed, None).take(20).map(|q| q.scenario + q.ask).collect::<Vec<_>>();
        assert_eq!(asked(1), asked(1));
        assert_ne!(asked(1), asked(2));
    }

    #[test]
    fn questions_do_not_repeat_themselves() {
        for topic in Topic::ALL {
            let asked: std::collections::BTreeSet<_> = Quiz::new(5, Some(*topic))
                .take(40)
                .map(|question| question.scenario + question.ask)
                .collect();
            assert!(asked.len() >= 8, "{topic:?}: only {} of 40", asked.len());
        }
    }
}
