//! What becomes of a request.

use terrarium::check::moment::{Asked, Input, Past, Request};
use terrarium::model::{Reason, Refusal, State, Ticket, Verb};

use super::scene::{Scene, missed, says, web};

#[test]
fn a_refusal_changes_nothing() {
    let rule = "refused-changes-nothing";
    let refusal = Refusal { container: web(), verb: "start", reason: Reason::Paused };
    let refused = Scene::of(State::Paused).with(|scene| scene.refusal = Some(refusal));
    assert_eq!(refused.judged_by(rule), None);
    let told = says(
        "\"cannot start web: it is paused (unpause it first: terrarium unpause web)\", and yet something has changed",
    );
    let changed = refused.clone().with(|scene| scene.after.state = State::Running);
    assert_eq!(changed.judged_by(rule), told);
    assert_eq!(refused.answering(1).judged_by(rule), told);
    let done = Scene::of(State::Paused).with(|scene| scene.after.state = State::Running);
    assert_eq!(done.judged_by(rule), None);
}

#[test]
fn a_request_is_answered_once() {
    let rule = "answered-once";
    let told = says("a request to web is answered that has been answered before");
    let open = Scene::of(State::Running).open(Asked::Stop);
    assert_eq!(open.clone().answering(1).judged_by(rule), None);
    assert_eq!(open.clone().answering(1).answering(1).judged_by(rule), told);
    assert_eq!(open.clone().answering(3).judged_by(rule), told);
    assert_eq!(open.answering(1).answering(2).judged_when_asked(rule, Verb::Start), None);
    let own = Scene::of(State::Running).answering(2);
    assert_eq!(own.judged_when_asked(rule, Verb::Start), None);
    assert_eq!(own.judged_by(rule), told);
    assert_eq!(own.answering(2).judged_when_asked(rule, Verb::Start), told);
}

#[test]
fn every_request_is_answered_in_the_end_but_those_that_wait_for_an_end() {
    let words = [
        (Asked::Create, "create"),
        (Asked::Start, "start"),
        (Asked::Pause, "pause"),
        (Asked::Unpause, "unpause"),
        (Asked::Stop, "stop"),
        (Asked::Restart, "restart"),
        (Asked::Kill, "kill"),
        (Asked::GentleRemoval, "remove"),
        (Asked::ForcedRemoval, "remove"),
        (Asked::Rename, "rename"),
        (Asked::Update, "update"),
        (Asked::Commit, "commit"),
        (Asked::Look, "look"),
    ];
    let left = |verb| Past { open: [(Ticket(1), Request { verb, due: None })].into(), ..Past::default() };
    for (verb, word) in words {
        let told = format!("a request to {word} was never answered");
        assert_eq!(missed("answers-come", &left(verb)), says(&told));
    }
    for verb in [Asked::Wait, Asked::Exec] {
        assert_eq!(missed("answers-come", &left(verb)), None);
    }
    assert_eq!(missed("answers-come", &Past::default()), None);
    assert_eq!(missed("stop-ends", &left(Asked::Stop)), None, "another rule's question");
}

#[test]
fn nothing_lives_on_without_its_keeper() {
    let rule = "no-ghost-after-its-keeper";
    for state in State::ALL {
        let scene = Scene::of(state);
        let wrong = state.has_process() || state == State::Creating;
        let told = wrong.then(|| format!("the keeper of web was killed, and it still counts as {state}"));
        assert_eq!(scene.judged(rule, Input::KeeperLost), told);
        assert_eq!(scene.judged_by(rule), None);
    }
}
