//! The grammar of a life's events, written down: which event may follow which.
//!
//! ```text
//! life    = create { up | remark | stop } destroy
//! up      = start { restart } { moving | still } die { stop }
//! moving  = kill | oom | exec | health | remark
//! still   = pause { kill | remark } unpause        the processes may also die where they stand: then no unpause is told
//! remark  = rename | update | commit
//! ```
//!
//! A `stop` outside a run ends a back-off. Whether a `stop`, a `restart` or a `kill` was asked for is another rule's question.

use crate::model::EventKind;

/// Where the events of a life have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// Nothing has been told yet, or all is over.
    #[default]
    Nothing,
    /// It is there, without a process.
    Down,
    /// Its process runs.
    Up,
    /// Its processes stand still.
    Still,
    /// Something was told that cannot follow what was told before.
    Broken,
}

impl Word {
    /// Where it comes to by one more event.
    #[must_use]
    pub const fn after(self, kind: EventKind) -> Self {
        match (self, kind) {
            (Self::Nothing, EventKind::Create)
            | (Self::Up | Self::Still, EventKind::Die(_))
            | (
                Self::Down,
                EventKind::Stop
                | EventKind::Rename
                | EventKind::Update
                | EventKind::Commit
                | EventKind::ExecDie(_),
            ) => Self::Down,
            (Self::Down, EventKind::Start)
            | (Self::Still, EventKind::Unpause)
            | (
                Self::Up,
                EventKind::Restart
                | EventKind::Kill(_)
                | EventKind::Oom
                | EventKind::Rename
                | EventKind::Update
                | EventKind::Commit
                | EventKind::ExecCreate
                | EventKind::ExecStart
                | EventKind::ExecDie(_)
                | EventKind::HealthStatus(_),
            ) => Self::Up,
            (Self::Up, EventKind::Pause)
            | (
                Self::Still,
                EventKind::Kill(_)
                | EventKind::Oom
                | EventKind::Rename
                | EventKind::Update
                | EventKind::Commit
                | EventKind::ExecDie(_),
            ) => Self::Still,
            (Self::Down, EventKind::Destroy) => Self::Nothing,
            _ => Self::Broken,
        }
    }

    /// What it means, for who has to read it.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Nothing => "no container was there",
            Self::Down => "it had no process",
            Self::Up => "its process ran",
            Self::Still => "its processes stood still",
            Self::Broken => "its events had lost their order already",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Signal;

    fn told(kinds: &[EventKind]) -> Word {
        kinds.iter().fold(Word::Nothing, |word, kind| word.after(*kind))
    }

    #[test]
    fn a_kill_of_a_paused_container_has_its_die_without_an_unpause() {
        use EventKind::{Create, Destroy, Die, Kill, Pause, Start};
        let life = [Create, Start, Pause, Kill(Signal::KILL), Die(137), Destroy];
        assert_eq!(told(&life), Word::Nothing);
    }

    #[test]
    fn every_die_has_its_start() {
        use EventKind::{Create, Die, Start};
        assert_eq!(told(&[Create, Die(0)]), Word::Broken);
        assert_eq!(told(&[Create, Start, Die(0), Die(0)]), Word::Broken);
    }

    #[test]
    fn what_runs_is_not_started_and_what_stands_still_is_not_paused() {
        use EventKind::{Create, Pause, Start};
        assert_eq!(told(&[Create, Start, Start]), Word::Broken);
        assert_eq!(told(&[Create, Start, Pause, Pause]), Word::Broken);
    }
}
