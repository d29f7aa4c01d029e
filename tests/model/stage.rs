//! The language: `life("create start stop")` asks for each in turn and awaits the answer. `stop&` asks and goes on, `5s` lets
//! time pass, `remove!` is by force, `stop:2s` has its own grace period, `kill:USR1` another signal, `crash:KILL` comes from
//! outside.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use terrarium::engine::trace::What;
use terrarium::engine::{Engine, Local, Passed};
use terrarium::model::{
    Behavior, Command, ContainerSpec, Exit, Freezer, HostFacts, Name, Outcome, Reaction, Removal,
    RestartPolicy, Signal, Status, StopTimeout, Ticket, Verb,
};
use terrarium::world::simulated::Simulated;

pub(crate) const FREEZERS: [Freezer; 3] = [Freezer::CgroupV2, Freezer::CgroupV1, Freezer::Signals];

/// What came of a life.
pub(crate) struct Told {
    /// Its events, without its name.
    pub(crate) events: String,
    /// Each request with how long it took, or why not.
    pub(crate) answers: String,
    /// Requests that have no answer yet.
    pub(crate) open: usize,
    pub(crate) status: Status,
    /// When each event was.
    pub(crate) times: Vec<(Duration, String)>,
}

pub(crate) fn life(words: &str) -> Told {
    life_of(plain(), words)
}

pub(crate) fn life_of(spec: ContainerSpec, words: &str) -> Told {
    life_on(HostFacts::ASSUMED.freezer, spec, words)
}

pub(crate) fn life_on(freezer: Freezer, spec: ContainerSpec, words: &str) -> Told {
    let mut stage = Stage::new(HostFacts { freezer, ..HostFacts::ASSUMED });
    stage.declare("it", spec);
    stage.play("it", words);
    stage.tell("it")
}

impl Told {
    pub(crate) fn last_answer(&self) -> String {
        self.answers.rsplit(", ").next().unwrap_or_default().into()
    }

    pub(crate) fn last_events(&self, count: usize) -> String {
        let events: Vec<&str> = self.times.iter().map(|(_, event)| event.as_str()).collect();
        events[events.len() - count..].join(", ")
    }

    /// From each death to the start that followed it.
    pub(crate) fn waits(&self) -> Vec<Duration> {
        let pairs = self.times.windows(2).filter(|pair| pair[0].1.starts_with("die") && pair[1].1 == "start");
        pairs.map(|pair| pair[1].0.abs_diff(pair[0].0)).collect()
    }
}

/// A simulated host, and what was asked on it.
pub(crate) struct Stage {
    engine: Local<Simulated>,
    specs: BTreeMap<String, ContainerSpec>,
    asked: Vec<(Ticket, &'static str, Duration)>,
}

impl Stage {
    pub(crate) fn new(facts: HostFacts) -> Self {
        Self { engine: Local::new(Simulated::new(facts)), specs: BTreeMap::new(), asked: Vec::new() }
    }

    pub(crate) fn declare(&mut self, name: &str, spec: ContainerSpec) {
        self.specs.insert(name.into(), spec);
    }

    pub(crate) fn play(&mut self, name: &str, words: &str) {
        for word in words.split_whitespace() {
            if let Ok(time) = humantime::parse_duration(word) {
                self.pass(time);
            } else if let Some(signal) = word.strip_prefix("crash:") {
                self.engine.strike(&named(name), signal.parse().unwrap());
            } else if let Some(word) = word.strip_suffix('&') {
                self.ask(name, word);
            } else {
                let ticket = self.ask(name, word);
                while self.engine.answer(ticket).is_none() {
                    assert_eq!(self.pass_on(), Passed::Something, "`{word}` of `{words}` is never answered");
                }
            }
        }
    }

