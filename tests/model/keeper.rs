//! A keeper that is killed: what becomes of its containers in each state, and in which of them somebody has to be there.

use terrarium::model::{
    Command, ContainerSpec, Effect, ExecId, ExecSpec, Id, Name, Observation, Removal, RestartPolicy, Rule,
    Signal, State, Ticket, Timer, Verb, Within,
};

use crate::hand::{Hand, NOTHING, STOP, create, ended, failure, words};

const LOST: &str = "failed: its keeper was killed meanwhile (ask again)";

fn answer(ticket: u64) -> String {
    format!("answer {ticket} {LOST}")
}

#[test]
fn what_had_a_process_counts_as_killed() {
    for (asked, state) in [(vec![], "running"), (vec![Verb::Pause], "paused")] {
        let mut hand = Hand::with_running();
        for verb in asked {
            hand.ask(verb);
            hand.see(Observation::Frozen);
        }
        let effects = hand.host.keeper_lost();
        let rules: Vec<Rule> = effects.0.iter().filter_map(rule).collect();
        assert_eq!(rules, [Rule::KeeperLost]);
        let moved = format!("{state} → stopped");
        assert_eq!(words(effects), ["Cancel(SteadyRun)", "Discard", "event die 137", moved.as_str()]);
        assert_eq!((hand.state(), hand.exit()), (State::Stopped, Some(137)));
    }
}

fn rule(effect: &Effect) -> Option<Rule> {
    match effect {
        Effect::Moved(moved) => Some(moved.rule),
        _ => None,
    }
}

#[test]
fn a_stop_ends_with_its_keeper_and_is_told_as_one() {
    let mut hand = Hand::with_running();
    hand.ask(STOP);
    let effects = hand.host.keeper_lost();
    let rules: Vec<Rule> = effects.0.iter().filter_map(rule).collect();
    assert_eq!(rules, [Rule::StopEnded], "somebody had asked for it");
    assert_eq!(words(effects)[3..], ["event die 137", "stopping → stopped", "event stop", "answer 2 done"]);
}

#[test]
fn its_policy_decides_what_comes_after() {
    let mut hand =
        Hand::running_of(ContainerSpec { restart: RestartPolicy::Always, ..ContainerSpec::default() });
    let effects = words(hand.host.keeper_lost());
    assert_eq!(effects.last().map(String::as_str), Some("Arm(BackOff, 100ms)"));
    assert_eq!(hand.state(), State::Restarting);
    assert_eq!(words(hand.host.keeper_lost()), NOTHING, "a back-off goes on");
    assert_eq!(hand.see(Observation::Fired(Timer::BackOff)), ["Prepare"]);
}

#[test]
fn a_creation_is_taken_back_and_its_name_is_free() {
    for (granted, moved) in [(false, None), (true, Some("creating → absent"))] {
        let mut hand = Hand::new();
        hand.ask(create());
        if granted {
            hand.see(Observation::NameGranted);
        }
        let lost = answer(0);
        let expected = [lost.as_str(), "Discard", "Remove", "ReleaseName(it)"].into_iter().chain(moved);
        assert_eq!(words(hand.host.keeper_lost()), expected.collect::<Vec<_>>());
        assert_eq!(hand.ask(create()), ["ClaimName(it)"]);
    }
}

#[test]
fn a_created_container_loses_its_parked_process_alone() {
    let mut hand = Hand::with_created();
    assert_eq!(words(hand.host.keeper_lost()), ["Discard"]);
    assert_eq!((hand.state(), hand.exit()), (State::Created, None));
    assert_eq!(hand.ask(Verb::Start), ["Prepare"]);
}

#[test]
fn a_start_fails_and_what_waits_in_line_hears_why() {
    let mut hand = Hand::with_created();
    hand.ask(Verb::Start);
    hand.ask(Verb::Pause);
    let effects = words(hand.host.keeper_lost());
    assert_eq!(effects[..2], [answer(2), "Discard".into()]);
    assert!(effects[2].starts_with("answer 1 failed: the parked process ended with 137"), "{effects:?}");
    assert_eq!(hand.state(), State::Created);
}

#[test]
fn a_deletion_is_begun_again_without_the_one_who_asked() {
    let mut hand = Hand::with_created();
    hand.ask(Verb::Remove(Removal::Gentle));
    assert_eq!(words(hand.host.keeper_lost()), [answer(1), "Discard".into(), "Remove".into()]);
    assert_eq!(hand.see(Observation::Removed), ["ReleaseName(it)", "removing → absent", "event destroy"]);
}

