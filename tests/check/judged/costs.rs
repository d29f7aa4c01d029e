//! What a container may cost.

use std::net::{IpAddr, Ipv4Addr};

use terrarium::check::moment::{Input, Kept};
use terrarium::model::{
    Action, Families, HeldPort, Limits, Name, Observation, Protocol, Resources, State, Status, Timer, Verb,
    Within,
};

use super::scene::{SECOND, Scene, says, web};

#[test]
fn cpu_time_is_used_only_while_running_or_stopping() {
    for state in State::ALL {
        let burning = Scene::of(state).with(|scene| scene.burnt_in = Some(state));
        let wrong = !matches!(state, State::Running | State::Stopping);
        let told = wrong.then(|| format!("web used CPU time while it was {state}"));
        assert_eq!(burning.judged_by("cpu-only-while-running"), told);
        assert_eq!(Scene::of(state).judged_by("cpu-only-while-running"), None);
    }
}

#[test]
fn what_is_paused_loses_nothing_unless_somebody_limits_it_or_it_dies() {
    let kept = Resources {
        processes: Some(2),
        memory_bytes: Some(100),
        ports: vec!["0.0.0.0:80->80/tcp".into()],
        ..Resources::zero()
    };
    let shrunk = Scene::of(State::Paused).with(|scene| {
        scene.past.paused_with = Some(Kept::of(&kept));
        scene.costs = Resources { memory_bytes: None, ..kept.clone() };
    });
    let told = says(
        "web was paused with 2 processes, 100 bytes of memory and the ports [0.0.0.0:80->80/tcp] and has 2 processes, \
         ? bytes of memory and the ports [0.0.0.0:80->80/tcp]",
    );
    let rule = "paused-keeps-all";
    assert_eq!(shrunk.judged_by(rule), told);
    let seen = |scene: &Scene, seen| scene.judged(rule, Input::Seen(&seen));
    assert_eq!(seen(&shrunk, Observation::Fired(Timer::SteadyRun)), told);
    assert_eq!(seen(&shrunk, Observation::Within(Within::OutOfMemory)), None);
    let update = Verb::Update { restart: None, limits: Limits::default() };
    assert_eq!(shrunk.judged_when_asked(rule, update), None);

    let same = shrunk.clone().with(|scene| scene.costs = kept.clone());
    assert_eq!(same.judged_by(rule), None);
    let runs = shrunk.clone().with(|scene| scene.after.state = State::Running);
    assert_eq!(runs.judged_by(rule), None);
    let killed = shrunk.clone().with(|scene| scene.past.killed = Some(SECOND));
    assert_eq!(killed.judged_by(rule), None);
    let empty = shrunk.with(|scene| scene.costs.processes = Some(0));
    assert_eq!(seen(&empty, Observation::Fired(Timer::SteadyRun)), None, "it dies, and that is not told yet");
    assert!(empty.judged_by(rule).is_some(), "nobody sees it die");
}

#[test]
fn what_has_no_process_holds_nothing() {
    let zero = Resources::zero();
    let held = [
        ("1 processes", Resources { processes: Some(1), ..zero.clone() }),
        ("2 bytes of memory", Resources { memory_bytes: Some(2), ..zero.clone() }),
        ("3 namespaces", Resources { namespaces: Some(3), ..zero.clone() }),
        ("4 mounts", Resources { mounts: Some(4), ..zero.clone() }),
        ("the port 80", Resources { ports: vec!["80".into()], ..zero }),
    ];
    let rule = "nothing-left-of-the-ended";
    for state in State::ALL.into_iter().chain([State::Absent]) {
        assert_eq!(Scene::of(state).judged_by(rule), None);
        for (what, costs) in &held {
            let holding = Scene::of(state).with(|scene| scene.costs = costs.clone());
            let wrong = match state {
                State::Stopped | State::Restarting | State::Dead | State::Absent => true,
                // A process is parked.
                State::Created => *what == "the port 80",
                _ => false,
            };
            let what = if state == State::Created { "80" } else { *what };
            let told = wrong.then(|| format!("web is {state}, and still holds {what}"));
            assert_eq!(holding.judged_by(rule), told);
            let starting = holding.with(|scene| scene.now.set_up = true);
            assert_eq!(starting.judged_by(rule), None, "{state}: it is being started");
        }
    }
}

#[test]
fn what_is_removed_gives_its_name_back() {
    let rule = "nothing-left-of-the-removed";
    let gone = Scene::of(State::Absent).moving(State::Removing, State::Absent);
    assert_eq!(gone.judged_by(rule), says("web is removed, and its name is still taken"));
    assert_eq!(
        gone.acting(Action::Remove).judged_by(rule),
        says("web is removed, and its name is still taken")
    );
    let given_back = Scene::of(State::Absent).moving(State::Removing, State::Absent);
    assert_eq!(given_back.acting(Action::ReleaseName(web())).judged_by(rule), None);
    assert_eq!(Scene::of(State::Dead).moving(State::Removing, State::Dead).judged_by(rule), None);
}

#[test]
fn a_port_has_one_owner_on_each_address_and_of_each_protocol() {
    let any = Ipv4Addr::UNSPECIFIED;
    let (one, two) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
    let held = |(ip, host, protocol)| HeldPort {
        ip: IpAddr::V4(ip),
        host,
        container: 80,
        protocol,
        families: Families::One,
    };
    let shared = |ours, theirs| {
        let scene = Scene::of(State::Running).with(|scene| {
            scene.after.ports = vec![held(ours)];
            let status = Status { ports: vec![held(theirs)], ..Status::ABSENT };
            scene.others = vec![(Name::new("db").unwrap(), status)];
        });
        scene.judged_by("one-owner-of-a-port")
    };
    let told = says("web and db both hold host port 8080");
    assert_eq!(shared((one, 8080, tcp), (one, 8080, tcp)), told);
    assert_eq!(shared((any, 8080, tcp), (one, 8080, tcp)), told);
    assert_eq!(shared((one, 8080, tcp), (any, 8080, tcp)), told);
    assert_eq!(shared((one, 8080, tcp), (two, 8080, tcp)), None);
    assert_eq!(shared((one, 8080, tcp), (one, 8080, udp)), None);
    assert_eq!(shared((one, 8080, tcp), (one, 8081, tcp)), None);
}

#[test]
fn a_name_has_one_owner() {
    let rule = "one-owner-of-a-name";
    let other = |name: &str| vec![(Name::new(name).unwrap(), Status::ABSENT)];
    let made = Scene::of(State::Creating).moving(State::Absent, State::Creating);
    let twice = made.clone().with(|scene| scene.others = other("web"));
    assert_eq!(twice.judged_by(rule), says("there are two containers called web"));
    assert_eq!(made.with(|scene| scene.others = other("db")).judged_by(rule), None);
    let lives = Scene::of(State::Running).with(|scene| scene.others = other("web"));
    assert_eq!(lives.judged_by(rule), None, "another rule's question");
}
