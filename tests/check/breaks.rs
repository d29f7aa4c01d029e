//! Each planted bug is caught by a rule, in a short story that fails when it is replayed and is met once the bug is out.

use std::time::{Duration, Instant};

use terrarium::check::counterexample::written;
use terrarium::check::stories::shortest;
use terrarium::engine::planted::Break;
use terrarium::engine::trace::{Audience, Closing, Opening, StepOpening, StepTrace};
use terrarium::scenario::replay::{Play, simulate};
use terrarium::scenario::{Scenario, parse};

/// Which rule catches which bug.
const CAUGHT: [(Break, &str); 19] = [
    (Break::TwoOwners, "one-owner-of-a-port"),
    (Break::LeakOnFailedStart, "nothing-left-of-the-ended"),
    (Break::FreezeUndone, "cpu-only-while-running"),
    (Break::NoThaw, "a-stop-wakes"),
    (Break::NoSigkill, "stop-ends"),
    (Break::TimerLeftArmed, "no-timer-outlives-its-state"),
    (Break::LostAnswer, "answers-come"),
    (Break::KillTellsStop, "told-as-asked"),
    (Break::OomUntold, "oom-is-told"),
    (Break::ZombieLeft, "nothing-left-of-the-ended"),
    (Break::FirstExitCode, "exit-code-is-the-last"),
    (Break::RestartedAlthoughStopped, "stopped-stays-stopped"),
    (Break::CountUnbounded, "restarts-are-bounded"),
    (Break::BackOffFlat, "back-off-doubles"),
    (Break::BackOffUncapped, "back-off-is-capped"),
    (Break::BackOffNotReset, "back-off-is-reset"),
    (Break::PortKept, "nothing-left-of-the-ended"),
    (Break::GentleRemovalKills, "only-force-removes-the-living"),
    (Break::NameKept, "nothing-left-of-the-removed"),
];

const MOST_STEPS: usize = 8;
const MOST_TIME: Duration = Duration::from_secs(10);

#[test]
fn each_bug_is_caught_by_its_rule_in_a_short_story_that_replays() {
    let all: Vec<Break> = CAUGHT.iter().map(|(bug, _)| *bug).collect();
    assert_eq!(all, Break::ALL, "every bug is in the table");
    let mut stories = String::new();
    for (bug, rule) in CAUGHT {
        let began = Instant::now();
        let story = shortest(Some(bug), None).unwrap_or_else(|| panic!("{bug}: not caught"));
        let took = began.elapsed();
        assert!(took < MOST_TIME, "{bug}: found after {took:?}");
        assert_eq!(story.violation.rule.name, rule, "{bug}: {}", story.violation.seen);
        assert!(story.scenario.steps.len() <= MOST_STEPS, "{bug}: {} steps", story.scenario.steps.len());

        let yaml = written(&story.scenario, &story.violation).to_yaml();
        let broken = parse("counterexample", &yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        assert!(!is_good(&broken), "{bug}: its story does not fail\n{yaml}");
        assert!(
            is_good(&Scenario { planted: None, ..broken }),
            "{bug}: it fails without the bug, too\n{yaml}"
        );
        stories += &yaml;
    }
    insta::assert_snapshot!(stories);
}

#[test]
fn a_bug_is_found_by_the_rule_that_one_asks_for() {
    let rule = terrarium::check::rules::find("stop-ends").unwrap();
    let story = shortest(Some(Break::NoSigkill), Some(rule)).unwrap();
    assert_eq!(story.violation.rule.name, "stop-ends");
}

fn is_good(scenario: &Scenario) -> bool {
    let play = Play { scenario, file: "counterexample", lang: "en" };
    simulate(play, &mut Nobody).unwrap().is_good()
}

struct Nobody;

impl Audience for Nobody {
    fn opening(&mut self, _: &Opening) -> std::io::Result<()> {
        Ok(())
    }

    fn step_begins(&mut self, _: &StepOpening) -> std::io::Result<()> {
        Ok(())
    }

    fn step_done(&mut self, _: &StepTrace) -> std::io::Result<()> {
        Ok(())
    }

    fn closing(&mut self, _: &Closing) -> std::io::Result<()> {
        Ok(())
    }
}
