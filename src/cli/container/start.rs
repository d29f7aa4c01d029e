//! `terrarium start`: lets containers run.

use clap::Args;

use super::super::Globals;
use super::each::ask_each;
use crate::model::Verb;

/// Start containers
#[derive(Args)]
pub(in super::super) struct Start {
    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Start {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        ask_each(globals, &self.containers, &Verb::Start)
    }
}
