//! `terrarium port`: which host ports lead into a container.

use clap::Args;

use super::super::container::estate;
use super::super::{Globals, written};
use super::trouble::{Trouble, status_of};
use crate::model::{HeldPort, Protocol};
use crate::report::docker::words::{each_family, host};

/// List the host ports that lead into a container
#[derive(Args)]
pub(in crate::cli) struct Port {
    /// By name, id, or the beginning of an id
    container: String,

    /// Only what leads to this port
    #[arg(value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
}

impl Port {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.text(globals) {
            Ok(text) => written("the ports", &text),
            Err(trouble) => status_of(Err(trouble)),
        }
    }

    fn text(&self, globals: &Globals) -> Result<String, Trouble> {
        let wanted = self.port.as_deref().map(parse).transpose()?;
        let estate = estate(globals)?;
        let mut held = each_family(&estate.resident(&self.container)?.account.status().ports);
        held.sort_by_key(|port| (port.container, port.protocol, port.ip, port.host));
        let outside = |port: &HeldPort| format!("{}:{}", host(port.ip), port.host);
        let Some((number, protocol)) = wanted else {
            let line =
                |port: &HeldPort| format!("{}/{} -> {}\n", port.container, port.protocol, outside(port));
            return Ok(held.iter().map(line).collect());
        };
        held.retain(|port| (port.container, port.protocol) == (number, protocol));
        if held.is_empty() {
            let container = &self.container;
            return Err(Trouble::world(format_args!(
                "no public port {number}/{protocol} published for {container} (see all of them: terrarium port {container})"
            )));
        }
        Ok(held.iter().map(|port| outside(port) + "\n").collect())
    }
}

fn parse(text: &str) -> Result<(u16, Protocol), Trouble> {
    let read = match text.split_once('/') {
        None => text.parse().ok().map(|number| (number, Protocol::Tcp)),
        Some((number, "tcp")) => number.parse().ok().map(|number| (number, Protocol::Tcp)),
        Some((number, "udp")) => number.parse().ok().map(|number| (number, Protocol::Udp)),
        Some(_) => None,
    };
    match read {
        Some(port) => Ok(port),
        None => {
            Err(Trouble::words(format_args!("`{text}` is not a port (write it like 80, 80/tcp or 53/udp)")))
        }
    }
}
