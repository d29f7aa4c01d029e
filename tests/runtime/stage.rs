//! Where test containers live: a tiny root file system, copied from this host once, and a layer of its own for each.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{geteuid, pipe};
use tempfile::TempDir;
use terrarium::runtime::{
    Bundle, Cgroups, Container, CreateOptions, Durability, ExitStatus, Isolation, Progress, Root, Stdio,
    clear_work, create, default_spec, lent_ids, remove_all,
};

/// What a busy machine may need for anything that should take milliseconds.
pub(crate) const SOON: Duration = Duration::from_secs(20);

const PROGRAMS: [&str; 6] = ["sh", "sleep", "cat", "true", "ls", "mkdir"];

/// The directories of one container. They go away with this value.
pub(crate) struct Stage {
    directory: Ground,
    pub(crate) cgroups: Cgroups,
}

struct Ground(TempDir);

/// A container on its stage, and what it has written.
pub(crate) struct Actor {
    pub(crate) container: Container,
    output: OwnedFd,
    directory: Option<Ground>,
}

pub(crate) fn isolation() -> Isolation {
    if geteuid().is_root() { Isolation::Root } else { Isolation::Rootless }
}

/// Whether containers of whoever tests have one id, and no others can be tried; then it is said, and why.
pub(crate) fn has_one_id(what: &str) -> bool {
    let Some(Err(why)) = (!geteuid().is_root()).then(lent_ids) else { return false };
    println!("skipped: {what}, only one id is mapped without root: {why}");
    true
}

/// Runs a shell script as a container's only process, and tells what it wrote and how it ended.
pub(crate) fn run(script: &str) -> (String, ExitStatus) {
    let mut actor = Stage::new().play(&["sh", "-c", script]);
    let ended = actor.end();
    let output = actor.output();
    actor.container.delete().unwrap();
    (output, ended)
}

/// Polls until `wanted` holds: for what the kernel announces to nobody.
pub(crate) fn eventually(what: &str, mut wanted: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !wanted() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Cgroups::detect())
    }

    pub(crate) fn with(cgroups: Cgroups) -> Self {
        let directory = Ground(new_directory());
        for name in ["upper", "work", "merged"] {
            fs::create_dir(directory.0.path().join(name)).unwrap();
        }
        while_writing_programs(|| build_scenery(&directory.0.path().join("lower")));
        Self { directory, cgroups }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.0.path()
    }

    pub(crate) fn bundle(&self, arguments: &[&str]) -> Bundle {
        let mut spec = default_spec(isolation());
        spec.set_hostname(Some("actor".to_owned()));
        let process = spec.process_mut().as_mut().unwrap();
        process.set_args(Some(arguments.iter().map(|&argument| argument.to_owned()).collect()));
        let [lower, upper, work, merged] =
            ["lower", "upper", "work", "merged"].map(|name| self.directory.0.path().join(name));
        let root = Root::Layers { lower: vec![lower], upper, work, merged, durability: Durability::Volatile };
        Bundle { spec, root }
    }

    /// Creates a container, which may still be setting itself up.
    pub(crate) fn create(self, bundle: &Bundle) -> Actor {
        self.create_with(bundle, CreateOptions::default())
    }

    pub(crate) fn create_with(self, bundle: &Bundle, options: CreateOptions) -> Actor {
        let actor = self.lend(bundle, options);
        Actor { directory: Some(self.directory), ..actor }
    }

    /// Creates a container, and keeps the stage for another one.
    pub(crate) fn lend(&self, bundle: &Bundle, options: CreateOptions) -> Actor {
        let (output, writer) = pipe().unwrap();
        let stdio = Stdio { error: Some(writer.try_clone().unwrap()), output: Some(writer), input: None };
        let options = CreateOptions { cgroup: cgroup_name(), stdio, ..options };
        let container = while_making_children(|| create(bundle, &self.cgroups, options)).unwrap();
        Actor { container, output, directory: None }
    }

    /// Creates and starts a container, and waits until its program runs.
    pub(crate) fn play(self, arguments: &[&str]) -> Actor {
        let bundle = self.bundle(arguments);
        let mut actor = self.create(&bundle);
        actor.start();
        actor
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = clear_work(&self.0.path().join("work"));
        let _ = while_making_children(|| remove_all(self.0.path()));
    }
}

