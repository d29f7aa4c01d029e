//! One more process in a running container, as its keeper holds it.
//!
//! The keeper is its parent, so it is waited for by its pidfd, as the container's init is. Until it is there ([`enter`]
//! tells how it gets there), the keeper only knows its scout, which leads a process group that both are in.
//!
//! [`enter`]: super::enter

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::{Pid, setpgid};
use oci_spec::runtime::{Process, User};
use thiserror::Error;

use super::bundle::{BundleError, Stdio};
use super::cgroup::CgroupError;
use super::container::{Container, Door, SetUp};
use super::create::clone_advice;
use super::descriptors::{DescriptorError, belongings, channel};
use super::ending::{self, ExitStatus};
use super::enter::Way;
use super::message::{self, ExecError, Heard, Message};
use super::steps::{StepError, what};
use super::sys;

/// What is to run in the container, and how it differs from the container's own program.
#[derive(Debug, Default)]
pub struct ExecOptions {
    /// The command line.
    pub args: Vec<String>,
    /// `NAME=value`: added to the container's environment, whose variables of the same name give way.
    pub env: Vec<String>,
    /// Its working directory, which has to exist; the container's if not given.
    pub cwd: Option<PathBuf>,
    /// Its user; the container's if not given.
    pub user: Option<User>,
    /// Standard input, output and error.
    pub stdio: Stdio,
    /// Whether its standard input is a terminal that it is to have for itself.
    pub terminal: bool,
    /// Descriptors that it gets as 3, 4, and so on.
    pub preserve_fds: Vec<OwnedFd>,
}

/// A process that is brought into a container. It lives as long as this value, and as the thread that made it.
///
/// The kernel holds a container's end back until everybody in it has been waited for. So while a container is being ended,
/// go on watching its execs and [`Exec::reap`] them, or drop them once the container has been killed.
#[derive(Debug)]
pub struct Exec {
    scout: Pid,
    scout_pidfd: OwnedFd,
    /// The way to the scout and then to the process, until that has become the program or has left.
    channel: Option<OwnedFd>,
    set_up: SetUp,
    /// Whether it has said how it failed. Then the channel only tells when the scout is about to be gone.
    failed: bool,
    process: Option<(Pid, OwnedFd)>,
    ended: Option<ExitStatus>,
}

/// What has become of a process that is brought into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecProgress {
    /// It is in the container: from now on it has a [`Exec::pid`] and a [`Exec::pidfd`].
    Joined,
    /// Its program runs (or ran: it may have ended already).
    Executed,
    /// Its program could not be executed, and it ends with that code.
    ExecFailed(ExecError),
    /// A step failed. If it had joined it ends with 125; else there never was a process.
    Failed(EnterError),
    /// It died on the way, so there never was a process.
    Ended,
}

