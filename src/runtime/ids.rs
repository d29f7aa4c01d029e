//! Who the container's program is: its user, its groups, and what it may do.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use nix::sys::resource::Resource;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, geteuid};
use oci_spec::runtime::{Capability, Linux, LinuxCapabilities, LinuxIdMapping, PosixRlimitType, Process};
use thiserror::Error;

use super::bundle::BundleError;
use super::default_spec::Isolation;
use super::isolation::has_user_namespace;
use super::lent::{self, NotLent};
use super::operation::Action;
use super::plan::Draft;
use super::steps::Step;
use super::sys::CapabilitySets;

/// More numbers than the kernel has capabilities.
const CAPABILITY_NUMBERS: u32 = 64;

/// Resource limits, capabilities and ids, in an order in which each is still allowed.
pub(super) fn change(draft: &mut Draft, process: &Process, linux: &Linux) -> Result<(), BundleError> {
    for limit in process.rlimits().iter().flatten() {
        let resource = resource(limit.typ());
        let action = Action::Limit { resource, soft: limit.soft(), hard: limit.hard() };
        draft.add(Step::Limits, limit.typ().to_string(), action);
    }
    let granted = process.capabilities().as_ref();
    let mask = |set: Option<&Option<HashSet<Capability>>>| set.and_then(Option::as_ref).map_or(Ok(0), mask);
    let bounding = mask(granted.map(LinuxCapabilities::bounding))?;
    for number in (0..CAPABILITY_NUMBERS).filter(|number| bounding & (1 << number) == 0) {
        draft.add(Step::BoundingSet, format!("capability {number}"), Action::DropFromBoundingSet(number));
    }
    become_user(draft, process, linux);
    // A filter takes this capability or the promise to gain no privileges. The bounding set lets no execve keep it.
    let for_the_filter = match linux.seccomp() {
        Some(_) if process.no_new_privileges() != Some(true) => 1 << caps::Capability::CAP_SYS_ADMIN.index(),
        _ => 0,
    };
    let sets = CapabilitySets {
        effective: for_the_filter | mask(granted.map(LinuxCapabilities::effective))?,
        permitted: for_the_filter | mask(granted.map(LinuxCapabilities::permitted))?,
        inheritable: mask(granted.map(LinuxCapabilities::inheritable))?,
    };
    draft.add(Step::Capabilities, "its capabilities", Action::SetCapabilities(sets));
    let ambient = mask(granted.map(LinuxCapabilities::ambient))?;
    for number in (0..CAPABILITY_NUMBERS).filter(|number| ambient & (1 << number) != 0) {
        draft.add(Step::Capabilities, format!("ambient capability {number}"), Action::RaiseAmbient(number));
    }
    if process.no_new_privileges() == Some(true) {
        draft.add(Step::NoNewPrivileges, "itself", Action::NoNewPrivileges);
    }
    Ok(())
}

/// All capabilities that a container can be given: root has none but its own to give, and a user namespace has all there are.
pub fn capabilities(isolation: Isolation) -> Vec<Capability> {
    let can = match isolation {
        Isolation::Root => caps::read(None, caps::CapSet::Permitted).unwrap_or_default(),
        Isolation::Rootless => caps::runtime::thread_all_supported(),
    };
    let mut all: Vec<Capability> = can
        .iter()
        .filter_map(|capability| serde_json::from_value(capability.to_string().into()).ok())
        .collect();
    all.sort_by_key(ToString::to_string);
    all
}

