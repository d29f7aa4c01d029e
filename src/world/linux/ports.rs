//! Published ports: claimed by listening on them, relayed into the container, given back when its process is gone.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use thiserror::Error;

use super::watch::Source;
use super::{Linux, failure};
use crate::model::{HeldPort, Id, Observation, PortBinding, Protocol};
use crate::network::{Claim, ClaimError, Relay, RelayError};
use crate::runtime::SocketMakerError;

/// The ports of all containers.
#[derive(Default)]
pub(super) struct Ports {
    /// Claimed, and waiting for a process.
    claimed: BTreeMap<Id, Vec<(Claim, u16)>>,
    relays: BTreeMap<Id, Relay>,
}

/// Why a container's ports cannot be opened.
#[derive(Debug, Error)]
pub(super) enum PortError {
    #[error(transparent)]
    Sockets(#[from] SocketMakerError),
    #[error(transparent)]
    Relay(#[from] RelayError),
}

/// The first address that a container gets inside; the others follow.
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 2);

impl Linux {
    /// All of them, or none.
    pub(super) fn claim_ports(&mut self, id: Id, wanted: &[PortBinding]) {
        let claim = |binding: &PortBinding| Ok((Claim::tcp(binding.ip, binding.host)?, binding.container));
        let claims: Result<Vec<(Claim, u16)>, ClaimError> = wanted.iter().map(claim).collect();
        match claims {
            Ok(claims) => {
                let held = claims.iter().map(|(claim, inside)| held(claim, *inside)).collect();
                self.ports.claimed.insert(id, claims);
                self.see(id, Observation::PortsGranted(held));
            }
            Err(error) => self.see(id, Observation::PortsDenied(failure(None, &error))),
        }
    }

    /// From now on whoever connects is brought to the container, whether or not it listens already.
    pub(super) fn open_ports(&mut self, id: Id) -> Result<(), PortError> {
        let (Some(claims), Some(cell)) = (self.ports.claimed.remove(&id), self.cells.get(&id)) else {
            return Ok(());
        };
        let address = Ipv4Addr::from_bits(FIRST_ADDRESS.to_bits() + id.0);
        let relay = Relay::open(cell.container().socket_maker(address)?, claims)?;
        self.watch.add(id, Source::Relay, relay.as_fd());
        self.ports.relays.insert(id, relay);
        Ok(())
    }

    pub(super) fn close_ports(&mut self, id: Id) {
        self.watch.remove(id, Source::Relay);
        self.ports.claimed.remove(&id);
        self.ports.relays.remove(&id);
    }
}

impl Ports {
    /// Moves on whatever can move.
    pub(super) fn turn(&mut self, id: Id) {
        if let Some(relay) = self.relays.get_mut(&id) {
            relay.turn();
        }
    }

    /// As `docker ps` shows them.
    pub(super) fn shown(&self, id: Id) -> Vec<String> {
        let published = self.relays.get(&id).into_iter().flat_map(Relay::published);
        published.map(|(claim, inside)| held(claim, inside).to_string()).collect()
    }
}

fn held(claim: &Claim, inside: u16) -> HeldPort {
    HeldPort { ip: claim.ip(), host: claim.port(), container: inside, protocol: Protocol::Tcp }
}
