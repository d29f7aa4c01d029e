//! The built-in image as one of the store: to build upon it, and to carry it elsewhere.

use std::fs;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::image::Reference;
use crate::image::build::{BuildError, pack};
use crate::image::config::{History, ImageConfig};
use crate::image::layer::{pack_differences, remove_tree};
use crate::image::manifest::{CONFIG, Descriptor, MANIFEST, Manifest};
use crate::image::store::{Store, StoreError};
use crate::lab::{self, image::ImageError};
use crate::model::LAB_IMAGE;
use crate::world::images::{LAB_MADE_BY, lab_config};

/// Why the store does not have it.
#[derive(Debug, Error)]
pub enum KeepError {
    /// No place for it.
    #[error("cannot make {}: {source} (choose another directory with --root)", path.display())]
    Place {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be put together.
    #[error(transparent)]
    Assembly(#[from] ImageError),
    /// Nor be packed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Nor be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Its name.
pub fn reference() -> Reference {
    LAB_IMAGE.parse::<Reference>().expect("it is a name").or_latest()
}

/// Makes it from the running program, and keeps it under its name.
pub fn keep(store: &Store) -> Result<(), KeepError> {
    let _adding = store.add()?;
    let scratch = Scratch(store.new_place());
    fs::create_dir(&scratch.0).map_err(|source| KeepError::Place { path: scratch.0.clone(), source })?;
    lab::image::assemble(&scratch.0)?;
    let made = pack(store, |stream| pack_differences(&scratch.0, stream))?;
    let mut config = ImageConfig::scratch();
    config.rootfs.diff_ids = vec![made.diff_id];
    config.config = lab_config();
    config.history = vec![History { created_by: Some(LAB_MADE_BY.into()), ..History::default() }];
    let config = keep_document(store, &config, CONFIG)?;
    let manifest = keep_document(store, &Manifest::new(config, vec![made.descriptor]), MANIFEST)?;
    store.set_name(&reference(), &manifest)?;
    Ok(())
}

fn keep_document(
    store: &Store,
    document: &impl serde::Serialize,
    kind: &str,
) -> Result<Descriptor, KeepError> {
    let bytes = serde_json::to_vec(document).expect("its documents have only texts for keys");
    let blob = store.keep(&bytes)?;
    Ok(Descriptor::new(kind, blob.digest, blob.size))
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = remove_tree(&self.0);
    }
}
