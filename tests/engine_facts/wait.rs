//! Wait: it answers with the first death, whatever comes after.

use terrarium::engine::Engine;
use terrarium::model::{ContainerSpec, Freezer, Name, Outcome, State, Verb};
use terrarium::scenario::parse;

use crate::story::{ask, holds, host_with};

fn spec(declared: &str) -> ContainerSpec {
    let yaml = format!("title: T\ncontainers: {{ web: {declared} }}\n");
    parse("spec.yaml", &yaml).unwrap().containers.remove(&Name::new("web").unwrap()).unwrap()
}

/// What `wait` answers for a container that has been created and then asked for `verbs`.
fn wait_after(declared: &str, verbs: &[Verb]) -> Option<Outcome> {
    let mut engine = host_with(Freezer::CgroupV2);
    ask(&mut engine, "web", Verb::Create(Box::new(spec(declared))));
    for verb in verbs {
        ask(&mut engine, "web", verb.clone());
    }
    ask(&mut engine, "web", Verb::Wait)
}

#[test]
fn wait_on_a_created_container_returns_0_at_once() {
    assert_eq!(wait_after("{}", &[]), Some(Outcome::Exited(0)));
}

#[test]
fn wait_on_a_stopped_container_returns_its_code_at_once() {
    assert_eq!(wait_after("{ command: [exit, '3'] }", &[Verb::Start, Verb::Wait]), Some(Outcome::Exited(3)));
}

#[test]
fn wait_returns_the_code_of_the_first_death_though_a_restart_follows() {
    let declared = "{ restart: on-failure:2, behavior: { exits: { after: 5s, code: 3 } } }";
    assert_eq!(wait_after(declared, &[Verb::Start]), Some(Outcome::Exited(3)));
}

#[test]
fn wait_on_a_paused_container_blocks() {
    assert_eq!(wait_after("{}", &[Verb::Start, Verb::Pause]), None);
}

#[test]
fn wait_on_an_absent_container_is_refused() {
    let mut engine = host_with(Freezer::CgroupV2);
    assert!(matches!(ask(&mut engine, "web", Verb::Wait), Some(Outcome::Refused(_))));
}

#[test]
fn wait_hears_of_the_death_in_a_restart() {
    holds(
        "
containers: { web: }
steps:
  - run: web
  - async: { wait_exit: web }
  - restart: { container: web, timeout: 2s }
  - join: web
    expect: { took: 2s, web: { state: running } }
",
    );
}

#[test]
fn wait_in_back_off_ends_when_the_back_off_is_ended_by_hand() {
    use terrarium::model::{Command, Removal, Signal};
    for verb in [
        Verb::Stop { timeout: None, signal: None },
        Verb::Kill { signal: Signal::KILL },
        Verb::Remove(Removal::Forced),
        Verb::Restart { timeout: None, signal: None },
    ] {
        let mut engine = host_with(Freezer::CgroupV2);
        let declared = spec(
            "{ restart: always, behavior: { runs: [{ exits: { code: 3 } }, { exits: { code: 3 } }, {}] } }",
        );
        ask(&mut engine, "web", Verb::Create(Box::new(declared)));
        ask(&mut engine, "web", Verb::Start);
        let web = Name::new("web").unwrap();
        while engine.status(&web).state != State::Restarting {
            engine.advance(engine.now() + std::time::Duration::from_secs(1)).unwrap();
        }
        let waiting = engine.submit(&Command { container: web, verb: Verb::Wait });
        ask(&mut engine, "web", verb.clone());
        let answer = engine.answer(waiting).map(|(_, outcome)| outcome);
        assert_eq!(answer, Some(&Outcome::Exited(3)), "{verb:?}");
    }
}
