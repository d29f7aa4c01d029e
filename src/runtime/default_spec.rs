//! The configuration of an ordinary container, with Docker's defaults: what is shared, what is hidden, what is allowed.

use std::collections::HashMap;
use std::path::PathBuf;

use nix::unistd::{getegid, geteuid};
use oci_spec::runtime::{
    Capability, Linux, LinuxCapabilities, LinuxNamespace, LinuxNamespaceType, Mount, Process, Spec, User,
};

use super::lent::{self, lent_ids};
use super::seccomp::default_seccomp;

/// Whose privileges a container is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Root's.
    Root,
    /// An ordinary user's: a user namespace makes that user root inside, and only there.
    Rootless,
}

/// Docker's fourteen.
const CAPABILITIES: [Capability; 14] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fsetid,
    Capability::Fowner,
    Capability::Mknod,
    Capability::NetRaw,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setfcap,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::SysChroot,
    Capability::Kill,
    Capability::AuditWrite,
];

const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// A configuration to start from. Arguments, environment and host name are for the caller to set.
pub fn default_spec(isolation: Isolation) -> Spec {
    let mut process = Process::default();
    process
        .set_args(Some(Vec::new()))
        .set_env(Some(vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()]))
        .set_cwd(PathBuf::from("/"))
        .set_user(User::default())
        .set_capabilities(Some(capabilities()))
        .set_rlimits(None)
        .set_no_new_privileges(Some(false));

    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces(isolation)))
        .set_masked_paths(Some(MASKED.map(str::to_owned).to_vec()))
        .set_readonly_paths(Some(READONLY.map(str::to_owned).to_vec()))
        .set_seccomp(Some(default_seccomp(&CAPABILITIES)))
        .set_resources(None);
    match isolation {
        Isolation::Root => {
            // An ordinary user of the container may listen on port 80 and send pings, as on Docker.
            let port_start = ("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned());
            let ping = ("net.ipv4.ping_group_range".to_owned(), "0 2147483647".to_owned());
            linux.set_sysctl(Some(HashMap::from([port_start, ping])));
        }
        Isolation::Rootless => {
            let (users, groups) = match lent_ids() {
                Ok(lent) => (lent.users(), lent.groups()),
                Err(_) => (lent::own(geteuid().as_raw()), lent::own(getegid().as_raw())),
            };
            linux.set_uid_mappings(Some(users)).set_gid_mappings(Some(groups));
        }
    }

    let mut spec = Spec::default();
    spec.set_root(None)
        .set_hostname(None)
        .set_process(Some(process))
        .set_mounts(Some(mounts(isolation)))
        .set_linux(Some(linux));
    spec
}

fn capabilities() -> LinuxCapabilities {
    let mut sets = LinuxCapabilities::default();
    sets.set_bounding(Some(CAPABILITIES.into()))
        .set_effective(Some(CAPABILITIES.into()))
        .set_permitted(Some(CAPABILITIES.into()))
        .set_inheritable(None)
        .set_ambient(None);
    sets
}

fn namespaces(isolation: Isolation) -> Vec<LinuxNamespace> {
    use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network, Pid, User, Uts};
    let user = match isolation {
        Isolation::Root => None,
        Isolation::Rootless => Some(User),
    };
    let kinds = [Mount, Pid, Network, Uts, Ipc, Cgroup].into_iter().chain(user);
    kinds
        .map(|kind| {
            let mut namespace = LinuxNamespace::default();
            namespace.set_typ(kind);
            namespace
        })
        .collect()
}

fn mounts(isolation: Isolation) -> Vec<Mount> {
    // Group 5 owns terminals; a user has a single group mapped, and it is not that one.
    let terminals = match isolation {
        Isolation::Root => "newinstance,ptmxmode=0666,mode=0620,gid=5",
        Isolation::Rootless => "newinstance,ptmxmode=0666,mode=0620",
    };
    vec![
        mount("/proc", "proc", "nosuid,noexec,nodev"),
        mount("/dev", "tmpfs", "nosuid,nodev,strictatime,mode=755,size=65536k"),
        mount("/dev/pts", "devpts", &format!("nosuid,noexec,{terminals}")),
        mount("/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=65536k"),
        mount("/dev/mqueue", "mqueue", "nosuid,noexec,nodev"),
        mount("/sys", "sysfs", "nosuid,noexec,nodev,ro"),
        mount("/sys/fs/cgroup", "cgroup", "nosuid,noexec,nodev,ro"),
    ]
}

fn mount(target: &str, kind: &str, options: &str) -> Mount {
    let mut mount = Mount::default();
    mount
        .set_destination(PathBuf::from(target))
        .set_typ(Some(kind.to_owned()))
        .set_source(Some(PathBuf::from(kind)))
        .set_options(Some(options.split(',').map(str::to_owned).collect()));
    mount
}
