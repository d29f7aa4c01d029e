//! A port of the host, owned by being bound to it: bind(2) and listen(2) are the claim, and their failure is the conflict.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockaddrStorage, bind, getsockname, listen, setsockopt, socket, sockopt,
};
use thiserror::Error;

use crate::runtime::SocketKind;

/// A port of the host that is ours until this is dropped.
#[derive(Debug)]
pub struct Claim {
    kind: SocketKind,
    ip: IpAddr,
    port: u16,
    sockets: Vec<OwnedFd>,
}

/// Why a port of the host cannot be had.
#[derive(Debug, Error)]
pub enum ClaimError {
    /// Somebody listens there.
    #[error(
        "cannot publish {0}: port is already allocated (choose another host port, or end what uses it: ss -lntup)"
    )]
    Taken(SocketAddr),
    /// Its own other wish.
    #[error(
        "cannot publish {0} twice: port is already allocated to this very container (publish each host port once)"
    )]
    Twice(SocketAddr),
    /// A port for root alone.
    #[error(
        "cannot publish {0}: this user may not listen on a port that low (take one from 1024 on, or lower \
         net.ipv4.ip_unprivileged_port_start)"
    )]
    Privileged(SocketAddr),
    /// An address of another host.
    #[error("cannot publish {0}: this host has no such address (ip addr shows those that it has)")]
    NotHere(SocketAddr),
    /// Anything else.
    #[error("cannot publish {address}: {source} (look at the limit on open files: ulimit -n)")]
    Kernel {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// How many clients the kernel lets wait; it takes fewer if net.core.somaxconn says so.
const BACKLOG: i32 = 4096;
/// How often a free port of IPv4 may turn out to be taken on IPv6 before that is an error.
const TRIES: usize = 16;

impl Claim {
    /// A port of TCP's, see [`Claim::of`].
    pub fn tcp(ip: Option<IpAddr>, port: Option<u16>) -> Result<Self, ClaimError> {
        Self::of(SocketKind::Stream, ip, port)
    }

    /// A port of UDP's, see [`Claim::of`].
    pub fn udp(ip: Option<IpAddr>, port: Option<u16>) -> Result<Self, ClaimError> {
        Self::of(SocketKind::Datagram, ip, port)
    }

    /// Takes `port` on one address, or else on all of them; the kernel chooses a free one if none is given.
    ///
    /// All of them are IPv4's and, where the host has it, IPv6's.
    pub fn of(kind: SocketKind, ip: Option<IpAddr>, port: Option<u16>) -> Result<Self, ClaimError> {
        let first = ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let both = ip.is_none();
        let mut tries = if port.is_none() && both { TRIES } else { 1 };
        loop {
            tries -= 1;
            let address = SocketAddr::new(first, port.unwrap_or(0));
            let socket = bound(kind, address)?;
            let chosen =
                port_of(&socket).map_err(|errno| ClaimError::Kernel { address, source: errno.into() })?;
            let mut claim = Self { kind, ip: first, port: chosen, sockets: vec![socket] };
            if !both {
                return Ok(claim);
            }
            match bound(kind, SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), chosen)) {
                Ok(socket) => claim.sockets.push(socket),
                Err(ClaimError::Taken(_)) if tries > 0 => continue,
                Err(error) if is_without_ipv6(&error) => {}
                Err(error) => return Err(error),
            }
            return Ok(claim);
        }
    }

    /// All of these, or none.
    pub fn all(
        wanted: impl IntoIterator<Item = (SocketKind, Option<IpAddr>, Option<u16>)>,
    ) -> Result<Vec<Self>, ClaimError> {
        let mut all: Vec<Self> = Vec::new();
        for (kind, ip, port) in wanted {
            let claim = Self::of(kind, ip, port).map_err(|error| match error {
                ClaimError::Taken(address) if all.iter().any(|own| own.covers(kind, address)) => {
                    ClaimError::Twice(address)
                }
                error => error,
            })?;
            all.push(claim);
        }
        Ok(all)
    }

    fn covers(&self, kind: SocketKind, address: SocketAddr) -> bool {
        let same = self.ip == address.ip() || self.ip.is_unspecified() || address.ip().is_unspecified();
        self.kind == kind && self.port == address.port() && same
    }

    /// The address that was asked for; 0.0.0.0 for all.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Whether it is held on all addresses of IPv6, too.
    pub fn is_of_both_families(&self) -> bool {
        self.sockets.len() > 1
    }

    /// The port of the host.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// TCP's or UDP's.
    pub fn kind(&self) -> SocketKind {
        self.kind
    }

    /// One for each family of addresses.
    pub(super) fn sockets(&self) -> &[OwnedFd] {
        &self.sockets
    }
}

