//! A host full of containers: finds whom a command or an observation is for, and keeps names and numbers.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::container::{Container, Cx, Record};
use super::life::{Creating, Life, host_went_down, keeper_lost};
use super::run::{Length, Policy, Run};
use super::{
    Action, Command, ContainerSpec, Effect, Effects, EventKind, Failure, Health, HeldPort, HostFacts, Id,
    Name, Observation, Oom, Outcome, Reason, Refusal, RestartPolicy, State, Ticket, Verb,
};

/// All containers of one host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Host {
    facts: HostFacts,
    containers: BTreeMap<Id, Container>,
    /// Old names and, while a rename waits for its grant, new ones.
    names: BTreeMap<Name, Id>,
    renames: BTreeMap<Id, VecDeque<Rename>>,
    next_id: u32,
}

/// A rename that waits for the grant of its new name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Rename {
    asked: Ticket,
    from: Name,
    to: Name,
}

/// What people can know of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Status {
    /// Its state.
    pub state: State,
    /// Its last exit code, while it has no process.
    pub exit: Option<i32>,
    /// How often the restart policy has started it since a person last did.
    pub restarts: u32,
    /// Whether its last run ran out of memory.
    pub oom: bool,
    /// What its health check has found, if it has one and has been started.
    pub health: Option<Health>,
    /// Host ports that are held for it.
    pub ports: Vec<HeldPort>,
    /// What its last start or removal failed of.
    pub error: Option<String>,
}

impl Status {
    /// Of a name that nobody has.
    pub const ABSENT: Self = Self {
        state: State::Absent,
        exit: None,
        restarts: 0,
        oom: false,
        health: None,
        ports: Vec::new(),
        error: None,
    };
}

impl Host {
    /// A host without containers.
    pub fn new(facts: HostFacts) -> Self {
        Self {
            facts,
            containers: BTreeMap::new(),
            names: BTreeMap::new(),
            renames: BTreeMap::new(),
            next_id: 0,
        }
    }

    /// What a person asks. A refusal has changed nothing; everything else is answered by an [`Effect::Reply`].
    pub fn command(&mut self, ticket: Ticket, command: &Command) -> Result<Effects, Refusal> {
        let mut effects = Effects::default();
        let Some(&id) = self.names.get(&command.container) else {
            self.create(ticket, command, &mut effects)?;
            return Ok(effects);
        };
        let verb = command.verb.word();
        if let Verb::Rename { to } = &command.verb {
            self.rename(ticket, id, to, &mut effects)?;
            return Ok(effects);
        }
        let Some(container) = self.containers.get_mut(&id) else {
            return Err(Self::refuse_name_in_limbo(command));
        };
        let mut cx = Cx { record: &mut container.record, facts: &self.facts, verb, effects: &mut effects };
        container.life = container.life.command(&mut cx, ticket, &command.verb)?;
        self.settle(id, &mut effects);
        Ok(effects)
    }

    /// What a world saw of a container. It is never refused: it has already happened.
    pub fn observe(&mut self, id: Id, seen: Observation) -> Effects {
        let mut effects = Effects::default();
        if let Observation::NameGranted | Observation::NameDenied = seen
            && let Some(rename) = self.renames.get_mut(&id).and_then(VecDeque::pop_front)
        {
            self.renames.retain(|_, waiting| !waiting.is_empty());
            self.renamed(id, rename, &seen, &mut effects);
            return effects;
        }
        if let Some(container) = self.containers.get_mut(&id) {
            let mut cx =
                Cx { record: &mut container.record, facts: &self.facts, verb: "", effects: &mut effects };
            let life = core::mem::replace(&mut container.life, Life::Gone);
            container.life = life.observe(&mut cx, seen);
            self.settle(id, &mut effects);
        }
        effects
    }

    /// The host has come up again after every process on it died. What each policy makes of that comes out as if its
    /// container were started; timers and ports of before are gone.
    pub fn wake(&mut self) -> Effects {
        let all = self.ids();
        self.after(&all, &host_went_down(), Life::wake)
    }

    /// Whether everything that this has set off is over.
    pub fn has_come_up(&self) -> bool {
        let is_under_way = |life: &Life| matches!(life, Life::Starting(_) | Life::Removing(_));
        !self.containers.values().any(|container| is_under_way(&container.life))
    }

