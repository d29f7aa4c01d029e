//! `terrarium image prune`: images that nothing leads to.

use clap::Args;

use super::super::written;
use super::{Done, Store, confirmed};
use crate::image::store::{Force, StoreError};
use crate::report::docker::words;

/// Remove images that have lost their name; with --all, those that no container uses, and what builds keep
#[derive(Args)]
pub(in crate::cli) struct Prune {
    /// Also those that have a name, if no container uses them
    #[arg(short, long)]
    all: bool,

    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Prune {
    pub(super) fn perform(&self, store: &Store) -> Done {
        let which = if self.all {
            "all images without at least one container associated to them"
        } else {
            "all dangling images"
        };
        if !self.force && !confirmed(&format!("This will remove {which}."))? {
            return Ok(super::super::GOOD);
        }
        let mut told = String::new();
        for (image, names) in store.images()? {
            let going: Vec<String> = match names.as_slice() {
                [] => vec![image.id.to_string()],
                names if self.all => names.iter().map(ToString::to_string).collect(),
                _ => continue,
            };
            for word in going {
                match store.remove(&word, Force::No) {
                    Ok(gone) => told.extend(gone.iter().map(|gone| format!("{gone}\n"))),
                    // What is used stays, and the last name may have taken the others along.
                    Err(StoreError::InUse { .. } | StoreError::NoSuchImage(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if self.all {
            store.forget_cache()?;
        }
        let swept = store.sweep()?;
        let deleted = if told.is_empty() { told } else { format!("Deleted Images:\n{told}\n") };
        let space = words::size(swept.bytes + swept.unpacked);
        Ok(written("what was removed", &format!("{deleted}Total reclaimed space: {space}\n")))
    }
}
