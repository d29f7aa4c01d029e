//! How a command reaches a container's keeper: the one that is there, or a new one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::control::{Answer, ControlError, Heard, Hearing, Patience, Reply, Request, say};
use super::{ContainerId, Estate, EstateError, door};
use crate::engine::journal::JournalError;
use crate::model::{ContainerSpec, Name};

/// A conversation with a keeper.
#[derive(Debug)]
pub struct Call {
    socket: UnixStream,
    hearing: Hearing,
}

/// Why a container cannot be asked.
#[derive(Debug, Error)]
pub enum CallError {
    /// There is none, or its files cannot be had.
    #[error(transparent)]
    Estate(#[from] EstateError),
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The conversation broke off.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// No keeper could be started.
    #[error(
        "cannot start the container's keeper: {0} (is /proc mounted, and are there processes left? ulimit -u)"
    )]
    NoKeeper(#[source] io::Error),
    /// The keeper says why it does not keep.
    #[error("{0}")]
    Unkept(String),
    /// The keeper says something else than what it was asked.
    #[error(
        "the container's keeper has answered something else (was it started by another version of terrarium?)"
    )]
    Strange,
    /// It does not listen.
    #[error(
        "the container's keeper does not answer within {PATIENCE:?} (does it hang? look for terrarium-keeper in ps)"
    )]
    Silent,
}

/// The word that makes this program a keeper.
pub const KEEPER: &str = "terrarium-keeper";
/// How long a keeper may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);
/// How soon one asks again who has found a keeper that is just coming or going.
const AGAIN: Duration = Duration::from_millis(5);

impl Call {
    /// Calls a container's keeper; starts one if none lives.
    pub fn to(estate: &Estate, id: &ContainerId) -> Result<Self, CallError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let socket = match door::knock(estate, id) {
                Ok(socket) => socket,
                Err(error) if is_nobody(&error) => {
                    begin(estate, id, Task::Resume).map_err(CallError::NoKeeper)?
                }
                Err(error) => return Err(ControlError::Connection(error).into()),
            };
            let mut call = Self { socket, hearing: Hearing::default() };
            match call.welcome() {
                Ok((Reply::Welcome, _)) => return Ok(call),
                Ok((Reply::Answered(Answer::Refused(why)), _)) => return Err(CallError::Unkept(why)),
                Ok((Reply::Answered(Answer::Failed(failure)), _)) => {
                    return Err(CallError::Unkept(failure.message));
                }
                Ok(_) => return Err(CallError::Strange),
                // It was about to leave, or another one was faster: nothing has been asked yet.
                Err(CallError::Control(ControlError::Gone | ControlError::Connection(_))) => {}
                Err(error) => return Err(error),
            }
            if !estate.directory(id).exists() {
                return Err(EstateError::NoSuchContainer(id.short().into()).into());
            }
            if Instant::now() > until {
                return Err(CallError::Silent);
            }
            std::thread::sleep(AGAIN);
        }
    }

    /// Has a container made by a keeper of its own. Says what came of it.
    pub fn create(
        estate: &Estate,
        name: &Name,
        spec: &ContainerSpec,
    ) -> Result<(ContainerId, Self, Answer), CallError> {
        let id = ContainerId::random().map_err(CallError::NoKeeper)?;
        let socket = begin(estate, &id, Task::Create).map_err(CallError::NoKeeper)?;
        let mut call = Self { socket, hearing: Hearing::default() };
        call.send(&Request::Create(name.clone(), Box::new(spec.clone())), &[])?;
        match call.hear()? {
            (Reply::Welcome, _) => {}
            (Reply::Answered(answer), _) => return Ok((id, call, answer)),
            _ => return Err(CallError::Strange),
        }
        let answer = call.answer()?;
        Ok((id, call, answer))
    }

    /// Asks, and waits for the answer.
    pub fn ask(&mut self, request: &Request, along: &[BorrowedFd<'_>]) -> Result<Answer, CallError> {
        self.send(request, along)?;
        self.answer()
    }

    /// Asks, and goes on.
    pub fn send(&mut self, request: &Request, along: &[BorrowedFd<'_>]) -> Result<(), CallError> {
        Ok(say(self.socket.as_fd(), request, along, Patience::Waits)?)
    }

    /// Waits for an answer.
    pub fn answer(&mut self) -> Result<Answer, CallError> {
        match self.hear()? {
            (Reply::Answered(answer), _) => Ok(answer),
            _ => Err(CallError::Strange),
        }
    }

    /// Waits for whatever the keeper says next.
    pub fn hear(&mut self) -> Result<(Reply, Vec<OwnedFd>), CallError> {
        match self.hearing.hear(self.socket.as_fd(), Patience::Waits)? {
            Heard::Words(reply, along) => Ok((reply, along)),
            Heard::Closed => Err(ControlError::Gone.into()),
            Heard::Nothing => Err(CallError::Silent),
        }
    }

    /// What the keeper has said already.
    pub fn look(&mut self) -> Result<Option<(Reply, Vec<OwnedFd>)>, CallError> {
        match self.hearing.hear(self.socket.as_fd(), Patience::Looks)? {
            Heard::Words(reply, along) => Ok(Some((reply, along))),
            Heard::Closed => Err(ControlError::Gone.into()),
            Heard::Nothing => Ok(None),
        }
    }

    fn welcome(&mut self) -> Result<(Reply, Vec<OwnedFd>), CallError> {
        let timeout = |limit| self.socket.set_read_timeout(limit).map_err(ControlError::Connection);
        timeout(Some(PATIENCE))?;
        let told = self.hear()?;
        self.socket.set_read_timeout(None).map_err(ControlError::Connection)?;
        Ok(told)
    }
}

/// Becomes readable when the keeper has said something.
impl AsFd for Call {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// Starts a keeper, and returns the first connection to it.
fn begin(estate: &Estate, id: &ContainerId, task: Task) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let is_told = |name: &str| name == "PATH" || name.starts_with("TERRARIUM_");
    let told = std::env::vars_os().filter(|(name, _)| is_told(&name.to_string_lossy()));
    Command::new("/proc/self/exe")
        .arg0(KEEPER)
        .arg(task.word())
        .arg(id.as_str())
        .args([estate.data(), estate.run()])
        .env_clear()
        .envs(told)
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(ours)
}

/// What a keeper begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Makes a container.
    Create,
    /// Takes over one that is there.
    Resume,
}

impl Task {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Resume => "keep",
        }
    }
}