fn bound(kind: SocketKind, address: SocketAddr) -> Result<OwnedFd, ClaimError> {
    let attempt = || -> nix::Result<OwnedFd> {
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(family, kind.typ(), flags, None)?;
        match (kind, family) {
            // Or connections that have ended a moment ago would hold the port.
            (SocketKind::Stream, _) => setsockopt(&socket, sockopt::ReuseAddr, &true),
            // An answer has to come from the address that was asked.
            (SocketKind::Datagram, AddressFamily::Inet) => {
                setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)
            }
            (SocketKind::Datagram, _) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true),
        }?;
        if address.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
        }
        bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
        if kind == SocketKind::Stream {
            listen(&socket, Backlog::new(BACKLOG)?)?;
        }
        Ok(socket)
    };
    attempt().map_err(|errno| match errno {
        Errno::EADDRINUSE => ClaimError::Taken(address),
        Errno::EACCES => ClaimError::Privileged(address),
        Errno::EADDRNOTAVAIL => ClaimError::NotHere(address),
        errno => ClaimError::Kernel { address, source: errno.into() },
    })
}

fn port_of(socket: &OwnedFd) -> nix::Result<u16> {
    let name: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    let port = name.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::port);
    port.or_else(|| Some(name.as_sockaddr_in6()?.port())).ok_or(Errno::EAFNOSUPPORT)
}

fn is_without_ipv6(error: &ClaimError) -> bool {
    match error {
        ClaimError::NotHere(_) => true,
        ClaimError::Kernel { source, .. } => source.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32),
        ClaimError::Taken(_) | ClaimError::Twice(_) | ClaimError::Privileged(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_has_one_owner_until_it_is_given_up() {
        let claim = Claim::tcp(None, None).unwrap();
        let again = Claim::tcp(None, Some(claim.port())).unwrap_err();
        assert_eq!(
            again.to_string(),
            format!(
                "cannot publish 0.0.0.0:{}: port is already allocated \
                 (choose another host port, or end what uses it: ss -lntup)",
                claim.port()
            )
        );
        let port = claim.port();
        drop(claim);
        assert_eq!(Claim::tcp(None, Some(port)).unwrap().port(), port);
    }

    #[test]
    fn a_port_that_is_taken_on_ipv6_alone_is_taken() {
        let Ok(other) = TcpListener::bind(("::1", 0)) else {
            std::io::Write::write_all(&mut std::io::stderr(), b"skipped: this host has no IPv6\n").unwrap();
            return;
        };
        let port = other.local_addr().unwrap().port();
        assert!(matches!(Claim::tcp(None, Some(port)), Err(ClaimError::Taken(_))));
    }

    #[test]
    fn two_addresses_can_share_a_port() {
        let one = Claim::tcp(Some("127.0.0.1".parse().unwrap()), None).unwrap();
        let other = Claim::tcp(Some("127.0.0.2".parse().unwrap()), Some(one.port())).unwrap();
        assert_eq!((one.ip().to_string(), other.port()), ("127.0.0.1".to_owned(), one.port()));
        assert!(matches!(Claim::tcp(None, Some(one.port())), Err(ClaimError::Taken(_))));
    }

    #[test]
    fn udp_and_tcp_can_share_a_number_and_two_of_udp_cannot() {
        let one = Claim::tcp(None, None).unwrap();
        let other = Claim::udp(None, Some(one.port())).unwrap();
        assert!(matches!(Claim::udp(None, Some(other.port())), Err(ClaimError::Taken(_))));
    }

    #[test]
    fn whoever_wants_one_port_twice_is_told_so_and_has_none() {
        let port = Some(Claim::tcp(None, None).unwrap().port());
        let loopback = Some("127.0.0.1".parse().unwrap());
        let wanted = [(SocketKind::Stream, None, port), (SocketKind::Stream, loopback, port)];
        let error = Claim::all(wanted).unwrap_err();
        assert!(matches!(error, ClaimError::Twice(_)), "{error}");
        let both = [SocketKind::Stream, SocketKind::Datagram].map(|kind| (kind, None, port));
        assert_eq!(Claim::all(both).unwrap().len(), 2);
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        let error = Claim::tcp(Some("192.0.2.1".parse().unwrap()), None).unwrap_err();
        assert!(matches!(error, ClaimError::NotHere(_)), "{error}");
    }
}
