//! Building: the instructions of a Dockerfile, one after the other, become an image.
//!
//! `building` walks through them. A stage is what an image is so far (`stage`). Most instructions only change what its containers will be like. COPY and ADD
//! make a layer of files (`copying`, `archive`), RUN makes one of what a command changes in a container of its own (`running`).
//! A layer that was made before, on the same layers and of the same files, is used again (`cache`). Stages that the image
//! does not need are not built.

mod archive;
mod building;
mod cache;
mod commit;
mod copying;
mod running;
mod stage;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use thiserror::Error;

pub use cache::{Caching, Verdict};
pub use commit::{Commit, commit};
pub use copying::{Made, pack};
pub use running::Network;

use self::building::Building;
use super::accounts::NoSuchAccount;
use super::digest::Digest;
use super::dockerfile::{self, DockerfileError, Ignore};
use super::layer::LayerError;
use super::reference::Reference;
use super::store::{Store, StoreError};

/// What is to be built.
#[derive(Debug)]
pub struct Build<'a> {
    /// Where images are.
    pub store: &'a Store,
    /// The directory that files are copied from.
    pub context: &'a Path,
    /// What the Dockerfile is called.
    pub file: &'a str,
    /// What is in it.
    pub text: &'a str,
    /// The names that the image gets.
    pub tags: &'a [Reference],
    /// Arguments that were given.
    pub args: &'a BTreeMap<String, String>,
    /// Labels beside those of the file.
    pub labels: &'a BTreeMap<String, String>,
    /// The stage to stop at; else the last.
    pub target: Option<&'a str>,
    /// Whether layers of earlier builds may be used.
    pub caching: Caching,
    /// The network of RUN.
    pub network: Network,
    /// What its layers say of when they were made.
    pub likeness: Likeness,
}

/// Whether the same files make the same layers, wherever they were copied to and whenever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Times and modes are those of the files, as Docker has it.
    AsFound,
    /// No times, and of modes only who may execute: so a layer's digest can be foretold.
    Always,
}

/// Who watches.
pub trait Watcher {
    /// A step begins.
    fn begins(&mut self, step: &Begun<'_>);
    /// Its command has written something.
    fn writes(&mut self, bytes: &[u8]);
    /// It is done.
    fn done(&mut self, step: &Done);
    /// An image is not there: fetches it, or says why not.
    fn fetch(&mut self, image: &Reference) -> Result<(), String>;
}

/// A step that begins.
#[derive(Clone, Debug)]
pub struct Begun<'a> {
    /// Its number.
    pub number: usize,
    /// Of so many.
    pub of: usize,
    /// As it is written.
    pub text: &'a str,
}

/// A step that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// As it is written.
    pub text: String,
    /// What it has made.
    pub made: Kind,
    /// What the cache had to say.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// What a step has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stage begins with these layers.
    Base(usize),
    /// A layer with so many bytes in its files.
    Layer(u64),
    /// Only a change of what containers are like.
    Metadata,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its id.
    pub id: Digest,
    /// Arguments that were given and that nobody has declared.
    pub unused: Vec<String>,
}

/// Why a step went wrong.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The file, with the line.
    #[error(transparent)]
    Dockerfile(#[from] DockerfileError),
    /// What is written cannot be understood with these values.
    #[error("{0}")]
    Words(String),
    /// A file to copy is not there.
    #[error("file not found in {origin}, or left out by .dockerignore: {file}")]
    NoSuchFile {
        /// Which.
        file: String,
        /// Where.
        origin: String,
    },
    /// A file to copy is somewhere else.
    #[error("forbidden path outside the build context: {0} (copy it there first)")]
    OutsideContext(String),
    /// A stage that is not there.
    #[error("there is no stage called {0} (name one: FROM image AS {0})")]
    NoSuchStage(String),
    /// A base image that cannot be had.
    #[error("cannot begin with {image}: {why}")]
    Base {
        /// Which.
        image: String,
        /// Why not.
        why: String,
    },
    /// A command that could not be run.
    #[error("cannot run it: {0}")]
    Run(String),
    /// A command that failed.
    #[error("the command `{command}` returned a non-zero code: {code}")]
    Failed {
        /// Which.
        command: String,
        /// Its exit code.
        code: i32,
    },
    /// A user that is not there.
    #[error(transparent)]
    Account(#[from] NoSuchAccount),
    /// A layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Builds it.
pub fn build(build: &Build<'_>, watcher: &mut dyn Watcher) -> Result<Built, BuildError> {
    let steps = dockerfile::parse(build.file, build.text)?;
    let ignore = build.ignore()?;
    let adding = build.store.add()?;
    let result = Building::new(build, watcher, adding, ignore).all(&steps);
    // What the image before this one had and nobody has any more, or what came of a build that failed.
    let swept = build.store.sweep();
    let image = result?;
    swept?;
    Ok(image)
}

impl Build<'_> {
    fn ignore(&self) -> Result<Ignore, BuildError> {
        let own = format!("{}.dockerignore", self.file.rsplit('/').next().unwrap_or(self.file));
        for name in [own.as_str(), ".dockerignore"] {
            let path = self.context.join(name);
            match fs::read_to_string(&path) {
                Ok(text) => return Ok(Ignore::parse(&text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(LayerError::files("read", &path)(error).into()),
            }
        }
        Ok(Ignore::default())
    }
}
