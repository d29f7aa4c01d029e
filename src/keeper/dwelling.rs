//! Where a keeper's one container lives: its directory in the estate, its name, its streams.

use std::cell::RefCell;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::streams::Streams;
use super::{ContainerId, Estate, fault};
use crate::model::{ContainerSpec, ExecSpec, Failure, Id, Name};
use crate::runtime::{Cgroups, Durability, Stdio, clear_work, remove_all};
use crate::world::linux::premises::{Claimed, Place, Premises, borrows_init, bytes_in};

/// The place of one container.
pub(super) struct Dwelling {
    estate: Estate,
    id: ContainerId,
    streams: Rc<RefCell<Streams>>,
}

impl Dwelling {
    pub(super) fn new(estate: Estate, id: ContainerId, streams: Rc<RefCell<Streams>>) -> Self {
        Self { estate, id, streams }
    }

    /// The built-in image, or the layers of one from the store.
    fn lower(&self, spec: &ContainerSpec) -> Result<Vec<PathBuf>, Failure> {
        self.estate.lower(&self.id, spec).map_err(|error| failed(&error))
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.estate.directory(&self.id).join(name)
    }
}

impl Premises for Dwelling {
    fn place(&mut self, _: Id, spec: &ContainerSpec) -> Result<Place, Failure> {
        fault::point();
        let lower = self.lower(spec)?;
        let (upper, work, merged) = (self.inside("upper"), self.inside("work"), self.inside("merged"));
        for path in [&upper, &work, &merged] {
            make(path)?;
        }
        // What is removed as soon as it has ended need not survive a crash of the host.
        let durability = if spec.auto_remove { Durability::Volatile } else { Durability::Durable };
        let (volumes, cgroup) = (self.estate.volumes(), Estate::cgroup(&self.id));
        let init =
            borrows_init(spec).then(|| self.estate.lab()).transpose().map_err(|error| failed(&error))?;
        Ok(Place { lower, upper, work, merged, init, volumes, cgroup, durability })
    }

    /// All but the journal, which has still to say that this was done.
    fn remove(&mut self, _: Id) -> Result<(), Failure> {
        fault::point();
        let work = self.inside("work");
        if work.is_dir() {
            clear_work(&work).map_err(|source| cannot("clear", &work, &source))?;
        }
        let directory = self.estate.directory(&self.id);
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with("journal") {
                continue;
            }
            let removed = match entry.file_type() {
                Ok(kind) if kind.is_dir() => remove_all(&path),
                _ => fs::remove_file(&path),
            };
            removed.map_err(|source| cannot("remove", &path, &source))?;
        }
        fault::point();
        Ok(())
    }

    fn claim(&mut self, _: Id, name: &Name) -> Result<Claimed, Failure> {
        fault::point();
        let owner = self.estate.claim(&self.id, name).map_err(|error| failed(&error))?;
        fault::point();
        Ok(if owner == self.id { Claimed::Granted } else { Claimed::Denied })
    }

    fn release(&mut self, _: Id, name: &Name) {
        fault::point();
        // What cannot be freed now is freed when its owner is found to be gone.
        let _ = self.estate.release(&self.id, name);
    }

    fn stdio(&mut self, _: Id, spec: &ContainerSpec) -> io::Result<Stdio> {
        fault::point();
        self.streams.borrow_mut().begin_run(spec.streams)
    }

    fn guest_stdio(&mut self, _: Id, exec: &ExecSpec) -> io::Result<Stdio> {
        Ok(exec
            .connection
            .and_then(|number| self.streams.borrow_mut().guests.remove(&number))
            .unwrap_or_default())
    }

    fn terminal(&mut self, _: Id, connection: Option<u32>, master: OwnedFd) {
        let mut streams = self.streams.borrow_mut();
        match connection {
            None => streams.take_terminal(master),
            Some(number) => streams.terminals.push((number, master)),
        }
    }

    fn output(&mut self, _: Id) -> String {
        String::new()
    }

    fn layer_bytes(&mut self, _: Id) -> Option<u64> {
        let upper = self.inside("upper");
        if upper.exists() { bytes_in(&upper).ok() } else { Some(0) }
    }

    fn network(&self) -> PathBuf {
        self.estate.run().join("network")
    }

    fn etc(&self, name: &Name) -> Option<PathBuf> {
        self.estate.owner(name.as_str()).map(|id| self.estate.directory(&id).join("etc"))
    }

    fn close(&mut self, _: &Cgroups) -> Vec<String> {
        Vec::new()
    }
}

fn make(path: &Path) -> Result<(), Failure> {
    match DirBuilder::new().mode(0o755).create(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(cannot("make", path, &source)),
        _ => Ok(()),
    }
}

fn cannot(action: &str, path: &Path, source: &io::Error) -> Failure {
    let message = format!("cannot {action} {}: {source} (look at what is in the way there)", path.display());
    Failure { code: None, message }
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure { code: None, message: error.to_string() }
}
