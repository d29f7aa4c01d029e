//! Remove: what it refuses, auto-remove in all its ends, and a removal that fails half-way.

use terrarium::engine::Engine;
use terrarium::model::{ExecSpec, Freezer, Name, Outcome, Removal, Signal, State, Verb};
use terrarium::world::simulated::{Faults, RemovalFault};

use crate::story::{ask, holds, host_with};

#[test]
fn remove_of_what_runs_or_is_paused_is_refused() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - remove: web
    refused: running
  - pause: web
  - remove: web
    refused: paused
    expect: { web: { state: paused }, events: [] }
",
    );
}

#[test]
fn after_remove_the_name_is_free() {
    holds(
        "
containers: { web: }
steps:
  - create: web
  - create: web
    refused: already in use
  - remove: web
    expect: { web: { state: absent }, events: [web destroy] }
  - create: web
    expect: { web: { state: created }, events: [web create] }
",
    );
}

#[test]
fn remove_of_what_is_absent_is_refused_by_force_too() {
    holds(
        "
containers: { web: }
steps:
  - remove: web
    refused: no such container
  - remove: { container: web, force: true }
    refused: no such container
",
    );
}

#[test]
fn auto_remove_follows_every_end_and_a_stop_is_told_before_it() {
    let ends = [
        ("exits: { after: 1s }", "wait_exit: web", "web die 0, web destroy"),
        ("{}", "kill: web", "web kill SIGKILL, web die 137, web destroy"),
        ("{}", "crash: web", "web die 137, web destroy"),
        (
            "{}",
            "stop: { container: web, timeout: 0s }",
            "web kill SIGTERM, web kill SIGKILL, web die 137, web stop, web destroy",
        ),
        ("{}", "remove: { container: web, force: true }", "web kill SIGKILL, web die 137, web destroy"),
    ];
    for (behavior, end, events) in ends {
        let behavior = if behavior == "{}" { behavior.into() } else { format!("{{ {behavior} }}") };
        holds(&format!(
            "
containers: {{ web: {{ auto_remove: true, behavior: {behavior} }} }}
steps:
  - run: web
  - {end}
    expect: {{ web: {{ state: absent }}, events: [{events}] }}
"
        ));
    }
}

#[test]
fn restart_does_not_remove_a_container_with_auto_remove() {
    holds(
        "
containers: { web: { auto_remove: true } }
steps:
  - run: web
  - restart: { container: web, timeout: 0s }
    expect: { web: { state: running } }
",
    );
}

#[test]
fn a_container_with_auto_remove_whose_start_fails_is_removed() {
    holds(
        "
containers: { web: { auto_remove: true, command: [nosuch] } }
steps:
  - run: web
    refused: nosuch
    expect: { web: { state: absent }, events: [web create, web destroy] }
",
    );
}

#[test]
fn auto_remove_and_a_restart_policy_contradict_each_other() {
    holds(
        "
containers: { web: { auto_remove: true, restart: always } }
steps:
  - create: web
    refused: contradict
    expect: { web: { state: absent }, events: [] }
",
    );
}

#[test]
fn a_restart_policy_cannot_be_given_to_a_container_with_auto_remove() {
    holds(
        "
containers: { web: { auto_remove: true } }
steps:
  - run: web
  - update: { container: web, restart: always }
    refused: contradict
    expect: { events: [] }
  - update: { container: web, restart: no }
    expect: { events: [web update] }
",
    );
}

#[test]
fn a_removal_that_fails_half_way_leaves_a_dead_container_that_can_only_be_removed_again() {
    let mut engine = host_with(Freezer::CgroupV2);
    let web = Name::new("web").unwrap();
    ask(&mut engine, "web", Verb::Create(Box::default()));
    engine.world_mut().faults = Faults { removal: RemovalFault::Fails, ..Faults::default() };
    let removed = ask(&mut engine, "web", Verb::Remove(Removal::Gentle));
    assert!(matches!(removed, Some(Outcome::Failed(_))), "{removed:?}");
    assert_eq!(engine.status(&web).state, State::Dead);
    assert!(engine.status(&web).error.is_some());

    assert_eq!(ask(&mut engine, "web", Verb::Stop { timeout: None, signal: None }), Some(Outcome::Noop));
    for verb in [
        Verb::Start,
        Verb::Restart { timeout: None, signal: None },
        Verb::Pause,
        Verb::Unpause,
        Verb::Kill { signal: Signal::KILL },
        Verb::Exec(ExecSpec::of(&["true".into()])),
    ] {
        let answer = ask(&mut engine, "web", verb.clone());
        assert!(matches!(answer, Some(Outcome::Refused(_))), "{verb:?}: {answer:?}");
    }

    engine.world_mut().faults = Faults::default();
    assert_eq!(ask(&mut engine, "web", Verb::Remove(Removal::Gentle)), Some(Outcome::Done));
    assert_eq!(engine.status(&web).state, State::Absent);
    assert_eq!(engine.left_behind(), [""; 0]);
}

#[test]
fn a_second_removal_during_the_first_is_refused() {
    let mut engine = host_with(Freezer::CgroupV2);
    engine.world_mut().faults = Faults { removal: RemovalFault::Hangs, ..Faults::default() };
    ask(&mut engine, "web", Verb::Create(Box::default()));
    assert_eq!(ask(&mut engine, "web", Verb::Remove(Removal::Gentle)), None, "it never comes to an end");
    let Some(Outcome::Refused(refusal)) = ask(&mut engine, "web", Verb::Remove(Removal::Forced)) else {
        panic!("it was not refused");
    };
    assert!(refusal.to_string().contains("already in progress"), "{refusal}");
}
