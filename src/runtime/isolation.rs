//! What a container does not share with its host: namespaces, session, names, and the loopback interface.

use std::ffi::CString;
use std::fs::File;
use std::net::Ipv4Addr;

use nix::sys::stat::Mode;
use oci_spec::runtime::{Linux, LinuxNamespace, LinuxNamespaceType, Process, Spec};

use super::bundle::BundleError;
use super::operation::Action;
use super::plan::Draft;
use super::steps::Step;

/// The namespaces that come with the clone. The cgroup namespace does not: see [`Step::CgroupNamespace`].
pub(super) fn clone_flags(linux: &Linux) -> Result<u64, BundleError> {
    for (needed, name) in
        [(LinuxNamespaceType::Pid, "pid namespace"), (LinuxNamespaceType::Mount, "mount namespace")]
    {
        if !has_new(linux, needed) {
            return Err(BundleError::Missing(name));
        }
    }
    if listed(linux).iter().any(|namespace| namespace.typ() == LinuxNamespaceType::Time) {
        return Err(BundleError::Unsupported("a time namespace".to_owned()));
    }
    let new = listed(linux).iter().filter(|namespace| namespace.path().is_none());
    let flags = new.map(|namespace| namespace.typ() as u64);
    Ok(flags.fold(0, |all, flag| all | flag) & !(LinuxNamespaceType::Cgroup as u64))
}

/// All that the container has, as setns(2) lists them.
pub(super) fn kinds(linux: &Linux) -> i32 {
    listed(linux).iter().map(|namespace| namespace.typ() as i32).fold(0, |all, kind| all | kind)
}

/// Joins those that exist already.
pub(super) fn join(draft: &mut Draft, linux: &Linux) -> Result<(), BundleError> {
    for namespace in listed(linux) {
        let Some(path) = namespace.path() else { continue };
        let role = "a namespace to join";
        let file =
            File::open(path).map_err(|source| BundleError::Path { path: path.clone(), role, source })?;
        let kind = namespace.typ() as i32;
        draft.add(
            Step::JoinNamespaces,
            path.display().to_string(),
            Action::Join { namespace: file.into(), kind },
        );
    }
    Ok(())
}

/// Everything from the session to the loopback interface.
pub(super) fn isolate(
    draft: &mut Draft,
    spec: &Spec,
    process: &Process,
    linux: &Linux,
    address: Option<Ipv4Addr>,
) -> Result<(), BundleError> {
    draft.add(Step::Session, "itself", Action::BeginSession);
    draft.add(Step::Session, "its file mode mask", Action::SetFileModeMask(Mode::empty()));
    if process.terminal() == Some(true) {
        draft.add(Step::Session, "its terminal", Action::TakeTerminal);
    }
    if has_new(linux, LinuxNamespaceType::Cgroup) {
        draft.add(Step::CgroupNamespace, "itself", Action::UnshareCgroup);
    }
    if let Some(name) = spec.hostname() {
        draft.add(Step::HostName, name, Action::SetHostName(CString::new(name.as_str())?));
    }
    if let Some(name) = spec.domainname() {
        draft.add(Step::HostName, name, Action::SetDomainName(CString::new(name.as_str())?));
    }
    if has_new(linux, LinuxNamespaceType::Network) {
        draft.add(Step::Loopback, "lo", Action::LoopbackUp);
        if let Some(address) = address {
            draft.add(Step::Loopback, address.to_string(), Action::AddAddress(address));
        }
    }
    Ok(())
}

/// Whether the container gets a user namespace of its own.
pub(super) fn has_user_namespace(linux: &Linux) -> bool {
    has_new(linux, LinuxNamespaceType::User)
}

fn has_new(linux: &Linux, kind: LinuxNamespaceType) -> bool {
    listed(linux).iter().any(|namespace| namespace.typ() == kind && namespace.path().is_none())
}

fn listed(linux: &Linux) -> &[LinuxNamespace] {
    linux.namespaces().as_deref().unwrap_or_default()
}