/// Ids that could not be mapped.
#[derive(Debug, Error)]
pub enum MapError {
    /// By this process.
    #[error("cannot write {path}: {source} (a user may map one id, the own one; anything else takes root)")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// By the programs that map what root has lent.
    #[error(transparent)]
    Lent(#[from] NotLent),
}

/// Maps the ids of a new user namespace: nobody inside is anybody before that.
pub(super) fn map(pid: Pid, linux: &Linux) -> Result<(), MapError> {
    let users = linux.uid_mappings().as_deref().unwrap_or_default();
    let groups = linux.gid_mappings().as_deref().unwrap_or_default();
    map_all(pid, users, groups)
}

/// Says which ids of a process are which outside.
pub(super) fn map_all(pid: Pid, users: &[LinuxIdMapping], groups: &[LinuxIdMapping]) -> Result<(), MapError> {
    let directory = PathBuf::from(format!("/proc/{pid}"));
    let are_lent = lent::is_more_than_own(users) && lent::is_more_than_own(groups);
    if !geteuid().is_root() && are_lent {
        lent::map_users(pid, users)?;
        return Ok(lent::map_groups(pid, groups)?);
    }
    if !geteuid().is_root() {
        // Or a user could leave a group that a file denies access to, and get it.
        write(directory.join("setgroups"), "deny")?;
    }
    write(directory.join("uid_map"), &lines(users))?;
    write(directory.join("gid_map"), &lines(groups))
}

/// Whether the container has more ids than its user.
fn are_lent(linux: &Linux) -> bool {
    let more = |mappings: &Option<Vec<LinuxIdMapping>>| {
        lent::is_more_than_own(mappings.as_deref().unwrap_or_default())
    };
    more(linux.uid_mappings()) && more(linux.gid_mappings())
}

fn lines(mappings: &[LinuxIdMapping]) -> String {
    let line = |m: &LinuxIdMapping| format!("{} {} {}\n", m.container_id(), m.host_id(), m.size());
    mappings.iter().map(line).collect()
}

fn write(path: PathBuf, text: &str) -> Result<(), MapError> {
    fs::write(&path, text).map_err(|source| MapError::Write { path, source })
}

fn become_user(draft: &mut Draft, process: &Process, linux: &Linux) {
    let user = process.user();
    if user.uid() != 0 {
        draft.add(Step::User, "its capabilities", Action::KeepCapabilities);
    }
    let groups = user.additional_gids().clone().unwrap_or_default();
    // Where a user has one id, groups cannot be set, not even to none. The own one need not be.
    let others = groups.iter().any(|group| *group != user.gid());
    if !has_user_namespace(linux) || are_lent(linux) || others {
        draft.add(Step::User, format!("groups {groups:?}"), Action::SetGroups(groups));
    }
    draft.add(Step::User, format!("group {}", user.gid()), Action::SetGroup(user.gid()));
    draft.add(Step::User, format!("user {}", user.uid()), Action::SetUser(user.uid()));
    let mask = Mode::from_bits_truncate(user.umask().unwrap_or(0o022));
    draft.add(Step::User, "its file mode mask", Action::SetFileModeMask(mask));
}

fn mask(set: &HashSet<Capability>) -> Result<u64, BundleError> {
    set.iter().try_fold(0, |mask, capability| {
        let name = format!("CAP_{capability}");
        let known: caps::Capability =
            name.parse().map_err(|_| BundleError::Unsupported(format!("capability {name}")))?;
        Ok(mask | 1 << known.index())
    })
}

fn resource(kind: PosixRlimitType) -> Resource {
    match kind {
        PosixRlimitType::RlimitCpu => Resource::RLIMIT_CPU,
        PosixRlimitType::RlimitFsize => Resource::RLIMIT_FSIZE,
        PosixRlimitType::RlimitData => Resource::RLIMIT_DATA,
        PosixRlimitType::RlimitStack => Resource::RLIMIT_STACK,
        PosixRlimitType::RlimitCore => Resource::RLIMIT_CORE,
        PosixRlimitType::RlimitRss => Resource::RLIMIT_RSS,
        PosixRlimitType::RlimitNproc => Resource::RLIMIT_NPROC,
        PosixRlimitType::RlimitNofile => Resource::RLIMIT_NOFILE,
        PosixRlimitType::RlimitMemlock => Resource::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitAs => Resource::RLIMIT_AS,
        PosixRlimitType::RlimitLocks => Resource::RLIMIT_LOCKS,
        PosixRlimitType::RlimitSigpending => Resource::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitMsgqueue => Resource::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => Resource::RLIMIT_NICE,
        PosixRlimitType::RlimitRtprio => Resource::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => Resource::RLIMIT_RTTIME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_become_the_kernels_bits() {
        assert_eq!(mask(&HashSet::from([Capability::Chown, Capability::Kill])).unwrap(), 1 | 1 << 5);
    }
}
