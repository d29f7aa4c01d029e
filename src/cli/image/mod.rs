//! The verbs of images: one file each.

mod load;
mod rmi;
mod save;
mod tag;

use clap::Subcommand;

use super::{BAD, Globals, complain};
use crate::image::layer::Tally;
use crate::image::store::Store;
use crate::keeper::Estate;

/// What can be done with images.
#[derive(Subcommand)]
pub(super) enum ImageVerb {
    Load(load::Load),
    Save(save::Save),
    Tag(tag::Tag),
    Rmi(rmi::Rmi),
}

impl ImageVerb {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        let store = match Estate::images(globals.root.as_deref()) {
            Ok(store) => store,
            Err(error) => return failed(&error.into()),
        };
        let done = match self {
            Self::Load(load) => load.perform(&store),
            Self::Save(save) => save.perform(&store),
            Self::Tag(tag) => tag.perform(&store),
            Self::Rmi(rmi) => rmi.perform(&store),
        };
        done.unwrap_or_else(|error| failed(&error))
    }
}

/// What a verb comes to: its exit status, or why it failed.
type Done = anyhow::Result<u8>;

fn failed(error: &anyhow::Error) -> u8 {
    complain(error);
    BAD
}

/// What unpacking could not keep, said once.
fn tell_of(tally: &Tally) {
    if tally.owners > 0 {
        complain(&format_args!(
            "{} files belong to others than root in the image, and to root here: one id is all that an ordinary user has",
            tally.owners
        ));
    }
    if tally.devices > 0 {
        complain(&format_args!(
            "{} device nodes were left out: a container gets its devices from the runtime",
            tally.devices
        ));
    }
}
