//! What the simulator says a container costs: in every state, from its behaviour and its limits.

use terrarium::engine::Engine;
use terrarium::model::{Freezer, Limits, Look, Name, Outcome, RestartPolicy, Verb};

use crate::story::{ask, holds, host_with};

#[test]
fn every_state_costs_what_its_processes_cost() {
    holds(
        "
containers:
  web:
    restart: on-failure
    publish: ['18090:80']
    behavior: { cpu: 50%, memory: 20MiB, children: 2, signals: { TERM: ignore } }
steps:
  - create: web
    expect: { web: { state: created, cpu: idle, memory: '< 20MiB', processes: 1, ports: [] } }
  - start: web
    expect: { web: { state: running, cpu: 50%, memory: '> 20MiB', processes: 3, ports: [18090] } }
  - pause: web
    expect: { web: { state: paused, cpu: idle, memory: '> 20MiB', processes: 3, ports: [18090] } }
  - unpause: web
    expect: { web: { state: running, cpu: 50% } }
  - crash: web
    expect: { web: { state: restarting, memory: '< 1kB', processes: 0, ports: [] } }
  - wait: 100ms
    expect: { web: { state: running, cpu: 50%, memory: '> 20MiB', processes: 3 } }
  - async: { stop: web }
    expect: { web: { state: stopping, cpu: 50%, memory: '> 20MiB', processes: 3, ports: [18090] } }
  - join: web
    expect: { web: { state: stopped, cpu: idle, memory: '< 1kB', processes: 0, ports: [] } }
  - remove: web
    expect: { web: { state: absent, cpu: idle, processes: 0 } }
",
    );
}

#[test]
fn a_cpu_limit_bounds_what_it_burns() {
    holds(
        "
containers: { web: { cpus: 0.2, behavior: { cpu: 80% } } }
steps:
  - run: web
    expect: { web: { cpu: 20% } }
  - update: { container: web, cpus: 0.5 }
    expect: { web: { cpu: 50% }, events: [web update] }
  - update: { container: web, cpus: 2 }
    expect: { web: { cpu: 80% } }
",
    );
}

#[test]
fn a_limit_on_processes_bounds_its_children_and_a_small_init_counts() {
    holds(
        "
containers:
  few: { pids: 3, behavior: { children: 10 } }
  fewer: { pids: 3, init: true, behavior: { children: 10 } }
steps:
  - run: [few, fewer]
    expect: { few: { processes: 3 }, fewer: { processes: 3 } }
",
    );
}

#[test]
fn children_that_end_are_processes_no_more_when_they_are_reaped() {
    holds(
        "
containers: { web: { behavior: { children: { count: 2, exits: { after: 1s } } } } }
steps:
  - run: web
    expect: { web: { processes: 3 } }
  - wait: 1s
    expect: { web: { state: running, processes: 1 } }
",
    );
}

#[test]
fn memory_that_is_taken_later_counts_from_then_on() {
    holds(
        "
containers: { web: { behavior: { memory: { size: 20MiB, after: 2s } } } }
steps:
  - run: web
    expect: { web: { memory: '< 20MiB' } }
  - wait: 2s
    expect: { web: { memory: '> 20MiB' } }
",
    );
}

#[test]
fn rename_and_update_work_on_a_paused_container_and_change_nothing_else() {
    holds(
        "
containers: { web: { publish: ['18090:80'] } }
steps:
  - run: web
  - pause: web
  - update: { container: web, memory: 64MiB }
    expect: { web: { state: paused }, events: [web update] }
  - rename: { container: web, to: site }
    expect: { web: { state: absent }, site: { state: paused, ports: [18090] }, events: [site rename] }
  - unpause: site
    expect: { site: { state: running }, events: [site unpause] }
",
    );
}

#[test]
fn rename_gives_the_old_name_free_and_does_not_take_a_used_one() {
    holds(
        "
containers: { web: , db: }
steps:
  - create: [web, db]
  - rename: { container: web, to: db }
    refused: already in use
  - rename: { container: web, to: site }
    expect: { web: { state: absent }, site: { state: created } }
  - create: web
    expect: { web: { state: created }, site: { state: created } }
",
    );
}

#[test]
fn looking_at_a_paused_container_works() {
    let mut engine = host_with(Freezer::CgroupV2);
    for verb in [Verb::Create(Box::default()), Verb::Start, Verb::Pause] {
        ask(&mut engine, "web", verb);
    }
    for look in [Look::Top, Look::Stats, Look::Logs, Look::CopyIn, Look::CopyOut, Look::Diff, Look::Inspect] {
        assert_eq!(ask(&mut engine, "web", Verb::Look(look)), Some(Outcome::Done), "{look:?}");
    }
}

#[test]
fn update_gives_a_running_container_a_policy_that_counts_at_its_next_death() {
    let mut engine = host_with(Freezer::CgroupV2);
    ask(&mut engine, "web", Verb::Create(Box::default()));
    ask(&mut engine, "web", Verb::Start);
    let update = Verb::Update { restart: Some(RestartPolicy::Always), limits: Limits::default() };
    assert_eq!(ask(&mut engine, "web", update), Some(Outcome::Done));
    let web = Name::new("web").unwrap();
    engine.strike(&web, terrarium::model::Signal::KILL);
    crate::story::pass(&mut engine, std::time::Duration::from_secs(1));
    assert_eq!(engine.status(&web).restarts, 1);
}
