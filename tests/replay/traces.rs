//! Nothing is left behind: everything that this host has is counted before and after, not only what bears our name.
//!
//! The counting is exact because the counter has a view of its own: this test program once more, in its own mount and network
//! namespace with empty directories, and as the one to whom orphans fall. Cgroups are everybody's: those that are new must go.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_child_subreaper;
use nix::unistd::geteuid;

use crate::program::{ELSEWHERE, program};
use crate::theatre::{QUIET, eventually, is_forbidden};
use crate::user::{AS_USER, bring_along};

/// Tells the counter that it is one, and where program and scenarios are.
const STAGE: &str = "TERRARIUM_TEST_STAGE";
/// The stage has its place in the counter's view, with a story on it.
const STORY: &str = "/run/stage/story.yaml";
/// Where terrarium, and programs like it, put their files.
const PLACES: [&str; 3] = ["/run", "/tmp", "/dev/shm"];

#[test]
fn a_replay_leaves_no_process_mount_cgroup_link_or_file() {
    if !geteuid().is_root() {
        println!("skipped: counting what is left behind, only root can have a view of the host for itself");
        return;
    }
    if is_forbidden("counting what is left behind") {
        return;
    }
    let stage = tempfile::Builder::new().prefix("terrarium-counter-").tempdir().unwrap();
    bring_along(stage.path());
    fs::write(stage.path().join("story.yaml"), QUIET).unwrap();
    let counter = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "traces::counts", "--nocapture"])
        .env(STAGE, stage.path())
        .env(ELSEWHERE, Path::new(STORY).parent().unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&counter.stdout);
    assert!(counter.status.success(), "{told}{}", String::from_utf8_lossy(&counter.stderr));
    assert!(told.contains("counted as root\ncounted as a user\n"), "{told}");
}

/// The part: counts, lets a replay be given, and counts again.
#[test]
fn counts() {
    let Some(stage) = std::env::var_os(STAGE) else {
        println!("skipped: counting in a view of its own, nobody asked for it");
        return;
    };
    have_a_view_of_its_own(stage.as_ref());
    for (who, around) in [("root", &["env"][..]), ("a user", &AS_USER)] {
        let (before, cgroups_before) = (here(), cgroups());
        replay(around);
        let new_cgroups: Vec<_> = cgroups().difference(&cgroups_before).cloned().collect();
        assert_eq!(here().difference(&before).collect::<Vec<_>>(), Vec::<&String>::new(), "as {who}");
        eventually(&format!("{new_cgroups:?} are gone"), || !new_cgroups.iter().any(|path| path.exists()));
        println!("counted as {who}");
    }
}

/// What there is in this view: processes that descend from this one, mounts, network links, files.
fn here() -> BTreeSet<String> {
    let read = |file: &str| fs::read_to_string(file).unwrap();
    let threads = fs::read_dir("/proc/self/task").unwrap().map(|entry| entry.unwrap().path());
    let children = threads.map(|thread| fs::read_to_string(thread.join("children")).unwrap());
    let processes: String = children.collect();
    let processes = processes.split_whitespace().map(|pid| format!("process {pid}"));
    let mounts = read("/proc/thread-self/mountinfo");
    let mounts = mounts.lines().map(|line| format!("mount {line}"));
    let links = read("/proc/thread-self/net/dev");
    let links = links.lines().filter_map(|line| Some(format!("link {}", line.split_once(':')?.0)));
    let files = PLACES.into_iter().flat_map(|place| everything_in(place.as_ref()));
    let files = files.map(|path| format!("file {}", path.display()));
    processes.chain(mounts).chain(links).chain(files).collect()
}

fn cgroups() -> BTreeSet<PathBuf> {
    everything_in("/sys/fs/cgroup".as_ref()).into_iter().filter(|path| path.is_dir()).collect()
}

/// As those do who know of no test: without `--root`, where each one's containers usually are.
fn replay(around: &[&str]) {
    let output = Command::new(around[0])
        .args(&around[1..])
        .arg(program())
        .args(["replay", "--engine", "linux", STORY])
        .current_dir("/")
        .env_remove("TMPDIR")
        .env_remove("XDG_RUNTIME_DIR")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("nothing left behind"), "{told}");
}

fn have_a_view_of_its_own(stage: &Path) {
    set_child_subreaper(true).unwrap();
    // Both are this thread's alone, and its children's.
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    let empty = |place: &str| {
        mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some("mode=1777")).unwrap();
    };
    empty("/run");
    fs::create_dir("/run/stage").unwrap();
    mount(Some(stage), "/run/stage", None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    empty("/tmp");
    empty("/dev/shm");
}

fn everything_in(directory: &Path) -> Vec<PathBuf> {
    let mut all = vec![directory.to_path_buf()];
    let mut next = 0;
    while let Some(path) = all.get(next).cloned() {
        next += 1;
        if path.is_symlink() {
            continue;
        }
        all.extend(fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    all
}
