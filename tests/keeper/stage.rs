//! A place of its own for each test: a root directory, the program, and a look at what is left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What a busy machine may need for anything that should take a moment.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A root directory. Whatever lives there ends with this value.
pub(crate) struct Stage {
    directory: TempDir,
}

/// How a command went.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: i32,
    pub(crate) output: String,
    pub(crate) complaint: String,
}

/// Whether this host forbids what a test needs; then it is said, and why.
pub(crate) fn is_forbidden(what: &str) -> bool {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    let obstacle = OBSTACLE.get_or_init(|| {
        let told = Stage::new().run(&["run", "--rm", "lab", "true"]);
        (told.status != 0).then_some(told.complaint)
    });
    if let Some(why) = obstacle {
        println!("skipped: {what}, {}", why.trim());
    }
    obstacle.is_some()
}

/// Polls until `wanted` holds: for what the kernel announces to nobody.
pub(crate) fn eventually(what: &str, mut wanted: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !wanted() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_terrarium"));
        command.arg("--root").arg(self.root()).args(words).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Told {
        told(self.command(words))
    }

    /// Runs a command that has to go well; what it printed.
    #[track_caller]
    pub(crate) fn good(&self, words: &[&str]) -> String {
        let told = self.run(words);
        assert_eq!((told.status, told.complaint.as_str()), (0, ""), "{words:?}");
        told.output.trim_end().to_owned()
    }

    /// Runs a command that has to fail; its complaint.
    #[track_caller]
    pub(crate) fn bad(&self, words: &[&str], status: i32) -> String {
        let told = self.run(words);
        assert_eq!(told.status, status, "{words:?}: {}", told.complaint);
        assert_eq!(told.complaint.lines().count(), 1, "{}", told.complaint);
        told.complaint.trim_end().to_owned()
    }

    pub(crate) fn begin(&self, words: &[&str]) -> Child {
        self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The ids of all containers that have a directory.
    pub(crate) fn ids(&self) -> Vec<String> {
        names_in(&self.root().join("data/containers"))
    }

    pub(crate) fn journal(&self, id: &str) -> PathBuf {
        self.root().join("data/containers").join(id).join("journal")
    }

    /// The keepers of this stage, those that have ended excepted. A parked init is still a copy of its keeper, and a child of it.
    pub(crate) fn keepers(&self) -> Vec<i32> {
        let root = self.root();
        let ours = |pid: &i32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut words = words.split(|byte| *byte == 0);
            words.next() == Some(b"terrarium-keeper")
                && words.any(|word| word.starts_with(root.to_str().unwrap().as_bytes()))
        };
        let all: Vec<i32> = processes().filter(ours).collect();
        let own = |pid: &i32| parent(*pid).is_none_or(|parent| !all.contains(&parent));
        all.iter().copied().filter(own).collect()
    }

    /// What is running in this stage's containers: children of its keepers, and whoever is in a container's cgroup.
    pub(crate) fn inmates(&self) -> Vec<i32> {
        let keepers = self.keepers();
        let mut ids = self.ids();
        ids.extend(names_in(&self.root().join("data/past")));
        let inside = |pid: &i32| {
            let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            parent(*pid).is_some_and(|parent| keepers.contains(&parent))
                || ids.iter().any(|id| cgroup.contains(&format!("terrarium-{id}")))
        };
        processes().filter(inside).collect()
    }

    /// All that is left of containers that should be gone, one line each.
    pub(crate) fn remains(&self, ids: &[String]) -> Vec<String> {
        let mut found: Vec<String> = self.ids().into_iter().map(|id| format!("directory {id}")).collect();
        let names = names_in(&self.root().join("data/names"));
        found.extend(names.into_iter().map(|name| format!("name {name}")));
        let sockets =
            names_in(&self.root().join("run")).into_iter().filter(|name| name != "boot" && name != "network");
        found.extend(sockets.map(|socket| format!("socket {socket}")));
        found.extend(self.keepers().iter().map(|pid| format!("keeper {pid}")));
        found.extend(self.inmates().iter().map(|pid| format!("process {pid}")));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let root = self.root();
        found.extend(
            mounts
                .lines()
                .filter(|line| line.contains(root.to_str().unwrap()))
                .map(|line| format!("mount {line}")),
        );
        found.extend(
            ids.iter().flat_map(|id| cgroups_of(id)).map(|path| format!("cgroup {}", path.display())),
        );
        found
    }

    /// Waits until nothing is left.
    #[track_caller]
    pub(crate) fn is_empty_soon(&self, ids: &[String]) {
        let deadline = Instant::now() + SOON;
        loop {
            let remains = self.remains(ids);
            if remains.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {remains:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for pid in self.keepers() {
            kill(pid);
        }
        // A user cannot look into the work directory of a layer that was mounted; who removes its container can.
        let all = self.run(&["ps", "-aq"]).output;
        if !all.is_empty() {
            self.run(&[&["rm", "-f"], all.split_whitespace().collect::<Vec<_>>().as_slice()].concat());
        }
    }
}

pub(crate) fn told(mut command: Command) -> Told {
    let output = command.output().unwrap();
    Told {
        status: output.status.code().unwrap_or(-1),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn kill(pid: i32) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
}

pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Those that have not ended.
fn processes() -> impl Iterator<Item = i32> {
    let all = names_in(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok());
    all.filter(|pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    })
}

fn cgroups_of(id: &str) -> Vec<PathBuf> {
    let name = format!("terrarium-{id}");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let tops =
        mounts.lines().filter(|line| line.contains(" - cgroup")).filter_map(|line| line.split(' ').nth(4));
    tops.map(|top| Path::new(top).join(&name)).filter(|path| path.exists()).collect()
}
