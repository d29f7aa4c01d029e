//! One more process in a container that runs.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, geteuid, pipe};
use oci_spec::runtime::User;
use terrarium::runtime::{
    Cgroups, Exec, ExecControlError, ExecCreateError, ExecOptions, ExecProgress, ExitStatus, Freezer,
    Progress, Stdio, Step,
};

use crate::stage::{Actor, Stage, eventually, has_one_id, read_all, readable, while_making_children};

/// A process that is brought into an actor's container, and what it writes.
pub(crate) struct Guest {
    pub(crate) exec: Exec,
    output: OwnedFd,
}

impl Guest {
    pub(crate) fn bring(actor: &Actor, args: &[&str]) -> Self {
        Self::bring_with(actor, args, ExecOptions::default())
    }

    fn bring_with(actor: &Actor, args: &[&str], options: ExecOptions) -> Self {
        let (output, writer) = pipe().unwrap();
        let stdio = Stdio { error: Some(writer.try_clone().unwrap()), output: Some(writer), input: None };
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        let options = ExecOptions { args, stdio, ..options };
        let exec = while_making_children(|| actor.container.exec(options)).unwrap();
        Self { exec, output }
    }

    /// The next thing that it tells.
    pub(crate) fn progress(&mut self) -> ExecProgress {
        loop {
            if let Some(progress) = self.exec.progress().unwrap() {
                return progress;
            }
            readable(self.exec.status_fd().expect("it has something to tell"));
        }
    }

    pub(crate) fn play(actor: &Actor, args: &[&str]) -> Self {
        let mut guest = Self::bring(actor, args);
        guest.begin();
        guest
    }

    fn begin(&mut self) {
        assert_eq!(self.progress(), ExecProgress::Joined);
        assert_eq!(self.progress(), ExecProgress::Executed);
        assert!(self.exec.status_fd().is_none());
    }

    fn end(&mut self) -> ExitStatus {
        readable(self.exec.pidfd().unwrap());
        self.exec.reap().unwrap().expect("its pidfd said that it has ended")
    }

    fn finish(mut self) -> (String, ExitStatus) {
        let ended = self.end();
        (read_all(&self.output), ended)
    }
}

fn host() -> Actor {
    Stage::new().play(&["sleep", "1000"])
}

fn say(actor: &Actor, script: &str, options: ExecOptions) -> String {
    let mut guest = Guest::bring_with(actor, &["sh", "-c", script], options);
    guest.begin();
    guest.finish().0
}

#[test]
fn it_runs_beside_the_container_and_exits_with_its_own_code() {
    let actor = host();
    let guest = Guest::play(&actor, &["sh", "-c", "echo hello; exit 7"]);
    assert_eq!(guest.finish(), ("hello\n".to_owned(), ExitStatus::Exited(7)));
    let killed = Guest::play(&actor, &["sh", "-c", "kill -34 $$"]);
    assert_eq!(killed.finish().1, ExitStatus::Signaled(34), "also by a signal without a name");
    actor.strike();
}

#[test]
fn it_is_one_of_the_containers_processes() {
    let actor = host();
    let mut guest = Guest::play(&actor, &["sleep", "1000"]);
    let pid = guest.exec.pid().unwrap();
    assert_eq!(actor.container.processes().len(), 2);
    assert!(actor.container.processes().contains(&pid));
    guest.exec.kill(Signal::SIGTERM as i32).unwrap();
    assert_eq!(guest.end(), ExitStatus::Signaled(15), "it is not PID 1");
    assert!(matches!(guest.exec.kill(Signal::SIGTERM as i32), Err(ExecControlError::Ended)));
    assert_eq!(actor.container.processes(), [actor.container.pid()]);
    actor.strike();
}

fn is_where_init_is(actor: &Actor) {
    let guest = Guest::play(actor, &["sleep", "1000"]);
    let (pid, init) = (guest.exec.pid().unwrap(), actor.container.pid());
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"] {
        let namespace = |pid: Pid| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        assert_eq!(namespace(pid), namespace(init), "{kind}");
    }
    let cgroups = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert_eq!(cgroups(pid), cgroups(init));
    drop(guest);
}

#[test]
fn it_is_in_the_containers_namespaces_and_cgroup() {
    let actor = host();
    is_where_init_is(&actor);
    actor.strike();
}

