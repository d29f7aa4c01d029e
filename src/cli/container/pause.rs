//! `terrarium pause`: freezes containers where they stand.

use clap::Args;

use super::super::Globals;
use super::each::ask_each;
use crate::model::Verb;

/// Freeze all processes of containers
#[derive(Args)]
pub(in super::super) struct Pause {
    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Pause {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        ask_each(globals, &self.containers, &Verb::Pause)
    }
}
