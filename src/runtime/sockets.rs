//! Sockets of a container's network namespace, for a keeper that is not in it.
//!
//! A socket belongs to the namespace that it was made in, wherever it is used later. So a small child of the keeper joins the
//! container's network (and first its user namespace, which is what a keeper without privileges needs), makes sockets there
//! when asked, and hands them out. It is neither in the container's pid namespace nor in its cgroup: it is not counted, not
//! frozen and not killed with the container, and it keeps nothing of the container's but the network.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};
use nix::sys::stat::Mode;
use nix::unistd::write;
use oci_spec::runtime::LinuxNamespaceType;
use thiserror::Error;

use super::bundle::{BundleError, Stdio};
use super::container::{Container, Door, SetUp};
use super::create::clone_advice;
use super::descriptors::{DescriptorError, belongings, channel};
use super::exec::EnterError;
use super::message::{self, Heard, Message};
use super::operation::{Action, Belongings, Operation};
use super::plan::Draft;
use super::steps::Step;
use super::{ending, init, isolation, sys};

/// Makes sockets in a container's network. It works as long as this value lives, and the thread that made it.
#[derive(Debug)]
pub struct SocketMaker {
    address: Ipv4Addr,
    pidfd: OwnedFd,
    channel: OwnedFd,
}

/// What a [`SocketMaker`] has made.
#[derive(Debug)]
pub enum Made {
    /// Nothing that has not been taken already.
    Nothing,
    /// A socket over IPv4, which does not block and is closed by execve.
    Socket(OwnedFd),
    /// One of the sockets asked for cannot be had.
    Failed(Errno),
    /// Nothing any more: the maker has died.
    Gone,
}

/// What kind of socket is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// TCP's.
    Stream,
    /// UDP's.
    Datagram,
}

/// Why there is no socket maker.
#[derive(Debug, Error)]
pub enum SocketMakerError {
    /// It has ended, and its network with it.
    #[error("the container has ended, and its network with it (create another one)")]
    Ended,
    /// It shares the host's network.
    #[error("the container has no network of its own (connect to the host's addresses)")]
    NoNetwork,
    /// The bundle is wrong.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// What stands ready before the clone could not be had.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The kernel made no child.
    #[error("cannot clone a process that makes sockets: {} ({})", .0.desc().to_lowercase(), clone_advice(*.0))]
    Clone(Errno),
    /// A step failed.
    #[error(transparent)]
    Step(#[from] EnterError),
    /// It did not get to its end.
    #[error(
        "the process that makes sockets was not set up within {DEADLINE:?} (look at the kernel's log: dmesg)"
    )]
    Stuck,
}

const DEADLINE: Duration = Duration::from_secs(5);
/// The loopback interface has this number in every network namespace.
const LOOPBACK: u32 = 1;

impl Container {
    /// A maker of sockets in this container's network, where the container has `address`: who connects to that reaches what
    /// listens on all addresses, and not what listens on 127.0.0.1 alone.
    ///
    /// Returns when it is ready, which takes about as long as a fork.
    pub fn socket_maker(&self, address: Ipv4Addr) -> Result<SocketMaker, SocketMakerError> {
        if self.door() == Door::Gone {
            return Err(SocketMakerError::Ended);
        }
        let linux = self.spec().linux().as_ref().ok_or(BundleError::Missing("linux section"))?;
        let wanted = LinuxNamespaceType::User as i32 | LinuxNamespaceType::Network as i32;
        let kind = isolation::kinds(linux) & wanted;
        if kind & LinuxNamespaceType::Network as i32 == 0 {
            return Err(SocketMakerError::NoNetwork);
        }
        let namespace = self.pidfd().try_clone_to_owned();
        let namespace =
            namespace.map_err(|source| DescriptorError { what: "a copy of its pidfd", source })?;
        let mut draft = Draft::default();
        draft.add(Step::DeathSignal, "itself", Action::DieWithParent);
        draft.add(Step::JoinNamespaces, "its memory", Action::HideMemory);
        draft.add(Step::JoinNamespaces, "those of the container", Action::Join { namespace, kind });
        draft.add(Step::Descriptors, "its descriptors", Action::PlaceDescriptors);
        draft.add(Step::ResetSignals, "itself", Action::ResetSignals);
        draft.add(Step::Session, "itself", Action::BeginSession);
        draft.add(Step::DeathSignalAgain, "itself", Action::DieWithParent);
        let operations = draft.operations();

        let (channel, far_end) = channel()?;
        let mut belongings = belongings(Stdio::default(), Vec::new(), far_end, 0)?;
        let cloned = sys::clone_child(0, None, || serve(&operations, &mut belongings));
        let (_, pidfd) = cloned.map_err(SocketMakerError::Clone)?;
        drop(belongings);
        let maker = SocketMaker { address, pidfd, channel };
        maker.await_ready(operations)?;
        Ok(maker)
    }
}

impl SocketKind {
    fn word(self) -> u8 {
        match self {
            Self::Stream => b's',
            Self::Datagram => b'd',
        }
    }

    fn of(word: u8) -> Self {
        if word == Self::Datagram.word() { Self::Datagram } else { Self::Stream }
    }

