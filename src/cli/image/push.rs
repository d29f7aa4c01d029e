//! `terrarium push`: an image to a registry.

use clap::Args;

use super::super::written;
use super::transfer::{PUSHING, Shown};
use super::{Done, Store};
use crate::image::Reference;
use crate::image::registry::{Keyring, push};

/// Send an image to a registry
#[derive(Args)]
#[command(after_help = "\
Example:
  terrarium tag app localhost:5000/app && terrarium push localhost:5000/app")]
pub(in crate::cli) struct Push {
    /// Its name, which says where it goes
    #[arg(value_name = "NAME[:TAG]")]
    image: String,

    /// Say its name and nothing else
    #[arg(short, long)]
    quiet: bool,
}

impl Push {
    pub(super) fn perform(&self, store: &Store) -> Done {
        let reference = self.image.parse::<Reference>()?.or_latest();
        let image = store.find(&reference.to_string())?;
        if !self.quiet {
            eprintln!("The push refers to repository [{}/{}]", reference.registry(), reference.repository());
        }
        let pushed = push(&image, &reference, store, &Keyring::usual(), &Shown::new(self.quiet, PUSHING))?;
        let told = if self.quiet {
            format!("{reference}\n")
        } else {
            format!("{}: digest: {} size: {}\n", reference.wanted(), pushed.digest, pushed.size)
        };
        Ok(written("what was pushed", &told))
    }
}
