//! `terrarium commit`: what a container has written becomes an image.

use std::time::SystemTime;

use clap::Args;

use super::super::{BAD, Globals, complain, written};
use super::estate;
use crate::image::build::{BuildError, Commit as Committed, commit};
use crate::image::config::RuntimeConfig;
use crate::image::store::Image;
use crate::image::{Digest, Reference};
use crate::keeper::control::Answer;
use crate::keeper::{ContainerId, Estate, Layers, ask, look};
use crate::model::{ContainerSpec, LAB_IMAGE, State, Verb};
use crate::world::linux::lab_image;

/// Make an image of a container: its layers, and what it has written
#[derive(Args)]
#[command(after_help = "\
Example:
  terrarium commit -m 'with my page' -c 'CMD [\"nginx\"]' web mypage:1")]
pub(in super::super) struct Commit {
    /// The container, by name or by the beginning of its id
    #[arg(value_name = "CONTAINER")]
    container: String,

    /// What the image is called; nothing, if it is not said
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,

    /// Who made it
    #[arg(short, long, value_name = "NAME")]
    author: Option<String>,

    /// What there is to say of it
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,

    /// An instruction of a Dockerfile that changes what its containers are like; may be given several times
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,

    /// Do not pause it meanwhile, at the risk of files that are half written
    #[arg(long)]
    no_pause: bool,
}

impl Commit {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.commit(globals) {
            Ok(id) => written("the image's id", &format!("{id}\n")),
            Err(error) => {
                complain(&error);
                BAD
            }
        }
    }

    fn commit(&self, globals: &Globals) -> anyhow::Result<String> {
        let name = self.name.as_deref().map(str::parse::<Reference>).transpose()?.map(Reference::or_latest);
        let estate = estate(globals)?;
        let id = estate.find(&self.container)?;
        let gone =
            || anyhow::anyhow!("no such container: {} (see all of them: terrarium ps -a)", self.container);
        let account = look(&estate, &id)?.ok_or_else(gone)?;
        let spec = account.spec.clone().ok_or_else(gone)?;
        let state = account.status().state;
        if matches!(state, State::Dead | State::Removing) {
            anyhow::bail!(
                "cannot commit {}: it is {state} (only what is there can become an image)",
                self.container
            );
        }
        let base = base(&estate, &spec)?;
        // Nobody writes while it is looked at.
        let pausing = state == State::Running && !self.no_pause && is_done(&estate, &id, &Verb::Pause);
        Layers::open_up().map_err(|error| {
            anyhow::anyhow!(
                "cannot read what {} has written: {error} (see: terrarium doctor)",
                self.container
            )
        })?;
        let made = self.image_of(&estate, &id, &spec, &base, name);
        if made.is_ok() {
            is_done(&estate, &id, &Verb::Commit);
        }
        if pausing {
            is_done(&estate, &id, &Verb::Unpause);
        }
        Ok(made?.to_string())
    }

    fn image_of(
        &self,
        estate: &Estate,
        id: &ContainerId,
        spec: &ContainerSpec,
        base: &Image,
        name: Option<Reference>,
    ) -> Result<Digest, BuildError> {
        commit(Committed {
            store: &estate.store(),
            base,
            upper: &estate.directory(id).join("upper"),
            config: config_of(spec, base),
            changes: &self.change,
            author: self.author.clone(),
            message: self.message.clone(),
            name,
            created: humantime::format_rfc3339_nanos(SystemTime::now()).to_string(),
        })
    }
}

fn is_done(estate: &Estate, id: &ContainerId, verb: &Verb) -> bool {
    let answer = ask(estate, id, verb).and_then(crate::keeper::Asked::answer);
    matches!(answer, Ok(Answer::Done(_)))
}

/// The image that it was made from.
fn base(estate: &Estate, spec: &ContainerSpec) -> anyhow::Result<Image> {
    let store = estate.store();
    if spec.image == LAB_IMAGE {
        lab_image::keep(&store)?;
        return Ok(store.find(LAB_IMAGE)?);
    }
    Ok(store.find(spec.image_id.as_deref().unwrap_or(&spec.image))?)
}

/// What the container is like is what containers of the image will be like.
fn config_of(spec: &ContainerSpec, base: &Image) -> RuntimeConfig {
    let mut config = base.config.config.clone();
    config.env = spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    config.entrypoint.clone_from(&spec.entrypoint);
    config.cmd = spec.command.clone().or(config.cmd.filter(|_| spec.image == LAB_IMAGE));
    config.working_dir = spec.workdir.clone().unwrap_or_default();
    config.user = spec.user.clone().unwrap_or_default();
    config.labels.clone_from(&spec.labels);
    config.stop_signal = spec.stop_signal.map(|signal| signal.to_string());
    config
}
