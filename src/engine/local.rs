//! The one drive loop: the model says what to do, a world does it and says what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::trace::{Happening, What};
use super::{Engine, Passed};
use crate::model::{
    Command, Effect, Effects, Host, HostFacts, Id, Name, Outcome, Resources, Signal, Status, Ticket,
};
use crate::world::{HttpRequest, Interrupted, RequestError, RequestId, Response, Staged, World};

/// The model and a world.
#[derive(Clone, Debug)]
pub struct Local<W> {
    host: Host,
    world: W,
    asked: u64,
    answers: BTreeMap<Ticket, (Duration, Outcome)>,
    happened: Vec<Happening>,
}

impl<W: World> Local<W> {
    /// The model of a host like this world's, with nothing on it.
    pub fn new(world: W) -> Self {
        let host = Host::new(world.facts());
        Self { host, world, asked: 0, answers: BTreeMap::new(), happened: Vec::new() }
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

    fn carry_out(&mut self, effects: Effects) {
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

impl<W: World> Engine for Local<W> {
    fn facts(&self) -> HostFacts {
        self.world.facts()
    }

    fn now(&self) -> Duration {
        self.world.now()
    }

    fn submit(&mut self, command: &Command) -> Ticket {
        let ticket = Ticket(self.asked);
        self.asked += 1;
        match self.host.command(ticket, command) {
            Ok(effects) => self.carry_out(effects),
            Err(refusal) => {
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
        let effects = self.host.observe(id, seen);
        self.carry_out(effects);
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
        self.id(name).map_or_else(Resources::zero, |id| self.world.resources(id))
    }

    fn output(&mut self, name: &Name) -> String {
        self.id(name).map(|id| self.world.output(id)).unwrap_or_default()
    }

    fn strike(&mut self, name: &Name, signal: Signal) {
        if let Some(id) = self.id(name) {
            self.world.strike(id, signal);
        }
    }

    fn reboot(&mut self) -> Staged {
        let staged = self.world.reboot();
        if staged == Staged::Yes {
            let effects = self.host.wake();
            self.carry_out(effects);
        }
        staged
    }

    fn request(&mut self, request: &HttpRequest) -> RequestId {
        self.world.request(request)
    }

    fn response(&mut self, id: RequestId) -> Option<Result<Response, RequestError>> {
        self.world.response(id)
    }

    fn left_behind(&mut self) -> Vec<String> {
        self.world.left_behind()
    }
}
