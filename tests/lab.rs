//! The lab program, run as a container runs it: what it does, and how it looks to the kernel.
#![cfg(all(target_os = "linux", feature = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    collections::BTreeMap,
    fs,
    io::{PipeReader, Read, Write, pipe},
    net::{TcpListener, TcpStream},
    os::{
        fd::AsFd,
        unix::fs::symlink,
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CloneFlags, unshare},
    sys::signal::{Signal as Kill, kill},
    time::{clock_getcpuclockid, clock_gettime},
    unistd::{Pid, geteuid, getpgid},
};
use terrarium::{
    lab::image,
    model::{Behavior, Children, Exit, Memory, Reaction, Signal},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_terrarium");
/// Longer than anything here takes on the busiest machine.
const DEADLINE: Duration = Duration::from_secs(30);
const MIB: u64 = 1 << 20;

const INT: i32 = 2;
const USR1: i32 = 10;
const TERM: i32 = 15;
const CHLD: i32 = 17;

// -- signals

#[test]
fn by_default_no_signal_is_caught_ignored_or_blocked() {
    let lab = Lab::acting(&Behavior::default());
    for mask in ["SigCgt", "SigIgn", "SigBlk"] {
        assert_eq!(lab.mask(mask), 0, "{mask}");
    }
}

#[test]
fn what_the_parent_ignored_is_not_inherited() {
    let names = tempfile::tempdir().unwrap();
    let lab = Lab::start(&mut from_shell(names.path(), "trap '' HUP INT; exec \"$0\""));
    assert_eq!(lab.mask("SigIgn"), 0);
}

#[test]
fn an_ordinary_process_dies_of_sigterm() {
    let lab = Lab::acting(&Behavior::default());
    lab.kill(Kill::SIGTERM);
    assert_eq!(lab.end().signal(), Some(TERM));
}

#[test]
fn as_pid_1_it_never_sees_sigterm() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root makes a pid namespace without a user namespace");
        return;
    }
    // Only the children of this thread get the new namespace.
    let in_namespace = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWPID).unwrap();
        Lab::acting(&Behavior::default())
    });
    let lab = in_namespace.join().unwrap();
    assert_eq!(lab.status("NSpid").split_whitespace().last(), Some("1"));
    lab.kill(Kill::SIGTERM);
    assert_eq!(lab.mask("ShdPnd"), 0, "dropped when it is sent, not kept for later");
    until("it sleeps on", || lab.status("State").starts_with('S'));
}

#[test]
fn only_what_the_behaviour_names_is_ignored_or_caught() {
    let signals = [(INT, Reaction::Ignore), (TERM, Reaction::Handle), (USR1, exit_after(Duration::ZERO, 7))];
    let lab = Lab::acting(&reacting(signals));
    assert_eq!(lab.mask("SigIgn"), bit(INT));
    assert_eq!(lab.mask("SigCgt"), bit(TERM) | bit(USR1));
    assert_eq!(lab.mask("SigBlk"), 0);

    for signal in [Kill::SIGINT, Kill::SIGTERM, Kill::SIGUSR1] {
        lab.kill(signal);
    }
    assert_eq!(lab.end().code(), Some(7));
}

#[test]
fn an_ending_signal_ends_it_after_its_time_and_the_first_counts() {
    let time = Duration::from_millis(300);
    let lab = Lab::acting(&reacting([(INT, exit_after(time, 3)), (TERM, exit_after(Duration::ZERO, 4))]));
    let sent = Instant::now();
    lab.kill(Kill::SIGINT);
    lab.kill(Kill::SIGTERM);
    assert_eq!(lab.end().code(), Some(3));
    assert!(sent.elapsed() >= time);
}

#[test]
fn a_signal_that_no_process_can_catch_is_refused_by_name() {
    let output = run(&mut acting(&reacting([(9, Reaction::Ignore)])));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("lab: cannot catch or ignore SIGKILL"), "{output:?}");
}

// -- time

#[test]
fn it_ends_when_and_how_the_behaviour_says() {
    let time = Duration::from_millis(200);
    let started = Instant::now();
    let lab = Lab::acting(&ending(time, 42));
    assert_eq!(lab.end().code(), Some(42));
    assert!(started.elapsed() >= time);
}

