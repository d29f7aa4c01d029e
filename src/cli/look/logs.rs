//! `terrarium logs`: what a container has written.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;

use super::super::container::estate;
use super::super::{Globals, complain};
use super::events::{cannot_wait, unheard};
use super::trouble::{Trouble, status_of};
use crate::keeper::control::Answer;
use crate::keeper::log::{Entry, Reader, Stream, older};
use crate::keeper::{Asked, Estate, Resident, Vigil, ask};
use crate::model::{Look, State, Verb};
use crate::report::docker::moment;

/// Print what a container has written
#[derive(Args)]
#[command(after_help = "\
Examples:
  terrarium logs -f web
  terrarium logs --tail 20 --since 10m -t web")]
pub(in crate::cli) struct Logs {
    /// By name, id, or the beginning of an id
    container: String,

    /// Go on with what it writes, as long as it runs
    #[arg(short, long)]
    follow: bool,

    /// What was written from then on: 10m, or 2026-02-14T09:30:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,

    /// What was written before then
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,

    /// Only the last N lines
    #[arg(short = 'n', long, value_name = "N", default_value = "all", hide_default_value = true)]
    tail: String,

    /// When each line was written, too
    #[arg(short, long)]
    timestamps: bool,
}

impl Logs {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        status_of(self.print(globals))
    }

    fn print(&self, globals: &Globals) -> Result<(), Trouble> {
        let now = SystemTime::now();
        let time = |text: &Option<String>| text.as_deref().map(|text| moment::read(text, now)).transpose();
        let (since, until) = (time(&self.since)?, time(&self.until)?);
        let wanted = move |entry: &Entry| {
            since.is_none_or(|since| entry.at >= since) && until.is_none_or(|until| entry.at < until)
        };
        // Docker takes a number that is none, and one below zero, for all of them.
        let tail = self.tail.parse::<usize>().ok();
        let estate = estate(globals)?;
        let Resident { id, account } = estate.resident(&self.container)?;
        if matches!(account.status().state, State::Removing | State::Dead)
            && let Answer::Refused(why) =
                ask(&estate, &id, &Verb::Look(Look::Logs)).and_then(Asked::answer)?
        {
            return Err(Trouble::world(why));
        }
        let mut vigil = Vigil::over(&estate, &id).map_err(|error| cannot_wait(&error))?;
        let mut log = Log { path: estate.log(&id), reader: None };
        let mut lines = Lines { timestamps: self.timestamps, begins: [true; 2] };
        let mut last = Last { entries: VecDeque::new(), lines: 0, most: tail };
        log.begin().map_err(|error| unreadable(&log.path, &error))?;
        while let Some(entry) = log.next().map_err(|error| unreadable(&log.path, &error))? {
            if wanted(&entry) {
                match tail {
                    None => lines.print(&entry)?,
                    Some(_) => last.push(entry),
                }
            }
        }
        for entry in last.entries {
            lines.print(&entry)?;
        }
        while self.follow && until.is_none_or(|until| SystemTime::now() < until) {
            // Looked at before the rest is read, so that nothing is left unread of a container that has ended.
            let ended = has_ended(&estate, &id);
            while let Some(entry) = log.next().map_err(|error| unreadable(&log.path, &error))? {
                if wanted(&entry) {
                    lines.print(&entry)?;
                }
            }
            if ended {
                break;
            }
            let left = until.map(|until| until.duration_since(SystemTime::now()).unwrap_or_default());
            vigil.changes(left).map_err(|error| cannot_wait(&error))?;
        }
        Ok(())
    }
}

fn has_ended(estate: &Estate, id: &crate::keeper::ContainerId) -> bool {
    estate.told_of(id).is_none_or(|account| {
        matches!(account.status().state, State::Absent | State::Stopped | State::Removing | State::Dead)
    })
}

fn unreadable(path: &std::path::Path, error: &io::Error) -> Trouble {
    Trouble::world(format_args!("cannot read the log {}: {error} (is it yours?)", path.display()))
}

/// The older log, then the one that is being written.
struct Log {
    path: PathBuf,
    reader: Option<Reader>,
}

impl Log {
    fn begin(&mut self) -> io::Result<()> {
        let old = older(&self.path);
        self.reader = open(&old)?;
        Ok(())
    }

    /// What has not been read yet; none if there is no more so far.
    fn next(&mut self) -> io::Result<Option<Entry>> {
        loop {
            if let Some(reader) = &mut self.reader
                && let Some(entry) = reader.next_entry()?
            {
                return Ok(Some(entry));
            }
            // The file may have become the old one while it was read.
            let own =
                self.reader.as_ref().and_then(|reader| reader.file().metadata().ok()).map(|file| file.ino());
            let there = std::fs::metadata(&self.path).ok().map(|file| file.ino());
            if there.is_none() || own == there {
                return Ok(None);
            }
            self.reader = open(&self.path)?;
        }
    }
}

fn open(path: &std::path::Path) -> io::Result<Option<Reader>> {
    match Reader::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// The last few lines.
struct Last {
    entries: VecDeque<Entry>,
    lines: usize,
    most: Option<usize>,
}

impl Last {
    fn push(&mut self, entry: Entry) {
        self.lines += usize::from(ends_line(&entry));
        self.entries.push_back(entry);
        let most = self.most.unwrap_or(usize::MAX);
        while self.lines > most {
            let Some(first) = self.entries.pop_front() else { break };
            self.lines -= usize::from(ends_line(&first));
        }
        if most == 0 {
            self.entries.clear();
        }
    }
}

fn ends_line(entry: &Entry) -> bool {
    entry.bytes.last() == Some(&b'\n')
}

/// Writes each stream to its own.
struct Lines {
    timestamps: bool,
    /// Whether a line begins, on standard output and on standard error.
    begins: [bool; 2],
}

impl Lines {
    fn print(&mut self, entry: &Entry) -> Result<(), Trouble> {
        let (which, mut out): (usize, Box<dyn Write>) = match entry.stream {
            Stream::Output => (0, Box::new(io::stdout().lock())),
            Stream::Error => (1, Box::new(io::stderr().lock())),
            Stream::Lost => {
                let count = String::from_utf8_lossy(&entry.bytes).trim().to_owned();
                complain(&format_args!(
                    "here {count} bytes are missing: they could not be written to the log"
                ));
                return Ok(());
            }
        };
        if self.timestamps && self.begins[which] {
            write!(out, "{} ", moment::fixed(entry.at)).map_err(|error| unheard(&error))?;
        }
        self.begins[which] = ends_line(entry);
        out.write_all(&entry.bytes).and_then(|()| out.flush()).map_err(|error| unheard(&error))
    }
}
