//! `terrarium restart`: stop and start in one request.

use clap::Args;

use super::super::Globals;
use super::each::ask_each;
use super::stop::Grace;
use crate::model::Verb;

/// Stop containers and start them again
#[derive(Args)]
pub(in super::super) struct Restart {
    #[command(flatten)]
    grace: Grace,

    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Restart {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        ask_each(globals, &self.containers, &Verb::Restart { timeout: self.grace.timeout })
    }
}
