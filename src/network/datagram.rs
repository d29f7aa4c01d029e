//! Datagrams through the relay: UDP knows no connections, so each client gets a socket inside that stands for it, until it has
//! been silent for long enough.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrStorage, connect, recv, recvmsg, send,
    sendmsg,
};

/// All clients that have been heard of lately.
pub(super) struct Talks {
    by_id: BTreeMap<u64, Talk>,
    by_client: HashMap<Client, u64>,
    next: u64,
    /// Room for the longest datagram.
    bytes: Vec<u8>,
}

/// Who talks, at which of the host's sockets, and at which of the host's addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Client {
    listener: (usize, usize),
    address: SockaddrStorage,
    asked: Option<IpAddr>,
}

struct Talk {
    client: Client,
    socket: Option<OwnedFd>,
    /// What it said before it had a socket.
    early: VecDeque<Vec<u8>>,
    last_heard: Instant,
}

/// What comes of a datagram.
pub(super) enum Heard {
    /// There is none.
    Nothing,
    /// It is on its way, or has been dropped.
    Passed,
    /// A new client needs a socket inside.
    New(u64),
}

/// How long a silent client is remembered: as long as Docker's proxy does.
const SILENCE: Duration = Duration::from_secs(90);
/// How many clients there may be at once; the most silent makes room for one more.
const MOST: usize = 1024;
/// How many datagrams may wait for a client's socket.
const EARLY: usize = 16;
/// The longest datagram that there is.
const LONGEST: usize = 65_535;

impl Talks {
    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Takes one datagram from a socket of the host, and sends it on.
    pub(super) fn hear(&mut self, listener: (usize, usize), socket: BorrowedFd<'_>) -> Heard {
        let Ok((length, address, asked)) = receive(socket, &mut self.bytes) else { return Heard::Nothing };
        let bytes = &self.bytes[..length];
        let client = Client { listener, address, asked };
        if let Some(talk) = self.by_client.get(&client).and_then(|id| self.by_id.get_mut(id)) {
            talk.last_heard = Instant::now();
            match &talk.socket {
                // What the container does not take is lost, as datagrams are.
                Some(socket) => drop(send(socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL)),
                None if talk.early.len() < EARLY => talk.early.push_back(bytes.to_vec()),
                None => {}
            }
            return Heard::Passed;
        }
        let early = VecDeque::from([bytes.to_vec()]);
        self.make_room();
        let id = self.next;
        self.next += 1;
        self.by_client.insert(client, id);
        self.by_id.insert(id, Talk { client, socket: None, early, last_heard: Instant::now() });
        Heard::New(id)
    }

    /// A client has got its socket; none if it has been forgotten meanwhile.
    pub(super) fn connect(&mut self, id: u64, socket: OwnedFd, to: SocketAddrV4) -> Option<BorrowedFd<'_>> {
        let talk = self.by_id.get_mut(&id)?;
        connect(socket.as_raw_fd(), &SockaddrIn::from(to)).ok()?;
        for bytes in talk.early.drain(..) {
            let _ = send(socket.as_raw_fd(), &bytes, MsgFlags::MSG_NOSIGNAL);
        }
        let socket: &OwnedFd = talk.socket.insert(socket);
        Some(socket.as_fd())
    }

    /// At which of the host's sockets a client talks.
    pub(super) fn listener(&self, id: u64) -> Option<(usize, usize)> {
        Some(self.by_id.get(&id)?.client.listener)
    }

    /// Brings the container's answers to the client; `through` is the socket that it talks to.
    pub(super) fn answer(&mut self, id: u64, through: BorrowedFd<'_>, most: usize) {
        let Some(talk) = self.by_id.get_mut(&id) else { return };
        let Some(socket) = &talk.socket else { return };
        for _ in 0..most {
            match recv(socket.as_raw_fd(), &mut self.bytes, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => {
                    talk.last_heard = Instant::now();
                    let _ = reply(through, &self.bytes[..length], &talk.client);
                }
                // Nobody listens inside; perhaps somebody will.
                Err(Errno::ECONNREFUSED | Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    pub(super) fn forget(&mut self, id: u64) {
        if let Some(talk) = self.by_id.remove(&id) {
            self.by_client.remove(&talk.client);
        }
    }

    /// Forgets who has been silent for long; says when the next one will have been.
    pub(super) fn forget_the_silent(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let is_silent = |talk: &Talk| now.duration_since(talk.last_heard) >= SILENCE;
        let silent: Vec<u64> =
            self.by_id.iter().filter(|(_, talk)| is_silent(talk)).map(|(id, _)| *id).collect();
        for id in silent {
            self.forget(id);
        }
        let first = self.by_id.values().map(|talk| talk.last_heard).min()?;
        Some(SILENCE.saturating_sub(now.duration_since(first)).max(Duration::from_millis(1)))
    }

    fn make_room(&mut self) {
        if self.by_id.len() >= MOST {
            let most_silent = self.by_id.iter().min_by_key(|(_, talk)| talk.last_heard).map(|(id, _)| *id);
            if let Some(id) = most_silent {
                self.forget(id);
            }
        }
    }
}

impl Default for Talks {
    fn default() -> Self {
        let (by_id, by_client) = Default::default();
        Self { by_id, by_client, next: 0, bytes: vec![0; LONGEST] }
    }
}

/// A datagram, who sent it, and to which of the host's addresses.
fn receive(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> nix::Result<(usize, SockaddrStorage, Option<IpAddr>)> {
    let mut space = nix::cmsg_space!(libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(bytes)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let asked = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(u32::from_be(info.ipi_spec_dst.s_addr).into()))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::V6(info.ipi6_addr.s6_addr.into())),
        _ => None,
    });
    Ok((message.bytes, message.address.ok_or(Errno::EDESTADDRREQ)?, asked))
}

/// Answers from the address that was asked. By which interface is left to the kernel: it may be another one.
fn reply(through: BorrowedFd<'_>, bytes: &[u8], client: &Client) -> nix::Result<usize> {
    let parts = [IoSlice::new(bytes)];
    let say = |control: &[ControlMessage<'_>]| {
        sendmsg(through.as_raw_fd(), &parts, control, MsgFlags::MSG_DONTWAIT, Some(&client.address))
    };
    match client.asked {
        Some(IpAddr::V4(address)) => {
            let ipi_spec_dst = libc::in_addr { s_addr: u32::from(address).to_be() };
            let ipi_addr = libc::in_addr { s_addr: 0 };
            say(&[ControlMessage::Ipv4PacketInfo(&libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst,
                ipi_addr,
            })])
        }
        Some(IpAddr::V6(address)) => {
            let ipi6_addr = libc::in6_addr { s6_addr: address.octets() };
            say(&[ControlMessage::Ipv6PacketInfo(&libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 })])
        }
        None => say(&[]),
    }
}
