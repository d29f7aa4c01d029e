//! Races: what happens to a command that comes while another is under way.

use std::time::Duration;

use terrarium::engine::Engine;
use terrarium::engine::trace::What;
use terrarium::model::{Command, Freezer, Name, Outcome, Removal, Signal, State, StopTimeout, Verb};
use terrarium::world::simulated::{Faults, KillFault};

use crate::story::{ask, holds, holds_on, host_with, pass};

#[test]
fn a_second_stop_sends_term_again_and_there_are_two_stop_events() {
    let told = holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { stop: web }
  - wait: 4s
  - stop: web
    expect: { took: 6s, web: { state: stopped, exit: 137 } }
  - join: web
    expect: { took: 10s }
",
    );
    let events = [
        "0 web kill SIGTERM",
        "4 web kill SIGTERM",
        "10 web kill SIGKILL",
        "10 web die 137",
        "10 web stop",
        "10 web stop",
    ];
    assert_eq!(told.timeline()[2..], events);
}

#[test]
fn the_shorter_of_two_graces_counts() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { stop: web }
  - stop: { container: web, timeout: 1s }
    expect: { took: 1s, web: { exit: 137 } }
  - join: web
    expect: { took: 1s }
",
    );
}

#[test]
fn a_grace_that_was_not_needed_does_not_end_a_later_stop() {
    holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 0, after: 90s } } } } }
steps:
  - run: web
  - async: { stop: { container: web, timeout: 2s } }
  - stop: { container: web, timeout: 1m }
    expect: { took: 2s, web: { exit: 137 } }
  - start: web
  - stop: { container: web, timeout: never }
    expect: { took: 90s, web: { exit: 0 } }
",
    );
}

#[test]
fn a_kill_during_a_stop_ends_both_at_once() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { stop: web }
  - wait: 3s
  - kill: web
    expect: { took: 0s, web: { state: stopped, exit: 137 }, events: [web kill SIGKILL, web die 137, web stop] }
  - join: web
    expect: { took: 3s }
",
    );
}

#[test]
fn a_start_during_a_stop_is_nothing_to_do() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { stop: web }
  - wait: 3s
  - start: web
    expect: { took: 0s, web: { state: stopping }, events: [] }
  - join: web
    expect: { took: 10s, web: { state: stopped, exit: 137 } }
",
    );
}

#[test]
fn a_pause_during_a_stop_is_done_and_it_still_dies_at_the_deadline() {
    for freezer in [Freezer::CgroupV2, Freezer::CgroupV1, Freezer::Signals] {
        let told = holds_on(
            freezer,
            "
containers: { web: { behavior: { cpu: 50% } } }
steps:
  - run: web
  - async: { stop: web }
  - wait: 3s
  - pause: web
    expect: { took: 0s, web: { state: stopping, cpu: idle }, events: [web pause] }
  - join: web
    expect: { took: 10s, web: { state: stopped, exit: 137 } }
",
        );
        let events = ["3 web pause", "10 web kill SIGKILL", "10 web die 137", "10 web stop"];
        assert_eq!(told.timeline()[3..], events, "{freezer:?}");
    }
}

#[test]
fn a_second_stop_thaws_what_was_paused_during_the_first() {
    holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 0, after: 1s } } } } }
steps:
  - run: web
  - async: { stop: web }
  - pause: web
  - wait: 5s
  - stop: web
    expect:
      took: 0s
      web: { state: stopped, exit: 0 }
      events: [web kill SIGTERM, web unpause, web die 0, web stop, web stop]
",
    );
}

#[test]
fn a_restart_during_a_stop_leaves_it_running() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { stop: { container: web, timeout: 2s } }
  - restart: web
    expect: { took: 2s, web: { state: running, restarts: 0 } }
  - join: web
    expect: { took: 2s }
",
    );
}

#[test]
fn a_forced_removal_during_a_stop_ends_both_at_once() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { stop: web }
  - wait: 1s
  - remove: { container: web, force: true }
    expect: { took: 0s, web: { state: absent }, events: [web kill SIGKILL, web die 137, web stop, web destroy] }
  - join: web
    expect: { took: 1s }
