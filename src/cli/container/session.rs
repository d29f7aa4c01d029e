//! Sitting at a process in a container: what it writes is shown, what is typed is passed on, and so are signals.

use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal as KernelSignal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::pipe2;
use thiserror::Error;

use super::hose::{DetachKeys, Hose};
use crate::keeper::control::{Answer, Attach, ControlError, Reply, Request, Which};
use crate::keeper::terminal::{Raw, resize, size_of};
use crate::keeper::{Call, CallError};
use crate::model::{ExecSpec, Failure, Signal, Streams, Verb};

/// How a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The process has, with this code.
    Process(i32),
    /// The one who sat there has left; the process goes on.
    Detached,
}

/// What a session is like.
pub(super) struct Manner {
    pub(super) streams: Streams,
    pub(super) signals: Signals,
    pub(super) detach_keys: DetachKeys,
}

/// What becomes of a signal to terrarium itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signals {
    /// It is passed on.
    Passed,
    /// It is what it always is.
    Kept,
}

/// Why there is no session.
#[derive(Debug, Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("cannot sit at the container: {0} (are too many files open?)")]
    Here(#[from] io::Error),
    #[error(
        "the container has written for a minute what nobody has read here (go on reading: terrarium logs)"
    )]
    Lagged,
    #[error("the input device is not a TTY, so it cannot be one inside (leave out -t, or -i)")]
    NoTerminal,
    #[error(
        "{0} was not enough to end it, so it is left running (end it: terrarium stop, or terrarium kill)"
    )]
    Impatient(&'static str),
}

impl SessionError {
    /// The exit code of a run that came to nothing: 126 and 127 tell of the command, 125 of all else.
    pub(super) fn code(&self) -> i32 {
        match self {
            Self::Failed(Failure { code: Some(code @ (126 | 127)), .. }) => *code,
            _ => 125,
        }
    }
}

/// After so many requests to end by hand nobody is kept waiting.
const ENOUGH: u32 = 3;

impl Manner {
    /// A terminal inside needs one here, if it is to be typed to.
    pub(super) fn check(&self) -> Result<(), SessionError> {
        let typed_to = self.streams.tty && self.streams.stdin;
        if typed_to && !io::stdin().is_terminal() { Err(SessionError::NoTerminal) } else { Ok(()) }
    }
}

/// Attaches, then does what lets the container begin (if anything), and sits there until it has ended.
pub(super) fn attach(
    call: &mut Call,
    to: Which,
    manner: &mut Manner,
    begin: Option<&Verb>,
) -> Result<Ended, SessionError> {
    let watch = Watch::begin(manner)?;
    let (output, output_there) = pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from)?;
    let (error, error_there) = pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from)?;
    let mut along = vec![output_there.as_fd(), error_there.as_fd()];
    let input =
        if manner.streams.stdin { Some(pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from)?) } else { None };
    along.extend(input.as_ref().map(|(there, _)| there.as_fd()));
    let size = size_of(io::stdout().as_fd()).filter(|_| manner.streams.tty);
    call.send(&Request::Attach(Attach { to, size }), &along)?;
    drop((output_there, error_there));
    let mut flows = Flows {
        typed: None,
        shown: vec![Hose::new(output, io::stdout())?, Hose::new(error, io::stderr())?],
        to_the_end: true,
    };
    if let Some((there, here)) = input {
        drop(there);
        never_wait(&here)?;
        flows.typed = Some(Hose::new(io::stdin(), here)?);
    }
    expect(call, |reply| matches!(reply, Reply::Attached))?;
    if let Some(verb) = begin {
        call.send(&Request::Ask(verb.clone()), &[])?;
        expect(call, |reply| matches!(reply, Reply::Answered(Answer::Done(_) | Answer::Noop)))?;
        if let Some(size) = size {
            call.send(&Request::Resize(size), &[])?;
        }
    }
    watch.sit(call, flows, manner, None)
}

