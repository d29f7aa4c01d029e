//! ADD of an archive: what is in it is added, not the file.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::BuildError;
use crate::image::layer::{LayerError, Limits, Unpacked, remove_tree, unpack};
use crate::image::store::Store;

/// An archive, unpacked for ADD; gone when it is dropped.
pub(super) struct Scratch {
    pub(super) path: PathBuf,
}

impl Scratch {
    pub(super) fn unpack(store: &Store, archive: &Path) -> Result<Self, BuildError> {
        let scratch = Self { path: store.new_place() };
        fs::create_dir(&scratch.path).map_err(LayerError::files("make", &scratch.path))?;
        let file = File::open(archive).map_err(LayerError::files("read", archive))?;
        unpack(Unpacked::new(BufReader::new(file))?, &scratch.path, Limits::default())?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = remove_tree(&self.path);
    }
}

/// Whether it begins as archives do, packed or not. ADD of anything else is a COPY.
pub(super) fn is_archive(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let Ok(unpacked) = Unpacked::new(BufReader::new(file)) else { return false };
    let mut archive = tar::Archive::new(unpacked);
    let first = archive.entries().ok().and_then(|mut entries| entries.next());
    matches!(first, Some(Ok(entry)) if entry.header().as_ustar().is_some() || entry.header().as_gnu().is_some())
}
