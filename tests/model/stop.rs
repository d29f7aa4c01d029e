//! Signals, and what stop makes of them.

use std::time::Duration;

use terrarium::model::{Behavior, ContainerSpec, Freezer, State, StopTimeout};

use crate::stage::{FREEZERS, after, life, life_of, life_on, plain, polite, signal};

#[test]
fn pid_1_without_handlers_takes_sigkill_and_nothing_else() {
    for signal in ["TERM", "INT", "HUP", "USR1", "QUIT", "ABRT", "SEGV"] {
        let told = life(&format!("create start kill:{signal} 60s"));
        assert_eq!(told.events, format!("create, start, kill SIG{signal}"));
        assert_eq!(told.status.state, State::Running);
    }
    assert_eq!(life("create start kill").status.exit, Some(137));
    assert_eq!(life("create start crash:TERM 1s").status.state, State::Running);
    assert_eq!(life("create start crash:KILL 1s").status.exit, Some(137));
}

#[test]
fn under_an_init_the_default_action_applies_and_the_code_is_128_and_the_signal() {
    let guarded = ContainerSpec { init: true, ..plain() };
    for (signal, code) in [("TERM", 143), ("QUIT", 131), ("INT", 130), ("HUP", 129), ("USR1", 138)] {
        let told = life_of(guarded.clone(), &format!("create start kill:{signal} 1s"));
        assert_eq!(told.status.exit, Some(code), "{signal}");
    }
    // An init keeps what means a fault of its own.
    for signal in ["ABRT", "SEGV"] {
        let told = life_of(guarded.clone(), &format!("create start kill:{signal} 1s"));
        assert_eq!(told.status.state, State::Running, "{signal}");
    }
    assert_eq!(life_of(guarded, "create start stop").events, "create, start, kill SIGTERM, die 143, stop");
}

#[test]
fn a_handler_that_exits_gives_its_own_code() {
    let told = life_of(polite(7, Duration::from_secs(2)), "create start stop");
    assert_eq!(told.events, "create, start, kill SIGTERM, die 7, stop");
    assert_eq!(told.answers, "create 0s, start 0s, stop 2s");
}

#[test]
fn a_kill_with_a_signal_is_answered_before_the_exit_that_follows() {
    let told = life_of(polite(0, Duration::from_secs(2)), "create start kill:TERM 3s");
    assert_eq!(told.answers, "create 0s, start 0s, kill 0s");
    assert_eq!(told.events, "create, start, kill SIGTERM, die 0");
}

#[test]
fn stop_asks_waits_for_ten_seconds_and_kills() {
    let told = life("create start stop");
    assert_eq!(told.events, "create, start, kill SIGTERM, kill SIGKILL, die 137, stop");
    assert_eq!(told.answers, "create 0s, start 0s, stop 10s");
}

#[test]
fn a_stop_may_ask_by_another_signal_than_the_containers() {
    let own = ContainerSpec { stop_signal: signal("INT"), ..polite(7, Duration::from_secs(2)) };
    let told = life_of(own.clone(), "create start stop");
    assert_eq!(told.events, "create, start, kill SIGINT, kill SIGKILL, die 137, stop");
    let told = life_of(own.clone(), "create start stop:TERM");
    assert_eq!(told.events, "create, start, kill SIGTERM, die 7, stop");
    let told = life_of(own, "create start pause restart:TERM");
    assert_eq!(told.events, "create, start, pause, kill SIGTERM, unpause, die 7, stop, start, restart");
    assert_eq!(told.last_answer(), "restart 2s");
}

#[test]
fn the_grace_period_is_the_requests_else_the_containers() {
    let brief = ContainerSpec { stop_timeout: Some(after(2)), ..plain() };
    assert_eq!(life_of(brief.clone(), "create start stop").last_answer(), "stop 2s");
    assert_eq!(life_of(brief, "create start stop:3s").last_answer(), "stop 3s");
    assert_eq!(
        life("create start stop:0s").events,
        "create, start, kill SIGTERM, kill SIGKILL, die 137, stop"
    );
}

#[test]
fn without_a_deadline_stop_waits_for_ever() {
    let patient = |behavior| ContainerSpec { behavior, stop_timeout: Some(StopTimeout::Never), ..plain() };
    let told = life_of(patient(polite(0, Duration::from_secs(13)).behavior), "create start stop");
    assert_eq!((told.last_answer().as_str(), told.status.exit), ("stop 13s", Some(0)));
    let told = life_of(patient(Behavior::default()), "create start stop& 1h");
    assert_eq!((told.status.state, told.open), (State::Stopping, 1));
}

