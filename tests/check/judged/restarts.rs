//! What a restart policy may do.

use std::time::Duration;

use terrarium::check::moment::Asked;
use terrarium::model::{ContainerSpec, Ending, EventKind, Oom, RestartPolicy, State};

use super::scene::{SECOND, Scene, says};

fn again(restart: RestartPolicy) -> Scene {
    let spec = ContainerSpec { restart, ..ContainerSpec::default() };
    Scene::of(State::Restarting)
        .moving(State::Running, State::Restarting)
        .with(|scene| scene.past.spec = Some(Box::new(spec)))
}

#[test]
fn what_a_person_has_ended_is_started_again_only_by_a_person() {
    let rule = "stopped-stays-stopped";
    let ended = Scene::of(State::Running).with(|scene| scene.past.ended_by_hand = true);
    let started = ended.clone().emitting(&[EventKind::Update, EventKind::Start]);
    let told = says("web was ended by hand, and has been started again though nobody asked for that");
    assert_eq!(started.judged_by(rule), told);
    assert_eq!(started.clone().open(Asked::Stop).judged_by(rule), told);
    for asked in [Asked::Start, Asked::Restart] {
        assert_eq!(started.clone().open(asked).judged_by(rule), None);
    }
    assert_eq!(ended.emitting(&[EventKind::Update]).judged_by(rule), None);
    assert_eq!(Scene::of(State::Running).emitting(&[EventKind::Start]).judged_by(rule), None);
}

#[test]
fn a_policy_starts_again_only_what_it_says() {
    let rule = "policy-is-obeyed";
    for (policy, code, may) in [
        (RestartPolicy::No, 1, false),
        (RestartPolicy::No, 0, false),
        (RestartPolicy::OnFailure { max: 0 }, 0, false),
        (RestartPolicy::OnFailure { max: 0 }, 1, true),
        (RestartPolicy::Always, 0, true),
        (RestartPolicy::UnlessStopped, 0, true),
    ] {
        let ended = |scene: &mut Scene| scene.now.last_end = Some(Ending { code, oom: Oom::None });
        let told = (!may).then(|| format!("web ended with {code}, and is started again under `{policy}`"));
        assert_eq!(again(policy).with(ended).judged_by(rule), told);
        assert_eq!(again(policy).judged_by(rule), None, "no end was seen");
        let stays = again(policy).with(ended).with(|scene| scene.effects.clear());
        assert_eq!(stays.judged_by(rule), None);
    }
}

#[test]
fn on_failure_with_a_number_starts_again_so_often() {
    let rule = "restarts-are-bounded";
    let counted = |policy, count| again(policy).with(|scene| scene.now.policy_restarts = count);
    let bounded = RestartPolicy::OnFailure { max: 2 };
    let told = says("web is started again for the 3th time under `on-failure:2`");
    assert_eq!(counted(bounded, 3).judged_by(rule), told);
    assert_eq!(counted(bounded, 2).judged_by(rule), None);
    assert_eq!(counted(bounded, 3).with(|scene| scene.effects.clear()).judged_by(rule), None);
    assert_eq!(counted(RestartPolicy::OnFailure { max: 0 }, 3).judged_by(rule), None);
    assert_eq!(counted(RestartPolicy::Always, 3).judged_by(rule), None);
}

#[test]
fn a_wait_is_twice_the_last_one_up_to_a_minute() {
    let rule = "back-off-doubles";
    let millis = Duration::from_millis;
    let after = |last, wait| {
        Scene::of(State::Restarting).waiting(wait).with(|scene| scene.past.last_wait = Some(last))
    };
    assert_eq!(
        after(millis(200), millis(399)).judged_by(rule),
        says("web waited 200ms last time, and now waits 399ms")
    );
    assert_eq!(after(millis(200), millis(400)).judged_by(rule), None);
    assert_eq!(after(40 * SECOND, 60 * SECOND).judged_by(rule), None);
    assert!(after(40 * SECOND, 59 * SECOND).judged_by(rule).is_some());
    let steady = after(millis(200), millis(100)).with(|scene| scene.past.steady = true);
    assert_eq!(steady.judged_by(rule), None);
    assert_eq!(Scene::of(State::Restarting).waiting(millis(1)).judged_by(rule), None, "the first");
}

#[test]
fn no_wait_is_longer_than_a_minute() {
    let rule = "back-off-is-capped";
    let waiting = |wait| Scene::of(State::Restarting).waiting(wait);
    assert_eq!(waiting(61 * SECOND).judged_by(rule), says("web waits 1m 1s before its next start"));
    assert_eq!(waiting(60 * SECOND).judged_by(rule), None);
    assert_eq!(waiting(SECOND).judged_by(rule), None);
}

#[test]
fn the_first_wait_after_a_long_run_or_a_start_by_hand_is_a_tenth_of_a_second() {
    let rule = "back-off-is-reset";
    let waiting = |millis, last, steady| {
        Scene::of(State::Restarting).waiting(Duration::from_millis(millis)).with(|scene| {
            scene.past.last_wait = last;
            scene.past.steady = steady;
        })
    };
    assert_eq!(
        waiting(200, Some(SECOND), true).judged_by(rule),
        says("web had run for ten seconds, and waits 200ms before its next start")
    );
    assert_eq!(
        waiting(200, None, false).judged_by(rule),
        says("web had been started by hand, and waits 200ms before its next start")
    );
    assert_eq!(waiting(100, Some(SECOND), true).judged_by(rule), None);
    assert_eq!(waiting(100, None, false).judged_by(rule), None);
    assert_eq!(waiting(200, Some(SECOND), false).judged_by(rule), None);
}
