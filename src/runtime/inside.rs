//! Looking up the paths of a container, so that nothing in its image leads elsewhere.
//!
//! A lookup begins at the container's root and never leaves it, and follows no link of /proc, which lead to whatever a
//! process has open. What it finds is held by a descriptor, so nobody can put something else there in between. The child
//! calls all of this: it allocates nothing.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat, major, minor};
use nix::sys::statfs::{PROC_SUPER_MAGIC, SYSFS_MAGIC, fstatfs};

use super::bundle::BundleError;
use super::plan::c_path;
use super::sys::{self, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS};

/// Something in a directory of the container.
pub(super) struct Place {
    pub(super) directory: CString,
    pub(super) name: CString,
}

/// Whose word it is where something is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The image's: its links are followed, but not into file systems of the kernel, where a mount could hide a protection.
    Image,
    /// The kernel's: the path leads into /proc, /sys or /dev, and a link on the way is a trap.
    Kernel,
}

impl Place {
    pub(super) fn of(path: &Path) -> Result<Self, BundleError> {
        let name = path.file_name().ok_or(BundleError::Missing("file name of a path"))?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        Ok(Self { directory: c_path(directory)?, name: c_path(Path::new(name))? })
    }
}

impl Trust {
    /// In whose word a path is to be looked up.
    pub(super) fn in_the_way_to(path: &Path) -> Self {
        let kernels = ["/proc", "/sys", "/dev"];
        if kernels.iter().any(|top| path.starts_with(top)) { Self::Kernel } else { Self::Image }
    }
}

/// A directory, to make something in or to work in.
pub(super) fn directory(path: &CString) -> nix::Result<OwnedFd> {
    sys::open_resolved(path, libc::O_PATH | libc::O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
}

/// Whatever is at a path, to mount on.
pub(super) fn mount_point(path: &CString, trust: Trust) -> nix::Result<OwnedFd> {
    match trust {
        Trust::Kernel => sys::open_resolved(path, libc::O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS),
        Trust::Image => {
            let found = sys::open_resolved(path, libc::O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)?;
            match fstatfs(&found)?.filesystem_type() {
                PROC_SUPER_MAGIC | SYSFS_MAGIC => Err(Errno::EXDEV),
                _ => Ok(found),
            }
        }
    }
}

/// A file in a real /proc, to be written.
pub(super) fn kernel_setting(path: &CString) -> nix::Result<OwnedFd> {
    let found = sys::open_resolved(path, libc::O_WRONLY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)?;
    if fstatfs(&found)?.filesystem_type() == PROC_SUPER_MAGIC { Ok(found) } else { Err(Errno::EXDEV) }
}

/// The null device, and nothing that was put in its place.
pub(super) fn null_device() -> nix::Result<OwnedFd> {
    let found = sys::open_resolved(c"/dev/null", libc::O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)?;
    let device = fstat(&found)?.st_rdev;
    let is_null = kind(&found)? == SFlag::S_IFCHR && (major(device), minor(device)) == (1, 3);
    if is_null { Ok(found) } else { Err(Errno::EXDEV) }
}

pub(super) fn is_directory(found: &OwnedFd) -> nix::Result<bool> {
    Ok(kind(found)? == SFlag::S_IFDIR)
}

fn kind(found: &OwnedFd) -> nix::Result<SFlag> {
    Ok(SFlag::from_bits_truncate(fstat(found)?.st_mode) & SFlag::S_IFMT)
}
