//! Which cgroups there are, and what can be done with them.

use super::{Finding, Verdict};
use crate::runtime::{Cgroups, Freezer};

pub(super) fn all() -> Vec<Finding> {
    let cgroups = Cgroups::detect();
    let mut findings = vec![freezer(&cgroups)];
    findings.extend(limits(&cgroups));
    findings
}

fn freezer(cgroups: &Cgroups) -> Finding {
    const TOPIC: &str = "freezer";
    let layout = cgroups.layout();
    match cgroups.freezer() {
        Freezer::CgroupV2 => Finding::works(TOPIC, format!("cgroup v2 ({layout})")),
        Freezer::CgroupV1 => Finding::lacks(
            TOPIC,
            Verdict::Limited,
            format!("cgroup v1 ({layout})"),
            "a SIGKILL that reaches what is frozen: with v1 it waits for the thaw",
            "mount the unified hierarchy: mount -t cgroup2 none /sys/fs/cgroup/unified",
        ),
        Freezer::Signals => Finding::lacks(
            TOPIC,
            Verdict::Limited,
            format!("none ({layout})"),
            "a pause that processes do not notice: they are stopped by SIGSTOP",
            "run as root, or under systemd-run --user --scope -p Delegate=yes",
        ),
    }
}

/// A line for what can be limited, and one for each that cannot.
fn limits(cgroups: &Cgroups) -> Vec<Finding> {
    let can: Vec<String> = cgroups.can_limit().iter().map(ToString::to_string).collect();
    let mut findings = Vec::new();
    if !can.is_empty() {
        findings.push(Finding::works("limits", can.join(", ")));
    }
    findings.extend(cgroups.lacks().into_iter().map(|(controller, lack)| {
        // The reason, and in brackets what to do.
        let said = lack.to_string();
        let (why, remedy) = said.split_once(" (").unwrap_or((&said, ""));
        let lost = format!("limits on {controller}, and scenarios that set them");
        let remedy = remedy.trim_end_matches(')');
        Finding::lacks("limits", Verdict::Limited, format!("none on {controller}: {why}"), lost, remedy)
    }));
    findings
}
