//! Restart policies: which deaths they answer, and what turns them off.

use crate::story::holds;

const POLICIES: [&str; 3] = ["always", "unless-stopped", "on-failure"];

#[test]
fn without_a_policy_it_stays_stopped() {
    holds(
        "
containers: { web: { behavior: { exits: { code: 1 } } } }
steps:
  - run: web
    expect: { web: { state: stopped } }
  - wait: 5m
    expect: { web: { state: stopped, exit: 1, restarts: 0 }, events: [] }
",
    );
}

#[test]
fn on_failure_3_on_false_is_one_create_four_starts_four_dies() {
    let told = holds(
        "
containers: { web: { restart: on-failure:3, behavior: { exits: { code: 1 } } } }
steps:
  - run: web
  - wait: 1m
    expect: { web: { state: stopped, exit: 1, restarts: 3 } }
",
    );
    let counts = ["create", "start", "die", "restart"].map(|action| told.times_of(action).len());
    assert_eq!(counts, [1, 4, 4, 0]);
}

#[test]
fn on_failure_does_not_answer_an_exit_with_0() {
    holds(
        "
containers: { web: { restart: on-failure, behavior: { runs: [{ exits: { code: 1 } }, { exits: {} }] } } }
steps:
  - run: web
  - wait: 1m
    expect: { web: { state: stopped, exit: 0, restarts: 1 } }
",
    );
}

#[test]
fn always_and_unless_stopped_answer_an_exit_with_0() {
    for policy in ["always", "unless-stopped"] {
        holds(&format!(
            "
containers: {{ web: {{ restart: {policy}, behavior: {{ runs: [{{ exits: {{}} }}, {{}}] }} }} }}
steps:
  - run: web
  - wait: 1m
    expect: {{ web: {{ state: running, restarts: 1 }} }}
"
        ));
    }
}

#[test]
fn a_crash_is_restarted_by_every_policy() {
    for policy in POLICIES {
        holds(&format!(
            "
containers: {{ web: {{ restart: {policy} }} }}
steps:
  - run: web
  - crash: web
    expect: {{ web: {{ state: running, restarts: 1 }}, events: [web die 137, web start] }}
"
        ));
    }
}

#[test]
fn a_stop_is_restarted_by_no_policy() {
    for policy in POLICIES {
        for code in [0, 7] {
            holds(&format!(
                "
containers: {{ web: {{ restart: {policy}, behavior: {{ signals: {{ TERM: {{ exit: {code} }} }} }} }} }}
steps:
  - run: web
  - stop: web
  - wait: 5m
    expect: {{ web: {{ state: stopped, exit: {code}, restarts: 0 }}, events: [] }}
"
            ));
        }
    }
}

#[test]
fn a_kill_is_restarted_by_no_policy() {
    for policy in POLICIES {
        for (signal, code) in [("KILL", 137), ("TERM", 7)] {
            holds(&format!(
                "
containers: {{ web: {{ restart: {policy}, behavior: {{ signals: {{ TERM: {{ exit: 7 }} }} }} }} }}
steps:
  - run: web
  - kill: {{ container: web, signal: {signal} }}
    expect: {{ web: {{ state: stopped }} }}
  - wait: 5m
    expect: {{ web: {{ state: stopped, exit: {code}, restarts: 0 }}, events: [] }}
"
            ));
        }
    }
}

#[test]
fn any_kill_turns_the_policy_off_for_that_run() {
    for policy in POLICIES {
        for reaction in ["handle", "ignore"] {
            holds(&format!(
                "
containers: {{ web: {{ restart: {policy}, behavior: {{ signals: {{ USR1: {reaction} }} }} }} }}
steps:
  - run: web
  - kill: {{ container: web, signal: USR1 }}
    expect: {{ web: {{ state: running }} }}
  - crash: web
  - wait: 5m
    expect: {{ web: {{ state: stopped, exit: 137, restarts: 0 }}, events: [] }}
"
            ));
        }
    }
}

