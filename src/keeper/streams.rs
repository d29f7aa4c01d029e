//! What a container writes goes to its log and to whoever is attached; what is typed goes to the container.
//!
//! Whoever is attached is waited for, as the reader of a pipe is: but not longer than [`PATIENCE`] without any progress, or one
//! that hangs would hang the container. The log is never waited for. Of what is typed so much is taken as the container reads.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::unistd::{pipe2, read, write};

use super::control::{Attach, Size, Which};
use super::log::{Log, Stream};
use crate::model;
use crate::runtime::{Stdio, set_window_size};

/// How long somebody who is attached may take nothing of what there is for him.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much is read at once.
const PIECE: usize = 16 << 10;

/// A container's streams, and those of whoever is attached to it.
#[derive(Debug)]
pub(super) struct Streams {
    log: Log,
    run: Run,
    pub(super) attached: BTreeMap<u32, Attached>,
    /// The standard streams of commands that are about to be brought in, by connection.
    pub(super) guests: BTreeMap<u32, Stdio>,
    /// Terminals to be handed out, by connection.
    pub(super) terminals: Vec<(u32, OwnedFd)>,
}

/// Our ends of the streams of the run under way.
#[derive(Debug, Default)]
struct Run {
    output: Option<OwnedFd>,
    error: Option<OwnedFd>,
    input: Option<OwnedFd>,
    /// Typed, and not yet taken by the container.
    typed: Vec<u8>,
}

/// One who is attached.
#[derive(Debug)]
pub(super) struct Attached {
    output: Outlet,
    error: Outlet,
    input: Option<OwnedFd>,
    which: Which,
    /// Since when nothing was taken of what there is.
    waits_since: Option<Instant>,
    /// How the run has ended.
    pub(super) ended: Option<i32>,
}

/// A pipe to one who is attached.
#[derive(Debug)]
struct Outlet {
    pipe: Option<OwnedFd>,
    pending: Vec<u8>,
}

/// A descriptor that is to be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// What the container writes.
    Run(StreamEnd),
    /// Whether the container takes what was typed.
    Input,
    /// Whether one who is attached takes what there is.
    Attached(u32, StreamEnd),
    /// What one who is attached types.
    Typed(u32),
}

/// One of the two ways out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamEnd {
    Output,
    Error,
}

impl Streams {
    pub(super) fn new(log: std::path::PathBuf) -> Self {
        Self {
            log: Log::new(log),
            run: Run::default(),
            attached: BTreeMap::new(),
            guests: BTreeMap::new(),
            terminals: Vec::new(),
        }
    }

    /// Makes the streams of a new run; those of the last are read to their end.
    pub(super) fn begin_run(&mut self, wanted: model::Streams) -> io::Result<Stdio> {
        self.end_run();
        if wanted.tty {
            return Ok(Stdio::default());
        }
        let (output, theirs) = pipe2(OFlag::O_CLOEXEC)?;
        let (error, theirs_too) = pipe2(OFlag::O_CLOEXEC)?;
        let (mut input, mut our_input) = (None, None);
        if wanted.stdin {
            let (theirs, ours) = pipe2(OFlag::O_CLOEXEC)?;
            never_wait(&ours)?;
            (input, our_input) = (Some(theirs), Some(ours));
        }
        never_wait(&output)?;
        never_wait(&error)?;
        self.run = Run { output: Some(output), error: Some(error), input: our_input, typed: Vec::new() };
        Ok(Stdio { input, output: Some(theirs), error: Some(theirs_too) })
    }

    /// The terminal of the new run.
    pub(super) fn take_terminal(&mut self, master: OwnedFd) {
        let _ = never_wait(&master);
        self.run = Run { input: master.try_clone().ok(), output: Some(master), ..Run::default() };
    }

    /// Takes what the ended run had still to say.
    pub(super) fn end_run(&mut self) {
        for end in [StreamEnd::Output, StreamEnd::Error] {
            while self.read_run(end) == Progress::Some {}
        }
        self.run = Run::default();
    }

    /// Somebody attaches with these pipes.
    pub(super) fn attach(&mut self, number: u32, how: Attach, pipes: Vec<OwnedFd>) -> io::Result<()> {
        let mut pipes = pipes.into_iter();
        let (Some(output), Some(error)) = (pipes.next(), pipes.next()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let input = pipes.next();
        for pipe in [&output, &error].into_iter().chain(&input) {
            never_wait(pipe)?;
        }
        let outlet = |pipe| Outlet { pipe: Some(pipe), pending: Vec::new() };
        let attached = Attached {
            output: outlet(output),
            error: outlet(error),
            input,
            which: how.to,
            waits_since: None,
            ended: None,
        };
        self.attached.insert(number, attached);
        if let Some(size) = how.size {
            self.resize(size);
        }
        Ok(())
    }

    pub(super) fn resize(&self, size: Size) {
        if let Some(terminal) = &self.run.output {
            let _ = set_window_size(terminal.as_fd(), (size.rows, size.columns));
        }
    }

    /// The run has ended: whoever is attached gets what is left, and then hears of it.
    pub(super) fn run_has_ended(&mut self, code: i32) {
        self.end_run();
        for attached in self.attached.values_mut() {
            attached.ended.get_or_insert(code);
            attached.input = None;
        }
    }

    /// Those who have got all of what there was, and how it ended.
    pub(super) fn finished(&self) -> Vec<(u32, i32)> {
        let done = |(number, attached): (&u32, &Attached)| {
            let code = attached.ended?;
            (!attached.waits()).then_some((*number, code))
        };
        self.attached.iter().filter_map(done).collect()
    }

    /// Those who have taken nothing for too long.
    pub(super) fn lagging(&self, now: Instant) -> Vec<u32> {
        let lags = |attached: &Attached| attached.waits_since.is_some_and(|since| now - since >= PATIENCE);
        self.attached.iter().filter(|(_, attached)| lags(attached)).map(|(number, _)| *number).collect()
    }

    /// When somebody will have taken nothing for too long.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
        self.attached.values().filter_map(|attached| attached.waits_since).min().map(|since| since + PATIENCE)
    }

