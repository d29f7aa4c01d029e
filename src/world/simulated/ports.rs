//! The simulated host's ports: who holds which.

use crate::model::{Failure, HeldPort, Id, PortBinding, Protocol};

/// Where Linux begins to give out ports that nobody asked for by number (`ip_local_port_range`).
const FIRST_EPHEMERAL: u16 = 32768;
const LAST_EPHEMERAL: u16 = 60999;

#[derive(Clone, Debug)]
pub(super) struct Ports {
    held: Vec<(Id, HeldPort)>,
    next_ephemeral: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { held: Vec::new(), next_ephemeral: FIRST_EPHEMERAL }
    }
}

impl Ports {
    /// All of them, or none.
    pub(super) fn claim(&mut self, id: Id, wanted: &[PortBinding]) -> Result<Vec<HeldPort>, Failure> {
        let held_before = self.held.len();
        for binding in wanted {
            match self.hold(id, binding) {
                Ok(port) => self.held.push((id, port)),
                Err(failure) => {
                    self.held.truncate(held_before);
                    return Err(failure);
                }
            }
        }
        Ok(self.held[held_before..].iter().map(|(_, port)| port.clone()).collect())
    }

    pub(super) fn release(&mut self, id: Id) {
        self.held.retain(|(owner, _)| *owner != id);
    }

    /// Whose process answers at this port of the host.
    pub(super) fn owner(&self, host: u16, protocol: Protocol) -> Option<(Id, u16)> {
        let found = self.held.iter().find(|(_, port)| port.host == host && port.protocol == protocol);
        found.map(|(id, port)| (*id, port.container))
    }

    fn hold(&mut self, id: Id, binding: &PortBinding) -> Result<HeldPort, Failure> {
        let Some(host) = binding.host else {
            return self.ephemeral(binding);
        };
        let wanted = HeldPort::granted(binding, host);
        match self.holder(&wanted) {
            None => Ok(wanted),
            Some(holder) => Err(if holder == id { twice(&wanted) } else { taken(&wanted) }),
        }
    }

    fn ephemeral(&mut self, binding: &PortBinding) -> Result<HeldPort, Failure> {
        for _ in FIRST_EPHEMERAL..=LAST_EPHEMERAL {
            let candidate = HeldPort::granted(binding, self.next_ephemeral);
            self.next_ephemeral =
                if self.next_ephemeral == LAST_EPHEMERAL { FIRST_EPHEMERAL } else { self.next_ephemeral + 1 };
            if self.holder(&candidate).is_none() {
                return Ok(candidate);
            }
        }
        Err(Failure { code: None, message: "every host port is already allocated (stop a container)".into() })
    }

    /// Who is in the way. The same number may be held on different addresses, but not beside one that stands for all addresses.
    fn holder(&self, wanted: &HeldPort) -> Option<Id> {
        let in_the_way = |held: &HeldPort| {
            held.protocol == wanted.protocol
                && held.host == wanted.host
                && (held.ip == wanted.ip || held.ip.is_unspecified() || wanted.ip.is_unspecified())
        };
        self.held.iter().find(|(_, held)| in_the_way(held)).map(|(id, _)| *id)
    }
}

fn twice(port: &HeldPort) -> Failure {
    let message = format!(
        "cannot hold host port {} twice: port is already allocated to this very container (publish each host port once)",
        port.host
    );
    Failure { code: None, message }
}

fn taken(port: &HeldPort) -> Failure {
    let message = format!(
        "cannot hold host port {}: port is already allocated (stop who holds it, or publish another port)",
        port.host
    );
    Failure { code: None, message }
}