#[test]
fn what_falls_due_while_stopped_happens_as_soon_as_it_goes_on() {
    let time = Duration::from_secs(2);
    let lab = Lab::acting(&ending(time, 5));
    lab.kill(Kill::SIGSTOP);
    until("it is stopped", || lab.status("State").starts_with('T'));
    thread::sleep(time);
    let going_on = Instant::now();
    lab.kill(Kill::SIGCONT);
    assert_eq!(lab.end().code(), Some(5));
    assert!(going_on.elapsed() < time / 2, "{:?}", going_on.elapsed());
}

#[test]
fn each_run_has_its_own_behaviour_and_the_last_repeats() {
    let behavior = Behavior {
        runs: vec![ending(Duration::ZERO, 1), ending(Duration::ZERO, 2)],
        ..ending(Duration::ZERO, 9)
    };
    for (nth, code) in [("0", 1), ("1", 2), ("5", 2)] {
        assert_eq!(run(acting(&behavior).env("TERRARIUM_RUN", nth)).status.code(), Some(code), "run {nth}");
    }
}

// -- cpu and memory

#[test]
fn at_rest_nothing_wakes_it_up() {
    let lab = Lab::acting(&reacting([(TERM, Reaction::Handle)]));
    until("it sleeps", || lab.status("State").starts_with('S'));
    let before = lab.status("voluntary_ctxt_switches");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(lab.status("voluntary_ctxt_switches"), before);
}

#[test]
fn it_burns_its_share_of_one_cpu() {
    for (percent, bounds) in [(10, 5.0..15.0), (30, 20.0..40.0)] {
        let lab = Lab::acting(&Behavior { cpu: percent, ..Behavior::default() });
        // On a busy machine it gets less: wait for half a second in which there was room.
        until("it burns its share", || {
            bounds.contains(&lab.cpu_percent_over(Duration::from_millis(500), || ()))
        });
    }
}

#[test]
fn it_does_not_make_up_for_cpu_time_missed_while_stopped() {
    let lab = Lab::acting(&Behavior { cpu: 20, ..Behavior::default() });
    lab.kill(Kill::SIGSTOP);
    until("it is stopped", || lab.status("State").starts_with('T'));
    thread::sleep(Duration::from_secs(2));
    let share = lab.cpu_percent_over(Duration::from_millis(300), || lab.kill(Kill::SIGCONT));
    assert!((1.0..40.0).contains(&share), "{share:.1} %");
}

#[test]
fn memory_is_touched_and_it_needs_little_of_its_own() {
    let idle = Lab::acting(&Behavior::default()).anonymous_memory();
    // More than a MiB of it are addresses that are filled in at the start of a program that was not optimised.
    assert!(idle < 2 * MIB, "{idle} bytes idle");
    let memory = Some(Memory { size: 20 * MIB, after: Duration::ZERO });
    let holding = Lab::acting(&Behavior { memory, ..Behavior::default() }).anonymous_memory();
    // The kernel counts pages for each CPU and adds them up only now and then.
    assert!((19 * MIB..21 * MIB).contains(&(holding - idle)), "{holding} bytes, {idle} idle");
}

#[test]
fn memory_is_taken_when_its_time_has_come() {
    let memory = Some(Memory { size: 8 * MIB, after: Duration::from_millis(500) });
    let lab = Lab::acting(&Behavior { memory, ..Behavior::default() });
    assert!(lab.anonymous_memory() < 4 * MIB);
    until("it holds its memory", || lab.anonymous_memory() >= 7 * MIB);
}

#[test]
fn more_memory_than_there_is_is_an_error_that_names_it() {
    let memory = Some(Memory { size: u64::MAX, after: Duration::ZERO });
    let output = run(&mut acting(&Behavior { memory, ..Behavior::default() }));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("lab: cannot hold 18446744073709551615 bytes"), "{output:?}");
}

// -- children

