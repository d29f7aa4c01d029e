//! A container, as its keeper holds it: a pidfd, a channel and a cgroup.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::Pid;
use oci_spec::runtime::Spec;
use thiserror::Error;

use super::cgroup::{Cgroup, CgroupError, Home, LimitError, Limits};
use super::ending::{self, ExitStatus};
use super::freeze::SignalFreezer;
use super::message::{self, ExecError, Heard, Message, Progress};
use super::plan::Plan;
use super::processes::{self, State};
use super::steps::{Step, StepError};
use super::sys;

/// A container. It lives as long as this value, and as the thread that made it.
#[derive(Debug)]
pub struct Container {
    pid: Pid,
    pidfd: OwnedFd,
    /// The way to its init, until init has become the program or has left.
    channel: Option<OwnedFd>,
    phase: Phase,
    /// What it was made by, for processes that follow its init.
    spec: Spec,
    cgroup: Cgroup,
    /// Whether somebody wants it paused; it may not be yet.
    paused: bool,
    signal_freezer: SignalFreezer,
    ended: Option<ExitStatus>,
}

/// A container does not do what it was told.
#[derive(Debug, Error)]
pub enum ControlError {
    /// It has ended.
    #[error("the container has ended (wait for it and delete it)")]
    Ended,
    /// It cannot be started: it is not created yet, or it is started already.
    #[error("the container is not parked (start it once, after it has been created)")]
    NotParked,
    /// The kernel said no.
    #[error("cannot {action} the container: {}", .errno.desc().to_lowercase())]
    Kernel {
        /// What was being done.
        action: &'static str,
        /// Why not.
        errno: Errno,
    },
    /// Its cgroup said no.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}

/// A container that could not be deleted.
#[derive(Debug, Error)]
pub enum DeleteError {
    /// It lives.
    #[error("the container has not ended (kill it and wait for it first)")]
    Alive,
    /// Its cgroup stays.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}

/// Whether another process can be brought into a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    NotThereYet,
    Open,
    Frozen,
    Gone,
}

/// What a plan's operations are called, for as long as one of them can fail.
#[derive(Debug, Default)]
pub(super) struct SetUp {
    operations: Vec<(Step, String)>,
    program: String,
}

#[derive(Debug)]
enum Phase {
    SettingUp(SetUp),
    Parked { program: String },
    Released { program: String },
    Over,
}

/// How long an abandoned container may take to die before it is left to the kernel.
const ABANDONED: Duration = Duration::from_secs(2);

impl Container {
    pub(super) fn new(
        (pid, pidfd): (Pid, OwnedFd),
        channel: OwnedFd,
        spec: Spec,
        cgroup: Cgroup,
        set_up: SetUp,
    ) -> Self {
        Self {
            pid,
            pidfd,
            channel: Some(channel),
            phase: Phase::SettingUp(set_up),
            spec,
            cgroup,
            paused: false,
            signal_freezer: SignalFreezer::default(),
            ended: None,
        }
    }

    /// Its init, as this process numbers it.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Becomes readable when init ends.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Becomes readable when there is [`Container::progress`]; none once there can be no more.
    pub fn status_fd(&self) -> Option<BorrowedFd<'_>> {
        self.channel.as_ref().map(OwnedFd::as_fd)
    }

    /// What has become of it since this was last asked, without waiting. Ask again until there is nothing.
    pub fn progress(&mut self) -> Result<Option<Progress>, ControlError> {
        let Some(channel) = &self.channel else { return Ok(None) };
        let received = match message::hear(channel.as_fd()).map_err(control("hear from"))? {
            Heard::Nothing => return Ok(None),
            Heard::Closed => None,
            Heard::Said(message, _) => Some(message),
        };
        let (phase, progress) = match (std::mem::replace(&mut self.phase, Phase::Over), received) {
            (Phase::SettingUp(set_up), Some(Message::Parked)) => {
                (Phase::Parked { program: set_up.program }, Progress::Parked)
            }
            (Phase::SettingUp(set_up), Some(Message::Failed { operation, errno })) => {
                (Phase::Over, Progress::Failed(set_up.failed(operation, errno)))
            }
            (Phase::Released { program }, Some(Message::ExecFailed { errno })) => {
                (Phase::Over, Progress::ExecFailed(ExecError::new(&program, errno)))
            }
            (Phase::Released { .. }, None) => (Phase::Over, Progress::Executed),
            _ => (Phase::Over, Progress::Ended),
        };
        self.phase = phase;
        if matches!(self.phase, Phase::Over) {
            self.channel = None;
        }
        Ok(Some(progress))
    }

