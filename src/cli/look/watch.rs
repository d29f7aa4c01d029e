//! `terrarium watch`: a container's life, as it is lived.

use std::io::{self, Write as _};

use clap::Args;

use super::super::Globals;
use super::super::container::estate;
use super::events::{FOREVER, cannot_wait, unheard};
use super::trouble::{Trouble, status_of};
use crate::engine::journal::{Clock as _, HostClock};
use crate::keeper::{Resident, Vigil};
use crate::report::docker::container::Portrait;
use crate::report::life;

/// Watch a container live
///
/// Every command, transition and event, as it comes, until the container is gone
/// or you have seen enough (Ctrl-C; the container does not mind).
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Watch {
    /// By name, id, or the beginning of an id
    container: String,
}

impl Watch {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        status_of(self.follow(globals))
    }

    fn follow(&self, globals: &Globals) -> Result<(), Trouble> {
        let estate = estate(globals)?;
        let id = estate.resident(&self.container)?.id;
        let mut vigil = Vigil::over(&estate, &id).map_err(|error| cannot_wait(&error))?;
        let Resident { account, .. } = estate.resident(id.as_str())?;
        let (status, now) = (account.status(), HostClock::new().now());
        let spec = account.spec.as_deref().cloned().unwrap_or_default();
        let portrait =
            Portrait { id: id.as_str(), account: &account, status: &status, spec: &spec, now: &now };
        let mut out = io::stdout().lock();
        out.write_all(life::beginning(&portrait, globals.paint).as_bytes())
            .map_err(|error| unheard(&error))?;
        let mut seen = account.forgotten + account.tale.len() as u64;
        loop {
            out.flush().map_err(|error| unheard(&error))?;
            vigil.changes(FOREVER).map_err(|error| cannot_wait(&error))?;
            let Some(account) = estate.told_of(&id) else { return Ok(()) };
            for (nth, tale) in (account.forgotten..).zip(&account.tale) {
                if nth >= seen {
                    out.write_all(life::line(tale, globals.paint).as_bytes())
                        .map_err(|error| unheard(&error))?;
                    seen = nth + 1;
                }
            }
            if account.is_gone() {
                return out.flush().map_err(|error| unheard(&error));
            }
        }
    }
}