#[test]
fn children_are_processes_without_handlers_that_hold_their_own_memory() {
    let lab = Lab::acting(&Behavior {
        signals: BTreeMap::from([(signal(TERM), Reaction::Handle), (signal(INT), Reaction::Ignore)]),
        ..bearing(Children { count: 3, memory: Some(8 * MIB), exits: None, reap: false })
    });
    let children = lab.children();
    assert_eq!(children.len(), 3);
    for child in children {
        until("the child holds its memory", || anonymous_memory(child) >= 7 * MIB);
        for mask in ["SigCgt", "SigIgn", "SigBlk"] {
            assert_eq!(mask_of(child, mask), 0, "{mask}");
        }
        assert_eq!(fs::read_dir(format!("/proc/{child}/fd")).unwrap().count(), 3);
    }
    assert_eq!(lab.mask("SigCgt"), bit(TERM));
}

#[test]
fn children_that_end_stay_zombies_unless_they_are_reaped() {
    let end = Some(Exit { after: Duration::ZERO, code: 0 });
    let careless = Lab::acting(&bearing(Children { count: 2, memory: None, exits: end, reap: false }));
    until("both are zombies", || {
        let children = careless.children();
        children.len() == 2 && children.iter().all(|child| status_of(*child, "State").starts_with('Z'))
    });
    assert_eq!(careless.mask("SigCgt"), 0);

    let careful = Lab::acting(&bearing(Children { count: 2, memory: None, exits: end, reap: true }));
    until("both are gone", || careful.children().is_empty());
    assert_eq!(careful.mask("SigCgt"), bit(CHLD));
}

#[test]
fn children_die_with_their_parent() {
    let lab = Lab::acting(&bearing(Children { count: 2, memory: None, exits: None, reap: false }));
    let children = lab.children();
    until("the children have closed what is not theirs", || {
        children.iter().all(|child| fs::read_dir(format!("/proc/{child}/fd")).unwrap().count() == 3)
    });
    lab.kill(Kill::SIGKILL);
    lab.end();
    for child in children {
        until("the child is gone", || ["", "Z (zombie)"].contains(&status_of(child, "State").as_str()));
    }
}

// -- a first process for it

#[test]
fn under_init_a_signal_without_a_handler_ends_it_as_shells_count() {
    for (signal, code) in
        [(Kill::SIGTERM, 143), (Kill::SIGQUIT, 131), (Kill::SIGINT, 130), (Kill::SIGHUP, 129)]
    {
        let names = tempfile::tempdir().unwrap();
        let lab = Lab::start(&mut under_init(names.path(), &Behavior::default()));
        lab.kill(signal);
        assert_eq!(lab.end().code(), Some(code), "{signal}");
    }
}

#[test]
fn init_forwards_also_a_signal_that_has_no_name() {
    let names = tempfile::tempdir().unwrap();
    let lab = Lab::start(&mut under_init(names.path(), &Behavior::default()));
    assert!(Command::new("kill").args(["-40", &lab.pid().to_string()]).status().unwrap().success());
    assert_eq!(lab.end().code(), Some(128 + 40));
}

#[test]
fn under_init_handlers_and_exit_codes_are_the_programs_own() {
    let names = tempfile::tempdir().unwrap();
    let behavior = reacting([(TERM, exit_after(Duration::ZERO, 7)), (INT, Reaction::Ignore)]);
    let lab = Lab::start(&mut under_init(names.path(), &behavior));
    lab.kill(Kill::SIGINT);
    lab.kill(Kill::SIGTERM);
    assert_eq!(lab.end().code(), Some(7));
    let behavior = ending(Duration::ZERO, 42);
    let names = tempfile::tempdir().unwrap();
    assert_eq!(Lab::start(&mut under_init(names.path(), &behavior)).end().code(), Some(42));
}

#[test]
fn as_pid_1_init_forwards_no_fault_and_reaps_every_orphan() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root makes a pid namespace without a user namespace");
        return;
    }
    let names = tempfile::tempdir().unwrap();
    let path = names.path().to_path_buf();
    let in_namespace = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWPID).unwrap();
        let script = "exec \"$0\" init sh -c '(sleep 1000 </dev/null &) && exec \"$0\"' \"$0\"";
        Lab::start(&mut from_shell(&path, script))
    });
    let init = in_namespace.join().unwrap();
    assert_eq!(init.status("NSpid").split_whitespace().last(), Some("1"));
    for fault in [Kill::SIGABRT, Kill::SIGSEGV, Kill::SIGTRAP] {
        init.kill(fault);
    }
    let children = init.children();
    let orphan = *children.iter().find(|child| status_of(**child, "Name") != "lab").unwrap();
    assert_eq!(children.len(), 2);
    kill(Pid::from_raw(orphan.try_into().unwrap()), Kill::SIGKILL).unwrap();
    until("the orphan is gone", || init.children().len() == 1);
    init.kill(Kill::SIGTERM);
    assert_eq!(init.end().code(), Some(143));
}

