//! A disk without room: what cannot be done is said, nothing is half-made, and what gives room back still works.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::stage::{Stage, Told, eventually, is_forbidden, names_in, told};

/// A stage on a small file system in memory, which only a process of ours and whoever joins it sees.
struct Disk {
    stage: Stage,
    holder: Child,
}

/// What there is room for beside the built-in image, which holds a copy of the program.
const BESIDE: u64 = 24 << 20;

impl Disk {
    /// None, if this host forbids it: then that is said.
    fn new(what: &str) -> Option<Self> {
        if is_forbidden(what) {
            return None;
        }
        let stage = Stage::new();
        let size = fs::metadata(env!("CARGO_BIN_EXE_terrarium")).unwrap().len() + BESIDE;
        let root = stage.root();
        let place = root.parent().unwrap().display();
        let script = format!("mount -t tmpfs -o size={size} small '{place}' && echo mounted && exec cat");
        let mut holder = Command::new("unshare");
        if !nix::unistd::geteuid().is_root() {
            holder.args(["--user", "--map-root-user"]);
        }
        holder.args(["--mount", "sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut holder) = holder.spawn() else {
            println!("skipped: {what}, there is no unshare to mount a small file system with");
            return None;
        };
        let mut said = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        let disk = Self { stage, holder };
        if said != "mounted\n" {
            println!("skipped: {what}, no small file system can be mounted here for this user");
            return None;
        }
        // A user who may mount is root of a user namespace with one user in it, and that is not enough for a container.
        let first = disk.run(&["run", "--rm", "lab", "true"]);
        if first.status != 0 && !nix::unistd::geteuid().is_root() {
            println!("skipped: {what} as a user, {}", first.complaint.trim());
            return None;
        }
        assert_eq!((first.status, first.complaint.as_str()), (0, ""));
        Some(disk)
    }

    /// The same command as on the stage, where the disk can be seen.
    fn run(&self, words: &[&str]) -> Told {
        let inner = self.stage.command(words);
        let mut command = Command::new("nsenter");
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.args(["--mount", "--target", &self.holder.id().to_string()]);
        command.arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
        told(command)
    }

    #[track_caller]
    fn good(&self, words: &[&str]) -> String {
        let told = self.run(words);
        assert_eq!((told.status, told.complaint.as_str()), (0, ""), "{words:?}");
        told.output.trim_end().to_owned()
    }

    /// Fails, in one line that names what there is no room for.
    #[track_caller]
    fn has_no_room(&self, words: &[&str], status: i32) {
        let told = self.run(words);
        assert_eq!(told.status, status, "{words:?}: {}", told.complaint);
        assert_eq!(told.complaint.lines().count(), 1, "{words:?}: {}", told.complaint);
        assert!(told.complaint.contains("disk"), "{words:?}: {}", told.complaint);
    }

    /// The stage's root, as it is there.
    fn root(&self) -> PathBuf {
        let root = self.stage.root();
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(root.strip_prefix("/").unwrap())
    }

    fn filling(&self) -> PathBuf {
        self.root().with_file_name("filling")
    }

    /// Until not a byte more goes in.
    fn fill(&self) {
        let mut filling = File::options().append(true).create(true).open(self.filling()).unwrap();
        for piece in [1 << 20, 4096, 1] {
            let piece = vec![b'x'; piece];
            while filling.write(&piece).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.filling()).unwrap();
    }

    /// What lies there of containers: their directories, names and sockets.
    fn traces(&self) -> Vec<String> {
        let mut all: Vec<String> = ["data/containers", "data/names", "run"]
            .iter()
            .flat_map(|part| names_in(&self.root().join(part)))
            .filter(|name| name != "boot" && name != "network")
            .collect();
        all.sort();
        all
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn on_a_full_disk_nothing_is_half_made_and_all_works_again_when_there_is_room() {
    let Some(disk) = Disk::new("a full disk") else { return };
    disk.good(&["run", "-d", "--name", "lives", "lab"]);
    disk.good(&["create", "--name", "ended", "lab", "true"]);
    disk.good(&["start", "ended"]);
    eventually("its keeper has left", || disk.stage.keepers().len() == 1);
    let before = disk.traces();
    disk.fill();
    for _ in 0..3 {
        disk.has_no_room(&["create", "--name", "new", "lab"], 1);
        disk.has_no_room(&["run", "--name", "new", "-d", "lab"], 125);
        disk.has_no_room(&["run", "--rm", "lab", "true"], 125);
    }
    eventually("nothing of them is there", || disk.traces() == before);
    assert!(disk.good(&["ps"]).contains("lives"));
    disk.make_room();
    disk.good(&["run", "-d", "--name", "new", "lab"]);
    disk.good(&["start", "ended"]);
    disk.good(&["rm", "-f", "new", "lives", "ended"]);
    eventually("nothing is left", || disk.traces().is_empty() && disk.stage.keepers().is_empty());
}

#[test]
fn on_a_full_disk_containers_can_be_stopped_and_removed() {
    let Some(disk) = Disk::new("stops on a full disk") else { return };
    for name in ["stopped", "killed", "forced"] {
        disk.good(&["run", "-d", "--name", name, "--restart", "always", "lab"]);
    }
    disk.good(&["create", "--name", "created", "lab"]);
    disk.fill();
    assert_eq!(disk.good(&["stop", "-t", "0", "stopped"]), "stopped");
    assert_eq!(disk.good(&["kill", "killed"]), "killed");
    // The next who asks reads of it.
    assert_eq!(disk.good(&["inspect", "--format", "{{.State.Status}}", "stopped"]), "exited");
    disk.good(&["rename", "stopped", "old"]);
    disk.good(&["rm", "old", "killed", "created"]);
    disk.good(&["rm", "-f", "forced"]);
    eventually("nothing is left", || disk.traces().is_empty() && disk.stage.keepers().is_empty());
}

#[test]
fn a_container_that_fills_the_disk_goes_on_and_can_be_removed() {
    let Some(disk) = Disk::new("a container that fills the disk") else { return };
    // Each of its ends and starts is a few records: together more than is kept in reserve.
    disk.good(&["run", "-d", "--name", "restless", "--restart", "always", "lab", "echo", "line"]);
    disk.fill();
    for _ in 0..150 {
        let told = disk.run(&["restart", "-t", "0", "restless"]);
        if told.status != 0 {
            assert!(told.complaint.contains("disk"), "{}", told.complaint);
            break;
        }
    }
    disk.good(&["stop", "-t", "0", "restless"]);
    disk.make_room();
    // What could not be written then is written now.
    disk.good(&["start", "restless"]);
    disk.good(&["stop", "-t", "0", "restless"]);
    assert_eq!(disk.good(&["inspect", "--format", "{{.State.Status}}", "restless"]), "exited");
    disk.good(&["rm", "restless"]);
    eventually("nothing is left", || disk.traces().is_empty() && disk.stage.keepers().is_empty());
}
