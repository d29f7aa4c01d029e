//! The simulator under the eyes of the rules: an engine like any other, that holds each moment against them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use super::moment::{Input, Moment, Past};
use super::rules::{self, Rule, Tally, Violation};
use crate::engine::planted::Break;
use crate::engine::trace::Happening;
use crate::engine::{Engine, Local, Notes, Passed};
use crate::model::{
    Command, ContainerSpec, Effect, Effects, Failure, Host, HostFacts, Id, Name, Observation, Outcome,
    Refusal, Resources, Signal, Status, Ticket,
};
use crate::world::images::{ImageAnswer, ImageRequest};
use crate::world::simulated::Simulated;
use crate::world::{HttpRequest, Interrupted, RequestError, RequestId, Response, Staged};

/// The simulator, and what its lives have been so far.
#[derive(Clone, Debug)]
pub struct Watched {
    engine: Local<Simulated, Scribe>,
    only: Option<&'static Rule>,
    lives: BTreeMap<Id, Life>,
    seen_at: Duration,
    tally: Tally,
    broken: Vec<Violation>,
}

/// A container as it was seen last.
#[derive(Clone, Debug)]
struct Life {
    name: Name,
    status: Status,
    cpu_seconds: f64,
    processes: Option<u64>,
    past: Past,
}

/// Takes down what goes into the model and what comes out.
#[derive(Clone, Debug, Default)]
struct Scribe(Vec<Note>);

#[derive(Clone, Debug)]
struct Note {
    input: Kind,
    effects: Vec<Effect>,
    refusal: Option<Refusal>,
}

#[derive(Clone, Debug)]
enum Kind {
    Asked(Ticket, Command),
    Seen(Id, Observation),
    Lost(Id),
    Host,
}

impl Notes for Scribe {
    fn asked(&mut self, ticket: Ticket, command: &Command) -> Result<(), Failure> {
        let input = Kind::Asked(ticket, command.clone());
        self.0.push(Note { input, effects: Vec::new(), refusal: None });
        Ok(())
    }

    fn seen(&mut self, id: Id, seen: &Observation) {
        self.0.push(Note { input: Kind::Seen(id, seen.clone()), effects: Vec::new(), refusal: None });
    }

    fn lost(&mut self, id: Id) {
        self.0.push(Note { input: Kind::Lost(id), effects: Vec::new(), refusal: None });
    }

    fn came(&mut self, came: Result<&Effects, &Refusal>) {
        let is_open = |note: &Note| note.effects.is_empty() && note.refusal.is_none();
        if !self.0.last().is_some_and(is_open) {
            self.0.push(Note { input: Kind::Host, effects: Vec::new(), refusal: None });
        }
        let Some(note) = self.0.last_mut() else { return };
        match came {
            Ok(effects) => note.effects.clone_from(&effects.0),
            Err(refusal) => note.refusal = Some(refusal.clone()),
        }
    }
}

impl Watched {
    /// An empty host, perhaps with a bug in it, held against all rules or only one.
    pub fn new(facts: HostFacts, bug: Option<Break>, only: Option<&'static Rule>) -> Self {
        let world = Simulated::new(facts);
        let engine = Local::resumed(Host::new(facts), world, Scribe::default(), 0).broken_by(bug);
        Self {
            engine,
            only,
            lives: BTreeMap::new(),
            seen_at: Duration::ZERO,
            tally: Tally::default(),
            broken: Vec::new(),
        }
    }

    /// Which rules have been broken so far.
    pub fn broken(&self) -> &[Violation] {
        &self.broken
    }

