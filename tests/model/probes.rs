//! Health checks by hand: which probe is taken back when, and with what its timers.

use std::time::Duration;

use terrarium::model::{Answer, ContainerSpec, HealthCheck, Observation, Timer, Verb, Within};

use crate::hand::{Hand, NOTHING, ended};

#[test]
fn with_a_run_end_the_timers_of_its_health_check() {
    let mut hand = Hand::running_of(checked());
    assert_eq!(
        hand.see(ended(1))[..4],
        ["Cancel(SteadyRun)", "Cancel(Health)", "Cancel(StartPeriod)", "Discard"],
        "between two probes"
    );
    let mut hand = Hand::running_of(checked());
    hand.see(Observation::Fired(Timer::StartPeriod));
    assert_eq!(hand.see(Observation::Fired(Timer::Health)), ["Probe", "Arm(HealthTimeout, 30s)"]);
    assert_eq!(
        hand.see(ended(1))[..4],
        ["Cancel(SteadyRun)", "StopProbe", "Cancel(HealthTimeout)", "Discard"],
        "during a probe, after the start period"
    );
}

#[test]
fn a_pause_takes_the_probe_back_that_is_under_way() {
    let mut hand = Hand::running_of(checked());
    hand.see(Observation::Fired(Timer::Health));
    hand.ask(Verb::Pause);
    let effects = hand.see(Observation::Frozen);
    assert_eq!(effects[3..], ["StopProbe", "Cancel(HealthTimeout)"]);
    assert_eq!(hand.see(Observation::Within(Within::Probed(Answer::Good))), NOTHING, "too late");
    hand.ask(Verb::Unpause);
    let effects = hand.see(Observation::Thawed);
    assert_eq!(effects.last().map(String::as_str), Some("Arm(Health, 5s)"));
}

/// Probed every five seconds, and as long as Docker does where nothing is said.
fn checked() -> ContainerSpec {
    let health = Some(HealthCheck {
        test: vec!["true".into()],
        interval: Duration::from_secs(5),
        timeout: Duration::ZERO,
        retries: 0,
        start_period: Duration::from_secs(60),
    });
    ContainerSpec { health, ..ContainerSpec::default() }
}