#[test]
fn under_init_it_is_in_a_group_of_its_own_with_nothing_blocked_or_ignored() {
    let names = tempfile::tempdir().unwrap();
    let init = Lab::start(&mut under_init(names.path(), &Behavior::default()));
    let children = init.children();
    let [child] = children[..] else { panic!("{children:?}") };
    let pid = Pid::from_raw(child.try_into().unwrap());
    assert_eq!(getpgid(Some(pid)), Ok(pid));
    for mask in ["SigCgt", "SigIgn", "SigBlk"] {
        assert_eq!(mask_of(child, mask), 0, "{mask}");
    }
}

#[test]
fn init_keeps_nothing_that_was_meant_for_the_program() {
    let names = tempfile::tempdir().unwrap();
    let script = "TERRARIUM_READY_FD=9 exec \"$0\" init \"$0\" 9>&0 </dev/null";
    let mut lab = Lab::start(&mut from_shell(names.path(), script));
    await_readable(&lab.ready);
    assert_eq!(lab.ready.read(&mut [0]).unwrap(), 0, "the end of the pipe, though both live");
    assert_eq!(fs::read_dir(format!("/proc/{}/fd", lab.pid())).unwrap().count(), 3);
    assert_eq!(lab.children().len(), 1);
}

#[test]
fn what_init_cannot_start_has_the_code_that_a_shell_gives_it() {
    for (words, code, said) in [
        (&["init", "nosuch"][..], 127, "lab: cannot execute nosuch: "),
        (&["init", "/etc"], 126, "lab: cannot execute /etc: "),
        (&["init"], 2, "lab: init takes the command that it shall start"),
    ] {
        let output = run(Command::new(PROGRAM).arg0("/bin/lab").args(words));
        assert_eq!(output.status.code(), Some(code), "{words:?}");
        assert!(text(&output.stderr).starts_with(said), "{output:?}");
    }
}

// -- the starter

#[test]
fn it_is_ready_once_and_keeps_the_pipe_from_its_children() {
    let names = tempfile::tempdir().unwrap();
    let mut command = from_shell(names.path(), "TERRARIUM_READY_FD=9 exec \"$0\" 9>&0 </dev/null");
    let behavior = bearing(Children { count: 2, memory: None, exits: None, reap: false });
    let mut lab = Lab::start(command.env("TERRARIUM_BEHAVIOR", json(&behavior)));
    await_readable(&lab.ready);
    assert_eq!(lab.ready.read(&mut [0]).unwrap(), 0, "the end of the pipe, though it and its children live");
    assert_eq!(lab.children().len(), 2);
}

#[test]
fn it_is_ready_when_it_listens() {
    let port = free_port();
    let lab = Lab::acting(&serving(port));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    drop(lab);
}

#[test]
fn a_setup_that_fails_ends_the_pipe_without_a_byte() {
    let taken = TcpListener::bind(("0.0.0.0", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let (mut ready, output) = {
        let (ready, told) = pipe().unwrap();
        let mut command = acting(&serving(port));
        (ready, run(command.env("TERRARIUM_READY_FD", "0").stdin(told)))
    };
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with(&format!("lab: cannot listen on port {port}: ")), "{output:?}");
    await_readable(&ready);
    assert_eq!(ready.read(&mut [0]).unwrap(), 0);
}

#[test]
fn output_is_written_before_it_is_ready_and_ends_with_a_newline() {
    for (said, written) in [("hello", "hello\n"), ("one\ntwo\n", "one\ntwo\n"), ("", "\n")] {
        let behavior = Behavior { output: Some(said.into()), ..ending(Duration::ZERO, 0) };
        assert_eq!(text(&run(&mut acting(&behavior)).stdout), written);
    }
}

#[test]
fn a_behaviour_that_cannot_be_read_is_an_error_that_names_the_variable() {
    let output = run(Command::new(PROGRAM).arg0("lab").env("TERRARIUM_BEHAVIOR", "{\"cpus\":1}"));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("TERRARIUM_BEHAVIOR: unknown field `cpus`"), "{output:?}");
}

