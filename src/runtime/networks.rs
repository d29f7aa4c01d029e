//! A way to the kernel out of the networks that an ordinary user owns.
//!
//! A network namespace belongs to a user namespace, and may be entered only by whoever is in that, too. So a small child goes
//! there, makes a netlink socket, hands it out and ends. Its parent stays above all the user namespaces it has made, where it has
//! every right over each: it may ask for a cable from one network into another, which nobody in either may.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, socket, socketpair};

use super::ending::{self, ExitStatus};
use super::sys;

/// A new network that nobody is in, and a socket to the kernel's part that knows its links.
pub fn new_network() -> nix::Result<(OwnedFd, OwnedFd)> {
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNET;
    let socket = hand_out(u64::from(flags.cast_unsigned()), || Ok(()))?;
    Ok((sys::network_of(socket.as_fd())?, socket))
}

/// Such a socket of a network that this user has made.
pub fn route_socket_in(network: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let owner = sys::owner_of(network)?;
    hand_out(0, || {
        // The child is a copy of its parent, with all that it has in memory.
        prctl::set_dumpable(false)?;
        sys::join_namespace(owner.as_fd(), libc::CLONE_NEWUSER)?;
        sys::join_namespace(network, libc::CLONE_NEWNET)
    })
}

/// What a child makes where it has gone to. The child allocates nothing.
fn hand_out(flags: u64, go: impl FnOnce() -> nix::Result<()>) -> nix::Result<OwnedFd> {
    let (near, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    let make = || {
        go()?;
        let made = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        sys::send_with_descriptor(far.as_fd(), &[0], made.as_fd())
    };
    let (child, _pidfd) = sys::clone_child(flags, None, || make().map_or_else(|errno| errno as i32, |()| 0))?;
    match ending::wait(child)? {
        ExitStatus::Exited(0) => {
            let (_, sockets) =
                sys::receive(near.as_fd(), &mut [0], MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC)?;
            sockets.into_iter().next().ok_or(Errno::EBADMSG)
        }
        ExitStatus::Exited(errno) => Err(Errno::from_raw(errno.into())),
        ExitStatus::Signaled(_) => Err(Errno::EINTR),
    }
}