/// Runs a command inside and sits at it until it has ended.
pub(super) fn exec(call: &mut Call, spec: ExecSpec, manner: &mut Manner) -> Result<Ended, SessionError> {
    let watch = Watch::begin(manner)?;
    let mut flows = Flows { typed: None, shown: Vec::new(), to_the_end: false };
    if spec.tty {
        call.send(&Request::Exec(spec), &[])?;
        let master = loop {
            match call.hear()? {
                (Reply::Terminal, along) => match along.into_iter().next() {
                    Some(master) => break master,
                    None => return Err(CallError::Strange.into()),
                },
                (reply, _) => refuse(reply)?,
            }
        };
        if let Some(size) = size_of(io::stdout().as_fd()) {
            let _ = resize(&master, size);
        }
        never_wait(&master)?;
        flows.shown.push(Hose::new(&master, io::stdout())?);
        if manner.streams.stdin {
            flows.typed = Some(Hose::new(io::stdin(), &master)?);
        }
        return watch.sit(call, flows, manner, Some(&master));
    }
    let (mut input, mut theirs) = (None, Vec::new());
    if manner.streams.stdin {
        if io::stdin().is_terminal() {
            let (there, here) = pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from)?;
            never_wait(&here)?;
            flows.typed = Some(Hose::new(io::stdin(), here)?);
            input = Some(there);
        } else {
            input = Some(io::stdin().as_fd().try_clone_to_owned()?);
        }
    }
    theirs.push(match input {
        Some(input) => input,
        None => std::fs::File::open("/dev/null")?.into(),
    });
    for ours in [Shown::Output, Shown::Error] {
        theirs.push(ours.for_them(&mut flows)?);
    }
    let along: Vec<BorrowedFd<'_>> = theirs.iter().map(AsFd::as_fd).collect();
    call.send(&Request::Exec(spec), &along)?;
    drop(theirs);
    watch.sit(call, flows, manner, None)
}

/// Where something is shown here.
#[derive(Clone, Copy)]
enum Shown {
    Output,
    Error,
}

impl Shown {
    /// A file or a pipe is handed in as it is. A terminal of ours is not: who has it could type for us.
    fn for_them(self, flows: &mut Flows) -> io::Result<OwnedFd> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let (ours, is_terminal) = match self {
            Self::Output => (stdout.as_fd(), stdout.is_terminal()),
            Self::Error => (stderr.as_fd(), stderr.is_terminal()),
        };
        if !is_terminal {
            return ours.try_clone_to_owned();
        }
        let (here, there) = pipe2(OFlag::O_CLOEXEC)?;
        never_wait(&here)?;
        flows.shown.push(Hose::new(here, ours)?);
        Ok(there)
    }
}

/// What flows in a session.
struct Flows {
    typed: Option<Hose>,
    shown: Vec<Hose>,
    /// Whether what is shown ends with the process: else somebody in the background may hold on to it.
    to_the_end: bool,
}

/// The signals that are heard as long as a session lasts.
struct Watch {
    signals: SignalFd,
    before: SigSet,
}

