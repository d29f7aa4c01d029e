//! `terrarium inspect`: all that is known of a container.

use std::io::Write as _;

use clap::Args;
use serde_json::Value;

use super::super::container::estate;
use super::super::{BAD, Globals, complain, written};
use super::trouble::{Trouble, status_of};
use crate::engine::journal::{Clock as _, HostClock};
use crate::keeper::control::{Answer, Reply, Request};
use crate::keeper::{Asked, Call, CallError, ContainerId, Estate, Layers, Resident, ask};
use crate::model::{Look, Verb};
use crate::report::docker::container::{self, Portrait, Surroundings};
use crate::report::docker::template::Template;

/// Print all that is known of containers, or of images
#[derive(Args)]
#[command(after_help = "\
Examples:
  terrarium inspect web
  terrarium inspect -f '{{.State.Status}} {{.State.ExitCode}}' web
  terrarium inspect -f '{{json .NetworkSettings.Ports}}' web")]
pub(in crate::cli) struct Inspect {
    /// By name, id, or the beginning of an id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,

    /// How to print it: json, or a template like '{{.State.Status}}'
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,

    /// What their files take up, too
    #[arg(short, long)]
    size: bool,

    /// Only things of this type: container or image
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
}

impl Inspect {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.text(globals) {
            Ok((text, unknown)) => {
                let status = written("what is known of them", &text);
                let _ = std::io::stdout().flush();
                for error in &unknown {
                    complain(error);
                }
                if unknown.is_empty() { status } else { BAD }
            }
            Err(trouble) => status_of(Err(trouble)),
        }
    }

    /// The text, and what could not be found.
    fn text(&self, globals: &Globals) -> Result<(String, Vec<String>), Trouble> {
        if let Some(kind) = self.kind.as_deref().filter(|kind| !["container", "image"].contains(kind)) {
            return Err(Trouble::words(format_args!(
                "there is nothing of type `{kind}` here (there are: container, image)"
            )));
        }
        let template = match self.format.as_deref() {
            None | Some("json") => None,
            Some(text) => Some(Template::parse(text)?),
        };
        let estate = estate(globals)?;
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for word in &self.containers {
            match self.look(&estate, word) {
                Ok(told) => known.push(told),
                // Containers come first, as with Docker.
                Err(trouble) => match self.image(&estate, word) {
                    Some(told) => known.push(told),
                    None => unknown.push(trouble.said),
                },
            }
        }
        let text = match template {
            Some(template) => {
                let typed = self.format.as_deref().unwrap_or_default();
                let filled = |told| template.fill_with(&container::for_templates(told, typed));
                let lines: Result<Vec<_>, _> =
                    known.iter().map(|told| filled(told).map(|line| line + "\n")).collect();
                lines?.concat()
            }
            None if self.format.is_some() => Value::Array(known).to_string() + "\n",
            None => indented(&Value::Array(known)),
        };
        Ok((text, unknown))
    }

    /// An image, where that may be meant.
    fn image(&self, estate: &Estate, word: &str) -> Option<Value> {
        let store = estate.store();
        let image =
            self.kind.as_deref().is_none_or(|kind| kind == "image").then(|| store.find(word).ok())??;
        super::super::image::shown(&store, &image).ok()
    }

    fn look(&self, estate: &Estate, word: &str) -> Result<Value, Trouble> {
        if self.kind.as_deref() == Some("image") {
            return Err(Trouble::world(format_args!(
                "no such image: {word} (see all of them: terrarium images)"
            )));
        }
        let Resident { id, account } = estate.resident(word)?;
        let (status, now) = (account.status(), HostClock::new().now());
        let spec = account.spec.as_deref().cloned().unwrap_or_default();
        let portrait =
            Portrait { id: id.as_str(), account: &account, status: &status, spec: &spec, now: &now };
        let layers = estate.layers(&id, &spec)?;
        let size = self.size.then(|| layers.size()).map(|size| (size.written, size.whole));
        let Layers { lower, upper, work, merged } = layers;
        let around = Surroundings {
            pid: pid_of(estate, &id)?,
            address: address_of(estate, &id)?,
            lower,
            upper,
            work,
            merged,
            volumes: estate.volumes(),
            log: estate.log(&id),
            size,
        };
        Ok(container::inspect(&portrait, &around))
    }
}

/// Its PID 1, as this host numbers it; its keeper knows.
pub(super) fn pid_of(estate: &Estate, id: &ContainerId) -> Result<Option<i32>, CallError> {
    if !estate.socket(id).exists() {
        return Ok(None);
    }
    match ask(estate, id, &Verb::Look(Look::Inspect)).and_then(Asked::answer)? {
        Answer::Done(pid) => Ok(pid),
        _ => Ok(None),
    }
}

/// Its address, while it has one; its keeper knows that, too.
fn address_of(estate: &Estate, id: &ContainerId) -> Result<Option<String>, CallError> {
    if !estate.socket(id).exists() {
        return Ok(None);
    }
    let mut call = Call::to(estate, id)?;
    match call.send(&Request::Measure, &[]).and_then(|()| call.hear()) {
        Ok((Reply::Measured(costs), _)) => Ok(costs.address),
        Ok(_) | Err(CallError::Control(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// With four spaces, as Docker does.
fn indented(value: &Value) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    let written = serde::Serialize::serialize(value, &mut serializer);
    debug_assert!(written.is_ok(), "a value can always be written into memory");
    String::from_utf8_lossy(&bytes).into_owned() + "\n"
}
