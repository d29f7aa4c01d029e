//! The way of a life: who may be asked for what, and how it ends.

use std::time::Duration;

use terrarium::model::{ContainerSpec, HostFacts, RestartPolicy, State, Status};

use crate::stage::{Stage, brief, life, life_of, plain, polite};

#[test]
fn a_created_container_is_started_and_not_started_twice() {
    let told = life("create start start");
    assert_eq!(told.events, "create, start");
    assert_eq!(told.answers, "create 0s, start 0s, start noop");
}

#[test]
fn every_command_to_a_container_that_is_not_there_is_refused() {
    for word in ["start", "stop", "restart", "pause", "unpause", "kill", "remove", "remove!"] {
        assert_eq!(life(word).answers, format!("{} no such container", word.trim_end_matches('!')));
    }
}

#[test]
fn what_needs_a_process_is_refused_without_one() {
    for before in ["create", "create start kill"] {
        let refused = |word| life(&format!("{before} {word}")).last_answer();
        for word in ["pause", "kill", "kill:TERM"] {
            assert!(refused(word).ends_with("it is not running"), "{before} {word}: {}", refused(word));
        }
        assert_eq!(refused("unpause"), "unpause it is not paused");
        assert_eq!(refused("stop"), "stop noop");
        assert_eq!(refused("create"), "create the name it is already in use");
    }
}

#[test]
fn what_a_paused_container_cannot_do_is_refused() {
    let refused = |word| life(&format!("create start pause {word}")).last_answer();
    assert_eq!(refused("start"), "start it is paused");
    assert_eq!(refused("pause"), "pause it is already paused");
    assert_eq!(refused("remove"), "remove it is paused");
    assert_eq!(life("create start remove").last_answer(), "remove it is running");
}

#[test]
fn a_name_is_free_again_when_its_owner_is_gone() {
    let told = life("create create remove create");
    assert_eq!(told.answers, "create 0s, create the name it is already in use, remove 0s, create 0s");
    assert_eq!(told.events, "create, destroy, create");
}

#[test]
fn two_containers_live_side_by_side() {
    let mut host = Stage::new(HostFacts::ASSUMED);
    host.declare("a", plain());
    host.declare("b", plain());
    host.play("a", "create start stop&");
    host.play("b", "create start 10s kill");
    assert_eq!(host.status("a").exit, Some(137));
    let all: Vec<String> = host.all_events();
    let expected = [
        "a create",
        "a start",
        "a kill SIGTERM",
        "b create",
        "b start",
        "a kill SIGKILL",
        "a die 137",
        "a stop",
        "b kill SIGKILL",
        "b die 137",
    ];
    assert_eq!(all, expected);
}

#[test]
fn auto_remove_takes_it_away_at_its_end_but_not_at_a_restart() {
    let spec = ContainerSpec { auto_remove: true, ..polite(0, Duration::ZERO) };
    let told = life_of(spec.clone(), "create start stop 0s");
    assert_eq!(told.events, "create, start, kill SIGTERM, die 0, stop, destroy");
    assert_eq!(told.status, Status::ABSENT);
    let told = life_of(spec.clone(), "create start restart 1s");
    assert_eq!(told.status.state, State::Running);
    assert_eq!(life_of(spec, "create start kill 0s").events, "create, start, kill SIGKILL, die 137, destroy");
}

#[test]
fn a_start_that_fails_leaves_it_created_with_the_code_and_the_reason() {
    let spec = ContainerSpec { command: Some(vec!["nosuchcommand".into()]), ..plain() };
    for restart in [RestartPolicy::No, RestartPolicy::Always] {
        let told = life_of(ContainerSpec { restart, ..spec.clone() }, "create start 60s");
        assert_eq!(told.events, "create");
        assert_eq!(
            (told.status.state, told.status.exit, told.status.restarts),
            (State::Created, Some(127), 0)
        );
        assert!(told.status.error.unwrap().contains("nosuchcommand"));
    }
    let told = life_of(ContainerSpec { auto_remove: true, ..spec }, "create start 0s");
    assert_eq!(told.status, Status::ABSENT);
}

#[test]
fn an_exit_by_itself_tells_of_a_death_alone() {
    let behavior = brief(5, 3);
    let told = life_of(ContainerSpec { behavior, ..plain() }, "create start 5s");
    assert_eq!((told.events.as_str(), told.status.exit), ("create, start, die 3", Some(3)));
}

#[test]
fn the_parked_process_is_replaced_when_somebody_kills_it() {
    let told = life("create crash:KILL 0s start");
    assert_eq!((told.events.as_str(), told.status.state), ("create, start", State::Running));
}
