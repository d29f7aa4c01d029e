//! Registries: images are fetched from one and sent to one, by OCI's distribution protocol.
//!
//! `connection` speaks HTTP and knows who we are to whom, `credentials` are what `login` has stored where Docker does, `pull`
//! and `push` move manifests and blobs. A transfer that breaks goes on where it broke; what arrives is believed for its digest
//! alone.

mod connection;
mod credentials;
mod pull;
mod push;

use thiserror::Error;

pub use connection::check_login;
pub use credentials::{Credentials, Keyring};
pub use pull::{Pulled, pull};
pub use push::push;

use super::digest::Digest;
use super::store::StoreError;

/// What one sees of a transfer.
pub trait Progress: Sync {
    /// A blob is to be moved that has so many bytes.
    fn begins(&self, blob: &Digest, bytes: u64);
    /// So many of its bytes have been moved in all.
    fn moved(&self, blob: &Digest, bytes: u64);
    /// It need not be moved, or has been.
    fn ends(&self, blob: &Digest, end: End);
}

/// How it went with a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was there already.
    There,
    /// It has come.
    Pulled,
    /// It has gone.
    Pushed,
}

/// What goes wrong with registries.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The registry does not let us.
    #[error(
        "{what} access denied for {image}, repository does not exist or may require authorization (log in: terrarium login {registry})"
    )]
    Denied {
        /// pull, or push.
        what: &'static str,
        /// Which image.
        image: String,
        /// Where.
        registry: String,
    },
    /// The registry does not know us.
    #[error("unauthorized: {0} refuses this user name and password (type them again: terrarium login {0})")]
    WrongCredentials(String),
    /// There is no such image.
    #[error("manifest for {0} not found: manifest unknown (are name and tag right?)")]
    NotFound(String),
    /// An answer that was not expected.
    #[error("{registry} answers {status} to {asked}: {said}")]
    Answer {
        /// Who.
        registry: String,
        /// With which number.
        status: u16,
        /// What was asked.
        asked: String,
        /// What it says.
        said: String,
    },
    /// Nobody answers, or the connection breaks again and again.
    #[error("cannot reach {registry}: {source} (is it there, and is the network?)")]
    Connection {
        /// Who.
        registry: String,
        /// Why not.
        source: Box<ureq::Error>,
    },
    /// A transfer that broke too often.
    #[error("the transfer of {blob} with {registry} broke {times} times, last by: {why} (try again)")]
    Broken {
        /// Whom with.
        registry: String,
        /// Which blob.
        blob: String,
        /// How often.
        times: u32,
        /// The last reason.
        why: String,
    },
    /// A document of a kind from long ago.
    #[error(
        "{0} is an image in the format of 2014, which nobody writes any more (push it anew with another tool)"
    )]
    TooOld(String),
    /// Credentials.
    #[error("cannot {action} the credentials: {why}")]
    Credentials {
        /// read, store or erase.
        action: &'static str,
        /// Why not.
        why: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
