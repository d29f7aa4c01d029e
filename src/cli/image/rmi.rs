//! `terrarium rmi`: names, and with the last one the image.

use clap::Args;

use super::super::{BAD, complain, written};
use super::{Done, Store};
use crate::image::store::Force;

/// Remove images
///
/// An image goes with its last name, if no container uses it. The layers that
/// other images have too stay.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Rmi {
    /// The images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,

    /// Also if a container uses it, or if it has other names (containers keep their layers)
    #[arg(short, long)]
    force: bool,
}

impl Rmi {
    pub(super) fn perform(&self, store: &Store) -> Done {
        let force = if self.force { Force::Yes } else { Force::No };
        let (mut told, mut complaints) = (String::new(), 0);
        for word in &self.images {
            match store.remove(word, force) {
                Ok(gone) => told.extend(gone.iter().map(|gone| format!("{gone}\n"))),
                Err(error) => {
                    complain(&error);
                    complaints += 1;
                }
            }
        }
        if complaints < self.images.len() {
            store.sweep()?;
        }
        let status = written("what was removed", &told);
        Ok(if complaints > 0 { BAD } else { status })
    }
}
