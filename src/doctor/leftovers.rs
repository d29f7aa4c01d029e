//! What killed runs have left on the host. Each kind goes with the next command of its own; here all are found in one place,
//! and removed when that is asked for.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use thiserror::Error;

use super::{Finding, Verdict};
use crate::keeper::{self, CallError, ContainerId, Estate, EstateError};
use crate::network::{self, BridgeError};
use crate::runtime::{CgroupError, Cgroups};
use crate::world::linux::{self, HouseError};

/// One thing that nobody will need again.
enum Leftover {
    /// A replay's files.
    Directory(PathBuf),
    /// Nobody is in it.
    Cgroup(PathBuf),
    /// A part of the host's network.
    Network(String),
    /// A container whose keeper was killed: it has ended, and nobody has noted so.
    Container(ContainerId),
}

/// Why something stays.
#[derive(Debug, Error)]
pub enum ClearError {
    /// A replay's files.
    #[error(transparent)]
    House(#[from] HouseError),
    /// A cgroup.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// A part of the network.
    #[error(transparent)]
    Network(#[from] BridgeError),
    /// Where containers are kept.
    #[error(transparent)]
    Estate(#[from] EstateError),
    /// A container that has lost its keeper.
    #[error(transparent)]
    Keeper(#[from] CallError),
}

/// Whoever has just made a cgroup may still be on the way into it.
const YOUNG: Duration = Duration::from_secs(10);
const PREFIX: &str = "terrarium-";

pub(super) fn look(root: Option<&Path>) -> Finding {
    const TOPIC: &str = "leftovers";
    let left: Vec<String> = all(root).iter().map(ToString::to_string).collect();
    if left.is_empty() {
        return Finding::works(TOPIC, "none");
    }
    let lost = "nothing: they only take up room";
    Finding::lacks(TOPIC, Verdict::Limited, left.join(", "), lost, "terrarium doctor --clear")
}

/// Removes what killed runs have left; says what that was.
pub fn clear(root: Option<&Path>) -> Result<Vec<String>, ClearError> {
    let left = all(root);
    linux::clear_dead_runs(root)?;
    let cgroups = Cgroups::detect();
    for leftover in &left {
        if let Leftover::Cgroup(path) = leftover {
            cgroups.clear(Path::new(path.file_name().unwrap_or_default()))?;
        }
    }
    if left.iter().any(|leftover| matches!(leftover, Leftover::Network(_))) {
        network::clear_leftovers()?;
    }
    if left.iter().any(|leftover| matches!(leftover, Leftover::Container(_))) {
        keeper::look_after(&Estate::open(root)?)?;
    }
    Ok(left.iter().map(ToString::to_string).collect())
}

fn all(root: Option<&Path>) -> Vec<Leftover> {
    let mut left = Vec::new();
    let runs = fs::read_dir(linux::runs(root)).into_iter().flatten().flatten().map(|entry| entry.path());
    let dead = |path: &PathBuf| begins_with(path, linux::RUN) && is_free(&path.join("lock"));
    left.extend(runs.filter(dead).map(Leftover::Directory));
    let cgroups = Cgroups::detect().remains(Path::new(""));
    let ours = |path: &PathBuf| begins_with(path, PREFIX) && is_deserted(path) && !has_owner(path);
    left.extend(cgroups.into_iter().filter(ours).map(Leftover::Cgroup));
    if geteuid().is_root() {
        left.extend(network::leftovers().into_iter().map(Leftover::Network));
    }
    left.extend(keeper::abandoned(root).into_iter().map(Leftover::Container));
    left
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "directory {}", path.display()),
            Self::Cgroup(path) => write!(f, "cgroup {}", path.display()),
            Self::Network(what) => f.write_str(what),
            Self::Container(id) => write!(f, "container {id}, whose keeper was killed"),
        }
    }
}

fn begins_with(path: &Path, prefix: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

/// Whoever lives holds it.
fn is_free(lock: &Path) -> bool {
    File::open(lock).is_ok_and(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok())
}

/// A run's cgroup bears the number of its process, and may be empty for a while.
fn has_owner(cgroup: &Path) -> bool {
    let name = cgroup.file_name().unwrap_or_default().to_string_lossy();
    let number = name.strip_prefix(linux::RUN).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
    number.is_some_and(|pid| Path::new("/proc").join(pid.to_string()).exists())
}

fn is_deserted(cgroup: &Path) -> bool {
    let all = fs::read_to_string(cgroup.join("cgroup.events")).unwrap_or_default();
    let procs = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let made = fs::metadata(cgroup).and_then(|metadata| metadata.modified());
    let age = made.ok().and_then(|made| made.elapsed().ok());
    age.is_some_and(|age| age > YOUNG) && !all.contains("populated 1") && procs.trim().is_empty()
}
