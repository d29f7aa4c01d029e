//! The order of events, and the timers behind them.

use terrarium::check::grammar::Word;
use terrarium::check::moment::{Asked, Request};
use terrarium::model::{EventKind, State, Ticket, Timer};

use super::scene::{SECOND, Scene, says};

fn telling(word: Word, kinds: &[EventKind]) -> Scene {
    Scene::of(State::Running).with(|scene| scene.past.word = word).emitting(kinds)
}

#[test]
fn an_event_that_cannot_follow_is_named_once() {
    let rule = "events-form-a-life";
    let (start, pause) = (EventKind::Start, EventKind::Pause);
    assert_eq!(
        telling(Word::Down, &[pause, start]).judged_by(rule),
        says("pause is told of web while it had no process")
    );
    assert_eq!(
        telling(Word::Down, &[start, start]).judged_by(rule),
        says("start is told of web while its process ran")
    );
    assert_eq!(telling(Word::Down, &[start, pause]).judged_by(rule), None);
    assert_eq!(telling(Word::Broken, &[start]).judged_by(rule), None, "it has been named before");
}

#[test]
fn only_the_living_die() {
    let rule = "every-die-has-its-start";
    for word in [Word::Nothing, Word::Down, Word::Up, Word::Still] {
        let alive = matches!(word, Word::Up | Word::Still);
        let told = (!alive).then(|| "web has died, and was not alive".to_owned());
        assert_eq!(telling(word, &[EventKind::Oom, EventKind::Die(0)]).judged_by(rule), told);
        assert_eq!(telling(word, &[EventKind::Oom]).judged_by(rule), None);
    }
}

#[test]
fn a_timer_is_armed_only_in_its_own_states() {
    let rule = "no-timer-outlives-its-state";
    let kinds = [
        (Timer::Grace(0), "grace period"),
        (Timer::KillWait, "wait after SIGKILL"),
        (Timer::BackOff, "back-off"),
        (Timer::SteadyRun, "ten seconds of a steady run"),
        (Timer::Health, "health check"),
        (Timer::HealthTimeout, "health check"),
        (Timer::StartPeriod, "health check"),
    ];
    for state in State::ALL {
        let has_process = state.has_process() || state == State::Removing;
        for (timer, what) in kinds {
            let armed = Scene::of(state).with(|scene| {
                scene.now.timers.insert(timer);
            });
            let may = match timer {
                Timer::Grace(_) => state == State::Stopping,
                Timer::KillWait => matches!(state, State::Stopping | State::Removing),
                Timer::BackOff => state == State::Restarting,
                _ => has_process,
            };
            let told = format!("web is {state}, and the timer of its {what} is still armed");
            assert_eq!(armed.judged_by(rule), (!may).then(|| told.clone()));
            // Whoever is being killed looks like what it was.
            let may = may || (timer == Timer::KillWait && has_process);
            let asked = armed.clone().with(|scene| {
                scene.now.open.insert(Ticket(1), Request { verb: Asked::Kill, due: None });
            });
            assert_eq!(asked.judged_by(rule), (!may).then(|| told.clone()));
            let killed = armed.with(|scene| scene.now.killed = Some(SECOND));
            assert_eq!(killed.judged_by(rule), (!may).then_some(told));
        }
        assert_eq!(Scene::of(state).judged_by(rule), None);
    }
}
