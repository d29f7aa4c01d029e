//! Asking a container for something that the model decides.
//!
//! A container that has no keeper needs none to say no: what changes nothing is answered from its journal.

use super::call::{Call, CallError};
use super::control::{Answer, Request};
use super::{ContainerId, Estate, EstateError, look};
use crate::engine::journal::{self, Account};
use crate::model::{Command, Effect, Ticket, Verb};

/// A question that has been asked.
#[derive(Debug)]
pub enum Asked {
    /// It is answered already.
    Answered(Answer),
    /// Its keeper is about to answer.
    Awaited(Call),
}

/// Asks; the answer is taken by [`Asked::answer`].
pub fn ask(estate: &Estate, id: &ContainerId, verb: &Verb) -> Result<Asked, CallError> {
    if !journal::is_kept(&estate.journal(id)) {
        let gone = || EstateError::NoSuchContainer(id.short().into());
        let account = look(estate, id)?.ok_or_else(gone)?;
        if let Some(answer) = from_journal(&account, verb) {
            return Ok(Asked::Answered(answer));
        }
    }
    let mut call = Call::to(estate, id)?;
    call.send(&Request::Ask(verb.clone()), &[])?;
    Ok(Asked::Awaited(call))
}

impl Asked {
    /// Waits for the answer.
    pub fn answer(self) -> Result<Answer, CallError> {
        match self {
            Self::Answered(answer) => Ok(answer),
            Self::Awaited(mut call) => call.answer(),
        }
    }
}

/// The answer to what changes nothing; none if it would change something, or somebody has to wait.
fn from_journal(account: &Account, verb: &Verb) -> Option<Answer> {
    if account.host.needs_keeper() {
        return None;
    }
    let command = Command { container: account.name.clone()?, verb: verb.clone() };
    let mut host = account.host.clone();
    match host.command(Ticket(u64::MAX), &command) {
        Err(refusal) => Some(Answer::Refused(refusal.to_string())),
        Ok(effects) => match effects.0.as_slice() {
            [Effect::Reply(_, outcome)] if host == account.host => Some(Answer::of(outcome, None)),
            _ => None,
        },
    }
}
