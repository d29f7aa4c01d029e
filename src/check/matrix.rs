//! Every state against every command: each cell is lived in the simulator, as it was measured on a Docker Engine.
//!
//! A fixture brings a fresh container into its state, the command is asked for, and about a second after the answer one looks
//! again. States, exit codes and events are written in Docker's words, so that a cell can be laid beside a measurement.

use std::time::Duration;

use serde::Serialize;

use crate::engine::trace::What;
use crate::engine::{Engine, Local, Passed};
use crate::model::{
    Behavior, Command, ContainerSpec, ExecSpec, Exit, Freezer, HostFacts, Limits, Look, Name, Outcome,
    Reaction, Removal, RestartPolicy, Signal, State, StopTimeout, Verb,
};
use crate::world::simulated::{Faults, KillFault, RemovalFault, Simulated};

/// What a command does to a container in a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// The fixture's name.
    pub state: &'static str,
    /// The command, as it is typed.
    pub command: &'static str,
    /// `done`, `noop` or `refused` (Docker's 2xx, 304, and 4xx or 5xx).
    pub outcome: &'static str,
    /// Docker's word for the state about a second later.
    pub next: &'static str,
    /// The exit code then, as Docker's inspect shows it.
    pub exit: Option<i32>,
    /// The events in between.
    pub events: Vec<String>,
    /// The rules behind the transitions.
    pub rules: Vec<&'static str>,
    /// What was said of a refusal.
    #[serde(skip)]
    pub message: Option<String>,
}

/// The twelve states in which containers were measured.
pub const STATES: [&str; 12] = [
    "absent",
    "created",
    "running",
    "running_termtrap",
    "paused",
    "paused_termtrap",
    "exited_0",
    "exited_0_after_stop",
    "exited_137",
    "restarting",
    "dead",
    "removing",
];

/// The commands with which they were measured.
pub const COMMANDS: [&str; 26] = [
    "create",
    "start",
    "stop",
    "stop -t 0",
    "pause",
    "unpause",
    "restart",
    "restart -t 0",
    "kill",
    "kill -s TERM",
    "kill -s STOP",
    "kill -s NOSUCH",
    "rm",
    "rm -f",
    "exec",
    "wait",
    "logs",
    "inspect",
    "rename",
    "update --restart",
    "update --memory",
    "top",
    "stats --no-stream",
    "cp out",
    "cp in",
    "diff",
];

/// The engine on which it was measured froze by the v1 freezer.
const FACTS: HostFacts = HostFacts { freezer: Freezer::CgroupV1, ..HostFacts::ASSUMED };
/// When one looks again after the answer.
const LATER: Duration = Duration::from_secs(1);
/// Longer than any answer takes; a `wait` that has none by then blocks.
const PATIENCE: Duration = Duration::from_secs(30);
/// The restart count of the fixture `restarting`: it is in its sixth wait then.
const RESTARTS: u32 = 6;

/// All cells, state by state.
pub fn cells() -> Vec<Cell> {
    cells_on(FACTS, KillFault::None)
}

/// All cells on another host, on which ending a process goes like this once the fixture stands.
pub fn cells_on(facts: HostFacts, kill: KillFault) -> Vec<Cell> {
    let cell =
        |state| COMMANDS.iter().map(move |command| cell(Fixture::on(facts, state, kill), state, command));
    STATES.iter().flat_map(|state| cell(state)).collect()
}

fn cell(mut fixture: Fixture, state: &'static str, command: &'static str) -> Cell {
    let from = fixture.engine.happened().len();
    let (outcome, message) = fixture.ask_as_typed(command);
    fixture.pass(LATER);
    let events = fixture.events(from);
    let rules = fixture.engine.happened()[from..].iter().filter_map(|happening| match &happening.what {
        What::Moved(moved) => Some(moved.rule.id()),
        What::Emitted(_) => None,
    });
    let mut rules: Vec<_> = rules.collect();
    rules.dedup();
    let events = if state == "restarting" { without_the_policys_own(events) } else { events };
    let (next, exit) = fixture.as_docker_shows_it(state, command);
    Cell { state, command, outcome, next, exit, events, rules, message }
}

