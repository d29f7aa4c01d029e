//! The controllers that limit, and where on this host they can be used: in the unified hierarchy, or in a v1 hierarchy
//! beside it.
//!
//! In the unified hierarchy a cgroup hands a controller on to all its children or to none, and one that hands any on may not
//! have processes of its own. Only the root of the hierarchy may do both.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::directory::{CgroupError, join_if_there, processes, write};
use super::limit::{self, LimitError};

/// What the kernel can limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// Memory, and OOM kills where it is exceeded.
    Memory,
    /// CPU time.
    Cpu,
    /// The number of processes.
    Pids,
}

/// Why a controller cannot be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// No hierarchy has it.
    Missing,
    /// A hierarchy has it, and this process may not use it there.
    NotDelegated,
    /// It is handed to a cgroup that cannot hand it on, for there are processes in it.
    Occupied,
}

/// Where a controller is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the unified hierarchy, beneath this directory.
    Unified(PathBuf),
    /// In a v1 hierarchy, beneath this directory.
    V1(PathBuf),
}

/// Where terrarium's processes are that have made room in their own cgroup, so that it can hand controllers on to containers.
pub(super) const ASIDE: &str = "terrarium-aside";
/// What a cgroup hands on.
const SUBTREE: &str = "cgroup.subtree_control";
/// How often a cgroup is made room in for one controller.
const TRIES: u32 = 10;

impl Controller {
    /// All that a container can be limited with.
    pub(super) const ALL: [Self; 3] = [Self::Memory, Self::Cpu, Self::Pids];

    /// The kernel's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Cpu => "CPU time",
            Self::Pids => "the number of processes",
        })
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => {
                "no cgroup hierarchy of this host has the controller \
                 (take the limit out, or boot with the controller: for memory, cgroup_enable=memory)"
            }
            Self::NotDelegated => {
                "this process may not use the controller \
                 (run as root, or under systemd-run --user --scope -p Delegate=yes)"
            }
            Self::Occupied => {
                "other processes are in the cgroup that would have to hand the controller on \
                 (run as root, or alone under systemd-run --user --scope -p Delegate=yes)"
            }
        })
    }
}

/// Whether a cgroup of the unified hierarchy has a controller to use or to hand on.
pub(super) fn has(cgroup: &Path, controller: Controller) -> bool {
    lists(cgroup, "cgroup.controllers", controller)
}

/// Whether nobody is in it who would have to stay: the root of a hierarchy hands on whoever is in it, and terrarium's own
/// processes step aside.
pub(super) fn can_make_room(cgroup: &Path) -> bool {
    is_root(cgroup) || processes(cgroup).into_iter().all(is_terrarium)
}

/// Before it gets a child. A cgroup that hands on CPU time alone still takes processes in, and then the kernel lets none into
/// its children: what it hands on to nobody, it takes back.
pub(super) fn prepare_for_children(cgroup: &Path) -> Result<(), CgroupError> {
    let listed = fs::read_to_string(cgroup.join(SUBTREE)).unwrap_or_default();
    if is_root(cgroup) || listed.trim().is_empty() || processes(cgroup).is_empty() {
        return Ok(());
    }
    let back: Vec<String> = listed.split_whitespace().map(|controller| format!("-{controller}")).collect();
    write(cgroup, SUBTREE, &back.join(" "), "take back controllers in")
}

/// Has a controller handed on from `base` down to the cgroup `path` beneath it.
pub(super) fn hand_on(base: &Path, path: &Path, controller: Controller) -> Result<(), LimitError> {
    let between: Vec<&Path> = path.ancestors().skip(1).collect();
    for cgroup in between.into_iter().rev().map(|way| base.join(way)) {
        if !hands_on(&cgroup, controller) {
            begin_to_hand_on(&cgroup, controller)?;
        }
    }
    Ok(())
}

fn begin_to_hand_on(cgroup: &Path, controller: Controller) -> Result<(), LimitError> {
    let is_busy = |error: &io::Error| error.kind() == io::ErrorKind::ResourceBusy;
    for _ in 0..TRIES {
        make_room(cgroup)?;
        match limit::set(cgroup, SUBTREE, &format!("+{}", controller.name())) {
            Err(LimitError::Write { source, .. }) if is_busy(&source) => {}
            written => return written,
        }
        // One of ours may have come in just now; anybody else stays.
        if !can_make_room(cgroup) {
            break;
        }
    }
    Err(LimitError::Lack { controller, lack: Lack::Occupied })
}

/// Moves terrarium's processes from a cgroup to one beneath it: this one, and perhaps the command that has begun this keeper, or
/// other keepers.
fn make_room(cgroup: &Path) -> Result<(), CgroupError> {
    if is_root(cgroup) {
        return Ok(());
    }
    let aside = cgroup.join(ASIDE);
    for pid in processes(cgroup).into_iter().filter(|pid| is_terrarium(*pid)) {
        // Another of them may just be doing the same.
        fs::create_dir_all(&aside).map_err(|source| {
            let path = aside.clone();
            CgroupError { action: "create", path, source }
        })?;
        join_if_there(&aside, pid)?;
    }
    Ok(())
}

/// Whether a process runs the program that this one runs.
fn is_terrarium(pid: Pid) -> bool {
    let program = |pid: Pid| {
        let program = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
        Some((program.dev(), program.ino()))
    };
    pid == Pid::this() || program(pid).is_some_and(|its| program(Pid::this()) == Some(its))
}

/// The one cgroup without a type.
fn is_root(cgroup: &Path) -> bool {
    !cgroup.join("cgroup.type").exists()
}

fn hands_on(cgroup: &Path, controller: Controller) -> bool {
    lists(cgroup, SUBTREE, controller)
}

fn lists(cgroup: &Path, file: &str, controller: Controller) -> bool {
    let listed = fs::read_to_string(cgroup.join(file)).unwrap_or_default();
    listed.split_whitespace().any(|name| name == controller.name())
}
