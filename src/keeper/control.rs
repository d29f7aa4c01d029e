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

use crate::model::{ContainerSpec, ExecSpec, Failure, Name, Outcome, Verb};
use crate::runtime::receive;

/// What a command asks of a keeper.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Make the container; only ever asked of a new keeper.
    Create(Name, Box<ContainerSpec>),
    /// Whatever else the model decides.
    Ask(Verb),
    /// Run a command inside. Comes with three descriptors, unless it has a terminal or writes where the container does.
    Exec(ExecSpec),
    /// Show what it writes, on the stream that comes along, and let it read what is typed there.
    Attach {
        /// Whether it may be typed to.
        stdin: bool,
        /// The size of the terminal at the other end: rows and columns.
        size: Option<(u16, u16)>,
    },
}

/// What a keeper says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// What came of it.
    Answered(Answer),
    /// The terminal of the command inside comes along; its end is answered later.
    Terminal,
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

/// Says something, all of it.
pub fn say(
    socket: BorrowedFd<'_>,
    words: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), ControlError> {
    let body = serde_json::to_vec(words)?;
    let length = u32::try_from(body.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut message = length.to_le_bytes().to_vec();
    message.extend(body);
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let mut along: &[ControlMessage<'_>] = if numbers.is_empty() { &[] } else { &rights };
    let mut rest = message.as_slice();
    while !rest.is_empty() {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(rest)], along, MsgFlags::MSG_NOSIGNAL, None) {
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

/// Whether to wait for the rest of what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until all of it is there.
    Waits,
    /// What is not there yet comes another time.
    Looks,
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
            let flags = match patience {
                Patience::Waits => MsgFlags::MSG_CMSG_CLOEXEC,
                Patience::Looks => MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT,
            };
            match receive(socket, &mut piece, flags) {
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
            say(here.as_fd(), &request, &[null.as_fd(), null.as_fd()]).unwrap();
            say(here.as_fd(), &Request::Ask(Verb::Start), &[]).unwrap();
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
