//! An estate in a temporary directory, with containers whose lives a simulator has led.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use assert_cmd::Command;
use terrarium::engine::journal::{BootId, Clock, Input, Journal, Moment};
use terrarium::engine::{Engine, Local, Notes, Passed};
use terrarium::keeper::{ContainerId, Estate};
use terrarium::model::{
    Command as Asked, ContainerSpec, Failure, Host, HostFacts, Id, Name, Observation, Signal, Ticket, Verb,
};
use terrarium::world::simulated::Simulated;

/// An estate of its own.
pub(super) struct Stage {
    root: tempfile::TempDir,
    pub(super) estate: Estate,
    /// What was begun is held open, so that nobody believes its keeper to be lost.
    lives: Vec<Life>,
}

/// A container's life, so far.
pub(super) struct Life {
    pub(super) id: ContainerId,
    pub(super) name: Name,
    engine: Local<Simulated, Notebook>,
}

struct Notebook {
    journal: Journal,
    clock: Watch,
}

/// Virtual time, as a host's clocks would have shown it that began so long ago.
#[derive(Clone)]
struct Watch {
    began: Moment,
    passed: Rc<Cell<Duration>>,
}

impl Clock for Watch {
    fn now(&self) -> Moment {
        let passed = self.passed.get();
        Moment {
            boot: self.began.boot,
            since_boot: self.began.since_boot + passed,
            wall: self.began.wall + passed,
        }
    }
}

impl Notes for Notebook {
    fn asked(&mut self, ticket: Ticket, command: &Asked) -> Result<(), Failure> {
        self.journal.write_first(Input::Asked(ticket, command.clone()), &self.clock).unwrap();
        Ok(())
    }

    fn seen(&mut self, _: Id, seen: &Observation) {
        self.journal.write(Input::Seen(seen.clone()), &self.clock).unwrap();
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let estate = Estate::open(Some(root.path())).unwrap();
        Self { root, estate, lives: Vec::new() }
    }

    /// Makes a container so long ago.
    pub(super) fn create(&mut self, ago: Duration, name: &str, spec: ContainerSpec) -> &mut Life {
        self.create_at(SystemTime::now() - ago, name, spec)
    }

    /// Makes a container at a moment of the calendar, in seconds since 1970.
    pub(super) fn create_in(&mut self, seconds: u64, name: &str, spec: ContainerSpec) -> &mut Life {
        self.create_at(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), name, spec)
    }

    fn create_at(&mut self, wall: SystemTime, name: &str, spec: ContainerSpec) -> &mut Life {
        // In another life of the host, which may not have been up for so long in this one.
        let began = Moment { boot: BootId::default(), since_boot: Duration::ZERO, wall };
        let (id, name) = (ContainerId::random().unwrap(), Name::new(name).unwrap());
        std::fs::create_dir(self.estate.directory(&id)).unwrap();
        self.estate.claim(&id, &name).unwrap();
        let path = self.estate.journal(&id);
        let clock = Watch { began, passed: Rc::default() };
        let journal = Journal::create(&path, id.as_str(), HostFacts::ASSUMED, &clock).unwrap();
        let notes = Notebook { journal, clock };
        let world = Simulated::new(HostFacts::ASSUMED);
        let engine = Local::resumed(Host::new(HostFacts::ASSUMED), world, notes, 0);
        let mut life = Life { id, name, engine };
        life.ask(Verb::Create(Box::new(spec)));
        self.lives.push(life);
        self.lives.last_mut().unwrap()
    }

    /// A container that was made and started so long ago.
    pub(super) fn run(&mut self, ago: Duration, name: &str, spec: ContainerSpec) -> &mut Life {
        let life = self.create(ago, name, spec);
        life.ask(Verb::Start);
        life
    }

    /// One that was made before, to be lived further.
    pub(super) fn life(&mut self, name: &str) -> &mut Life {
        self.lives.iter_mut().find(|life| life.name.as_str() == name).unwrap()
    }

    pub(super) fn id(&self, name: &str) -> &ContainerId {
        &self.lives.iter().find(|life| life.name.as_str() == name).unwrap().id
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    /// A file beside the estate.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn terrarium(&self, words: &[&str]) -> Told {
        let mut command = Command::cargo_bin("terrarium").unwrap();
        let output = command.arg("--root").arg(self.root.path()).args(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Told { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What it prints when all is well.
    pub(super) fn printed(&self, words: &[&str]) -> String {
        let told = self.terrarium(words);
        assert_eq!((told.status, told.err.as_str()), (Some(0), ""), "{words:?}: {}", told.out);
        told.out
    }
}

/// What a command has said.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Life {
    /// Asks, and lets time pass until that is answered.
    pub(super) fn ask(&mut self, verb: Verb) -> &mut Self {
        let renamed = if let Verb::Rename { to } = &verb { Some(to.clone()) } else { None };
        let ticket = self.engine.submit(&Asked { container: self.name.clone(), verb });
        while self.engine.answer(ticket).is_none() {
            assert_eq!(self.step(Duration::MAX), Passed::Something, "this is never answered");
        }
        self.name = renamed.unwrap_or(self.name.clone());
        self
    }

    /// Asks, and goes on.
    pub(super) fn begin(&mut self, verb: Verb) -> &mut Self {
        self.engine.submit(&Asked { container: self.name.clone(), verb });
        self
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) -> &mut Self {
        let until = self.engine.now() + time;
        while self.step(until) == Passed::Something {}
        self.note_time();
        self
    }

    pub(super) fn strike(&mut self, signal: Signal) -> &mut Self {
        let name = self.name.clone();
        self.engine.strike(&name, signal);
        self.pass(Duration::from_millis(100))
    }

    fn step(&mut self, until: Duration) -> Passed {
        // What is observed was so at the time to which the clock then has jumped.
        let passed = self.engine.notes_mut().clock.passed.clone();
        let world = self.engine.world().clone();
        let mut ahead = world;
        let _ = terrarium::world::World::next(&mut ahead, until);
        passed.set(terrarium::world::World::now(&ahead));
        self.engine.advance(until).unwrap()
    }

    fn note_time(&mut self) {
        let now = self.engine.now();
        self.engine.notes_mut().clock.passed.set(now);
    }
}

pub(super) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
