//! `terrarium record`: a life so far, as a scenario.

use clap::Args;

use super::super::container::estate;
use super::super::{Globals, written};
use super::trouble::{Trouble, status_of};
use crate::scenario;

/// Print a container's life as a scenario that replays
///
/// What was asked becomes steps; what its process did by itself becomes its
/// behaviour; how things stood is expected. Of those who have been removed, the
/// latest can still be recorded.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  terrarium record web > web.yaml
  terrarium replay --engine sim web.yaml"
)]
pub(in crate::cli) struct Record {
    /// By name, id, or the beginning of an id
    container: String,
}

impl Record {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.text(globals) {
            Ok(text) => written("the scenario", &text),
            Err(trouble) => status_of(Err(trouble)),
        }
    }

    fn text(&self, globals: &Globals) -> Result<String, Trouble> {
        let resident = estate(globals)?.recall(&self.container)?;
        let scenario = scenario::record(&resident.account).map_err(Trouble::world)?;
        Ok(scenario.to_yaml())
    }
}
