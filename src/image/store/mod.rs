//! Where images are kept: an OCI image layout, and beside it the layers, unpacked for overlayfs.
//!
//! ```text
//! STORE/oci-layout, index.json     the names: which manifest each is
//! STORE/blobs/sha256/HEX           manifests, configurations and layers, by the digest of what is in them
//! STORE/layers/HEX/                a layer, unpacked once, by the digest of its unpacked archive
//! STORE/sizes/HEX                  how many bytes its files have
//! STORE/unsettled/HEX              in which life of the host it was unpacked, until it is on the disk for certain
//! STORE/cache/HEX                  what a build's step has made, so that it need not be done again
//! STORE/leases/HEX                 whose containers use which layers
//! STORE/making/                    what is not whole yet
//! STORE/busy, STORE/lock           locks: `busy` is shared by all who add something, `lock` guards the names for moments
//! ```
//!
//! Everything is made in `making` and renamed to its place when it is whole, so what has its name is right. Whoever adds
//! something holds `busy` until a name leads to it; whoever clears has to have it alone. So a sweep never takes what somebody
//! is just adding, and what lies in `making` when nobody adds is what a killed process left.

mod blobs;
mod check;
mod layers;
mod leases;
mod names;
mod settle;
mod sweep;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;

pub use blobs::{Blob, Incoming};
pub use check::Flaw;
pub use leases::Lease;
pub(in crate::image) use names::REF_NAME;
pub use names::{Force, Named, Untagged};
pub use sweep::Swept;

use super::config::ImageConfig;
use super::digest::Digest;
use super::layer::LayerError;
use super::manifest::{Descriptor, Manifest};
use super::reference::InvalidReference;
use super::resolve::{ResolveError, resolve};
use crate::model::{ContainerSpec, LAB_IMAGE};

/// All images of a user.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
}

/// An image that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Its id: the digest of its configuration, as Docker has it.
    pub id: Digest,
    /// Which manifest it was found by.
    pub descriptor: Descriptor,
    /// What it consists of.
    pub manifest: Manifest,
    /// What its containers are like.
    pub config: ImageConfig,
}

impl Image {
    /// Bytes of its layers as they are kept and sent.
    pub fn packed_size(&self) -> u64 {
        self.manifest.layers.iter().map(|layer| layer.size).sum()
    }
}

/// What goes wrong with images.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Nothing has this name.
    #[error("no such image: {0} (see what there is: terrarium images; fetch it: terrarium pull {0})")]
    NoSuchImage(String),
    /// More than one id begins so.
    #[error("more than one image has an id that begins with {0} (give more of it)")]
    Ambiguous(String),
    /// No name at all.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    /// A container uses it.
    #[error(
        "conflict: cannot remove {image}: container {container} is using it (remove that first: terrarium rm {container}; or use --force)"
    )]
    InUse {
        /// Which.
        image: String,
        /// By whom.
        container: String,
    },
    /// More than one name leads to it.
    #[error("conflict: cannot remove {0} by its id: it has several names (remove each, or use --force)")]
    SeveralNames(String),
    /// A blob that is not there.
    #[error("the image store lacks {0} (it is damaged: pull or load the image again)")]
    Missing(Digest),
    /// A blob that is not what its name says.
    #[error("{found} has come where {wanted} was promised (the transfer is damaged: try again)")]
    Damaged {
        /// What was promised.
        wanted: Digest,
        /// What came.
        found: Digest,
    },
    /// A document that cannot be read.
    #[error("cannot read {what} {digest}: {source} (the image is damaged: pull or load it again)")]
    Document {
        /// What it should be.
        what: &'static str,
        /// Which.
        digest: Digest,
        /// Why not.
        source: serde_json::Error,
    },
    /// An image that contradicts itself.
    #[error(
        "image {id} names {layers} layers and describes {described} (it is damaged: pull or load it again)"
    )]
    Layers {
        /// Which.
        id: Digest,
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        described: usize,
    },
    /// Not for this machine.
    #[error("no matching manifest for {wanted} ({there} is there, and cannot run here)")]
    Platform {
        /// This machine's.
        wanted: String,
        /// What there is.
        there: String,
    },
    /// An image and a wish that make no container.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A directory or file.
    #[error("cannot {action} {}: {source} (choose another directory with --root)", path.display())]
    Files {
        /// What was being done.
        action: &'static str,
        /// With which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Held by those who add something.
#[derive(Debug)]
pub struct Adding {
    _shared: Flock<File>,
}

/// Held for moments by those who read names and change them.
#[derive(Debug)]
struct Held {
    _lock: Flock<File>,
}

impl Store {
    /// The one in this directory, which need not be there yet: so it has no images.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a container is that was asked for: what its image says is filled in, and which image that is now is noted. The
    /// built-in image says nothing.
    pub fn resolve(&self, wish: &ContainerSpec) -> Result<ContainerSpec, StoreError> {
        if wish.image == LAB_IMAGE {
            return Ok(wish.clone());
        }
        let image = self.find(&wish.image)?;
        let spec = resolve(&image.config.config, wish)?;
        Ok(ContainerSpec { image_id: Some(image.id.to_string()), ..spec })
    }

    /// Makes what is missing of its directories, clears what a killed process left, and keeps others from clearing.
    pub fn add(&self) -> Result<Adding, StoreError> {
        self.clear_remains()?;
        let busy = self.path.join("busy");
        let shared = lock(&busy, FlockArg::LockShared)?;
        self.settle()?;
        Ok(Adding { _shared: shared })
    }

    fn hold(&self) -> Result<Held, StoreError> {
        for part in ["blobs/sha256", "layers", "sizes", "unsettled", "cache", "leases", "making"] {
            let path = self.path.join(part);
            DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(files("make", &path))?;
        }
        let held = Held { _lock: lock(&self.path.join("lock"), FlockArg::LockExclusive)? };
        let layout = self.path.join("oci-layout");
        if !layout.exists() {
            self.write_whole(&layout, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        }
        Ok(held)
    }

    /// Notes something that can be done without.
    pub(in crate::image) fn write_note(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_whole(path, bytes)
    }

    /// A free name in `making`.
    pub fn new_place(&self) -> PathBuf {
        use std::sync::atomic::{AtomicU64, Ordering};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        self.path.join("making").join(format!("{}-{number}", std::process::id()))
    }

    /// All or nothing, and on the disk before it has its name.
    fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(path, bytes, File::sync_all)
    }

    /// All or nothing; what is not on the disk when the host goes down can be done without.
    fn write_loose(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(path, bytes, |_| Ok(()))
    }

    fn write(
        &self,
        path: &Path,
        bytes: &[u8],
        settle: fn(&File) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let half = self.new_place();
        let write = || {
            let mut file = File::create(&half)?;
            io::Write::write_all(&mut file, bytes)?;
            settle(&file)?;
            fs::rename(&half, path)
        };
        write().map_err(|source| {
            let _ = fs::remove_file(&half);
            StoreError::Files { action: "write", path: path.into(), source }
        })
    }
}

fn lock(path: &Path, how: FlockArg) -> Result<Flock<File>, StoreError> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = open.map_err(files("open", path))?;
    Flock::lock(file, how).map_err(|(_, errno)| files("lock", path)(errno.into()))
}

fn files<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |source| StoreError::Files { action, path: path.into(), source }
}
