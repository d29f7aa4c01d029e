//! How a process ends.

use terrarium::check::grammar::Word;
use terrarium::check::moment::Input;
use terrarium::model::{
    Behavior, ContainerSpec, Ending, EventKind, Exit, Freezer, Observation, Oom, Reaction, Signal, State,
    Within,
};

use super::scene::{SECOND, Scene, says};

fn ended(code: i32, oom: Oom) -> Observation {
    Observation::Ended(Ending { code, oom })
}

#[test]
fn there_is_an_exit_code_only_where_a_process_has_ended() {
    let rule = "no-exit-code-while-alive";
    for state in State::ALL {
        let coded = Scene::of(state).with(|scene| scene.after.exit = Some(3));
        let may = matches!(state, State::Stopped | State::Restarting | State::Removing | State::Dead);
        let told = (!may).then(|| format!("web is {state}, and has the exit code 3"));
        assert_eq!(coded.judged_by(rule), told);
        assert_eq!(Scene::of(state).judged_by(rule), None);
        let failed = coded.with(|scene| scene.now.failed_start = true);
        let told = told.filter(|_| state != State::Created);
        assert_eq!(failed.judged_by(rule), told, "after a failed start");
    }
}

#[test]
fn the_code_that_is_told_is_the_one_that_was_seen() {
    let rule = "exit-code-is-the-last";
    let seen = ended(3, Oom::None);
    let telling = |code| Scene::of(State::Stopped).emitting(&[EventKind::Stop, EventKind::Die(code)]);
    assert_eq!(telling(4).judged(rule, Input::Seen(&seen)), says("web ended with 3, and 4 is told"));
    assert_eq!(telling(3).judged(rule, Input::Seen(&seen)), None);
    assert_eq!(Scene::of(State::Stopped).judged(rule, Input::Seen(&seen)), None, "nothing is told");
    assert_eq!(telling(4).judged(rule, Input::KeeperLost), None, "nothing was seen");
}

#[test]
fn want_of_memory_is_told_and_first() {
    let rule = "oom-is-told";
    let alive = |word| Scene::of(State::Stopped).with(|scene| scene.past.word = word);
    let told = says("the kernel killed a process of web for want of memory, and no oom is told");
    for seen in [ended(137, Oom::Struck), Observation::Within(Within::OutOfMemory)] {
        let seen = Input::Seen(&seen);
        for word in [Word::Up, Word::Still] {
            assert_eq!(alive(word).judged(rule, seen), told);
            let late = alive(word).emitting(&[EventKind::Die(137), EventKind::Oom]);
            assert_eq!(late.judged(rule, seen), told);
            let first = alive(word).emitting(&[EventKind::Oom, EventKind::Die(137)]);
            assert_eq!(first.judged(rule, seen), None);
        }
        assert_eq!(alive(Word::Down).judged(rule, seen), None);
    }
    assert_eq!(alive(Word::Up).judged(rule, Input::Seen(&ended(137, Oom::None))), None);
}

#[test]
fn a_sigkill_ends_at_once_what_the_v1_freezer_does_not_hold() {
    let rule = "sigkill-ends";
    let killed = Scene::of(State::Running).with(|scene| {
        scene.past.killed = Some(8 * SECOND);
        scene.now.killed = Some(8 * SECOND);
    });
    let told = says("web was sent SIGKILL and is still alive 2 s later");
    assert_eq!(killed.judged_by(rule), told);
    let just_now = killed.clone().with(|scene| scene.at = 8 * SECOND);
    assert_eq!(just_now.judged_by(rule), None);
    let died = killed.clone().with(|scene| scene.now.killed = None);
    assert_eq!(died.judged_by(rule), None);
    let ended = killed.clone().with(|scene| scene.after.state = State::Stopped);
    assert_eq!(ended.judged_by(rule), None);
    for (freezer, frozen, held) in [
        (Freezer::CgroupV1, true, true),
        (Freezer::CgroupV1, false, false),
        (Freezer::CgroupV2, true, false),
        (Freezer::Signals, true, false),
    ] {
        let scene = killed.clone().with(|scene| {
            scene.past.frozen = frozen;
            scene.freezer = freezer;
        });
        assert_eq!(scene.judged_by(rule), told.clone().filter(|_| !held), "{freezer:?} {frozen}");
    }
}

#[test]
fn pid_1_is_ended_only_by_sigkill_or_by_what_it_handles() {
    let ended_of = |spec: ContainerSpec, code, oom| {
        let scene = Scene::of(State::Stopped).with(|scene| scene.past.spec = Some(Box::new(spec)));
        scene.judged("pid-1-survives", Input::Seen(&ended(code, oom)))
    };
    let plain = ContainerSpec::default;
    let told = says("web is PID 1, has no handler for SIGTERM, and was ended by it");
    assert_eq!(ended_of(plain(), 143, Oom::None), told);
    assert_eq!(ended_of(plain(), 143, Oom::Struck), None);
    assert_eq!(ended_of(plain(), 137, Oom::None), None, "SIGKILL");
    assert_eq!(ended_of(plain(), 15, Oom::None), None, "no signal");
    assert_eq!(ended_of(ContainerSpec { init: true, ..plain() }, 143, Oom::None), None);
    assert_eq!(ended_of(ContainerSpec { image: "nginx".into(), ..plain() }, 143, Oom::None), None);
    let command = Some(vec!["exit".into(), "143".into()]);
    assert_eq!(ended_of(ContainerSpec { command, ..plain() }, 143, Oom::None), None);
    assert_eq!(Scene::of(State::Stopped).judged("pid-1-survives", Input::KeeperLost), None);

    let of = |behavior| ended_of(ContainerSpec { behavior, ..plain() }, 143, Oom::None);
    let handling = |signal: &str, reaction| Behavior {
        signals: [(signal.parse().unwrap(), reaction)].into(),
        ..Behavior::default()
    };
    let exit = |code| Exit { after: SECOND, code };
    assert_eq!(of(handling("TERM", Reaction::Handle)), None);
    assert_eq!(of(handling("HUP", Reaction::Handle)), told);
    assert_eq!(of(handling("HUP", Reaction::Exit(exit(143)))), None, "as it was told to");
    assert_eq!(of(handling("HUP", Reaction::Exit(exit(0)))), told);
    assert_eq!(of(Behavior { exits: Some(exit(143)), ..Behavior::default() }), None);
    assert_eq!(of(Behavior { exits: Some(exit(0)), ..Behavior::default() }), told);
    let in_a_run = Behavior { runs: vec![handling("TERM", Reaction::Ignore)], ..Behavior::default() };
    assert_eq!(of(in_a_run), None);
    let by_itself = Behavior { exits: Some(exit(143)), ..Behavior::default() };
    assert_eq!(of(Behavior { runs: vec![by_itself], ..Behavior::default() }), None);
    assert_eq!(Signal::TERM.exit_code(), 143);
}
