//! The keeper itself: one loop around a model with a world, whoever talks to it, and the container's streams.
//!
//! It opens the journal, which nobody else can from then on. If that tells of a life that nobody has kept (a keeper that was
//! killed, a host that went down), it says so to the model first. Then it serves until nothing needs it any more: no process, no
//! timer, and nobody who is connected. What it has done is in the journal; the next keeper goes on from there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use thiserror::Error;
use tracing::warn;

use super::control::{Answer, Attach, ControlError, Heard, Hearing, Patience, Reply, Request, Which, say};
use super::door::{Door, accept};
use super::dwelling::Dwelling;
use super::notebook::Notebook;
use super::streams::{self, Streams};
use super::{ContainerId, Estate, EstateError, fault};
use crate::engine::journal::{Clock as _, HostClock, Input, Journal, JournalError, Opened};
use crate::engine::trace::What;
use crate::engine::{Engine as _, Local, Passed};
use crate::model::{
    Action, Command, ContainerSpec, EventKind, Failure, Host, HostFacts, Id, Name, State, Ticket, Timer, Verb,
};
use crate::runtime::{CgroupError, Cgroups, give_memory_back};
use crate::world::linux::{Linux, Unlivable, check, freezer_of};
use crate::world::{Interrupted, World as _};

/// The container's number in the model and the world of its keeper.
const ITSELF: Id = Id(0);

/// One container's keeper.
pub(super) struct Keeper {
    estate: Estate,
    id: ContainerId,
    local: Local<Linux, Notebook>,
    streams: Rc<RefCell<Streams>>,
    door: Door,
    connections: BTreeMap<u32, Connection>,
    connected: u32,
    asked: BTreeMap<Ticket, u32>,
    /// Its name, or the last that it had.
    name: Name,
}

/// Somebody who talks to the keeper.
struct Connection {
    socket: UnixStream,
    hearing: Hearing,
}