/// Why there is no process in the container, nor on the way to it.
#[derive(Debug, Error)]
pub enum ExecCreateError {
    /// The container's program has not been started.
    #[error("the container is not running (start it first)")]
    NotStarted,
    /// The container has ended.
    #[error("the container is not running: it has ended (create and start another one)")]
    Ended,
    /// A process that joins a frozen container would freeze on the way.
    #[error("the container is paused (resume it first)")]
    Paused,
    /// The command is wrong.
    #[error(transparent)]
    Command(#[from] BundleError),
    /// What stands ready before the clone could not be had.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// The container's cgroup could not be joined.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The kernel made no child.
    #[error("cannot clone into the container's cgroup: {} ({})", .0.desc().to_lowercase(), clone_advice(*.0))]
    Clone(Errno),
}

/// A process that did not get into the container, or not up to its program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot enter the container: {}", what(.0.step, &.0.subject, .0.errno))]
pub struct EnterError(pub StepError);

/// An exec does not do what it was told.
#[derive(Debug, Error)]
pub enum ExecControlError {
    /// There is no process yet, or there never was one.
    #[error("the process is not in the container (wait until it has joined)")]
    NotJoined,
    /// It has ended.
    #[error("the process has ended")]
    Ended,
    /// The kernel said no.
    #[error("cannot {action} the process in the container: {}", .errno.desc().to_lowercase())]
    Kernel {
        /// What was being done.
        action: &'static str,
        /// Why not.
        errno: Errno,
    },
}

/// How long an abandoned process may take to die before it is left to the kernel.
const ABANDONED: Duration = Duration::from_secs(2);
/// How often one asks for the end of a process that somebody inside traces. There is no event for it.
const TRACED_INTERVAL: Duration = Duration::from_millis(1);

impl Container {
    /// Brings one more process in, with the container's rights and limits. It is on its way while this returns: what becomes
    /// of it is told by [`Exec::progress`].
    ///
    /// A container that something else than [`Container::pause`] has frozen freezes the process on the way; then there is no
    /// progress until it is thawed.
    ///
    /// The process dies with the *thread* that calls this, as a container does.
    pub fn exec(&self, options: ExecOptions) -> Result<Exec, ExecCreateError> {
        match self.door() {
            Door::NotThereYet => return Err(ExecCreateError::NotStarted),
            Door::Frozen => return Err(ExecCreateError::Paused),
            Door::Gone => return Err(ExecCreateError::Ended),
            Door::Open => {}
        }
        let linux = self.spec().linux().as_ref().ok_or(BundleError::Missing("linux section"))?;
        let process = self.spec().process().clone().ok_or(BundleError::Missing("process"))?;
        let ExecOptions { args, env, cwd, user, stdio, terminal, preserve_fds } = options;
        let mut process = like(process, args, &env, cwd, user);
        process.set_terminal(Some(terminal));
        let init = self.pidfd().try_clone_to_owned();
        let init = init.map_err(|source| DescriptorError { what: "a copy of its pidfd", source })?;
        let way = Way::of(&process, linux, init)?;
        let (channel, far_end) = channel()?;
        let mut belongings = belongings(stdio, preserve_fds, far_end, 0)?;

        let cloned = sys::clone_child(0, self.cgroup().clone_target(), || way.walk(&mut belongings));
        let (scout, scout_pidfd) = cloned.map_err(ExecCreateError::Clone)?;
        let set_up = SetUp::new(way.names());
        // From here on an early return drops the exec, which ends the scout.
        let channel = Some(channel);
        let exec = Exec { scout, scout_pidfd, channel, set_up, failed: false, process: None, ended: None };
        // It can only fail if the scout is gone already, which the channel will say.
        let _ = setpgid(scout, scout);
        self.cgroup().attach(scout)?;
        exec.say_go_on();
        Ok(exec)
    }
}

impl Exec {
    /// The process, as this process numbers it; none before it has joined.
    pub fn pid(&self) -> Option<Pid> {
        self.process.as_ref().map(|(pid, _)| *pid)
    }

    /// Becomes readable when the process ends; none before it has joined.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.process.as_ref().map(|(_, pidfd)| pidfd.as_fd())
    }

