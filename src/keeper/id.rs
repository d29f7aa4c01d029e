//! The number of a container for people and programs: 64 hexadecimal digits, drawn at random, of which twelve are shown.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read as _};

use serde::{Deserialize, Serialize};

/// Sixty-four hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerId(String);

/// How many digits people are shown.
const SHORT: usize = 12;
const BYTES: usize = 32;

impl ContainerId {
    /// One that nobody has.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let mut text = String::with_capacity(2 * BYTES);
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// Reads all of it; none if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 2 * BYTES && is_hex(text)).then(|| Self(text.into()))
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As much as people are shown.
    pub fn short(&self) -> &str {
        &self.0[..SHORT]
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text may be the beginning of one.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_no_two_are_the_same() {
        let (one, other) = (ContainerId::random().unwrap(), ContainerId::random().unwrap());
        assert_ne!(one, other);
        assert_eq!(ContainerId::parse(one.as_str()), Some(one.clone()));
        assert_eq!(one.short().len(), 12);
        assert_eq!(ContainerId::parse("cafe"), None);
    }
}
