//! The verbs that look at containers and change nothing.

mod completions;
mod cp;
mod diff;
mod events;
mod history;
mod inspect;
mod logs;
mod port;
mod ps;
mod record;
mod stats;
mod top;
mod trouble;
mod watch;

use clap::Subcommand;

use super::Globals;

pub(super) use completions::completing;

#[derive(Subcommand)]
pub(super) enum Look {
    Ps(ps::Ps),
    Inspect(inspect::Inspect),
    Logs(logs::Logs),
    Stats(stats::Stats),
    Top(top::Top),
    Port(port::Port),
    Events(events::Events),
    Cp(cp::Cp),
    Diff(diff::Diff),
    History(history::History),
    Record(record::Record),
    Watch(watch::Watch),
    Completions(completions::Completions),
}

impl Look {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self {
            Self::Ps(ps) => ps.perform(globals),
            Self::Inspect(inspect) => inspect.perform(globals),
            Self::Logs(logs) => logs.perform(globals),
            Self::Stats(stats) => stats.perform(globals),
            Self::Top(top) => top.perform(globals),
            Self::Port(port) => port.perform(globals),
            Self::Events(events) => events.perform(globals),
            Self::Cp(cp) => cp.perform(globals),
            Self::Diff(diff) => diff.perform(globals),
            Self::History(history) => history.perform(globals),
            Self::Record(record) => record.perform(globals),
            Self::Watch(watch) => watch.perform(globals),
            Self::Completions(completions) => completions.perform(),
        }
    }
}
