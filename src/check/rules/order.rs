//! The order of events, and the timers behind them.

use super::{Kind, Rule};
use crate::check::grammar::Word;
use crate::check::moment::{Asked, Moment};
use crate::model::{EventKind, State, Timer};

pub(super) const RULES: [Rule; 3] = [
    Rule {
        name: "events-form-a-life",
        sentence: "The events of a life follow its grammar: create, start, die and destroy in their order, a pause before each unpause.",
        why: "Monitoring lives by the order of events.",
        source: "measured on Docker Engine 20.10; compose pkg/compose/monitor.go",
        kind: Kind::Always(events_form_a_life),
    },
    Rule {
        name: "every-die-has-its-start",
        sentence: "Every die has its start.",
        why: "Who counts the living counts starts and deaths.",
        source: "measured on Docker Engine 20.10: a failed start has neither",
        kind: Kind::Always(every_die_has_its_start),
    },
    Rule {
        name: "no-timer-outlives-its-state",
        sentence: "Every timer that was armed fires or is cancelled, and none outlives the state that it was armed for.",
        why: "A timer left over kills the next run, or starts what was stopped.",
        source: "terrarium: src/model/timer.rs",
        kind: Kind::Always(no_timer_outlives_its_state),
    },
];

fn events_form_a_life(moment: &Moment<'_>) -> Option<String> {
    let mut word = moment.past.word;
    for kind in moment.events() {
        let next = word.after(kind);
        if next == Word::Broken && word != Word::Broken {
            return Some(format!("{} is told of {} while {}", kind.action(), moment.name, word.sentence()));
        }
        word = next;
    }
    None
}

fn every_die_has_its_start(moment: &Moment<'_>) -> Option<String> {
    let dies = moment.events().any(|kind| matches!(kind, EventKind::Die(_)));
    let alive = matches!(moment.past.word, Word::Up | Word::Still);
    (dies && !alive).then(|| format!("{} has died, and was not alive", moment.name))
}

fn no_timer_outlives_its_state(moment: &Moment<'_>) -> Option<String> {
    let state = moment.after.state;
    let has_process = state.has_process() || state == State::Removing;
    let killing = moment.now.is_asked(&[Asked::Kill]) || moment.now.killed.is_some();
    let may = |timer: &Timer| match timer {
        Timer::Grace(_) => state == State::Stopping,
        Timer::KillWait => matches!(state, State::Stopping | State::Removing) || (has_process && killing),
        Timer::BackOff => state == State::Restarting,
        Timer::SteadyRun | Timer::Health | Timer::HealthTimeout | Timer::StartPeriod => has_process,
    };
    let left = moment.now.timers.iter().find(|timer| !may(timer))?;
    let what = match left {
        Timer::Grace(_) => "grace period",
        Timer::KillWait => "wait after SIGKILL",
        Timer::BackOff => "back-off",
        Timer::SteadyRun => "ten seconds of a steady run",
        Timer::Health | Timer::HealthTimeout | Timer::StartPeriod => "health check",
    };
    Some(format!("{} is {state}, and the timer of its {what} is still armed", moment.name))
}
