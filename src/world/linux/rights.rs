//! What a container's processes may do, beyond or short of what is usual.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};
use oci_spec::runtime::{
    Capability, LinuxCapabilities, LinuxDevice, LinuxDeviceBuilder, LinuxDeviceType, Mount, Spec,
};
use thiserror::Error;

use crate::model::{CallFilter, Privileges};
use crate::runtime::{self, Isolation, ProfileError, default_seccomp, seccomp_from_json};

/// Rights that cannot be given or taken.
#[derive(Debug, Error)]
pub(super) enum RightsError {
    #[error("cannot find a capability named {0} (they are listed by: man 7 capabilities)")]
    NoSuchCapability(String),
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// The word for all capabilities there are.
const ALL: &str = "ALL";

/// Writes them into a configuration that has the usual ones.
pub(super) fn grant(
    oci: &mut Spec,
    privileges: &Privileges,
    isolation: Isolation,
) -> Result<(), RightsError> {
    let usual = oci.process().as_ref().and_then(|process| process.capabilities().clone());
    let usual = usual.and_then(|sets| sets.bounding().clone()).unwrap_or_default();
    let granted = if privileges.privileged {
        runtime::capabilities(isolation)
    } else {
        granted(usual, privileges, isolation)?
    };
    let filter = match &privileges.call_filter {
        _ if privileges.privileged => None,
        CallFilter::Unconfined => None,
        CallFilter::Usual => Some(default_seccomp(&granted)),
        CallFilter::Profile(text) => Some(seccomp_from_json(text, &granted)?),
    };
    if let Some(process) = oci.process_mut() {
        let set: HashSet<Capability> = granted.iter().copied().collect();
        let mut sets = LinuxCapabilities::default();
        sets.set_bounding(Some(set.clone()))
            .set_effective(Some(set.clone()))
            .set_permitted(Some(set))
            .set_inheritable(None)
            .set_ambient(None);
        process.set_capabilities(Some(sets)).set_no_new_privileges(Some(privileges.no_new_privileges));
    }
    if let Some(linux) = oci.linux_mut() {
        linux.set_seccomp(filter);
        if privileges.privileged {
            linux.set_masked_paths(None).set_readonly_paths(None);
            if isolation == Isolation::Root {
                linux.set_devices(Some(devices_in(Path::new("/dev"))));
            }
        }
    }
    if privileges.privileged {
        let mut mounts = oci.mounts().clone().unwrap_or_default();
        mounts.iter_mut().for_each(open);
        oci.set_mounts(Some(mounts));
    }
    Ok(())
}

fn granted(
    usual: HashSet<Capability>,
    privileges: &Privileges,
    isolation: Isolation,
) -> Result<Vec<Capability>, RightsError> {
    let everything = |names: &[String]| names.iter().any(|name| name == ALL);
    let listed = |names: &[String]| -> Result<BTreeSet<String>, RightsError> {
        names.iter().filter(|name| *name != ALL).map(|name| Ok(capability(name)?.to_string())).collect()
    };
    let (added, dropped) = (listed(&privileges.cap_add)?, listed(&privileges.cap_drop)?);
    let base: Vec<Capability> = match (everything(&privileges.cap_add), everything(&privileges.cap_drop)) {
        (true, _) => runtime::capabilities(isolation),
        (false, true) => Vec::new(),
        (false, false) => usual.into_iter().collect(),
    };
    // What is named has the last word, and what is taken before what is given.
    let kept = base.into_iter().filter(|capability| !dropped.contains(&capability.to_string()));
    let given = added.iter().map(|name| capability(name)).collect::<Result<Vec<_>, _>>()?;
    let mut all: Vec<Capability> = kept.collect();
    all.extend(given.into_iter().filter(|capability| !dropped.contains(&capability.to_string())));
    all.sort_by_key(ToString::to_string);
    all.dedup();
    Ok(all)
}

fn capability(name: &str) -> Result<Capability, RightsError> {
    let unknown = || RightsError::NoSuchCapability(name.to_owned());
    serde_json::from_value(format!("CAP_{name}").into()).map_err(|_| unknown())
}

/// Every device file of the host's, for a container that may do all that the host may.
fn devices_in(directory: &Path) -> Vec<LinuxDevice> {
    let own_file_systems = ["pts", "shm", "mqueue", "hugepages"].map(|name| Path::new("/dev").join(name));
    let mut devices = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(found) = entry.metadata() else { continue };
        let kind = found.file_type();
        if kind.is_dir() && !own_file_systems.contains(&path) {
            devices.extend(devices_in(&path));
        }
        let typ = match kind {
            kind if kind.is_char_device() => LinuxDeviceType::C,
            kind if kind.is_block_device() => LinuxDeviceType::B,
            _ => continue,
        };
        let number = |part: u64| i64::try_from(part).unwrap_or(0);
        let device = LinuxDeviceBuilder::default()
            .path(path)
            .typ(typ)
            .major(number(major(found.rdev())))
            .minor(number(minor(found.rdev())))
            .file_mode(found.mode() & 0o7777);
        devices.extend(device.build().ok());
    }
    devices
}