// -- serving

#[test]
fn a_request_is_told_who_answers_on_which_port() {
    let (one, other) = (free_port(), free_port());
    let behavior = Behavior { listen: vec![one, other], ..Behavior::default() };
    let _lab = Lab::start(acting(&behavior).env("TERRARIUM_NAME", "web"));
    for port in [one, other] {
        let answer = ask(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let body = format!("web:{port}\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{answer}");
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
    }
}

#[test]
fn a_request_with_a_body_gets_its_whole_answer() {
    let port = free_port();
    let _lab = Lab::acting(&serving(port));
    let body = "x".repeat(100_000);
    let answer = ask(port, &format!("POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n{body}"));
    assert!(answer.ends_with(&format!("lab:{port}\n")), "{answer}");
}

#[test]
fn silent_and_slow_clients_keep_nobody_waiting() {
    let port = free_port();
    let _lab = Lab::acting(&Behavior { cpu: 100, ..serving(port) });
    let mut slow: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    for client in &mut slow {
        let _ = client.write_all(b"GET / HT"); // the first of them have been cut off
    }
    for _ in 0..10 {
        assert!(ask(port, "GET / HTTP/1.0\r\n\r\n").ends_with(&format!("lab:{port}\n")));
    }
}

#[test]
fn a_client_that_leaves_without_its_answer_does_no_harm() {
    let port = free_port();
    let lab = Lab::acting(&serving(port));
    for _ in 0..50 {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(b"GET / HTTP/1.0\r\n\r\nmore").unwrap();
    }
    assert!(ask(port, "GET / HTTP/1.0\r\n\r\n").ends_with(&format!("lab:{port}\n")));
    assert!(!lab.status("State").starts_with('Z'));
}

// -- commands

#[test]
fn commands_do_what_their_names_say() {
    for (line, code, said) in [
        ("true", 0, ""),
        ("false", 1, ""),
        ("exit 7", 7, ""),
        ("echo two words", 0, "two words\n"),
        ("sleep 10ms", 0, ""),
        ("/bin/sleep 0.01", 0, ""),
        ("lab exit 3", 3, ""),
        ("lab nosuch", 127, "lab: there is no command `nosuch`\n"),
    ] {
        let mut words = line.split(' ');
        let output = run(Command::new(PROGRAM).arg0(words.next().unwrap()).args(words));
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), said), "{line}");
    }
}

#[test]
fn sleep_sleeps() {
    let began = Instant::now();
    assert!(run(Command::new(PROGRAM).arg0("sleep").arg("0.3")).status.success());
    assert!(began.elapsed() >= Duration::from_millis(300));
}

// -- the image

#[test]
fn the_image_is_enough_to_run_every_command_by_itself() {
    let image = tempfile::tempdir().unwrap();
    image::assemble_from(Path::new(PROGRAM), image.path()).unwrap();
    let root = image.path().to_str().unwrap();
    let mut ways = vec![vec!["--user", "--map-root-user"]];
    if geteuid().is_root() {
        ways.push(vec![]);
    }
    for way in ways {
        let inside = |command: &[&str]| {
            run(Command::new("unshare")
                .args(&way)
                .args(["--mount", "--root", root])
                .args(command)
                .env_clear())
        };
        let output = inside(&["/bin/echo", "hello"]);
        if text(&output.stderr).contains("unshare failed") {
            eprintln!("skipped: {}", text(&output.stderr).trim());
            continue;
        }
        assert_eq!(text(&output.stdout), "hello\n", "{way:?}: {output:?}");
        assert_eq!(inside(&["/bin/exit", "9"]).status.code(), Some(9), "{way:?}");
        assert_eq!(inside(&["/bin/lab", "false"]).status.code(), Some(1), "{way:?}");
    }
}

// -- how the stories above are told

/// A lab process that is ready; it ends with the test.
struct Lab {
    child: Child,
    ready: PipeReader,
}

