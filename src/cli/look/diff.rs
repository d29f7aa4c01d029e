//! `terrarium diff`: what a container has changed in its files.

use clap::Args;

use super::super::container::estate;
use super::super::{Globals, written};
use super::trouble::{Trouble, status_of};
use crate::keeper::{Difference, Resident};

/// List what has changed in a container's files
///
/// A: added, C: changed, D: deleted. What is mounted into it is not counted.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Diff {
    /// By name, id, or the beginning of an id
    container: String,
}

impl Diff {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.text(globals) {
            Ok(text) => written("the differences", &text),
            Err(trouble) => status_of(Err(trouble)),
        }
    }

    fn text(&self, globals: &Globals) -> Result<String, Trouble> {
        let estate = estate(globals)?;
        let Resident { id, account } = estate.resident(&self.container)?;
        let spec = account.spec.as_deref().cloned().unwrap_or_default();
        let layers = estate.layers(&id, &spec)?;
        let differences = layers.differences().map_err(|error| {
            let (container, upper) = (&self.container, layers.upper.display());
            Trouble::world(format_args!("cannot compare the files of {container}: {error} (look at {upper})"))
        })?;
        let letter = |difference| match difference {
            Difference::Added => 'A',
            Difference::Changed => 'C',
            Difference::Deleted => 'D',
        };
        let line = |(difference, path): &(Difference, std::path::PathBuf)| {
            format!("{} {}\n", letter(*difference), path.display())
        };
        Ok(differences.iter().map(line).collect())
    }
}
