//! What a command and a keeper say to each other: a length, then JSON, and descriptors along with the first byte.
//!
//! A connection carries one request after the other. Whoever attaches hands in one end of a stream of its own, and whoever
//! runs a command inside hands in its standard streams: so this connection never carries output.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{ContainerSpec, ExecSpec, Failure, Name, Outcome, Resources, Verb};
use crate::runtime::receive;

/// What a command asks of a keeper.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Make the container; only ever asked of a new keeper.
    Create(Name, Box<ContainerSpec>),
    /// Whatever else the model decides.
    Ask(Verb),
    /// Run a command inside. Comes with three descriptors, unless it has a terminal or is detached.
    Exec(ExecSpec),
    /// Show what it writes, and let it read what is typed. Comes with the pipes for its output and its errors, and with the one
    /// that is typed into, if there is one.
    Attach(Attach),
    /// The terminal at the other end of an attachment has another size now.
    Resize(Size),
    /// Say what it costs at this moment.
    Measure,
}

/// How somebody attaches.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Attach {
    /// To which run.
    pub to: Which,
    /// The size of the terminal at the other end.
    pub size: Option<Size>,
}

/// Which of its runs somebody attaches to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Which {
    /// The one under way: there has to be one.
    Present,
    /// The one that is about to begin, if none is under way.
    Next,
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// From top to bottom.
    pub rows: u16,
    /// From left to right.
    pub columns: u16,
}

/// What a keeper says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// It listens: from here on it does not leave before it has answered.
    Welcome,
    /// What came of a request.
    Answered(Answer),
    /// It is attached.
    Attached,
    /// The run that somebody was attached to has ended with this code.
    Ended(i32),
    /// It is attached no more: it has not taken what the container wrote for too long.
    Lagged,
    /// The terminal of the command inside comes along; its end is answered later.
    Terminal,
    /// What it costs.
    Measured(Resources),
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done; PID 1 of the container, if it has one.
    Done(Option<i32>),
    /// What was waited for has ended with this code.
    Exited(i32),
    /// There was nothing to do.
    Noop,
    /// It was not begun: the whole sentence.
    Refused(String),
    /// It was begun and went wrong.
    Failed(Failure),
}

impl Answer {
    /// As the model has it.
    pub fn of(outcome: &Outcome, pid: Option<i32>) -> Self {
        match outcome {
            Outcome::Done => Self::Done(pid),
            Outcome::Exited(code) => Self::Exited(*code),
            Outcome::Noop => Self::Noop,
            Outcome::Refused(refusal) => Self::Refused(refusal.to_string()),
            Outcome::Failed(failure) => Self::Failed(failure.clone()),
        }
    }
}

/// Why the two do not understand each other.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The connection.
    #[error("cannot talk to the container's keeper: {0} (has it just ended? ask again)")]
    Connection(#[from] io::Error),
    /// What was said. Another version of terrarium may have started the keeper.
    #[error(
        "the container's keeper speaks another language: {0} (was it started by another version of terrarium?)"
    )]
    Language(#[from] serde_json::Error),
    /// It has left.
    #[error("the container's keeper has left without an answer (ask again)")]
    Gone,
}

/// No request is longer.
const LONGEST: usize = 16 << 20;

/// Says something, all of it. Whoever only looks gives up on one who does not listen.
pub fn say(
    socket: BorrowedFd<'_>,
    words: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
    patience: Patience,
) -> Result<(), ControlError> {
    let flags = MsgFlags::MSG_NOSIGNAL | patience.flags();
    let body = serde_json::to_vec(words)?;
    let length = u32::try_from(body.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut message = length.to_le_bytes().to_vec();
    message.extend(body);
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let mut along: &[ControlMessage<'_>] = if numbers.is_empty() { &[] } else { &rights };
    let mut rest = message.as_slice();
    while !rest.is_empty() {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(rest)], along, flags, None) {
            Ok(sent) => {
                rest = &rest[sent..];
                along = &[];
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
    }
    Ok(())
}

/// What has come in of what the other one says.
#[derive(Debug, Default)]
pub struct Hearing {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

/// What there is to hear.
#[derive(Debug)]
pub enum Heard<T> {
    /// Not all of it yet.
    Nothing,
    /// This, and what came along.
    Words(T, Vec<OwnedFd>),
    /// No more, ever.
    Closed,
}

/// Whether to wait for the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as it takes.
    Waits,
    /// What cannot be said or heard at once is not.
    Looks,
}

impl Patience {
    fn flags(self) -> MsgFlags {
        match self {
            Self::Waits => MsgFlags::empty(),
            Self::Looks => MsgFlags::MSG_DONTWAIT,
        }
    }
}

impl Hearing {
    /// Takes in what the other one says.
    pub fn hear<T: DeserializeOwned>(
        &mut self,
        socket: BorrowedFd<'_>,
        patience: Patience,
    ) -> Result<Heard<T>, ControlError> {
        loop {
            if let Some(words) = self.complete()? {
                return Ok(Heard::Words(
                    serde_json::from_slice(&words)?,
                    std::mem::take(&mut self.descriptors),
                ));
            }
            let mut piece = [0; 4096];
            match receive(socket, &mut piece, MsgFlags::MSG_CMSG_CLOEXEC | patience.flags()) {
                Ok((0, _)) | Err(Errno::ECONNRESET) => return Ok(Heard::Closed),
                Ok((length, descriptors)) => {
                    self.bytes.extend_from_slice(&piece[..length]);
                    self.descriptors.extend(descriptors);
                }
                Err(Errno::EAGAIN) => return Ok(Heard::Nothing),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
        }
    }

    fn complete(&mut self) -> Result<Option<Vec<u8>>, ControlError> {
        let Some((length, _)) = self.bytes.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > LONGEST {
            return Err(io::Error::from(io::ErrorKind::InvalidData).into());
        }
        if self.bytes.len() < 4 + length {
            return Ok(None);
        }
        let rest = self.bytes.split_off(4 + length);
        let words = std::mem::replace(&mut self.bytes, rest).split_off(4);
        Ok(Some(words))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_request_arrives_in_pieces_with_its_descriptors() {
        let (here, there) = UnixStream::pair().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        let request = Request::Exec(ExecSpec::of(&["x".repeat(10_000)]));
        let sender = std::thread::spawn(move || {
            say(here.as_fd(), &request, &[null.as_fd(), null.as_fd()], Patience::Waits).unwrap();
            say(here.as_fd(), &Request::Ask(Verb::Start), &[], Patience::Waits).unwrap();
        });
        let mut hearing = Hearing::default();
        match hearing.hear::<Request>(there.as_fd(), Patience::Waits).unwrap() {
            Heard::Words(Request::Exec(spec), descriptors) => {
                assert_eq!((spec.command[0].len(), descriptors.len()), (10_000, 2));
            }
            other => panic!("{other:?}"),
        }
        let next = hearing.hear::<Request>(there.as_fd(), Patience::Waits).unwrap();
        assert!(
            matches!(next, Heard::Words(Request::Ask(Verb::Start), descriptors) if descriptors.is_empty())
        );
        sender.join().unwrap();
        assert!(matches!(hearing.hear::<Request>(there.as_fd(), Patience::Waits).unwrap(), Heard::Closed));
    }

    #[test]
    fn a_length_without_end_is_refused() {
        let (here, there) = UnixStream::pair().unwrap();
        std::io::Write::write_all(&mut &here, &[0xff; 8]).unwrap();
        assert!(Hearing::default().hear::<Request>(there.as_fd(), Patience::Looks).is_err());
    }
}
