//! Asking the kernel about networks, without a library or a tool: a message has a header, a fixed part and attributes, and
//! each is answered by an error number or by a list.
//!
//! A netlink socket belongs to the network namespace that it was made in, wherever it is used later.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use crate::runtime::{Isolation, route_socket_in};

/// A way to the kernel.
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

/// A message in the making.
#[derive(Clone, Debug)]
pub(super) struct Message(Vec<u8>);

const HEADER: usize = 16;
const ROOM: usize = 64 << 10;

impl Netlink {
    /// To the part that knows links, addresses and routes, in this thread's network.
    pub(super) fn route() -> nix::Result<Self> {
        Self::of(SockProtocol::NetlinkRoute)
    }

    /// To the part that knows packet filters, in this thread's network.
    pub(super) fn filter() -> nix::Result<Self> {
        Self::of(SockProtocol::NetlinkNetFilter)
    }

    /// As [`Netlink::route`], in another network.
    pub(super) fn route_in(namespace: BorrowedFd<'_>, isolation: Isolation) -> nix::Result<Self> {
        match isolation {
            Isolation::Root => inside(namespace, Self::route),
            Isolation::Rootless => route_socket_in(namespace).map(Self::over),
        }
    }

    /// By a socket that somebody has made in another network.
    pub(super) fn over(socket: OwnedFd) -> Self {
        Self { socket, sequence: 0 }
    }

    fn of(protocol: SockProtocol) -> nix::Result<Self> {
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).map(Self::over)
    }

    /// Asks for something to be done.
    pub(super) fn ask(&mut self, message: Message) -> nix::Result<()> {
        self.ask_together(vec![message.acknowledged()])
    }

    /// Sends several messages at once. Those that want an acknowledgement are waited for; the first error counts.
    pub(super) fn ask_together(&mut self, messages: Vec<Message>) -> nix::Result<()> {
        let mut bytes = Vec::new();
        let mut awaited = 0;
        for message in messages {
            awaited += usize::from(message.has(libc::NLM_F_ACK));
            self.sequence += 1;
            bytes.extend(message.numbered(self.sequence));
        }
        self.say(&bytes)?;
        let mut outcome = Ok(());
        while awaited > 0 {
            let answer = self.hear()?;
            for (kind, _, body) in parts(&answer) {
                if i32::from(kind) == libc::NLMSG_ERROR {
                    awaited -= 1;
                    outcome = outcome.and(error_in(body));
                }
            }
            // What is refused as a whole is not acknowledged one by one.
            if outcome.is_err() {
                break;
            }
        }
        outcome
    }

    /// Asks for a list: the bodies of its entries, the fixed part first.
    pub(super) fn list(&mut self, message: Message) -> nix::Result<Vec<Vec<u8>>> {
        self.sequence += 1;
        let bytes = message.flagged(libc::NLM_F_DUMP).numbered(self.sequence);
        self.say(&bytes)?;
        let mut entries = Vec::new();
        loop {
            let answer = self.hear()?;
            for (kind, sequence, body) in parts(&answer) {
                if sequence != self.sequence {
                    continue;
                }
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(entries),
                    libc::NLMSG_ERROR => error_in(body)?,
                    _ => entries.push(body.to_vec()),
                }
            }
        }
    }

    /// With the kernel's address, although nobody else would hear it: so it matters what the sender may do, and not also what
    /// the maker of the socket might have done.
    fn say(&self, bytes: &[u8]) -> nix::Result<()> {
        sendto(self.socket.as_raw_fd(), bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty()).map(drop)
    }

    fn hear(&self) -> nix::Result<Vec<u8>> {
        let mut answer = vec![0; ROOM];
        loop {
            match recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
                Ok(length) => {
                    answer.truncate(length);
                    return Ok(answer);
                }
            }
        }
    }
}

impl Message {
    /// A request of a kind, with its fixed part.
    pub(super) fn new(kind: u16, flags: i32, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        let message = Self(bytes).flagged(libc::NLM_F_REQUEST | flags);
        message.raw(fixed)
    }

    /// Appends bytes as they are.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Appends an attribute.
    pub(super) fn with(self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).expect("an attribute is short");
        self.raw(&[length.to_ne_bytes(), kind.to_ne_bytes()].concat()).raw(value)
    }

    /// Appends a text, with the null byte that ends it.
    pub(super) fn with_text(self, kind: u16, text: &str) -> Self {
        self.with(kind, &[text.as_bytes(), &[0]].concat())
    }

    /// Appends an attribute that holds attributes.
    pub(super) fn with_group(self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let inner = fill(Self(Vec::new())).0;
        self.with(kind | NESTED, &inner)
    }

    /// The kernel is to say that it was done.
    pub(super) fn acknowledged(self) -> Self {
        self.flagged(libc::NLM_F_ACK)
    }

    fn flagged(mut self, flags: i32) -> Self {
        let flags = self.flags() | u16::try_from(flags).expect("flags are 16 bits wide");
        self.0[6..8].copy_from_slice(&flags.to_ne_bytes());
        self
    }

    fn flags(&self) -> u16 {
        u16::from_ne_bytes([self.0[6], self.0[7]])
    }

    fn has(&self, flag: i32) -> bool {
        i32::from(self.flags()) & flag != 0
    }

    fn numbered(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).expect("a message is short");
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// Says that an attribute holds attributes.
const NESTED: u16 = 1 << 15;

/// The attributes in what follows a fixed part.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & !NESTED, value))
    })
}

/// A text in an attribute.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

/// Does something in another network. A thread of its own goes there, so that this one stays where it is.
fn inside<T: Send>(namespace: BorrowedFd<'_>, act: impl FnOnce() -> nix::Result<T> + Send) -> nix::Result<T> {
    let visit = || {
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
        act()
    };
    thread::scope(|scope| scope.spawn(visit).join()).unwrap_or(Err(Errno::EIO))
}

fn parts(mut bytes: &[u8]) -> impl Iterator<Item = (u16, u32, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
        let sequence = u32::from_ne_bytes(bytes.get(8..12)?.try_into().ok()?);
        let body = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, sequence, body))
    })
}

fn error_in(body: &[u8]) -> nix::Result<()> {
    match body.get(..4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(Errno::from_raw(-error)),
        None => Err(Errno::EBADMSG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_read_back_as_they_were_written() {
        let message = Message::new(16, 0, &[0; 16])
            .with_text(3, "lo")
            .with_group(18, |group| group.with(1, &[1, 2, 3, 4, 5]).with(2, &[]));
        let bytes = message.numbered(7);
        assert_eq!(bytes.len() % 4, 0);
        let (kind, sequence, body) = parts(&bytes).next().unwrap();
        assert_eq!((kind, sequence), (16, 7));
        let found: Vec<_> = attributes(&body[16..]).collect();
        assert_eq!(text(found[0].1), "lo");
        let inner: Vec<_> = attributes(found[1].1).collect();
        assert_eq!(inner, [(1, &[1, 2, 3, 4, 5][..]), (2, &[][..])]);
    }

    #[test]
    fn what_is_cut_short_ends_the_reading() {
        assert_eq!(attributes(&[8, 0, 1, 0, 1]).count(), 0);
        assert_eq!(parts(&[40, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).count(), 0);
    }
}
