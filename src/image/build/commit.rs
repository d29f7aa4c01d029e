//! What a container has written becomes an image: one layer upon those that it was made from.

use std::path::Path;

use super::BuildError;
use super::copying::pack;
use super::stage::Stage;
use crate::image::config::RuntimeConfig;
use crate::image::digest::Digest;
use crate::image::dockerfile::{self, Instruction};
use crate::image::layer::pack_differences;
use crate::image::reference::Reference;
use crate::image::store::{Image, Store};

/// A container that is to become an image.
#[derive(Debug)]
pub struct Commit<'a> {
    /// Where images are.
    pub store: &'a Store,
    /// What it was made from.
    pub base: &'a Image,
    /// Its writable layer.
    pub upper: &'a Path,
    /// What it is like.
    pub config: RuntimeConfig,
    /// Instructions of a Dockerfile that change that.
    pub changes: &'a [String],
    /// By whom.
    pub author: Option<String>,
    /// What is said of it.
    pub message: Option<String>,
    /// The name that the image gets, if any.
    pub name: Option<Reference>,
    /// When.
    pub created: String,
}

/// Makes it.
pub fn commit(commit: Commit<'_>) -> Result<Digest, BuildError> {
    let Commit { store, base, upper, config, changes, author, message, name, created } = commit;
    let adding = store.add()?;
    let mut stage = Stage::of(None, base);
    stage.config.config = config;
    stage.config.author = author;
    let made = pack(store, |stream| pack_differences(upper, stream))?;
    store.unpack_layer(&made.descriptor.digest, &made.diff_id, &adding)?;
    stage.add(made, created, "commit".into());
    for text in changes {
        let step = dockerfile::parse("--change", &format!("FROM x\n{text}"))?.pop();
        match step.map(|step| step.instruction) {
            Some(
                Instruction::Run { .. }
                | Instruction::Copy(_)
                | Instruction::Add(_)
                | Instruction::From { .. }
                | Instruction::Arg { .. },
            )
            | None => {
                return Err(BuildError::Words(format!(
                    "{text} is not a valid change command (it would need a build)"
                )));
            }
            Some(instruction) => _ = stage.describe(&instruction)?,
        }
    }
    if let Some(last) = stage.config.history.last_mut() {
        last.comment = message;
    }
    stage.keep(store, name.as_slice())
}
