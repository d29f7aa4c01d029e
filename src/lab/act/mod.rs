//! A behaviour, acted out: everything is set up, the starter is told, and then one loop waits for what comes.
//!
//! The loop waits in poll(2) for a signal (by way of an eventfd), a client, or a timerfd. A timerfd, because the
//! timeout of poll itself may start anew after a freeze, and what fell due meanwhile has to happen at the thaw.

mod alarm;
mod children;
mod cpu;
mod files;
mod health;
mod memory;
mod ready;
mod runs;
mod serve;
mod signals;
mod tries;

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    os::fd::AsFd,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use thiserror::Error;

use self::{alarm::Alarm, cpu::Burner, memory::Held, ready::Ready, serve::Server, signals::Signals};
use super::{commands, init, sys};
use crate::model::Behavior;

/// The exit code of a lab program that could not do what it was told.
const FAILED: u8 = 1;

#[derive(Debug, Error)]
enum ActError {
    #[error("cannot read the behaviour in TERRARIUM_BEHAVIOR: {0}")]
    Behavior(#[source] serde_json::Error),
    #[error("cannot read {variable}: `{value}` is not a number")]
    Number { variable: &'static str, value: String },
    #[error(transparent)]
    Signals(#[from] signals::SignalError),
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
    #[error(transparent)]
    Memory(#[from] memory::MemoryError),
    #[error(transparent)]
    Health(#[from] health::HealthError),
    #[error(transparent)]
    Init(#[from] init::InitError),
    #[error(transparent)]
    Runs(#[from] runs::RunsError),
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
    #[error("cannot wait for the next moment of the behaviour: {0}")]
    Wait(#[source] Errno),
}

/// The lab program: `args` begin with the name that it was started under. It returns with the exit code.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let start = Instant::now();
    sys::reset_signals();
    let args: Vec<OsString> = args.collect();
    let code = run(&args, start).unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "lab: {error}");
        match error {
            ActError::Init(init::InitError::NoCommand) => commands::MISUSED,
            _ => FAILED,
        }
    });
    ExitCode::from(code)
}

fn run(args: &[OsString], start: Instant) -> Result<u8, ActError> {
    let ready = number("TERRARIUM_READY_FD")?;
    if let Some(command) = init::command(args) {
        return Ok(init::live(command, ready)?);
    }
    let ready = ready.and_then(Ready::adopt);
    let mut words: Vec<String> = args.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(program) = words.first().and_then(|path| Path::new(path).file_name()) {
        words[0] = program.to_string_lossy().into_owned();
    }
    if words == commands::HEALTH {
        return Ok(health::check(&declared()?)?);
    }
    let behavior = commands::conduct(&words, &declared()?).unwrap_or_default();
    let name = env::var("TERRARIUM_NAME").unwrap_or_else(|_| "lab".into());
    let mut life = Life::begin(&behavior, &name, start)?;
    if let Some(ready) = ready {
        ready.tell();
    }
    life.live()
}

/// The behaviour of this run, as the environment declares it.
fn declared() -> Result<Behavior, ActError> {
    let Ok(json) = env::var("TERRARIUM_BEHAVIOR") else { return Ok(Behavior::default()) };
    let behavior: Behavior = serde_json::from_str(&json).map_err(ActError::Behavior)?;
    let run = match env::var_os("TERRARIUM_RUNS_FILE") {
        Some(file) => runs::current(Path::new(&file))?,
        None => number("TERRARIUM_RUN")?.unwrap_or(0),
    };
    Ok(behavior.of_run(run).clone())
}

fn number<N: std::str::FromStr>(variable: &'static str) -> Result<Option<N>, ActError> {
    let Ok(value) = env::var(variable) else { return Ok(None) };
    if value.is_empty() {
        return Ok(None);
    }
    value.parse().map(Some).map_err(|_| ActError::Number { variable, value })
}

/// A behaviour under way.
struct Life {
    signals: Signals,
    server: Server,
    burner: Option<Burner>,
    alarm: Alarm,
    /// When it takes memory, and how much.
    takes: Option<(Instant, u64)>,
    held: Option<Held>,
    /// When it ends, and with which code.
    ends: Option<(Instant, u8)>,
}

impl Life {
    /// Sets up all that has to be there before anybody is told that the process has started.
    fn begin(behavior: &Behavior, name: &str, start: Instant) -> Result<Self, ActError> {
        let signals = Signals::arrange(behavior)?;
        if let Some(children) = &behavior.children {
            children::fork_all(children);
        }
        let server = Server::open(name, &behavior.listen)?;
        if let Some(text) = &behavior.output {
            say(text).map_err(ActError::Output)?;
        }
        for feat in &behavior.tries {
            say(&feat.told(tries::attempt(*feat))).map_err(ActError::Output)?;
        }
        for deed in &behavior.files {
            say(&deed.told(&files::act(deed, name))).map_err(ActError::Output)?;
        }
        // A moment too far away for the clock never comes.
        let moment = |after: Duration| start.checked_add(after);
        let mut life = Self {
            signals,
            server,
            burner: Burner::new(behavior.cpu, Instant::now()),
            alarm: Alarm::new().map_err(ActError::Wait)?,
            takes: behavior.memory.and_then(|memory| Some((moment(memory.after)?, memory.size))),
            held: None,
            ends: behavior.exits.and_then(|exit| Some((moment(exit.after)?, exit.code))),
        };
        life.take_what_is_due(Instant::now())?;
        Ok(life)
    }

    fn live(&mut self) -> Result<u8, ActError> {
        loop {
            if let Some((signal_at, exit)) = self.signals.first_end() {
                let end = signal_at.checked_add(exit.after).map(|at| (at, exit.code));
                self.ends = [self.ends, end].into_iter().flatten().min_by_key(|(at, _)| *at);
            }
            let now = Instant::now();
            self.take_what_is_due(now)?;
            self.server.cut_off_the_slow(now);
            if let Some((at, code)) = self.ends
                && at <= now
            {
                return Ok(code);
            }
            if self.wait().map_err(ActError::Wait)? {
                self.signals.reap();
                self.server.serve();
            }
            if let Some(burner) = &mut self.burner {
                burner.burn();
            }
        }
    }

    fn take_what_is_due(&mut self, now: Instant) -> Result<(), ActError> {
        if let Some((at, size)) = self.takes
            && at <= now
            && self.ends.is_none_or(|(end, _)| at <= end)
        {
            self.takes = None;
            self.held = Some(memory::hold(size)?);
        }
        Ok(())
    }

    /// Waits until something is to be done; says whether a signal or a client wants attention.
    fn wait(&self) -> nix::Result<bool> {
        let next = [
            self.takes.map(|(at, _)| at),
            self.ends.map(|(at, _)| at),
            self.burner.as_ref().map(Burner::turn),
            self.server.patience_ends(),
        ];
        self.alarm.set(next.into_iter().flatten().min())?;
        let mut fds = vec![PollFd::new(self.alarm.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.signals.wake_fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        fds.extend(self.server.fds().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(fds[1..].iter().any(|fd| fd.any().unwrap_or(true))),
            Err(error) => Err(error),
        }
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()
}
