//! The system calls that a container may make unless it is said otherwise: what Docker's default profile reaches.
//!
//! It is written down the other way round: everything that this version knows is free but for what follows, and what it
//! does not know is not there. A call that would take a capability is free for a container that has that capability.

use std::collections::BTreeSet;

use oci_spec::runtime::{
    Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator, LinuxSyscall,
};

use super::calls::{Machine, NATIVE};

/// Nobody gets these: keys and some NUMA placement know no namespace, and the others run too much of the kernel for what
/// programs gain by them, or are long dead.
const NEVER: &[&str] = &[
    "_sysctl",
    "add_key",
    "afs_syscall",
    "create_module",
    "file_getattr",
    "file_setattr",
    "get_kernel_syms",
    "getpmsg",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lsm_get_self_attr",
    "lsm_list_modules",
    "lsm_set_self_attr",
    "migrate_pages",
    "move_pages",
    "nfsservctl",
    "open_tree_attr",
    "pivot_root",
    "putpmsg",
    "query_module",
    "request_key",
    "security",
    "swapoff",
    "swapon",
    "sysfs",
    "tuxcall",
    "uselib",
    "userfaultfd",
    "ustat",
    "vserver",
];

/// These take one of the capabilities, and are closed to who has none of them.
const GUARDED: &[(&[Capability], &[&str])] = &[
    (
        &[Capability::SysAdmin],
        &[
            "fanotify_init",
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "lookup_dcookie",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "quotactl",
            "quotactl_fd",
            "setdomainname",
            "sethostname",
            "setns",
            "umount2",
            "unshare",
        ],
    ),
    (&[Capability::SysAdmin, Capability::Bpf], &["bpf"]),
    (&[Capability::SysAdmin, Capability::Perfmon], &["perf_event_open"]),
    (&[Capability::SysAdmin, Capability::Syslog], &["syslog"]),
    (&[Capability::DacReadSearch], &["open_by_handle_at"]),
    (&[Capability::SysBoot], &["reboot"]),
    (&[Capability::SysChroot], &["chroot"]),
    (&[Capability::SysModule], &["delete_module", "finit_module", "init_module"]),
    (&[Capability::SysPacct], &["acct"]),
    (&[Capability::SysPtrace], &["kcmp", "pidfd_getfd", "process_madvise"]),
    (&[Capability::SysRawio], &["ioperm", "iopl"]),
    (&[Capability::SysTime], &["clock_settime", "settimeofday"]),
    (&[Capability::SysTtyConfig], &["vhangup"]),
    (&[Capability::SysNice], &["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"]),
];

/// Every flag of clone(2) that makes a namespace.
const NEW_NAMESPACES: u64 = 0x7e02_0000;
/// The ways in which programs of 32 bits, or of another Unix, are run; the last asks and changes nothing.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
/// The kernel's cryptography, and the sockets of a virtual machine's host: neither knows of network namespaces.
const FAMILIES: [i32; 2] = [libc::AF_ALG, libc::AF_VSOCK];

/// The filter of a container that has the capabilities `granted`.
pub fn default_seccomp(granted: &[Capability]) -> LinuxSeccomp {
    let mut seccomp = LinuxSeccomp::default();
    seccomp.set_default_action(LinuxSeccompAction::ScmpActErrno).set_default_errno_ret(Some(EPERM));
    seccomp.set_syscalls(NATIVE.map(|machine| rules(machine, granted)));
    seccomp
}

const EPERM: u32 = libc::EPERM.unsigned_abs();
const ENOSYS: u32 = libc::ENOSYS.unsigned_abs();

fn rules(machine: Machine, granted: &[Capability]) -> Vec<LinuxSyscall> {
    let mut closed: BTreeSet<&str> = NEVER.iter().copied().collect();
    for (guards, calls) in GUARDED {
        if !guards.iter().any(|guard| granted.contains(guard)) {
            closed.extend(*calls);
        }
    }
    let mut rules = conditional(granted);
    let conditional: BTreeSet<&str> =
        rules.iter().flat_map(LinuxSyscall::names).map(String::as_str).collect();
    let free = machine.names().filter(|name| !closed.contains(name) && !conditional.contains(name));
    let free = free.map(str::to_owned).collect();
    rules.push(rule(free, LinuxSeccompAction::ScmpActAllow));
    rules
}

