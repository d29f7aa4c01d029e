//! One container, led by hand: observations are fed to the model one by one, and what it says to each is told in words.

use terrarium::model::{
    Action, Command, ContainerSpec, Effect, Effects, Ending, Failure, Freezer, Host, HostFacts, Id, Name,
    Observation, Oom, Outcome, State, Ticket, Verb,
};

pub(crate) const STOP: Verb = Verb::Stop { timeout: None, signal: None };
pub(crate) const NOTHING: [&str; 0] = [];

/// One container, `it`, and its host. The tickets are counted from 0.
pub(crate) struct Hand {
    pub(crate) host: Host,
    asked: u64,
}

impl Hand {
    pub(crate) fn new() -> Self {
        Self { host: Host::new(HostFacts::ASSUMED), asked: 0 }
    }

    pub(crate) fn with_created() -> Self {
        Self::created_of(ContainerSpec::default())
    }

    pub(crate) fn created_of(spec: ContainerSpec) -> Self {
        let mut hand = Self::new();
        hand.make(spec);
        hand
    }

    /// On a host with this freezer.
    pub(crate) fn running_on(freezer: Freezer) -> Self {
        let mut hand = Self { host: Host::new(HostFacts { freezer, ..HostFacts::ASSUMED }), asked: 0 };
        hand.make(ContainerSpec::default());
        hand.start();
        hand
    }

    pub(crate) fn with_running() -> Self {
        Self::running_of(ContainerSpec::default())
    }

    pub(crate) fn running_of(spec: ContainerSpec) -> Self {
        let mut hand = Self::created_of(spec);
        hand.start();
        hand
    }

    fn make(&mut self, spec: ContainerSpec) {
        self.ask(Verb::Create(Box::new(spec)));
        self.see(Observation::NameGranted);
        self.see(Observation::Prepared);
    }

    fn start(&mut self) {
        self.ask(Verb::Start);
        self.see(Observation::Executed);
    }

    /// Asks for something that is not refused.
    pub(crate) fn ask(&mut self, verb: Verb) -> Vec<String> {
        let ticket = Ticket(self.asked);
        self.asked += 1;
        words(self.host.command(ticket, &Command { container: it(), verb }).unwrap())
    }

    pub(crate) fn refused(&mut self, verb: Verb) -> String {
        let command = Command { container: it(), verb };
        self.host.command(Ticket(u64::MAX), &command).unwrap_err().reason.to_string()
    }

    pub(crate) fn see(&mut self, seen: Observation) -> Vec<String> {
        words(self.host.observe(self.host.id(&it()).unwrap_or(Id(0)), seen))
    }

    pub(crate) fn state(&self) -> State {
        self.host.status(&it()).state
    }

    pub(crate) fn exit(&self) -> Option<i32> {
        self.host.status(&it()).exit
    }
}

pub(crate) fn words(effects: Effects) -> Vec<String> {
    let word = |effect| match effect {
        Effect::Act(_, action) => deed(&action),
        Effect::Moved(moved) => format!("{} → {}", moved.from, moved.to),
        Effect::Emitted(event) => format!("event {}", event.kind),
        Effect::Reply(ticket, Outcome::Done) => format!("answer {} done", ticket.0),
        Effect::Reply(ticket, Outcome::Exited(code)) => format!("answer {} exited {code}", ticket.0),
        Effect::Reply(ticket, Outcome::Noop) => format!("answer {} noop", ticket.0),
        Effect::Reply(ticket, Outcome::Refused(refusal)) => format!("answer {} {}", ticket.0, refusal.reason),
        Effect::Reply(ticket, Outcome::Failed(failure)) => format!("answer {} failed: {failure}", ticket.0),
    };
    effects.0.into_iter().map(word).collect()
}

fn deed(action: &Action) -> String {
    match action {
        Action::ClaimName(name) => format!("ClaimName({name})"),
        Action::ReleaseName(name) => format!("ReleaseName({name})"),
        Action::Prepare { .. } => "Prepare".into(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn it() -> Name {
    Name::new("it").unwrap()
}

pub(crate) fn create() -> Verb {
    Verb::Create(Box::default())
}

pub(crate) fn ended(code: i32) -> Observation {
    Observation::Ended(Ending { code, oom: Oom::None })
}

pub(crate) fn failure() -> Failure {
    Failure { code: None, message: "it went wrong".into() }
}
