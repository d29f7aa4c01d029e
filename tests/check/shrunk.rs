//! A life at random that goes wrong is made shorter and plainer, until nothing can be left out of what goes wrong in it.

use std::fmt::Write as _;

use terrarium::check::lives::{Venue, breaks, life, lived, retold, shrunk};
use terrarium::check::rules::find;
use terrarium::engine::planted::Break;
use terrarium::scenario::{Scenario, parse};

#[test]
fn nothing_is_left_but_what_goes_wrong() {
    let mut told = String::new();
    for (bug, rule) in [
        (Break::NoSigkill, "stop-ends"),
        (Break::TwoOwners, "one-owner-of-a-port"),
        (Break::OomUntold, "oom-is-told"),
        (Break::BackOffFlat, "back-off-doubles"),
        (Break::RestartedAlthoughStopped, "stopped-stays-stopped"),
        (Break::ZombieLeft, "nothing-left-of-the-ended"),
        (Break::LostAnswer, "answers-come"),
        (Break::LeakOnFailedStart, "nothing-left-of-the-ended"),
    ] {
        let rule = find(rule).unwrap();
        let goes_wrong = |life: &Scenario| breaks(life, Some(bug), rule).is_some();
        let is_crowded = |life: &Scenario| life.containers.len() > 1;
        let lives = (0..3000).map(|number| (number, life(1, number, Venue::Simulator)));
        let found = lives.into_iter().find(|(_, life)| is_crowded(life) && goes_wrong(life));
        let (number, wrong) = found.unwrap_or_else(|| panic!("{bug}: no life goes wrong"));
        let as_lived = lived(1, number, Venue::Simulator, Some(bug), Some(rule));
        assert_eq!(as_lived.scenario.planted, Some(bug));
        assert_eq!(as_lived.broken.first().map(|broken| broken.rule.name), Some(rule.name));
        let short = shrunk(&wrong, goes_wrong);
        assert!(goes_wrong(&short) && breaks(&short, None, rule).is_none(), "{bug}");
        let _ = write!(told, "{bug}, of {} steps\n{}", wrong.steps.len(), short.to_yaml());
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_cannot_be_a_file_is_no_life() {
    let story = |steps: &str| {
        parse("story", &format!("title: T\ncontainers: {{ a: , b: }}\nsteps: {steps}\n")).unwrap()
    };
    let life =
        story("[{ run: a }, { async: { stop: a } }, { join: a }, { pause: b, refused: no such container }]");
    assert_eq!(retold(&life).unwrap().to_yaml(), life.to_yaml());
    let twice = story(
        "[{ run: a }, { async: { stop: a } }, { join: a }, { start: a }, { async: { stop: a } }, { join: a }]",
    );
    for (begun, mut torn) in [(1, life), (4, twice)] {
        torn.steps.remove(begun);
        assert!(retold(&torn).is_none(), "nothing to join");
    }
}

#[test]
fn a_life_is_told_with_the_refusals_that_it_gets() {
    let written = "title: T\ncontainers: { a: }\nsteps: [{ run: a, refused: nonsense }, { unpause: a }]\n";
    let told = retold(&parse("story", written).unwrap()).unwrap();
    let refused: Vec<Option<&str>> = told.steps.iter().map(|step| step.refused.as_deref()).collect();
    assert_eq!(refused, [None, Some("not paused")]);
}
