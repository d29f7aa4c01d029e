//! Durations, sizes, shares of a CPU, signals and names, in the words in which people write them.

use std::{str::FromStr, time::Duration};

use bytesize::ByteSize;
use serde::{Serializer, de::SeqAccess};

use super::{
    shape::{Shape, read_list},
    words::WordError,
};
use crate::engine::planted::Break;
use crate::model::{Name, Signal, State, StopTimeout};

/// A thousand years, so that no clock that adds up what a scenario says ever comes to its end.
const LONGEST: Duration = Duration::from_secs(1000 * 31_557_600);

/// `250ms`, `10s`, `1m30s`.
pub(super) struct Span;

impl Shape<Duration> for Span {
    const EXPECTED: &'static str = "a duration like `10s`, `250ms` or `1m30s`";

    fn word(text: &str) -> Result<Duration, WordError> {
        if text.parse::<f64>().is_ok() {
            return Err(WordError::NoUnit { text: text.into(), example: format!("`{text}s` for seconds") });
        }
        match humantime::parse_duration(text) {
            Ok(time) if time > LONGEST => Err(WordError::TooLong { text: text.into() }),
            Ok(time) => Ok(time),
            Err(_) => Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED }),
        }
    }

    fn write<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&span(*value))
    }
}

/// A duration or `never`.
pub(super) struct Grace;

impl Shape<StopTimeout> for Grace {
    const EXPECTED: &'static str = "a duration like `10s`, or `never`";

    fn word(text: &str) -> Result<StopTimeout, WordError> {
        if text == "never" { Ok(StopTimeout::Never) } else { Span::word(text).map(StopTimeout::After) }
    }

    fn write<S: Serializer>(value: &StopTimeout, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            StopTimeout::After(grace) => Span::write(grace, serializer),
            StopTimeout::Never => serializer.serialize_str("never"),
        }
    }
}

/// `64MiB`, `1GB`.
pub(super) struct Size;

impl Shape<u64> for Size {
    const EXPECTED: &'static str = "a size like `64MiB` or `1GB`";

    fn word(text: &str) -> Result<u64, WordError> {
        if text.parse::<f64>().is_ok() {
            return Err(WordError::NoUnit {
                text: text.into(),
                example: format!("`{text}MiB` or `{text}B`"),
            });
        }
        // Docker's `64m` is 64 MiB and elsewhere 64 MB: who writes it must say which.
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim();
        if matches!(unit.to_ascii_lowercase().as_str(), "k" | "m" | "g" | "t" | "p" | "e") {
            let number = text.trim_end_matches(char::is_alphabetic).trim();
            let unit = unit.to_ascii_uppercase();
            let example = format!("`{number}{unit}iB` (of 1024) or `{number}{unit}B` (of 1000)");
            return Err(WordError::NoUnit { text: text.into(), example });
        }
        ByteSize::from_str(text)
            .map(|size| size.as_u64())
            .map_err(|_| WordError::Expected { text: text.into(), expected: Self::EXPECTED })
    }

    fn write<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&size(*value))
    }
}

/// `0.5`: CPUs, held in thousandths.
pub(super) struct Cpus;

impl Shape<u32> for Cpus {
    const EXPECTED: &'static str = "a number of CPUs like `0.5`";

    fn word(text: &str) -> Result<u32, WordError> {
        let wrong = || WordError::Expected { text: text.into(), expected: Self::EXPECTED };
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        if part.len() > 3 || !part.chars().all(|c| c.is_ascii_digit()) {
            return Err(wrong());
        }
        let whole: u32 = if whole.is_empty() { Ok(0) } else { whole.parse() }.map_err(|_| wrong())?;
        let part: u32 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
        let thousandths = whole.checked_mul(1000).and_then(|n| n.checked_add(part));
        thousandths.filter(|n| *n > 0).ok_or_else(wrong)
    }

    fn write<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(*value) / 1000.0)
    }
}

/// `50%` of one CPU.
pub(super) struct Percent;

impl Shape<u32> for Percent {
    const EXPECTED: &'static str = "a share of one CPU like `50%`";