    /// Lets a parked init become the program. Whether it does is told by [`Container::progress`].
    pub fn start(&mut self) -> Result<(), ControlError> {
        let Phase::Parked { program } = &mut self.phase else { return Err(ControlError::NotParked) };
        let program = std::mem::take(program);
        self.phase = Phase::Released { program };
        self.say_go_on();
        Ok(())
    }

    /// Signals init. As PID 1 it only gets what it has a handler for, except SIGKILL and SIGSTOP.
    pub fn kill(&self, signal: i32) -> Result<(), ControlError> {
        self.signal(signal, "signal")
    }

    /// Ends every process of it, also if they are frozen.
    pub fn kill_all(&self) -> Result<(), ControlError> {
        match &self.cgroup.home {
            Home::V2(cgroup) if cgroup.kill().is_ok() => Ok(()),
            Home::V1(cgroup) => {
                self.signal(Signal::SIGKILL as i32, "kill")?;
                Ok(cgroup.thaw()?)
            }
            // The others die with the first process of their pid namespace.
            Home::V2(_) | Home::None => self.signal(Signal::SIGKILL as i32, "kill"),
        }
    }

    /// Begins to freeze all its processes; [`Container::frozen`] tells when they are.
    pub fn pause(&mut self) -> Result<(), ControlError> {
        match &self.cgroup.home {
            Home::V2(cgroup) => cgroup.freeze()?,
            Home::V1(cgroup) => cgroup.freeze()?,
            Home::None => {
                self.signal_freezer.freeze(self.pid, self.pidfd.as_fd()).map_err(control("pause"))?;
            }
        }
        self.paused = true;
        Ok(())
    }

    /// Begins to thaw all its processes.
    pub fn resume(&mut self) -> Result<(), ControlError> {
        match &self.cgroup.home {
            Home::V2(cgroup) => cgroup.thaw()?,
            Home::V1(cgroup) => cgroup.thaw()?,
            Home::None => {
                self.signal_freezer.thaw(self.pid, self.pidfd.as_fd()).map_err(control("resume"))?;
            }
        }
        self.paused = false;
        Ok(())
    }

    /// Whether all its processes are frozen.
    pub fn frozen(&self) -> Result<bool, ControlError> {
        match &self.cgroup.home {
            Home::V2(cgroup) => Ok(cgroup.is_frozen()?),
            Home::V1(cgroup) => Ok(cgroup.is_frozen()?),
            Home::None => Ok(SignalFreezer::is_frozen(self.pid)),
        }
    }