    fn ask(&mut self, name: &str, word: &str) -> Ticket {
        let (word, detail) = word.split_once(':').unwrap_or((word, ""));
        let timeout = humantime::parse_duration(detail).ok().map(StopTimeout::After);
        let signal = detail.parse().ok();
        let verb = match word {
            "create" => Verb::Create(Box::new(self.specs[name].clone())),
            "start" => Verb::Start,
            "pause" => Verb::Pause,
            "unpause" => Verb::Unpause,
            "stop" => Verb::Stop { timeout, signal },
            "restart" => Verb::Restart { timeout, signal },
            "kill" => Verb::Kill { signal: signal.unwrap_or(Signal::KILL) },
            "remove" => Verb::Remove(Removal::Gentle),
            "remove!" => Verb::Remove(Removal::Forced),
            unknown => panic!("`{unknown}` is no word of this language"),
        };
        let (word, now) = (verb.word(), self.engine.now());
        let ticket = self.engine.submit(&Command { container: named(name), verb });
        self.asked.push((ticket, word, now));
        ticket
    }

    fn pass(&mut self, time: Duration) {
        let deadline = self.engine.now() + time;
        while self.engine.advance(deadline).unwrap() == Passed::Something {}
    }

    /// Until something happens, a day at most.
    fn pass_on(&mut self) -> Passed {
        let day = Duration::from_secs(24 * 60 * 60);
        self.engine.advance(self.engine.now() + day).unwrap()
    }

    pub(crate) fn status(&self, name: &str) -> Status {
        self.engine.status(&named(name))
    }

    pub(crate) fn all_events(&self) -> Vec<String> {
        let events = self.engine.happened().iter().filter_map(|happening| match &happening.what {
            What::Emitted(event) => Some(event.to_string()),
            What::Moved(_) => None,
        });
        events.collect()
    }

    fn tell(&self, name: &str) -> Told {
        let times: Vec<(Duration, String)> = self
            .engine
            .happened()
            .iter()
            .filter_map(|happening| match &happening.what {
                What::Emitted(event) => Some((happening.at, event.kind.to_string())),
                What::Moved(_) => None,
            })
            .collect();
        let mut answers = String::new();
        let mut open = 0;
        for (ticket, word, asked) in &self.asked {
            let Some((at, outcome)) = self.engine.answer(*ticket) else {
                open += 1;
                continue;
            };
            let separator = if answers.is_empty() { "" } else { ", " };
            let _ = write!(answers, "{separator}{word} ");
            let _ = match outcome {
                Outcome::Done => write!(answers, "{}", humantime::format_duration(at.abs_diff(*asked))),
                Outcome::Exited(code) => write!(answers, "exited {code}"),
                Outcome::Noop => write!(answers, "noop"),
                Outcome::Refused(refusal) => write!(answers, "{}", refusal.reason),
                Outcome::Failed(failure) => write!(answers, "failed: {failure}"),
            };
        }
        let events: Vec<&str> = times.iter().map(|(_, event)| event.as_str()).collect();
        Told { events: events.join(", "), answers, open, status: self.status(name), times }
    }
}

pub(crate) fn named(name: &str) -> Name {
    Name::new(name).unwrap()
}

pub(crate) fn plain() -> ContainerSpec {
    ContainerSpec::default()
}

/// Handles SIGTERM, and exits after a while.
pub(crate) fn polite(code: u8, after: Duration) -> ContainerSpec {
    let signals = BTreeMap::from([(Signal::TERM, Reaction::Exit(Exit { after, code }))]);
    ContainerSpec { behavior: Behavior { signals, ..Behavior::default() }, ..plain() }
}

/// Exits with 1 at once, each time.
pub(crate) fn failing(restart: RestartPolicy) -> ContainerSpec {
    ContainerSpec { behavior: brief(0, 1), restart, ..plain() }
}

/// Idle for a while, then gone.
pub(crate) fn brief(seconds: u64, code: u8) -> Behavior {
    let exits = Some(Exit { after: Duration::from_secs(seconds), code });
    Behavior { exits, ..Behavior::default() }
}

pub(crate) fn after(seconds: u64) -> StopTimeout {
    StopTimeout::After(Duration::from_secs(seconds))
}

pub(crate) fn signal(name: &str) -> Option<Signal> {
    name.parse().ok()
}
