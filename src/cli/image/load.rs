//! `terrarium load`: images out of one file.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use super::super::written;
use super::{Done, Store, tell_of};
use crate::image::archive::load;

/// Load images from an archive that `save`, docker or skopeo has written
#[derive(Args)]
#[command(after_help = "\
Examples:
  terrarium load -i nginx.tar
  docker save nginx | terrarium load")]
pub(in crate::cli) struct Load {
    /// Read from this file, instead of from standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// Say nothing
    #[arg(short, long)]
    quiet: bool,
}

impl Load {
    pub(super) fn perform(&self, store: &Store) -> Done {
        let archive: Box<dyn Read> = match &self.input {
            Some(path) => {
                Box::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?)
            }
            None if io::stdin().is_terminal() => {
                bail!(
                    "requested load from stdin, but stdin is a terminal (say which file: terrarium load -i FILE)"
                )
            }
            None => Box::new(io::stdin().lock()),
        };
        let mut told = String::new();
        for loaded in load(archive, store)? {
            tell_of(&loaded.tally);
            for name in &loaded.names {
                told.extend(["Loaded image: ", &name.familiar(), "\n"]);
            }
            if loaded.names.is_empty() {
                told.extend(["Loaded image ID: ", loaded.id.as_str(), "\n"]);
            }
        }
        Ok(if self.quiet { super::super::GOOD } else { written("what was loaded", &told) })
    }
}
