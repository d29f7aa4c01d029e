//! The descriptors that a child is given, opened and put in order before the clone.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use thiserror::Error;

use super::bundle::Stdio;
use super::operation::Belongings;
use super::sys;

/// What has to stand ready before the clone could not be had.
#[derive(Debug, Error)]
#[error("cannot open {what} for the container: {source} (raise the limit on open files: ulimit -n)")]
pub struct DescriptorError {
    /// What.
    pub what: &'static str,
    /// Why not.
    pub source: io::Error,
}

/// A message, then a message back, and on both ends an end of file when the other is gone.
pub(super) fn channel() -> Result<(OwnedFd, OwnedFd), DescriptorError> {
    let flags = SockFlag::SOCK_CLOEXEC;
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).map_err(missing("a channel"))
}

/// Moves everything above the numbers that the container will use, so that placing one overwrites no other.
pub(super) fn belongings(
    stdio: Stdio,
    preserved: Vec<OwnedFd>,
    channel: OwnedFd,
    trees: usize,
) -> Result<Belongings, DescriptorError> {
    let mut descriptors = Vec::with_capacity(3 + preserved.len());
    for given in [stdio.input, stdio.output, stdio.error] {
        descriptors.push(given.map_or_else(null, Ok)?);
    }
    descriptors.extend(preserved);
    let first_free = RawFd::try_from(descriptors.len() + 1).unwrap_or(RawFd::MAX);
    let above = |descriptor: OwnedFd| move_above(descriptor, first_free);
    Ok(Belongings {
        channel: above(channel)?,
        descriptors: descriptors.into_iter().map(above).collect::<Result<_, _>>()?,
        trees: std::iter::repeat_with(|| None).take(trees).collect(),
    })
}

fn move_above(descriptor: OwnedFd, lowest: RawFd) -> Result<OwnedFd, DescriptorError> {
    if descriptor.as_raw_fd() >= lowest {
        return Ok(descriptor);
    }
    let number = fcntl(&descriptor, FcntlArg::F_DUPFD_CLOEXEC(lowest)).map_err(missing("a descriptor"))?;
    Ok(sys::own_descriptor(number))
}

fn null() -> Result<OwnedFd, DescriptorError> {
    let null: Result<File, io::Error> = OpenOptions::new().read(true).write(true).open("/dev/null");
    null.map(OwnedFd::from).map_err(|source| DescriptorError { what: "/dev/null", source })
}

fn missing(what: &'static str) -> impl Fn(Errno) -> DescriptorError {
    move |errno| DescriptorError { what, source: errno.into() }
}
