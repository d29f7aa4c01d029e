//! Images in one file, to carry them: OCI's layout and Docker's archive at once, so that everybody can read what we write.

mod load;
mod save;

use std::io;

use thiserror::Error;

use super::layer::LayerError;
use super::store::StoreError;

pub use load::{Loaded, load};
pub use save::save;

/// Why an archive cannot be read or written.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// There are no images in it.
    #[error(
        "this is no archive of images: it has neither manifest.json nor index.json (write one with: terrarium save, docker save, skopeo copy)"
    )]
    NotImages,
    /// It promises what is not there.
    #[error("the archive lacks {0} (it is damaged, or cut short)")]
    Lacks(String),
    /// A document in it.
    #[error("the archive's {what} cannot be read: {source}")]
    Document {
        /// Which.
        what: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// It has more in it than any archive of images.
    #[error("the archive has more than {0} entries (it is damaged or hostile: do not use it)")]
    TooMuch(u64),
    /// A layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error("cannot {action} the archive: {source}")]
    Stream {
        /// What was being done.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// What Docker writes of an image in `manifest.json`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEntry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Where containerd keeps a whole name; OCI's annotation may have the tag alone.
const WHOLE_NAME: &str = "io.containerd.image.name";