#[test]
fn it_is_in_both_v1_cgroups() {
    match Cgroups::with(Freezer::CgroupV1) {
        Ok(cgroups) => {
            let actor = Stage::with(cgroups).play(&["sleep", "1000"]);
            is_where_init_is(&actor);
            actor.strike();
        }
        Err(error) => println!("skipped: v1 cgroups, {error}"),
    }
}

#[test]
fn it_may_do_what_the_container_may_and_starts_as_clean() {
    let actor = host();
    let guest = Guest::play(&actor, &["sleep", "1000"]);
    let status = |pid: Pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let wanted = ["Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Seccomp:", "Umask", "Sig"];
        let lines = text.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
        lines.filter(|line| !line.starts_with("SigQ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let pid = guest.exec.pid().unwrap();
    assert_eq!(status(pid), status(actor.container.pid()));
    // While it is loading, it has its libraries open for a moment.
    eventually("its descriptors are the three", || {
        let listed = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut open: Vec<_> = listed.map(|entry| entry.unwrap().file_name()).collect();
        open.sort();
        open == ["0", "1", "2"]
    });
    drop(guest);
    actor.strike();
}

#[test]
fn it_has_the_containers_environment_and_directory_unless_told_otherwise() {
    let stage = Stage::new();
    let mut bundle = stage.bundle(&["sleep", "1000"]);
    let process = bundle.spec.process_mut().as_mut().unwrap();
    let mut env = process.env().clone().unwrap();
    env.extend(["A=1".to_owned(), "AB=2".to_owned()]);
    process.set_env(Some(env)).set_cwd(PathBuf::from("/home"));
    let mut actor = stage.create(&bundle);
    actor.start();
    let script = "echo $A $AB $C; pwd";
    assert_eq!(say(&actor, script, ExecOptions::default()), "1 2\n/home\n");
    let other = ExecOptions {
        env: vec!["C=3".to_owned(), "A=0".to_owned()],
        cwd: Some(PathBuf::from("/bin")),
        ..ExecOptions::default()
    };
    assert_eq!(say(&actor, script, other), "0 2 3\n/bin\n");
    actor.strike();
}

#[test]
fn it_can_be_another_user() {
    if has_one_id("user 1000") {
        return;
    }
    let actor = host();
    let mut user = User::default();
    user.set_uid(1000).set_gid(1001);
    let options = ExecOptions { user: Some(user), ..ExecOptions::default() };
    let status = say(&actor, "cat /proc/self/status", options);
    assert!(status.contains("Uid:\t1000\t1000\t1000\t1000\n"), "{status}");
    assert!(status.contains("Gid:\t1001\t1001\t1001\t1001\n"), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000\n"), "{status}");
    actor.strike();
}

/// Those of this thread, zombies included.
fn children() -> Vec<Pid> {
    let listed = fs::read_to_string("/proc/thread-self/children").unwrap();
    listed.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

/// The process that has joined and not been told to go on. A user cannot see its namespaces.
fn waiting(actor: &Actor) -> Option<Pid> {
    let is_inside = |pid: &Pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        numbers.is_some_and(|numbers| numbers.split_whitespace().count() > 1)
    };
    children().into_iter().find(|pid| *pid != actor.container.pid() && is_inside(pid))
}

#[test]
fn nobody_in_the_container_can_read_the_keepers_memory_while_it_joins() {
    if geteuid().is_root() {
        println!("skipped: a user can see whether memory is readable, root cannot");
        return;
    }
    let actor = host();
    let owner = |pid: Pid| fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid();
    let mut guest = Guest::bring(&actor, &["sleep", "1000"]);
    // It waits for a word, which it gets as soon as we have heard of it.
    eventually("it is in", || waiting(&actor).is_some());
    let waiting = waiting(&actor).unwrap();
    assert_eq!(owner(waiting), 0);
    guest.begin();
    assert_eq!(guest.exec.pid(), Some(waiting));
    assert_eq!(owner(waiting), geteuid().as_raw());
    drop(guest);
    actor.strike();
}

#[test]
fn a_command_that_is_not_there_has_its_code_and_sentence() {
    let actor = host();
    for (program, code, message) in
        [("nosuch", 127, "executable file not found in $PATH"), ("/bin", 126, "permission denied")]
    {
        let mut guest = Guest::bring(&actor, &[program]);
        assert_eq!(guest.progress(), ExecProgress::Joined);
        let ExecProgress::ExecFailed(error) = guest.progress() else { panic!("{program} was executed") };
        assert_eq!(error.code, code);
        assert!(error.message.contains(message), "{error}");
        assert_eq!(guest.end(), ExitStatus::Exited(code));
    }
    actor.strike();
}

#[test]
fn a_step_that_fails_is_named() {
    let actor = host();
    let options = ExecOptions { cwd: Some(PathBuf::from("/no/such")), ..ExecOptions::default() };
    let mut guest = Guest::bring_with(&actor, &["true"], options);
    assert_eq!(guest.progress(), ExecProgress::Joined);
    let ExecProgress::Failed(error) = guest.progress() else { panic!("it found its directory") };
    assert_eq!(error.0.step, Step::WorkingDirectory);
    assert_eq!(
        error.to_string(),
        "cannot enter the container: step `working directory` failed on /no/such: \
         no such file or directory (it, or a directory on the way to it, does not exist)"
    );
    assert_eq!(guest.end(), ExitStatus::Exited(125));
    let error = actor.container.exec(ExecOptions::default()).unwrap_err();
    assert!(matches!(error, ExecCreateError::Command(_)), "{error}");
    actor.strike();
}

#[test]
fn it_dies_with_the_container_and_is_waited_for_first() {
    let mut actor = host();
    let mut guest = Guest::play(&actor, &["sleep", "1000"]);
    actor.container.kill(Signal::SIGKILL as i32).unwrap();
    assert_eq!(guest.end(), ExitStatus::Signaled(9));
    assert_eq!(actor.end(), ExitStatus::Signaled(9));
    actor.container.delete().unwrap();
}

#[test]
fn it_does_not_enter_what_does_not_run() {
    let stage = Stage::new();
    let bundle = stage.bundle(&["sleep", "1000"]);
    let mut actor = stage.create(&bundle);
    let refusal = |actor: &Actor| {
        let args = vec!["true".to_owned()];
        actor.container.exec(ExecOptions { args, ..ExecOptions::default() }).unwrap_err().to_string()
    };
    assert_eq!(actor.progress(), Progress::Parked);
    assert_eq!(refusal(&actor), "the container is not running (start it first)");
    actor.container.start().unwrap();
    assert_eq!(actor.progress(), Progress::Executed);
    actor.container.pause().unwrap();
    assert_eq!(refusal(&actor), "the container is paused (resume it first)");
    actor.container.resume().unwrap();
    assert_eq!(Guest::play(&actor, &["true"]).finish().1, ExitStatus::Exited(0));
    actor.container.kill(Signal::SIGKILL as i32).unwrap();
    readable(actor.container.pidfd());
    let mut late = Guest::bring(&actor, &["true"]);
    let ExecProgress::Failed(error) = late.progress() else { panic!("it entered") };
    assert_eq!(error.0.step, Step::JoinNamespaces);
    assert!(error.to_string().contains("the container has ended"), "{error}");
    assert_eq!((late.exec.reap().unwrap(), late.exec.pid()), (None, None));
    drop(late);
    actor.end();
    assert!(refusal(&actor).contains("it has ended"));
    actor.container.delete().unwrap();
}

#[test]
fn a_guest_that_is_dropped_is_ended_wherever_it_is() {
    let mut actor = host();
    let only = children();
    for _ in 0..20 {
        drop(Guest::bring(&actor, &["sleep", "1000"]));
        let mut guest = Guest::bring(&actor, &["sleep", "1000"]);
        assert_eq!(guest.progress(), ExecProgress::Joined);
        drop(guest);
        let guest = Guest::bring(&actor, &["sleep", "1000"]);
        eventually("it is in", || waiting(&actor).is_some());
        drop(guest);
        drop(Guest::play(&actor, &["sleep", "1000"]));
        assert_eq!(children(), only, "nobody is left, be it as a zombie");
    }
    drop(Guest::bring(&actor, &["sleep", "1000"]));
    actor.container.kill_all().unwrap();
    actor.end();
    actor.container.delete().unwrap();
}

#[test]
fn a_container_that_is_killed_while_somebody_enters_ends_all_the_same() {
    for _ in 0..20 {
        let mut actor = host();
        let mut guest = Guest::bring(&actor, &["sleep", "1000"]);
        actor.container.kill_all().unwrap();
        let last = loop {
            match guest.progress() {
                ExecProgress::Joined => {}
                last => break last,
            }
        };
        assert!(matches!(last, ExecProgress::Failed(_) | ExecProgress::Ended | ExecProgress::Executed));
        drop(guest);
        actor.end();
        actor.container.delete().unwrap();
    }
}
