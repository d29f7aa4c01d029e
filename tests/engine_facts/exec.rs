//! Exec: commands that run beside PID 1, and what pausing, stopping and its death do to them.

use crate::story::holds;

#[test]
fn an_exec_ends_with_its_own_code_and_the_container_goes_on() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - exec: { container: web, command: [exit, '7'] }
    expect:
      exec_exit: 7
      web: { state: running, processes: 1 }
      events: [web exec_create, web exec_start, web exec_die 7]
",
    );
}

#[test]
fn an_exec_is_a_process_of_the_container_as_long_as_it_runs() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { exec: { container: web, command: [sleep, '5'] } }
    expect: { web: { processes: 2 } }
  - join: web
    expect: { took: 5s, exec_exit: 0, web: { state: running, processes: 1 } }
",
    );
}

#[test]
fn an_exec_of_a_missing_command_is_126() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - exec: { container: web, command: [nosuch] }
    refused: nosuch
    expect: { exec_exit: 126, web: { state: running } }
",
    );
}

#[test]
fn exec_is_refused_where_nothing_runs_and_where_all_is_frozen() {
    holds(
        "
containers: { web: }
steps:
  - create: web
  - exec: { container: web, command: ['true'] }
    refused: not running
  - start: web
  - pause: web
  - exec: { container: web, command: ['true'] }
    refused: paused
    expect: { events: [] }
  - unpause: web
  - kill: web
  - exec: { container: web, command: ['true'] }
    refused: not running
",
    );
}

#[test]
fn pause_freezes_an_exec_too_and_its_sleep_ends_at_the_thaw() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { exec: { container: web, command: [sleep, '2'] } }
  - pause: web
    expect: { web: { state: paused, processes: 2 }, events: [web pause] }
  - wait: 10s
    expect: { web: { processes: 2 }, events: [] }
  - unpause: web
    expect: { web: { processes: 1 }, events: [web unpause, web exec_die 0] }
  - join: web
    expect: { took: 10s, exec_exit: 0 }
",
    );
}

#[test]
fn the_death_of_pid_1_kills_an_exec() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { exec: { container: web, command: [sleep, inf] } }
  - wait: 1s
  - kill: web
    expect:
      web: { state: stopped, exit: 137, processes: 0 }
      events: { any_order: [web kill SIGKILL, web exec_die 137, web die 137] }
  - join: web
    expect: { took: 1s, exec_exit: 137 }
",
    );
}

#[test]
fn stop_does_not_signal_an_exec_and_takes_it_along() {
    holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 0, after: 1s } } } } }
steps:
  - run: web
  - async: { exec: { container: web, command: [sleep, inf] } }
  - async: { stop: web }
    expect: { web: { state: stopping, processes: 2 } }
  - exec: { container: web, command: [exit, '3'] }
    expect: { exec_exit: 3 }
  - wait: { for: { container: web, state: stopped } }
    expect: { web: { exit: 0, processes: 0 }, events: { any_order: [web exec_die 137, web die 0, web stop] } }
",
    );
}

#[test]
fn exec_in_a_container_that_is_paused_during_its_stop_is_refused() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { stop: { container: web, timeout: 1m } }
  - pause: web
  - exec: { container: web, command: ['true'] }
    refused: paused
    expect: { events: [] }
  - start: web
    refused: paused
",
    );
}

#[test]
fn an_exec_outlives_the_start_of_nothing_new() {
    holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 0 } } } } }
steps:
  - run: web
  - async: { exec: { container: web, command: [sleep, '5'] } }
  - restart: web
    expect: { web: { state: running, processes: 1 } }
  - wait: 10s
    expect: { web: { state: running, processes: 1 }, events: [] }
",
    );
}