    /// What socket(2) calls it.
    pub fn typ(self) -> SockType {
        match self {
            Self::Stream => SockType::Stream,
            Self::Datagram => SockType::Datagram,
        }
    }
}

impl SocketMaker {
    /// The container's address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Asks for one more socket. What becomes of it is told by [`SocketMaker::take`], in the order of asking.
    pub fn ask(&self, kind: SocketKind) -> nix::Result<()> {
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        send(self.channel.as_raw_fd(), &[kind.word()], flags).map(drop)
    }

    /// Takes the next socket that is ready, without waiting.
    pub fn take(&self) -> Made {
        match message::hear(self.channel.as_fd()) {
            Ok(Heard::Nothing) => Made::Nothing,
            Ok(Heard::Said(Message::Made, Some(socket))) => Made::Socket(socket),
            Ok(Heard::Said(Message::Failed { errno, .. }, _)) | Err(errno) => Made::Failed(errno),
            Ok(Heard::Closed | Heard::Said(..)) => Made::Gone,
        }
    }

    fn await_ready(&self, operations: Vec<Operation>) -> Result<(), SocketMakerError> {
        let timeout = PollTimeout::try_from(DEADLINE).unwrap_or(PollTimeout::NONE);
        while poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], timeout) == Err(Errno::EINTR) {}
        match message::hear(self.channel.as_fd()) {
            Ok(Heard::Said(Message::Parked, _)) => Ok(()),
            Ok(Heard::Said(Message::Failed { operation, errno }, _)) => {
                let names = operations.into_iter().map(|operation| (operation.step, operation.subject));
                let set_up = SetUp::new((names.collect(), String::new()));
                Err(EnterError(set_up.failed(operation, errno)).into())
            }
            _ => Err(SocketMakerError::Stuck),
        }
    }
}

/// Becomes readable when there is something to [`SocketMaker::take`].
impl AsFd for SocketMaker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl Drop for SocketMaker {
    fn drop(&mut self) {
        let _ = sys::pidfd_send_signal(self.pidfd.as_fd(), Signal::SIGKILL as i32);
        ending::see_off(self.pidfd.as_fd());
    }
}

/// Gives the loopback interface of this network namespace one more address, for this host alone. The child calls it: it
/// allocates nothing.
pub(super) fn add_address(address: Ipv4Addr) -> nix::Result<()> {
    const LENGTH: u32 = 40;
    let invalid = |_| Errno::EINVAL;
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let [f0, f1] = u16::try_from(flags).map_err(invalid)?.to_ne_bytes();
    let [t0, t1] = libc::RTM_NEWADDR.to_ne_bytes();
    let [i0, i1, i2, i3] = LOOPBACK.to_ne_bytes();
    let family = u8::try_from(libc::AF_INET).map_err(invalid)?;
    let [a, b, c, d] = address.octets();
    let attribute = |kind: u16| {
        let ([l0, l1], [k0, k1]) = (8_u16.to_ne_bytes(), kind.to_ne_bytes());
        [l0, l1, k0, k1, a, b, c, d]
    };
    let mut request = [0_u8; LENGTH as usize];
    // The message's header, then the address's: family, bits of the network, flags, scope, interface.
    request[..4].copy_from_slice(&LENGTH.to_ne_bytes());
    request[4..8].copy_from_slice(&[t0, t1, f0, f1]);
    request[16..24].copy_from_slice(&[family, 32, 0, 0, i0, i1, i2, i3]);
    request[24..32].copy_from_slice(&attribute(libc::IFA_LOCAL));
    request[32..40].copy_from_slice(&attribute(libc::IFA_ADDRESS));

    let kernel =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    send(kernel.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut answer = [0_u8; 128];
    let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let error = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok()).ok_or(Errno::EBADMSG)?;
    match i32::from_ne_bytes(error) {
        0 => Ok(()),
        error => Err(Errno::from_raw(-error)),
    }
}

/// Lets the kernel use a port of this network again one second after its connection has ended, and not after a minute: all
/// connections of a relay have one source and one target, so under many short ones it runs out of ports, and looks for a free
/// one longer and longer before that. Timestamps keep the old connection's bytes out of the new one.
fn reuse_ports() -> nix::Result<()> {
    let setting = open("/proc/sys/net/ipv4/tcp_tw_reuse", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write(setting, b"1").map(drop)
}

/// The child: sets itself up, then makes a socket for each word that it hears, until nobody is left to speak.
fn serve(operations: &[Operation], own: &mut Belongings) -> i32 {
    if let Err(status) = init::perform(operations, 0, own) {
        return status;
    }
    // Where it may not, the network has as many connections a minute as it has ports.
    let _ = reuse_ports();
    init::tell(own, Message::Parked);
    while let Ok(word) = own.hear() {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let kind = SocketKind::of(word);
        let made = socket(AddressFamily::Inet, kind.typ(), flags, None).and_then(|socket| {
            if kind == SocketKind::Stream {
                setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
            }
            let word = Message::Made.encode();
            sys::send_with_descriptor(own.channel.as_fd(), word.as_flattened(), socket.as_fd())
        });
        if let Err(errno) = made {
            init::tell(own, Message::Failed { operation: -1, errno });
        }
    }
    0
}
