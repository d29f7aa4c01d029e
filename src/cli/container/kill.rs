//! `terrarium kill`: sends containers a signal.

use clap::Args;

use super::super::{BAD, Globals, complain};
use super::each::ask_each;
use crate::model::{Signal, Verb};

/// Send containers a signal
#[derive(Args)]
pub(in super::super) struct Kill {
    /// The signal, by name or number
    #[arg(short = 's', long = "signal", value_name = "SIGNAL", default_value = "KILL")]
    signal: String,

    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Kill {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.signal.parse::<Signal>() {
            Ok(signal) => ask_each(globals, &self.containers, &Verb::Kill { signal }),
            Err(invalid) => {
                complain(&format_args!("{invalid} (use a name like SIGTERM, or a number from 1 to 64)"));
                BAD
            }
        }
    }
}
