//! A container dies with the process that keeps it, whenever that dies.
//!
//! The keeper is this test program once more, told by a variable to play that part.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use oci_spec::runtime::User;
use terrarium::runtime::{Cgroups, CreateOptions, Freezer, Progress, Step, clear_work, steps};

use crate::exec::Guest;
use crate::stage::{Stage, eventually, has_one_id, while_making_children, while_writing_programs};

const PART: &str = "TERRARIUM_TEST_KEEPER";
const FREEZER: &str = "TERRARIUM_TEST_FREEZER";

/// The part: keeps one container at some point of its life, until it is killed.
#[test]
fn plays_the_keeper() {
    let Ok(part) = std::env::var(PART) else {
        println!("skipped: playing the keeper, nobody asked for it");
        return;
    };
    let cgroups = match std::env::var(FREEZER) {
        Ok(_) => Cgroups::with(Freezer::CgroupV1).unwrap(),
        Err(_) => Cgroups::detect(),
    };
    let stage = Stage::with(cgroups);
    let mut bundle = stage.bundle(&["sleep", "1000"]);
    if part == "with a guest" {
        // A program that changes its user by itself is forgiven its parent's death: its init has to outlive its keeper, or
        // the guest would die of that.
        let stays = stage.path().join("lower/bin/stays");
        while_writing_programs(|| fs::copy(stage.path().join("lower/bin/sleep"), &stays)).unwrap();
        fs::set_permissions(stays, Permissions::from_mode(0o4755)).unwrap();
        let arguments = Some(vec!["stays".to_owned(), "1000".to_owned()]);
        bundle.spec.process_mut().as_mut().unwrap().set_args(arguments);
    }
    if ["running as a user", "with a guest"].contains(&part.as_str()) {
        let mut user = User::default();
        user.set_uid(1000).set_gid(1000);
        bundle.spec.process_mut().as_mut().unwrap().set_user(user);
    }
    let stall = steps().iter().copied().find(|step| step.name() == part);
    let mut actor = stage.create_with(&bundle, CreateOptions { stall, ..CreateOptions::default() });
    let runs = ["running", "running as a user", "frozen", "with a guest", "with a socket maker"]
        .contains(&part.as_str());
    let released = part == Step::Park.name() || runs;
    if released || part == "parked" {
        assert_eq!(actor.progress(), Progress::Parked);
    }
    if released {
        actor.container.start().unwrap();
    }
    if runs {
        assert_eq!(actor.progress(), Progress::Executed);
    }
    if part == "frozen" {
        actor.container.pause().unwrap();
        eventually("frozen", || actor.container.frozen().unwrap());
    }
    let guest = (part == "with a guest").then(|| Guest::play(&actor, &["sleep", "1000"]));
    let maker = (part == "with a socket maker").then(|| {
        let maker = actor.container.socket_maker(Ipv4Addr::new(10, 88, 0, 2)).unwrap();
        let children = fs::read_to_string("/proc/thread-self/children").unwrap();
        let mut pids = children.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap()));
        (pids.find(|pid| *pid != actor.container.pid()).unwrap(), maker)
    });
    let guest = maker.as_ref().map(|(pid, _)| *pid).or(guest.as_ref().and_then(|guest| guest.exec.pid()));
    let guest = guest.unwrap_or(actor.container.pid());
    println!("\nkeeps {} {} {guest}", actor.container.pid(), actor.stage_path().display());
    loop {
        std::thread::park();
    }
}

struct Keeper {
    process: Child,
    init: i32,
    stage: PathBuf,
    /// Another child of the keeper: one that it has brought into the container, or that makes sockets.
    guest: i32,
}

