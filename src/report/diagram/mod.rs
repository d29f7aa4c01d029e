//! The diagram of the life cycle, drawn by living the model in every way that a world could, and noting which arrows it takes.
//!
//! A life is asked for everything at every point, and sees everything that its outstanding actions can bring. Two lives that
//! show the same state and have the same outstanding are taken for one, which keeps the walk finite.

mod svg;

pub use svg::{around, whole};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::model::{
    Action, Command, ContainerSpec, Effect, Ending, Failure, Host, HostFacts, Id, Name, Observation, Oom,
    Removal, RestartPolicy, Rule, Signal, State, Ticket, Timer, Verb,
};

/// An arrow and what takes it.
type Arrows = BTreeMap<(State, State), BTreeSet<&'static str>>;

/// The diagram in Mermaid's language.
pub fn mermaid() -> String {
    let mut text = String::from("stateDiagram-v2\n");
    for ((from, to), causes) in arrows() {
        let causes: Vec<_> = causes.into_iter().collect();
        let _ = writeln!(text, "    {} --> {}: {}", mermaid_name(from), mermaid_name(to), causes.join(", "));
    }
    text
}

/// The diagram in Graphviz's language.
pub fn dot() -> String {
    let mut text = String::from("digraph life {\n    node [shape=box, style=rounded];\n");
    for ((from, to), causes) in arrows() {
        let causes: Vec<_> = causes.into_iter().collect();
        let _ = writeln!(text, "    {from} -> {to} [label=\"{}\"];", causes.join("\\n"));
    }
    text.push_str("}\n");
    text
}

fn mermaid_name(state: State) -> String {
    if state == State::Absent { "[*]".into() } else { state.to_string() }
}

/// The states from which arrows lead to one, or to which they lead from it, each with what takes them.
pub fn arrows_at(state: State) -> (Neighbours, Neighbours) {
    let of = |causes: &BTreeSet<&'static str>| causes.iter().copied().collect::<Vec<_>>();
    let arrows = arrows();
    let to = arrows.iter().filter(|((_, to), _)| *to == state);
    let from = arrows.iter().filter(|((from, _), _)| *from == state);
    (
        to.map(|((from, _), causes)| (*from, of(causes))).collect(),
        from.map(|((_, to), causes)| (*to, of(causes))).collect(),
    )
}

/// Other states, and what leads to them or from them.
pub type Neighbours = Vec<(State, Vec<&'static str>)>;

/// Every arrow that any life takes.
fn arrows() -> Arrows {
    let mut arrows = Arrows::new();
    for spec in specs() {
        let mut seen = BTreeSet::new();
        let mut walk = vec![Life { host: Host::new(HostFacts::ASSUMED), outstanding: BTreeSet::new() }];
        while let Some(life) = walk.pop() {
            for (cause, next) in life.successors(&spec, &mut arrows) {
                if seen.insert((next.state(), next.outstanding.clone(), cause)) {
                    walk.push(next);
                }
            }
        }
    }
    arrows
}

/// Containers that differ in what their end brings.
fn specs() -> [ContainerSpec; 3] {
    let plain = ContainerSpec::default();
    let always = ContainerSpec { restart: RestartPolicy::Always, ..plain.clone() };
    let auto_remove = ContainerSpec { auto_remove: true, ..plain.clone() };
    [plain, always, auto_remove]
}

/// What a world has been told and has not yet answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outstanding {
    Name,
    Process,
    Program,
    Death,
    Freeze,
    Thaw,
    Timer(Timer),
    Deletion,
}

/// A container on a host of its own.
#[derive(Clone)]
struct Life {
    host: Host,
    outstanding: BTreeSet<Outstanding>,
}

impl Life {
    fn state(&self) -> State {
        self.host.status(&name()).state
    }

    fn successors(&self, spec: &ContainerSpec, arrows: &mut Arrows) -> Vec<(&'static str, Self)> {
        let mut successors = Vec::new();
        for verb in self.commands(spec) {
            let mut next = self.clone();
            let cause = verb.word();
            let command = Command { container: name(), verb };
            if let Ok(effects) = next.host.command(Ticket(0), &command) {
                next.note(cause, &effects.0, arrows);
                successors.push((cause, next));
            }
        }
        for (answered, cause, seen) in self.outstanding.iter().flat_map(|open| open.answers()) {
            let mut next = self.clone();
            next.outstanding.remove(&answered);
            let effects = next.host.observe(self.host.id(&name()).unwrap_or(Id(0)), seen);
            next.note(cause, &effects.0, arrows);
            successors.push((cause, next));
        }
        successors
    }