    /// All that is to be watched now.
    pub(super) fn sources(&self) -> Vec<(Source, BorrowedFd<'_>, PollFlags)> {
        let mut all = Vec::new();
        let somebody_waits = self.attached.values().any(Attached::waits);
        for (end, pipe) in [(StreamEnd::Output, &self.run.output), (StreamEnd::Error, &self.run.error)] {
            if let Some(pipe) = pipe.as_ref().filter(|_| !somebody_waits) {
                all.push((Source::Run(end), pipe.as_fd(), PollFlags::POLLIN));
            }
        }
        if let Some(input) = self.run.input.as_ref().filter(|_| !self.run.typed.is_empty()) {
            all.push((Source::Input, input.as_fd(), PollFlags::POLLOUT));
        }
        for (number, attached) in &self.attached {
            for (end, outlet) in [(StreamEnd::Output, &attached.output), (StreamEnd::Error, &attached.error)]
            {
                if let Some(pipe) = outlet.pipe.as_ref().filter(|_| !outlet.pending.is_empty()) {
                    all.push((Source::Attached(*number, end), pipe.as_fd(), PollFlags::POLLOUT));
                }
            }
            if let Some(input) =
                attached.input.as_ref().filter(|_| self.run.typed.is_empty() && self.has_run())
            {
                all.push((Source::Typed(*number), input.as_fd(), PollFlags::POLLIN));
            }
        }
        all
    }

    /// Something can go on.
    pub(super) fn turn(&mut self, source: Source) {
        match source {
            Source::Run(end) => {
                self.read_run(end);
            }
            Source::Input => self.write_input(),
            Source::Attached(number, end) => {
                if let Some(attached) = self.attached.get_mut(&number) {
                    attached.outlet(end).flush();
                    attached.note_waiting(Progress::Some);
                }
            }
            Source::Typed(number) => self.read_typed(number),
        }
    }

    fn has_run(&self) -> bool {
        self.run.output.is_some()
    }

    fn read_run(&mut self, end: StreamEnd) -> Progress {
        let pipe = match end {
            StreamEnd::Output => &mut self.run.output,
            StreamEnd::Error => &mut self.run.error,
        };
        let Some(open) = pipe else { return Progress::None };
        let mut piece = [0; PIECE];
        let length = match read(&*open, &mut piece) {
            Ok(length) if length > 0 => length,
            Err(Errno::EAGAIN | Errno::EINTR) => return Progress::None,
            // A terminal that nobody holds any more is an error, a pipe is at its end.
            Ok(_) | Err(_) => {
                *pipe = None;
                return Progress::None;
            }
        };
        let stream = match end {
            StreamEnd::Output => Stream::Output,
            StreamEnd::Error => Stream::Error,
        };
        self.log.write(stream, &piece[..length]);
        for attached in self.attached.values_mut().filter(|attached| attached.ended.is_none()) {
            let outlet = attached.outlet(end);
            outlet.pending.extend_from_slice(&piece[..length]);
            outlet.flush();
            attached.note_waiting(Progress::None);
        }
        Progress::Some
    }

    fn write_input(&mut self) {
        let Some(input) = &self.run.input else { return self.run.typed.clear() };
        match write(input, &self.run.typed) {
            Ok(length) => drop(self.run.typed.drain(..length)),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => {
                self.run.input = None;
                self.run.typed.clear();
            }
        }
    }

    fn read_typed(&mut self, number: u32) {
        let Some(attached) = self.attached.get_mut(&number) else { return };
        let Some(input) = &attached.input else { return };
        let mut piece = [0; 4096];
        match read(input, &mut piece) {
            Ok(length) if length > 0 => {
                self.run.typed.extend_from_slice(&piece[..length]);
                self.write_input();
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Ok(_) | Err(_) => {
                attached.input = None;
                // Whoever was there from the beginning was all that the container was to read.
                if attached.which == Which::Next && self.run.error.is_some() {
                    self.run.input = None;
                }
            }
        }
    }
}

/// Whether anything has come or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Some,
    None,
}

impl Attached {
    fn waits(&self) -> bool {
        !self.output.pending.is_empty() || !self.error.pending.is_empty()
    }

    fn outlet(&mut self, end: StreamEnd) -> &mut Outlet {
        match end {
            StreamEnd::Output => &mut self.output,
            StreamEnd::Error => &mut self.error,
        }
    }

    fn note_waiting(&mut self, progress: Progress) {
        self.waits_since = match (self.waits(), self.waits_since, progress) {
            (false, ..) => None,
            (true, Some(since), Progress::None) => Some(since),
            (true, ..) => Some(Instant::now()),
        };
    }
}

impl Outlet {
    /// Gives away what can be given. What nobody reads any more is let go.
    fn flush(&mut self) {
        let Some(pipe) = &self.pipe else { return self.pending.clear() };
        while !self.pending.is_empty() {
            match write(pipe, &self.pending) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                Err(_) => {
                    self.pipe = None;
                    return self.pending.clear();
                }
            }
        }
        self.pending.shrink_to(0);
    }
}

fn never_wait(descriptor: &impl AsFd) -> nix::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}
