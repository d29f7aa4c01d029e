//! `terrarium history`: a life so far.

use clap::{Args, ValueEnum};

use super::super::container::estate;
use super::super::{Globals, written};
use super::trouble::{Trouble, status_of};
use crate::engine::journal::{Clock as _, HostClock};
use crate::report::docker::container::Portrait;
use crate::report::{Why, life};

/// Tell a container's life so far
///
/// Every command, transition and event, with its time. What has been removed
/// can still be told of by its id, or by its last name if nobody else has it.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct History {
    /// By name, id, or the beginning of an id
    container: String,

    /// Print the rule behind each transition, with its source
    #[arg(long)]
    why: bool,

    /// How to print it
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One object a line
    Json,
}

impl History {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.text(globals) {
            Ok(text) => written("the history", &text),
            Err(trouble) => status_of(Err(trouble)),
        }
    }

    fn text(&self, globals: &Globals) -> Result<String, Trouble> {
        let resident = estate(globals)?.recall(&self.container)?;
        let account = &resident.account;
        Ok(match self.format {
            Format::Json => account.tale.iter().map(|tale| life::json(tale).to_string() + "\n").collect(),
            Format::Text => {
                let (status, now) = (account.status(), HostClock::new().now());
                let spec = account.spec.as_deref().cloned().unwrap_or_default();
                let portrait =
                    Portrait { id: resident.id.as_str(), account, status: &status, spec: &spec, now: &now };
                life::history(&portrait, globals.paint, if self.why { Why::Told } else { Why::Untold })
            }
        })
    }
}
