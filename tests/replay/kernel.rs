//! The kernel leads the same lives as the simulator, and finds out who lies.

use assert_cmd::Command;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::program::{program, shipped};
use crate::theatre::{Actor, QUIET, Theatre, is_forbidden};

const BAD: i32 = 1;

/// A user namespace in which no namespace can be made.
const WITHIN_WALLS: [&str; 6] = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    "for limit in /proc/sys/user/max_*_namespaces; do echo 0 > $limit || exit; done; exec \"$0\" \"$@\"",
];

#[test]
fn both_worlds_live_the_shipped_scenarios() {
    if is_forbidden("the shipped scenarios on the kernel") {
        return;
    }
    let everyday = Theatre::new();
    for name in ["first-life", "created-uses-no-cpu", "paused", "ten-seconds"] {
        let undisturbed = Theatre::undisturbed();
        let theatre = undisturbed.as_ref().unwrap_or(&everyday);
        let lived = lines(&mut theatre.replay(&[&shipped(name)]));
        let foretold = lines(simulator().arg(shipped(name)));
        let mut complaints: Vec<&str> = lived.iter().flat_map(complaints).collect();
        if undisturbed.is_none() {
            println!("skipped: how much CPU time {name} gets, that is for root to arrange (chrt)");
            complaints.retain(|complaint| !complaint.contains(" busy ") && !complaint.contains("CPU"));
        }
        assert_eq!(complaints, Vec::<&str>::new(), "{name}");
        assert_eq!(lived.last().unwrap()["left_behind"], json!([]), "{name}");
        // The replay has compared the two itself. Here they are compared by somebody else.
        assert_eq!(story(&lived), story(&foretold), "{name}");
    }
}

#[test]
fn a_container_dies_with_its_keeper_and_its_policy_decides() {
    if is_forbidden("killed keepers on the kernel") {
        return;
    }
    let theatre = Theatre::new();
    let story = theatre.story(
        "title: T
containers: { plain: , frozen: , always: { restart: always }, parked: }
steps:
  - run: [plain, frozen, always]
  - create: parked
  - pause: frozen
  - crash: { keeper: plain }
    expect: { plain: { state: stopped, exit: 137 }, always: { state: running }, events: [plain die 137] }
  - crash: { keeper: frozen }
    expect: { frozen: { state: stopped, exit: 137 }, events: [frozen die 137] }
  - crash: { keeper: parked }
    expect: { parked: { state: created, processes: 0 } }
  - start: parked
  - crash: { keeper: always }
  - wait: { for: { container: always, state: running } }
    expect: { always: { restarts: 1 } }
  - remove: { container: [plain, frozen, always, parked], force: true }
",
    );
    let lived = lines(&mut theatre.replay(&[&story]));
    let mut complaints: Vec<&str> = lived.iter().flat_map(complaints).collect();
    // How long a machine takes that has other things to do is not what this is about.
    complaints.retain(|complaint| !complaint.contains("took"));
    assert_eq!(complaints, Vec::<&str>::new());
    assert_eq!(lived.last().unwrap()["left_behind"], json!([]));
}

#[test]
fn ten_seconds_are_ten_seconds_and_137() {
    if is_forbidden("ten seconds on the kernel") {
        return;
    }
    let theatre = Theatre::new();
    let story = theatre.story("title: T\ncontainers: { a: }\nsteps:\n  - run: a\n  - stop: a\n");
    let lines = lines(&mut theatre.replay(&[&story]));
    let stop = lines.iter().find(|line| line["action"] == "stop").unwrap();
    assert_eq!(stop["ledger"]["a"]["after"]["exit"], 137);
    let at = |nth: usize| stop["events"][nth]["at"].as_f64().unwrap();
    // From the first signal to the second, as the machine has time for it.
    assert!((10.0..10.5).contains(&(at(1) - at(0))), "{stop}");
    assert!((10.0..12.0).contains(&stop["took"].as_f64().unwrap()), "{stop}");
}

#[test]
fn a_declared_behaviour_that_is_a_lie_diverges() {
    if is_forbidden("a lie found out by the kernel") {
        return;
    }
    let output = Theatre::new().replay(&[&shipped("lie")]).output().unwrap();
    assert_eq!(output.status.code(), Some(BAD), "{output:?}");
    let summary = parse(&output.stdout).pop().unwrap();
    assert_eq!((&summary["diverged"], &summary["unmet"]), (&json!(1), &json!(0)), "{summary}");
}

/// What an `async` step has begun may be over on the kernel before the step has been looked at.
#[test]
fn what_ends_while_it_is_looked_at_has_ended_as_predicted() {
    if is_forbidden("an end while it is looked at") {
        return;
    }
    let theatre = Theatre::new();
    let story = theatre.story(
        "title: T
containers: { a: { init: true } }
steps:
  - run: a
  - async: { stop: a }
  - join: a
  - start: a
  - async: { stop: a }
  - join: a
",
    );
    let lines = lines(&mut theatre.replay(&[&story]));
    assert_eq!(lines.last().unwrap()["diverged"], 0, "{lines:#?}");
}

