//! How much an archive may make us do. A few kilobytes, packed, can say that there are terabytes of zeros.

/// The most that one layer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files, directories, links.
    pub entries: u64,
    /// Bytes in all files together.
    pub bytes: u64,
    /// Bytes that describe an entry: its names, its attributes.
    pub description: u64,
}

impl Default for Limits {
    /// Some five times what the largest images in use have.
    fn default() -> Self {
        Self { entries: 1_000_000, bytes: 64 << 30, description: 2 << 20 }
    }
}