    fn word(text: &str) -> Result<u32, WordError> {
        if text.parse::<f64>().is_ok() {
            return Err(WordError::NoUnit { text: text.into(), example: format!("`{text}%`") });
        }
        text.strip_suffix('%')
            .and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| WordError::Expected { text: text.into(), expected: Self::EXPECTED })
    }

    fn write<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{value}%"))
    }
}

/// `SIGTERM` or `TERM`.
pub(super) struct SignalWord;

impl Shape<Signal> for SignalWord {
    const EXPECTED: &'static str = "a signal like `SIGTERM`";

    fn word(text: &str) -> Result<Signal, WordError> {
        text.parse().map_err(|_| WordError::unknown("signal", text, &signal_words(text)))
    }

    fn write<S: Serializer>(value: &Signal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&signal_name(*value))
    }
}

/// A container's state, as far as one can wait for it: `creating` is over before a step ends.
pub(super) struct StateWord;

impl Shape<State> for StateWord {
    const EXPECTED: &'static str = "a state like `running`";

    fn word(text: &str) -> Result<State, WordError> {
        let states = || State::ALL.into_iter().filter(|state| *state != State::Creating);
        let words: Vec<_> = states().map(State::word).collect();
        if let Some(state) = states().find(|state| state.word() == text) {
            return Ok(state);
        }
        Err(match states().find(|state| state.docker() == text) {
            Some(state) => WordError::Dockers { text: text.into(), ours: state.word() },
            None => WordError::unknown("state", text, &words),
        })
    }

    fn write<S: Serializer>(value: &State, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }
}

/// The name of a planted bug.
pub(super) struct BreakWord;

impl Shape<Break> for BreakWord {
    const EXPECTED: &'static str = "the name of a bug to plant, like `no-sigkill`";

    fn word(text: &str) -> Result<Break, WordError> {
        let names: Vec<_> = Break::ALL.iter().map(|bug| bug.name()).collect();
        text.parse().map_err(|_| WordError::unknown("bug", text, &names))
    }

    fn write<S: Serializer>(value: &Break, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.name())
    }
}

/// A port inside a container.
pub(super) struct Port;

impl Shape<u16> for Port {
    const EXPECTED: &'static str = "a port from 1 to 65535";

    fn word(text: &str) -> Result<u16, WordError> {
        text.parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| WordError::Expected { text: text.into(), expected: Self::EXPECTED })
    }

    fn write<S: Serializer>(value: &u16, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(*value)
    }
}

/// A container's name.
pub(super) struct NameWord;

impl Shape<Name> for NameWord {
    const EXPECTED: &'static str = "a container's name";

    fn word(text: &str) -> Result<Name, WordError> {
        Ok(Name::new(text)?)
    }

    fn write<S: Serializer>(value: &Name, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }
}

/// One name or a list of them.
pub(super) struct Names;

impl Shape<Vec<Name>> for Names {
    const EXPECTED: &'static str = "a container's name or a list of names";

    fn word(text: &str) -> Result<Vec<Name>, WordError> {
        NameWord::word(text).map(|name| vec![name])
    }

    fn list<'de, A: SeqAccess<'de>>(items: A) -> Result<Vec<Name>, A::Error> {
        at_least_one(read_list::<NameWord, _, A>(items)?)
    }

    fn write<S: Serializer>(value: &Vec<Name>, serializer: S) -> Result<S::Ok, S::Error> {
        match value.as_slice() {
            [name] => serializer.collect_str(name),
            names => serializer.collect_seq(names),
        }
    }
}

/// One image reference or a list of them.
pub(super) struct References;

impl Shape<Vec<String>> for References {
    const EXPECTED: &'static str = "an image reference or a list of them";

    fn word(text: &str) -> Result<Vec<String>, WordError> {
        Reference::word(text).map(|reference| vec![reference])
    }

    fn list<'de, A: SeqAccess<'de>>(items: A) -> Result<Vec<String>, A::Error> {
        at_least_one(read_list::<Reference, _, A>(items)?)
    }

    fn write<S: Serializer>(value: &Vec<String>, serializer: S) -> Result<S::Ok, S::Error> {
        match value.as_slice() {
            [reference] => serializer.serialize_str(reference),
            references => serializer.collect_seq(references),
        }
    }
}

