//! Stop, kill and restart of a paused container: the engine thaws it by itself.

use terrarium::model::Freezer;

use crate::story::{holds, holds_on};

const FREEZERS: [Freezer; 3] = [Freezer::CgroupV2, Freezer::CgroupV1, Freezer::Signals];

#[test]
fn stop_of_a_paused_container_thaws_it_after_the_signal() {
    for freezer in FREEZERS {
        let told = holds_on(
            freezer,
            "
containers: { web: { behavior: { signals: { TERM: { exit: 0 } } } } }
steps:
  - run: web
  - pause: web
  - stop: web
    expect:
      took: 0s
      web: { state: stopped, exit: 0 }
      events: [web kill SIGTERM, web unpause, web die 0, web stop]
",
        );
        assert_eq!(told.times_of("stop"), [0.0]);
    }
}

#[test]
fn a_paused_process_without_handlers_spends_the_whole_grace_running() {
    for freezer in FREEZERS {
        let told = holds_on(
            freezer,
            "
containers: { web: { behavior: { cpu: 50% } } }
steps:
  - run: web
  - pause: web
  - async: { stop: web }
  - wait: 5s
    expect: { web: { state: stopping, cpu: busy } }
  - join: web
    expect: { took: 10s, web: { state: stopped, exit: 137 } }
",
        );
        let after_the_pause = &told.timeline()[3..];
        let events =
            ["0 web kill SIGTERM", "0 web unpause", "10 web kill SIGKILL", "10 web die 137", "10 web stop"];
        assert_eq!(after_the_pause, events, "{freezer:?}");
    }
}

#[test]
fn stop_of_a_paused_container_keeps_to_the_grace_of_the_request() {
    for grace in ["0s", "2s"] {
        holds(&format!(
            "
containers: {{ web: }}
steps:
  - run: web
  - pause: web
  - stop: {{ container: web, timeout: {grace} }}
    expect:
      took: {grace}
      web: {{ state: stopped, exit: 137 }}
      events: {{ any_order: [web kill SIGTERM, web unpause, web kill SIGKILL, web die 137, web stop] }}
"
        ));
    }
}

#[test]
fn restart_of_a_paused_container_ends_with_a_running_one() {
    for freezer in FREEZERS {
        holds_on(
            freezer,
            "
containers: { web: { behavior: { cpu: 50%, signals: { TERM: { exit: 0 } } } } }
steps:
  - run: web
  - pause: web
  - restart: web
    expect:
      web: { state: running, cpu: busy }
      events: [web kill SIGTERM, web unpause, web die 0, web stop, web start, web restart]
",
        );
    }
}

#[test]
fn kill_of_a_paused_container_tells_of_no_unpause() {
    for freezer in FREEZERS {
        holds_on(
            freezer,
            "
containers: { web: }
steps:
  - run: web
  - pause: web
  - kill: web
    expect: { took: 0s, web: { state: stopped, exit: 137 }, events: [web kill SIGKILL, web die 137] }
",
        );
    }
}

#[test]
fn forced_removal_of_a_paused_container_tells_of_no_unpause() {
    for freezer in FREEZERS {
        holds_on(
            freezer,
            "
containers: { web: }
steps:
  - run: web
  - pause: web
  - remove: web
    refused: paused
  - remove: { container: web, force: true }
    expect: { took: 0s, web: { state: absent }, events: [web kill SIGKILL, web die 137, web destroy] }
",
        );
    }
}

#[test]
fn any_signal_by_hand_thaws_a_paused_container_and_lets_it_run() {
    for signal in ["TERM", "STOP", "USR1"] {
        holds(&format!(
            "
containers: {{ web: }}
steps:
  - run: web
  - pause: web
  - kill: {{ container: web, signal: {signal} }}
    expect: {{ took: 0s, web: {{ state: running }}, events: [web kill SIG{signal}, web unpause] }}
"
        ));
    }
}

#[test]
fn with_a_configured_stop_signal_only_that_one_thaws_a_paused_container() {
    holds(
        "
containers: { web: { stop_signal: TERM } }
steps:
  - run: web
  - pause: web
  - kill: { container: web, signal: USR1 }
    expect: { web: { state: paused }, events: [web kill SIGUSR1] }
  - kill: { container: web, signal: TERM }
    expect: { web: { state: running }, events: [web kill SIGTERM, web unpause] }
",
    );
}
