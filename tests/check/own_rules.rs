//! A scenario's own rules: checked while it is replayed, and in every order of its commands.

use std::fs;

use assert_cmd::Command;
use terrarium::check::orders::orders;
use terrarium::scenario::parse;

fn replay(yaml: &str) -> (i32, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("story.yaml");
    fs::write(&path, yaml).unwrap();
    let output = Command::cargo_bin("terrarium")
        .unwrap()
        .args(["replay", "--engine", "sim"])
        .arg(&path)
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn what_is_never_to_be_is_seen_when_it_is() {
    let story = "title: T\ncontainers: { web: { behavior: { cpu: 100% } } }\nnever: [RULE]\nsteps:\n  - run: web\n  - wait: 1s\n  - pause: web\n  - wait: 1s\n";
    let (status, told) = replay(&story.replace("RULE", "{ web: { state: paused, cpu: busy } }"));
    assert_eq!(status, 0, "{told}");
    let (status, told) = replay(&story.replace("RULE", "{ web: { state: running, cpu: busy } }"));
    assert_eq!(status, 1, "{told}");
    assert!(told.contains("this was never to be"), "{told}");
}

#[test]
fn what_is_to_be_eventually_is_missed_when_it_never_is() {
    let story = "title: T\ncontainers: { web: }\neventually: [{ web: { state: STATE } }]\nsteps:\n  - run: web\n  - stop: { container: web, timeout: 1s }\n";
    let (status, told) = replay(&story.replace("STATE", "stopped"));
    assert_eq!(status, 0, "{told}");
    let (status, told) = replay(&story.replace("STATE", "paused"));
    assert_eq!(status, 1, "{told}");
    assert!(told.contains("never was"), "{told}");
}

#[test]
fn an_order_in_which_a_rule_is_broken_is_found() {
    let yaml = "title: T\ncontainers: { db: , web: }\nnever: [{ web: { state: running }, db: { state: stopped } }]\nsteps:\n  - run: db\n  - run: web\n  - stop: { container: web, timeout: 1s }\n  - stop: { container: db, timeout: 1s }\n";
    let scenario = parse("story", yaml).unwrap();
    let found = orders(&scenario, None);
    let (broken, seen) = found.broken.expect("db may be stopped first");
    assert!(seen.contains("this was never to be"), "{seen}");
    assert!(broken.steps.len() <= 4);

    let (status, told) = replay(yaml);
    assert_eq!(status, 0, "its own order keeps the rule: {told}");
}

#[test]
fn a_rule_that_holds_in_every_order_is_not_broken() {
    let yaml = "title: T\ncontainers: { a: , b: }\nnever: [{ a: { state: paused } }]\nsteps:\n  - run: a\n  - run: b\n  - stop: { container: a, timeout: 1s }\n";
    let found = orders(&parse("story", yaml).unwrap(), None);
    assert!(found.broken.is_none(), "{:?}", found.broken);
    assert!(found.all && found.tried > 2, "{found:?}");
}

#[test]
fn an_order_in_which_one_does_not_wait_for_an_answer_is_found() {
    let yaml = "title: T\ncontainers: { db: , web: }\nnever: [{ web: { state: stopping }, db: { state: paused } }]\nsteps:\n  - run: db\n  - run: web\n  - stop: { container: web, timeout: 1s }\n  - pause: db\n";
    let found = orders(&parse("story", yaml).unwrap(), None);
    let (broken, _) = found.broken.expect("db may be paused while web is stopping");
    assert!(broken.to_yaml().contains("async"), "{}", broken.to_yaml());
}

#[test]
fn every_order_is_tried_once() {
    for (steps, count) in [
        // What takes no time mixes as it likes, but keeps its order in each container.
        ("[{ create: a }, { start: a }, { create: b }, { start: b }]", 6),
        ("[{ create: a }, { start: a }, { create: b }, { create: c }]", 12),
        // Time passes in one row, and nobody asks for anything else before it has passed.
        ("[{ wait: 1s }, { wait: 2s }]", 1),
        ("[{ wait: 1s }, { create: a }, { wait: 2s }]", 3),
        // A step for two ties their rows together.
        ("[{ create: a }, { create: b }, { start: [a, b] }]", 1),
        // One may go on before a stop is answered, or wait for that.
        ("[{ run: a }, { stop: a }]", 2),
        ("[{ run: a }, { stop: a }, { wait: 1s }]", 6),
    ] {
        let yaml = format!("title: T\ncontainers: {{ a: , b: , c: }}\nsteps: {steps}\n");
        let found = orders(&parse("story", &yaml).unwrap_or_else(|error| panic!("{error}")), None);
        assert_eq!((found.tried, found.all), (count, true), "{steps}");
    }
}
