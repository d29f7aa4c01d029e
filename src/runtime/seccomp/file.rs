//! A profile in Docker's format, as `--security-opt seccomp=FILE` takes it: rules that hold for some machines,
//! capabilities and kernels.

use std::collections::HashSet;

use nix::sys::utsname::uname;
use oci_spec::runtime::{
    Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSyscall,
};
use serde::Deserialize;
use thiserror::Error;

/// A profile that cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the seccomp profile: {0} (it has to be JSON as Docker's default profile is)")]
pub struct ProfileError(#[from] serde_json::Error);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: LinuxSeccompAction,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    #[serde(default)]
    flags: Option<Vec<LinuxSeccompFilterFlag>>,
    #[serde(default)]
    syscalls: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    names: Vec<String>,
    /// As older profiles write it, one at a time.
    #[serde(default)]
    name: Option<String>,
    action: LinuxSeccompAction,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<LinuxSeccompArg>>,
    #[serde(default)]
    includes: Option<Circumstances>,
    #[serde(default)]
    excludes: Option<Circumstances>,
}

/// When an entry holds.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Circumstances {
    #[serde(default)]
    arches: Option<Vec<String>>,
    #[serde(default)]
    caps: Option<Vec<String>>,
    #[serde(default)]
    min_kernel: Option<String>,
}

/// The filter that a profile makes for a container with the capabilities `granted`.
pub fn seccomp_from_json(text: &str, granted: &[Capability]) -> Result<LinuxSeccomp, ProfileError> {
    let profile: Profile = serde_json::from_str(text)?;
    let here = Here::new(granted);
    let mut seccomp = LinuxSeccomp::default();
    seccomp
        .set_default_action(profile.default_action)
        .set_default_errno_ret(profile.default_errno_ret)
        .set_flags(profile.flags);
    let entries = profile.syscalls.unwrap_or_default().into_iter();
    let rules = entries.filter(|entry| here.takes(entry)).map(|entry| {
        let mut rule = LinuxSyscall::default();
        rule.set_names(entry.names.into_iter().chain(entry.name).collect())
            .set_action(entry.action)
            .set_errno_ret(entry.errno_ret)
            .set_args(entry.args.filter(|args| !args.is_empty()));
        rule
    });
    seccomp.set_syscalls(Some(rules.collect()));
    Ok(seccomp)
}

/// What entries ask about.
struct Here {
    machine: &'static str,
    capabilities: HashSet<String>,
    kernel: (u32, u32),
}

impl Here {
    fn new(granted: &[Capability]) -> Self {
        let release = uname().ok().map(|names| names.release().to_string_lossy().into_owned());
        Self {
            machine: match std::env::consts::ARCH {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            },
            capabilities: granted.iter().map(|capability| format!("CAP_{capability}")).collect(),
            kernel: release.as_deref().and_then(version).unwrap_or((0, 0)),
        }
    }

    /// All that it includes has to be so, and nothing that it excludes.
    fn takes(&self, entry: &Entry) -> bool {
        let (everything, nothing) = (Circumstances::default(), Circumstances::default());
        let includes = entry.includes.as_ref().unwrap_or(&everything);
        let excludes = entry.excludes.as_ref().unwrap_or(&nothing);
        let has = |capability: &String| self.capabilities.contains(capability);
        let is_here = |machine: &String| machine == self.machine;
        let includes_this =
            includes.arches.as_ref().is_none_or(|list| list.is_empty() || list.iter().any(is_here))
                && includes.caps.as_ref().is_none_or(|list| list.iter().all(has))
                && includes.min_kernel.as_ref().is_none_or(|least| self.is_at_least(least));
        let excludes_this = excludes.arches.iter().flatten().any(is_here)
            || excludes.caps.iter().flatten().any(has)
            || excludes.min_kernel.as_ref().is_some_and(|least| self.is_at_least(least));
        includes_this && !excludes_this
    }

    fn is_at_least(&self, least: &str) -> bool {
        version(least).is_some_and(|least| self.kernel >= least)
    }
}

/// The two numbers that a version begins with.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(|letter: char| !letter.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "archMap": [],
        "syscalls": [
            { "names": ["read", "write"], "action": "SCMP_ACT_ALLOW" },
            { "name": "kill", "action": "SCMP_ACT_ALLOW", "args": [] },
            { "names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_ADMIN"] } },
            { "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": { "caps": ["CAP_SYS_ADMIN"] } },
            { "names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": { "minKernel": "4.8" } },
            { "names": ["tomorrow"], "action": "SCMP_ACT_ALLOW", "includes": { "minKernel": "1000.0" } },
            { "names": ["elsewhere"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["s390x"] } }
        ]}"#;

    fn names(granted: &[Capability]) -> Vec<String> {
        let seccomp = seccomp_from_json(PROFILE, granted).unwrap();
        seccomp.syscalls().iter().flatten().flat_map(|rule| rule.names().clone()).collect()
    }

    #[test]
    fn an_entry_holds_under_its_circumstances_alone() {
        assert_eq!(names(&[]), ["read", "write", "kill", "clone3", "ptrace"]);
        assert_eq!(names(&[Capability::SysAdmin]), ["read", "write", "kill", "mount", "ptrace"]);
    }

    #[test]
    fn what_is_no_profile_is_told_with_its_place() {
        let error = seccomp_from_json("{ \"defaultAction\": \"SCMP_ACT_SING\" }", &[]).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot read the seccomp profile: unknown variant `SCMP_ACT_SING`")
        );
    }
}