",
    );
}

#[test]
fn a_restart_that_a_forced_removal_overtakes_is_refused() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { restart: web }
  - wait: 1s
  - remove: { container: web, force: true }
    expect: { web: { state: absent }, events: [web kill SIGKILL, web die 137, web stop, web destroy] }
  - join: web
    refused: marked for removal
",
    );
}

#[test]
fn two_restarts_at_once_are_one_start_and_two_restart_events() {
    let told = holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { restart: { container: web, timeout: 2s } }
  - wait: 500ms
  - restart: { container: web, timeout: 2s }
    expect: { took: 1500ms, web: { state: running } }
  - join: web
    expect: { took: 2s }
",
    );
    let events = [
        "0 web kill SIGTERM",
        "0.5 web kill SIGTERM",
        "2 web kill SIGKILL",
        "2 web die 137",
        "2 web stop",
        "2 web stop",
        "2 web start",
        "2 web restart",
        "2 web restart",
    ];
    assert_eq!(told.timeline()[2..], events);
}

#[test]
fn a_crash_during_a_stop_is_not_restarted() {
    holds(
        "
containers: { web: { restart: always } }
steps:
  - run: web
  - async: { stop: web }
  - wait: 1s
  - crash: web
    expect: { web: { state: stopped, exit: 137 }, events: [web die 137, web stop] }
  - wait: 5m
    expect: { web: { state: stopped, restarts: 0 }, events: [] }
",
    );
}

#[test]
fn a_stop_without_a_deadline_ends_by_one_without_grace() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { stop: { container: web, timeout: never } }
  - wait: 1h
  - stop: { container: web, timeout: 0s }
    expect: { took: 0s, events: [web kill SIGTERM, web kill SIGKILL, web die 137, web stop, web stop] }
",
    );
}

#[test]
fn a_stop_during_a_restart_leaves_it_running() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { restart: web }
  - wait: 1s
  - stop: { container: web, timeout: 1s }
    expect:
      took: 1s
      web: { state: running }
      events: [web kill SIGTERM, web kill SIGKILL, web die 137, web stop, web stop, web start, web restart]
",
    );
}

#[test]
fn of_two_of_a_kind_at_once_the_second_finds_it_done() {
    holds(
        "
containers: { web: }
steps:
  - create: web
  - async: { start: web }
  - start: web
    expect: { web: { state: running }, events: [web start] }
  - async: { pause: web }
  - pause: web
    refused: already paused
  - async: { unpause: web }
  - unpause: web
    refused: not paused
  - async: { kill: web }
  - kill: web
    expect: { web: { state: stopped } }
",
    );
}

#[test]
fn a_kill_during_a_restart_lets_it_start_at_once() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { restart: web }
  - wait: 1s
  - kill: web
    expect: { took: 0s, web: { state: running }, events: [web kill SIGKILL, web die 137, web stop, web start, web restart] }
  - join: web
    expect: { took: 1s }
",
    );
}

#[test]
fn a_pause_during_a_restart_is_over_when_it_has_restarted() {
    holds(
        "
containers: { web: { behavior: { cpu: 50% } } }
steps:
  - run: web
  - async: { restart: { container: web, timeout: 3s } }
  - wait: 1s
  - pause: web
  - join: web
    expect: { took: 3s, web: { state: running, cpu: busy } }
",
    );
}

#[test]
fn an_unpause_lets_a_process_that_was_paused_during_its_stop_end_by_itself() {
    let told = holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 0, after: 2s } } } } }
steps:
  - run: web
  - async: { stop: { container: web, timeout: 5s } }
  - wait: 1s
  - pause: web
  - wait: 1500ms
  - unpause: web
    expect: { web: { state: stopped, exit: 0 } }
",
    );
    let events = ["0 web kill SIGTERM", "1 web pause", "2.5 web unpause", "2.5 web die 0", "2.5 web stop"];
    assert_eq!(told.timeline()[2..], events);
}

