//! The verbs that look at containers and change nothing.

mod history;
mod inspect;
mod port;
mod ps;
mod record;
mod trouble;

use clap::Subcommand;

use super::Globals;

#[derive(Subcommand)]
pub(super) enum Look {
    Ps(ps::Ps),
    Inspect(inspect::Inspect),
    Port(port::Port),
    History(history::History),
    Record(record::Record),
}

impl Look {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self {
            Self::Ps(ps) => ps.perform(globals),
            Self::Inspect(inspect) => inspect.perform(globals),
            Self::Port(port) => port.perform(globals),
            Self::History(history) => history.perform(globals),
            Self::Record(record) => record.perform(globals),
        }
    }
}