    /// What can be asked at this point. While an answer is due, a command would only wait for it.
    fn commands(&self, spec: &ContainerSpec) -> Vec<Verb> {
        let waits = |open: &Outstanding| !matches!(open, Outstanding::Death | Outstanding::Timer(_));
        let stops = self.outstanding.contains(&Outstanding::Timer(Timer::Grace(0)))
            || self.outstanding.contains(&Outstanding::Timer(Timer::KillWait));
        if self.outstanding.iter().any(waits) {
            return Vec::new();
        }
        if stops {
            return vec![Verb::Remove(Removal::Forced)];
        }
        vec![
            Verb::Create(Box::new(spec.clone())),
            Verb::Start,
            Verb::Pause,
            Verb::Unpause,
            Verb::Stop { timeout: None, signal: None },
            Verb::Restart { timeout: None, signal: None },
            Verb::Kill { signal: Signal::KILL },
            Verb::Kill { signal: Signal::TERM },
            Verb::Remove(Removal::Gentle),
            Verb::Remove(Removal::Forced),
        ]
    }

    /// Notes the arrows that were taken, and what the world has to do now.
    fn note(&mut self, cause: &'static str, effects: &[Effect], arrows: &mut Arrows) {
        for effect in effects {
            match effect {
                Effect::Moved(moved) => {
                    // What the process does is not what a person asked for, and the other way round.
                    let cause = match moved.rule {
                        Rule::RemoveAuto => "auto-remove",
                        Rule::UnpauseThaw => "unpause",
                        Rule::KillThaws => "kill",
                        Rule::RemoveBegin => "remove",
                        _ => cause,
                    };
                    arrows.entry((moved.from, moved.to)).or_default().insert(cause);
                    if moved.to == State::Running && cause == "start" {
                        self.outstanding.insert(Outstanding::Death);
                    }
                }
                Effect::Act(_, action) => self.owe(action),
                Effect::Emitted(_) | Effect::Reply(..) => {}
            }
        }
    }

    fn owe(&mut self, action: &Action) {
        match action {
            Action::ClaimName(_) => self.outstanding.insert(Outstanding::Name),
            Action::Prepare { .. } => self.outstanding.insert(Outstanding::Process),
            Action::Execute => self.outstanding.insert(Outstanding::Program),
            Action::Freeze => self.outstanding.insert(Outstanding::Freeze),
            Action::Thaw => self.outstanding.insert(Outstanding::Thaw),
            Action::Arm(timer, _) => self.outstanding.insert(Outstanding::Timer(*timer)),
            Action::Cancel(timer) => self.outstanding.remove(&Outstanding::Timer(*timer)),
            Action::Remove => self.outstanding.insert(Outstanding::Deletion),
            Action::Discard => self.outstanding.remove(&Outstanding::Death),
            Action::ClaimPorts(_)
            | Action::ReleaseName(_)
            | Action::Signal(_)
            | Action::Exec { .. }
            | Action::Probe
            | Action::StopProbe
            | Action::Limit(_) => false,
        };
    }
}

impl Outstanding {
    /// What can come of it, and what people would call that.
    fn answers(self) -> Vec<(Self, &'static str, Observation)> {
        let failure = || Failure { code: None, message: String::new() };
        let answers: Vec<(&'static str, Observation)> = match self {
            Self::Name => vec![("create", Observation::NameGranted)],
            Self::Process => {
                vec![("create", Observation::Prepared), ("it fails", Observation::PrepareFailed(failure()))]
            }
            Self::Program => {
                vec![("start", Observation::Executed), ("it fails", Observation::ExecuteFailed(failure()))]
            }
            Self::Death => vec![("its process ends", Observation::Ended(Ending { code: 1, oom: Oom::None }))],
            Self::Freeze => vec![("pause", Observation::Frozen)],
            Self::Thaw => vec![("unpause", Observation::Thawed)],
            Self::Timer(Timer::KillWait) => vec![("SIGKILL unanswered", Observation::Fired(Timer::KillWait))],
            Self::Timer(timer) => vec![("a timer", Observation::Fired(timer))],
            Self::Deletion => vec![
                ("all is deleted", Observation::Removed),
                ("it fails", Observation::RemoveFailed(String::new())),
            ],
        };
        answers.into_iter().map(|(cause, seen)| (self, cause, seen)).collect()
    }
}

fn name() -> Name {
    Name::new("web").expect("a letter begins it")
}
