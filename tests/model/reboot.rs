//! A host that goes down at an awkward moment: who hears of it, and what is made of what was half done.

use terrarium::model::{
    ContainerSpec, ExecId, ExecSpec, Observation, Removal, RestartPolicy, Signal, State, Verb, Within,
};

use crate::hand::{Hand, STOP, create, ended, words};

const KILL: Verb = Verb::Kill { signal: Signal::KILL };

/// One that runs, with a command inside that ticket 2 waits for.
fn with_a_guest() -> Hand {
    let mut hand = Hand::with_running();
    hand.ask(Verb::Exec(ExecSpec::of(&["sleep".into()])));
    hand.see(Observation::Within(Within::ExecBegan(ExecId(0))));
    hand
}

#[test]
fn whoever_waits_for_an_answer_hears_of_it_in_every_state() {
    let pause = |hand: &mut Hand| {
        hand.ask(Verb::Pause);
        hand.see(Observation::Frozen);
    };
    let heard = |what: &dyn Fn(&mut Hand)| {
        let mut hand = with_a_guest();
        what(&mut hand);
        let effects = words(hand.host.wake());
        let answers = effects.iter().filter_map(|effect| effect.strip_prefix("answer "));
        let told = answers.map(|answer| {
            answer.strip_suffix(" failed: the host went down meanwhile (ask again)").unwrap().to_owned()
        });
        told.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(heard(&|_| ()), "2", "running");
    assert_eq!(heard(&|hand| drop(hand.ask(Verb::Pause))), "2 3", "freezing");
    assert_eq!(heard(&pause), "2", "paused");
    let thaw = |hand: &mut Hand| {
        pause(hand);
        hand.ask(Verb::Unpause);
    };
    assert_eq!(heard(&thaw), "2 4", "thawing");
    assert_eq!(heard(&|hand| drop(hand.ask(KILL))), "2 3", "killing");
    let stop = |hand: &mut Hand| {
        hand.ask(STOP);
        hand.ask(Verb::Pause);
    };
    assert_eq!(heard(&stop), "2 3 4", "stopping, and being paused meanwhile");
    let removal = |hand: &mut Hand| {
        hand.ask(STOP);
        hand.ask(KILL);
        hand.ask(Verb::Remove(Removal::Forced));
    };
    assert_eq!(heard(&removal), "2 3 4 5", "removing");
    let waiting = |hand: &mut Hand| {
        hand.ask(Verb::Pause);
        hand.ask(STOP);
        hand.ask(Verb::Wait);
    };
    assert_eq!(heard(&waiting), "2 3 4 5", "in line, and for a death");
}

#[test]
fn a_first_start_that_it_interrupts_leaves_it_created_without_a_process() {
    for restart in [RestartPolicy::No, RestartPolicy::Always] {
        let mut hand = Hand::created_of(ContainerSpec { restart, ..ContainerSpec::default() });
        hand.ask(Verb::Start);
        assert_eq!(words(hand.host.wake()).len(), 1, "the answer");
        assert_eq!((hand.state(), hand.exit()), (State::Created, None));
        assert_eq!(hand.ask(Verb::Start), ["Prepare"]);
    }
}

#[test]
fn a_later_start_that_it_interrupts_leaves_it_stopped_with_its_last_code() {
    let mut hand = Hand::with_running();
    hand.see(ended(3));
    hand.ask(Verb::Start);
    assert_eq!(words(hand.host.wake())[1..], ["Discard"]);
    assert_eq!((hand.state(), hand.exit()), (State::Stopped, Some(3)));
}

#[test]
fn a_start_by_its_policy_that_it_interrupts_counts_as_back_off() {
    let restart = RestartPolicy::OnFailure { max: 0 };
    let mut hand = Hand::running_of(ContainerSpec { restart, ..ContainerSpec::default() });
    hand.see(ended(3));
    assert_eq!(hand.see(Observation::Fired(terrarium::model::Timer::BackOff)), ["Prepare"]);
    assert_eq!(words(hand.host.wake()), ["restarting → stopped", "Discard"]);
    assert_eq!((hand.state(), hand.exit()), (State::Stopped, Some(0)));
}

#[test]
fn a_creation_that_it_interrupts_is_taken_back_and_a_deletion_goes_on() {
    let mut hand = Hand::new();
    hand.ask(create());
    hand.see(Observation::NameGranted);
    assert_eq!(words(hand.host.wake())[1..], ["Discard", "Remove", "ReleaseName(it)"]);
    assert_eq!(hand.ask(create()), ["ClaimName(it)"]);

    let mut hand = Hand::with_created();
    hand.ask(Verb::Remove(Removal::Gentle));
    assert_eq!(words(hand.host.wake())[1..], ["Discard", "Remove"]);
    assert_eq!(hand.state(), State::Removing);
}
