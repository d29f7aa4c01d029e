//! What has to occur somewhere among all lives.

use terrarium::check::rules::{Tally, judge_all};
use terrarium::model::{EventKind, Health, Rule, Signal, State};

use super::scene::Scene;

const EVENTS: [EventKind; 16] = [
    EventKind::Create,
    EventKind::Start,
    EventKind::Pause,
    EventKind::Unpause,
    EventKind::Kill(Signal::KILL),
    EventKind::Oom,
    EventKind::Die(0),
    EventKind::Stop,
    EventKind::Restart,
    EventKind::Destroy,
    EventKind::Rename,
    EventKind::Update,
    EventKind::ExecCreate,
    EventKind::ExecStart,
    EventKind::ExecDie(0),
    EventKind::HealthStatus(Health::Healthy),
];

/// All that can occur, but for what is called so.
fn all_but(left_out: &str) -> Tally {
    let mut tally = Tally::default();
    for state in State::ALL.into_iter().filter(|state| state.word() != left_out) {
        Scene::of(state).counted(&mut tally);
    }
    // They say what does not move.
    let unmoved = [Rule::PauseFailed, Rule::UnpauseFailed, Rule::RestartBackOff];
    for rule in Rule::ALL.iter().filter(|rule| rule.id() != left_out && !unmoved.contains(rule)) {
        Scene::of(State::Running).moving_by(*rule, State::Running, State::Running).counted(&mut tally);
    }
    for kind in EVENTS.into_iter().filter(|kind| kind.action() != left_out) {
        Scene::of(State::Running).emitting(&[kind]).counted(&mut tally);
    }
    tally
}

fn missing(tally: &Tally) -> Vec<String> {
    judge_all(tally, None).iter().map(ToString::to_string).collect()
}

#[test]
fn every_state_every_arrow_and_every_event_is_missed_by_its_name() {
    for (left_out, told) in [
        ("dead", "every-state-is-reached: no life was ever dead"),
        ("remove.failed", "every-arrow-is-taken: no life ever followed remove.failed"),
        ("oom", "every-event-is-told: no life was ever told of oom"),
    ] {
        assert_eq!(missing(&all_but(left_out)), [told]);
    }
    assert_eq!(missing(&all_but("")), [""; 0]);
}

#[test]
fn a_state_occurs_also_when_it_is_only_passed_through() {
    for (from, to) in [(State::Dead, State::Running), (State::Running, State::Dead)] {
        let mut tally = all_but("dead");
        Scene::of(State::Running).moving(from, to).counted(&mut tally);
        assert_eq!(missing(&tally), [""; 0]);
    }
}

#[test]
fn what_two_have_counted_counts_together() {
    let mut both = all_but("dead");
    both.add(&all_but("oom"));
    assert_eq!(missing(&both), [""; 0]);
    let mut all = Tally::default();
    all.add(&all_but(""));
    assert_eq!(missing(&all), [""; 0]);
}
