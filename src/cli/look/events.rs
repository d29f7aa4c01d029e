//! `terrarium events`: what happens to containers, as it happens.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::{Duration, SystemTime};

use clap::Args;

use super::super::Globals;
use super::super::container::estate;
use super::trouble::{Trouble, status_of};
use crate::engine::journal::Account;
use crate::keeper::{ContainerId, Resident, Vigil};
use crate::report::docker::container::{EventFilter, Happened, happened};
use crate::report::docker::format::Format;
use crate::report::docker::moment;
use crate::report::docker::template::Template;

/// Print what happens to containers, as it happens
#[derive(Args)]
#[command(after_help = "\
Examples:
  terrarium events --since 10m --until 0s         the last ten minutes
  terrarium events --filter event=die --format '{{.Actor.Attributes.name}}'")]
pub(in crate::cli) struct Events {
    /// Only those that are so: container=NAME, event=die, label=KEY[=VALUE], image=IMAGE
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,

    /// How to print it: json, or a template like '{{.Action}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,

    /// What happened from then on, too: 10m, or 2026-02-14T09:30:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,

    /// Until then, and no longer
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
}

enum Shape {
    Line,
    Json,
    Each(Template),
}

impl Events {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        status_of(self.follow(globals))
    }

    fn follow(&self, globals: &Globals) -> Result<(), Trouble> {
        let shape = match self.format.as_deref().map(Format::parse).transpose()? {
            None | Some(Format::Table(_)) => Shape::Line,
            Some(Format::Json) => Shape::Json,
            Some(Format::Each(template)) => Shape::Each(template),
        };
        let filter = EventFilter::parse(&self.filter)?;
        let now = SystemTime::now();
        let time = |text: &Option<String>| text.as_deref().map(|text| moment::read(text, now)).transpose();
        let (since, until) = (time(&self.since)?, time(&self.until)?);
        let estate = estate(globals)?;
        // Begun before the first look, so that nothing is missed between the two.
        let mut vigil = Vigil::over_all(&estate).map_err(|error| cannot_wait(&error))?;
        let mut told = Told { seen: BTreeMap::new(), since, until, filter, shape };
        let mut there = estate.census()?.residents;
        there.extend(estate.gone()?);
        let fresh =
            told.take_in(there.into_iter().map(|Resident { id, account }| (id, account)), since.is_none());
        told.print(fresh)?;
        loop {
            let left = match until.map(|until| until.duration_since(SystemTime::now())) {
                None => None,
                Some(Ok(left)) => Some(left),
                Some(Err(_)) => return Ok(()),
            };
            let changed = vigil.changes(left).map_err(|error| cannot_wait(&error))?;
            let accounts =
                changed.into_iter().filter_map(|(id, _)| estate.told_of(&id).map(|account| (id, account)));
            let fresh = told.take_in(accounts, false);
            told.print(fresh)?;
        }
    }
}

struct Told {
    /// How far each tale has been told.
    seen: BTreeMap<ContainerId, u64>,
    since: Option<SystemTime>,
    until: Option<SystemTime>,
    filter: EventFilter,
    shape: Shape,
}

impl Told {
    /// What is new in them, in the order in which it happened.
    fn take_in(
        &mut self,
        accounts: impl Iterator<Item = (ContainerId, Account)>,
        is_old: bool,
    ) -> Vec<Happened> {
        let mut fresh = Vec::new();
        for (id, account) in accounts {
            let until = account.forgotten + account.tale.len() as u64;
            let from = self.seen.insert(id, until).unwrap_or(0);
            if !is_old {
                fresh.extend(happened(&account, from));
            }
        }
        fresh.sort_by_key(|event| (event.at.wall, event.nth));
        fresh.retain(|event| {
            self.since.is_none_or(|since| event.at.wall >= since)
                && self.until.is_none_or(|until| event.at.wall <= until)
                && self.filter.takes(event)
        });
        fresh
    }

    fn print(&self, events: Vec<Happened>) -> Result<(), Trouble> {
        let mut out = io::stdout().lock();
        for event in events {
            let line = match &self.shape {
                Shape::Line => event.line(),
                Shape::Json => event.json().to_string(),
                Shape::Each(template) => template.fill_with(&event.fields())?,
            };
            writeln!(out, "{line}").map_err(|error| unheard(&error))?;
        }
        out.flush().map_err(|error| unheard(&error))
    }
}

pub(super) fn cannot_wait(error: &io::Error) -> Trouble {
    Trouble::world(format_args!(
        "cannot wait for what happens: {error} (are there too many watchers? see fs.inotify in sysctl)"
    ))
}

/// Who stops reading has read enough.
pub(super) fn unheard(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Trouble::silent(),
        _ => Trouble::world(format_args!("cannot write what happens: {error}")),
    }
}

/// As long as a wait may be that has no end.
pub(super) const FOREVER: Option<Duration> = None;
