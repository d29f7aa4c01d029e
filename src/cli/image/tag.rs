//! `terrarium tag`: one more name.

use clap::Args;

use super::super::GOOD;
use super::{Done, Store};
use crate::image::Reference;

/// Give an image one more name
#[derive(Args)]
#[command(after_help = "\
Example:
  terrarium tag nginx localhost:5000/nginx:mine")]
pub(in crate::cli) struct Tag {
    /// The image, by name or id
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    source: String,

    /// Its new name
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    target: String,
}

impl Tag {
    pub(super) fn perform(&self, store: &Store) -> Done {
        let target: Reference = self.target.parse()?;
        if target.digest().is_some() {
            anyhow::bail!(
                "refusing to create a tag with a digest reference (a digest is what the bytes are; give a tag)"
            );
        }
        store.set_name(&target.or_latest(), &store.find(&self.source)?.descriptor)?;
        Ok(GOOD)
    }
}
