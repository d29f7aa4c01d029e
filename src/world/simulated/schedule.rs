//! All that is to come, in the order in which it falls due.

use std::collections::BTreeMap;
use std::time::Duration;

/// When an entry is due, and which of those due at the same time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(Duration, Turn, u64);

/// Who comes first of those that are due at the same time: a process needs a moment to get its CPU, the engine's timer none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    Timer,
    Process,
}

/// Entries ordered by when they are due, then by whose turn it is, then by when they were added.
#[derive(Clone, Debug)]
pub(super) struct Schedule<T> {
    entries: BTreeMap<Key, T>,
    added: u64,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), added: 0 }
    }
}

impl<T> Schedule<T> {
    pub(super) fn add(&mut self, due: Duration, turn: Turn, entry: T) -> Key {
        let key = Key(due, turn, self.added);
        self.added += 1;
        self.entries.insert(key, entry);
        key
    }

    pub(super) fn cancel(&mut self, key: Key) {
        self.entries.remove(&key);
    }

    /// The first entry, if it is due by then.
    pub(super) fn take_due(&mut self, by: Duration) -> Option<(Duration, T)> {
        let first = self.entries.first_entry()?;
        if first.key().0 > by {
            return None;
        }
        let (Key(due, ..), entry) = first.remove_entry();
        Some((due, entry))
    }
}
