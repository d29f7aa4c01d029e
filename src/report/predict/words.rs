//! An answer, taken apart: times, numbers, states, events, yes and no. What is none of these is left alone.

use std::time::Duration;

use crate::model::{Signal, State};

/// A part of an answer that can be right or wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Time(Duration),
    Number(f64),
    State(State),
    /// An event by Docker's word, perhaps with its signal or exit code.
    Event(&'static str, Option<String>),
    Yes,
    No,
}

/// All that can be checked of an answer, in its order.
pub(super) fn pieces(answer: &str) -> Vec<Piece> {
    let tokens = tokens(&answer.to_lowercase());
    let mut left = tokens.as_slice();
    let mut pieces = Vec::new();
    while !left.is_empty() {
        let (piece, taken) = first(left);
        pieces.extend(piece);
        left = &left[taken..];
    }
    pieces
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Word(String),
    Percent,
}

const EVENTS: [&str; 12] = [
    "create", "start", "kill", "die", "stop", "restart", "pause", "unpause", "destroy", "oom", "rename",
    "update",
];
const NUMBERS: [(&str, f64); 17] = [
    ("zero", 0.0),
    ("two", 2.0),
    ("three", 3.0),
    ("four", 4.0),
    ("five", 5.0),
    ("six", 6.0),
    ("seven", 7.0),
    ("eight", 8.0),
    ("nine", 9.0),
    ("ten", 10.0),
    ("eleven", 11.0),
    ("twelve", 12.0),
    ("fifteen", 15.0),
    ("twenty", 20.0),
    ("thirty", 30.0),
    ("sixty", 60.0),
    ("hundred", 100.0),
];
const AT_ONCE: [&str; 6] = ["immediately", "instantly", "instant", "즉시", "바로", "곧바로"];
const YES: [&str; 7] = ["yes", "y", "yep", "sure", "예", "네", "응"];
const NO: [&str; 13] = [
    "no",
    "n",
    "nope",
    "cannot",
    "can't",
    "refused",
    "refuses",
    "error",
    "impossible",
    "아니요",
    "아니오",
    "아뇨",
    "아니",
];
const NEGATIONS: [&str; 5] = ["not", "never", "without", "no", "neither"];
const SIZES: [&str; 11] = ["b", "kb", "mb", "gb", "kib", "mib", "gib", "k", "byte", "bytes", "cpu"];

/// The piece that an answer begins with, if any, and of how many tokens it is made.
fn first(tokens: &[Token]) -> (Option<Piece>, usize) {
    use Token::{Number, Percent, Word};
    match tokens {
        [Number(_), Percent, ..] => (None, 2),
        [Number(_), Word(unit), ..] if SIZES.contains(&unit.as_str()) => (None, 2),
        [Number(count), Word(word), ..] if unit(word).is_some() => (time(*count, word), 2),
        [Number(number), ..] => (Some(Piece::Number(*number)), 1),
        [Percent, ..] | [] => (None, 1),
        [Word(half), Word(a), Word(word), ..] if half == "half" && a == "a" && unit(word).is_some() => {
            (time(0.5, word), 3)
        }
        [Word(at), Word(once), ..] if at == "at" && once == "once" => (Some(Piece::Time(Duration::ZERO)), 2),
        [Word(no), Word(time), ..] if no == "no" && time == "time" => (Some(Piece::Time(Duration::ZERO)), 2),
        [Word(count), Word(word), ..] if few(count).is_some() && unit(word).is_some() => {
            (few(count).and_then(|count| time(count, word)), 2)
        }
        [Word(kill), Word(signal), ..] if event(kill) == Some("kill") && signal.parse::<Signal>().is_ok() => {
            (killed_by(signal), 2)
        }
        [Word(die), Number(code), ..] if event(die) == Some("die") => {
            (Some(Piece::Event("die", Some(code.to_string()))), 2)
        }
        // What is denied cannot be held against what was.
        [Word(not), Word(denied), ..]
            if NEGATIONS.contains(&not.as_str()) && (event(denied).is_some() || state(denied).is_some()) =>
        {
            (None, 2)
        }
        [Word(word), ..] => (alone(word), 1),
    }
}

/// What a word means by itself.
fn alone(word: &str) -> Option<Piece> {
    let number = NUMBERS.iter().find(|(name, _)| *name == word).map(|(_, number)| Piece::Number(*number));
    let is_in = |words: &[&str]| words.contains(&word);
    number
        .or_else(|| is_in(&AT_ONCE).then_some(Piece::Time(Duration::ZERO)))
        .or_else(|| is_in(&YES).then_some(Piece::Yes))
        .or_else(|| is_in(&NO).then_some(Piece::No))
        .or_else(|| event(word).map(|action| Piece::Event(action, None)))
        .or_else(|| word.starts_with("sig").then(|| killed_by(word))?)
        .or_else(|| state(word).map(Piece::State))
}