#[test]
fn an_api_kill_with_a_configured_stop_signal_leaves_the_policy_on_if_it_is_another_signal() {
    for policy in ["always", "on-failure"] {
        holds(&format!(
            "
containers: {{ web: {{ restart: {policy}, stop_signal: TERM, behavior: {{ signals: {{ TERM: ignore }} }} }} }}
steps:
  - run: web
  - kill: {{ container: web, signal: USR1 }}
  - crash: web
    expect: {{ web: {{ state: running, restarts: 1 }} }}
  - kill: {{ container: web, signal: TERM }}
  - crash: web
  - wait: 5m
    expect: {{ web: {{ state: stopped, exit: 137 }}, events: [] }}
"
        ));
    }
}

#[test]
fn a_start_after_a_stop_turns_the_policy_on_again() {
    for policy in POLICIES {
        holds(&format!(
            "
containers: {{ web: {{ restart: {policy} }} }}
steps:
  - run: web
  - stop: {{ container: web, timeout: 0s }}
  - start: web
  - crash: web
    expect: {{ web: {{ state: running, restarts: 1 }}, events: [web die 137, web start] }}
"
        ));
    }
}

#[test]
fn a_restart_by_hand_is_not_counted() {
    holds(
        "
containers: { web: { restart: always } }
steps:
  - run: web
  - crash: web
    expect: { web: { restarts: 1 } }
  - restart: { container: web, timeout: 0s }
    expect: { web: { state: running, restarts: 0 } }
  - crash: web
    expect: { web: { state: running, restarts: 1 } }
",
    );
}

#[test]
fn a_command_that_cannot_start_is_not_retried() {
    holds(
        "
containers: { web: { restart: always, command: [nosuch] } }
steps:
  - run: web
    refused: no such command
    expect: { web: { state: created, exit: 127, restarts: 0 }, events: [web create] }
  - wait: 5m
    expect: { web: { state: created, restarts: 0 }, events: [] }
",
    );
}

#[test]
fn a_start_of_the_policy_that_fails_is_its_last() {
    holds(
        "
containers:
  web: { restart: always, publish: ['18084:80'], behavior: { exits: { after: 1s, code: 3 } } }
  thief: { publish: ['18084:80'] }
steps:
  - run: web
  - wait: { for: { container: web, state: restarting } }
  - run: thief
    expect: { web: { state: stopped, exit: 3, restarts: 1, error: already allocated }, events: [thief create, thief start] }
",
    );
}

#[test]
fn an_update_does_not_turn_on_again_what_a_kill_has_turned_off() {
    holds(
        "
containers: { web: { restart: always } }
steps:
  - run: web
  - kill: { container: web, signal: USR1 }
  - update: { container: web, restart: unless-stopped }
  - crash: web
  - wait: 5m
    expect: { web: { state: stopped, exit: 137, restarts: 0 }, events: [] }
",
    );
}

#[test]
fn a_limit_below_the_count_given_in_back_off_lets_one_more_start_happen() {
    holds(
        "
containers: { web: { restart: always, behavior: { exits: { code: 3 } } } }
steps:
  - run: web
  - wait: 2s
    expect: { web: { state: restarting, restarts: 5 } }
  - update: { container: web, restart: on-failure:2 }
    expect: { events: [web update] }
  - wait: 5m
    expect: { web: { state: stopped, exit: 3, restarts: 5 }, events: [web start, web die 3] }
",
    );
}

#[test]
fn silence_reigns_in_back_off_and_the_policy_never_tells_of_a_restart() {
    let told = holds(
        "
containers: { web: { restart: always, behavior: { exits: { after: 1s } } } }
steps:
  - run: web
  - wait: 1500ms
",
    );
    assert_eq!(told.timeline(), ["0 web create", "0 web start", "1 web die 0", "1.1 web start"]);
}
