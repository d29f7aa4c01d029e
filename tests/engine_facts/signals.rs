//! Signals: PID 1's immunity, handlers, the small init, and processes that SIGSTOP holds.

use crate::story::holds;

#[test]
fn a_signal_that_pid_1_does_not_handle_is_dropped_by_the_kernel() {
    for signal in ["TERM", "INT", "HUP", "USR1", "QUIT", "ABRT", "SEGV"] {
        holds(&format!(
            "
containers: {{ web: }}
steps:
  - run: web
  - kill: {{ container: web, signal: {signal} }}
    expect: {{ took: 0s, web: {{ state: running, processes: 1 }}, events: [web kill SIG{signal}] }}
  - wait: 1m
    expect: {{ web: {{ state: running }}, events: [] }}
"
        ));
    }
}

#[test]
fn sigkill_is_not_dropped() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - kill: web
    expect: { took: 0s, web: { state: stopped, exit: 137 }, events: [web kill SIGKILL, web die 137] }
",
    );
}

#[test]
fn a_signal_that_is_ignored_or_handled_lets_it_run() {
    holds(
        "
containers: { web: { behavior: { signals: { TERM: ignore, USR1: handle } } } }
steps:
  - run: web
  - kill: { container: web, signal: USR1 }
    expect: { web: { state: running }, events: [web kill SIGUSR1] }
  - stop: web
    expect: { took: 10s, web: { exit: 137 } }
",
    );
}

#[test]
fn a_term_handler_that_ends_with_7_gives_7_and_not_143() {
    holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 7 } } } } }
steps:
  - run: web
  - stop: web
    expect: { took: 0s, web: { exit: 7 }, events: [web kill SIGTERM, web die 7, web stop] }
",
    );
}

#[test]
fn kill_with_a_handled_signal_returns_before_the_exit() {
    let told = holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 0, after: 500ms } } } } }
steps:
  - run: web
  - kill: { container: web, signal: TERM }
    expect: { took: 0s }
  - wait_exit: web
    expect: { took: 500ms, web: { state: stopped, exit: 0 }, events: [web die 0] }
",
    );
    assert_eq!(told.timeline(), ["0 web create", "0 web start", "0 web kill SIGTERM", "0.5 web die 0"]);
}

#[test]
fn with_init_an_unhandled_signal_ends_it_with_128_and_its_number() {
    for (signal, code) in [("TERM", 143), ("QUIT", 131), ("INT", 130), ("HUP", 129), ("USR1", 138)] {
        holds(&format!(
            "
containers: {{ web: {{ init: true }} }}
steps:
  - run: web
    expect: {{ web: {{ processes: 2 }} }}
  - kill: {{ container: web, signal: {signal} }}
    expect: {{ web: {{ state: stopped, exit: {code} }}, events: [web kill SIG{signal}, web die {code}] }}
"
        ));
    }
}

#[test]
fn with_init_a_stop_takes_no_time_and_gives_143() {
    holds(
        "
containers: { web: { init: true } }
steps:
  - run: web
  - stop: web
    expect: { took: 0s, web: { exit: 143 }, events: [web kill SIGTERM, web die 143, web stop] }
",
    );
}

#[test]
fn the_small_init_does_not_forward_abrt_and_segv() {
    for signal in ["ABRT", "SEGV"] {
        holds(&format!(
            "
containers: {{ web: {{ init: true }} }}
steps:
  - run: web
  - kill: {{ container: web, signal: {signal} }}
  - wait: 1s
    expect: {{ web: {{ state: running, processes: 2 }}, events: [] }}
"
        ));
    }
}

#[test]
fn a_child_of_init_that_ignores_term_spends_the_whole_grace() {
    holds(
        "
containers: { web: { init: true, behavior: { signals: { TERM: ignore } } } }
steps:
  - run: web
  - stop: web
    expect:
      took: 10s
      web: { exit: 137 }
      events: [web kill SIGTERM, web kill SIGKILL, web die 137, web stop]
",
    );
}

#[test]
fn sigstop_does_not_pause_and_uses_no_cpu() {
    holds(
        "
containers: { web: { behavior: { cpu: 50% } } }
steps:
  - run: web
    expect: { web: { cpu: busy } }
  - kill: { container: web, signal: STOP }
    expect: { web: { state: running, cpu: idle, processes: 1 }, events: [web kill SIGSTOP] }
  - kill: { container: web, signal: CONT }
    expect: { web: { state: running, cpu: busy }, events: [web kill SIGCONT] }
",
    );
}

#[test]
fn term_stays_pending_on_a_stopped_process_until_cont() {
    holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 0 } } } } }
steps:
  - run: web
  - kill: { container: web, signal: STOP }
  - kill: { container: web, signal: TERM }
  - wait: 1m
    expect: { web: { state: running }, events: [] }
  - kill: { container: web, signal: CONT }
    expect: { web: { state: stopped, exit: 0 }, events: [web kill SIGCONT, web die 0] }
",
    );
}

#[test]
fn stop_of_a_process_that_sigstop_holds_spends_its_grace() {
    holds(
        "
containers: { web: { behavior: { signals: { TERM: { exit: 0 } } } } }
steps:
  - run: web
  - kill: { container: web, signal: STOP }
  - stop: { container: web, timeout: 2s }
    expect: { took: 2s, web: { exit: 137 } }
",
    );
}

#[test]
fn unpause_gives_a_process_back_to_the_sigstop_that_held_it() {
    holds(
        "
containers: { web: { behavior: { cpu: 50% } } }
steps:
  - run: web
  - kill: { container: web, signal: STOP }
  - pause: web
    expect: { web: { state: paused, cpu: idle } }
  - unpause: web
    expect: { web: { state: running, cpu: idle } }
  - kill: { container: web, signal: CONT }
    expect: { web: { cpu: busy } }
",
    );
}

#[test]
fn an_unknown_signal_is_refused_in_every_state() {
    holds(
        "
containers: { web: }
steps:
  - kill: { container: web, signal: NOSUCH }
    refused: invalid signal
  - create: web
  - kill: { container: web, signal: NOSUCH }
    refused: 'invalid signal: NOSUCH'
  - start: web
  - kill: { container: web, signal: NOSUCH }
    refused: 'invalid signal: NOSUCH'
    expect: { web: { state: running }, events: [] }
",
    );
}

#[test]
fn kill_of_what_does_not_run_is_refused() {
    holds(
        "
containers: { web: }
steps:
  - create: web
  - kill: web
    refused: not running
    expect: { web: { state: created }, events: [] }
  - start: web
  - kill: web
  - kill: web
    refused: not running
    expect: { web: { state: stopped, exit: 137 }, events: [] }
",
    );
}