impl Watch {
    fn begin(manner: &Manner) -> io::Result<Self> {
        use KernelSignal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
        let heard = match (manner.signals, manner.streams.tty) {
            // Whoever ends us must find the terminal as it was.
            (_, true) => SigSet::from_iter([SIGWINCH, SIGTERM, SIGHUP]),
            (Signals::Passed, false) => {
                SigSet::from_iter([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT])
            }
            (Signals::Kept, false) => SigSet::empty(),
        };
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&heard), Some(&mut before))?;
        let signals = SignalFd::with_flags(&heard, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { signals, before })
    }

    fn sit(
        self,
        call: &mut Call,
        mut flows: Flows,
        manner: &mut Manner,
        master: Option<&OwnedFd>,
    ) -> Result<Ended, SessionError> {
        let stdin = io::stdin();
        let raw = manner.streams.tty && manner.streams.stdin && stdin.is_terminal();
        let _raw = if raw { Some(Raw::begin(stdin.as_fd())?) } else { None };
        let (mut detached, mut asked_to_end) = (false, 0);
        loop {
            // What was said along with the last answer was taken in with it, and no descriptor tells of it any more.
            if let Some(code) = heard(call)? {
                flows.finish();
                return Ok(Ended::Process(code));
            }
            let mut watched = vec![
                PollFd::new(call.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            let hoses = flows.shown.iter().chain(&flows.typed);
            watched.extend(hoses.filter_map(Hose::awaits).map(|(fd, flags)| PollFd::new(fd, flags)));
            match poll(&mut watched, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
            let ready: Vec<bool> = watched.iter().map(|fd| fd.any() == Some(true)).collect();
            drop(watched);
            flows.turn(&ready[2..], &mut |typed| {
                if raw {
                    detached |= manner.detach_keys.pressed(typed);
                }
            });
            if detached {
                return Ok(Ended::Detached);
            }
            while let Ok(Some(info)) = self.signals.read_signal() {
                let number = i32::try_from(info.ssi_signo).unwrap_or_default();
                if number == KernelSignal::SIGWINCH as i32 {
                    Self::pass_on_size(call, master)?;
                } else if manner.streams.tty {
                    return Ok(Ended::Process(128 + number));
                } else if let Some(signal) = Signal::from_number(number) {
                    if [KernelSignal::SIGINT as i32, KernelSignal::SIGTERM as i32].contains(&number) {
                        asked_to_end += 1;
                        if asked_to_end > ENOUGH {
                            return Err(SessionError::Impatient("ctrl-C"));
                        }
                    }
                    call.send(&Request::Ask(Verb::Kill { signal }), &[])?;
                }
            }
        }
    }

    fn pass_on_size(call: &mut Call, master: Option<&OwnedFd>) -> Result<(), SessionError> {
        let Some(size) = size_of(io::stdout().as_fd()) else { return Ok(()) };
        match master {
            Some(master) => Ok(resize(master, size)?),
            None => Ok(call.send(&Request::Resize(size), &[])?),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

impl Flows {
    fn turn(&mut self, ready: &[bool], typed: &mut impl FnMut(&mut Vec<u8>)) {
        let mut ready = ready.iter();
        for hose in &mut self.shown {
            if hose.awaits().is_some() && ready.next() == Some(&true) {
                hose.flow(&mut |_| {});
            }
        }
        if let Some(hose) = &mut self.typed
            && hose.awaits().is_some()
            && ready.next() == Some(&true)
        {
            hose.flow(typed);
        }
    }

    /// Shows what there still is.
    fn finish(&mut self) {
        for hose in &mut self.shown {
            while let Some((fd, flags)) = hose.awaits() {
                // To give takes as long as it takes; to take does only as long as there is more to come.
                let gives = flags.contains(PollFlags::POLLOUT);
                let patience = if self.to_the_end || gives { PollTimeout::NONE } else { PollTimeout::ZERO };
                match poll(&mut [PollFd::new(fd, flags)], patience) {
                    Ok(0) => break,
                    Ok(_) | Err(Errno::EINTR) => hose.flow(&mut |_| {}),
                    Err(_) => break,
                }
            }
        }
    }
}

/// The code, if the process has ended. Answers to signals that were passed on are of no interest.
fn heard(call: &mut Call) -> Result<Option<i32>, SessionError> {
    while let Some((reply, _)) = call.look()? {
        match reply {
            Reply::Ended(code) | Reply::Answered(Answer::Exited(code)) => return Ok(Some(code)),
            Reply::Lagged => return Err(SessionError::Lagged),
            Reply::Answered(Answer::Failed(failure)) => return Err(failure.into()),
            Reply::Answered(Answer::Refused(why)) if !why.contains("kill") => {
                return Err(SessionError::Refused(why));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn expect(call: &mut Call, wanted: impl Fn(&Reply) -> bool) -> Result<(), SessionError> {
    loop {
        match call.hear()? {
            (reply, _) if wanted(&reply) => return Ok(()),
            (reply, _) => refuse(reply)?,
        }
    }
}

fn refuse(reply: Reply) -> Result<(), SessionError> {
    match reply {
        Reply::Answered(Answer::Refused(why)) => Err(SessionError::Refused(why)),
        Reply::Answered(Answer::Failed(failure)) => Err(failure.into()),
        Reply::Answered(Answer::Exited(_)) => Err(CallError::from(ControlError::Gone).into()),
        _ => Ok(()),
    }
}

fn never_wait(descriptor: &OwnedFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
