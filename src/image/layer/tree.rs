//! A directory that files are made in, and never outside it.
//!
//! The kernel itself keeps to it: every name is looked up with `openat2` and `RESOLVE_IN_ROOT`, which takes this directory for
//! the root of all paths and links, so that no `..` and no link leads out, whoever changes the tree meanwhile.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// A directory that is the root of everything in it.
#[derive(Debug)]
pub struct Tree {
    path: PathBuf,
    root: OwnedFd,
    /// The directory that was looked up last: entries of one directory mostly come together.
    last: Option<(PathBuf, OwnedFd)>,
}

impl Tree {
    /// One that is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = openat(AT_FDCWD, path, flags, Mode::empty())?;
        Ok(Self { path: path.into(), root, last: None })
    }

    /// Where it is, for errors.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory at `path`, made with what leads to it if it is not there.
    pub fn directory(&mut self, path: &Path) -> io::Result<&OwnedFd> {
        if path.as_os_str().is_empty() {
            return Ok(&self.root);
        }
        if self.last.as_ref().is_none_or(|(known, _)| known != path) {
            let found = match self.open_at(path, OFlag::O_PATH | OFlag::O_DIRECTORY) {
                Err(Errno::ENOENT) => self.make_directory(path)?,
                result => result?,
            };
            self.last = Some((path.into(), found));
        }
        Ok(self.last.as_ref().map_or(&self.root, |(_, found)| found))
    }

    /// Forgets what it has looked up: something may stand in its place.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Opens what is at `path`, following links within.
    pub fn open_at(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        openat2(&self.root, path, how)
    }

    /// Opens a file for reading, following links within.
    pub fn file(&self, path: &Path) -> io::Result<File> {
        Ok(self.open_at(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?.into())
    }

    /// One part after the other, since a link in the middle may lead to a directory that is not there either.
    fn make_directory(&self, path: &Path) -> nix::Result<OwnedFd> {
        let mut found = self.open_at(Path::new("."), OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        let mut so_far = PathBuf::new();
        for part in path.components() {
            so_far.push(part);
            found = match self.open_at(&so_far, OFlag::O_PATH | OFlag::O_DIRECTORY) {
                Err(Errno::ENOENT) => {
                    match mkdirat(&found, part.as_os_str(), Mode::from_bits_truncate(0o755)) {
                        // A link that leads nowhere: it is not for us to make what it leads to.
                        Err(Errno::EEXIST) => return Err(Errno::ENOTDIR),
                        result => result?,
                    }
                    self.open_at(&so_far, OFlag::O_PATH | OFlag::O_DIRECTORY)?
                }
                result => result?,
            };
        }
        Ok(found)
    }
}

/// What kind of file has a name, not following a link.
pub(super) fn kind_of(directory: impl AsFd, name: &OsStr) -> Option<SFlag> {
    let found = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
    Some(SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()))
}

/// Removes whatever has a name; fine if nothing has.
pub(super) fn remove(directory: impl AsFd, name: &OsStr) -> io::Result<()> {
    match unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(Errno::EISDIR | Errno::EPERM) => {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let inner = openat(&directory, name, flags, Mode::empty())?;
            for entry in names_in(&inner)? {
                remove(&inner, &entry)?;
            }
            Ok(unlinkat(&directory, name, UnlinkatFlags::RemoveDir)?)
        }
        Err(errno) => Err(errno.into()),
    }
}

fn names_in(directory: &OwnedFd) -> io::Result<Vec<std::ffi::OsString>> {
    use std::os::fd::AsRawFd;
    // By its descriptor, so that nobody can put another directory in its place.
    let entries = fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
    entries.map(|entry| Ok(entry?.file_name())).collect()
}

/// Removes a tree in which there may be directories that their owner may not read; fine if it is not there.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        result => return result,
    }
    unlock(path)?;
    fs::remove_dir_all(path)
}

fn unlock(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            unlock(&entry.path())?;
        }
    }
    Ok(())
}
