//! The steps from a clone to a container, in order. The order is the security argument: each says why it stands where it
//! stands.

use std::fmt;

use nix::errno::Errno;
use thiserror::Error;

/// One step of the set-up, taken by the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Die with the process that keeps this one.
    DeathSignal,
    /// Join namespaces that exist already.
    JoinNamespaces,
    /// Take the descriptors that are meant for the container and close all others.
    Descriptors,
    /// Forget the caller's signal mask and dispositions.
    ResetSignals,
    /// Wait until the parent has done what only it can do.
    AwaitKeeper,
    /// Begin a session.
    Session,
    /// Unshare the cgroup namespace.
    CgroupNamespace,
    /// Set host name and domain name.
    HostName,
    /// Bring the loopback interface up.
    Loopback,
    /// Cut the mount namespace off from the host's.
    PrivateMounts,
    /// Make the mounts that the bundle lists, unattached.
    PrepareMounts,
    /// Mount the root file system.
    RootFileSystem,
    /// Make it the root.
    PivotRoot,
    /// Let go of the host's root.
    LeaveOldRoot,
    /// Attach the prepared mounts.
    Mounts,
    /// Fill /dev.
    Devices,
    /// Write the bundle's sysctls.
    KernelSettings,
    /// Hide what tells too much.
    MaskPaths,
    /// Write-protect what changes the kernel.
    ReadonlyPaths,
    /// Write-protect the root file system, if the bundle wants it so.
    ReadonlyRoot,
    /// Change to the working directory.
    WorkingDirectory,
    /// Set resource limits.
    Limits,
    /// Give up capabilities for ever.
    BoundingSet,
    /// Become the container's user.
    User,
    /// Keep only the capabilities that the bundle grants.
    Capabilities,
    /// Forbid gaining privileges by execve.
    NoNewPrivileges,
    /// Die with the keeper, said once more.
    DeathSignalAgain,
    /// Be seen by the keeper again.
    Visible,
    /// Forbid system calls.
    CallFilter,
    /// Wait for `start`.
    Park,
    /// Become the container's program.
    Execute,
}

/// A step that failed: which, on what, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot set up the container: {}", what(*.step, .subject, *.errno))]
pub struct StepError {
    /// Which step.
    pub step: Step,
    /// What it was working on.
    pub subject: String,
    /// What the kernel said.
    pub errno: Errno,
}

/// All steps, in the order in which they are taken. A bundle need not need each of them.
pub const fn steps() -> &'static [Step] {
    &[
        Step::DeathSignal,
        Step::JoinNamespaces,
        Step::Descriptors,
        Step::ResetSignals,
        Step::AwaitKeeper,
        Step::Session,
        Step::CgroupNamespace,
        Step::HostName,
        Step::Loopback,
        Step::PrivateMounts,
        Step::PrepareMounts,
        Step::RootFileSystem,
        Step::PivotRoot,
        Step::LeaveOldRoot,
        Step::Mounts,
        Step::Devices,
        Step::KernelSettings,
        Step::MaskPaths,
        Step::ReadonlyPaths,
        Step::ReadonlyRoot,
        Step::WorkingDirectory,
        Step::Limits,
        Step::BoundingSet,
        Step::User,
        Step::Capabilities,
        Step::NoNewPrivileges,
        Step::DeathSignalAgain,
        Step::Visible,
        Step::CallFilter,
        Step::Park,
        Step::Execute,
    ]
}

impl Step {
    /// The step's name, as errors and the book say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeathSignal => "parent-death signal",
            Self::JoinNamespaces => "join namespaces",
            Self::Descriptors => "close inherited descriptors",
            Self::ResetSignals => "reset signals",
            Self::AwaitKeeper => "wait for the keeper",
            Self::Session => "session",
            Self::CgroupNamespace => "cgroup namespace",
            Self::HostName => "host name",
            Self::Loopback => "loopback up",
            Self::PrivateMounts => "private mounts",
            Self::PrepareMounts => "prepare mounts",
            Self::RootFileSystem => "root file system",
            Self::PivotRoot => "pivot root",
            Self::LeaveOldRoot => "leave the old root",
            Self::Mounts => "attach mounts",
            Self::Devices => "devices",
            Self::KernelSettings => "kernel settings",
            Self::MaskPaths => "mask paths",
            Self::ReadonlyPaths => "read-only paths",
            Self::ReadonlyRoot => "read-only root",
            Self::WorkingDirectory => "working directory",
            Self::Limits => "resource limits",
            Self::BoundingSet => "bounding set",
            Self::User => "user",
            Self::Capabilities => "capabilities",
            Self::NoNewPrivileges => "no new privileges",
            Self::DeathSignalAgain => "parent-death signal again",
            Self::Visible => "visible to the keeper",
            Self::CallFilter => "system call filter",
            Self::Park => "park",
            Self::Execute => "exec",
        }
    }

    /// Why the step is taken, and why then.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::DeathSignal => "whoever keeps a container may die at any moment, also before the next step",
            Self::JoinNamespaces => "their descriptors are the caller's, and the next step closes those",
            Self::Descriptors => {
                "a copy of a sibling's channel would keep that sibling alive after its keeper"
            }
            Self::ResetSignals => {
                "a program starts with what its parent ignored or blocked, unless that is undone"
            }
            Self::AwaitKeeper => {
                "ids are mapped and v1 cgroups are joined from outside, and what follows needs both"
            }
            Self::Session => "no terminal of the caller's may send signals here",
            Self::CgroupNamespace => {
                "its root is the cgroup one is in when it is made, so it comes after the joining"
            }
            Self::HostName => "set in the own UTS namespace, while there is still the capability to do it",
            Self::Loopback => "a new network namespace has nothing but a loopback interface that is down",
            Self::PrivateMounts => {
                "mounts made here must not show up on the host, nor the host's unmounting reach in"
            }
            Self::PrepareMounts => {
                "they are looked up on the host, and a user may make a proc only while seeing one"
            }
            Self::RootFileSystem => {
                "mounted in the container's own namespace, it cannot outlive the container"
            }
            Self::PivotRoot => "not chroot, which would leave the host's files mounted underneath",
            Self::LeaveOldRoot => {
                "while it is there, `..` at the root leads into it; from here on no link of an image leads out"
            }
            Self::Mounts => {
                "their targets are looked up in the new root, and no link leads out of it or into /proc"
            }
            Self::Devices => {
                "the new /dev is empty, and no file system of the container opens a device but these"
            }
            Self::KernelSettings => "while /proc/sys can still be written",
            Self::MaskPaths => "parts of /proc and /sys are not of a namespace and tell of the host",
            Self::ReadonlyPaths => "parts of /proc change the host's kernel when written",
            Self::ReadonlyRoot => "last of the mounts, since mount points had to be made",
            Self::WorkingDirectory => {
                "made where it is missing, which the container's user may not be allowed to"
            }
            Self::Limits => "hard limits may be raised with a capability that is about to go",
            Self::BoundingSet => "takes a capability that becoming an ordinary user loses",
            Self::User => "after everything that only root may do",
            Self::Capabilities => {
                "becoming an ordinary user may have cleared them; one more, which execve takes away, is for the filter"
            }
            Self::NoNewPrivileges => "as late as possible: it changes what the steps before may do",
            Self::DeathSignalAgain => "the kernel forgets the death signal when the ids change",
            Self::Visible => {
                "the kernel hides whoever has changed ids, and a user's keeper has to find the namespaces"
            }
            Self::CallFilter => "last, so that it need let through nothing but what the program does",
            Self::Park => "a created container is complete, but none of its program has run",
            Self::Execute => "all that is left of the runtime is replaced",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happened, and what to do about it.
