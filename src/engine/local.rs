//! The one drive loop: the model says what to do, a world does it and says what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::planted::{Break, Cause, Planted};
use super::trace::{Happening, What};
use super::{Engine, Passed};
use crate::model::{
    Command, ContainerSpec, Effect, Effects, Failure, Host, HostFacts, Id, Name, Observation, Outcome,
    Refusal, Resources, Signal, Status, Ticket,
};
use crate::world::images::{ImageAnswer, ImageRequest};
use crate::world::{HttpRequest, Interrupted, RequestError, RequestId, Response, Staged, World};

/// The model and a world, and whoever writes down what goes into the model.
#[derive(Clone, Debug)]
pub struct Local<W, N = Unwritten> {
    host: Host,
    world: W,
    notes: N,
    planted: Planted,
    asked: u64,
    answers: BTreeMap<Ticket, (Duration, Outcome)>,
    happened: Vec<Happening>,
}

/// Takes down everything that goes into the model, before anything comes of it.
pub trait Notes {
    /// What somebody asks. If it cannot be written down, it is not begun, and that is the answer.
    fn asked(&mut self, ticket: Ticket, command: &Command) -> Result<(), Failure>;

    /// What a world saw. It has happened, written down or not.
    fn seen(&mut self, id: Id, seen: &Observation);

    /// Its keeper is staged to be killed.
    fn lost(&mut self, _id: Id) {}

    /// What came of the last of these, or of something that happened to the whole host.
    fn came(&mut self, _effects: Result<&Effects, &Refusal>) {}
}

/// Nobody reads it again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwritten;

impl Notes for Unwritten {
    fn asked(&mut self, _: Ticket, _: &Command) -> Result<(), Failure> {
        Ok(())
    }

    fn seen(&mut self, _: Id, _: &Observation) {}
}

impl<W: World> Local<W> {
    /// The model of a host like this world's, with nothing on it.
    pub fn new(world: W) -> Self {
        Self::resumed(Host::new(world.facts()), world, Unwritten, 0)
    }
}

impl<W: World, N: Notes> Local<W, N> {
    /// A host that has lived already; `asked` is how often it has been asked for something.
    pub fn resumed(host: Host, world: W, notes: N, asked: u64) -> Self {
        Self {
            host,
            world,
            notes,
            planted: Planted::default(),
            asked,
            answers: BTreeMap::new(),
            happened: Vec::new(),
        }
    }

    /// The same with a bug in it, if one is given.
    #[must_use]
    pub fn broken_by(self, bug: Option<Break>) -> Self {
        Self { planted: bug.map(Planted::from).unwrap_or_default(), ..self }
    }

    /// Carries out what came of something that happened to the whole host, and was written down.
    pub fn resume(&mut self, change: impl FnOnce(&mut Host) -> Effects) {
        let effects = change(&mut self.host);
        self.carry_out(Cause::Host, effects);
    }

    /// What writes it down.
    pub fn notes_mut(&mut self) -> &mut N {
        &mut self.notes
    }

    /// The model.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The world that it drives.
    pub fn world(&self) -> &W {
        &self.world
    }

    /// The same, to change what goes wrong in it.
    pub fn world_mut(&mut self) -> &mut W {
        &mut self.world
    }

    /// Forgets what has happened and has been answered so far. Of a life that is watched for days, it is read and let go
    /// from time to time; [`Engine::happened`] begins anew.
    pub fn forget(&mut self) {
        self.happened.clear();
        self.answers.clear();
    }

    fn carry_out(&mut self, cause: Cause<'_>, mut effects: Effects) {
        self.planted.said(cause, &mut effects);
        self.notes.came(Ok(&effects));
        for effect in effects.0 {
            let at = self.world.now();
            match effect {
                Effect::Act(id, action) => self.world.perform(id, &action),
                Effect::Moved(transition) => {
                    self.happened.push(Happening { at, what: What::Moved(transition) });
                }
                Effect::Emitted(event) => self.happened.push(Happening { at, what: What::Emitted(event) }),
                Effect::Reply(ticket, outcome) => {
                    self.answers.insert(ticket, (at, outcome));
                }
            }
        }
    }