impl Lab {
    fn acting(behavior: &Behavior) -> Self {
        Self::start(&mut acting(behavior))
    }

    /// The pipe goes in as standard input: any other descriptor would leak into what other tests start meanwhile.
    fn start(command: &mut Command) -> Self {
        let (mut ready, told) = pipe().unwrap();
        let command = command.env("TERRARIUM_READY_FD", "0").stdin(told);
        let child = command.spawn().unwrap();
        command.stdin(Stdio::null()); // drops our copy of the writing end
        await_readable(&ready);
        let mut byte = [0];
        ready.read_exact(&mut byte).unwrap();
        Self { child, ready }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn kill(&self, signal: Kill) {
        kill(Pid::from_raw(self.pid().try_into().unwrap()), signal).unwrap();
    }

    fn end(mut self) -> ExitStatus {
        let mut status = None;
        until("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    fn status(&self, field: &str) -> String {
        status_of(self.pid(), field)
    }

    fn mask(&self, field: &str) -> u64 {
        mask_of(self.pid(), field)
    }

    fn anonymous_memory(&self) -> u64 {
        anonymous_memory(self.pid())
    }

    fn cpu_time(&self) -> Duration {
        let clock = clock_getcpuclockid(Pid::from_raw(self.pid().try_into().unwrap())).unwrap();
        clock_gettime(clock).unwrap().into()
    }

    /// Of one CPU, from just before `begin` on.
    fn cpu_percent_over(&self, time: Duration, begin: impl FnOnce()) -> f64 {
        let (since, used) = (Instant::now(), self.cpu_time());
        begin();
        thread::sleep(time);
        100.0 * self.cpu_time().saturating_sub(used).div_duration_f64(since.elapsed())
    }

    fn children(&self) -> Vec<u32> {
        let is_child = |pid: &u32| status_of(*pid, "PPid") == self.pid().to_string();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_child).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn acting(behavior: &Behavior) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg0("lab").env("TERRARIUM_BEHAVIOR", json(behavior));
    command
}

fn under_init(names: &Path, behavior: &Behavior) -> Command {
    let mut command = from_shell(names, "exec \"$0\" init \"$0\"");
    command.env("TERRARIUM_BEHAVIOR", json(behavior));
    command
}

/// A shell that becomes the lab program by `exec "$0"`.
fn from_shell(names: &Path, script: &str) -> Command {
    let lab = names.join("lab");
    symlink(PROGRAM, &lab).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(lab);
    command
}

fn json(behavior: &Behavior) -> String {
    serde_json::to_string(behavior).unwrap()
}

fn reacting<const N: usize>(signals: [(i32, Reaction); N]) -> Behavior {
    let signals = signals.into_iter().map(|(number, reaction)| (signal(number), reaction)).collect();
    Behavior { signals, ..Behavior::default() }
}

fn ending(after: Duration, code: u8) -> Behavior {
    Behavior { exits: Some(Exit { after, code }), ..Behavior::default() }
}

fn bearing(children: Children) -> Behavior {
    Behavior { children: Some(children), ..Behavior::default() }
}

fn serving(port: u16) -> Behavior {
    Behavior { listen: vec![port], ..Behavior::default() }
}

fn exit_after(after: Duration, code: u8) -> Reaction {
    Reaction::Exit(Exit { after, code })
}

fn signal(number: i32) -> Signal {
    Signal::from_number(number).unwrap()
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ask(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn free_port() -> u16 {
    TcpListener::bind(("0.0.0.0", 0)).unwrap().local_addr().unwrap().port()
}

fn status_of(pid: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap_or_default().trim().into()
}

fn mask_of(pid: u32, field: &str) -> u64 {
    u64::from_str_radix(&status_of(pid, field), 16).unwrap()
}

fn anonymous_memory(pid: u32) -> u64 {
    let kib: u64 = status_of(pid, "RssAnon").strip_suffix(" kB").unwrap().parse().unwrap();
    kib * 1024
}

fn await_readable(pipe: &impl AsFd) {
    let deadline = PollTimeout::try_from(DEADLINE).unwrap();
    assert_eq!(poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], deadline), Ok(1), "nothing in time");
}

/// What the kernel shows only in /proc notifies nobody: look again until it is so.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