    /// What has occurred so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// A number for what can be seen of all its containers: how they are, what they cost, what has been noted of them.
    pub fn looks(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for life in self.lives.values() {
            let asked: Vec<_> = life.past.open.values().map(|request| request.verb).collect();
            let past = Past { open: BTreeMap::new(), killed: None, ..life.past.clone() };
            (&life.name, &life.status, past, asked, life.processes).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The model.
    pub fn host(&self) -> &Host {
        self.engine.host()
    }

    /// A life has come to rest: looks at what is still missing.
    pub fn rest(&mut self) {
        self.look(Input::TimePassed);
        let at = self.engine.now();
        for life in self.lives.values() {
            rules::judge_rest(&life.name, at, &life.past, self.only, &mut self.broken);
        }
    }

    /// Holds against the rules what has just happened.
    fn watch(&mut self) {
        for note in std::mem::take(&mut self.engine.notes_mut().0) {
            match &note.input {
                Kind::Asked(ticket, command) => {
                    let id = self.addressed(&command.container);
                    if let Some(id) = id {
                        self.see(id, Input::Asked(*ticket, command), &note.effects, note.refusal.as_ref());
                    }
                }
                Kind::Seen(id, seen) => self.see(*id, Input::Seen(seen), &note.effects, None),
                Kind::Lost(id) => self.see(*id, Input::KeeperLost, &note.effects, None),
                Kind::Host => {
                    for id in self.lives.keys().copied().collect::<Vec<_>>() {
                        let own: Vec<Effect> =
                            note.effects.iter().filter(|effect| self.concerns(id, effect)).cloned().collect();
                        self.see(id, Input::HostWoke, &own, None);
                    }
                }
            }
        }
    }

    /// Looks at every container, though nobody has asked for anything.
    fn look(&mut self, input: Input<'_>) {
        if self.engine.now() == self.seen_at {
            return;
        }
        for id in self.lives.keys().copied().collect::<Vec<_>>() {
            self.see(id, input, &[], None);
        }
        self.seen_at = self.engine.now();
    }

    /// Whom a request is for.
    fn addressed(&mut self, name: &Name) -> Option<Id> {
        let id = self.engine.host().id(name)?;
        self.lives.entry(id).or_insert_with(|| Life {
            name: name.clone(),
            status: Status::ABSENT,
            cpu_seconds: 0.0,
            processes: None,
            past: Past::default(),
        });
        Some(id)
    }

    fn concerns(&self, id: Id, effect: &Effect) -> bool {
        let named = |name: &Name| self.lives.get(&id).is_some_and(|life| life.name == *name);
        match effect {
            Effect::Act(whose, _) => *whose == id,
            Effect::Moved(moved) => named(&moved.container),
            Effect::Emitted(event) => named(&event.container),
            Effect::Reply(ticket, _) => {
                self.lives.get(&id).is_some_and(|life| life.past.open.contains_key(ticket))
            }
        }
    }

    fn see(&mut self, id: Id, input: Input<'_>, effects: &[Effect], refusal: Option<&Refusal>) {
        let Some(life) = self.lives.get(&id) else { return };
        let name = self.name_of(id).unwrap_or_else(|| life.name.clone());
        let there = self.engine.host().id(&name) == Some(id);
        let (after, costs) = if there {
            (self.engine.status(&name), self.engine.resources(&name))
        } else {
            (Status::ABSENT, Resources::zero())
        };
        let at = self.engine.now();
        let Some(life) = self.lives.get(&id) else { return };
        let mut now = life.past.clone();
        now.take_in(at, Some(id), input, effects);
        if refusal.is_some() {
            now.clone_from(&life.past);
        }
        let cpu = costs.cpu_seconds.unwrap_or(0.0);
        let burnt_in = (cpu > life.cpu_seconds + 1e-9).then_some(life.status.state);
        let others: Vec<(Name, Status)> = match input {
            Input::Seen(
                Observation::PortsGranted(_) | Observation::PortsDenied(_) | Observation::NameGranted,
            ) => {
                let others = self.engine.names().into_iter().filter(|other| *other != name);
                others.map(|other| (other.clone(), self.engine.status(&other))).collect()
            }
            _ => Vec::new(),
        };
        let moment = Moment {
            name: &name,
            at,
            input,
            effects,
            refusal,
            before: &life.status,
            after: &after,
            costs: &costs,
            burnt_in,
            past: &life.past,
            now: &now,
            others: &others,
            freezer: self.engine.facts().freezer,
        };
        self.tally.count(&moment);
        rules::judge(&moment, self.only, &mut self.broken);
        now.take_in_costs(after.state, &costs);
        self.lives.insert(
            id,
            Life { name, status: after, cpu_seconds: cpu, processes: costs.processes, past: now },
        );
    }

    fn name_of(&self, id: Id) -> Option<Name> {
        let last = &self.lives.get(&id)?.name;
        if self.engine.host().id(last) == Some(id) {
            return Some(last.clone());
        }
        self.engine.names().into_iter().find(|name| self.engine.host().id(name) == Some(id))
    }
}

impl Engine for Watched {
    fn facts(&self) -> HostFacts {
        self.engine.facts()
    }

    fn now(&self) -> Duration {
        self.engine.now()
    }

    fn submit(&mut self, command: &Command) -> Ticket {
        let ticket = self.engine.submit(command);
        self.watch();
        ticket
    }

    fn answer(&self, ticket: Ticket) -> Option<&(Duration, Outcome)> {
        self.engine.answer(ticket)
    }

    fn advance(&mut self, deadline: Duration) -> Result<Passed, Interrupted> {
        let passed = self.engine.advance(deadline)?;
        self.watch();
        self.look(Input::TimePassed);
        Ok(passed)
    }

    fn happened(&self) -> &[Happening] {
        self.engine.happened()
    }

    fn status(&self, name: &Name) -> Status {
        self.engine.status(name)
    }

    fn names(&self) -> Vec<Name> {
        self.engine.names()
    }

    fn resources(&mut self, name: &Name) -> Resources {
        self.engine.resources(name)
    }

    fn output(&mut self, name: &Name) -> String {
        self.engine.output(name)
    }

    fn strike(&mut self, name: &Name, signal: Signal) {
        self.engine.strike(name, signal);
    }

    fn lose_keeper(&mut self, name: &Name) -> Staged {
        let staged = self.engine.lose_keeper(name);
        self.watch();
        staged
    }

    fn reboot(&mut self) -> Staged {
        let staged = self.engine.reboot();
        self.watch();
        staged
    }

    fn has_come_up(&self) -> bool {
        self.engine.has_come_up()
    }

    fn request(&mut self, request: &HttpRequest) -> RequestId {
        self.engine.request(request)
    }

    fn response(&mut self, id: RequestId) -> Option<Result<Response, RequestError>> {
        self.engine.response(id)
    }

    fn images(&self) -> Vec<String> {
        self.engine.images()
    }

    fn ask_for_image(&mut self, request: &ImageRequest) -> RequestId {
        self.engine.ask_for_image(request)
    }

    fn image_answer(&mut self, id: RequestId) -> Option<ImageAnswer> {
        self.engine.image_answer(id)
    }

    fn resolve(&self, wish: &ContainerSpec) -> Result<ContainerSpec, String> {
        self.engine.resolve(wish)
    }

    fn left_behind(&mut self) -> Vec<String> {
        self.engine.left_behind()
    }
}
