//! The freezers differ in what reaches a frozen process: v2 and signals let a SIGKILL from outside through, v1 does not.

use terrarium::model::Freezer;

use crate::story::holds_on;

#[test]
fn a_sigkill_from_outside_ends_a_paused_container_at_once_where_the_freezer_lets_it() {
    for freezer in [Freezer::CgroupV2, Freezer::Signals] {
        holds_on(
            freezer,
            "
containers: { web: }
steps:
  - run: web
  - pause: web
  - crash: web
    expect: { took: 0s, web: { state: stopped, exit: 137 }, events: [web die 137] }
",
        );
    }
}

#[test]
fn a_sigkill_from_outside_to_a_container_frozen_by_v1_acts_at_unpause() {
    holds_on(
        Freezer::CgroupV1,
        "
containers: { web: }
steps:
  - run: web
  - pause: web
  - crash: web
    expect: { took: 1s, web: { state: paused, processes: 1 }, events: [] }
  - wait: 1m
    expect: { web: { state: paused }, events: [] }
  - unpause: web
    expect: { web: { state: stopped, exit: 137 }, events: [web unpause, web die 137] }
",
    );
}

#[test]
fn a_frozen_container_that_was_killed_from_outside_is_restarted_by_its_policy() {
    holds_on(
        Freezer::CgroupV2,
        "
containers: { web: { restart: always } }
steps:
  - run: web
  - pause: web
  - crash: web
    expect: { web: { state: running, restarts: 1 }, events: [web die 137, web start] }
",
    );
    holds_on(
        Freezer::CgroupV1,
        "
containers: { web: { restart: always } }
steps:
  - run: web
  - pause: web
  - crash: web
  - unpause: web
    expect: { web: { state: running, restarts: 1 }, events: [web unpause, web die 137, web start] }
",
    );
}

#[test]
fn every_freezer_keeps_processes_and_memory_and_stops_the_cpu() {
    for freezer in [Freezer::CgroupV2, Freezer::CgroupV1, Freezer::Signals] {
        holds_on(
            freezer,
            "
containers: { web: { publish: ['18082:80'], behavior: { cpu: 50%, memory: 20MiB, children: 2 } } }
steps:
  - run: web
  - pause: web
    expect: { web: { state: paused, cpu: idle, memory: '> 20MiB', processes: 3, ports: [18082] }, events: [web pause] }
  - unpause: web
    expect: { web: { state: running, cpu: busy, memory: '> 20MiB', processes: 3, ports: [18082] } }
",
        );
    }
}

#[test]
fn what_falls_due_while_frozen_happens_at_the_thaw() {
    for freezer in [Freezer::CgroupV2, Freezer::CgroupV1, Freezer::Signals] {
        let told = holds_on(
            freezer,
            "
containers: { web: { behavior: { exits: { after: 2s, code: 3 } } } }
steps:
  - run: web
  - pause: web
  - wait: 1m
    expect: { web: { state: paused }, events: [] }
  - unpause: web
    expect: { web: { state: stopped, exit: 3 } }
",
        );
        assert_eq!(told.timeline()[2..], ["0 web pause", "60 web unpause", "60 web die 3"]);
    }
}