fn killed_by(signal: &str) -> Option<Piece> {
    let signal: Signal = signal.parse().ok()?;
    Some(Piece::Event("kill", Some(signal.to_string())))
}

fn event(word: &str) -> Option<&'static str> {
    let base = match word {
        "dies" | "died" => "die",
        "kills" | "killed" => "kill",
        _ => word,
    };
    EVENTS.into_iter().find(|event| *event == base)
}

fn state(word: &str) -> Option<State> {
    match word {
        "gone" | "removed" => Some(State::Absent),
        "frozen" => Some(State::Paused),
        _ => State::ALL
            .into_iter()
            .find(|state| state.word() == word)
            .or_else(|| State::ALL.into_iter().find(|state| state.docker() == word)),
    }
}

/// How many, where a unit follows.
fn few(word: &str) -> Option<f64> {
    match word {
        "a" | "an" | "one" => Some(1.0),
        "half" => Some(0.5),
        _ => NUMBERS.iter().find(|(name, _)| *name == word).map(|(_, number)| *number),
    }
}

fn time(count: f64, word: &str) -> Option<Piece> {
    let seconds = count * unit(word)?;
    Duration::try_from_secs_f64(seconds).ok().map(Piece::Time)
}

/// How many seconds a unit of time has.
fn unit(word: &str) -> Option<f64> {
    match word {
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1.0),
        "ms" | "msec" | "millisecond" | "milliseconds" => Some(0.001),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60.0),
        // In Korean, particles follow without a space.
        _ if word.starts_with('초') => Some(1.0),
        _ if word.starts_with("밀리초") => Some(0.001),
        _ if word.starts_with('분') => Some(60.0),
        _ => None,
    }
}

/// Words and numbers; of `128 + 9`, the sum.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut adds = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let is_word = |c: char| c.is_alphabetic() || matches!(c, '_' | '\'');
        let length = |is: &dyn Fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let taken = if c.is_ascii_digit() {
            let taken = length(&is_number);
            let number = rest[..taken].trim_end_matches('.').parse().unwrap_or(f64::NAN);
            match tokens.last_mut() {
                Some(Token::Number(sum)) if adds => *sum += number,
                _ => tokens.push(Token::Number(number)),
            }
            taken
        } else if c.is_alphabetic() {
            let taken = length(&is_word);
            tokens.push(Token::Word(rest[..taken].to_owned()));
            taken
        } else {
            if c == '%' {
                tokens.push(Token::Percent);
            }
            c.len_utf8()
        };
        adds = c == '+' || (adds && c.is_whitespace());
        rest = &rest[taken..];
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: f64) -> Piece {
        Piece::Time(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn a_time_may_be_spelled_in_many_ways() {
        for text in ["10s", "10 s", "ten seconds", "10 sec.", "about 10 Seconds!", "10초쯤", "10.0s"] {
            assert_eq!(pieces(text), [secs(10.0)], "{text}");
        }
        for (text, seconds) in [
            ("a second", 1.0),
            ("half a minute", 30.0),
            ("250ms", 0.25),
            ("at once", 0.0),
            ("No time.", 0.0),
            ("즉시", 0.0),
        ] {
            assert_eq!(pieces(text), [secs(seconds)], "{text}");
        }
    }

    #[test]
    fn a_number_is_one_without_a_unit() {
        assert_eq!(pieces("137"), [Piece::Number(137.0)]);
        assert_eq!(pieces("128 + 9"), [Piece::Number(137.0)]);
        assert_eq!(pieces("exit code: 0."), [Piece::Number(0.0)]);
        assert_eq!(pieces("10s and 137"), [secs(10.0), Piece::Number(137.0)]);
        for text in ["50 %", "20 MiB", "half a CPU", "all of it", "", "...", "१"] {
            assert_eq!(pieces(text), [], "{text}");
        }
    }

    #[test]
    fn events_may_carry_their_detail() {
        let event = |action, detail: Option<&str>| Piece::Event(action, detail.map(str::to_owned));
        assert_eq!(
            pieces("kill SIGTERM, die 0, stop"),
            [event("kill", Some("SIGTERM")), event("die", Some("0")), event("stop", None)]
        );
        assert_eq!(pieces("SIGKILL"), [event("kill", Some("SIGKILL"))]);
        assert_eq!(pieces("it dies"), [event("die", None)]);
        assert_eq!(pieces("no stop"), []);
    }

    #[test]
    fn states_are_known_by_our_words_and_dockers() {
        assert_eq!(pieces("exited"), [Piece::State(State::Stopped)]);
        assert_eq!(pieces("It is gone"), [Piece::State(State::Absent)]);
        assert_eq!(pieces("not running"), []);
        assert_eq!(pieces("Yes, it is frozen"), [Piece::Yes, Piece::State(State::Paused)]);
        assert_eq!(pieces("it can't"), [Piece::No]);
    }
}
