//! `terrarium attach`: sits at a container that runs by itself.

use clap::Args;

use super::super::{BAD, Globals, complain};
use super::estate;
use super::run::{Seat, status};
use super::session::{self, Manner, SessionError};
use crate::keeper::control::Which;
use crate::keeper::{Call, CallError, EstateError, look};

/// Sit at a running container
#[derive(Args)]
pub(in super::super) struct Attach {
    #[command(flatten)]
    seat: Seat,

    /// Type nothing to it
    #[arg(long)]
    no_stdin: bool,

    /// The container, by name or by the beginning of its id
    container: String,
}

impl Attach {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        self.attach(globals).unwrap_or_else(|error| {
            complain(&error);
            BAD
        })
    }

    fn attach(&self, globals: &Globals) -> Result<u8, SessionError> {
        let estate = estate(globals)?;
        let id = estate.find(&self.container).map_err(CallError::from)?;
        let mut manner = manner(look(&estate, &id)?, &self.container, &self.seat)?;
        manner.streams.stdin &= !self.no_stdin;
        manner.check()?;
        let mut call = Call::to(&estate, &id)?;
        session::attach(&mut call, Which::Present, &mut manner, None).map(status)
    }
}

/// As the container was made.
pub(super) fn manner(
    account: Option<crate::engine::journal::Account>,
    word: &str,
    seat: &Seat,
) -> Result<Manner, CallError> {
    let spec = account.and_then(|account| account.spec);
    let spec = spec.ok_or_else(|| EstateError::NoSuchContainer(word.into()))?;
    Ok(Manner { streams: spec.streams, signals: seat.signals(), detach_keys: seat.detach_keys.clone() })
}
