//! `terrarium start`: lets containers run.

use clap::Args;

use super::super::{Globals, WRONG_WORDS, complain};
use super::attach::manner;
use super::each::ask_each;
use super::estate;
use super::run::{Seat, status};
use super::session::{self, SessionError};
use crate::keeper::control::Which;
use crate::keeper::{Call, CallError, look};
use crate::model::Verb;

/// Start containers
#[derive(Args)]
pub(in super::super) struct Start {
    /// Sit at it: show its output, and leave with its exit code
    #[arg(short, long)]
    attach: bool,

    /// Sit at it, and let it read what is typed here
    #[arg(short, long)]
    interactive: bool,

    #[command(flatten)]
    seat: Seat,

    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Start {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        if !self.attach && !self.interactive {
            return ask_each(globals, &self.containers, &Verb::Start);
        }
        let [container] = self.containers.as_slice() else {
            complain(&"cannot sit at several containers at once (start them without -a and -i)");
            return WRONG_WORDS;
        };
        self.attached(globals, container).unwrap_or_else(|error| {
            complain(&error);
            u8::try_from(error.code()).unwrap_or(u8::MAX)
        })
    }

    fn attached(&self, globals: &Globals, container: &str) -> Result<u8, SessionError> {
        let estate = estate(globals)?;
        let id = estate.find(container).map_err(CallError::from)?;
        let mut manner = manner(look(&estate, &id)?, container, &self.seat)?;
        manner.streams.stdin &= self.interactive;
        manner.check()?;
        let mut call = Call::to(&estate, &id)?;
        session::attach(&mut call, Which::Next, &mut manner, Some(&Verb::Start)).map(status)
    }
}