    /// Has urgent data (EPOLLPRI) when [`Container::frozen`] may have changed. None where nobody tells: ask again then.
    pub fn freeze_event_fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.cgroup.home {
            Home::V2(cgroup) => Some(cgroup.events()),
            Home::V1(_) | Home::None => None,
        }
    }

    /// How init ended, without waiting; none while it lives.
    pub fn reap(&mut self) -> Result<Option<ExitStatus>, ControlError> {
        if self.ended.is_none() {
            self.ended = ending::look(self.pidfd.as_fd()).map_err(control("wait for"))?;
        }
        Ok(self.ended)
    }

    /// Its living processes; those that are dead and not waited for do not count.
    pub fn processes(&self) -> Vec<Pid> {
        if self.ended.is_some() { Vec::new() } else { living(&self.cgroup.home, self.pid) }
    }

    /// CPU time that it has used; none if the host cannot tell, as without a cgroup after its end.
    pub fn cpu_time(&self) -> Option<Duration> {
        self.cgroup.cpu_time().or_else(|| {
            let times: Vec<Duration> =
                members(self.pid).into_iter().filter_map(processes::cpu_time).collect();
            (!times.is_empty()).then(|| times.into_iter().sum())
        })
    }

    /// Bytes of memory that its processes have written and hold; none if the host does not tell.
    pub fn memory(&self) -> Option<u64> {
        let processes = self.processes();
        // One that has ended since it was listed holds nothing.
        let told: Vec<u64> = processes.iter().copied().filter_map(processes::memory).collect();
        (!told.is_empty() || processes.is_empty()).then(|| told.into_iter().sum())
    }

    /// Sets limits, one after the other, up to the first that is refused. All its processes together keep to them from
    /// now on, whenever they began.
    ///
    /// Where v1 limits memory, this takes a container that was created with a limit on it (or with -1 for none yet). Memory
    /// that is in use beyond a lower limit lets v1 refuse it; v2 kills.
    pub fn limit(&mut self, limits: Limits) -> Result<(), LimitError> {
        let init = self.ended.is_none().then_some(self.pid);
        self.cgroup.limit(&limits.each(), |home| init.map(|init| living(home, init)).unwrap_or_default())
    }

    /// How often the kernel has killed one of its processes because their memory was at its limit; 0 where there is none.
    /// It can be asked until the container is deleted.
    pub fn oom_kills(&self) -> u64 {
        self.cgroup.oom_kills()
    }

    /// Becomes readable when [`Container::oom_kills`] may have changed, and quiet when that is asked; none without a limit
    /// on memory. v1 tells a moment before it kills: ask once more a little later. Before an end is seen, the kill is counted.
    pub fn oom_event_fd(&self) -> Option<BorrowedFd<'_>> {
        self.cgroup.oom_event_fd()
    }

    /// How many of its namespaces are not ours.
    pub fn namespaces(&self) -> usize {
        const KINDS: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
        let own = |kind: &&str| {
            let theirs = processes::namespace(self.pid, kind);
            theirs.is_some() && theirs != processes::namespace(Pid::this(), kind)
        };
        KINDS.iter().filter(|kind| own(kind)).count()
    }

    /// How many mounts it sees.
    pub fn mounts(&self) -> usize {
        let table = std::fs::read_to_string(format!("/proc/{}/mountinfo", self.pid));
        table.map_or(0, |table| table.lines().count())
    }

    /// Removes what was made for it on the host: its cgroup, and nothing else. Only after [`Container::reap`] has told
    /// how it ended.
    pub fn delete(mut self) -> Result<(), DeleteError> {
        if self.ended.is_none() {
            return Err(DeleteError::Alive);
        }
        Ok(self.cgroup.remove()?)
    }

    pub(super) fn door(&self) -> Door {
        match self.phase {
            _ if self.ended.is_some() => Door::Gone,
            Phase::SettingUp(_) | Phase::Parked { .. } => Door::NotThereYet,
            Phase::Released { .. } | Phase::Over if self.paused => Door::Frozen,
            Phase::Released { .. } | Phase::Over => Door::Open,
        }
    }

    pub(super) fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(super) fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    pub(super) fn attach(&self) -> Result<(), CgroupError> {
        self.cgroup.attach(self.pid)
    }

    /// One word, whatever it is: init waits for it. If init is gone, the channel says so to whoever reads it.
    pub(super) fn say_go_on(&self) {
        if let Some(channel) = &self.channel {
            let _ = send(channel.as_raw_fd(), b".", MsgFlags::MSG_NOSIGNAL);
        }
    }

    fn signal(&self, signal: i32, action: &'static str) -> Result<(), ControlError> {
        match sys::pidfd_send_signal(self.pidfd.as_fd(), signal) {
            Err(Errno::ESRCH) => Err(ControlError::Ended),
            result => result.map_err(control(action)),
        }
    }
}

/// A container that nobody deleted ends here: without its keeper there is nobody left to wait for it.
impl Drop for Container {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = self.kill_all();
            let timeout = PollTimeout::try_from(ABANDONED).unwrap_or(PollTimeout::ZERO);
            let _ = poll(&mut [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)], timeout);
            let _ = self.reap();
        }
        if self.ended.is_some() {
            let _ = self.cgroup.remove();
        }
    }
}

impl SetUp {
    pub(super) fn new((operations, program): (Vec<(Step, String)>, String)) -> Self {
        Self { operations, program }
    }

    pub(super) fn exec_failed(&self, errno: Errno) -> ExecError {
        ExecError::new(&self.program, errno)
    }

    pub(super) fn failed(mut self, operation: i32, errno: Errno) -> StepError {
        let index = usize::try_from(operation).unwrap_or(usize::MAX);
        let (step, subject) = if index < self.operations.len() {
            self.operations.swap_remove(index)
        } else {
            (Step::Park, "itself".to_owned())
        };
        StepError { step, subject, errno }
    }
}

impl From<Plan> for SetUp {
    fn from(plan: Plan) -> Self {
        let operations = plan.operations.into_iter();
        Self {
            operations: operations.map(|operation| (operation.step, operation.subject)).collect(),
            program: plan.program_name,
        }
    }
}

fn living(home: &Home, init: Pid) -> Vec<Pid> {
    let listed = home.processes().unwrap_or_else(|| members(init));
    let lives = |pid: &Pid| matches!(processes::state(*pid), Some(State::Alive | State::Stopped));
    listed.into_iter().filter(lives).collect()
}

fn members(init: Pid) -> Vec<Pid> {
    processes::namespace(init, "pid").map(|name| processes::members(&name)).unwrap_or_default()
}

fn control(action: &'static str) -> impl Fn(Errno) -> ControlError {
    move |errno| ControlError::Kernel { action, errno }
}
