//! A program of the host that works for a container, and dies with the thread that has started it.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};

use super::sys;

/// Runs for as long as this value lives.
#[derive(Debug)]
pub struct Companion(Child);

impl Companion {
    /// Starts it, away from the terminal whose interruptions are meant for us.
    pub fn start(mut command: Command) -> io::Result<Self> {
        command.process_group(0);
        sys::die_with_parent(&mut command);
        command.spawn().map(Self)
    }

    /// Waits for it; for whoever knows that it is ending.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
