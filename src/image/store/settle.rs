//! Unpacked layers and a host that goes down. Nobody waits until a layer's files are on the disk: a mark beside it says in which
//! life of the host it was unpacked. Once that is long enough ago for most of it to have been written anyway, whoever adds
//! something next lets the disk come to rest and takes the mark away. A mark of another life says that nobody knows what has
//! reached the disk: the layer is unpacked anew from its blob, which is written with more care.

use std::fs::{self, File};
use std::time::Duration;

use nix::unistd::syncfs;

use super::{Store, StoreError, files};
use crate::image::digest::Digest;
use crate::image::layer::remove_tree;

/// After so long the kernel has written most of it by itself.
const BY_ITSELF: Duration = Duration::from_secs(60);

impl Store {
    /// Whether a layer is unpacked, and all of it is there.
    pub(super) fn is_unpacked(&self, diff_id: &Digest) -> bool {
        self.layer(diff_id).is_dir() && !self.is_in_doubt(diff_id)
    }

    /// Says of a layer that it is not on the disk for certain. Before it has its name.
    pub(super) fn mark(&self, diff_id: &Digest) -> Result<(), StoreError> {
        self.write_loose(&self.mark_of(diff_id), life().as_bytes())
    }

    /// Takes a layer away of which nobody knows whether all of it is there.
    pub(super) fn clear_doubt(&self, diff_id: &Digest) -> Result<(), StoreError> {
        let half = self.new_place();
        {
            // Whoever else has doubts has to see that these are settled.
            let _held = self.hold()?;
            if !self.is_in_doubt(diff_id) {
                return Ok(());
            }
            let path = self.layer(diff_id);
            if path.exists() {
                fs::rename(&path, &half).map_err(files("remove", &path))?;
            }
            let mark = self.mark_of(diff_id);
            fs::remove_file(&mark).map_err(files("remove", &mark))?;
        }
        if half.exists() {
            remove_tree(&half).map_err(files("remove", &half))?;
        }
        Ok(())
    }

    /// Takes the marks away of what was unpacked a while ago in this life.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        let directory = self.path.join("unsettled");
        let old = |path: &std::path::PathBuf| {
            let age = fs::metadata(path).and_then(|found| found.modified()).ok()?.elapsed().ok()?;
            Some(age > BY_ITSELF && fs::read_to_string(path).is_ok_and(|written| written == life()))
        };
        let marks = fs::read_dir(&directory).map_err(files("read", &directory))?;
        let marks: Vec<_> =
            marks.flatten().map(|entry| entry.path()).filter(|path| old(path) == Some(true)).collect();
        if marks.is_empty() {
            return Ok(());
        }
        let disk = File::open(&directory).map_err(files("open", &directory))?;
        syncfs(disk).map_err(|errno| files("write", &self.path)(errno.into()))?;
        for mark in marks {
            // Another one may have been quicker.
            let _ = fs::remove_file(mark);
        }
        Ok(())
    }

    /// Unpacked in another life of this host, and nobody has seen it through.
    fn is_in_doubt(&self, diff_id: &Digest) -> bool {
        match fs::read_to_string(self.mark_of(diff_id)) {
            Ok(written) => written != life(),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    pub(super) fn mark_of(&self, diff_id: &Digest) -> std::path::PathBuf {
        self.path.join("unsettled").join(diff_id.hex())
    }
}

/// What this life of the host is called; nothing, where that cannot be told.
fn life() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
