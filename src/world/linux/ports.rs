//! Published ports: claimed by listening on them, relayed into the container, given back when its process is gone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::AsFd;

use thiserror::Error;

use super::watch::Source;
use super::{Linux, failure};
use crate::model::{Families, HeldPort, Id, Observation, PortBinding, Protocol};
use crate::network::{Claim, ClaimError, Relay, RelayError};
use crate::runtime::{SocketKind, SocketMakerError};

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

impl Linux {
    /// All of them, or none.
    pub(super) fn claim_ports(&mut self, id: Id, wanted: &[PortBinding]) {
        let claims = Claim::all(wanted.iter().map(wish)).map(|claims| {
            claims.into_iter().zip(wanted.iter().map(|binding| binding.container)).collect::<Vec<_>>()
        });
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
        let Some(address) = self.networks.address(id) else { return Ok(()) };
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

/// Finds out whether each of these can be had, and gives it back at once.
pub(super) fn try_each(wanted: &[PortBinding]) -> Result<(), ClaimError> {
    wanted.iter().map(wish).try_for_each(|(kind, ip, port)| Claim::of(kind, ip, port).map(drop))
}

fn wish(binding: &PortBinding) -> (SocketKind, Option<IpAddr>, Option<u16>) {
    (kind_of(binding.protocol), binding.ip, binding.host)
}

fn kind_of(protocol: Protocol) -> SocketKind {
    match protocol {
        Protocol::Tcp => SocketKind::Stream,
        Protocol::Udp => SocketKind::Datagram,
    }
}

fn held(claim: &Claim, inside: u16) -> HeldPort {
    let protocol = match claim.kind() {
        SocketKind::Stream => Protocol::Tcp,
        SocketKind::Datagram => Protocol::Udp,
    };
    let families = if claim.is_of_both_families() { Families::Both } else { Families::One };
    HeldPort { ip: claim.ip(), host: claim.port(), container: inside, protocol, families }
}
