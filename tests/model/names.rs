//! Names that are wanted before it is known whether they can be had.

use terrarium::model::{Command, Id, Name, Observation, Removal, State, Ticket, Verb};

use crate::hand::{Hand, create, it, words};

#[test]
fn every_rename_gets_the_answer_to_its_own_claim() {
    let mut hand = Hand::with_created();
    let second = Command { container: name("second"), verb: create() };
    let _ = words(hand.host.command(Ticket(10), &second).unwrap());
    let _ = words(hand.host.observe(Id(1), Observation::NameGranted));
    let _ = words(hand.host.observe(Id(1), Observation::Prepared));

    hand.ask(rename("one"));
    let second = Command { container: name("second"), verb: rename("two") };
    assert_eq!(words(hand.host.command(Ticket(11), &second).unwrap()), ["ClaimName(two)"]);
    let effects = words(hand.host.observe(Id(0), Observation::NameGranted));
    assert_eq!(effects, ["ReleaseName(it)", "event rename", "answer 1 done"]);
    let effects = words(hand.host.observe(Id(1), Observation::NameDenied));
    assert_eq!(effects, ["answer 11 the name two is already in use"]);
    assert_eq!(hand.host.names().map(Name::as_str).collect::<Vec<_>>(), ["one", "second"]);
}

#[test]
fn two_renames_of_one_container_are_granted_in_their_order() {
    let mut hand = Hand::with_created();
    hand.ask(rename("one"));
    hand.ask(rename("two"));
    assert_eq!(hand.see(Observation::NameGranted), ["ReleaseName(it)", "event rename", "answer 1 done"]);
    let effects = words(hand.host.observe(Id(0), Observation::NameGranted));
    assert_eq!(effects, ["ReleaseName(one)", "event rename", "answer 2 done"]);
}

#[test]
fn what_has_no_name_yet_cannot_be_renamed() {
    let mut hand = Hand::new();
    hand.ask(create());
    assert_eq!(hand.refused(rename("other")), "no such container");
    hand.see(Observation::NameGranted);
    assert_eq!(hand.ask(rename("other")), ["ClaimName(other)"]);
}

#[test]
fn a_name_that_was_wanted_by_what_is_gone_is_taken_until_it_is_given_back() {
    let mut hand = Hand::with_created();
    hand.ask(rename("other"));
    hand.ask(Verb::Remove(Removal::Gentle));
    hand.see(Observation::Removed);
    let asked = |hand: &mut Hand, verb| {
        let command = Command { container: name("other"), verb };
        hand.host.command(Ticket(10), &command).unwrap_err().reason.to_string()
    };
    assert_eq!(asked(&mut hand, create()), "the name other is already in use");
    assert_eq!(asked(&mut hand, Verb::Start), "no such container");
    assert_eq!(asked(&mut hand, rename("third")), "no such container");
    let effects = words(hand.host.observe(Id(0), Observation::NameGranted));
    assert_eq!(effects, ["answer 1 no such container", "ReleaseName(other)"]);
    let free = Command { container: name("other"), verb: create() };
    assert_eq!(words(hand.host.command(Ticket(11), &free).unwrap()), ["ClaimName(other)"]);
}

#[test]
fn what_is_being_removed_tells_of_no_rename() {
    let mut hand = Hand::with_created();
    hand.ask(rename("other"));
    hand.ask(Verb::Remove(Removal::Gentle));
    assert_eq!(hand.see(Observation::NameGranted), ["ReleaseName(it)", "answer 1 done"]);
    assert_eq!(hand.host.status(&it()).state, State::Absent);
    assert_eq!(hand.host.status(&name("other")).state, State::Removing);
}

fn rename(to: &str) -> Verb {
    Verb::Rename { to: name(to) }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}