#[test]
fn a_configured_stop_signal_is_sent_instead_of_sigterm() {
    let spec = ContainerSpec { stop_signal: signal("INT"), ..plain() };
    assert_eq!(
        life_of(spec, "create start stop:1s").events,
        "create, start, kill SIGINT, kill SIGKILL, die 137, stop"
    );
}

#[test]
fn a_second_stop_asks_again_and_both_tell_of_it() {
    let told = life("create start stop:5s& 1s stop:9s");
    assert_eq!(
        told.events, "create, start, kill SIGTERM, kill SIGTERM, kill SIGKILL, die 137, stop, stop",
        "the earlier deadline counts"
    );
    assert_eq!(told.answers, "create 0s, start 0s, stop 5s, stop 4s");
}

#[test]
fn a_kill_during_a_stop_ends_both_at_once() {
    let told = life("create start stop& 3s kill");
    assert_eq!(told.events, "create, start, kill SIGTERM, kill SIGKILL, die 137, stop");
    assert_eq!(told.answers, "create 0s, start 0s, stop 3s, kill 0s");
}

#[test]
fn a_start_during_a_stop_does_nothing() {
    let told = life("create start stop& start 10s");
    assert_eq!(told.answers, "create 0s, start 0s, stop 10s, start noop");
    assert_eq!(told.status.state, State::Stopped);
}

#[test]
fn a_pause_during_a_stop_does_not_move_the_deadline() {
    let told = life("create start stop& 2s pause 8s");
    assert_eq!(told.events, "create, start, kill SIGTERM, pause, kill SIGKILL, die 137, stop");
    assert_eq!(told.answers, "create 0s, start 0s, stop 10s, pause 0s");
}

#[test]
fn a_removal_by_force_during_a_stop_answers_both() {
    let told = life("create start stop& 1s remove!");
    assert_eq!(told.events, "create, start, kill SIGTERM, kill SIGKILL, die 137, stop, destroy");
    assert_eq!(told.answers, "create 0s, start 0s, stop 1s, remove 0s");
}

#[test]
fn the_stop_of_a_paused_container_sends_the_signal_before_it_thaws() {
    for freezer in FREEZERS {
        let told = life_on(freezer, plain(), "create start pause stop:1s");
        assert_eq!(told.events, "create, start, pause, kill SIGTERM, unpause, kill SIGKILL, die 137, stop");
        let told = life_on(freezer, polite(0, Duration::ZERO), "create start pause stop");
        assert_eq!(told.events, "create, start, pause, kill SIGTERM, unpause, die 0, stop");
        assert_eq!(told.last_answer(), "stop 0s");
    }
}

#[test]
fn a_kill_of_a_paused_container_tells_of_no_unpause() {
    for freezer in FREEZERS {
        let told = life_on(freezer, plain(), "create start pause kill");
        assert_eq!(told.events, "create, start, pause, kill SIGKILL, die 137", "{freezer:?}");
        let told = life_on(freezer, plain(), "create start pause remove!");
        assert_eq!(told.events, "create, start, pause, kill SIGKILL, die 137, destroy", "{freezer:?}");
    }
}

#[test]
fn any_other_signal_thaws_a_paused_container_and_leaves_it_running() {
    let told = life("create start pause kill:USR1 1s");
    assert_eq!(told.events, "create, start, pause, kill SIGUSR1, unpause");
    assert_eq!(told.status.state, State::Running);
}

#[test]
fn with_a_stop_signal_configured_only_that_one_thaws() {
    let spec = ContainerSpec { stop_signal: signal("TERM"), ..plain() };
    assert_eq!(life_of(spec.clone(), "create start pause kill:USR1 1s").status.state, State::Paused);
    assert_eq!(life_of(spec, "create start pause kill:TERM 1s").status.state, State::Running);
}

#[test]
fn a_sigkill_from_outside_reaches_what_v1_has_frozen_only_at_the_thaw() {
    let told = life_on(Freezer::CgroupV1, plain(), "create start pause crash:KILL 60s unpause 0s");
    assert_eq!(told.events, "create, start, pause, unpause, die 137");
    for freezer in [Freezer::CgroupV2, Freezer::Signals] {
        let told = life_on(freezer, plain(), "create start pause crash:KILL 0s");
        assert_eq!(told.events, "create, start, pause, die 137", "{freezer:?}");
    }
}
