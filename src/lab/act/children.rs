//! Child processes: each is an idle process of its own, without handlers, that dies with its parent.

use std::{
    io::{self, Write},
    process, thread,
    time::Duration,
};

use nix::{
    sys::{prctl, signal::Signal},
    unistd::{self, ForkResult, Pid},
};

use super::{FAILED, memory, sys};
use crate::model::Children;

/// Forks them all. Where a limit stops it, the process goes on with those it has, as servers do.
pub(super) fn fork_all(children: &Children) {
    let parent = unistd::getpid();
    for nth in 1..=children.count {
        match sys::fork() {
            Ok(ForkResult::Parent { .. }) => {}
            Ok(ForkResult::Child) => process::exit(live(children, parent)),
            Err(error) => {
                let _ = writeln!(io::stderr(), "lab: cannot fork child {nth} of {}: {error}", children.count);
                return;
            }
        }
    }
}

fn live(children: &Children, parent: Pid) -> i32 {
    sys::reset_signals();
    sys::close_all_but_standard();
    // The parent may have died before the death signal was set: then nobody is left to send it.
    if prctl::set_pdeathsig(Signal::SIGKILL).is_err() || unistd::getppid() != parent {
        return FAILED.into();
    }
    let held = children.memory.map(memory::hold).transpose();
    if let Err(error) = &held {
        let _ = writeln!(io::stderr(), "lab: {error}");
        return FAILED.into();
    }
    let Some(exit) = children.exits else {
        loop {
            thread::sleep(Duration::MAX);
        }
    };
    thread::sleep(exit.after);
    exit.code.into()
}
