//! `terrarium ps`: which containers there are.

use std::io::{self, IsTerminal as _};

use clap::Args;

use super::super::container::estate;
use super::super::{Globals, complain, written};
use super::trouble::{Trouble, status_of};
use crate::engine::journal::{Clock as _, HostClock};
use crate::keeper::Resident;
use crate::model::ContainerSpec;
use crate::report::docker::container::{COLUMNS, Portrait, Selection, Truncation, USUAL, WITH_SIZE, row};
use crate::report::docker::format::Format;

/// List containers
#[derive(Args)]
#[command(after_help = "\
Examples:
  terrarium ps -a                                 those that have ended, too
  terrarium ps --filter status=paused             only those
  terrarium ps --format 'table {{.Names}}\\t{{.Status}}'
  terrarium rm $(terrarium ps -aq)")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that people type")]
pub(in crate::cli) struct Ps {
    /// Those that do not run, too
    #[arg(short, long)]
    all: bool,

    /// Only those that are so: status=running, name=web, label=KEY[=VALUE], exited=137, before=NAME, …
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,

    /// How to print it: table, 'table TEMPLATE', json, or a template like '{{.Names}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,

    /// The N that were made last, whatever their state
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true)]
    last: Option<i64>,

    /// The one that was made last, whatever its state
    #[arg(short, long)]
    latest: bool,

    /// Leave nothing out of long texts
    #[arg(long)]
    no_trunc: bool,

    /// Only ids
    #[arg(short, long)]
    quiet: bool,

    /// What their files take up, too
    #[arg(short, long)]
    size: bool,
}

impl Ps {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.text(globals) {
            Ok(text) => written("the containers", &text),
            Err(trouble) => status_of(Err(trouble)),
        }
    }

    fn text(&self, globals: &Globals) -> Result<String, Trouble> {
        let usual: &[&str] = if self.size { &WITH_SIZE } else { &USUAL };
        let format = match (&self.format, self.quiet) {
            (None, true) => Format::parse("{{.ID}}")?,
            (None, false) => Format::Table(None),
            (Some(text), _) => Format::parse(text)?,
        };
        let estate = estate(globals)?;
        let last = if self.latest { Some(1) } else { self.last.and_then(|last| usize::try_from(last).ok()) };
        let selection = Selection::parse(&self.filter, |word| -> Result<_, Trouble> {
            Ok(estate.resident(word)?.account.opened)
        })?;
        let selection = if self.all || last.is_some() { selection.of_everybody() } else { selection };
        let census = estate.census()?;
        for error in &census.unreadable {
            complain(error);
        }
        let truncation = if self.no_trunc { Truncation::Whole } else { Truncation::Cut };
        // Whoever wants an object of everything does not wait for files to be counted, as with Docker.
        let is_json = self.format.as_deref() == Some("json");
        let with_size = self.size || (!is_json && format.shows("Size", usual));
        let now = HostClock::new().now();
        let mut rows = Vec::new();
        for Resident { id, account } in &census.residents {
            let status = account.status();
            let spec: &ContainerSpec = account.spec.as_deref().expect("whoever has come to be was asked for");
            let portrait = Portrait { id: id.as_str(), account, status: &status, spec, now: &now };
            if last.is_none_or(|last| rows.len() < last) && selection.takes(&portrait) {
                let size = if with_size { Some(estate.layers(id, spec)?.size()) } else { None };
                rows.push(row(&portrait, truncation, size.map(|size| (size.written, size.whole))));
            }
        }
        if rows.is_empty() && io::stdout().is_terminal() && io::stderr().is_terminal() {
            eprintln!("{}", self.hint(&census.residents));
        }
        Ok(format.show(&rows, &COLUMNS, usual)?)
    }

    /// What to try when there is nothing to see.
    fn hint(&self, there: &[Resident]) -> String {
        match there.len() {
            0 => "no containers yet: start one with `terrarium run -d --name web lab`, or replay a lesson: `terrarium replay 1`".into(),
            _ if !self.filter.is_empty() => "no container is so: `terrarium ps -a` shows all of them".into(),
            1 => "nothing runs, one container does not: see it with `terrarium ps -a`".into(),
            all => format!("nothing runs, {all} containers do not: see them with `terrarium ps -a`"),
        }
    }
}
