//! `terrarium create`: a container, complete up to a process that is parked before its first instruction.

use std::time::Duration;

use clap::Args;

use super::super::image::pull::fetch;
use super::super::{BAD, Globals, WRONG_WORDS, complain, written};
use super::estate;
use super::wishes::{Wishes, WrongWish};
use crate::image::Reference;
use crate::image::resolve::exposed;
use crate::image::store::StoreError;
use crate::keeper::control::Answer;
use crate::keeper::{Call, CallError, ContainerId, Estate, free_name, settle_owner};
use crate::model::{ContainerSpec, Failure, LAB_IMAGE};

/// Make a container, up to a parked process
#[derive(Args)]
#[command(
    disable_help_flag = true,
    override_usage = "terrarium create [OPTIONS] IMAGE [COMMAND [ARG...]]",
    after_help = "\
Examples:
  terrarium create --name web lab       all is there, nothing runs yet
  terrarium start web                   now it does"
)]
pub(in super::super) struct Create {
    #[command(flatten)]
    wishes: Wishes,
}

impl Create {
    pub(super) fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.wishes.spec().map_err(CreateError::from).and_then(|spec| self.create(globals, &spec)) {
            Ok(id) => written("the id", &format!("{id}\n")),
            Err(error) => {
                complain(&error);
                if matches!(error, CreateError::Wish(_)) { WRONG_WORDS } else { BAD }
            }
        }
    }

    fn create(&self, globals: &Globals, spec: &ContainerSpec) -> Result<ContainerId, CreateError> {
        let estate = estate(globals)?;
        create(&estate, &self.wishes, spec).map(|(id, _)| id)
    }
}

/// Why there is no container.
#[derive(Debug, thiserror::Error)]
pub(super) enum CreateError {
    #[error(transparent)]
    Wish(#[from] WrongWish),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Image(#[from] StoreError),
    #[error("cannot draw a name: {0} (give it one: --name)")]
    NoName(#[from] std::io::Error),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("no such image: {image} (and it cannot be fetched: {why})")]
    NotHere { image: String, why: anyhow::Error },
}

/// Docker's time between two health checks, and for one.
const HEALTH: Duration = Duration::from_secs(30);
/// After so many failures Docker calls a container unhealthy.
const HEALTH_RETRIES: u32 = 3;

/// What neither words nor image say of a health check.
fn with_defaults(mut spec: ContainerSpec) -> ContainerSpec {
    if let Some(check) = &mut spec.health {
        for span in [&mut check.interval, &mut check.timeout] {
            if span.is_zero() {
                *span = HEALTH;
            }
        }
        if check.retries == 0 {
            check.retries = HEALTH_RETRIES;
        }
    }
    spec
}

/// With what its image says; an image that is not here is fetched.
fn resolved(estate: &Estate, wishes: &Wishes, spec: &ContainerSpec) -> Result<ContainerSpec, CreateError> {
    let store = estate.store();
    let mut resolved = match store.resolve(spec) {
        Err(StoreError::NoSuchImage(_)) => {
            let reference = spec.image.parse::<Reference>().map_err(StoreError::from)?.or_latest();
            complain(&format_args!("no such image here: {}; pulling it", reference.familiar()));
            fetch(&reference, &store, false)
                .map_err(|why| CreateError::NotHere { image: reference.familiar(), why })?;
            store.resolve(spec)?
        }
        result => result?,
    };
    if wishes.publish_all
        && let Some(id) = &resolved.image_id
    {
        resolved.publish.extend(exposed(&store.find(id)?.config.config));
    }
    Ok(resolved)
}

/// How often another name is drawn, if somebody is faster each time.
const DRAWS: usize = 10;

/// Makes a container, and returns the conversation with its keeper.
pub(super) fn create(
    estate: &Estate,
    wishes: &Wishes,
    spec: &ContainerSpec,
) -> Result<(ContainerId, Call), CreateError> {
    let spec = &with_defaults(resolved(estate, wishes, spec)?);
    if spec.image == LAB_IMAGE {
        // Unpacked here, so that the keeper stays small.
        estate.lab().map_err(CallError::from)?;
    }
    let mut refused = String::new();
    for _ in 0..DRAWS {
        let name = match &wishes.name {
            Some(name) => name.clone(),
            None => free_name(estate)?,
        };
        settle_owner(estate, &name)?;
        match Call::create(estate, &name, spec)? {
            (_, _, Answer::Refused(why)) => refused = why,
            (_, _, Answer::Failed(failure)) => return Err(failure.into()),
            (id, call, _) => {
                wishes.note(&id)?;
                return Ok((id, call));
            }
        }
        if wishes.name.is_some() {
            break;
        }
    }
    Err(CreateError::Refused(refused))
}
