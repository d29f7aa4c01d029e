//! Sweeping: what no name and no container leads to goes. Only when nobody is adding anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use serde::Deserialize;
use std::fs::{File, OpenOptions};

use super::{Store, StoreError, files};
use crate::image::digest::Digest;
use crate::image::layer::remove_tree;
use crate::image::manifest::{Descriptor, Manifest};

/// A layer that a build's step has made, as far as it matters here.
#[derive(Deserialize)]
struct Cached {
    layer: Descriptor,
    diff_id: Digest,
}

/// How long a step's layer is kept that nobody uses.
const CACHED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a sweep has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs that went.
    pub blobs: Vec<Digest>,
    /// Bytes that they had.
    pub bytes: u64,
    /// Unpacked layers that went.
    pub layers: u64,
    /// Bytes that their files had.
    pub unpacked: u64,
}

impl Store {
    /// Removes what nothing leads to. If somebody is adding, later.
    pub fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        if !self.path.exists() {
            return Ok(swept);
        }
        let Some(_alone) = self.alone()? else { return Ok(swept) };
        let _held = self.hold()?;
        self.empty_making()?;
        let mut blobs: BTreeSet<String> = BTreeSet::new();
        let mut layers: BTreeSet<String> =
            self.leased_layers()?.iter().map(|layer| layer.hex().into()).collect();
        for named in self.names()? {
            blobs.insert(named.descriptor.digest.hex().into());
            // A document that cannot be read leads nowhere, and its name stays, for people to see.
            let Ok(manifest) = self.document::<Manifest>("the manifest", &named.descriptor.digest) else {
                continue;
            };
            blobs.insert(manifest.config.digest.hex().into());
            blobs.extend(manifest.layers.iter().map(|layer| layer.digest.hex().into()));
            if let Ok(image) = self.image(&named.descriptor) {
                layers.extend(image.config.rootfs.diff_ids.iter().map(|layer| layer.hex().into()));
            }
        }
        for cached in self.cached()? {
            blobs.insert(cached.layer.digest.hex().into());
            layers.insert(cached.diff_id.hex().into());
        }
        for (path, name) in entries(&self.path.join("blobs/sha256"))? {
            if !blobs.contains(&name) {
                swept.bytes += fs::metadata(&path).map_or(0, |found| found.len());
                fs::remove_file(&path).map_err(files("remove", &path))?;
                swept.blobs.extend(Digest::from_hex(&name).ok());
            }
        }
        for (path, name) in entries(&self.path.join("layers"))? {
            if !layers.contains(&name) {
                // Out of sight first: half a layer must never have a layer's name.
                let half = self.new_place();
                fs::rename(&path, &half).map_err(files("remove", &path))?;
                remove_tree(&half).map_err(files("remove", &half))?;
                let size = self.path.join("sizes").join(&name);
                swept.unpacked +=
                    fs::read_to_string(&size).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
                let _ = fs::remove_file(&size);
                let _ = fs::remove_file(self.path.join("unsettled").join(&name));
                swept.layers += 1;
            }
        }
        Ok(swept)
    }

    /// Makes the directories, and clears what a killed process left, if nobody is adding.
    pub(super) fn clear_remains(&self) -> Result<(), StoreError> {
        let alone = self.alone()?;
        let _held = self.hold()?;
        if alone.is_some() { self.empty_making() } else { Ok(()) }
    }

    /// Forgets what builds have made before.
    pub fn forget_cache(&self) -> Result<(), StoreError> {
        for (path, _) in entries(&self.path.join("cache"))? {
            fs::remove_file(&path).map_err(files("remove", &path))?;
        }
        Ok(())
    }

    /// The layers of builds' steps; those that nobody has used for long are forgotten.
    fn cached(&self) -> Result<Vec<Cached>, StoreError> {
        let mut cached = Vec::new();
        for (path, _) in entries(&self.path.join("cache"))? {
            let used = fs::metadata(&path).and_then(|found| found.modified());
            let old = used.is_ok_and(|used| used.elapsed().is_ok_and(|ago| ago > CACHED_FOR));
            let note = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let note: Option<BTreeMap<String, Cached>> = note.filter(|_| !old);
            match note {
                Some(note) => cached.extend(note.into_values()),
                None => fs::remove_file(&path).map_err(files("remove", &path))?,
            }
        }
        Ok(cached)
    }

    /// None while somebody is adding, and where there is no store yet.
    fn alone(&self) -> Result<Option<Flock<File>>, StoreError> {
        let path = self.path.join("busy");
        match OpenOptions::new().create(true).truncate(false).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => {
                let file = file.map_err(files("open", &path))?;
                Ok(Flock::lock(file, FlockArg::LockExclusiveNonblock).ok())
            }
        }
    }

    fn empty_making(&self) -> Result<(), StoreError> {
        for (path, _) in entries(&self.path.join("making"))? {
            let removed = if path.is_dir() { remove_tree(&path) } else { fs::remove_file(&path) };
            removed.map_err(files("remove", &path))?;
        }
        Ok(())
    }
}

fn entries(directory: &Path) -> Result<Vec<(std::path::PathBuf, String)>, StoreError> {
    let found = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.map_err(files("read", directory))?,
    };
    Ok(found
        .flatten()
        .map(|entry| (entry.path(), entry.file_name().to_string_lossy().into_owned()))
        .collect())
}