    fn id(&self, name: &Name) -> Option<Id> {
        self.host.id(name)
    }
}

impl<W: World, N: Notes> Engine for Local<W, N> {
    fn facts(&self) -> HostFacts {
        self.world.facts()
    }

    fn now(&self) -> Duration {
        self.world.now()
    }

    fn submit(&mut self, command: &Command) -> Ticket {
        let ticket = Ticket(self.asked);
        self.asked += 1;
        if let Err(failure) = self.notes.asked(ticket, command) {
            self.answers.insert(ticket, (self.world.now(), Outcome::Failed(failure)));
            return ticket;
        }
        let heard = self.planted.asked(&self.host, command);
        match self.host.command(ticket, heard.as_ref().unwrap_or(command)) {
            Ok(effects) => self.carry_out(Cause::Asked(command), effects),
            Err(refusal) => {
                self.notes.came(Err(&refusal));
                self.answers.insert(ticket, (self.world.now(), Outcome::Refused(refusal)));
            }
        }
        ticket
    }

    fn answer(&self, ticket: Ticket) -> Option<&(Duration, Outcome)> {
        self.answers.get(&ticket)
    }

    fn advance(&mut self, deadline: Duration) -> Result<Passed, Interrupted> {
        let Some((id, seen)) = self.world.next(deadline)? else {
            let early = self.world.now() < deadline;
            return Ok(if early { Passed::Something } else { Passed::Deadline });
        };
        self.notes.seen(id, &seen);
        let effects = match self.planted.seen(&self.host, id, seen.clone()) {
            Some(heard) => self.host.observe(id, heard),
            None => Effects::default(),
        };
        self.carry_out(Cause::Seen(id, &seen), effects);
        Ok(Passed::Something)
    }

    fn happened(&self) -> &[Happening] {
        &self.happened
    }

    fn status(&self, name: &Name) -> Status {
        self.host.status(name)
    }

    fn names(&self) -> Vec<Name> {
        self.host.names().cloned().collect()
    }

    fn resources(&mut self, name: &Name) -> Resources {
        let mut resources = self.id(name).map_or_else(Resources::zero, |id| self.world.resources(id));
        self.planted.counted(&self.host.status(name), &mut resources);
        resources
    }

    fn output(&mut self, name: &Name) -> String {
        self.id(name).map(|id| self.world.output(id)).unwrap_or_default()
    }

    fn strike(&mut self, name: &Name, signal: Signal) {
        if let Some(id) = self.id(name) {
            self.world.strike(id, signal);
        }
    }

    fn lose_keeper(&mut self, name: &Name) -> Staged {
        if let Some(id) = self.id(name) {
            self.world.lose_keeper(id);
            self.notes.lost(id);
            let effects = self.host.lose_keeper_of(id);
            self.carry_out(Cause::Host, effects);
        }
        Staged::Yes
    }

    fn reboot(&mut self) -> Staged {
        let staged = self.world.reboot();
        if staged == Staged::Yes {
            let effects = self.host.wake();
            self.carry_out(Cause::Host, effects);
        }
        staged
    }

    fn has_come_up(&self) -> bool {
        self.host.has_come_up()
    }

    fn request(&mut self, request: &HttpRequest) -> RequestId {
        self.world.request(request)
    }

    fn response(&mut self, id: RequestId) -> Option<Result<Response, RequestError>> {
        self.world.response(id)
    }

    fn images(&self) -> Vec<String> {
        self.world.images()
    }

    fn ask_for_image(&mut self, request: &ImageRequest) -> RequestId {
        self.world.ask_for_image(request)
    }

    fn image_answer(&mut self, id: RequestId) -> Option<ImageAnswer> {
        self.world.image_answer(id)
    }

    fn resolve(&self, wish: &ContainerSpec) -> Result<ContainerSpec, String> {
        self.world.resolve(wish)
    }

    fn left_behind(&mut self) -> Vec<String> {
        self.world.left_behind()
    }
}
