//! Restarts: by hand, and by a policy that waits.

use std::time::Duration;

use terrarium::model::{Behavior, ContainerSpec, RestartPolicy, State, Timer};

use crate::stage::{brief, failing, life, life_of, plain, signal};

#[test]
fn restart_is_stop_and_start_in_one_request() {
    assert_eq!(
        life("create start restart:1s").events,
        "create, start, kill SIGTERM, kill SIGKILL, die 137, stop, start, restart"
    );
    assert_eq!(life("create restart").events, "create, start, restart");
    assert_eq!(
        life("create start kill restart").events,
        "create, start, kill SIGKILL, die 137, start, restart"
    );
    let told = life("create start pause restart:1s");
    assert!(
        told.events.ends_with("pause, kill SIGTERM, unpause, kill SIGKILL, die 137, stop, start, restart")
    );
    assert_eq!(told.status.state, State::Running);
}

#[test]
fn a_policy_waits_twice_as_long_each_time_up_to_a_minute() {
    let told = life_of(failing(RestartPolicy::Always), "create start 500s");
    let millis: Vec<u128> = told.waits().iter().map(Duration::as_millis).collect();
    assert_eq!(
        millis,
        [
            100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000, 60_000,
            60_000, 60_000
        ]
    );
}

#[test]
fn the_waits_that_are_listed_are_those_that_are_waited() {
    let listed: Vec<Duration> = Timer::back_offs().take(20).collect();
    let mut waited = life_of(failing(RestartPolicy::Always), "create start 200s").waits();
    waited.dedup();
    assert_eq!(listed, waited);
}

#[test]
fn a_run_of_ten_seconds_begins_the_waits_anew_and_one_of_nine_does_not() {
    let lasting = |seconds| {
        let short = brief(0, 1);
        let long = brief(seconds, 1);
        let runs = vec![short.clone(), short, long, Behavior::default()];
        let behavior = Behavior { runs, ..Behavior::default() };
        ContainerSpec { behavior, restart: RestartPolicy::Always, ..plain() }
    };
    let waits = |seconds| life_of(lasting(seconds), "create start 60s").waits();
    assert_eq!(waits(11).last(), Some(&Duration::from_millis(100)));
    assert_eq!(waits(9).last(), Some(&Duration::from_millis(400)));
}

#[test]
fn on_failure_starts_again_so_often_and_not_after_a_success() {
    let told = life_of(failing(RestartPolicy::OnFailure { max: 3 }), "create start 60s");
    assert_eq!((told.status.state, told.status.restarts, told.status.exit), (State::Stopped, 3, Some(1)));
    let succeeding = |restart| {
        let behavior = brief(1, 0);
        life_of(ContainerSpec { behavior, restart, ..plain() }, "create start 10s").status.restarts
    };
    assert_eq!(succeeding(RestartPolicy::OnFailure { max: 0 }), 0);
    assert!(succeeding(RestartPolicy::Always) > 0);
}

#[test]
fn what_a_person_ended_no_policy_starts_again() {
    for restart in [RestartPolicy::Always, RestartPolicy::UnlessStopped, RestartPolicy::OnFailure { max: 0 }]
    {
        let spec = ContainerSpec { restart, ..plain() };
        for words in ["stop:0s", "kill", "kill:USR1 crash:KILL"] {
            let told = life_of(spec.clone(), &format!("create start {words} 60s"));
            assert_eq!(told.status.state, State::Stopped, "{restart} {words}");
        }
        let told = life_of(spec, "create start stop:0s start crash:KILL 1s");
        assert_eq!((told.status.state, told.status.restarts), (State::Running, 1), "{restart}");
    }
}

#[test]
fn a_configured_stop_signal_leaves_the_policy_its_say_after_others() {
    let spec = ContainerSpec { restart: RestartPolicy::Always, stop_signal: signal("TERM"), ..plain() };
    assert_eq!(life_of(spec, "create start kill:USR1 crash:KILL 1s").status.restarts, 1);
}

#[test]
fn a_back_off_is_ended_by_hand_and_each_hand_tells_its_own_events() {
    // The first two waits are over; the third, of 400 ms, has begun.
    let in_back_off = |words: &str| {
        let told = life_of(failing(RestartPolicy::Always), &format!("create start 350ms {words}"));
        (told.last_answer(), told.last_events(3), told.status)
    };
    assert_eq!(in_back_off("0s").2.state, State::Restarting);
    let (answer, events, status) = in_back_off("stop");
    assert_eq!((answer.as_str(), events.as_str()), ("stop 0s", "start, die 1, stop"));
    assert_eq!((status.state, status.exit), (State::Stopped, Some(1)));
    let (answer, events, status) = in_back_off("kill:USR1");
    assert_eq!((answer.as_str(), events.as_str()), ("kill 0s", "die 1, start, die 1"));
    assert_eq!(status.state, State::Stopped);
    assert_eq!(in_back_off("start").0, "start noop");
    for word in ["pause", "remove"] {
        assert!(in_back_off(word).0.ends_with("it is restarting"));
    }
    let (_, events, status) = in_back_off("remove!");
    assert_eq!((events.as_str(), status.state), ("start, die 1, destroy", State::Absent));
    let (_, _, status) = in_back_off("restart");
    assert_eq!((status.state, status.restarts), (State::Running, 0));
}
