//! A layer: an archive of what one step of an image's making has added, changed and deleted.
//!
//! `unpack` lays one out as a directory that overlayfs can stack, `pack` makes one of such a directory. What an archive says is
//! believed in nothing: `path` cleans names, `tree` makes files in a directory and never outside it, `compress` tells how the
//! bytes are packed, and `limits` ends what would not end.

mod compress;
mod limits;
mod merged;
mod pack;
mod path;
mod sparse;
mod tree;
mod unpack;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use compress::{Packing, Unpacked, gzip};
pub use limits::Limits;
pub use merged::{Found, Merged};
pub use pack::{Entry, Packer, pack_differences};
pub use path::clean;
pub use tree::{Tree, remove_tree};
pub use unpack::{Tally, unpack};

use super::digest::Digest;

/// The beginning of a name that says that a name of lower layers is deleted.
pub(super) const WHITEOUT: &[u8] = b".wh.";
/// The name that says that nothing of a directory's lower layers is seen.
pub(super) const OPAQUE: &[u8] = b".wh..wh..opq";

/// How overlayfs marks a directory whose lower layers are not seen. An ordinary user may not write root's mark.
pub(super) fn opaque_mark() -> &'static str {
    if crate::runtime::is_root_of_the_host() { "trusted.overlay.opaque" } else { "user.overlay.opaque" }
}

/// Why an archive makes no layer.
#[derive(Debug, Error)]
pub enum LayerError {
    /// A name that leads out of the image.
    #[error(
        "the archive has an entry `{0}` that leads out of the image (it is damaged or hostile: do not use it)"
    )]
    Escapes(String),
    /// A name that no file can have.
    #[error(
        "the archive has an entry with an impossible name, `{0}` (it is damaged or hostile: do not use it)"
    )]
    Name(String),
    /// An entry that is of no kind we know.
    #[error(
        "the archive's entry {path} is of an unknown kind, `{kind}` (make the image anew with another tool)"
    )]
    Kind {
        /// Which.
        path: String,
        /// Its letter.
        kind: char,
    },
    /// A hard link to what is not there.
    #[error(
        "the archive's entry {path} is a hard link to {target}, which is not in the same layer (the archive is damaged)"
    )]
    Link {
        /// Which.
        path: String,
        /// To what.
        target: String,
    },
    /// An entry that is beneath a file.
    #[error(
        "the archive has {0} beneath something that is no directory (it is damaged or hostile: do not use it)"
    )]
    NotInDirectory(String),
    /// Too much of it.
    #[error("the archive has more than {0} (it is damaged or hostile; an image like that cannot be used)")]
    TooMuch(String),
    /// It is no archive, or ends too early.
    #[error("cannot read the archive: {0} (is it complete?)")]
    Read(io::Error),
    /// A file of ours.
    #[error("cannot {action} {}: {source}", path.display())]
    Files {
        /// What was being done.
        action: &'static str,
        /// With which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("a layer's digest is {found}, and should be {wanted} (it is damaged: fetch the image again)")]
    Digest {
        /// What was promised.
        wanted: Digest,
        /// What came.
        found: Digest,
    },
    /// Packed in a way that we cannot read.
    #[error("a layer is packed by {0}, which terrarium cannot read (use gzip or zstd)")]
    Packing(&'static str),
}

impl LayerError {
    pub(super) fn files(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Files { action, path, source }
    }
}
