//! How containers get out of this host: root's by the bridge and the host's routes, a user's by a program that carries.

use nix::unistd::geteuid;

use super::{Finding, Verdict};
use crate::network::{Carrier, OutletError, WayOut, way_out};

const TOPIC: &str = "way out";
/// What an exception for our links looks like where Docker keeps a chain for such.
const EXCEPTION: &str = "iptables -I DOCKER-USER -i terrarium+ -j ACCEPT; iptables -I DOCKER-USER -o terrarium+ -m conntrack \
                         --ctstate RELATED,ESTABLISHED -j ACCEPT (without Docker, in FORWARD)";

pub(super) fn outwards() -> Finding {
    if geteuid().is_root() { roots() } else { users() }
}

fn roots() -> Finding {
    const LOST: &str =
        "connections of containers to the outside; they reach each other and this host all the same";
    match way_out() {
        WayOut::Open => Finding::works(TOPIC, "by a bridge, with this host's address"),
        WayOut::NotForwarded => Finding::lacks(
            TOPIC,
            Verdict::Limited,
            "this host forwards no packets (net.ipv4.ip_forward is not 1)",
            LOST,
            "sysctl net.ipv4.ip_forward=1",
        ),
        WayOut::Filtered(chains) => Finding::lacks(
            TOPIC,
            Verdict::Limited,
            format!(
                "this host drops what its rules do not know, and none knows terrarium: {}",
                chains.join(", ")
            ),
            LOST,
            EXCEPTION,
        ),
    }
}

fn users() -> Finding {
    const LOST: &str = "connections of containers to the outside; they reach each other, and published ports lead in, all the same";
    match Carrier::find() {
        Ok((carrier, program)) => {
            Finding::works(TOPIC, format!("{carrier} carries packets ({})", program.display()))
        }
        Err(error) => {
            let remedy = match &error {
                OutletError::NoTun { .. } => "as root: chmod 0666 /dev/net/tun",
                _ => "install pasta or slirp4netns: apt-get install passt",
            };
            // The reason, without what stands in brackets: that is the remedy.
            let said = error.to_string();
            let why = said.split(" (").next().unwrap_or_default().to_owned();
            Finding::lacks(TOPIC, Verdict::Limited, why, LOST, remedy)
        }
    }
}
