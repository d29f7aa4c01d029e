//! Ends and failures: exit codes, and starts that do not come to pass.

use crate::story::holds;

#[test]
fn every_exit_code_from_0_to_255_is_kept() {
    for code in [0, 1, 2, 125, 126, 127, 128, 137, 254, 255] {
        holds(&format!(
            "
containers: {{ web: {{ command: [exit, '{code}'] }} }}
steps:
  - run: web
    expect: {{ web: {{ state: stopped, exit: {code} }}, events: [web create, web start, web die {code}] }}
"
        ));
    }
}

#[test]
fn an_exit_of_its_own_is_only_a_die() {
    let told = holds(
        "
containers: { web: { behavior: { exits: { after: 3s, code: 4 } } } }
steps:
  - run: web
  - wait_exit: web
    expect: { took: 3s, web: { state: stopped, exit: 4 }, events: [web die 4] }
",
    );
    assert_eq!(told.times_of("die"), [3.0]);
}

#[test]
fn a_failed_start_stays_created_with_its_code_and_its_error() {
    let told = holds(
        "
containers: { web: { command: [nosuch] } }
steps:
  - create: web
  - start: web
    refused: nosuch
    expect: { web: { state: created, exit: 127, error: nosuch, processes: 0 }, events: [] }
  - start: web
    refused: nosuch
    expect: { web: { state: created, exit: 127 }, events: [] }
  - remove: web
    expect: { web: { state: absent }, events: [web destroy] }
",
    );
    assert_eq!(told.messages().len(), 2);
}

#[test]
fn a_failed_start_of_a_stopped_container_keeps_its_last_code_and_the_next_start_clears_the_error() {
    holds(
        "
containers: { web: { publish: ['18085:80'] }, thief: { publish: ['18085:80'] } }
steps:
  - run: web
  - kill: web
  - run: thief
  - start: web
    refused: port is already allocated
    expect: { web: { state: stopped, exit: 137, error: already allocated }, events: [] }
  - stop: { container: thief, timeout: 0s }
  - start: web
    expect: { web: { state: running, error: '' }, events: [web start] }
",
    );
}

#[test]
fn a_failure_without_a_code_of_its_own_is_128_where_there_was_none_or_zero() {
    holds(
        "
containers:
  thief: { publish: ['18085:80'] }
  fresh: { publish: ['18085:80'] }
  done: { publish: ['18085:80'], command: ['true'] }
steps:
  - run: done
    expect: { done: { state: stopped, exit: 0 } }
  - run: thief
  - run: fresh
    refused: already allocated
    expect: { fresh: { state: created, exit: 128 } }
  - start: done
    refused: already allocated
    expect: { done: { state: stopped, exit: 128 } }
",
    );
}

#[test]
fn a_parked_process_that_is_killed_from_outside_is_replaced_at_the_next_start() {
    holds(
        "
containers: { web: }
steps:
  - create: web
  - crash: web
    expect: { took: 1s, web: { state: created, processes: 0 }, events: [] }
  - start: web
    expect: { web: { state: running, processes: 1 }, events: [web start] }
",
    );
}

#[test]
fn a_command_that_writes_can_be_read() {
    holds(
        "
containers: { web: { command: [echo, hello, world] } }
steps:
  - run: web
    expect: { output: hello world, web: { state: stopped, exit: 0 } }
",
    );
}