#[test]
fn a_removal_by_force_goes_on_once_its_process_counts_as_killed() {
    let mut hand = Hand::with_running();
    hand.ask(Verb::Remove(Removal::Forced));
    let effects = words(hand.host.keeper_lost());
    assert_eq!(effects[2..], ["Discard", "event die 137", "Discard", "Remove"]);
    assert_eq!(hand.see(Observation::Removed).last().map(String::as_str), Some("answer 2 done"));
}

#[test]
fn a_new_name_that_was_not_granted_yet_is_given_back() {
    let mut hand = Hand::with_created();
    let to = Name::new("other").unwrap();
    assert_eq!(hand.ask(Verb::Rename { to: to.clone() }), ["ClaimName(other)"]);
    assert_eq!(words(hand.host.keeper_lost())[..2], ["ReleaseName(other)".into(), answer(1)]);
    assert!(hand.host.id(&to).is_none());
    assert_eq!(hand.ask(Verb::Rename { to }), ["ClaimName(other)"]);
}

#[test]
fn the_containers_of_other_keepers_live_on() {
    let mut hand = Hand::with_running();
    let other = Name::new("other").unwrap();
    let asked = Command { container: other.clone(), verb: create() };
    let _ = words(hand.host.command(Ticket(100), &asked).unwrap());
    let _ = words(hand.host.observe(Id(1), Observation::NameGranted));
    let _ = words(hand.host.observe(Id(1), Observation::Prepared));
    assert_eq!(words(hand.host.lose_keeper_of(Id(1))), ["Discard"]);
    assert_eq!(hand.state(), State::Running);
    assert!(!words(hand.host.lose_keeper_of(Id(0))).is_empty());
    assert_eq!((hand.state(), hand.host.status(&other).state), (State::Stopped, State::Created));
}

#[test]
fn somebody_has_to_be_there_for_a_process_a_timer_a_deletion_and_a_grant() {
    let mut hand = Hand::new();
    assert!(!hand.host.needs_keeper(), "there is no container");
    hand.ask(create());
    assert!(hand.host.needs_keeper(), "its name is not granted");
    let mut hand = Hand::with_created();
    assert!(hand.host.needs_keeper(), "a process is parked");
    hand.ask(Verb::Start);
    assert!(hand.host.needs_keeper(), "it is being started");
    hand.see(Observation::ExecuteFailed(failure()));
    assert!(!hand.host.needs_keeper(), "its start has failed, and cost it its process");
    hand.ask(Verb::Rename { to: Name::new("other").unwrap() });
    assert!(hand.host.needs_keeper(), "its new name is not granted");
    hand.see(Observation::NameDenied);
    assert!(!hand.host.needs_keeper(), "its new name is denied");
    hand.ask(Verb::Remove(Removal::Gentle));
    assert!(hand.host.needs_keeper(), "it is being deleted");
    hand.see(Observation::RemoveFailed("a mount is busy".into()));
    assert!(!hand.host.needs_keeper(), "it is dead");

    let mut hand =
        Hand::running_of(ContainerSpec { restart: RestartPolicy::Always, ..ContainerSpec::default() });
    assert!(hand.host.needs_keeper(), "it runs");
    hand.see(ended(1));
    assert!(hand.host.needs_keeper(), "it waits for its next start");
    hand.ask(STOP);
    assert!(!hand.host.needs_keeper(), "it is stopped");
}

#[test]
fn whoever_is_on_its_way_in_dies_with_the_keeper_and_so_does_a_command_inside() {
    let mut hand = Hand::with_running();
    hand.ask(Verb::Exec(ExecSpec::of(&["sleep".into()])));
    hand.see(Observation::Within(Within::ExecBegan(ExecId(0))));
    hand.ask(Verb::Exec(ExecSpec::of(&["sleep".into()])));
    hand.ask(Verb::Kill { signal: Signal::KILL });
    let effects = words(hand.host.keeper_lost());
    let answers: Vec<&String> = effects.iter().filter(|effect| effect.starts_with("answer")).collect();
    assert_eq!(answers, [&answer(4), "answer 2 exited 137", "answer 3 exited 137"]);
}