#[test]
fn a_pause_that_comes_with_the_stop_of_a_paused_container_is_told_after_the_unpause() {
    let mut engine = host_with(Freezer::CgroupV2);
    ask(&mut engine, "web", Verb::Create(Box::default()));
    ask(&mut engine, "web", Verb::Start);
    ask(&mut engine, "web", Verb::Pause);
    let from = engine.happened().len();
    let web = Name::new("web").unwrap();
    let timeout = Some(StopTimeout::After(Duration::from_secs(1)));
    let stop = engine.submit(&Command { container: web.clone(), verb: Verb::Stop { timeout, signal: None } });
    let pause = engine.submit(&Command { container: web, verb: Verb::Pause });
    pass(&mut engine, Duration::from_secs(2));
    assert!(engine.answer(stop).is_some() && engine.answer(pause).is_some());
    let told: Vec<&str> = engine.happened()[from..]
        .iter()
        .filter_map(|happening| match &happening.what {
            What::Emitted(event) => Some(event.kind.action()),
            What::Moved(_) => None,
        })
        .collect();
    assert_eq!(told, ["kill", "unpause", "pause", "kill", "die", "stop"]);
}

#[test]
fn a_pause_during_a_stop_suspends_the_health_check() {
    holds(
        "
containers: { web: { health: { test: ['true'], interval: 1s } } }
steps:
  - run: web
  - async: { stop: web }
  - wait: 1500ms
    expect: { web: { health: healthy } }
  - pause: web
    expect: { web: { health: unhealthy } }
  - wait: 3s
    expect: { web: { health: unhealthy }, events: [] }
  - unpause: web
    expect: { events: [web unpause] }
  - wait: 1500ms
    expect: { web: { health: healthy }, events: [web health_status healthy] }
",
    );
}

#[test]
fn rename_and_update_during_a_stop_are_done() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { stop: { container: web, timeout: 3s } }
  - wait: 1s
  - update: { container: web, restart: always }
    expect: { events: [web update] }
  - rename: { container: web, to: site }
    expect: { events: [site rename] }
  - wait: { for: { container: site, state: stopped } }
    expect: { took: 2s, site: { exit: 137, restarts: 0 }, events: [site kill SIGKILL, site die 137, site stop] }
",
    );
}

#[test]
fn a_rename_of_what_is_gone_before_the_new_name_is_granted_is_refused() {
    let mut engine = host_with(Freezer::CgroupV2);
    let (web, other) = (Name::new("web").unwrap(), Name::new("other").unwrap());
    ask(&mut engine, "web", Verb::Create(Box::default()));
    let removal = engine.submit(&Command { container: web.clone(), verb: Verb::Remove(Removal::Gentle) });
    let rename = engine.submit(&Command { container: web, verb: Verb::Rename { to: other.clone() } });
    pass(&mut engine, Duration::from_secs(1));
    assert!(engine.answer(removal).is_some() && engine.answer(rename).is_some());
    assert_eq!(engine.left_behind(), [""; 0]);
    ask(&mut engine, "other", Verb::Create(Box::default()));
    assert_eq!(engine.names(), [other]);
}

#[test]
fn a_process_that_outlives_sigkill_fails_the_request_after_twelve_seconds() {
    let lost = |verb: Verb, seconds: u64| {
        let mut engine = host_with(Freezer::CgroupV2);
        engine.world_mut().faults = Faults { kill: KillFault::HangsInTheKernel, ..Faults::default() };
        ask(&mut engine, "web", Verb::Create(Box::default()));
        ask(&mut engine, "web", Verb::Start);
        let answer = ask(&mut engine, "web", verb.clone());
        assert!(matches!(answer, Some(Outcome::Failed(_))), "{verb:?}: {answer:?}");
        assert_eq!(engine.now(), Duration::from_secs(seconds), "{verb:?}");
        assert_eq!(engine.status(&Name::new("web").unwrap()).state, State::Running);
    };
    lost(Verb::Kill { signal: Signal::KILL }, 12);
    lost(Verb::Remove(Removal::Forced), 12);
    lost(Verb::Stop { timeout: None, signal: None }, 22);
}
