//! `terrarium inspect`: all that is known of a container.

use std::io::Write as _;

use clap::Args;
use serde_json::Value;

use super::super::{BAD, Globals, complain, written};
use super::trouble::{Trouble, status_of};
use crate::engine::journal::{Clock as _, HostClock};
use crate::keeper::{Estate, Layers};
use crate::report::docker::container::{self, Portrait, Surroundings};
use crate::report::docker::template::Template;

/// Print all that is known of containers
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

    /// Only things of this type; there are containers only
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
        if let Some(kind) = self.kind.as_deref().filter(|kind| *kind != "container") {
            return Err(Trouble::words(format_args!(
                "there is nothing of type `{kind}` here (there is: container)"
            )));
        }
        let template = match self.format.as_deref() {
            None | Some("json") => None,
            Some(text) => Some(Template::parse(text)?),
        };
        let estate = Estate::open(globals.root.as_deref())?;
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for word in &self.containers {
            match self.look(&estate, word) {
                Ok(told) => known.push(told),
                Err(trouble) => unknown.push(trouble.said),
            }
        }
        let text = match template {
            Some(template) => {
                let lines: Result<Vec<_>, _> =
                    known.iter().map(|told| template.fill_with(told).map(|line| line + "\n")).collect();
                lines?.concat()
            }
            None if self.format.is_some() => Value::Array(known).to_string() + "\n",
            None => indented(&Value::Array(known)),
        };
        Ok((text, unknown))
    }

    fn look(&self, estate: &Estate, word: &str) -> Result<Value, Trouble> {
        let id = estate.find(word)?;
        let account = estate.account(&id)?;
        let (status, now) = (account.status(), HostClock::new().now());
        let spec = account.spec.as_deref().cloned().unwrap_or_default();
        let portrait =
            Portrait { id: id.as_str(), account: &account, status: &status, spec: &spec, now: &now };
        let layers = estate.layers(&id)?;
        let size = self.size.then(|| layers.size()).map(|size| (size.written, size.whole));
        let Layers { lower, upper, work, merged } = layers;
        let around = Surroundings { pid: None, lower, upper, work, merged, log: estate.log(&id), size };
        Ok(container::inspect(&portrait, &around))
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
