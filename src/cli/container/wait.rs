//! `terrarium wait`: waits for the next death of containers, and prints their exit codes.

use clap::Args;

use super::super::Globals;
use super::each::tell_each;
use crate::keeper::control::Answer;
use crate::model::Verb;

/// Wait until containers have ended, and print their exit codes
#[derive(Args)]
pub(in super::super) struct Wait {
    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Wait {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        tell_each(globals, &self.containers, &Verb::Wait, |_, answer| match answer {
            Answer::Exited(code) => format!("{code}\n"),
            _ => String::new(),
        })
    }
}
