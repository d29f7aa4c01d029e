//! `terrarium prune`: removes all containers that have no process.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::Args;

use super::super::{BAD, GOOD, Globals, complain};
use super::each::ask_each;
use super::estate;
use crate::keeper::{CallError, look_at_all};
use crate::model::{Removal, State, Verb};

/// Remove all containers that are not running
#[derive(Args)]
pub(in super::super) struct Prune {
    /// Without asking
    #[arg(short, long)]
    force: bool,
}

impl Prune {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        if !self.force && !agreed() {
            return GOOD;
        }
        match stopped(globals) {
            Ok(ids) if ids.is_empty() => GOOD,
            Ok(ids) => ask_each(globals, &ids, &Verb::Remove(Removal::Gentle)),
            Err(error) => {
                complain(&error);
                BAD
            }
        }
    }
}

fn agreed() -> bool {
    if !io::stdin().is_terminal() {
        complain(
            &"nothing is removed: there is nobody to ask here (without asking: terrarium prune --force)",
        );
        return false;
    }
    eprint!("All containers that are not running will be removed. Shall they? [y/N] ");
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}

fn stopped(globals: &Globals) -> Result<Vec<String>, CallError> {
    let all = look_at_all(&estate(globals)?)?;
    let idle = |state| matches!(state, State::Created | State::Stopped | State::Dead);
    Ok(all.into_iter().filter(|(_, of)| idle(of.status().state)).map(|(id, _)| id.to_string()).collect())
}
