//! `terrarium run`: create and start, and sit at it unless it is to run by itself.

use clap::Args;

use super::super::{BAD, Globals, complain, written};
use super::create::{CreateError, create};
use super::estate;
use super::hose::DetachKeys;
use super::session::{self, Ended, Manner, SessionError, Signals};
use super::wishes::Wishes;
use crate::keeper::CallError;
use crate::keeper::control::{Answer, Request, Which};
use crate::model::Verb;

/// Make a container, start it, and sit at it
#[derive(Args)]
#[command(
    disable_help_flag = true,
    override_usage = "terrarium run [OPTIONS] IMAGE [COMMAND [ARG...]]",
    after_help = "\
Examples:
  terrarium run --rm lab echo hello           its output is shown
  terrarium run -d --name web -p 8080:80 lab  it runs by itself
  terrarium run -it --rm IMAGE sh             a shell at your terminal

Exit status: the process's own; 125 if terrarium failed, 126 if the command
cannot be executed, 127 if there is no such command."
)]
pub(in super::super) struct Run {
    /// Let it run by itself, and print its id
    #[arg(short, long)]
    detach: bool,

    #[command(flatten)]
    seat: Seat,

    #[command(flatten)]
    wishes: Wishes,
}

/// How one sits at a process.
#[derive(Args)]
pub(super) struct Seat {
    /// Keys that leave it alone with its terminal
    #[arg(
        long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q", value_parser = DetachKeys::read,
        help_heading = "Sitting at it"
    )]
    pub(super) detach_keys: DetachKeys,

    /// Pass signals on to it, where it has no terminal
    #[arg(
        long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = clap::ArgAction::Set, help_heading = "Sitting at it"
    )]
    pub(super) sig_proxy: bool,
}

impl Seat {
    pub(super) fn signals(&self) -> Signals {
        if self.sig_proxy { Signals::Passed } else { Signals::Kept }
    }
}

/// What a run came to nothing of.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// What went wrong before there was a process.
pub(super) const ENGINE: u8 = 125;

impl Run {
    pub(super) fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.run(globals) {
            Ok(status) => status,
            Err(error) => {
                complain(&error);
                match error {
                    RunError::Session(error) => u8::try_from(error.code()).unwrap_or(ENGINE),
                    RunError::Create(_) | RunError::Call(_) => ENGINE,
                }
            }
        }
    }

    fn run(&self, globals: &Globals) -> Result<u8, RunError> {
        let spec = self.wishes.spec().map_err(CreateError::from)?;
        let mut manner = Manner {
            streams: spec.streams,
            signals: self.seat.signals(),
            detach_keys: self.seat.detach_keys.clone(),
        };
        if !self.detach {
            manner.check()?;
        }
        let estate = estate(globals)?;
        let (id, mut call) = create(&estate, &self.wishes, &spec)?;
        if !self.detach {
            let ended = session::attach(&mut call, Which::Next, &mut manner, Some(&Verb::Start))?;
            return Ok(status(ended));
        }
        let told = written("the id", &format!("{id}\n"));
        match call.ask(&Request::Ask(Verb::Start), &[])? {
            Answer::Refused(why) => Err(SessionError::Refused(why).into()),
            Answer::Failed(failure) => Err(SessionError::Failed(failure).into()),
            Answer::Done(_) | Answer::Noop | Answer::Exited(_) => Ok(told),
        }
    }
}

/// The process's own status; leaving it alone is a good end.
pub(super) fn status(ended: Ended) -> u8 {
    match ended {
        Ended::Process(code) => u8::try_from(code).unwrap_or(BAD),
        Ended::Detached => 0,
    }
}
