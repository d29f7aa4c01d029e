//! `terrarium pull`: an image from a registry.

use clap::Args;

use super::super::written;
use super::transfer::{PULLING, Shown};
use super::{Done, Store, tell_of};
use crate::image::Reference;
use crate::image::registry::{Keyring, Pulled, pull};

/// Fetch an image from a registry
#[derive(Args)]
#[command(after_help = "\
Examples:
  terrarium pull nginx                   docker.io/library/nginx:latest
  terrarium pull localhost:5000/app:1    a registry on this machine, without TLS")]
pub(in crate::cli) struct Pull {
    /// Its name
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    image: String,

    /// Say its name and nothing else
    #[arg(short, long)]
    quiet: bool,
}

impl Pull {
    pub(super) fn perform(&self, store: &Store) -> Done {
        let reference: Reference = self.image.parse()?;
        if !self.quiet && reference.tag().is_none() && reference.digest().is_none() {
            eprintln!("Using default tag: latest");
        }
        let reference = reference.or_latest();
        if !self.quiet {
            eprintln!("{}: Pulling from {}", reference.wanted(), reference.repository());
        }
        let pulled = fetch(&reference, store, self.quiet)?;
        let mut told = String::new();
        if !self.quiet {
            let status =
                if pulled.was_here { "Image is up to date for" } else { "Downloaded newer image for" };
            told = format!("Digest: {}\nStatus: {status} {}\n", pulled.digest, reference.familiar());
        }
        told.extend([reference.to_string().as_str(), "\n"]);
        Ok(written("what was pulled", &told))
    }
}

/// Fetches an image, for whoever needs it.
pub(in crate::cli) fn fetch(reference: &Reference, store: &Store, quiet: bool) -> anyhow::Result<Pulled> {
    let pulled = pull(reference, store, &Keyring::usual(), &Shown::new(quiet, PULLING))?;
    tell_of(&pulled.tally);
    Ok(pulled)
}