struct Fixture {
    engine: Local<Simulated>,
    name: Name,
}

impl Fixture {
    fn on(facts: HostFacts, state: &str, kill: KillFault) -> Self {
        let removal = match state {
            "dead" => RemovalFault::Fails,
            "removing" => RemovalFault::Hangs,
            _ => RemovalFault::None,
        };
        let mut world = Simulated::new(facts);
        world.faults = Faults { removal, ..Faults::default() };
        let name = Name::new("web").expect("a letter begins it");
        let mut fixture = Self { engine: Local::new(world), name };
        fixture.live_up_to(state);
        fixture.engine.world_mut().faults.kill = kill;
        fixture
    }

    fn live_up_to(&mut self, state: &str) {
        let idle = ContainerSpec::default();
        let trap = ContainerSpec {
            behavior: Behavior {
                signals: [(Signal::TERM, Reaction::Exit(Exit { after: Duration::ZERO, code: 0 }))].into(),
                ..Behavior::default()
            },
            ..ContainerSpec::default()
        };
        let exits =
            |code| Behavior { exits: Some(Exit { after: Duration::ZERO, code }), ..Behavior::default() };
        let succeeds = ContainerSpec { behavior: exits(0), ..ContainerSpec::default() };
        let fails =
            ContainerSpec { behavior: exits(3), restart: RestartPolicy::Always, ..ContainerSpec::default() };
        let stop = Verb::Stop { timeout: None, signal: None };
        match state {
            "created" => self.ask_all([create(&idle)]),
            "running" => self.ask_all([create(&idle), Verb::Start]),
            "running_termtrap" => self.ask_all([create(&trap), Verb::Start]),
            "paused" => self.ask_all([create(&idle), Verb::Start, Verb::Pause]),
            "paused_termtrap" => self.ask_all([create(&trap), Verb::Start, Verb::Pause]),
            "exited_0" => self.ask_all([create(&succeeds), Verb::Start]),
            "exited_0_after_stop" => self.ask_all([create(&trap), Verb::Start, stop]),
            "exited_137" => self.ask_all([create(&idle), Verb::Start, Verb::Kill { signal: Signal::KILL }]),
            "restarting" => {
                self.ask_all([create(&fails), Verb::Start]);
                while self.status().restarts < RESTARTS {
                    self.step();
                }
            }
            "dead" | "removing" => self.ask_all([create(&idle), Verb::Remove(Removal::Gentle)]),
            _ => {}
        }
        self.pass(Duration::from_millis(10));
    }

    fn ask_all<const N: usize>(&mut self, verbs: [Verb; N]) {
        for verb in verbs {
            self.ask(verb);
        }
    }

    fn ask(&mut self, verb: Verb) -> Option<Outcome> {
        let ticket = self.engine.submit(&Command { container: self.name.clone(), verb });
        let deadline = self.engine.now() + PATIENCE;
        loop {
            if let Some((_, outcome)) = self.engine.answer(ticket) {
                return Some(outcome.clone());
            }
            if self.engine.advance(deadline) != Ok(Passed::Something) {
                return None;
            }
        }
    }

