//! Making a container: a plan, a cgroup, a clone, and what only the parent can do for the child.

use nix::errno::Errno;
use thiserror::Error;

use super::bundle::{Bundle, BundleError, CreateOptions};
use super::cgroup::{CgroupError, Cgroups, LimitError};
use super::container::{Container, SetUp};
use super::descriptors::{DescriptorError, belongings, channel};
use super::ids::{self, MapError};
use super::isolation::has_user_namespace;
use super::plan::{Plan, Surroundings};
use super::{init, resources, sys};

/// Why there is no container. Whatever had been made for it is gone again.
#[derive(Debug, Error)]
pub enum CreateError {
    /// The bundle is wrong.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Its cgroup could not be made or joined.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The host does not enforce one of its limits.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// What stands ready before the clone could not be had.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The kernel made no child.
    #[error("cannot clone into new namespaces: {} ({})", .0.desc().to_lowercase(), clone_advice(*.0))]
    Clone(Errno),
    /// The ids of its user namespace could not be mapped.
    #[error(transparent)]
    MapIds(#[from] MapError),
}

/// Makes a container. It sets itself up while this returns: what becomes of that is told by [`Container::progress`].
///
/// A child has a copy of every open file until it has closed them, so a program that another thread is just writing cannot
/// be executed for that moment ("text file busy").
///
/// The container dies with the *thread* that calls this: it has to be one that lives as long as the container shall.
pub fn create(bundle: &Bundle, cgroups: &Cgroups, options: CreateOptions) -> Result<Container, CreateError> {
    let linux = bundle.spec.linux().as_ref().ok_or(BundleError::Missing("linux section"))?;
    let limits = resources::limits(linux)?;
    cgroups.check(&limits)?;
    let needs_mapping = has_user_namespace(linux);
    let surroundings = Surroundings {
        keeper_has_work: needs_mapping || cgroups.attaches_afterwards(&limits),
        unified_hierarchy: cgroups.has_unified_hierarchy(),
        address: options.address,
    };
    let plan = Plan::of(bundle, surroundings)?;
    let (channel, far_end) = channel()?;
    let mut belongings = belongings(options.stdio, options.preserve_fds, far_end, plan.trees)?;

    let mut cgroup = cgroups.create(&options.cgroup)?;
    if let Err(error) = cgroup.limit(&limits, |_| Vec::new()) {
        cgroup.remove()?;
        return Err(error.into());
    }
    let child = || init::walk(&plan.operations, &plan.program, &mut belongings, options.stall);
    let init = match sys::clone_child(plan.clone_flags, cgroup.clone_target(), child) {
        Ok(cloned) => cloned,
        Err(errno) => {
            cgroup.remove()?;
            return Err(CreateError::Clone(errno));
        }
    };
    // From here on an early return drops the container, which ends it and removes its cgroup.
    let container = Container::new(init, channel, bundle.spec.clone(), cgroup, SetUp::from(plan));
    if surroundings.keeper_has_work {
        container.attach()?;
        if needs_mapping {
            ids::map(container.pid(), linux)?;
        }
        container.say_go_on();
    }
    Ok(container)
}

impl Bundle {
    /// Finds out whether a container can be made of it, as far as that can be said without making one.
    pub fn check(&self) -> Result<(), CreateError> {
        let linux = self.spec.linux().as_ref().ok_or(BundleError::Missing("linux section"))?;
        resources::limits(linux)?;
        let around = Surroundings { keeper_has_work: true, unified_hierarchy: true, address: None };
        Plan::of(self, around)?;
        Ok(())
    }
}

pub(super) fn clone_advice(errno: Errno) -> &'static str {
    match errno {
        Errno::EPERM | Errno::EACCES => {
            "without root this needs user namespaces: sysctl kernel.unprivileged_userns_clone=1, \
             kernel.apparmor_restrict_unprivileged_userns=0, and no seccomp filter around that forbids clone3"
        }
        Errno::ENOSPC | Errno::EUSERS => "too many namespaces: raise the limits in /proc/sys/user",
        Errno::ENOSYS => "this kernel is too old, or a seccomp filter hides clone3: Linux 5.12 is needed",
        Errno::EAGAIN => "too many processes: raise ulimit -u or the cgroup's pids.max",
        Errno::EBUSY => "its cgroup distributes controllers to children, so it takes no processes itself",
        _ => "the kernel may lack a kind of namespace: look at /proc/self/ns",
    }
}
