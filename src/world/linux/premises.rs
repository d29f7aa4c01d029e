//! What the world needs of whoever keeps containers: a place for their files, their names, and where their output goes.
//!
//! A replay keeps everything in a directory of its own that goes away with it (`house`); a keeper keeps one container that
//! outlives its command.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::model::{ContainerSpec, ExecSpec, Failure, Id, LAB_IMAGE, Name};
use crate::runtime::{Cgroups, Durability, Stdio};

/// Where containers are kept.
pub trait Premises {
    /// A container's place; made when it is first asked for.
    fn place(&mut self, id: Id, spec: &ContainerSpec) -> Result<Place, Failure>;

    /// Deletes a container's place. Fine if there is none.
    fn remove(&mut self, id: Id) -> Result<(), Failure>;

    /// Makes a name this container's, if nobody else has it.
    fn claim(&mut self, id: Id, name: &Name) -> Result<Claimed, Failure>;

    /// Gives a name back. Fine if it is not this container's.
    fn release(&mut self, id: Id, name: &Name);

    /// What a container's own process reads and writes; of a terminal it gets, nothing is asked.
    fn stdio(&mut self, id: Id, spec: &ContainerSpec) -> io::Result<Stdio>;

    /// What a command reads and writes that is brought into a container.
    fn guest_stdio(&mut self, id: Id, exec: &ExecSpec) -> io::Result<Stdio>;

    /// The other end of a terminal: the container's own, or that of the command with this connection.
    fn terminal(&mut self, id: Id, connection: Option<u32>, master: OwnedFd);

    /// What its process has written to standard output.
    fn output(&mut self, id: Id) -> String;

    /// Bytes in the files of a container's writable layer, if they can be counted.
    fn layer_bytes(&mut self, id: Id) -> Option<u64>;

    /// The directory by which those know each other whose containers share a network.
    fn network(&self) -> PathBuf;

    /// The directory `etc`, beside the writable layer, of whoever has a name.
    fn etc(&self, name: &Name) -> Option<PathBuf>;

    /// Moves out, and looks at the host for anything that is still there.
    fn close(&mut self, cgroups: &Cgroups) -> Vec<String>;
}

/// Where a container's files lie, on the host.
#[derive(Clone, Debug)]
pub struct Place {
    /// The layers of its image, unpacked; the topmost first.
    pub lower: Vec<PathBuf>,
    /// The writable layer.
    pub upper: PathBuf,
    /// What overlayfs needs beside it.
    pub work: PathBuf,
    /// An empty directory to mount on.
    pub merged: PathBuf,
    /// The built-in image, if the first process of another image is to be its init.
    pub init: Option<PathBuf>,
    /// Where volumes with a name lie.
    pub volumes: PathBuf,
    /// Its cgroup, relative to where containers of this host go.
    pub cgroup: PathBuf,
    /// Whether what it writes has to survive a crash of the host.
    pub durability: Durability,
}

impl Place {
    /// Its root file system's layers, the topmost first.
    pub(super) fn layers(&self) -> Vec<PathBuf> {
        std::iter::once(&self.upper).chain(&self.lower).cloned().collect()
    }
}

/// Whether a container's init comes from outside its image: the built-in image has its own.
pub fn borrows_init(spec: &ContainerSpec) -> bool {
    spec.init && spec.image != LAB_IMAGE
}

/// Whose a name is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The container's that asked.
    Granted,
    /// Another's.
    Denied,
}

/// Bytes in the files of a directory, if all of it can be looked at.
pub fn bytes_in(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_in(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