impl Actor {
    pub(crate) fn start(&mut self) {
        assert_eq!(self.progress(), Progress::Parked);
        self.container.start().unwrap();
        assert_eq!(self.progress(), Progress::Executed);
    }

    pub(crate) fn stage_path(&self) -> &Path {
        self.directory.as_ref().unwrap().0.path()
    }

    /// The next thing that the container tells.
    pub(crate) fn progress(&mut self) -> Progress {
        loop {
            if let Some(progress) = self.container.progress().unwrap() {
                return progress;
            }
            readable(self.container.status_fd().expect("it has something to tell"));
        }
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        readable(self.container.pidfd());
        self.container.reap().unwrap().expect("its pidfd said that it has ended")
    }

    /// Kills everything, waits, deletes.
    pub(crate) fn strike(mut self) {
        self.container.kill_all().unwrap();
        self.end();
        self.container.delete().unwrap();
    }

    /// Reads one line that the container writes.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut output = File::from(self.output.try_clone().unwrap());
        let mut byte = [0];
        loop {
            readable(self.output.as_fd());
            let length = output.read(&mut byte).unwrap();
            if length == 0 || byte == [b'\n'] {
                return String::from_utf8(line).unwrap();
            }
            line.push(byte[0]);
        }
    }

    /// All that it has written. Only after its end.
    pub(crate) fn output(&mut self) -> String {
        read_all(&self.output)
    }
}

/// What is written until nobody is left who could write more.
pub(crate) fn read_all(output: &OwnedFd) -> String {
    let mut text = String::new();
    File::from(output.try_clone().unwrap()).read_to_string(&mut text).unwrap();
    text
}

pub(crate) fn readable(descriptor: BorrowedFd<'_>) {
    let timeout = PollTimeout::try_from(SOON).unwrap();
    let ready = poll(&mut [PollFd::new(descriptor, PollFlags::POLLIN)], timeout).unwrap();
    assert_eq!(ready, 1, "nothing to read within {SOON:?}");
}

pub(crate) fn cgroup_name() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(format!("terrarium-test-{}-{number}", std::process::id()))
}

/// Held while programs are written, and shared while children are made: a child has a copy of every open file for a moment,
/// and what is open for writing cannot be executed.
static WRITING: RwLock<()> = RwLock::new(());

pub(crate) fn while_writing_programs<T>(write: impl FnOnce() -> T) -> T {
    let _exclusive = WRITING.write().unwrap_or_else(PoisonError::into_inner);
    write()
}

pub(crate) fn while_making_children<T>(make: impl FnOnce() -> T) -> T {
    let _shared = WRITING.read().unwrap_or_else(PoisonError::into_inner);
    make()
}

/// A temporary directory whose name says whose it is.
pub(crate) fn new_directory() -> TempDir {
    tempfile::Builder::new().prefix("terrarium-runtime-").tempdir().unwrap()
}

/// Copies a shell and a few programs with the libraries that they need.
fn build_scenery(root: &Path) {
    static FILES: OnceLock<BTreeSet<(PathBuf, PathBuf)>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let programs = PROGRAMS.iter().flat_map(|name| {
            let program = fs::canonicalize(Path::new("/bin").join(name)).unwrap();
            let ldd = Command::new("ldd").arg(&program).output().unwrap();
            let text = String::from_utf8(ldd.stdout).unwrap();
            let words = text.split_whitespace().filter(|word| word.starts_with('/'));
            let libraries =
                words.map(|word| (PathBuf::from(word), PathBuf::from(&word[1..]))).collect::<Vec<_>>();
            libraries.into_iter().chain([(program, Path::new("bin").join(name))])
        });
        programs.collect()
    });
    for (from, to) in files {
        let to = root.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}