    /// The keeper of all of them was killed, and so was every process of theirs. Timers and ports of before are gone, but for
    /// the wait of a back-off: what is left of that has to be waited for.
    pub fn keeper_lost(&mut self) -> Effects {
        let all = self.ids();
        self.after(&all, &keeper_lost(), Life::lose_keeper)
    }

    /// The same for one of them, where each has a keeper of its own.
    pub fn lose_keeper_of(&mut self, id: Id) -> Effects {
        self.after(&[id], &keeper_lost(), Life::lose_keeper)
    }

    fn ids(&self) -> Vec<Id> {
        self.containers.keys().copied().collect()
    }

    /// Brings numbers that only count to where one more makes no difference to what comes next: so that states can be told
    /// apart by what they may become. So many restarts are as good as more, and so are the waits before them.
    pub fn saturate_counts(&mut self, many_restarts: u32, long_wait: Duration) {
        for Container { record, life } in self.containers.values_mut() {
            record.runs = record.runs.min(1);
            record.restarts = record.restarts.min(many_restarts);
            record.back_off = record.back_off.min(long_wait);
            let is_at_rest = matches!(life, Life::Stopped(_));
            let run = life.run_mut();
            let is_last_wait =
                |run: &&mut Run| run.length == Length::Steady || run.policy == Policy::Cancelled;
            if is_at_rest || run.as_ref().is_some_and(is_last_wait) {
                record.back_off = Duration::ZERO;
            }
            let guests = run.and_then(|run| run.execs.keys().last());
            record.execs = guests.map_or(0, |last| last.0 + 1);
        }
        self.next_id = self.containers.keys().last().map_or(0, |last| last.0 + 1);
    }

    /// Whether somebody has to be there for them: to see processes end, timers fire, deletions succeed.
    pub fn needs_keeper(&self) -> bool {
        !self.renames.is_empty() || self.containers.values().any(|container| container.life.needs_keeper())
    }

    fn after(&mut self, ids: &[Id], loss: &Failure, change: fn(Life, &mut Cx<'_>) -> Life) -> Effects {
        let mut effects = Effects::default();
        for &id in ids {
            for Rename { asked, to, .. } in self.renames.remove(&id).unwrap_or_default() {
                self.names.remove(&to);
                effects.0.push(Effect::Act(id, Action::ReleaseName(to)));
                effects.0.push(Effect::Reply(asked, Outcome::Failed(loss.clone())));
            }
        }
        for &id in ids {
            if let Some(container) = self.containers.get_mut(&id) {
                let mut cx =
                    Cx { record: &mut container.record, facts: &self.facts, verb: "", effects: &mut effects };
                let life = core::mem::replace(&mut container.life, Life::Gone);
                container.life = change(life, &mut cx);
                self.settle(id, &mut effects);
            }
        }
        effects
    }

    /// How a container is.
    pub fn status(&self, name: &Name) -> Status {
        let Some(container) = self.id(name).and_then(|id| self.containers.get(&id)) else {
            return Status::ABSENT;
        };
        let record = &container.record;
        let state = container.life.state();
        Status {
            state,
            exit: if state.has_process() { None } else { record.exit },
            restarts: record.restarts,
            oom: record.oom == Oom::Struck,
            health: record.health,
            ports: record.ports.clone(),
            error: record.error.clone(),
        }
    }

    /// What was asked for, with all updates since.
    pub fn spec(&self, name: &Name) -> Option<&ContainerSpec> {
        Some(&self.containers.get(self.names.get(name)?)?.record.spec)
    }

    /// The number behind a name.
    pub fn id(&self, name: &Name) -> Option<Id> {
        let id = self.names.get(name)?;
        (self.containers.get(id)?.record.name == *name).then_some(*id)
    }

    /// Every name that has an owner.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.containers.values().map(|container| &container.record.name)
    }

    fn create(&mut self, ticket: Ticket, command: &Command, effects: &mut Effects) -> Result<(), Refusal> {
        let Command { container: name, verb } = command;
        let refuse = |reason| Err(Refusal { container: name.clone(), verb: verb.word(), reason });
        let Verb::Create(spec) = verb else { return refuse(Reason::NoSuchContainer) };
        if spec.auto_remove && spec.restart != RestartPolicy::No {
            return refuse(Reason::RemovedAndRestarted);
        }
        self.make(ticket, name, spec, effects);
        Ok(())
    }

