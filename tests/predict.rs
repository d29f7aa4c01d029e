//! `--predict`: answers are read, held against what happened, and counted.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]
#![allow(clippy::print_stdout, reason = "a skipped test says what it skips, and why")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

#[test]
fn every_kind_of_answer_gets_its_verdict() {
    let answers = "paused\nno\nten seconds, exit 0\nkill SIGTERM, die, start\n137\nmagic\n\n";
    insta::assert_snapshot!(steps(&predict(STORY, answers)));
}

#[test]
fn right_answers_are_right_however_they_are_spelled() {
    for answers in [
        "it is frozen\nrefused\n10s and 137\nstop, restart\n128 + 9\n",
        "Paused!\nNo, it can't.\n10 sec., 137\nSIGTERM, SIGKILL, start\nexit code 137\n",
        "paused\n아니요\n10초, 137\nstart\n137\n",
    ] {
        let told = stdout(&predict(STORY, answers));
        assert!(told.contains("5 of 5 predicted"), "{told}");
    }
}

#[test]
fn the_end_of_the_input_ends_the_questions_and_nothing_else() {
    let told = stdout(&predict(STORY, "running\n"));
    assert_eq!(told.matches("no more answers").count(), 1, "{told}");
    assert!(
        told.contains("≠ you said running, it was paused") && told.contains("0 of 1 predicted"),
        "{told}"
    );
    assert!(told.contains("nothing left behind"), "{told}");
    let unasked = stdout(&predict(STORY, ""));
    assert!(unasked.contains("nothing predicted that could be checked"), "{unasked}");
}

#[test]
fn an_answer_that_never_ends_is_many_answers() {
    let told = stdout(&predict(STORY, &"x".repeat(100_000)));
    assert!(told.contains("nothing left behind"), "{told}");
}

#[test]
fn a_program_has_nobody_to_ask() {
    let output = replay(STORY, &["--engine", "sim", "--predict", "--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"terrarium: cannot --predict with --format json: a program has nobody to ask (leave one of the two out)");
}

#[cfg(all(target_os = "linux", feature = "linux"))]
mod on_a_kernel {
    use std::io::Read;
    use std::process::{Child, ChildStdout};
    use std::time::Duration;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    const QUICK: &str = "
title: A quick stop
containers: { web: { behavior: { signals: { SIGTERM: { exit: 0 } } } } }
steps:
  - run: web
  - stop: web
    ask: How long will it take?
    expect: { took: { at_most: 2s } }
";

    #[test]
    fn no_step_takes_as_long_as_its_learner_thinks() {
        let Some(mut learner) = Learner::at_the_first_question(QUICK) else { return };
        // This is the thinking, not a wait for anything.
        std::thread::sleep(Duration::from_millis(2500));
        let (status, told) = learner.answer("at once\n");
        assert_eq!(status, Some(0), "{told}");
        assert!(told.contains("✓ you said at once") && told.contains("1 of 1 predicted"), "{told}");
    }

    #[test]
    fn an_interrupt_is_heard_while_an_answer_is_awaited() {
        let Some(mut learner) = Learner::at_the_first_question(QUICK) else { return };
        kill(Pid::from_raw(learner.child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        let status = learner.child.wait().unwrap();
        let mut told = String::new();
        learner.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(status.code(), Some(130), "{told}");
        assert!(told.contains("interrupted by SIGINT (all containers of this replay are removed)"), "{told}");
    }

    struct Learner {
        child: Child,
        stdout: ChildStdout,
    }

    impl Learner {
        /// None, with a reason, on a host that cannot make containers.
        fn at_the_first_question(yaml: &str) -> Option<Self> {
            let mut command = replay(yaml, &["--engine", "linux", "--predict"]);
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the command was built");
            let mut stdout = child.stdout.take().unwrap();
            let (mut told, mut byte) = (Vec::new(), [0]);
            while !told.ends_with(b"\n      > ") {
                if stdout.read(&mut byte).unwrap() == 0 {
                    let mut reason = String::new();
                    child.stderr.take().unwrap().read_to_string(&mut reason).unwrap();
                    assert!(reason.contains("cannot replay on this kernel"), "{reason}");
                    println!("skipped: {reason}");
                    child.wait().unwrap();
                    return None;
                }
                told.push(byte[0]);
            }
            Some(Self { child, stdout })
        }

        fn answer(&mut self, line: &str) -> (Option<i32>, String) {
            self.child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
            let mut told = String::new();
            self.stdout.read_to_string(&mut told).unwrap();
            (self.child.wait().unwrap().code(), told)
        }
    }
}

const STORY: &str = "
title: Guess
containers: { web: }
steps:
  - run: web
  - pause: web
    ask: What is it now?
    expect: { web: { state: paused } }
  - pause: web
    ask: Can it be paused twice?
    refused: already paused
  - unpause: web
  - stop: web
    ask: How long, and which exit code?
    expect: { took: 10s, web: { state: stopped, exit: 137 } }
  - start: web
  - restart: { container: web, timeout: 1s }
    ask: Which events?
    expect:
      events: [web kill SIGTERM, web kill SIGKILL, web die 137, web stop, web start, web restart]
  - kill: web
    ask: Which exit code?
    expect: { web: { exit: 137 } }
  - start: web
    ask: What makes it run?
  - kill: web
    ask: Will it die?
  - remove: web
    ask: Is anything left?
";

fn predict(yaml: &str, answers: &str) -> Output {
    let mut command = replay(yaml, &["--engine", "sim", "--predict"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command was built");
    let mut stdin = child.stdin.take().unwrap();
    // Who has got enough of it does not read to its end.
    let _ = stdin.write_all(answers.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The file goes with the test's thread, so that a child may still read it.
fn replay(yaml: &str, words: &[&str]) -> Command {
    thread_local!(static DIR: TempDir = tempfile::tempdir().unwrap());
    let dir = DIR.with(|dir| dir.path().to_owned());
    std::fs::write(dir.join("story.yaml"), yaml).unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("terrarium"));
    command.current_dir(dir).args(["replay", "story.yaml"]).args(words);
    command
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The story from its first step, without what the ledger says.
fn steps(output: &Output) -> String {
    let told = stdout(output);
    let (_, steps) = told.split_once("   1  run web").unwrap();
    let is_ledger = |line: &&str| ["gained", "released"].iter().any(|label| line.trim().starts_with(label));
    let lines: Vec<_> = steps.lines().filter(|line| !is_ledger(line)).collect();
    lines.join("\n")
}
