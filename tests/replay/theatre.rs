//! Where replays are given: the program, a directory of its own for each test, and a look behind the stage.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::program;

/// What a busy machine may need for anything that should take a moment.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Lets what follows run before everything that is not so urgent.
pub(crate) const UNDISTURBED: [&str; 3] = ["chrt", "--rr", "1"];

/// A life with everything in it but the use of CPU time, of which a busy machine may have too little.
pub(crate) const QUIET: &str = "\
title: A quiet life
containers: { a: { behavior: { memory: 20MiB, children: 1 } }, b: { behavior: { signals: { SIGTERM: { exit: 0 } } } } }
steps:
  - create: a
  - start: a
  - run: b
  - pause: [a, b]
  - unpause: a
  - stop: { container: a, timeout: 0s }
  - stop: b
  - start: a
  - restart: { container: a, timeout: 0s }
  - remove: b
  - remove: { container: a, force: true }
";

/// A directory for one test: containers' files, and stories.
pub(crate) struct Theatre {
    directory: TempDir,
    /// What is executed before the program, to change its surroundings.
    around: Vec<&'static str>,
}

/// A replay that is under way. It ends with this value.
pub(crate) struct Performance {
    process: Child,
    output: ChildStdout,
}

/// A process behind a replay: its number, and when it began, since numbers are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) pid: i32,
    born: u64,
}

/// Whether this host forbids what a test needs; then it is said, and why.
pub(crate) fn is_forbidden(what: &str) -> bool {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    let obstacle = OBSTACLE.get_or_init(|| {
        let theatre = Theatre::new();
        let story = theatre.story("title: T\ncontainers: { a: }\nsteps:\n  - create: a\n");
        let output = theatre.replay(&[&story]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        told.strip_prefix("terrarium: cannot replay on this kernel: ").map(|why| why.trim().to_owned())
    });
    if let Some(why) = obstacle {
        println!("skipped: {what}, {why}");
    }
    obstacle.is_some()
}

/// Polls until `wanted` holds: for what the kernel announces to nobody.
pub(crate) fn eventually(what: &str, mut wanted: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !wanted() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl Theatre {
    pub(crate) fn new() -> Self {
        Self::inside(&[])
    }

    /// A theatre whose containers get the CPU time that they want, whatever the neighbours do; none where that cannot be had.
    pub(crate) fn undisturbed() -> Option<Self> {
        let can = Command::new(UNDISTURBED[0]).args(&UNDISTURBED[1..]).arg("true").output();
        can.is_ok_and(|output| output.status.success()).then(|| Self::inside(&UNDISTURBED))
    }

    /// A theatre whose replays are executed by another program.
    pub(crate) fn inside(around: &[&'static str]) -> Self {
        let directory = tempfile::Builder::new().prefix("terrarium-replay-").tempdir().unwrap();
        fs::create_dir(directory.path().join("root")).unwrap();
        Self { directory, around: around.to_vec() }
    }

    /// Writes a story down.
    pub(crate) fn story(&self, yaml: &str) -> PathBuf {
        let path = (1..).map(|nth| self.directory.path().join(format!("story-{nth}.yaml")));
        let path = path.into_iter().find(|path| !path.exists()).unwrap();
        fs::write(&path, yaml).unwrap();
        path
    }

    /// A replay on the kernel, in JSON, to be run to its end.
    pub(crate) fn replay(&self, stories: &[&Path]) -> assert_cmd::Command {
        self.replay_with("linux", stories)
    }

    /// The same with another word for where it is to be.
    pub(crate) fn replay_with(&self, engine: &str, stories: &[&Path]) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::from_std(self.command(engine, stories));
        command.timeout(SOON);
        command
    }

    /// A replay on the kernel that is to be watched.
    pub(crate) fn begin(&self, story: &Path) -> Performance {
        Performance::of(&mut self.command("linux", &[story]))
    }

    /// A replay that stays at one step of a container's set-up.
    pub(crate) fn begin_and_stall(&self, story: &Path, step: &str) -> Performance {
        Performance::of(self.command("linux", &[story]).env("TERRARIUM_STALL", step))
    }

    /// Where replays here keep their files.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// What they have left there.
    pub(crate) fn remains(&self) -> Vec<PathBuf> {
        let left = fs::read_dir(self.root()).unwrap();
        left.map(|entry| entry.unwrap().path()).collect()
    }

    /// Lets the next replay come, which clears what killed ones have left.
    pub(crate) fn clear(&self) {
        let story = self.story("title: T\ncontainers: { a: }\nsteps:\n  - create: a\n");
        self.replay(&[&story]).assert().success();
        assert_eq!(self.remains(), Vec::<PathBuf>::new());
    }

    fn command(&self, engine: &str, stories: &[&Path]) -> Command {
        let mut command = match self.around.split_first() {
            None => Command::new(program()),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program());
                command
            }
        };
        command.args(["replay", "--engine", engine, "--format", "json", "--root"]);
        command.arg(self.root()).args(stories).stdin(Stdio::null());
        command
    }
}

