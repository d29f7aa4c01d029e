//! What has to occur somewhere among all lives: a model that does nothing breaks no other rule.

use terrarium::check::lives::{Venue, lived};
use terrarium::check::rules::{Tally, find, judge_all};
use terrarium::check::space::{Reach, kinds, one};
use terrarium::model::Freezer;

const LIVES: u64 = 500;

#[test]
fn a_model_that_does_nothing_is_found_out() {
    let missed: Vec<&str> =
        judge_all(&Tally::default(), None).iter().map(|violation| violation.rule.name).collect();
    assert_eq!(missed, ["every-state-is-reached", "every-arrow-is-taken", "every-event-is-told"]);
}

#[test]
fn one_may_ask_for_one_of_them_alone() {
    let missed = judge_all(&Tally::default(), find("every-arrow-is-taken"));
    assert_eq!(
        missed.iter().map(|violation| violation.rule.name).collect::<Vec<_>>(),
        ["every-arrow-is-taken"]
    );
}

#[test]
fn among_all_lives_is_every_state_every_arrow_and_every_event() {
    let mut tally = Tally::default();
    for (_, spec) in kinds() {
        tally.add(&one(&spec, Freezer::CgroupV1, Reach::ONE_BY_ONE, None).tally);
    }
    for number in 0..LIVES {
        tally.add(&lived(1, number, Venue::Simulator, None, None).tally);
    }
    let missed: Vec<String> = judge_all(&tally, None).iter().map(ToString::to_string).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}
