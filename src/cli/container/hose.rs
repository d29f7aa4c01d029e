//! Bytes that flow from one descriptor to another, as far as both can; and a look for a sequence of keys among them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::PIPE_BUF;
use nix::poll::PollFlags;
use nix::unistd::{read, write};

/// One direction.
pub(super) struct Hose {
    from: Option<OwnedFd>,
    to: Option<OwnedFd>,
    waiting: Vec<u8>,
}

impl Hose {
    pub(super) fn new(from: impl AsFd, to: impl AsFd) -> io::Result<Self> {
        let copy = |fd: BorrowedFd<'_>| fd.try_clone_to_owned();
        Ok(Self { from: Some(copy(from.as_fd())?), to: Some(copy(to.as_fd())?), waiting: Vec::new() })
    }

    /// What has to be awaited for it to flow on; none once it is dry.
    pub(super) fn awaits(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        if self.waiting.is_empty() {
            Some((self.from.as_ref()?.as_fd(), PollFlags::POLLIN))
        } else {
            Some((self.to.as_ref()?.as_fd(), PollFlags::POLLOUT))
        }
    }

    /// Lets flow what can; `watched` sees what came in.
    pub(super) fn flow(&mut self, watched: &mut impl FnMut(&mut Vec<u8>)) {
        if self.waiting.is_empty() {
            self.take(watched);
        }
        if !self.waiting.is_empty() {
            self.give();
        }
        if self.waiting.is_empty() && self.from.is_none() {
            self.to = None;
        }
    }

    fn take(&mut self, watched: &mut impl FnMut(&mut Vec<u8>)) {
        let Some(from) = &self.from else { return };
        let mut piece = [0; 16 << 10];
        match read(from, &mut piece) {
            Ok(length) if length > 0 => {
                self.waiting.extend_from_slice(&piece[..length]);
                watched(&mut self.waiting);
            }
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Ok(_) | Err(_) => self.from = None,
        }
    }

    /// So much fits into whatever has room at all: it does not wait.
    fn give(&mut self) {
        let Some(to) = &self.to else { return };
        let length = self.waiting.len().min(PIPE_BUF);
        match write(to, &self.waiting[..length]) {
            Ok(given) => drop(self.waiting.drain(..given)),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(_) => {
                // Nobody takes it any more; and who gives it hears so.
                (self.from, self.to) = (None, None);
                self.waiting.clear();
            }
        }
    }
}

/// The keys that leave a container alone with its terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DetachKeys {
    keys: Vec<u8>,
    pressed: usize,
}

impl DetachKeys {
    /// `ctrl-p,ctrl-q`, or single letters.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let key = |word: &str| match word.strip_prefix("ctrl-").map(str::as_bytes) {
            Some([letter @ (b'a'..=b'z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')]) => Some(letter & 0x1f),
            None if word.len() == 1 => word.bytes().next(),
            Some(_) | None => None,
        };
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        let wrong = || "keys are wanted like ctrl-p,ctrl-q".to_owned();
        Ok(Self { keys: keys.ok_or_else(wrong)?, pressed: 0 })
    }

    /// Looks at what was typed. What may be the beginning of the sequence is held back until it is clear that it is not; says
    /// whether all of it was pressed.
    pub(super) fn pressed(&mut self, typed: &mut Vec<u8>) -> bool {
        let mut passed = Vec::with_capacity(typed.len());
        for byte in std::mem::take(typed) {
            if self.keys.get(self.pressed) == Some(&byte) {
                self.pressed += 1;
                if self.pressed == self.keys.len() {
                    *typed = passed;
                    return true;
                }
                continue;
            }
            passed.extend_from_slice(&self.keys[..self.pressed]);
            self.pressed = usize::from(self.keys.first() == Some(&byte));
            if self.pressed == 0 {
                passed.push(byte);
            }
        }
        *typed = passed;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_detach_are_held_back_until_it_is_clear() {
        let mut keys = DetachKeys::read("ctrl-p,ctrl-q").unwrap();
        let mut press = |text: &[u8]| {
            let mut typed = text.to_vec();
            let all = keys.pressed(&mut typed);
            (typed, all)
        };
        assert_eq!(press(b"a\x10"), (b"a".to_vec(), false));
        assert_eq!(press(b"b"), (b"\x10b".to_vec(), false));
        assert_eq!(press(b"\x10\x10"), (b"\x10".to_vec(), false));
        assert_eq!(press(b"\x11rest"), (Vec::new(), true));
        assert!(DetachKeys::read("ctrl-").is_err() && DetachKeys::read("no").is_err());
    }
}
