//! A host that goes down and comes up again: nobody sees the processes die, and the policies decide who lives again.

use crate::story::holds;

/// How a container of each policy is after a reboot that found it like this.
fn after_a_reboot(behavior: &str, steps: &str, states: [(&str, &str, i32); 4]) {
    for (policy, state, exit) in states {
        let exit = if state == "running" { String::new() } else { format!(", exit: {exit}") };
        let events = if state == "running" { "web start" } else { "" };
        holds(&format!(
            "
containers: {{ web: {{ restart: {policy}, behavior: {behavior} }} }}
steps:
  - run: web
{steps}
  - reboot: host
    expect: {{ web: {{ state: {state}, restarts: 0{exit} }}, events: [{events}] }}
"
        ));
    }
}

#[test]
fn what_ran_or_was_paused_has_ended_with_255_or_runs_again() {
    let states = [
        ("no", "stopped", 255),
        ("on-failure:3", "running", 0),
        ("always", "running", 0),
        ("unless-stopped", "running", 0),
    ];
    after_a_reboot("{}", "", states);
    after_a_reboot("{}", "  - pause: web", states);
    after_a_reboot("{}", "  - stop: { container: web, timeout: 0s }\n  - start: web", states);
}

#[test]
fn after_any_kill_by_hand_unless_stopped_lets_it_lie() {
    let states = [
        ("no", "stopped", 255),
        ("on-failure", "running", 0),
        ("always", "running", 0),
        ("unless-stopped", "stopped", 255),
    ];
    after_a_reboot("{ signals: { HUP: ignore } }", "  - kill: { container: web, signal: HUP }", states);
}

#[test]
fn what_was_stopped_by_hand_lives_again_under_always_and_if_its_code_is_not_0_under_on_failure() {
    let states = |exit, on_failure| {
        [
            ("no", "stopped", exit),
            ("on-failure", on_failure, exit),
            ("always", "running", 0),
            ("unless-stopped", "stopped", exit),
        ]
    };
    after_a_reboot("{}", "  - stop: web", states(137, "running"));
    after_a_reboot("{ signals: { TERM: { exit: 0 } } }", "  - stop: web", states(0, "stopped"));
}

#[test]
fn the_count_begins_anew_after_a_reboot() {
    holds(
        "
containers: { web: { restart: always } }
steps:
  - run: web
  - crash: web
    expect: { web: { state: running, restarts: 1 } }
  - reboot: host
    expect: { web: { state: running, restarts: 0 }, events: [web start] }
",
    );
}

#[test]
fn a_container_in_back_off_reads_0_after_a_reboot_so_on_failure_lets_it_lie() {
    for (policy, claims) in [
        ("on-failure", "state: stopped, exit: 0, restarts: 1"),
        ("always", "restarts: 1"),
        ("unless-stopped", "restarts: 1"),
    ] {
        let told = holds(&format!(
            "
containers: {{ web: {{ restart: {policy}, behavior: {{ exits: {{ code: 3 }} }} }} }}
steps:
  - run: web
    expect: {{ web: {{ state: restarting, exit: 3 }} }}
  - reboot: host
    expect: {{ web: {{ {claims} }} }}
"
        ));
        assert_eq!(told.times_of("start").len(), if policy == "on-failure" { 1 } else { 2 }, "{policy}");
    }
}

#[test]
fn exhausted_retries_stay_exhausted() {
    holds(
        "
containers: { web: { restart: on-failure:3, behavior: { exits: { code: 3 } } } }
steps:
  - run: web
  - wait: 1m
  - reboot: host
    expect: { web: { state: stopped, exit: 3, restarts: 3 }, events: [] }
",
    );
}

#[test]
fn what_was_never_started_is_not_started_by_a_reboot() {
    holds(
        "
containers: { web: { restart: always } }
steps:
  - create: web
  - reboot: host
    expect: { web: { state: created }, events: [] }
  - start: web
    expect: { web: { state: running } }
",
    );
}

#[test]
fn a_container_with_auto_remove_is_gone_after_a_reboot() {
    holds(
        "
containers: { web: { auto_remove: true } }
steps:
  - run: web
  - reboot: host
    expect: { web: { state: absent }, events: [web destroy] }
",
    );
}

#[test]
fn a_reboot_frees_every_port_and_ends_every_wait() {
    holds(
        "
containers: { web: { publish: ['18089:80'] }, other: { publish: ['18089:80'] } }
steps:
  - run: web
  - async: { stop: web }
  - reboot: host
    expect: { web: { state: stopped, ports: [] }, events: [] }
  - join: web
    refused: the host went down
  - run: other
    expect: { other: { state: running, ports: [18089] } }
",
    );
}

#[test]
fn a_reboot_in_back_off_begins_the_back_off_anew() {
    let told = holds(
        "
containers: { web: { restart: always, behavior: { exits: {} } } }
steps:
  - run: web
  - wait: 2s
    expect: { web: { state: restarting } }
  - reboot: host
  - wait: 250ms
",
    );
    let after: Vec<f64> = told.times_of("start").into_iter().filter(|at| *at >= 2.0).collect();
    assert_eq!(after, [2.0, 2.1]);
}
