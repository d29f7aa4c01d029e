//! What goes in and what comes out: in pipes, without a reader, with a slow one, without an input.

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use crate::stage::{Stage, eventually, is_forbidden};

#[test]
fn output_and_errors_come_out_where_they_belong() {
    if is_forbidden("streams") {
        return;
    }
    let stage = Stage::new();
    let told = stage.run(&["run", "--rm", "lab", "echo", "to the output"]);
    assert_eq!((told.output.as_str(), told.complaint.as_str()), ("to the output\n", ""));
    stage.good(&["run", "-d", "--name", "web", "lab"]);
    let told = stage.run(&["exec", "-i", "web", "echo", "inside"]);
    assert_eq!(told.output, "inside\n");
    stage.good(&["rm", "-f", "web"]);
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_container() {
    if is_forbidden("a reader that goes away") {
        return;
    }
    let stage = Stage::new();
    let mut run = stage.begin(&["run", "--name", "web", "lab"]);
    eventually("it runs", || stage.run(&["exec", "web", "true"]).status == 0);
    drop(run.stdout.take());
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(stage.good(&["exec", "web", "echo", "still here"]), "still here");
    stage.good(&["rm", "-f", "web"]);
}

#[test]
fn a_closed_input_is_an_empty_one() {
    if is_forbidden("a closed input") {
        return;
    }
    let stage = Stage::new();
    let program = env!("CARGO_BIN_EXE_terrarium");
    let root = stage.root();
    let output = std::process::Command::new("sh")
        .args(["-c", "\"$0\" --root \"$1\" run --rm -i lab echo fine <&- ", program, root.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "fine\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn whoever_attaches_leaves_with_the_exit_code() {
    if is_forbidden("attach") {
        return;
    }
    let stage = Stage::new();
    stage.good(&["run", "-d", "--name", "web", "lab"]);
    let mut attached = stage.command(&["attach", "web"]).stdout(Stdio::piped()).spawn().unwrap();
    // Only who is attached passes on a signal.
    let pid = nix::unistd::Pid::from_raw(attached.id().try_into().unwrap());
    let handles = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status
            .lines()
            .any(|line| line.strip_prefix("SigBlk:\t").is_some_and(|mask| mask != "0000000000000000"))
    };
    eventually("it sits there", handles);
    stage.good(&["kill", "web"]);
    let mut shown = String::new();
    attached.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    assert_eq!((attached.wait().unwrap().code(), shown.as_str()), (Some(137), ""));
    assert!(stage.bad(&["attach", "web"], 1).contains("not running"));
    stage.good(&["rm", "web"]);
}

#[test]
fn a_log_that_cannot_be_written_holds_nobody_up() {
    if is_forbidden("an unwritable log") {
        return;
    }
    let stage = Stage::new();
    let id = stage.good(&["create", "--name", "web", "lab", "echo", "heard"]);
    let log = stage.root().join("data/containers").join(id).join("log");
    std::fs::create_dir(&log).unwrap();
    let told = stage.run(&["start", "-a", "web"]);
    assert_eq!((told.status, told.output.as_str()), (0, "heard\n"));
    stage.good(&["rm", "web"]);
    stage.is_empty_soon(&[]);
}

#[test]
fn a_huge_input_passes_through_a_command_inside() {
    if is_forbidden("a huge input") {
        return;
    }
    let stage = Stage::new();
    stage.good(&["run", "-d", "--name", "web", "lab"]);
    let mut exec = stage.command(&["exec", "-i", "web", "true"]).stdin(Stdio::piped()).spawn().unwrap();
    // The command reads nothing: the writer hears so instead of waiting for ever.
    let _ = exec.stdin.take().unwrap().write_all(&vec![b'x'; 1 << 20]);
    assert_eq!(exec.wait().unwrap().code(), Some(0));
    stage.good(&["rm", "-f", "web"]);
}