pub(super) fn what(step: Step, subject: &str, errno: Errno) -> String {
    let why = errno.desc().to_lowercase();
    format!("step `{step}` failed on {subject}: {why}{}", Advice(step, errno))
}

/// What to do about a failure, where there is something to say.
struct Advice(Step, Errno);

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(step, errno) = *self;
        let advice = match (step, errno) {
            (Step::JoinNamespaces, Errno::ESRCH) => "the container has ended: create and start another one",
            (Step::RootFileSystem, Errno::ENODEV) => "this kernel has no overlayfs: modprobe overlay",
            (Step::RootFileSystem, Errno::EINVAL) => {
                "the upper layer may be on a file system that overlayfs cannot use, such as another overlay: \
                 choose a directory on ext4, xfs, btrfs or tmpfs"
            }
            (Step::RootFileSystem, Errno::EPERM) => {
                "overlayfs for users needs Linux 5.11: run as root or use a newer kernel"
            }
            (Step::PivotRoot, Errno::EINVAL) => {
                "this system runs from its initramfs, which cannot be left: switch_root to a file system first"
            }
            (Step::PrepareMounts, Errno::EPERM | Errno::EACCES) => {
                "this host is a container that hides parts of /proc, or a security policy denies mounting: \
                 run on the host itself, or unmask /proc and /sys"
            }
            (Step::PrivateMounts, Errno::EPERM | Errno::EACCES) => {
                "a security policy denies mounting in a user namespace: see apparmor_restrict_unprivileged_userns \
                 in sysctl -a, or run as root"
            }
            (Step::User, Errno::EINVAL) => {
                "this id is not mapped into the container's user namespace: use user 0, have ids lent (terrarium doctor says how), or \
                 run as root"
            }
            (Step::User, Errno::EPERM) => {
                "a container of a user who has one id cannot have supplementary groups: have ids lent (terrarium doctor says how), \
                 or run as root"
            }
            (Step::CallFilter, Errno::EINVAL | Errno::ENOSYS) => {
                "this kernel has no seccomp filters: give the container none (--security-opt seccomp=unconfined), or use \
                 a kernel with CONFIG_SECCOMP_FILTER"
            }
            (Step::Mounts, Errno::EXDEV | Errno::ELOOP) => {
                "a link of the image leads where nothing may be mounted: mount it somewhere else"
            }
            (Step::WorkingDirectory, Errno::ELOOP) => "it leads through a link of /proc: choose another one",
            (Step::HostName, Errno::EINVAL) => "a host name has at most 64 bytes",
            (Step::WorkingDirectory, Errno::ENOTDIR) => "a component of it is a file",
            (Step::Limits, Errno::EPERM) => "a user cannot raise a hard limit: ask for a lower one",
            (_, Errno::ENOSYS) => "this kernel is too old: Linux 5.12 is needed",
            (_, Errno::ENOENT) => "it, or a directory on the way to it, does not exist",
            (_, Errno::ENOMEM) => "the host is out of memory",
            (_, Errno::EPERM | Errno::EACCES) => {
                "this host does not allow it: run as root, or look at its security policy"
            }
            _ => return Ok(()),
        };
        write!(f, " ({advice})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_steps_and_complete() {
        assert!(steps().is_sorted_by(|a, b| a < b));
        assert_eq!(steps().len(), Step::Execute as usize + 1);
    }

    #[test]
    fn a_failed_step_says_which_on_what_why_and_what_to_do() {
        let error =
            StepError { step: Step::RootFileSystem, subject: "/c/merged".to_owned(), errno: Errno::ENODEV };
        assert_eq!(
            error.to_string(),
            "cannot set up the container: step `root file system` failed on /c/merged: \
             no such device (this kernel has no overlayfs: modprobe overlay)"
        );
    }
}
