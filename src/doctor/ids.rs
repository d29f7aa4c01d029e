//! Which ids and which ports an ordinary user gets.

use nix::unistd::geteuid;

use super::{Finding, Verdict, read};
use crate::runtime::lent_ids;

/// Which ids a container's users are on the host.
pub(super) fn mapping() -> Finding {
    const TOPIC: &str = "ids";
    if geteuid().is_root() {
        return Finding::works(TOPIC, "root's containers have all of them");
    }
    match lent_ids() {
        Ok(lent) => {
            let found = format!("{} of them: your own is 0 inside, then come {}", lent.count(), lent.shown());
            Finding::works(TOPIC, found)
        }
        Err(why) => {
            // The reason, and in brackets what to do.
            let said = why.to_string();
            let (why, remedy) = said.rsplit_once(" (").unwrap_or((&said, ""));
            Finding::lacks(
                TOPIC,
                Verdict::Limited,
                format!("one, your own, which is 0 inside: {why}"),
                "users inside beside 0: all files belong to it, and becoming another fails",
                remedy.trim_end_matches(')'),
            )
        }
    }
}

/// From which port on an ordinary user may listen.
pub(super) fn ports() -> Finding {
    const TOPIC: &str = "ports";
    if geteuid().is_root() {
        return Finding::works(TOPIC, "root publishes any");
    }
    let first =
        read("/proc/sys/net/ipv4/ip_unprivileged_port_start").and_then(|text| text.parse::<u32>().ok());
    match first {
        Some(0 | 1) => Finding::works(TOPIC, "any can be published"),
        first => Finding::lacks(
            TOPIC,
            Verdict::Limited,
            format!("from {} on", first.unwrap_or(1024)),
            "publishing those below",
            "as root: sysctl net.ipv4.ip_unprivileged_port_start=80",
        ),
    }
}
