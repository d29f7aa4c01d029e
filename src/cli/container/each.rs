//! The same thing asked of several containers: all at once, and answered in the order in which they were named.

use super::super::{BAD, GOOD, Globals, complain, written};
use super::estate;
use crate::keeper::control::Answer;
use crate::keeper::{Asked, CallError, Estate, ask};
use crate::model::Verb;

/// So many are asked before the first answer is waited for: each takes a descriptor.
const AT_ONCE: usize = 400;

/// Asks each for it, and prints what each that has done it was called; returns the exit status.
pub(super) fn ask_each(globals: &Globals, words: &[String], verb: &Verb) -> u8 {
    tell_each(globals, words, verb, |word, _| format!("{word}\n"))
}

/// As [`ask_each`], with something else to print of each.
pub(super) fn tell_each(
    globals: &Globals,
    words: &[String],
    verb: &Verb,
    told: impl Fn(&str, &Answer) -> String,
) -> u8 {
    let estate = match estate(globals) {
        Ok(estate) => estate,
        Err(error) => {
            complain(&error);
            return BAD;
        }
    };
    let mut status = GOOD;
    for some in words.chunks(AT_ONCE) {
        let asked: Vec<(&String, Result<Asked, CallError>)> =
            some.iter().map(|word| (word, begin(&estate, word, verb))).collect();
        for (word, asked) in asked {
            match asked.and_then(Asked::answer) {
                Ok(Answer::Refused(why)) => {
                    complain(&why);
                    status = BAD;
                }
                Ok(Answer::Failed(failure)) => {
                    complain(&failure);
                    status = BAD;
                }
                Ok(answer) => {
                    status = status.max(written("the answer", &told(word, &answer)));
                }
                Err(error) => {
                    complain(&error);
                    status = BAD;
                }
            }
        }
    }
    status
}

fn begin(estate: &Estate, word: &str, verb: &Verb) -> Result<Asked, CallError> {
    ask(estate, &estate.find(word)?, verb)
}