#[test]
fn a_reboot_of_the_host_is_staged_as_predicted() {
    if is_forbidden("a staged reboot") {
        return;
    }
    let theatre = Theatre::new();
    let story = theatre.story(
        "title: T
containers: { mortal: , always: { restart: always }, paused: { restart: always }, made: , once: { auto_remove: true } }
steps:
  - run: [mortal, always, paused, once]
  - create: made
  - pause: paused
  - reboot: host
    expect:
      mortal: { state: stopped, exit: 255 }
      always: { state: running }
      paused: { state: running }
      made: { state: created }
      once: { state: absent }
  - start: [made, mortal]
",
    );
    let lines = lines(&mut theatre.replay(&[&story]));
    let complaints: Vec<&str> = lines.iter().flat_map(complaints).collect();
    assert_eq!(complaints, Vec::<&str>::new());
    assert_eq!(lines.last().unwrap()["left_behind"], json!([]));
}

#[test]
fn the_lab_program_is_pid_1_and_without_handlers() {
    if is_forbidden("PID 1 of a replayed container") {
        return;
    }
    let theatre = Theatre::new();
    let story = theatre.story("title: T\ncontainers: { a: }\nsteps:\n  - run: a\n  - wait: 1h\n");
    let mut replay = theatre.begin(&story);
    replay.until_step(1);
    let [lab] = replay.cast()[..] else { panic!("{:?}", replay.cast()) };
    assert_eq!(lab.status("NSpid").split('\t').next_back(), Some("1"));
    for mask in ["SigCgt", "SigIgn", "SigBlk", "SigPnd", "ShdPnd"] {
        assert_eq!(lab.status(mask), "0000000000000000", "{mask}");
    }
    replay.signal(Signal::SIGTERM);
    replay.end();
}

#[test]
fn two_replays_at_the_same_time_do_not_disturb_each_other() {
    if is_forbidden("two replays at the same time") {
        return;
    }
    let theatre = Theatre::new();
    let long = theatre
        .story("title: T\ncontainers: { a: , b: }\nsteps:\n  - run: [a, b]\n  - pause: b\n  - wait: 1h\n");
    let mut first = theatre.begin(&long);
    first.until_step(2);
    let cast = first.cast();
    // The same names, the same directory, from its first to its last step.
    let whole = theatre.story(QUIET);
    theatre.replay(&[&whole]).assert().success();
    let mut second = theatre.begin(&long);
    second.until_step(2);
    assert!(cast.iter().all(Actor::lives));
    assert_eq!(first.cast(), cast);
    second.perish();
    theatre.replay(&[&whole]).assert().success();
    assert!(cast.iter().all(Actor::lives), "clearing after one replay has ended another's containers");
    first.signal(Signal::SIGINT);
    first.end();
    assert_eq!(theatre.remains(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn auto_takes_the_kernel_where_it_can() {
    if is_forbidden("the choice of the kernel") {
        return;
    }
    let output = Theatre::new().replay_with("auto", &[&shipped("lie")]).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(parse(&output.stdout)[0]["engine"], "linux");
}

#[test]
fn where_namespaces_are_forbidden_auto_takes_the_simulator_and_one_line_says_why() {
    let theatre = Theatre::inside(&WITHIN_WALLS);
    if !Command::new("unshare").args(["--user", "--map-root-user", "true"]).output().unwrap().status.success()
    {
        println!(
            "skipped: a host without namespaces, this one does not let its rules be changed in a user namespace"
        );
        return;
    }
    let output = theatre.replay(&[&shipped("lie")]).output().unwrap();
    assert_eq!(output.status.code(), Some(BAD), "{output:?}");
    assert!(output.stdout.is_empty());
    let told = String::from_utf8(output.stderr).unwrap();
    let why = told.strip_prefix("terrarium: cannot replay on this kernel: ");
    let why = why.and_then(|why| why.strip_suffix("; the simulator can: --engine sim\n"));
    let why = why.unwrap_or_else(|| panic!("{told}"));
    assert!(why.starts_with("this host does not let containers be made: "), "{why}");
    assert!(why.contains("/proc/sys/user"), "the next step is missing: {why}");

    let output = theatre.replay_with("auto", &[&shipped("lie")]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(parse(&output.stdout)[0]["engine"], "sim");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told, format!("terrarium: replaying in the simulator: {why}\n"));
    assert_eq!(told.lines().count(), 1, "{told}");
}

fn simulator() -> Command {
    let mut command = Command::new(program());
    command.args(["replay", "--engine", "sim", "--format", "json"]);
    command
}

fn lines(command: &mut Command) -> Vec<Value> {
    parse(&command.output().unwrap().stdout)
}

fn parse(output: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(output);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What was unmet in a step, or otherwise than predicted.
fn complaints(line: &Value) -> impl Iterator<Item = &str> {
    let lists = ["unmet", "diverged"].into_iter().filter_map(|list| line[list].as_array());
    lists.flatten().filter_map(Value::as_str)
}

/// What happened, without when and at what cost.
fn story(lines: &[Value]) -> Vec<Value> {
    let steps = lines.iter().filter(|line| line["type"] == "step");
    let part = |list: &Value, keys: &[&str]| -> Vec<Value> {
        let all = list.as_array().unwrap().iter();
        all.map(|entry| keys.iter().map(|key| entry[key].clone()).collect()).collect()
    };
    let told = steps.map(|step| {
        json!({
            "index": step["index"], "action": step["action"], "container": step["container"],
            "outcome": step["outcome"], "message": step["message"],
            "transitions": part(&step["transitions"], &["container", "from", "to", "rule"]),
            "events": part(&step["events"], &["container", "action", "detail"]),
        })
    });
    told.collect()
}
