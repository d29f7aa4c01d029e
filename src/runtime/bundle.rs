//! What a container is made of: an OCI configuration, and where its root file system comes from.

use std::ffi::NulError;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use oci_spec::runtime::Spec;
use thiserror::Error;

use super::steps::Step;

/// Everything that defines a container.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The OCI configuration. Its `root.path` is not looked at; `root.readonly` is.
    pub spec: Spec,
    /// The root file system.
    pub root: Root,
}

/// Where a root file system comes from. All paths are the host's.
#[derive(Clone, Debug)]
pub enum Root {
    /// A directory, used as it is.
    Directory(PathBuf),
    /// Layers of overlayfs, mounted in the container's mount namespace alone.
    Layers {
        /// The read-only layers, the topmost first.
        lower: Vec<PathBuf>,
        /// The writable layer.
        upper: PathBuf,
        /// An empty directory on the same file system as `upper`.
        work: PathBuf,
        /// An empty directory to mount on; on the host it stays empty.
        merged: PathBuf,
        /// Whether what is written has to survive a crash of the host.
        durability: Durability,
    },
}

/// Whether the writable layer has to survive a crash of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// No: nothing is ever synchronised, which makes the end of a container several times as fast.
    Volatile,
    /// Yes.
    Durable,
}

/// How a container is to be made, beside what it is.
#[derive(Debug, Default)]
pub struct CreateOptions {
    /// Its cgroup, relative to where containers of this host go; `a/b` is fine, and what is missing on the way is made.
    pub cgroup: PathBuf,
    /// Standard input, output and error.
    pub stdio: Stdio,
    /// An address for its loopback interface, for a container that has no other to be reached at.
    pub address: Option<Ipv4Addr>,
    /// Descriptors that the container gets as 3, 4, and so on.
    pub preserve_fds: Vec<OwnedFd>,
    /// For tests: take this step and go no further.
    pub stall: Option<Step>,
}

/// The three standard descriptors; `/dev/null` for those not given.
#[derive(Debug, Default)]
pub struct Stdio {
    /// Standard input.
    pub input: Option<OwnedFd>,
    /// Standard output.
    pub output: Option<OwnedFd>,
    /// Standard error.
    pub error: Option<OwnedFd>,
}

/// Why a bundle cannot become a container: found out before anything happens.
#[derive(Debug, Error)]
pub enum BundleError {
    /// A part that has to be there is not.
    #[error("the bundle has no {0} (add it to its configuration)")]
    Missing(&'static str),
    /// A part that this runtime does not know. To leave it out silently could leave a protection out.
    #[error("the bundle asks for {0}, which this runtime cannot do (take it out of the configuration)")]
    Unsupported(String),
    /// A path of the host that is not there or not what it should be.
    #[error(
        "cannot use {path} as {role}: {source} (it has to exist and be readable before the container is created)"
    )]
    Path {
        /// The path.
        path: PathBuf,
        /// What for.
        role: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A text that the kernel would cut short.
    #[error("a text of the bundle contains a null byte (remove it)")]
    NullByte(#[from] NulError),
    /// More layers, or longer paths, than one mount call takes.
    #[error(
        "the layers' paths take {length} bytes, and the kernel takes {limit} (use fewer layers or shorter paths)"
    )]
    TooManyLayers {
        /// What they take.
        length: usize,
        /// What there is room for.
        limit: usize,
    },
}
