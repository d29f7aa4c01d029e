//! `lab init COMMAND…`: a first process for programs that are not made to be one.
//!
//! PID 1 is two verbs in a loop: it forwards every signal that it gets to its child, and it reaps every process that ends, be
//! it its child or an orphan that has become its own. When the child has ended it leaves, with the child's code. The
//! child is not PID 1, so a signal that it has no handler for ends it as it would anywhere.

use std::{
    ffi::OsString,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::Path,
    process,
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{SigSet, SigmaskHow, Signal, sigprocmask},
    },
    unistd::{ForkResult, Pid, getpgrp, setpgid, tcsetpgrp},
};
use thiserror::Error;

use super::{
    commands::NOT_FOUND,
    sys::{self, Disposition},
};

/// The exit code of a shell for what it finds and cannot execute.
const NOT_EXECUTABLE: u8 = 126;

/// What the kernel sends to a process for its own faults: to block or to forward them would hide those.
const FAULTS: [Signal; 7] = [
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGABRT,
    Signal::SIGTRAP,
    Signal::SIGSYS,
];

/// What stops a process in the background that uses the terminal, as this one is from now on.
const TERMINAL_STOPS: [Signal; 2] = [Signal::SIGTTIN, Signal::SIGTTOU];

#[derive(Debug, Error)]
pub(super) enum InitError {
    #[error("init takes the command that it shall start")]
    NoCommand,
    #[error("cannot take signals: {0}")]
    Signals(#[source] io::Error),
    #[error("cannot fork: {} (raise the limit on processes)", .0.desc().to_lowercase())]
    Fork(Errno),
}

/// What comes after `lab init`, if these are its words.
pub(super) fn command(args: &[OsString]) -> Option<&[OsString]> {
    let [name, verb, command @ ..] = args else { return None };
    (Path::new(name).file_name()? == "lab" && verb == "init").then_some(command)
}

/// Starts the command, forwards and reaps until it has ended, and returns with its code.
pub(super) fn live(command: &[OsString], ready: Option<i32>) -> Result<u8, InitError> {
    let Some((program, arguments)) = command.split_first() else { return Err(InitError::NoCommand) };
    // Before the fork: what comes from now on waits, and is forwarded once there is somebody to get it.
    let mut signals = SigSet::all();
    FAULTS.into_iter().chain(TERMINAL_STOPS).for_each(|signal| signals.remove(signal));
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&signals), None).map_err(|e| InitError::Signals(e.into()))?;
    let child = match sys::fork().map_err(InitError::Fork)? {
        ForkResult::Child => process::exit(become_program(program, arguments).into()),
        ForkResult::Parent { child } => child,
    };
    // Or it would be called by whichever loader has started it.
    let _ = prctl::set_name(c"init");
    for signal in TERMINAL_STOPS {
        sys::set_disposition(signal as i32, Disposition::Ignore).map_err(InitError::Signals)?;
    }
    // They are the child's: whoever waits for their end would wait for ours.
    drop(ready.and_then(sys::adopt));
    sys::close_all_but_standard();
    loop {
        match sys::await_signal(&signals) {
            libc::SIGCHLD => {
                if let Some(code) = reap(child) {
                    return Ok(code);
                }
            }
            signal => sys::send(child, signal),
        }
    }
}

/// Reaps all that have ended; the child's code if it was among them.
fn reap(child: Pid) -> Option<u8> {
    let ended = std::iter::from_fn(sys::reap_one);
    ended.fold(None, |code, (pid, its)| if pid == child { Some(its) } else { code })
}

/// Returns with the exit code if it cannot.
fn become_program(program: &OsString, arguments: &[OsString]) -> u8 {
    // Where its parent is not PID 1, nobody else would end it if that was killed.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    // In the foreground of its terminal, if it has one. Nothing stops it from that: signals are still blocked.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
    let _ = tcsetpgrp(io::stdin(), getpgrp());
    sys::reset_signals();
    let error = process::Command::new(program).args(arguments).exec();
    let _ = writeln!(io::stderr(), "lab: cannot execute {}: {error}", program.display());
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
}