/// Calls that depend on what is asked of them.
fn conditional(granted: &[Capability]) -> Vec<LinuxSyscall> {
    use LinuxSeccompAction::{ScmpActAllow as Allow, ScmpActErrno as Deny};
    let mut rules = Vec::new();
    if !granted.contains(&Capability::SysAdmin) {
        let none_of_them = argument(LinuxSeccompOperator::ScmpCmpMaskedEq, NEW_NAMESPACES, Some(0));
        rules.push(with(named("clone", Allow), none_of_them));
        // Its flags lie in memory, where no filter can look. The C library takes clone where there is no clone3.
        let mut clone3 = named("clone3", Deny);
        clone3.set_errno_ret(Some(ENOSYS));
        rules.push(clone3);
    }
    for family in FAMILIES {
        // Of this argument the kernel looks at the lower half alone, and so must we.
        let low = argument(
            LinuxSeccompOperator::ScmpCmpMaskedEq,
            u64::from(u32::MAX),
            Some(u64::from(family.unsigned_abs())),
        );
        rules.push(with(named("socket", Deny), low));
    }
    rules.push(named("socket", Allow));
    for kind in PERSONALITIES {
        let equal = argument(LinuxSeccompOperator::ScmpCmpEq, kind, None);
        rules.push(with(named("personality", Allow), equal));
    }
    rules
}

fn named(name: &str, action: LinuxSeccompAction) -> LinuxSyscall {
    rule(vec![name.to_owned()], action)
}

fn rule(names: Vec<String>, action: LinuxSeccompAction) -> LinuxSyscall {
    let mut rule = LinuxSyscall::default();
    rule.set_names(names).set_action(action);
    rule
}

fn with(mut rule: LinuxSyscall, first_argument: LinuxSeccompArg) -> LinuxSyscall {
    rule.set_args(Some(vec![first_argument]));
    rule
}

fn argument(op: LinuxSeccompOperator, value: u64, value_two: Option<u64>) -> LinuxSeccompArg {
    let built = LinuxSeccompArgBuilder::default().index(0_usize).op(op).value(value);
    let built = match value_two {
        Some(second) => built.value_two(second),
        None => built,
    };
    built.build().expect("every field has a value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(granted: &[Capability]) -> BTreeSet<String> {
        let seccomp = default_seccomp(granted);
        let rules = seccomp.syscalls().clone().unwrap();
        let without_condition = rules
            .iter()
            .filter(|rule| rule.action() == LinuxSeccompAction::ScmpActAllow && rule.args().is_none());
        without_condition.flat_map(|rule| rule.names().clone()).collect()
    }

    #[test]
    fn everything_that_is_held_back_is_a_call_that_exists() {
        let guarded = GUARDED.iter().flat_map(|(_, calls)| calls.iter());
        for name in NEVER.iter().chain(guarded) {
            let known =
                [Machine::X86_64, Machine::Arm64].iter().any(|machine| machine.number(name).is_some());
            assert!(known, "{name}");
        }
    }

    #[test]
    fn a_capability_opens_the_calls_that_it_is_for() {
        let usual = free(&[Capability::SysChroot]);
        assert!(usual.contains("read") && usual.contains("chroot") && usual.contains("ptrace"));
        for closed in ["mount", "keyctl", "bpf", "unshare", "clone", "clone3", "io_uring_setup", "reboot"] {
            assert!(!usual.contains(closed), "{closed}");
        }
        let admin = free(&[Capability::SysAdmin]);
        for open in ["mount", "bpf", "unshare", "clone", "clone3", "syslog"] {
            assert!(admin.contains(open), "{open}");
        }
        assert!(!admin.contains("keyctl") && !admin.contains("chroot"));
    }
}
