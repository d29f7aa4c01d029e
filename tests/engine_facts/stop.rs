//! Stop and restart: the grace period, its precedence, and the events that tell of them.

use crate::story::holds;

#[test]
fn stop_is_term_then_ten_seconds_then_kill() {
    let told = holds(
        "
containers: { web: }
steps:
  - run: web
  - stop: web
    expect: { took: 10s, web: { state: stopped, exit: 137 } }
",
    );
    let events = [
        "0 web create",
        "0 web start",
        "0 web kill SIGTERM",
        "10 web kill SIGKILL",
        "10 web die 137",
        "10 web stop",
    ];
    assert_eq!(told.timeline(), events);
}

#[test]
fn the_request_says_how_long_the_grace_is() {
    for seconds in [1, 3] {
        holds(&format!(
            "
containers: {{ web: }}
steps:
  - run: web
  - stop: {{ container: web, timeout: {seconds}s }}
    expect: {{ took: {seconds}s, web: {{ exit: 137 }} }}
"
        ));
    }
}

#[test]
fn a_container_can_have_a_grace_of_its_own_and_the_request_overrides_it() {
    holds(
        "
containers: { web: { stop_timeout: 2s } }
steps:
  - run: web
  - stop: web
    expect: { took: 2s, web: { exit: 137 } }
  - start: web
  - stop: { container: web, timeout: 3s }
    expect: { took: 3s, web: { exit: 137 } }
",
    );
}

#[test]
fn without_a_deadline_stop_waits_past_the_default_and_never_kills() {
    let told = holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 0, after: 13s } } } } }
steps:
  - run: web
  - stop: { container: web, timeout: never }
    expect: { took: 13s, web: { exit: 0 }, events: [web kill SIGTERM, web die 0, web stop] }
",
    );
    assert_eq!(told.times_of("die"), [13.0]);
}

#[test]
fn stop_without_grace_still_sends_term_first() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - stop: { container: web, timeout: 0s }
    expect:
      took: 0s
      web: { exit: 137 }
      events: [web kill SIGTERM, web kill SIGKILL, web die 137, web stop]
",
    );
}

#[test]
fn stop_without_grace_races_with_a_term_handler() {
    for (after, code) in [("0s", 0), ("1ms", 137)] {
        holds(&format!(
            "
containers: {{ web: {{ behavior: {{ signals: {{ TERM: {{ exit: 0, after: {after} }} }} }} }} }}
steps:
  - run: web
  - stop: {{ container: web, timeout: 0s }}
    expect: {{ took: 0s, web: {{ exit: {code} }} }}
"
        ));
    }
}

#[test]
fn a_configured_stop_signal_is_sent_instead_of_term() {
    holds(
        "
containers: { web: { stop_signal: QUIT, behavior: { signals: { QUIT: { exit: 0 }, TERM: { exit: 7 } } } } }
steps:
  - run: web
  - stop: web
    expect: { took: 0s, web: { exit: 0 }, events: [web kill SIGQUIT, web die 0, web stop] }
",
    );
}

#[test]
fn sigkill_can_be_the_stop_signal() {
    holds(
        "
containers: { web: { stop_signal: KILL } }
steps:
  - run: web
  - stop: web
    expect: { took: 0s, web: { exit: 137 }, events: [web kill SIGKILL, web die 137, web stop] }
",
    );
}

#[test]
fn kill_and_forced_removal_tell_of_no_stop() {
    holds(
        "
containers: { web: , db: }
steps:
  - run: [web, db]
  - kill: web
    expect: { events: [web kill SIGKILL, web die 137] }
  - remove: { container: db, force: true }
    expect: { db: { state: absent }, events: [db kill SIGKILL, db die 137, db destroy] }
",
    );
}

#[test]
fn restart_is_kill_die_stop_start_restart() {
    let told = holds(
        "
containers: { web: }
steps:
  - run: web
  - restart: web
    expect: { took: 10s, web: { state: running, restarts: 0 } }
",
    );
    let events = [
        "0 web create",
        "0 web start",
        "0 web kill SIGTERM",
        "10 web kill SIGKILL",
        "10 web die 137",
        "10 web stop",
        "10 web start",
        "10 web restart",
    ];
    assert_eq!(told.timeline(), events);
}

#[test]
fn restart_of_a_process_that_handles_term_takes_no_time() {
    holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 0 } } } } }
steps:
  - run: web
  - restart: web
    expect:
      took: 0s
      web: { state: running }
      events: [web kill SIGTERM, web die 0, web stop, web start, web restart]
",
    );
}

#[test]
fn restart_of_what_does_not_run_is_only_a_start() {
    holds(
        "
containers: { web: }
steps:
  - create: web
  - restart: web
    expect: { took: 0s, web: { state: running }, events: [web start, web restart] }
  - kill: web
  - restart: web
    expect: { took: 0s, web: { state: running }, events: [web start, web restart] }
",
    );
}

#[test]
fn stop_of_what_does_not_run_is_nothing_to_do() {
    holds(
        "
containers: { web: }
steps:
  - create: web
  - stop: web
    expect: { took: 0s, web: { state: created }, events: [] }
  - start: web
  - kill: web
  - stop: web
    expect: { took: 0s, web: { state: stopped, exit: 137 }, events: [] }
",
    );
}

#[test]
fn the_exit_code_is_zero_again_while_it_runs_and_the_name_stays() {
    holds(
        "
containers: { web: { behavior: { runs: [{ exits: { code: 3 } }, {}] } } }
steps:
  - run: web
    expect: { web: { state: stopped, exit: 3 }, events: [web create, web start, web die 3] }
  - start: web
    expect: { web: { state: running }, events: [web start] }
  - kill: web
    expect: { web: { exit: 137 } }
",
    );
}
