//! What is due when: the event loop sleeps until the first of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::guest::Guest;
use crate::model::{Id, Timer};

/// Something to be done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The model's timer runs out.
    Timer(Timer),
    /// Whoever is on the way into it should be there.
    Arrival(Guest),
    /// A freezer that notifies nobody is to be asked.
    AskFreezer,
    /// Somebody may have been killed for want of memory.
    AskMemory,
}

/// At most one of each kind for each container.
#[derive(Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Duration, Id, Due)>,
    by_kind: BTreeMap<(Id, Due), Duration>,
}

impl Timers {
    pub(super) fn arm(&mut self, id: Id, due: Due, at: Duration) {
        self.cancel(id, due);
        self.by_time.insert((at, id, due));
        self.by_kind.insert((id, due), at);
    }

    pub(super) fn cancel(&mut self, id: Id, due: Due) {
        if let Some(at) = self.by_kind.remove(&(id, due)) {
            self.by_time.remove(&(at, id, due));
        }
    }

    pub(super) fn forget(&mut self, id: Id) {
        self.by_time.retain(|(_, of, _)| *of != id);
        self.by_kind.retain(|(of, _), _| *of != id);
    }

    pub(super) fn forget_all_but(&mut self, id: Id, due: Due) {
        let at = self.by_kind.get(&(id, due)).copied();
        self.forget(id);
        if let Some(at) = at {
            self.arm(id, due, at);
        }
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.by_time.first().map(|(at, ..)| *at)
    }

    pub(super) fn take_due(&mut self, now: Duration) -> Option<(Id, Due)> {
        if self.next()? > now {
            return None;
        }
        let (_, id, due) = self.by_time.pop_first()?;
        self.by_kind.remove(&(id, due));
        Some((id, due))
    }
}
