//! What a stop, a kill and a removal do.

use terrarium::check::moment::{Asked, Input, Request};
use terrarium::model::{EventKind, Name, Observation, Removal, Signal, State, Ticket, Timer, Verb};

use super::scene::{SECOND, Scene, says};

const STOP: Verb = Verb::Stop { timeout: None, signal: None };
const RESTART: Verb = Verb::Restart { timeout: None, signal: None };
const KILL: Verb = Verb::Kill { signal: Signal::KILL };

#[test]
fn a_stop_is_over_when_its_grace_period_is() {
    let rule = "stop-ends";
    let fired = Observation::Fired(Timer::SteadyRun);
    let due = |verb, due| {
        Scene::of(State::Stopping).with(|scene| {
            scene.now.open.insert(Ticket(1), Request { verb, due });
        })
    };
    let told = says("web was to be ended by SIGKILL, and is still stopping 1s later");
    for verb in [Asked::Stop, Asked::Restart] {
        let late = due(verb, Some(9 * SECOND));
        assert_eq!(late.judged_by(rule), told);
        assert_eq!(late.judged(rule, Input::Seen(&fired)), told);
        assert_eq!(late.judged_when_asked(rule, STOP), None, "no time has passed");
        assert_eq!(late.judged(rule, Input::HostWoke), None);
        let ended = late.with(|scene| scene.after.state = State::Stopped);
        assert_eq!(ended.judged_by(rule), None);
        assert_eq!(due(verb, Some(10 * SECOND)).judged_by(rule), None, "it is due just now");
        assert_eq!(due(verb, None).judged_by(rule), None, "it may wait for ever");
    }
    assert_eq!(due(Asked::Kill, Some(9 * SECOND)).judged_by(rule), None);
}

#[test]
fn what_is_stopping_stands_still_only_if_somebody_paused_it_meanwhile() {
    let rule = "a-stop-wakes";
    let held = Scene::of(State::Stopping).with(|scene| scene.now.frozen = true);
    let told = says("web is stopping, and its processes stand still");
    assert_eq!(held.judged_by(rule), told);
    assert_eq!(held.judged(rule, Input::Seen(&Observation::Thawed)), told);
    assert_eq!(held.judged(rule, Input::Seen(&Observation::Frozen)), None);
    let paused = held.clone().with(|scene| scene.now.paused_in_stop = true);
    assert_eq!(paused.judged_by(rule), None);
    let other = held.with(|scene| scene.after.state = State::Paused);
    assert_eq!(other.judged_by(rule), None);
    assert_eq!(Scene::of(State::Stopping).judged_by(rule), None);
}

#[test]
fn events_of_requests_are_told_only_where_somebody_asked() {
    let rule = "told-as-asked";
    let (removal, gentle) = (Verb::Remove(Removal::Forced), Verb::Remove(Removal::Gentle));
    let rename = Verb::Rename { to: Name::new("db").unwrap() };
    let every = [
        (Asked::Stop, STOP),
        (Asked::Restart, RESTART),
        (Asked::Kill, KILL),
        (Asked::ForcedRemoval, removal),
        (Asked::GentleRemoval, gentle),
        (Asked::Pause, Verb::Pause),
        (Asked::Rename, rename),
        (Asked::Start, Verb::Start),
    ];
    let told = [
        (EventKind::Stop, vec![Asked::Stop, Asked::Restart]),
        (EventKind::Restart, vec![Asked::Restart]),
        (EventKind::Kill(Signal::TERM), vec![Asked::Kill, Asked::Stop, Asked::Restart, Asked::ForcedRemoval]),
        (EventKind::Pause, vec![Asked::Pause]),
        (EventKind::Rename, vec![Asked::Rename]),
    ];
    for (kind, wanted) in told {
        let telling = Scene::of(State::Running).emitting(&[EventKind::Start, kind]);
        let wrong = format!("{} is told of web, and nobody asked for one", kind.action());
        assert_eq!(telling.judged_by(rule), says(&wrong));
        for (asked, verb) in &every {
            let wrong = (!wanted.contains(asked)).then(|| wrong.clone());
            assert_eq!(telling.clone().open(*asked).judged_by(rule), wrong, "{kind} after {asked:?}");
            assert_eq!(telling.judged_when_asked(rule, verb.clone()), wrong, "{kind} by {asked:?}");
        }
    }
    let by_itself = [EventKind::Start, EventKind::Die(1), EventKind::Oom, EventKind::Unpause];
    assert_eq!(Scene::of(State::Running).emitting(&by_itself).judged_by(rule), None);
}

#[test]
fn only_force_takes_a_process_away() {
    let rule = "only-force-removes-the-living";
    for from in State::ALL {
        let taken = Scene::of(State::Removing).moving(from, State::Removing);
        let wrong =
            from.has_process().then(|| format!("web was {from} and is removed, though nobody forced that"));
        assert_eq!(taken.judged_by(rule), wrong);
        assert_eq!(taken.judged_when_asked(rule, Verb::Remove(Removal::Gentle)), wrong);
        assert_eq!(taken.judged_when_asked(rule, Verb::Remove(Removal::Forced)), None);
        assert_eq!(taken.open(Asked::ForcedRemoval).judged_by(rule), None);
        assert_eq!(Scene::of(State::Stopped).moving(from, State::Stopped).judged_by(rule), None);
    }
}
