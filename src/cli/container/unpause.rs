//! `terrarium unpause`: lets frozen containers go on.

use clap::Args;

use super::super::Globals;
use super::each::ask_each;
use crate::model::Verb;

/// Thaw all processes of containers
#[derive(Args)]
pub(in super::super) struct Unpause {
    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Unpause {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        ask_each(globals, &self.containers, &Verb::Unpause)
    }
}
