//! Cgroups as directories: making, reading, writing and removing them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::Pid;
use thiserror::Error;

/// What went wrong with a cgroup.
#[derive(Debug, Error)]
#[error("cannot {action} cgroup {path} ({advice})", advice = advice(.source))]
pub struct CgroupError {
    /// What was being done.
    pub action: &'static str,
    /// The directory or file.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// The kernel lets go of a cgroup a moment after its last process is gone.
const REMOVAL_DEADLINE: Duration = Duration::from_secs(5);
/// How often it is asked. There is no event for it.
const REMOVAL_INTERVAL: Duration = Duration::from_millis(1);

/// Makes a directory that must not exist yet, and what is missing on the way to it.
pub(super) fn make(directory: &Path) -> Result<(), CgroupError> {
    let failed = |source| CgroupError { action: "create", path: directory.to_path_buf(), source };
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::create_dir(directory).map_err(failed)
}

/// A cgroup and all beneath it, parents first.
pub(super) fn descend(top: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    let mut found = vec![top.to_path_buf()];
    let mut next = 0;
    while let Some(directory) = found.get(next).cloned() {
        next += 1;
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(CgroupError { action: "look into", path: directory, source }),
        };
        let directories = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        found.extend(directories.map(|entry| entry.path()));
    }
    Ok(found)
}

pub(super) fn remove(directory: &Path) -> Result<(), CgroupError> {
    let deadline = Instant::now() + REMOVAL_DEADLINE;
    loop {
        match fs::remove_dir(directory) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                thread::sleep(REMOVAL_INTERVAL);
            }
            Err(source) => {
                return Err(CgroupError { action: "remove", path: directory.to_path_buf(), source });
            }
        }
    }
}

pub(super) fn processes(directory: &Path) -> Vec<Pid> {
    let listed = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    listed.lines().filter_map(|line| line.parse().ok()).map(Pid::from_raw).collect()
}

pub(super) fn join(directory: &Path, pid: Pid) -> Result<(), CgroupError> {
    write(directory, "cgroup.procs", &pid.to_string(), "join")
}

/// As [`join`], for a process that was listed a moment ago: it may have ended meanwhile.
pub(super) fn join_if_there(directory: &Path, pid: Pid) -> Result<(), CgroupError> {
    match join(directory, pid) {
        Err(error) if error.source.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
        joined => joined,
    }
}

pub(super) fn write(
    directory: &Path,
    file: &str,
    text: &str,
    action: &'static str,
) -> Result<(), CgroupError> {
    let path = directory.join(file);
    fs::write(&path, text).map_err(|source| CgroupError { action, path, source })
}

pub(super) fn read(directory: &Path, file: &str, action: &'static str) -> Result<String, CgroupError> {
    let path = directory.join(file);
    fs::read_to_string(&path).map_err(|source| CgroupError { action, path, source })
}

fn advice(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AlreadyExists => {
            "another run has left it behind or still uses it: clear it or take another name"
        }
        io::ErrorKind::PermissionDenied => "run as root, or under systemd-run --user --scope -p Delegate=yes",
        io::ErrorKind::ResourceBusy => "a process in it does not die: look at its cgroup.procs",
        _ => "look at the cgroup mounts of this host",
    };
    format!("{error}: {advice}")
}
