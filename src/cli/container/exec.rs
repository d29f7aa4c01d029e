//! `terrarium exec`: one more process in a running container.

use std::path::PathBuf;

use clap::Args;

use super::super::{GOOD, Globals, complain};
use super::estate;
use super::hose::DetachKeys;
use super::run::{ENGINE, status};
use super::session::{self, Manner, SessionError, Signals};
use super::wishes::{WrongWish, environment};
use crate::keeper::control::{Answer, Request};
use crate::keeper::{Call, CallError};
use crate::model::{ExecSpec, Streams};

/// Run a command in a running container
#[derive(Args)]
#[command(
    override_usage = "terrarium exec [OPTIONS] CONTAINER COMMAND [ARG...]",
    after_help = "\
Exit status: the command's own; 125 if terrarium failed, 126 if the command
cannot be executed."
)]
pub(in super::super) struct Exec {
    /// Let it read what is typed here
    #[arg(short, long)]
    interactive: bool,

    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,

    /// Let it run by itself
    #[arg(short, long)]
    detach: bool,

    /// A variable of its environment; without a value, the one of ours
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,

    /// A file with such variables, one a line
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,

    /// Its working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,

    /// Its user, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,

    /// Keys that leave it alone with its terminal
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q", value_parser = DetachKeys::read)]
    detach_keys: DetachKeys,

    /// The container, and the command to run in it
    #[arg(required = true, num_args = 2.., trailing_var_arg = true, value_names = ["CONTAINER", "COMMAND"])]
    words: Vec<String>,
}

/// What came of it before the command could run.
#[derive(Debug, thiserror::Error)]
enum ExecError {
    #[error(transparent)]
    Wish(#[from] WrongWish),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Exec {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        self.exec(globals).unwrap_or_else(|error| {
            complain(&error);
            match error {
                ExecError::Session(error) => u8::try_from(error.code()).unwrap_or(ENGINE),
                ExecError::Wish(_) | ExecError::Call(_) => ENGINE,
            }
        })
    }

    fn exec(&self, globals: &Globals) -> Result<u8, ExecError> {
        let mut manner = Manner {
            streams: Streams { tty: self.tty, stdin: self.interactive },
            signals: Signals::Kept,
            detach_keys: self.detach_keys.clone(),
        };
        if !self.detach {
            manner.check()?;
        }
        let (container, command) =
            self.words.split_first().map_or(("", &[][..]), |(of, command)| (of.as_str(), command));
        let (env, _) = environment(&self.env_file, &self.env)?;
        let spec = ExecSpec {
            command: command.to_vec(),
            env,
            workdir: self.workdir.clone(),
            user: self.user.clone(),
            detach: self.detach,
            tty: self.tty && !self.detach,
            connection: None,
        };
        let estate = estate(globals)?;
        let id = estate.find(container).map_err(CallError::from)?;
        let mut call = Call::to(&estate, &id)?;
        if !self.detach {
            return Ok(status(session::exec(&mut call, spec, &mut manner)?));
        }
        match call.ask(&Request::Exec(spec), &[])? {
            Answer::Refused(why) => Err(SessionError::Refused(why).into()),
            Answer::Failed(failure) => Err(SessionError::Failed(failure).into()),
            Answer::Done(_) | Answer::Noop | Answer::Exited(_) => Ok(GOOD),
        }
    }
}
