//! Health checks: interval, timeout, retries and start period, and what pause and stop do to them.

use crate::story::holds;

#[test]
fn health_is_starting_until_the_first_probe_after_an_interval() {
    let told = holds(
        "
containers: { web: { health: { test: ['true'], interval: 5s } } }
steps:
  - create: web
    expect: { web: { health: none } }
  - start: web
    expect: { web: { health: starting } }
  - wait: 6s
    expect: { web: { health: healthy }, events: [web health_status healthy] }
  - wait: 1m
    expect: { web: { health: healthy }, events: [] }
",
    );
    assert_eq!(told.times_of("health_status"), [5.0]);
}

#[test]
fn three_failures_in_a_row_make_it_unhealthy_half_a_minute_apart_by_default() {
    let told = holds(
        "
containers: { web: { health: { test: ['false'] } } }
steps:
  - run: web
  - wait: 89s
    expect: { web: { health: starting }, events: [] }
  - wait: 2s
    expect: { web: { state: running, health: unhealthy }, events: [web health_status unhealthy] }
",
    );
    assert_eq!(told.times_of("health_status"), [90.0]);
}

#[test]
fn one_success_makes_it_healthy_again_and_begins_the_count_anew() {
    let told = holds(
        "
containers:
  web:
    health: { interval: 1s, retries: 2 }
    behavior: { health: [{ for: 2500ms, ok: false }, { for: 1s, ok: true }, { for: 1s, ok: false }, { for: 1s, ok: true }, { for: 1s, ok: false }] }
steps:
  - run: web
  - wait: 10s
",
    );
    // The single failure at 4 s counts for nothing; those at 6 s and 7 s do.
    assert_eq!(told.times_of("health_status"), [2.0, 3.0, 7.0]);
}

#[test]
fn a_probe_that_takes_too_long_has_failed() {
    let told = holds(
        "
containers: { web: { health: { test: [sleep, '10'], interval: 2s, timeout: 1s, retries: 1 } } }
steps:
  - run: web
  - wait: 10s
    expect: { web: { health: unhealthy } }
",
    );
    assert_eq!(told.times_of("health_status"), [3.0]);
}

#[test]
fn failures_inside_the_start_period_do_not_count() {
    let told = holds(
        "
containers: { web: { health: { test: ['false'], interval: 2s, retries: 1, start_period: 5s } } }
steps:
  - run: web
  - wait: 5s
    expect: { web: { health: starting }, events: [] }
  - wait: 5s
",
    );
    assert_eq!(told.times_of("health_status"), [6.0]);
}

#[test]
fn after_a_first_success_failures_count_even_inside_the_start_period() {
    let told = holds(
        "
containers:
  web:
    health: { interval: 1s, retries: 1, start_period: 1m }
    behavior: { health: [{ for: 1500ms, ok: true }, { for: 1s, ok: false }] }
steps:
  - run: web
  - wait: 5s
",
    );
    assert_eq!(told.times_of("health_status"), [1.0, 2.0]);
}

#[test]
fn a_probe_that_began_inside_the_start_period_does_not_count_when_it_fails_after_it() {
    let told = holds(
        "
containers:
  web: { health: { test: [sleep, '10'], interval: 2s, timeout: 3s, retries: 1, start_period: 4s } }
steps:
  - run: web
  - wait: 20s
",
    );
    assert_eq!(told.times_of("health_status"), [10.0], "the probe of 2 s failed at 5 s, that of 7 s at 10 s");
}

#[test]
fn a_paused_container_is_unhealthy_without_an_event_and_is_not_probed() {
    let told = holds(
        "
containers: { web: { health: { test: ['true'], interval: 2s } } }
steps:
  - run: web
  - wait: 3s
    expect: { web: { health: healthy } }
  - pause: web
    expect: { web: { health: unhealthy }, events: [web pause] }
  - wait: 1m
    expect: { web: { health: unhealthy }, events: [] }
  - unpause: web
    expect: { web: { health: unhealthy }, events: [web unpause] }
  - wait: 3s
    expect: { web: { health: healthy }, events: [web health_status healthy] }
",
    );
    assert_eq!(told.times_of("health_status"), [2.0, 65.0]);
}

#[test]
fn a_stopped_container_is_not_probed_and_the_next_start_begins_at_starting() {
    holds(
        "
containers: { web: { health: { test: ['true'], interval: 2s } } }
steps:
  - run: web
  - wait: 3s
    expect: { web: { health: healthy } }
  - kill: web
    expect: { web: { health: unhealthy }, events: [web kill SIGKILL, web die 137] }
  - wait: 1m
    expect: { events: [] }
  - start: web
    expect: { web: { health: starting } }
",
    );
}

#[test]
fn a_check_that_asks_for_zero_gets_the_defaults() {
    let told = holds(
        "
containers: { web: { health: { test: ['false'], interval: 0s, timeout: 0s, retries: 0 } } }
steps:
  - run: web
  - wait: 2m
",
    );
    assert_eq!(told.times_of("health_status"), [90.0]);
}

#[test]
fn a_probe_has_half_a_minute_by_default() {
    let told = holds(
        "
containers: { web: { health: { test: [sleep, '40'], interval: 2s, retries: 1 } } }
steps:
  - run: web
  - wait: 1m
",
    );
    assert_eq!(told.times_of("health_status"), [32.0]);
}

#[test]
fn a_phase_of_a_behaviour_is_over_at_the_very_moment_that_it_says() {
    let told = holds(
        "
containers:
  web:
    health: { interval: 1s, retries: 1 }
    behavior: { health: [{ for: 2s, ok: true }, { for: 1s, ok: false }] }
steps:
  - run: web
  - wait: 5s
",
    );
    assert_eq!(told.times_of("health_status"), [1.0, 2.0]);
}

#[test]
fn probes_go_on_during_a_stop() {
    holds(
        "
containers: { web: { health: { test: ['true'], interval: 4s } } }
steps:
  - run: web
  - stop: web
    expect: { events: [web kill SIGTERM, web health_status healthy, web kill SIGKILL, web die 137, web stop] }
",
    );
}

#[test]
fn a_paused_container_that_is_stopped_stays_unhealthy_and_is_probed_again_during_its_grace() {
    holds(
        "
containers: { web: { health: { test: ['true'], interval: 4s } } }
steps:
  - run: web
  - wait: 5s
  - pause: web
  - async: { stop: web }
    expect: { web: { health: unhealthy } }
  - join: web
    expect:
      events: [web unpause, web health_status healthy, web kill SIGKILL, web die 137, web stop]
      web: { health: unhealthy }
",
    );
}

#[test]
fn an_unhealthy_container_is_not_restarted_by_its_policy() {
    holds(
        "
containers: { web: { restart: always, health: { test: ['false'], interval: 1s, retries: 1 } } }
steps:
  - run: web
  - wait: 5m
    expect: { web: { state: running, health: unhealthy, restarts: 0 } }
",
    );
}