    /// Becomes readable when there is [`Exec::progress`]; none once there can be no more.
    pub fn status_fd(&self) -> Option<BorrowedFd<'_>> {
        self.channel.as_ref().map(OwnedFd::as_fd)
    }

    /// What has become of it since this was last asked, without waiting. Ask again until there is nothing: the process does
    /// not go on before it has been seen to join.
    pub fn progress(&mut self) -> Result<Option<ExecProgress>, ExecControlError> {
        let Some(channel) = &self.channel else { return Ok(None) };
        match message::hear(channel.as_fd()).map_err(control("hear from"))? {
            Heard::Said(Message::Joined { pid }, Some(pidfd)) => {
                self.process = Some((Pid::from_raw(pid), pidfd));
                self.say_go_on();
                Ok(Some(ExecProgress::Joined))
            }
            Heard::Said(Message::Failed { operation, errno }, _) => {
                self.failed = true;
                let error = std::mem::take(&mut self.set_up).failed(operation, errno);
                Ok(Some(ExecProgress::Failed(EnterError(error))))
            }
            Heard::Said(Message::ExecFailed { errno }, _) => {
                self.failed = true;
                Ok(Some(ExecProgress::ExecFailed(self.set_up.exec_failed(errno))))
            }
            Heard::Nothing | Heard::Said(..) => Ok(None),
            Heard::Closed => {
                self.channel = None;
                self.see_off_the_scout();
                Ok(match self.process {
                    _ if self.failed => None,
                    Some(_) => Some(ExecProgress::Executed),
                    None => Some(ExecProgress::Ended),
                })
            }
        }
    }

    /// Signals the process.
    pub fn kill(&self, signal: i32) -> Result<(), ExecControlError> {
        let (_, pidfd) = self.process.as_ref().ok_or(ExecControlError::NotJoined)?;
        match sys::pidfd_send_signal(pidfd.as_fd(), signal) {
            Err(Errno::ESRCH) => Err(ExecControlError::Ended),
            result => result.map_err(control("signal")),
        }
    }

    /// How the process ended, without waiting; none while it lives, and if there never was one.
    pub fn reap(&mut self) -> Result<Option<ExitStatus>, ExecControlError> {
        if let (None, Some((_, pidfd))) = (self.ended, &self.process) {
            self.ended = ending::look(pidfd.as_fd()).map_err(control("wait for"))?;
        }
        Ok(self.ended)
    }

    /// One word, whatever it is: the scout waits for it, and then the process.
    fn say_go_on(&self) {
        if let Some(channel) = &self.channel {
            let _ = send(channel.as_raw_fd(), b".", MsgFlags::MSG_NOSIGNAL);
        }
    }

    /// Waits for the scout, which is ending: all have closed their end of the channel.
    ///
    /// A scout that was killed may just have cloned a process that nobody has been told of, and that ends with it.
    fn see_off_the_scout(&self) {
        if self.process.is_some() {
            ending::see_off(self.scout_pidfd.as_fd());
        } else {
            ending::see_off_group(self.scout);
        }
    }
}

/// An exec that nobody has seen end is ended here.
impl Drop for Exec {
    fn drop(&mut self) {
        let deadline = Instant::now() + ABANDONED;
        if let (None, Some((_, pidfd))) = (self.ended, &self.process) {
            let _ = sys::pidfd_send_signal(pidfd.as_fd(), Signal::SIGKILL as i32);
        } else if self.process.is_none() && self.channel.is_some() {
            let _ = killpg(self.scout, Signal::SIGKILL);
        }
        while let Some(channel) = &self.channel
            && readable(channel.as_fd(), deadline)
        {
            let _ = self.progress();
        }
        if let (None, Some((_, pidfd))) = (self.ended, &self.process)
            && readable(pidfd.as_fd(), deadline)
        {
            // One that is traced inside is not ours to reap before its tracer has done so, or has ended.
            while matches!(self.reap(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(TRACED_INTERVAL);
            }
        }
    }
}

/// What the container's own program was given, but for what is asked for otherwise.
fn like(
    mut process: Process,
    args: Vec<String>,
    env: &[String],
    cwd: Option<PathBuf>,
    user: Option<User>,
) -> Process {
    fn name(variable: &str) -> &str {
        variable.split_once('=').map_or(variable, |(name, _)| name)
    }
    let given: Vec<&str> = env.iter().map(|variable| name(variable)).collect();
    let mut all = process.env().clone().unwrap_or_default();
    all.retain(|variable| !given.contains(&name(variable)));
    all.extend(env.iter().cloned());
    process.set_args(Some(args)).set_env(Some(all));
    if let Some(cwd) = cwd {
        process.set_cwd(cwd);
    }
    if let Some(user) = user {
        process.set_user(user);
    }
    process
}

fn readable(descriptor: BorrowedFd<'_>, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
    !left.is_zero() && matches!(poll(&mut [PollFd::new(descriptor, PollFlags::POLLIN)], timeout), Ok(1..))
}

fn control(action: &'static str) -> impl Fn(Errno) -> ExecControlError {
    move |errno| ExecControlError::Kernel { action, errno }
}
