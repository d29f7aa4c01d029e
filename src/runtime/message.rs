//! What a child tells its keeper: three words a message, a few messages at most, then the channel closes.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use thiserror::Error;

use super::steps::StepError;
use super::sys;

/// What has become of a container that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is complete and waits for `start`.
    Parked,
    /// A step failed, and its init has left.
    Failed(StepError),
    /// Its program runs (or ran: it may have ended already).
    Executed,
    /// Its program could not be executed, and its init has left.
    ExecFailed(ExecError),
    /// Its init died before it was started.
    Ended,
}

/// A program that could not be executed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ExecError {
    /// What the kernel said.
    pub errno: Errno,
    /// Docker's code for it: 126 cannot be executed, 127 not there, 128 anything else.
    pub code: u8,
    /// One sentence for people.
    pub message: String,
}

impl ExecError {
    pub(super) fn new(program: &str, errno: Errno) -> Self {
        let why = match errno {
            Errno::ENOENT if program.contains('/') => {
                "no such file or directory (it, or the interpreter that it names, is not in the image)"
            }
            Errno::ENOENT => {
                "executable file not found in $PATH (give its full path, or add it to the image)"
            }
            Errno::EACCES => "permission denied (it has to be a file with execute permission)",
            Errno::ENOEXEC => "exec format error (it is for another machine, or a script without a #! line)",
            _ => "",
        };
        let message = if why.is_empty() {
            format!("cannot execute {program}: {}", errno.desc().to_lowercase())
        } else {
            format!("cannot execute {program}: {why}")
        };
        Self { errno, code: exec_failure_code(errno), message }
    }
}

/// Docker's exit code for an execve that failed. Allocates nothing: the child calls it too.
pub(super) const fn exec_failure_code(errno: Errno) -> u8 {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => 127,
        Errno::EACCES | Errno::EISDIR => 126,
        _ => 128,
    }
}

/// What goes through the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Parked,
    Failed {
        operation: i32,
        errno: Errno,
    },
    ExecFailed {
        errno: Errno,
    },
    /// A process is in the container's pid namespace; its pidfd comes along.
    Joined {
        pid: i32,
    },
    /// A socket is made; it comes along.
    Made,
}

/// What there is to hear at the keeper's end of a channel.
pub(super) enum Heard {
    Nothing,
    Closed,
    Said(Message, Option<OwnedFd>),
}

/// A message on its way: what it is, of which operation, and the error's number.
pub(super) type Words = [[u8; 4]; 3];

impl Message {
    pub(super) fn encode(self) -> Words {
        let words = match self {
            Self::Parked => [1, 0, 0],
            Self::Failed { operation, errno } => [2, operation, errno as i32],
            Self::ExecFailed { errno } => [3, 0, errno as i32],
            Self::Joined { pid } => [4, pid, 0],
            Self::Made => [5, 0, 0],
        };
        words.map(i32::to_ne_bytes)
    }

    pub(super) fn decode(words: Words) -> Option<Self> {
        let [kind, operation, errno] = words.map(i32::from_ne_bytes);
        let errno = Errno::from_raw(errno);
        match kind {
            1 => Some(Self::Parked),
            2 => Some(Self::Failed { operation, errno }),
            3 => Some(Self::ExecFailed { errno }),
            4 => Some(Self::Joined { pid: operation }),
            5 => Some(Self::Made),
            _ => None,
        }
    }
}

/// Takes the next message out of a channel, without waiting.
pub(super) fn hear(channel: BorrowedFd<'_>) -> nix::Result<Heard> {
    let mut words = Words::default();
    let (length, descriptor) = loop {
        let mut space = nix::cmsg_space!(libc::c_int);
        let mut parts = [IoSliceMut::new(words.as_flattened_mut())];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        match recvmsg::<()>(channel.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Ok(message) => {
                let descriptor = message.cmsgs()?.find_map(|control| match control {
                    ControlMessageOwned::ScmRights(numbers) => numbers.first().copied(),
                    _ => None,
                });
                break (message.bytes, descriptor.map(sys::own_descriptor));
            }
            Err(Errno::EAGAIN) => return Ok(Heard::Nothing),
            // The child left before it read our last word. What it had said itself comes next.
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            Err(errno) => return Err(errno),
        }
    };
    Ok(match Message::decode(words) {
        Some(message) if length > 0 => Heard::Said(message, descriptor),
        _ => Heard::Closed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let messages = [
            Message::Parked,
            Message::Failed { operation: 41, errno: Errno::EPERM },
            Message::ExecFailed { errno: Errno::ENOENT },
            Message::Joined { pid: 4711 },
            Message::Made,
        ];
        for message in messages {
            assert_eq!(Message::decode(message.encode()), Some(message));
        }
        assert_eq!(Message::decode([[9; 4]; 3]), None);
    }

    #[test]
    fn a_failed_exec_has_dockers_code() {
        let code = |errno| ExecError::new("/bin/x", errno).code;
        assert_eq!([Errno::ENOENT, Errno::EACCES, Errno::ENOEXEC].map(code), [127, 126, 128]);
    }
}
