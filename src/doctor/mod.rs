//! What a host can do for containers, found out by looking and by trying: what works, and for each lack what is lost by it and
//! how it can be had.

mod cgroups;
mod ids;
mod kernel;
mod leftovers;
mod network;

use std::path::Path;

use serde::Serialize;

pub use leftovers::{ClearError, clear};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub topic: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What there is.
    pub found: String,
    /// What cannot be done for want of it; none if nothing is lost.
    pub lost: Option<String>,
    /// How it can be had.
    pub remedy: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Works,
    /// Containers live, and something is missing to them.
    Limited,
    /// No container lives here.
    Missing,
}

/// Looks at this host, for the user that asks. A container is tried beneath `root`, or where temporary files are.
pub fn examine(root: Option<&Path>) -> Vec<Finding> {
    // A directory that is not there yet will be where its first ancestor is.
    let chosen = root.and_then(|root| root.ancestors().find(|path| path.is_dir()));
    let scratch = chosen.map_or_else(std::env::temp_dir, Path::to_path_buf);
    let mut findings = vec![kernel::release(), kernel::namespaces(), kernel::containers(&scratch)];
    findings.extend([kernel::overlay(), kernel::call_filters(), kernel::user_namespaces()]);
    findings.extend(cgroups::all());
    findings.extend([ids::mapping(), ids::ports(), network::outwards(), kernel::systemd()]);
    findings.push(leftovers::look(root));
    findings
}

impl Finding {
    fn works(topic: &'static str, found: impl Into<String>) -> Self {
        Self { topic, verdict: Verdict::Works, found: found.into(), lost: None, remedy: None }
    }

    fn lacks(
        topic: &'static str,
        verdict: Verdict,
        found: impl Into<String>,
        lost: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { topic, verdict, found: found.into(), lost: Some(lost.into()), remedy: Some(remedy.into()) }
    }
}

/// A file of /proc or /sys, without the line's end.
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lack_says_what_is_lost_and_how_it_can_be_had() {
        let directory = tempfile::tempdir().unwrap();
        let findings = examine(Some(directory.path()));
        assert!(findings.len() >= 10, "{findings:#?}");
        for finding in &findings {
            let complete = finding.lost.is_some() && finding.remedy.is_some();
            assert_eq!(complete, finding.verdict != Verdict::Works, "{finding:#?}");
            assert!(!finding.found.is_empty(), "{finding:#?}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "the trial leaves something");
    }
}