    fn make(&mut self, ticket: Ticket, name: &Name, spec: &ContainerSpec, effects: &mut Effects) {
        let id = Id(self.next_id);
        self.next_id += 1;
        let mut record = Record::new(id, name.clone(), Box::new(spec.clone()));
        let mut cx = Cx { record: &mut record, facts: &self.facts, verb: "create", effects };
        let life = Creating::begin(&mut cx, ticket);
        self.names.insert(name.clone(), id);
        self.containers.insert(id, Container { record, life });
    }

    /// The new name is claimed before the old one is given back.
    fn rename(&mut self, asked: Ticket, id: Id, to: &Name, effects: &mut Effects) -> Result<(), Refusal> {
        let (state, from) = match self.containers.get(&id) {
            Some(container) => (container.life.state(), container.record.name.clone()),
            None => (State::Absent, to.clone()),
        };
        let reason = match state {
            // It is gone, or has not even a first name yet.
            State::Absent => Some(Reason::NoSuchContainer),
            _ if self.names.contains_key(to) => Some(Reason::NameInUse(to.clone())),
            // Its network sandbox is gone meanwhile, and Docker wants to rename that too.
            State::Restarting => Some(Reason::Restarting),
            _ => None,
        };
        if let Some(reason) = reason {
            return Err(Refusal { container: from, verb: "rename", reason });
        }
        self.names.insert(to.clone(), id);
        self.renames.entry(id).or_default().push_back(Rename { asked, from, to: to.clone() });
        effects.0.push(Effect::Act(id, Action::ClaimName(to.clone())));
        Ok(())
    }

    fn renamed(&mut self, id: Id, rename: Rename, seen: &Observation, effects: &mut Effects) {
        let Rename { asked, from, to } = rename;
        let mut refuse = |reason| {
            let refusal = Refusal { container: from.clone(), verb: "rename", reason };
            effects.0.push(Effect::Reply(asked, Outcome::Refused(refusal)));
        };
        if *seen == Observation::NameDenied {
            self.names.remove(&to);
            return refuse(Reason::NameInUse(to));
        }
        let Some(container) = self.containers.get_mut(&id) else {
            self.names.remove(&to);
            refuse(Reason::NoSuchContainer);
            return effects.0.push(Effect::Act(id, Action::ReleaseName(to)));
        };
        let old = core::mem::replace(&mut container.record.name, to);
        self.names.remove(&old);
        let mut cx = Cx { record: &mut container.record, facts: &self.facts, verb: "rename", effects };
        cx.act(Action::ReleaseName(old));
        if container.life.state() != State::Removing {
            cx.emit(EventKind::Rename);
        }
        cx.reply(asked, Outcome::Done);
    }

    /// The container that wanted this name is gone, and the name is not free before its grant has been seen.
    fn refuse_name_in_limbo(command: &Command) -> Refusal {
        let container = command.container.clone();
        let reason = match command.verb {
            Verb::Create(_) => Reason::NameInUse(container.clone()),
            _ => Reason::NoSuchContainer,
        };
        Refusal { container, verb: command.verb.word(), reason }
    }

    /// Takes up the commands that waited, as far as the container has settled; forgets it when it is gone.
    fn settle(&mut self, id: Id, effects: &mut Effects) {
        while let Some(container) = self.containers.get_mut(&id) {
            if container.life == Life::Gone {
                return self.forget(id, effects);
            }
            if !container.life.has_settled() || container.record.queue.is_empty() {
                return;
            }
            let (ticket, verb) = container.record.queue.remove(0);
            let mut cx = Cx { record: &mut container.record, facts: &self.facts, verb: verb.word(), effects };
            match container.life.command(&mut cx, ticket, &verb) {
                Ok(life) => container.life = life,
                Err(refusal) => cx.reply(ticket, Outcome::Refused(refusal)),
            }
        }
    }

    /// Its name is free; whoever still wanted something of it hears so, or makes a new one of that name.
    fn forget(&mut self, id: Id, effects: &mut Effects) {
        let Some(container) = self.containers.remove(&id) else { return };
        let name = container.record.name;
        self.names.remove(&name);
        for (ticket, verb) in container.record.queue {
            match self.command(ticket, &Command { container: name.clone(), verb }) {
                Ok(more) => effects.0.extend(more.0),
                Err(refusal) => effects.0.push(Effect::Reply(ticket, Outcome::Refused(refusal))),
            }
        }
    }
}