impl Performance {
    fn of(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = process.stdout.take().unwrap();
        Self { process, output }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Reads until a step is done, for all its containers.
    pub(crate) fn until_step(&mut self, index: u64) {
        while self.next()["index"] != index {}
    }

    /// The next thing that it tells.
    pub(crate) fn next(&mut self) -> Value {
        let mut line = Vec::new();
        let mut byte = [0];
        while byte != *b"\n" {
            readable(&self.output);
            assert_eq!(self.output.read(&mut byte).unwrap(), 1, "it ends in the middle of its story");
            line.push(byte[0]);
        }
        serde_json::from_slice(&line).unwrap()
    }

    /// Its processes: all that descend from it.
    pub(crate) fn cast(&self) -> Vec<Actor> {
        let mut all = children_of(self.process.id().cast_signed());
        let mut next = 0;
        while let Some(actor) = all.get(next).copied() {
            next += 1;
            all.extend(children_of(actor.pid));
        }
        all
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the replay has ended", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// What it has complained of. Only after its end.
    pub(crate) fn complaint(&mut self) -> String {
        let mut text = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Ends it in a way that it cannot see coming, and waits until all its processes are dead.
    pub(crate) fn perish(&mut self) {
        // So that nobody joins the cast after it was counted.
        self.signal(Signal::SIGSTOP);
        let cast = self.cast();
        self.signal(Signal::SIGKILL);
        self.end();
        eventually(&format!("all of {cast:?} are dead"), || !cast.iter().any(Actor::lives));
    }
}

impl Drop for Performance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Actor {
    fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses, and may itself contain some.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let lives = !matches!(*fields.first()?, "Z" | "X");
        lives.then_some(Self { pid, born: fields.get(19)?.parse().ok()? })
    }

    pub(crate) fn lives(&self) -> bool {
        Self::of(self.pid) == Some(*self)
    }

    /// A line of its status file.
    pub(crate) fn status(&self, line: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(":\t"));
        found.unwrap_or_else(|| panic!("no {line} in {status}")).to_owned()
    }

    /// Whether it does nothing but wait for signals, as a stalled init does.
    pub(crate) fn stalls(&self) -> bool {
        let pause = if cfg!(target_arch = "x86_64") { "34 " } else { "73 " };
        fs::read_to_string(format!("/proc/{}/syscall", self.pid)).is_ok_and(|call| call.starts_with(pause))
    }
}

fn children_of(pid: i32) -> Vec<Actor> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let all: Vec<String> = lists.collect();
    all.iter().flat_map(|list| list.split(' ')).filter_map(|pid| Actor::of(pid.parse().ok()?)).collect()
}

fn readable(descriptor: &impl AsFd) {
    let timeout = PollTimeout::try_from(SOON).unwrap();
    let ready = poll(&mut [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)], timeout).unwrap();
    assert_eq!(ready, 1, "nothing to read within {SOON:?}");
}
