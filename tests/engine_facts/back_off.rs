//! The restart manager's back-off: its waits, what resets them, and what can be done meanwhile.

use crate::story::holds;

/// The waits between each death and the start that follows it.
fn waits(dies: &[f64], starts: &[f64]) -> Vec<f64> {
    let after = starts.iter().skip(1).zip(dies).map(|(start, die)| (start - die) * 1000.0);
    after.map(|millis| millis.round() / 1000.0).collect()
}

#[test]
fn the_back_off_doubles_from_a_tenth_of_a_second_to_a_minute() {
    let told = holds(
        "
containers: { web: { restart: always, behavior: { exits: { code: 3 } } } }
steps:
  - run: web
  - wait: 5m
    expect: { web: { state: restarting, exit: 3, restarts: 14 } }
",
    );
    let waited = waits(&told.times_of("die"), &told.times_of("start"));
    assert_eq!(waited, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0, 60.0]);
}

#[test]
fn a_run_of_ten_seconds_begins_the_back_off_anew() {
    let told = holds(
        "
containers:
  web: { restart: always, behavior: { runs: [{ exits: {} }, { exits: {} }, { exits: { after: 10s } }, { exits: {} }] } }
steps:
  - run: web
  - wait: 12s
",
    );
    let waited = waits(&told.times_of("die"), &told.times_of("start"));
    assert_eq!(waited[..4], [0.1, 0.2, 0.1, 0.2]);
}

#[test]
fn a_run_of_nine_seconds_does_not() {
    let told = holds(
        "
containers:
  web: { restart: always, behavior: { runs: [{ exits: {} }, { exits: {} }, { exits: { after: 9s } }, { exits: {} }] } }
steps:
  - run: web
  - wait: 12s
",
    );
    let waited = waits(&told.times_of("die"), &told.times_of("start"));
    assert_eq!(waited[..4], [0.1, 0.2, 0.4, 0.8]);
}

#[test]
fn a_run_of_ten_seconds_resets_the_delay_but_not_the_count() {
    let told = holds(
        "
containers:
  web:
    restart: on-failure:3
    behavior: { runs: [{ exits: { code: 1 } }, { exits: { after: 11s, code: 1 } }, { exits: { code: 1 } }] }
steps:
  - run: web
  - wait: 1m
    expect: { web: { state: stopped, exit: 1, restarts: 3 } }
",
    );
    assert_eq!(told.times_of("start"), [0.0, 0.1, 11.2, 11.4]);
}

#[test]
fn in_back_off_it_holds_its_exit_code_and_no_process_and_no_port() {
    holds(
        "
containers: { web: { restart: always, publish: ['18083:80'], behavior: { exits: { after: 10ms, code: 3 } } } }
steps:
  - run: web
    expect: { web: { state: running, ports: [18083], processes: 1 } }
  - wait: { for: { container: web, state: restarting } }
    expect: { took: 10ms, web: { state: restarting, exit: 3, processes: 0, ports: [] } }
",
    );
}

#[test]
fn stop_in_back_off_is_only_a_stop_event_and_keeps_the_exit_code() {
    holds(
        "
containers: { web: { restart: always, behavior: { exits: { code: 3 } } } }
steps:
  - run: web
    expect: { web: { state: restarting } }
  - stop: web
    expect: { took: 0s, web: { state: stopped, exit: 3 }, events: [web stop] }
  - wait: 5m
    expect: { web: { state: stopped }, events: [] }
",
    );
}

#[test]
fn kill_with_any_signal_in_back_off_ends_it_without_an_event() {
    for signal in ["KILL", "TERM", "USR1"] {
        holds(&format!(
            "
containers: {{ web: {{ restart: always, behavior: {{ exits: {{ code: 3 }} }} }} }}
steps:
  - run: web
    expect: {{ web: {{ state: restarting }} }}
  - kill: {{ container: web, signal: {signal} }}
    expect: {{ took: 0s, web: {{ state: stopped, exit: 3 }}, events: [] }}
  - wait: 5m
    expect: {{ web: {{ state: stopped }}, events: [] }}
"
        ));
    }
}

#[test]
fn start_in_back_off_is_nothing_to_do_and_does_not_shorten_the_wait() {
    let told = holds(
        "
containers: { web: { restart: always, behavior: { runs: [{ exits: {} }, { exits: {} }, { exits: {} }, {}] } } }
steps:
  - run: web
  - wait: 350ms
    expect: { web: { state: restarting } }
  - start: web
    expect: { took: 0s, web: { state: restarting }, events: [] }
  - wait: { for: { container: web, state: running } }
",
    );
    assert_eq!(told.times_of("start"), [0.0, 0.1, 0.3, 0.7]);
}

#[test]
fn restart_in_back_off_starts_at_once_and_forgets_count_and_delay() {
    let told = holds(
        "
containers: { web: { restart: always, behavior: { exits: { after: 1ms, code: 3 } } } }
steps:
  - run: web
  - wait: 1s
    expect: { web: { state: restarting, restarts: 4 } }
  - restart: web
    expect: { took: 0s, web: { state: running, restarts: 0 } }
  - wait: 1s
",
    );
    let restarted = told.times_of("restart")[0];
    let starts: Vec<f64> = told.times_of("start").into_iter().filter(|start| *start >= restarted).collect();
    let dies: Vec<f64> = told.times_of("die").into_iter().filter(|die| *die >= restarted).collect();
    assert_eq!(waits(&dies, &starts)[..3], [0.1, 0.2, 0.4], "the first waits again");
}

#[test]
fn rename_in_back_off_is_refused_and_the_old_name_stays() {
    holds(
        "
containers: { web: { restart: always, behavior: { exits: {} } } }
steps:
  - run: web
    expect: { web: { state: restarting } }
  - rename: { container: web, to: other }
    refused: restarting
    expect: { web: { state: restarting }, other: { state: absent } }
",
    );
}

#[test]
fn taking_the_policy_away_in_back_off_still_lets_one_more_start_happen() {
    holds(
        "
containers: { web: { restart: always, behavior: { exits: { code: 3 } } } }
steps:
  - run: web
    expect: { web: { state: restarting } }
  - update: { container: web, restart: no }
    expect: { web: { state: stopped, exit: 3 }, events: [web update, web start, web die 3] }
  - wait: 5m
    expect: { web: { state: stopped }, events: [] }
",
    );
}

#[test]
fn pause_exec_and_gentle_removal_in_back_off_are_refused() {
    holds(
        "
containers: { web: { restart: always, behavior: { exits: {} } } }
steps:
  - run: web
    expect: { web: { state: restarting } }
  - pause: web
    refused: restarting
  - exec: { container: web, command: ['true'] }
    refused: restarting
  - remove: web
    refused: restarting
  - unpause: web
    refused: not paused
  - remove: { container: web, force: true }
    expect: { web: { state: absent }, events: [web destroy] }
",
    );
}
