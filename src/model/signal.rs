//! Signals by number and by name, as Linux on x86-64 and arm64 has them.

use alloc::string::String;
use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A signal that can be sent: 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signal(u8);

/// Why a text is no signal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
#[error("invalid signal: {0}")]
pub struct InvalidSignal(pub String);

const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// The first real-time signal that the C library leaves to programs; it keeps 32 and 33 to itself.
const RTMIN: u8 = 34;
const RTMAX: u8 = 64;

/// What a signal does to a process that has no handler for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// The process dies (with or without a core dump).
    Terminate,
    /// Nothing.
    Ignore,
    /// The process stops until SIGCONT.
    Stop,
    /// A stopped process goes on.
    Continue,
}

impl Signal {
    /// Asks a process to end.
    pub const TERM: Self = Self(15);
    /// Ends a process; cannot be caught, blocked or ignored.
    pub const KILL: Self = Self(9);
    /// Stops a process; cannot be caught, blocked or ignored.
    pub const STOP: Self = Self(19);
    /// Lets a stopped process go on.
    pub const CONT: Self = Self(18);

    /// The signal with this number, if there is one.
    pub fn from_number(number: i32) -> Option<Self> {
        u8::try_from(number).ok().filter(|n| (1..=RTMAX).contains(n)).map(Self)
    }

    /// The number that kill(2) takes.
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    /// The exit code that a container shows whose process this signal ended: 128 + n.
    pub const fn exit_code(self) -> i32 {
        128 + self.0 as i32
    }

    /// What the kernel does for a process without a handler, see signal(7).
    pub fn default_action(self) -> DefaultAction {
        match NAMES.get(usize::from(self.0) - 1).copied() {
            Some("CHLD" | "URG" | "WINCH") => DefaultAction::Ignore,
            Some("STOP" | "TSTP" | "TTIN" | "TTOU") => DefaultAction::Stop,
            Some("CONT") => DefaultAction::Continue,
            _ => DefaultAction::Terminate,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(usize::from(self.0) - 1) {
            Some(name) => write!(f, "SIG{name}"),
            None if self.0 >= RTMIN => write!(f, "SIGRTMIN+{}", self.0 - RTMIN),
            None => write!(f, "SIG{}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Signal {
    type Err = InvalidSignal;

    /// `SIGTERM`, `TERM`, `term`, `15`, `RTMIN+1`.
    fn from_str(text: &str) -> Result<Self, InvalidSignal> {
        let invalid = || InvalidSignal(text.into());
        if let Ok(number) = text.parse::<i32>() {
            return Self::from_number(number).ok_or_else(invalid);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some(index) = NAMES.iter().position(|known| *known == name) {
            return Self::from_number(i32::try_from(index + 1).unwrap_or(0)).ok_or_else(invalid);
        }
        let offset = match name.strip_prefix("RTMIN") {
            Some("") => 0,
            Some(rest) => rest.strip_prefix('+').and_then(|n| n.parse().ok()).ok_or_else(invalid)?,
            None => return Err(invalid()),
        };
        i32::from(RTMIN).checked_add(offset).and_then(Self::from_number).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names_and_numbers_mean_the_same_signal() {
        for text in ["SIGTERM", "TERM", "term", "15"] {
            assert_eq!(text.parse(), Ok(Signal::TERM));
        }
        assert_eq!("RTMIN+1".parse::<Signal>().map(Signal::number), Ok(35));
        assert_eq!("SIGSYS".parse::<Signal>().map(Signal::number), Ok(31));
    }

    #[test]
    fn what_is_no_signal_is_named() {
        for text in ["NOSUCH", "0", "65", "-1", "", "SIG", "RTMIN+x", "RTMIN+2147483647"] {
            let error = text.parse::<Signal>().unwrap_err();
            assert_eq!(error.to_string(), alloc::format!("invalid signal: {text}"));
        }
    }

    #[test]
    fn without_a_handler_the_kernel_does_what_the_manual_says() {
        let ending = ["HUP", "INT", "QUIT", "KILL", "USR1", "SEGV", "PIPE", "TERM", "SYS", "RTMIN"];
        let told = [
            (DefaultAction::Terminate, ending.as_slice()),
            (DefaultAction::Ignore, &["CHLD", "URG", "WINCH"]),
            (DefaultAction::Stop, &["STOP", "TSTP", "TTIN", "TTOU"]),
            (DefaultAction::Continue, &["CONT"]),
        ];
        for (action, names) in told {
            for name in names {
                assert_eq!(name.parse().map(Signal::default_action), Ok(action), "{name}");
            }
        }
    }

    #[test]
    fn every_signal_reads_back_from_its_name() {
        for signal in (1..=64).filter_map(Signal::from_number) {
            if ![32, 33].contains(&signal.number()) {
                assert_eq!(signal.to_string().parse(), Ok(signal));
            }
        }
    }
}