/// What is read-only because it changes the host can be written, and devices in /dev open.
fn open(mount: &mut Mount) {
    let kernels = ["sysfs", "cgroup"].contains(&mount.typ().as_deref().unwrap_or_default());
    let in_dev = mount.destination() == Path::new("/dev");
    let options = mount.options().clone().unwrap_or_default();
    let kept = options.into_iter().filter(|word| !(kernels && word == "ro" || in_dev && word == "nodev"));
    let kept = kept.collect();
    mount.set_options(Some(kept));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::default_spec;

    fn names(privileges: &Privileges) -> Vec<String> {
        let mut oci = default_spec(Isolation::Root);
        grant(&mut oci, privileges, Isolation::Root).unwrap();
        let process = oci.process().clone().unwrap();
        let bounding = process.capabilities().clone().unwrap().bounding().clone().unwrap();
        let mut names: Vec<_> = bounding.iter().map(ToString::to_string).collect();
        names.sort();
        names
    }

    fn changed(add: &[&str], drop: &[&str]) -> Privileges {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Privileges { cap_add: owned(add), cap_drop: owned(drop), ..Privileges::default() }
    }

    #[test]
    fn capabilities_are_given_and_taken_by_name() {
        assert_eq!(names(&Privileges::default()).len(), 14);
        let some = names(&changed(&["SYS_TIME"], &["CHOWN", "KILL"]));
        assert!(some.contains(&"SYS_TIME".to_owned()) && !some.contains(&"CHOWN".to_owned()));
        assert_eq!(some.len(), 13);
        assert_eq!(names(&changed(&["NET_ADMIN"], &["ALL"])), ["NET_ADMIN"]);
        let all_but_one = names(&changed(&["ALL"], &["SYS_ADMIN"]));
        assert!(!all_but_one.contains(&"SYS_ADMIN".to_owned()));
        // What a user has not, it cannot give either.
        assert!(all_but_one.len() > 30 || !nix::unistd::geteuid().is_root());
    }

    #[test]
    fn a_capability_that_nobody_knows_is_named() {
        let mut oci = default_spec(Isolation::Root);
        let error = grant(&mut oci, &changed(&["SING"], &[]), Isolation::Root).unwrap_err();
        assert!(error.to_string().starts_with("cannot find a capability named SING"));
    }

    #[test]
    fn a_filter_opens_what_a_capability_is_for() {
        let mut oci = default_spec(Isolation::Root);
        grant(&mut oci, &changed(&["SYS_ADMIN"], &[]), Isolation::Root).unwrap();
        let rules = oci.linux().as_ref().unwrap().seccomp().clone().unwrap();
        let free = rules.syscalls().iter().flatten().find(|rule| rule.names().len() > 100).unwrap();
        assert!(free.names().contains(&"mount".to_owned()));
    }

    #[test]
    fn a_privileged_container_has_no_filter_no_mask_and_the_hosts_devices() {
        let mut oci = default_spec(Isolation::Root);
        let privileges = Privileges { privileged: true, ..Privileges::default() };
        grant(&mut oci, &privileges, Isolation::Root).unwrap();
        let linux = oci.linux().as_ref().unwrap();
        assert!(linux.seccomp().is_none() && linux.masked_paths().is_none());
        assert!(linux.devices().iter().flatten().any(|device| device.path() == Path::new("/dev/null")));
    }
}
