//! A digest: the name that bytes have by what they are, `sha256:` and 64 hexadecimal digits.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// What some bytes are called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a digest: write sha256: and 64 hexadecimal digits")]
pub struct InvalidDigest(String);

const PREFIX: &str = "sha256:";
const DIGITS: usize = 64;
/// How much of a digest people are shown.
const SHORT: usize = 12;

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.take(bytes);
        hasher.digest()
    }

    /// From its digits alone.
    pub fn from_hex(digits: &str) -> Result<Self, InvalidDigest> {
        format!("{PREFIX}{digits}").parse()
    }

    /// Its digits alone.
    pub fn hex(&self) -> &str {
        &self.0[PREFIX.len()..]
    }

    /// Enough of its digits for people.
    pub fn short(&self) -> &str {
        &self.hex()[..SHORT]
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let digits = text.strip_prefix(PREFIX).unwrap_or_default();
        let valid =
            digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if valid { Ok(Self(text.into())) } else { Err(InvalidDigest(text.into())) }
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Finds the digest of bytes that come one after the other.
#[derive(Clone, Debug, Default)]
pub struct Hasher {
    state: Sha256,
    bytes: u64,
}

impl Hasher {
    /// Some more bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// How many there were.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What they are called.
    pub fn digest(&self) -> Digest {
        let mut text = PREFIX.to_owned();
        for byte in self.state.clone().finalize() {
            let _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        }
        Digest(text)
    }
}

/// A stream whose bytes are digested as they pass.
#[derive(Debug)]
pub struct Digesting<S> {
    stream: S,
    hasher: Hasher,
}

impl<S> Digesting<S> {
    /// Begins with nothing.
    pub fn new(stream: S) -> Self {
        Self { stream, hasher: Hasher::default() }
    }

    /// What has passed so far.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// The stream, and what has passed.
    pub fn into_parts(self) -> (S, Hasher) {
        (self.stream, self.hasher)
    }
}

impl<S: Read> Read for Digesting<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.hasher.take(&buffer[..count]);
        Ok(count)
    }
}

impl<S: Write> Write for Digesting<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(bytes)?;
        self.hasher.take(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_name_that_everybody_gives_them() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").as_str(), empty);
        let mut passing = Digesting::new(&b"abc"[..]);
        io::copy(&mut passing, &mut io::sink()).unwrap();
        assert_eq!(passing.hasher().digest(), Digest::of(b"abc"));
        assert_eq!(passing.hasher().bytes(), 3);
    }

    #[test]
    fn what_is_no_digest_is_named() {
        for text in
            ["", "sha256:", "sha256:XYZ", "md5:0", &"a".repeat(64), &format!("sha256:{}", "A".repeat(64))]
        {
            assert!(text.parse::<Digest>().unwrap_err().to_string().contains(text));
        }
    }
}
