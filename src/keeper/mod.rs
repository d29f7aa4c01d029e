//! The process that stays with a container when the command that made it has gone.
//!
//! There is no daemon. Each container that lives has one keeper: the parent of its init, the owner of its timers, the writer of its
//! journal and of its log. A command talks to it by a socket ([`Call`]); whoever only wants to read, reads the journal ([`look`]).
//! A container that has no process and waits for nothing has no keeper either: the next command that needs one starts it.
//!
//! In reading order: `id`, `estate` (where everything lies), `control` (what is said), `call` (how a command reaches a keeper),
//! `serve` (the keeper's loop) with `notebook` (the journal), `dwelling` (files and names), `streams` and `log` (input and
//! output), `door`; and `wake`, which looks after those whose keeper is gone.

mod call;
mod census;
pub mod control;
mod door;
mod dwelling;
mod estate;
mod fault;
mod id;
mod layers;
pub mod log;
mod names;
mod notebook;
pub mod porter;
mod question;
mod serve;
mod streams;
pub mod terminal;
mod vigil;
mod wake;

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{dup2_stdin, setsid};

pub use call::{Call, CallError, KEEPER};
pub use census::{Census, Resident};
pub use estate::{Estate, EstateError};
pub use id::ContainerId;
pub use layers::{Difference, Layers, LayersError, Size};
pub use names::free_name;
pub use question::{Asked, ask};
pub use vigil::{Part, Vigil};
pub use wake::{abandoned, look, look_after, look_at_all};

use self::call::Task;
use self::control::{Answer, ControlError, Heard, Hearing, Patience, Reply, Request, say};
use self::serve::{Beginning, Keeper, KeeperError};
use crate::model::{Failure, Name};
use crate::runtime::close_from;

/// Whether a process that was started under this name is a keeper.
pub fn is_keeper(argv0: &std::ffi::OsStr) -> bool {
    argv0 == KEEPER
}

/// The life of a keeper; its first conversation is on standard input.
pub fn main(words: impl Iterator<Item = OsString>) -> ExitCode {
    let _ = close_from(3);
    let mut words = words.skip(1);
    let mut word = || words.next().unwrap_or_default();
    let (task, id, data, run) = (word(), word(), word(), word());
    let (Some(id), Ok(asking)) = (id.to_str().and_then(ContainerId::parse), first_conversation()) else {
        return ExitCode::FAILURE;
    };
    let _ = setsid();
    open_as_many_files_as_we_may();
    let _ = nix::sys::prctl::set_name(c"terrarium-keepe");
    let estate = Estate::at(data.into(), run.into());
    let lived =
        if task == Task::Create.word() { create(estate, id, asking) } else { resume(estate, id, asking) };
    if lived.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Each client of a published port takes two.
fn open_as_many_files_as_we_may() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// Nothing is left of whoever started it, this conversation excepted.
fn first_conversation() -> std::io::Result<UnixStream> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    dup2_stdin(std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?)?;
    Ok(socket.into())
}

fn create(estate: Estate, id: ContainerId, asking: UnixStream) -> Result<(), KeeperError> {
    let heard = Hearing::default().hear(asking.as_fd(), Patience::Waits)?;
    let Heard::Words(Request::Create(name, spec), _) = heard else { return Err(ControlError::Gone.into()) };
    let excuse = asking.try_clone()?;
    match Keeper::create(estate, id, name, spec, asking) {
        Ok(keeper) => {
            drop(excuse);
            keeper.serve()
        }
        Err(error) => excuse_oneself(&excuse, error),
    }
}

fn resume(estate: Estate, id: ContainerId, asking: UnixStream) -> Result<(), KeeperError> {
    match Keeper::resume(estate, id) {
        Ok(Beginning::Kept(mut keeper)) => {
            keeper.connect(asking);
            keeper.serve()
        }
        Ok(Beginning::Anothers | Beginning::Gone) => Ok(()),
        Err(error) => excuse_oneself(&asking, error),
    }
}

/// Says why there is no keeper.
fn excuse_oneself(asking: &UnixStream, error: KeeperError) -> Result<(), KeeperError> {
    let answer = match &error {
        KeeperError::Unlivable(unlivable) => Answer::Refused(unlivable.to_string()),
        other => Answer::Failed(Failure { code: None, message: other.to_string() }),
    };
    let _ = say(asking.as_fd(), &Reply::Answered(answer), &[], Patience::Looks);
    Err(error)
}

/// Makes sure that nobody has a name who is only believed to be there.
pub fn settle_owner(estate: &Estate, name: &Name) -> Result<(), CallError> {
    wake::settle_owner(estate, name.as_str())
}
