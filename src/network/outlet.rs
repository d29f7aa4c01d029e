//! The way out of a container that belongs to an ordinary user, who may not plug cables into the host.
//!
//! A program of the host's, pasta or slirp4netns, makes an interface in the container's network and lives the packets that it
//! sends there in ordinary connections of its own. Whichever of them does it, inside it looks the same: `tap0` with
//! 10.0.2.100, everything by 10.0.2.2, and a name server at 10.0.2.3 that passes questions on to the host's. The host's own
//! 127.0.0.1 is not to be reached, and nothing comes in this way: published ports have the relay.

use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Seek};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{AccessFlags, access};
use thiserror::Error;

use crate::runtime::Companion;

/// A container's way out, for as long as this value lives.
#[derive(Debug)]
pub struct Outlet(#[expect(dead_code, reason = "it ends the carrier when it is dropped")] Companion);

/// Who carries a user's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Of the package passt, and the quicker one.
    Pasta,
    /// What rootless Docker takes.
    Slirp4netns,
}

/// Why a user's container does not get out.
#[derive(Debug, Error)]
pub enum OutletError {
    /// There is no program for it.
    #[error("neither pasta nor slirp4netns is installed (apt-get install passt)")]
    NoCarrier,
    /// There is one, and it may not make an interface.
    #[error("{carrier} is installed, and this user may not open {TUN}: {source} (as root: chmod 0666 {TUN})")]
    NoTun {
        /// Which.
        carrier: Carrier,
        /// Why not.
        source: io::Error,
    },
    /// It could not be started.
    #[error("cannot start {carrier}: {source} (try it by hand: {carrier} --version)")]
    Start {
        /// Which.
        carrier: Carrier,
        /// Why not.
        source: io::Error,
    },
    /// It has ended before it was ready, or took too long.
    #[error("{carrier} does not carry packets: {said} (has this host a default route? see: ip route)")]
    NotReady {
        /// Which.
        carrier: Carrier,
        /// Its last words.
        said: String,
    },
}

/// Where questions for names go.
pub const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);
const TUN: &str = "/dev/net/tun";
const DEADLINE: Duration = Duration::from_secs(5);
/// Where programs are, for whoever has no PATH.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

impl Outlet {
    /// Opens one for the network of a process, which is ours. Returns when it carries.
    pub fn open(pid: i32) -> Result<Self, OutletError> {
        let (carrier, program) = Carrier::find()?;
        let failed = |source| OutletError::Start { carrier, source };
        let (mut ready, told) = io::pipe().map_err(failed)?;
        let words = memfd_create("words", MFdFlags::MFD_CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let mut words = File::from(words);
        let mut companion = {
            let command = carrier.command(&program, pid, told, words.try_clone().map_err(failed)?);
            // The command goes with this block, and our copy of the end that it tells by.
            Companion::start(command).map_err(failed)?
        };
        if is_told(&mut ready) {
            return Ok(Self(companion));
        }
        let mut said = String::new();
        let _ = words.rewind().and_then(|()| words.read_to_string(&mut said));
        let said = match (said.trim().lines().last(), is_over(&ready)) {
            (Some(last), _) => last.to_owned(),
            (None, true) => companion.end().map(|status| status.to_string()).unwrap_or_default(),
            (None, false) => format!("nothing came of it within {DEADLINE:?}"),
        };
        Err(OutletError::NotReady { carrier, said })
    }
}

impl Carrier {
    /// The one that is used here, and where it is.
    pub fn find() -> Result<(Self, PathBuf), OutletError> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
        let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let installed = |carrier: Self| {
            let mut programs = directories.iter().map(|directory| directory.join(carrier.name()));
            programs.find(|program| is_executable(program)).map(|program| (carrier, program))
        };
        let found = installed(Self::Pasta).or_else(|| installed(Self::Slirp4netns));
        let (carrier, program) = found.ok_or(OutletError::NoCarrier)?;
        access(TUN, AccessFlags::R_OK | AccessFlags::W_OK)
            .map_err(|errno| OutletError::NoTun { carrier, source: errno.into() })?;
        Ok((carrier, program))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Pasta => "pasta",
            Self::Slirp4netns => "slirp4netns",
        }
    }

    /// It writes to its standard output when it is ready.
    fn command(self, program: &Path, pid: i32, told: PipeWriter, words: File) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(told).stderr(words);
        match self {
            Self::Pasta => {
                command
                    .args([
                        "--foreground",
                        "--quiet",
                        "--stderr",
                        "--ipv4-only",
                        "--config-net",
                        "--no-map-gw",
                    ])
                    .args(["--ns-ifname", "tap0", "--address", "10.0.2.100", "--netmask", "24"])
                    .args(["--gateway", "10.0.2.2", "--dns-forward", &NAME_SERVER.to_string()])
                    .args([
                        "--tcp-ports",
                        "none",
                        "--udp-ports",
                        "none",
                        "--tcp-ns",
                        "none",
                        "--udp-ns",
                        "none",
                    ])
                    .args(["--pid", "/proc/self/fd/1"])
                    .arg(pid.to_string());
            }
            Self::Slirp4netns => {
                command
                    .args(["--configure", "--mtu=65520", "--disable-host-loopback", "--ready-fd=1"])
                    .arg(format!("--userns-path=/proc/{pid}/ns/user"))
                    .args([pid.to_string().as_str(), "tap0"]);
            }
        }
        command
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn is_executable(program: &Path) -> bool {
    program.is_file() && access(program, AccessFlags::X_OK).is_ok()
}

/// Whether it says that it is ready, in time.
fn is_told(ready: &mut PipeReader) -> bool {
    let end = Instant::now() + DEADLINE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(ready.as_fd(), PollFlags::POLLIN)], timeout) {
            Err(nix::errno::Errno::EINTR) => {}
            Ok(count) if count > 0 => return ready.read(&mut [0; 32]).is_ok_and(|length| length > 0),
            _ => return false,
        }
    }
}

/// Whether nobody is left who could say so.
fn is_over(ready: &PipeReader) -> bool {
    let mut end = [PollFd::new(ready.as_fd(), PollFlags::empty())];
    poll(&mut end, PollTimeout::ZERO).is_ok() && end[0].any() == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_there_is_none_is_said_with_the_next_step() {
        let told = [
            OutletError::NoCarrier.to_string(),
            OutletError::NoTun { carrier: Carrier::Pasta, source: io::ErrorKind::PermissionDenied.into() }
                .to_string(),
        ];
        assert_eq!(
            told,
            [
                "neither pasta nor slirp4netns is installed (apt-get install passt)",
                "pasta is installed, and this user may not open /dev/net/tun: permission denied (as root: chmod 0666 \
                 /dev/net/tun)",
            ]
        );
    }
}