/// Why there is no keeper.
#[derive(Debug, Error)]
pub(super) enum KeeperError {
    #[error(transparent)]
    Estate(#[from] EstateError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Unlivable(#[from] Unlivable),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error("cannot watch over the container: {0} (are too many files open?)")]
    Watch(#[from] io::Error),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// What a keeper begins with.
pub(super) enum Beginning {
    /// A keeper, and the account of what it keeps.
    Kept(Box<Keeper>),
    /// Another one is there already.
    Anothers,
    /// There is nothing to keep.
    Gone,
}

impl Keeper {
    /// Makes a container, whose name may turn out to be another's.
    pub(super) fn create(
        estate: Estate,
        id: ContainerId,
        name: Name,
        spec: Box<ContainerSpec>,
        asking: UnixStream,
    ) -> Result<Self, KeeperError> {
        let cgroups = Cgroups::detect();
        check(&name, &spec, &cgroups)?;
        let clock = HostClock::new();
        let facts = HostFacts { freezer: freezer_of(&cgroups), ..HostFacts::ASSUMED };
        fault::point();
        let begun = estate.make(&id, |directory| -> Result<_, KeeperError> {
            let door = Door::open(&estate, &id)?;
            fault::point();
            Ok((door, Journal::create(&directory.join("journal"), id.as_str(), facts, &clock)?))
        });
        let begun = begun.map_err(KeeperError::from).flatten();
        if begun.is_err() {
            // If that cannot be done either, the next command does it.
            let _ = estate.clear_stillborn(&id);
        }
        let (door, journal) = begun?;
        fault::point();
        let mut keeper = Self::with(estate, id, name, Notebook { journal, clock }, cgroups, door)?;
        let number = keeper.connect(asking);
        keeper.ask(number, Verb::Create(spec));
        Ok(keeper)
    }

    /// Takes over one that is there already.
    pub(super) fn resume(estate: Estate, id: ContainerId) -> Result<Beginning, KeeperError> {
        let path = estate.journal(&id);
        if !path.exists() {
            estate.clear_stillborn(&id)?;
            return Ok(Beginning::Gone);
        }
        let journal = match Journal::open(&path)? {
            Opened::Ours(journal) => *journal,
            Opened::Anothers => return Ok(Beginning::Anothers),
        };
        let clock = HostClock::new();
        let Some(name) = journal.account().name.clone() else {
            let door = Door::open(&estate, &id)?;
            estate.remove(&id)?;
            door.close();
            return Ok(Beginning::Gone);
        };
        let cgroups = Cgroups::detect();
        // What can outlive its keeper: a process that has switched its death signal off, and empty cgroups.
        cgroups.clear(&Estate::cgroup(&id))?;
        let door = Door::open(&estate, &id)?;
        fault::point();
        let mut keeper = Self::with(estate, id, name, Notebook { journal, clock }, cgroups, door)?;
        keeper.recover()?;
        if keeper.is_gone() {
            keeper.leave();
            return Ok(Beginning::Gone);
        }
        Ok(Beginning::Kept(Box::new(keeper)))
    }

    fn with(
        estate: Estate,
        id: ContainerId,
        name: Name,
        notes: Notebook,
        cgroups: Cgroups,
        door: Door,
    ) -> Result<Self, KeeperError> {
        let streams = Rc::new(RefCell::new(Streams::new(estate.log(&id))));
        let dwelling = Dwelling::new(estate.clone(), id.clone(), Rc::clone(&streams));
        let account = notes.journal.account();
        let (host, asked) = (account.host.clone(), account.asked);
        let world = Linux::on(Box::new(dwelling), cgroups, account.opening.facts)?;
        let local = Local::resumed(host, world, notes, asked);
        Ok(Self {
            estate,
            id,
            local,
            streams,
            door,
            connections: BTreeMap::new(),
            connected: 0,
            asked: BTreeMap::new(),
            name,
        })
    }

    /// Tells the model what has happened while nobody was there, and does what comes of that.
    fn recover(&mut self) -> Result<(), KeeperError> {
        let notes = self.local.notes_mut();
        let account = notes.journal.account();
        let now = notes.clock.now();
        if account.latest.boot != now.boot {
            notes.has_happened(Input::Woke);
            self.local.resume(Host::wake);
        } else if account.host.needs_keeper() {
            notes.has_happened(Input::KeeperLost);
            let etc = self.estate.directory(&self.id).join("etc");
            self.local.world_mut().forget_lost(etc);
            self.local.resume(Host::keeper_lost);
        }
        let account = self.local.notes_mut().journal.account();
        let left: Vec<(Timer, Duration)> = account.timers_left(&now).collect();
        for (timer, left) in left {
            self.local.world_mut().perform(ITSELF, &Action::Arm(timer, left));
        }
        self.drive()
    }

    /// Serves until nobody needs it any more.
    pub(super) fn serve(mut self) -> Result<(), KeeperError> {
        loop {
            self.drive()?;
            self.deliver();
            if self.connections.is_empty() && !self.local.host().needs_keeper() {
                break;
            }
            self.wait_and_turn()?;
        }
        self.leave();
        Ok(())
    }

    /// Whoever comes after this finds no door, or one that nobody opens.
    fn leave(mut self) {
        self.put_away();
        self.door.close();
        fault::point();
    }

    /// Of what is no more nothing stays but its journal, and not even that if it never came to be.
    fn put_away(&mut self) {
        if !self.is_gone() || !self.estate.directory(&self.id).exists() {
            return;
        }
        fault::point();
        // The name may still be there, if whoever was to free it was killed.
        let freed = self.estate.release(&self.id, &self.name);
        let was_created = self.local.notes_mut().journal.account().was_created();
        let put_away = if was_created { self.estate.bury(&self.id) } else { self.estate.remove(&self.id) };
        if let Err(error) = freed.and(put_away) {
            warn!(%error, "the next command tries again");
        }
        fault::point();
    }

    fn is_gone(&self) -> bool {
        self.local.host().names().next().is_none()
    }

    /// Lets everything happen that can happen without waiting.
    fn drive(&mut self) -> Result<(), KeeperError> {
        while self.local.advance(Duration::ZERO)? == Passed::Something {}
        if let Some(name) = self.local.host().names().next() {
            self.name = name.clone();
        }
        Ok(())
    }

    /// Tells everybody what they have waited for.
    fn deliver(&mut self) {
        self.put_away();
        let pid = self.local.world().pid(ITSELF);
        for happening in self.local.happened() {
            if let What::Emitted(event) = &happening.what
                && let EventKind::Die(code) = event.kind
            {
                self.streams.borrow_mut().run_has_ended(code);
            }
        }
        let mut replies: Vec<(u32, Reply, Option<OwnedFd>)> = Vec::new();
        for (number, terminal) in self.streams.borrow_mut().terminals.drain(..) {
            replies.push((number, Reply::Terminal, Some(terminal)));
        }
        let answered: Vec<Ticket> =
            self.asked.keys().copied().filter(|ticket| self.local.answer(*ticket).is_some()).collect();
        for ticket in answered {
            if let (Some(number), Some((_, outcome))) =
                (self.asked.remove(&ticket), self.local.answer(ticket))
            {
                replies.push((number, Reply::Answered(Answer::of(outcome, pid)), None));
            }
        }
        self.local.forget();
        // Who waits for the end of what removes itself waits for that, too.
        let removes_itself = self.local.host().status(&self.name).state == State::Removing;
        if !removes_itself {
            let finished = self.streams.borrow().finished();
            for (number, code) in finished {
                self.streams.borrow_mut().attached.remove(&number);
                replies.push((number, Reply::Ended(code), None));
            }
        }
        let lagging = self.streams.borrow().lagging(Instant::now());
        for number in lagging {
            self.streams.borrow_mut().attached.remove(&number);
            replies.push((number, Reply::Lagged, None));
        }
        for (number, reply, descriptor) in replies {
            let along: Vec<BorrowedFd<'_>> = descriptor.iter().map(AsFd::as_fd).collect();
            self.tell(number, &reply, &along);
        }
    }

    fn tell(&mut self, number: u32, reply: &Reply, along: &[BorrowedFd<'_>]) {
        let Some(connection) = self.connections.get(&number) else { return };
        if say(connection.socket.as_fd(), reply, along, Patience::Looks).is_err() {
            self.disconnect(number);
        }
    }

    pub(super) fn connect(&mut self, socket: UnixStream) -> u32 {
        let number = self.connected;
        self.connected += 1;
        self.connections.insert(number, Connection { socket, hearing: Hearing::default() });
        self.tell(number, &Reply::Welcome, &[]);
        number
    }

    fn disconnect(&mut self, number: u32) {
        self.connections.remove(&number);
        let mut streams = self.streams.borrow_mut();
        streams.attached.remove(&number);
        streams.guests.remove(&number);
        // What the conversation took is not needed while the container lives by itself.
        give_memory_back();
    }

    /// Waits for whatever comes first, and takes it in.
    fn wait_and_turn(&mut self) -> Result<(), KeeperError> {
        #[derive(Clone, Copy)]
        enum Speaks {
            World,
            Door,
            Connection(u32),
            Stream(streams::Source),
        }
        let timeout = self.timeout();
        let streams = self.streams.borrow();
        let mut who = vec![Speaks::World, Speaks::Door];
        let mut watched = vec![
            PollFd::new(self.local.world().descriptor(), PollFlags::POLLIN),
            PollFd::new(self.door.as_fd(), PollFlags::POLLIN),
        ];
        for (number, connection) in &self.connections {
            who.push(Speaks::Connection(*number));
            watched.push(PollFd::new(connection.socket.as_fd(), PollFlags::POLLIN));
        }
        for (source, descriptor, flags) in streams.sources() {
            who.push(Speaks::Stream(source));
            watched.push(PollFd::new(descriptor, flags));
        }
        match poll(&mut watched, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
        let spoke: Vec<Speaks> = who
            .into_iter()
            .zip(&watched)
            .filter(|(_, fd)| fd.any() == Some(true))
            .map(|(who, _)| who)
            .collect();
        drop(watched);
        drop(streams);
        for who in spoke {
            match who {
                // It is driven before anything is delivered.
                Speaks::World => self.drive()?,
                Speaks::Door => {
                    while let Some(socket) = accept(&self.door) {
                        self.connect(socket);
                    }
                }
                Speaks::Connection(number) => self.hear(number),
                Speaks::Stream(source) => self.streams.borrow_mut().turn(source),
            }
        }
        Ok(())
    }

    fn timeout(&self) -> PollTimeout {
        let now = self.local.now();
        let due = self.local.world().next_due().map(|due| due.saturating_sub(now));
        let patience = self.streams.borrow().patience_ends();
        let patience = patience.map(|end| end.saturating_duration_since(Instant::now()));
        match due.into_iter().chain(patience).min() {
            None => PollTimeout::NONE,
            Some(wait) => {
                let millis = u32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u32::MAX);
                PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
            }
        }
    }

    fn hear(&mut self, number: u32) {
        while let Some(connection) = self.connections.get_mut(&number) {
            match connection.hearing.hear(connection.socket.as_fd(), Patience::Looks) {
                Ok(Heard::Nothing) => return,
                Ok(Heard::Words(request, descriptors)) => self.take_up(number, request, descriptors),
                Ok(Heard::Closed) | Err(_) => return self.disconnect(number),
            }
        }
    }

    fn take_up(&mut self, number: u32, request: Request, descriptors: Vec<OwnedFd>) {
        match request {
            Request::Create(name, _) => {
                let told =
                    format!("cannot create {name}: this keeper has a container already (ask a new one)");
                self.tell(number, &Reply::Answered(Answer::Refused(told)), &[]);
            }
            Request::Ask(verb) => self.ask(number, verb),
            Request::Exec(spec) => {
                let mut streams = descriptors.into_iter();
                let stdio = crate::runtime::Stdio {
                    input: streams.next(),
                    output: streams.next(),
                    error: streams.next(),
                };
                self.streams.borrow_mut().guests.insert(number, stdio);
                self.ask(number, Verb::Exec(crate::model::ExecSpec { connection: Some(number), ..spec }));
            }
            Request::Attach(how) => {
                let reply = self.attach(number, how, descriptors);
                self.tell(number, &reply, &[]);
            }
            Request::Resize(size) => self.streams.borrow().resize(size),
            Request::Measure => {
                let measured = self.local.resources(&self.name.clone());
                self.tell(number, &Reply::Measured(measured), &[]);
            }
        }
    }

    fn ask(&mut self, number: u32, verb: Verb) {
        let command = Command { container: self.name.clone(), verb };
        let ticket = self.local.submit(&command);
        self.asked.insert(ticket, number);
    }

    fn attach(&mut self, number: u32, how: Attach, pipes: Vec<OwnedFd>) -> Reply {
        let refused = |why: &str| {
            let name = &self.name;
            Reply::Answered(Answer::Refused(format!("cannot attach to {name}: {why}")))
        };
        let name = &self.name;
        match (self.local.host().status(name).state, how.to) {
            (State::Running | State::Stopping, _)
            | (State::Created | State::Stopped | State::Restarting, Which::Next) => {}
            (State::Paused, _) => {
                return refused(&format!("it is paused (unpause it first: terrarium unpause {name})"));
            }
            (State::Restarting, Which::Present) => {
                return refused("it is restarting (wait until it runs)");
            }
            (State::Absent, _) => return refused("no such container (see all of them: terrarium ps -a)"),
            _ => return refused(&format!("it is not running (start it first: terrarium start {name})")),
        }
        match self.streams.borrow_mut().attach(number, how, pipes) {
            Ok(()) => Reply::Attached,
            Err(error) => {
                let message = format!("cannot attach to {name}: {error} (ask again)");
                Reply::Answered(Answer::Failed(Failure { code: None, message }))
            }
        }
    }
}
