//! The built-in image as one of the store: to build upon it, and to carry it elsewhere.

use std::fs;
use std::path::PathBuf;

use super::Store;
use crate::image::build::pack;
use crate::image::config::ImageConfig;
use crate::image::layer::{pack_differences, remove_tree};
use crate::image::manifest::{CONFIG, Descriptor, MANIFEST, Manifest};
use crate::lab;
use crate::model::LAB_IMAGE;

/// Makes it from the running program, and keeps it under its name.
pub(in crate::cli) fn keep(store: &Store) -> anyhow::Result<()> {
    let _adding = store.add()?;
    let scratch = Scratch(store.new_place());
    fs::create_dir(&scratch.0)?;
    lab::image::assemble(&scratch.0)?;
    let made = pack(store, |stream| pack_differences(&scratch.0, stream))?;
    let mut config = ImageConfig::scratch();
    config.rootfs.diff_ids = vec![made.diff_id];
    config.config.cmd = Some(vec![LAB_IMAGE.into()]);
    config.config.env = vec!["PATH=/bin".into()];
    let config = store.keep(&serde_json::to_vec(&config)?)?;
    let config = Descriptor::new(CONFIG, config.digest, config.size);
    let manifest = store.keep(&serde_json::to_vec(&Manifest::new(config, vec![made.descriptor]))?)?;
    store.set_name(
        &LAB_IMAGE.parse::<crate::image::Reference>()?.or_latest(),
        &Descriptor::new(MANIFEST, manifest.digest, manifest.size),
    )?;
    Ok(())
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = remove_tree(&self.0);
    }
}
