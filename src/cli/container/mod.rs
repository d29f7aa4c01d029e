//! Verbs that change a container's life: each a small file, with Docker's flags.

mod attach;
mod commit;
mod create;
mod each;
mod exec;
mod hose;
mod kill;
mod pause;
mod prune;
mod quantity;
mod rename;
mod restart;
mod rm;
mod run;
mod session;
mod start;
mod stop;
mod unpause;
mod update;
mod wait;
mod wishes;

use clap::Subcommand;

use super::Globals;
use crate::keeper::{CallError, Estate, look_after};
use crate::model::{InvalidName, Name};

/// What can be asked of a container.
#[derive(Subcommand)]
pub(super) enum ContainerVerb {
    Create(Box<create::Create>),
    Run(Box<run::Run>),
    Start(start::Start),
    Stop(stop::Stop),
    Restart(restart::Restart),
    Kill(kill::Kill),
    Pause(pause::Pause),
    Unpause(unpause::Unpause),
    Rm(rm::Rm),
    Wait(wait::Wait),
    Attach(attach::Attach),
    Exec(exec::Exec),
    Rename(rename::Rename),
    Update(update::Update),
    Prune(prune::Prune),
    Commit(commit::Commit),
}

impl ContainerVerb {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self {
            Self::Create(create) => create.perform(globals),
            Self::Run(run) => run.perform(globals),
            Self::Start(start) => start.perform(globals),
            Self::Stop(stop) => stop.perform(globals),
            Self::Restart(restart) => restart.perform(globals),
            Self::Kill(kill) => kill.perform(globals),
            Self::Pause(pause) => pause.perform(globals),
            Self::Unpause(unpause) => unpause.perform(globals),
            Self::Rm(rm) => rm.perform(globals),
            Self::Wait(wait) => wait.perform(globals),
            Self::Attach(attach) => attach.perform(globals),
            Self::Exec(exec) => exec.perform(globals),
            Self::Rename(rename) => rename.perform(globals),
            Self::Update(update) => update.perform(globals),
            Self::Prune(prune) => prune.perform(globals),
            Self::Commit(commit) => commit.perform(globals),
        }
    }
}

impl ContainerVerb {
    /// Whether what it says of a container makes sense together; if not, why.
    pub(super) fn understand(&self) -> Result<(), String> {
        let wishes = match self {
            Self::Create(create) => create.wishes(),
            Self::Run(run) => run.wishes(),
            _ => return Ok(()),
        };
        wishes.spec().map(drop).map_err(|error| error.to_string())
    }
}

/// This user's containers, with nobody left alone whose keeper was killed.
pub(super) fn estate(globals: &Globals) -> Result<Estate, CallError> {
    let estate = Estate::open(globals.root.as_deref())?;
    look_after(&estate)?;
    Ok(estate)
}

/// A container's name as somebody types it: also with the slash before it that `inspect` shows.
fn name(text: &str) -> Result<Name, InvalidName> {
    Name::new(text.strip_prefix('/').unwrap_or(text)).or_else(|_| Name::new(text))
}