    fn ask_as_typed(&mut self, command: &str) -> (&'static str, Option<String>) {
        let other = Name::new("other").expect("a letter begins it");
        let limits = Limits { memory: Some(64 << 20), ..Limits::default() };
        let verb = match command {
            "create" => create(&ContainerSpec::default()),
            "start" => Verb::Start,
            "stop" => Verb::Stop { timeout: None, signal: None },
            "stop -t 0" => Verb::Stop { timeout: Some(StopTimeout::After(Duration::ZERO)), signal: None },
            "pause" => Verb::Pause,
            "unpause" => Verb::Unpause,
            "restart" => Verb::Restart { timeout: None, signal: None },
            "restart -t 0" => {
                Verb::Restart { timeout: Some(StopTimeout::After(Duration::ZERO)), signal: None }
            }
            "kill" => Verb::Kill { signal: Signal::KILL },
            "rm" => Verb::Remove(Removal::Gentle),
            "rm -f" => Verb::Remove(Removal::Forced),
            "exec" => Verb::Exec(ExecSpec::of(&["exit".into(), "7".into()])),
            "wait" => Verb::Wait,
            "logs" => Verb::Look(Look::Logs),
            "inspect" => Verb::Look(Look::Inspect),
            "rename" => Verb::Rename { to: other },
            "update --restart" => {
                Verb::Update { restart: Some(RestartPolicy::UnlessStopped), limits: Limits::default() }
            }
            "update --memory" => Verb::Update { restart: None, limits },
            "top" => Verb::Look(Look::Top),
            "stats --no-stream" => Verb::Look(Look::Stats),
            "cp out" => Verb::Look(Look::CopyOut),
            "cp in" => Verb::Look(Look::CopyIn),
            "diff" => Verb::Look(Look::Diff),
            kill => match Command::kill(self.name.clone(), kill.trim_start_matches("kill -s ")) {
                Ok(command) => command.verb,
                Err(refusal) => return ("refused", Some(refusal.to_string())),
            },
        };
        let from = self.engine.now();
        let wait = verb == Verb::Wait;
        match self.ask(verb) {
            Some(Outcome::Done | Outcome::Exited(_)) => ("done", None),
            Some(Outcome::Noop) => ("noop", None),
            Some(Outcome::Refused(refusal)) => ("refused", Some(refusal.to_string())),
            Some(Outcome::Failed(failure)) => ("refused", Some(failure.to_string())),
            // It blocks, as it should: one has looked at it while it did.
            None => {
                debug_assert!(wait && self.engine.now() > from, "only wait blocks");
                ("done", None)
            }
        }
    }

    fn status(&self) -> crate::model::Status {
        self.engine.names().first().map_or(crate::model::Status::ABSENT, |name| self.engine.status(name))
    }

    fn step(&mut self) {
        let _ = self.engine.advance(self.engine.now() + PATIENCE);
    }

    fn pass(&mut self, time: Duration) {
        let deadline = self.engine.now() + time;
        while self.engine.advance(deadline) == Ok(Passed::Something) {}
    }

    fn events(&self, from: usize) -> Vec<String> {
        let events = self.engine.happened()[from..].iter().filter_map(|happening| match &happening.what {
            What::Emitted(event) => Some(event.kind.to_string()),
            What::Moved(_) => None,
        });
        events.collect()
    }

    /// Docker's word for the state, and the exit code that its inspect shows: 0 while there is none.
    fn as_docker_shows_it(&self, state: &str, command: &str) -> (&'static str, Option<i32>) {
        let status = self.status();
        let exit = match status.state {
            State::Absent | State::Creating => None,
            // The measurement lost sight of most containers while they were being removed.
            State::Removing if !SEEN_WHILE_REMOVING.contains(&command) => None,
            // The policy goes on meanwhile, so there is no one code.
            State::Running | State::Restarting if state == "restarting" && command.starts_with("restart") => {
                None
            }
            _ => Some(status.exit.unwrap_or(0)),
        };
        (status.state.docker(), exit)
    }
}

/// Commands after which a container under removal could still be inspected when it was measured.
const SEEN_WHILE_REMOVING: [&str; 6] = ["create", "start", "stop", "stop -t 0", "pause", "unpause"];

fn create(spec: &ContainerSpec) -> Verb {
    Verb::Create(Box::new(spec.clone()))
}

/// While a container restarts by its policy, the policy's own starts and deaths are no answer to a command.
fn without_the_policys_own(events: Vec<String>) -> Vec<String> {
    let followed_by_restart = |nth: usize| events.get(nth + 1).is_some_and(|next| next == "restart");
    let wanted = |nth: usize, event: &str| event != "die 3" && (event != "start" || followed_by_restart(nth));
    let keep: Vec<bool> = events.iter().enumerate().map(|(nth, event)| wanted(nth, event)).collect();
    events.into_iter().zip(keep).filter_map(|(event, keep)| keep.then_some(event)).collect()
}
