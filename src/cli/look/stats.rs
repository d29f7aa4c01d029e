//! `terrarium stats`: what containers cost at this moment.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use clap::Args;

use super::super::Globals;
use super::super::container::estate;
use super::events::unheard;
use super::trouble::{Trouble, status_of};
use crate::keeper::control::{Reply, Request};
use crate::keeper::{Call, CallError, ContainerId, Estate, Resident};
use crate::model::Resources;
use crate::report::docker::format::{Column, Format, Row};
use crate::report::docker::words::{binary_size, percent, size};

/// Show what containers cost: CPU, memory, network, processes
#[derive(Args)]
pub(in crate::cli) struct Stats {
    /// By name, id, or the beginning of an id; all that run, if none is named
    containers: Vec<String>,

    /// Those that do not run, too
    #[arg(short, long)]
    all: bool,

    /// How to print it: table, 'table TEMPLATE', json, or a template like '{{.Name}}'
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,

    /// Once, and not again every second
    #[arg(long)]
    no_stream: bool,

    /// Leave nothing out of ids
    #[arg(long)]
    no_trunc: bool,
}

const COLUMNS: [Column; 9] = [
    ("Container", "CONTAINER"),
    ("ID", "CONTAINER ID"),
    ("Name", "NAME"),
    ("CPUPerc", "CPU %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("MemPerc", "MEM %"),
    ("NetIO", "NET I/O"),
    ("BlockIO", "BLOCK I/O"),
    ("PIDs", "PIDS"),
];
const USUAL: [&str; 8] = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"];
/// A share of the CPU is one over a time.
const BETWEEN: Duration = Duration::from_secs(1);
/// Clears the screen and goes to its beginning.
const CLEAR: &str = "\x1b[H\x1b[2J";

impl Stats {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        status_of(self.show(globals))
    }

    fn show(&self, globals: &Globals) -> Result<(), Trouble> {
        let format = self.format.as_deref().map_or(Ok(Format::Table(None)), Format::parse)?;
        let estate = estate(globals)?;
        let mut meters = Meters { estate: &estate, of: BTreeMap::new() };
        let mut counted = meters.count(&self.meant(&estate)?)?;
        loop {
            if counted.iter().any(|(_, _, count)| count.is_some()) || !self.no_stream {
                std::thread::sleep(BETWEEN);
            }
            let meant = self.meant(&estate)?;
            let before: BTreeMap<ContainerId, Count> =
                counted.into_iter().filter_map(|(resident, _, count)| Some((resident.id, count?))).collect();
            counted = meters.count(&meant)?;
            let rows: Vec<Row> = counted
                .iter()
                .map(|(of, word, now)| self.row(of, word, before.get(&of.id), now.as_ref()))
                .collect();
            let shown = format.show(&rows, &COLUMNS, &USUAL)?;
            let mut out = io::stdout().lock();
            let clear = if !self.no_stream && out.is_terminal() { CLEAR } else { "" };
            write!(out, "{clear}{shown}").and_then(|()| out.flush()).map_err(|error| unheard(&error))?;
            if self.no_stream {
                return Ok(());
            }
        }
    }

    /// Whose costs are shown, and by which word they were named.
    fn meant(&self, estate: &Estate) -> Result<Vec<(Resident, String)>, Trouble> {
        if !self.containers.is_empty() {
            let named = |word: &String| Ok((estate.resident(word)?, word.clone()));
            return self.containers.iter().map(named).collect();
        }
        let all = estate.census()?.residents;
        let shown =
            all.into_iter().filter(|resident| self.all || resident.account.status().state.has_process());
        Ok(shown
            .map(|resident| (resident.id.short().to_owned(), resident))
            .map(|(word, of)| (of, word))
            .collect())
    }

    fn row(&self, of: &Resident, word: &str, before: Option<&Count>, now: Option<&Count>) -> Row {
        let spec = of.account.spec.as_deref();
        let used = now.and_then(|now| now.resources.memory_bytes).unwrap_or(0);
        let limit = now.map_or(0, |_| spec.and_then(|spec| spec.memory).or_else(memory_of_host).unwrap_or(0));
        let (received, sent) = now.map_or((0, 0), |now| now.network);
        let blocks = if now.is_some() { "-- / --" } else { "0B / 0B" };
        let id = if self.no_trunc { of.id.as_str() } else { of.id.short() };
        Row::new([
            ("Container", word.to_owned()),
            ("ID", id.to_owned()),
            ("Name", of.account.name.as_ref().map_or(String::new(), ToString::to_string)),
            ("CPUPerc", percent(before.zip(now).map_or(0.0, |(before, now)| now.share_since(before)))),
            ("MemUsage", format!("{} / {}", binary_size(used), binary_size(limit))),
            ("MemPerc", percent(share(used, limit))),
            ("NetIO", format!("{} / {}", size(received), size(sent))),
            ("BlockIO", blocks.to_owned()),
            ("PIDs", now.and_then(|now| now.resources.processes).unwrap_or(0).to_string()),
        ])
    }
}

/// What a container has cost so far.
struct Count {
    at: Instant,
    resources: Resources,
    /// Bytes received and sent.
    network: (u64, u64),
}

impl Count {
    fn share_since(&self, before: &Self) -> f64 {
        let time = self.at.duration_since(before.at).as_secs_f64();
        let used = self
            .resources
            .cpu_seconds
            .zip(before.resources.cpu_seconds)
            .map_or(0.0, |(now, then)| now - then);
        if time > 0.0 { (used / time).max(0.0) } else { 0.0 }
    }
}

/// Conversations with their keepers, which do the counting.
struct Meters<'a> {
    estate: &'a Estate,
    of: BTreeMap<ContainerId, Call>,
}

impl Meters<'_> {
    fn count(
        &mut self,
        of: &[(Resident, String)],
    ) -> Result<Vec<(Resident, String, Option<Count>)>, Trouble> {
        let mut counted = Vec::new();
        for (resident, word) in of {
            let lives = resident.account.status().state.has_process();
            let count = if lives { self.measure(&resident.id)? } else { None };
            counted.push((resident.clone(), word.clone(), count));
        }
        Ok(counted)
    }

    /// None of one that has just ended.
    fn measure(&mut self, id: &ContainerId) -> Result<Option<Count>, Trouble> {
        let mut call = match self.of.remove(id) {
            Some(call) => call,
            None => Call::to(self.estate, id)?,
        };
        let answer = call.send(&Request::Measure, &[]).and_then(|()| call.hear());
        match answer {
            Ok((Reply::Measured(resources), _)) => {
                self.of.insert(id.clone(), call);
                let network = self.pid_of(id).map_or((0, 0), network_of);
                Ok(Some(Count { at: Instant::now(), resources, network }))
            }
            Ok(_) | Err(CallError::Control(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn pid_of(&self, id: &ContainerId) -> Option<i32> {
        super::inspect::pid_of(self.estate, id).ok().flatten()
    }
}

#[expect(clippy::cast_precision_loss, reason = "two digits of a percentage are shown")]
fn share(of: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { of as f64 / whole as f64 }
}

fn memory_of_host() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Received and sent, on all links of a process's network but loopback.
fn network_of(pid: i32) -> (u64, u64) {
    let text = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default();
    let links = text.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() != "lo");
    let numbers = links.map(|(_, rest)| {
        let number = |nth: usize| rest.split_whitespace().nth(nth).and_then(|word| word.parse::<u64>().ok());
        (number(0).unwrap_or(0), number(8).unwrap_or(0))
    });
    numbers.fold((0, 0), |(received, sent), (more, too)| (received + more, sent + too))
}
