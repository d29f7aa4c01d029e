//! How often the kernel has killed in a cgroup for want of memory, and word of it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// The counter, and what becomes readable when it may have changed.
#[derive(Debug)]
pub(super) struct OomKills {
    counter: File,
    word: Word,
}

/// How one is told.
#[derive(Debug)]
enum Word {
    /// `memory.events` has urgent data. It is always readable too, so it is looked at through an epoll of its own, which is
    /// readable only then.
    Urgent(Epoll),
    /// The kernel writes to it just before it kills.
    Written(EventFd),
}

impl OomKills {
    /// Of a cgroup in the unified hierarchy.
    pub(super) fn of_v2(directory: &Path) -> io::Result<Self> {
        let counter = File::open(directory.join("memory.events"))?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&counter, EpollEvent::new(EpollFlags::EPOLLPRI, 0))?;
        let kills = Self { counter, word: Word::Urgent(epoll) };
        // What has been read once is urgent only when it changes.
        kills.count();
        Ok(kills)
    }

    /// Of a cgroup in v1's memory hierarchy.
    pub(super) fn of_v1(directory: &Path) -> io::Result<Self> {
        let counter = File::open(directory.join("memory.oom_control"))?;
        let word = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let register = format!("{} {}", word.as_raw_fd(), counter.as_raw_fd());
        std::fs::write(directory.join("cgroup.event_control"), register)?;
        Ok(Self { counter, word: Word::Written(word) })
    }

    /// The number so far. Asking is also what makes the descriptor quiet again.
    pub(super) fn count(&self) -> u64 {
        if let Word::Written(word) = &self.word {
            // Before the counter is read, so that no later kill goes unheard. Nothing to read is fine.
            let _ = word.read();
        }
        let mut text = [0; 512];
        let length = self.counter.read_at(&mut text, 0).unwrap_or(0);
        parse(&String::from_utf8_lossy(text.get(..length).unwrap_or_default()))
    }

    pub(super) fn event_fd(&self) -> BorrowedFd<'_> {
        match &self.word {
            Word::Urgent(epoll) => epoll.0.as_fd(),
            Word::Written(word) => word.as_fd(),
        }
    }
}

fn parse(text: &str) -> u64 {
    let number = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_found_in_both_files() {
        assert_eq!(parse("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"), 2);
        assert_eq!(parse("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n"), 7);
        assert_eq!(parse("oom_kill_disable 1\nunder_oom 0\n"), 0);
    }
}
