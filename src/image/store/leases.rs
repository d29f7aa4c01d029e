//! Leases: which layers a container uses, so that they stay even when its image is removed by force.
//!
//! A lease names the directory of its container and is worth nothing once that directory is gone: nobody has to give one back,
//! and a killed process leaves none behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, files};
use crate::image::digest::Digest;

/// Which layers a container uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The container's directory.
    holder: PathBuf,
    /// The image that it was made from.
    image: Digest,
    /// Its layers, the lowest first.
    layers: Vec<Digest>,
}

impl Lease {
    /// The container's id or number.
    pub fn container(&self) -> String {
        let name = self.holder.file_name().unwrap_or_default().to_string_lossy();
        name.chars().take(12).collect()
    }

    /// The container's directory.
    pub fn holder(&self) -> &Path {
        &self.holder
    }

    fn lives(&self) -> bool {
        self.holder.is_dir()
    }
}

impl Store {
    /// The layers for the container whose directory this is, the topmost first; unpacked if they are not, and kept as long as
    /// the directory is there. Asked again, the same ones, even if the image is gone.
    pub fn lease(&self, holder: &Path, image: &Digest) -> Result<Vec<PathBuf>, StoreError> {
        let path = self.lease_of(holder);
        if let Some(lease) = read(&path).filter(|lease| lease.holder == holder && lease.image == *image)
            && lease.layers.iter().all(|layer| self.is_unpacked(layer))
        {
            return Ok(self.stack(&lease.layers));
        }
        let adding = self.add()?;
        let image = self.by_id(image)?;
        let lower = self.lower(&image, &adding)?;
        let lease = Lease { holder: holder.into(), image: image.id, layers: image.config.rootfs.diff_ids };
        let bytes = serde_json::to_vec(&lease).expect("a lease has only texts for keys");
        self.write_loose(&path, &bytes)?;
        Ok(lower)
    }

    /// The containers of an image.
    pub fn users(&self, image: &Digest) -> Result<Vec<Lease>, StoreError> {
        Ok(self.leases()?.into_iter().filter(|lease| lease.image == *image).collect())
    }

    /// All layers that containers use.
    pub(super) fn leased_layers(&self) -> Result<Vec<Digest>, StoreError> {
        Ok(self.leases()?.into_iter().flat_map(|lease| lease.layers).collect())
    }

    /// Those of containers that are there; the others are removed.
    fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let directory = self.path.join("leases");
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.map_err(files("read", &directory))?,
        };
        let mut leases = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            match read(&path) {
                Some(lease) if lease.lives() => leases.push(lease),
                _ => _ = fs::remove_file(&path),
            }
        }
        Ok(leases)
    }

    fn lease_of(&self, holder: &Path) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        self.path.join("leases").join(Digest::of(holder.as_os_str().as_bytes()).short())
    }
}

fn read(path: &Path) -> Option<Lease> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
