//! Where a keeper can be reached: a socket in the private directory of this user's containers.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::{ContainerId, Estate};

/// A keeper's socket.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Only for whoever has the journal: a socket that is there already belongs to nobody. It stays when its keeper is killed,
    /// which is how others find out.
    pub(super) fn open(estate: &Estate, id: &ContainerId) -> io::Result<Self> {
        let path = estate.socket(id);
        let half = path.with_extension("new");
        match fs::remove_file(&half) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = through(&half, |short| UnixListener::bind(short))?;
        listener.set_nonblocking(true)?;
        fs::rename(&half, &path)?;
        Ok(Self { listener, path })
    }

    pub(super) fn close(self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// The next who has knocked.
pub(super) fn accept(door: &Door) -> Option<UnixStream> {
    let (socket, _) = door.listener.accept().ok()?;
    socket.set_nonblocking(false).ok()?;
    Some(socket)
}

/// Knocks.
pub(super) fn knock(estate: &Estate, id: &ContainerId) -> io::Result<UnixStream> {
    through(&estate.socket(id), |short| UnixStream::connect(short))
}

/// The address of a socket has room for 108 bytes only, and a path can be longer: so its directory goes by a number.
fn through<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = File::open(directory)?;
    act(&Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name))
}
