//! `terrarium stop`: asks containers to end, and ends them after their grace period.

use clap::Args;

use super::super::{BAD, Globals, complain};
use super::each::ask_each;
use super::quantity::grace;
use crate::model::{Signal, StopTimeout, Verb};

/// Stop containers: a signal, a grace period, then SIGKILL
#[derive(Args)]
pub(in super::super) struct Stop {
    #[command(flatten)]
    how: How,

    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// How a process is asked to end, and how long it may take.
#[derive(Args)]
pub(super) struct How {
    /// The signal that asks it to end [default: the container's own, else SIGTERM]
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,

    /// Seconds before it is killed; -1 for never [default: the container's own, else 10]
    #[arg(
        short = 't', long = "timeout", alias = "time", value_name = "SECONDS", allow_negative_numbers = true,
        value_parser = grace
    )]
    timeout: Option<StopTimeout>,
}

impl Stop {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        self.how.ask(globals, &self.containers, |timeout, signal| Verb::Stop { timeout, signal })
    }
}

impl How {
    pub(super) fn ask(
        &self,
        globals: &Globals,
        containers: &[String],
        verb: impl FnOnce(Option<StopTimeout>, Option<Signal>) -> Verb,
    ) -> u8 {
        match self.signal.as_deref().map(str::parse::<Signal>).transpose() {
            Ok(signal) => ask_each(globals, containers, &verb(self.timeout, signal)),
            Err(invalid) => {
                complain(&format_args!("{invalid} (use a name like SIGTERM, or a number from 1 to 64)"));
                BAD
            }
        }
    }
}
