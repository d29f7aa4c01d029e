//! `terrarium rm`: takes containers apart.

use clap::Args;

use super::super::{BAD, GOOD, Globals, complain};
use super::each::ask_each;
use super::estate;
use crate::keeper::EstateError;
use crate::model::{Removal, Verb};

/// Remove containers
#[derive(Args)]
pub(in super::super) struct Rm {
    /// Kill them first, if they have a process
    #[arg(short, long)]
    force: bool,

    /// Remove the unnamed volumes that came with them, too
    #[arg(short, long)]
    volumes: bool,

    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Rm {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        if !self.force {
            return ask_each(globals, &self.containers, &Verb::Remove(Removal::Gentle));
        }
        let (status, there) = self.those_that_are_there(globals);
        status.max(ask_each(globals, &there, &Verb::Remove(Removal::Forced)))
    }

    /// By force, it is enough that somebody is not there.
    fn those_that_are_there(&self, globals: &Globals) -> (u8, Vec<String>) {
        let estate = match estate(globals) {
            Ok(estate) => estate,
            Err(error) => {
                complain(&error);
                return (BAD, Vec::new());
            }
        };
        let mut there = Vec::new();
        for word in &self.containers {
            match estate.find(word) {
                Err(absent @ EstateError::NoSuchContainer(_)) => complain(&absent),
                _ => there.push(word.clone()),
            }
        }
        (GOOD, there)
    }
}
