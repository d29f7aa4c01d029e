//! `terrarium restart`: stop and start in one request.

use clap::Args;

use super::super::Globals;
use super::stop::How;
use crate::model::Verb;

/// Stop containers and start them again
#[derive(Args)]
pub(in super::super) struct Restart {
    #[command(flatten)]
    how: How,

    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Restart {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        self.how.ask(globals, &self.containers, |timeout, signal| Verb::Restart { timeout, signal })
    }
}