/// The name of an image. Whether it is a good one is the engine's to say.
pub(super) struct Reference;

impl Shape<String> for Reference {
    const EXPECTED: &'static str = "an image reference like `lab` or `localhost:5000/web:1`";

    fn word(text: &str) -> Result<String, WordError> {
        if text.is_empty() || text.contains(char::is_whitespace) {
            return Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED });
        }
        Ok(text.to_owned())
    }

    fn write<S: Serializer>(value: &String, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value)
    }
}

/// A command: a list of words, or one text that is split at its spaces.
pub(super) struct CommandLine;

impl Shape<Vec<String>> for CommandLine {
    const EXPECTED: &'static str = "a command: a list like `[sleep, 5s]`, or words without quotes";

    fn word(text: &str) -> Result<Vec<String>, WordError> {
        if text.contains(['"', '\'', '\\']) {
            return Err(WordError::Expected { text: text.into(), expected: Self::EXPECTED });
        }
        Ok(text.split_whitespace().map(str::to_owned).collect())
    }

    fn list<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Vec<String>, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = items.next_element()? {
            words.push(word);
        }
        Ok(words)
    }

    fn write<S: Serializer>(value: &Vec<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(value)
    }
}

/// A signal's name; its number where the name cannot be read back (the two that the C library keeps to itself).
pub(super) fn signal_name(signal: Signal) -> String {
    let name = signal.to_string();
    if name.parse() == Ok(signal) { name } else { signal.number().to_string() }
}

/// The names of all signals that have one, with `SIG` if the one who mistook one wrote it.
pub(super) fn signal_words(mistaken: &str) -> Vec<String> {
    let bare = !mistaken.to_ascii_uppercase().starts_with("SI");
    let name = |signal: Signal| {
        let name = signal.to_string();
        name.strip_prefix("SIG").filter(|_| bare).unwrap_or(&name).to_owned()
    };
    (1..=31).filter_map(Signal::from_number).map(name).collect()
}

/// `1m30s`.
fn span(duration: Duration) -> String {
    humantime::format_duration(duration).to_string().replace(' ', "")
}

/// In the largest unit that says it without a fraction.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 8] = [
        ("TiB", 1 << 40),
        ("TB", 1_000_000_000_000),
        ("GiB", 1 << 30),
        ("GB", 1_000_000_000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("KB", 1_000),
    ];
    UNITS
        .iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .map_or_else(|| format!("{bytes}B"), |(word, unit)| format!("{}{word}", bytes / unit))
}

fn at_least_one<T, E: serde::de::Error>(list: Vec<T>) -> Result<Vec<T>, E> {
    if list.is_empty() { Err(E::invalid_length(0, &"at least one name")) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_no_duration() {
        let error = Span::word("10").unwrap_err().to_string();
        assert_eq!(error, "`10` has no unit: write `10s` for seconds");
    }

    #[test]
    fn durations_read_back() {
        for text in ["250ms", "10s", "1m30s", "0s", "1h", "1ns"] {
            assert_eq!(span(Span::word(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes_read_back_in_their_own_units() {
        for text in ["64MiB", "1GB", "20MiB", "1500B", "0B", "18446744073709551615B"] {
            assert_eq!(size(Size::word(text).unwrap()), text);
        }
        assert_eq!(Size::word("1.5KiB").unwrap(), 1536);
    }

    #[test]
    fn one_letter_is_no_unit_of_size() {
        let error = Size::word("64m").unwrap_err().to_string();
        assert_eq!(error, "`64m` has no unit: write `64MiB` (of 1024) or `64MB` (of 1000)");
    }

    #[test]
    fn cpus_are_counted_in_thousandths() {
        for (text, thousandths) in [("0.5", 500), ("2", 2000), (".25", 250), ("1.005", 1005)] {
            assert_eq!(Cpus::word(text).unwrap(), thousandths);
        }
        for text in ["0", "-1", "50%", "0.0001", "", "+1.+5", "1e3", "99999999"] {
            assert!(Cpus::word(text).is_err(), "{text} was read");
        }
    }
}