impl Keeper {
    fn at(part: &str, extra: Option<(&str, &str)>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "keeper::plays_the_keeper", "--nocapture"])
            .env(PART, part)
            .envs(extra)
            .stdout(Stdio::piped());
        let mut process = while_making_children(|| command.spawn()).unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.map(Result::unwrap).find(|line| line.starts_with("keeps ")).unwrap();
        let mut words = line.split(' ').skip(1);
        let init = words.next().unwrap().parse().unwrap();
        let stage = PathBuf::from(words.next().unwrap());
        Self { process, init, stage, guest: words.next().unwrap().parse().unwrap() }
    }

    fn die(&mut self) {
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }

    fn cgroup(&self) -> PathBuf {
        PathBuf::from(format!("terrarium-test-{}-0", self.process.id()))
    }

    fn container_is_dead(&self) -> bool {
        is_dead(self.init)
    }
}

fn is_dead(pid: i32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z ") || stat.contains(") X "),
        Err(_) => true,
    }
}

/// The next one clears what a killed keeper leaves: a cgroup, and its directories. Also if the test has failed.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.die();
        let name = self.cgroup();
        let _ = Cgroups::detect().clear(&name);
        if let Ok(v1) = Cgroups::with(Freezer::CgroupV1) {
            let _ = v1.clear(&name);
        }
        if !self.container_is_dead() {
            let _ = kill(Pid::from_raw(self.init), Signal::SIGKILL);
            eventually("dead at last", || self.container_is_dead());
        }
        let _ = clear_work(&self.stage.join("work"));
        let _ = fs::remove_dir_all(&self.stage);
    }
}

/// Waits until the init of a keeper does nothing but wait for signals.
fn stalls(keeper: &Keeper) {
    // Only pause(2), and ppoll(2) where there is none, are used for it; a blocking read is another call.
    let pause = if cfg!(target_arch = "x86_64") { "34 " } else { "73 " };
    eventually("the step is reached", || {
        let call = fs::read_to_string(format!("/proc/{}/syscall", keeper.init)).unwrap_or_default();
        call.starts_with(pause)
    });
}

#[test]
fn a_container_dies_with_its_keeper_at_every_step() {
    for step in steps().iter().filter(|step| **step != Step::Execute) {
        let mut keeper = Keeper::at(step.name(), None);
        stalls(&keeper);
        assert!(!keeper.container_is_dead());
        keeper.die();
        eventually(&format!("dead after {step}"), || keeper.container_is_dead());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(keeper.stage.to_str().unwrap()));
    }
}

#[test]
fn a_container_dies_with_its_keeper_parked_running_and_frozen() {
    for part in ["parked", "running", "frozen"] {
        let mut keeper = Keeper::at(part, None);
        assert!(!keeper.container_is_dead());
        keeper.die();
        eventually(&format!("dead when {part}"), || keeper.container_is_dead());
    }
}

#[test]
fn a_container_of_another_user_dies_with_its_keeper() {
    if has_one_id("a container of another user") {
        return;
    }
    let mut keeper = Keeper::at("running as a user", None);
    keeper.die();
    eventually("dead", || keeper.container_is_dead());
}

#[test]
fn a_process_that_was_brought_in_dies_with_the_keeper_by_itself() {
    if !geteuid().is_root() {
        println!("skipped: an init that outlives its keeper, only one id is mapped without root");
        return;
    }
    let mut keeper = Keeper::at("with a guest", None);
    assert!(!is_dead(keeper.guest));
    keeper.die();
    eventually("the guest is dead", || is_dead(keeper.guest));
    assert!(!keeper.container_is_dead(), "or this would show nothing");
}

#[test]
fn a_socket_maker_dies_with_its_keeper() {
    let mut keeper = Keeper::at("with a socket maker", None);
    assert!(keeper.guest != keeper.init && !is_dead(keeper.guest));
    keeper.die();
    eventually("the maker is dead", || is_dead(keeper.guest));
}

#[test]
fn what_v1_has_frozen_outlives_its_keeper_until_it_is_cleared() {
    if let Err(error) = Cgroups::with(Freezer::CgroupV1) {
        println!("skipped: a frozen orphan, {error}");
        return;
    }
    let mut keeper = Keeper::at("frozen", Some((FREEZER, "v1")));
    keeper.die();
    assert!(!keeper.container_is_dead());
    Cgroups::with(Freezer::CgroupV1).unwrap().clear(&keeper.cgroup()).unwrap();
    assert!(keeper.container_is_dead());
}
