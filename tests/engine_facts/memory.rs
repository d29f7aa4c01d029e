//! Out of memory: who dies, which events tell of it, and the life of the flag.

use crate::story::holds;

#[test]
fn a_container_out_of_memory_is_oom_then_die_137() {
    let told = holds(
        "
containers: { web: { memory: 64MiB, behavior: { memory: { size: 128MiB, after: 2s } } } }
steps:
  - run: web
  - wait_exit: web
    expect: { took: 2s, web: { state: stopped, exit: 137, oom: true, memory: '< 1MiB' }, events: [web oom, web die 137] }
",
    );
    assert_eq!(told.times_of("oom"), [2.0]);
}

#[test]
fn memory_that_is_taken_at_once_counts_too() {
    holds(
        "
containers: { web: { memory: 64MiB, behavior: { memory: 128MiB } } }
steps:
  - run: web
    expect: { web: { state: stopped, exit: 137, oom: true }, events: [web create, web start, web oom, web die 137] }
",
    );
}

#[test]
fn a_child_that_is_killed_sets_the_flag_at_the_exit_and_not_before() {
    holds(
        "
containers:
  web: { memory: 64MiB, behavior: { children: { count: 1, memory: 128MiB }, exits: { after: 2s } } }
steps:
  - run: web
    expect: { web: { state: running, oom: false, processes: 1 }, events: [web create, web start, web oom] }
  - wait_exit: web
    expect: { web: { state: stopped, exit: 0, oom: true }, events: [web die 0] }
",
    );
}

#[test]
fn the_flag_stays_through_the_next_start_and_is_cleared_at_the_next_exit_without_an_oom() {
    holds(
        "
containers:
  web: { memory: 64MiB, behavior: { runs: [{ memory: { size: 128MiB, after: 1s } }, { exits: { after: 5s } }] } }
steps:
  - run: web
  - wait_exit: web
    expect: { web: { oom: true } }
  - start: web
    expect: { web: { state: running, oom: true } }
  - wait_exit: web
    expect: { web: { state: stopped, exit: 0, oom: false } }
",
    );
}

#[test]
fn running_out_of_memory_is_a_failure_that_the_policy_answers() {
    holds(
        "
containers:
  web:
    memory: 64MiB
    restart: on-failure
    behavior: { runs: [{ memory: { size: 128MiB, after: 1s } }, { memory: 20MiB }] }
steps:
  - run: web
  - wait: 2s
    expect: { web: { state: running, restarts: 1, memory: '> 20MiB' }, events: [web oom, web die 137, web start] }
",
    );
}

#[test]
fn a_lower_limit_ends_what_is_over_it() {
    holds(
        "
containers: { web: { behavior: { memory: 128MiB } } }
steps:
  - run: web
  - update: { container: web, memory: 64MiB }
    expect: { web: { state: stopped, exit: 137, oom: true }, events: [web update, web oom, web die 137] }
  - update: { container: web, memory: 256MiB }
  - start: web
  - wait: 1s
    expect: { web: { state: running, memory: '> 128MiB' } }
",
    );
}
