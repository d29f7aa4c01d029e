//! The verbs of images: one file each.

mod build;
mod history;
mod images;
mod inspect;
mod load;
mod login;
mod prune;
pub(in crate::cli) mod pull;
mod push;
mod rmi;
mod save;
mod tag;
mod transfer;

pub(super) use inspect::of as shown;

use std::io;
use std::time::SystemTime;

use clap::Subcommand;

use super::{BAD, Globals, complain};
use crate::image::layer::Tally;
use crate::image::store::Store;
use crate::keeper::Estate;
use crate::report::docker::words;

/// What can be done with images.
#[derive(Subcommand)]
pub(super) enum ImageVerb {
    Build(build::Build),
    Images(images::Images),
    Pull(pull::Pull),
    Push(push::Push),
    Login(login::Login),
    Logout(login::Logout),
    Load(load::Load),
    Save(save::Save),
    Tag(tag::Tag),
    Rmi(rmi::Rmi),
    /// Look into images, and tidy up
    #[command(subcommand, subcommand_value_name = "VERB", disable_help_subcommand = true)]
    Image(Inner),
}

/// The verbs after `image`.
#[derive(Subcommand)]
pub(super) enum Inner {
    Build(build::Build),
    Inspect(inspect::Inspect),
    Pull(pull::Pull),
    Push(push::Push),
    History(history::History),
    Prune(prune::Prune),
    #[command(visible_alias = "list")]
    Ls(images::Images),
    #[command(visible_alias = "remove")]
    Rm(rmi::Rmi),
    Tag(tag::Tag),
    Load(load::Load),
    Save(save::Save),
}

impl ImageVerb {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        let store = match Estate::images(globals.root.as_deref()) {
            Ok(store) => store,
            Err(error) => return failed(&error.into()),
        };
        let done = match self {
            Self::Build(build) | Self::Image(Inner::Build(build)) => build.perform(&store),
            Self::Pull(pull) | Self::Image(Inner::Pull(pull)) => pull.perform(&store),
            Self::Push(push) | Self::Image(Inner::Push(push)) => push.perform(&store),
            Self::Login(login) => login.perform(),
            Self::Logout(logout) => logout.perform(),
            Self::Images(images) | Self::Image(Inner::Ls(images)) => images.perform(&store),
            Self::Load(load) | Self::Image(Inner::Load(load)) => load.perform(&store),
            Self::Save(save) | Self::Image(Inner::Save(save)) => save.perform(&store),
            Self::Tag(tag) | Self::Image(Inner::Tag(tag)) => tag.perform(&store),
            Self::Rmi(rmi) | Self::Image(Inner::Rm(rmi)) => rmi.perform(&store),
            Self::Image(Inner::Inspect(inspect)) => inspect.perform(&store),
            Self::Image(Inner::History(history)) => history.perform(&store),
            Self::Image(Inner::Prune(prune)) => prune.perform(&store),
        };
        done.unwrap_or_else(|error| failed(&error))
    }
}

/// What a verb comes to: its exit status, or why it failed.
type Done = anyhow::Result<u8>;

fn failed(error: &anyhow::Error) -> u8 {
    complain(error);
    BAD
}

/// How long ago that was, in Docker's words.
fn ago(moment: Option<&str>, now: SystemTime) -> String {
    let Some(then) = moment.and_then(|text| humantime::parse_rfc3339(text).ok()) else { return "N/A".into() };
    format!("{} ago", words::span(now.duration_since(then).unwrap_or_default()))
}

/// Asks before something is removed.
fn confirmed(what: &str) -> anyhow::Result<bool> {
    eprint!("WARNING! {what}\nAre you sure you want to continue? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y"))
}

/// What unpacking could not keep, said once.
fn tell_of(tally: &Tally) {
    if tally.owners > 0 {
        complain(&format_args!(
            "{} files belong to others than root in the image, and to root here: one id is all that an ordinary user has",
            tally.owners
        ));
    }
    if tally.devices > 0 {
        complain(&format_args!(
            "{} device nodes were left out: a container gets its devices from the runtime",
            tally.devices
        ));
    }
}
