//! A container's files on the disk: what it was made of, and what it has written.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use thiserror::Error;

use super::estate::{Estate, EstateError};
use super::id::ContainerId;
use crate::image::store::StoreError;
use crate::model::{ContainerSpec, LAB_IMAGE};
use crate::runtime::{become_superuser, lent_ids};

/// Where the layers of a container's root file system lie.
#[derive(Clone, Debug)]
pub struct Layers {
    /// Those that it shares with others and cannot write to, the topmost first.
    pub lower: Vec<PathBuf>,
    /// The writable one.
    pub upper: PathBuf,
    /// What overlayfs needs beside it.
    pub work: PathBuf,
    /// Where they are mounted together, in the container's own mount namespace.
    pub merged: PathBuf,
}

/// Why a container's layers cannot be had.
#[derive(Debug, Error)]
pub enum LayersError {
    /// The built-in image.
    #[error(transparent)]
    Estate(#[from] EstateError),
    /// An image of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How much lies in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// In the writable one.
    pub written: u64,
    /// In all of them.
    pub whole: u64,
}

impl Estate {
    /// A container's layers.
    pub fn layers(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<Layers, LayersError> {
        let own = |name: &str| self.directory(id).join(name);
        Ok(Layers {
            lower: self.lower(id, spec)?,
            upper: own("upper"),
            work: own("work"),
            merged: own("merged"),
        })
    }
}

impl Estate {
    /// The layers below a container's own: the built-in image, or those of one from the store.
    pub(super) fn lower(&self, id: &ContainerId, spec: &ContainerSpec) -> Result<Vec<PathBuf>, LayersError> {
        let Some(image) = spec.image_id.as_ref().filter(|_| spec.image != LAB_IMAGE) else {
            return Ok(vec![self.lab()?]);
        };
        let digest = image.parse().map_err(|_| StoreError::NoSuchImage(spec.image.clone()))?;
        Ok(self.store().lease(&self.directory(id), &digest)?)
    }
}

impl Layers {
    /// Counts what lies in them. What vanishes meanwhile, and what nobody may look into, counts nothing.
    pub fn size(&self) -> Size {
        let written = bytes_in(&self.upper);
        Size { written, whole: written + self.lower.iter().map(|layer| bytes_in(layer)).sum::<u64>() }
    }
}

fn bytes_in(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
        Ok(metadata) if metadata.is_file() => metadata.len(),
        _ => 0,
    });
    sizes.sum()
}

/// What overlayfs puts in the place of something that is gone: a device with the number 0:0.
pub(super) fn is_whiteout(metadata: &fs::Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

/// Files that every container gets from outside; what lies beneath them is only there to be mounted over.
const MOUNTED_OVER: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/// What has become of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// It is another than in the image.
    Changed,
    /// It is not in the image.
    Added,
    /// It is in the image only.
    Deleted,
}

impl Layers {
    /// Opens what lent ids may have closed: a user's process becomes root over them, for good.
    pub fn open_up() -> io::Result<()> {
        if geteuid().is_root() || lent_ids().is_err() { Ok(()) } else { become_superuser() }
    }

    /// What is otherwise than in the image, by path, parents before children. What lent ids have closed is open to whoever is root
    /// over them, which this process then becomes for good.
    pub fn differences(&self) -> io::Result<Vec<(Difference, PathBuf)>> {
        match self.visible_differences() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !geteuid().is_root() => {
                become_superuser()?;
                self.visible_differences()
            }
            result => result,
        }
    }

    fn visible_differences(&self) -> io::Result<Vec<(Difference, PathBuf)>> {
        let mut found = Vec::new();
        if self.upper.exists() {
            self.compare(Path::new("/"), &self.lower, &mut found)?;
        }
        found.retain(|(_, path)| !MOUNTED_OVER.iter().any(|mounted| path == Path::new(mounted)));
        // A directory that holds nothing else of its own was only touched for them.
        let etc = Path::new("/etc");
        if !found.iter().any(|(_, path)| path != etc && path.starts_with(etc)) {
            found.retain(|(_, path)| path != etc);
        }
        Ok(found)
    }

    /// Compares a directory of the writable layer with what the `lower` ones have there.
    fn compare(
        &self,
        directory: &Path,
        lower: &[PathBuf],
        found: &mut Vec<(Difference, PathBuf)>,
    ) -> io::Result<()> {
        let mut names: Vec<_> = fs::read_dir(inside(&self.upper, directory))?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()?;
        names.sort();
        let upper = inside(&self.upper, directory);
        let lower = if is_opaque(&upper) { &[] } else { lower };
        for name in names {
            let path = directory.join(&name);
            let metadata = fs::symlink_metadata(inside(&self.upper, &path))?;
            let below = lower.iter().find_map(|layer| fs::symlink_metadata(inside(layer, &path)).ok());
            let below = below.filter(|below| !is_whiteout(below));
            if is_whiteout(&metadata) {
                if below.is_some() {
                    found.push((Difference::Deleted, path));
                }
                continue;
            }
            match below {
                None => found.push((Difference::Added, path.clone())),
                Some(_) => found.push((Difference::Changed, path.clone())),
            }
            if metadata.is_dir() {
                self.compare(&path, lower, found)?;
            }
        }
        if lower.is_empty() && !self.lower.is_empty() && is_opaque(&upper) {
            self.deleted_by_opaqueness(directory, found);
        }
        Ok(())
    }

    /// A directory that was deleted and made anew hides all that the image has in it.
    fn deleted_by_opaqueness(&self, directory: &Path, found: &mut Vec<(Difference, PathBuf)>) {
        let Some(layer) = self.lower.iter().find(|layer| inside(layer, directory).is_dir()) else { return };
        for entry in fs::read_dir(inside(layer, directory)).into_iter().flatten().flatten() {
            let path = directory.join(entry.file_name());
            if fs::symlink_metadata(inside(&self.upper, &path)).is_err() {
                found.push((Difference::Deleted, path));
            }
        }
    }
}

/// Where an absolute path of the container lies in a layer.
fn inside(layer: &Path, path: &Path) -> PathBuf {
    layer.join(path.strip_prefix("/").unwrap_or(path))
}

/// Whether a directory hides what lower layers have in it.
fn is_opaque(directory: &Path) -> bool {
    let is_set = |name| matches!(xattr::get(directory, name), Ok(Some(value)) if value == b"y");
    ["trusted.overlay.opaque", "user.overlay.opaque"].into_iter().any(is_set)
}
