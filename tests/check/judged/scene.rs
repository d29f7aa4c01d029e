//! A moment, made up: a container at rest in some state, to which a test adds what its rule is to see.

use std::time::Duration;

use terrarium::check::moment::{Asked, Input, Moment, Past, Request};
use terrarium::check::rules::{Tally, find, judge, judge_rest};
use terrarium::model::{
    Action, Command, Effect, Event, EventKind, Freezer, Id, Name, Outcome, Refusal, Resources, Rule, State,
    Status, Ticket, Timer, Transition, Verb,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What a rule may see of a moment in the life of `web`, ten seconds after its beginning.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) at: Duration,
    pub(crate) effects: Vec<Effect>,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) before: Status,
    pub(crate) after: Status,
    pub(crate) costs: Resources,
    pub(crate) burnt_in: Option<State>,
    pub(crate) past: Past,
    pub(crate) now: Past,
    pub(crate) others: Vec<(Name, Status)>,
    pub(crate) freezer: Freezer,
}

impl Scene {
    /// Nothing happens to a container in this state, which costs nothing.
    pub(crate) fn of(state: State) -> Self {
        let status = Status { state, ..Status::ABSENT };
        Self {
            at: 10 * SECOND,
            effects: Vec::new(),
            refusal: None,
            before: status.clone(),
            after: status,
            costs: Resources::zero(),
            burnt_in: None,
            past: Past::default(),
            now: Past::default(),
            others: Vec::new(),
            freezer: Freezer::CgroupV2,
        }
    }

    pub(crate) fn with(self, change: impl FnOnce(&mut Self)) -> Self {
        let mut scene = self;
        change(&mut scene);
        scene
    }

    pub(crate) fn emitting(self, kinds: &[EventKind]) -> Self {
        self.with(|scene| {
            let told = kinds.iter().map(|kind| Effect::Emitted(Event { container: web(), kind: *kind }));
            scene.effects.extend(told);
        })
    }

    pub(crate) fn moving(self, from: State, to: State) -> Self {
        self.moving_by(Rule::ExitCode, from, to)
    }

    pub(crate) fn moving_by(self, rule: Rule, from: State, to: State) -> Self {
        let moved = Transition { container: web(), from, to, rule };
        self.with(|scene| scene.effects.push(Effect::Moved(moved)))
    }

    pub(crate) fn acting(self, action: Action) -> Self {
        self.with(|scene| scene.effects.push(Effect::Act(Id(0), action)))
    }

    pub(crate) fn waiting(self, wait: Duration) -> Self {
        self.acting(Action::Arm(Timer::BackOff, wait))
    }

    pub(crate) fn answering(self, ticket: u64) -> Self {
        self.with(|scene| scene.effects.push(Effect::Reply(Ticket(ticket), Outcome::Done)))
    }

    /// Somebody had asked for this before.
    pub(crate) fn open(self, verb: Asked) -> Self {
        self.with(|scene| {
            scene.past.open.insert(Ticket(1), Request { verb, due: None });
        })
    }

    /// What a rule finds wrong when this happens.
    pub(crate) fn judged(&self, rule: &str, input: Input<'_>) -> Option<String> {
        let mut found = Vec::new();
        judge(&self.moment(&web(), input), Some(find(rule).unwrap()), &mut found);
        found.pop().map(|violation| violation.seen)
    }

    pub(crate) fn counted(&self, tally: &mut Tally) {
        tally.count(&self.moment(&web(), Input::TimePassed));
    }

    fn moment<'a>(&'a self, name: &'a Name, input: Input<'a>) -> Moment<'a> {
        Moment {
            name,
            at: self.at,
            input,
            effects: &self.effects,
            refusal: self.refusal.as_ref(),
            before: &self.before,
            after: &self.after,
            costs: &self.costs,
            burnt_in: self.burnt_in,
            past: &self.past,
            now: &self.now,
            others: &self.others,
            freezer: self.freezer,
        }
    }

    /// What a rule finds wrong when nothing but time passes.
    pub(crate) fn judged_by(&self, rule: &str) -> Option<String> {
        self.judged(rule, Input::TimePassed)
    }

    /// What a rule finds wrong when this is asked, with ticket 2.
    pub(crate) fn judged_when_asked(&self, rule: &str, verb: Verb) -> Option<String> {
        self.judged(rule, Input::Asked(Ticket(2), &Command { container: web(), verb }))
    }
}

/// What a rule misses when a life has come to rest.
pub(crate) fn missed(rule: &str, past: &Past) -> Option<String> {
    let mut found = Vec::new();
    judge_rest(&web(), SECOND, past, Some(find(rule).unwrap()), &mut found);
    found.pop().map(|violation| violation.seen)
}

pub(crate) fn web() -> Name {
    Name::new("web").unwrap()
}

/// What is said of a moment that breaks a rule.
#[expect(clippy::unnecessary_wraps, reason = "it is compared with what a rule says, which may be nothing")]
pub(crate) fn says(text: &str) -> Option<String> {
    Some(text.to_owned())
}
