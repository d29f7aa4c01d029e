//! What a Docker Engine can play: everything else is said before anything runs.

use thiserror::Error;

use crate::scenario::{Action, Crash, Place, Scenario};

/// A step that cannot be lived on a Docker Engine.
#[derive(Debug, Error)]
#[error("{file}:{}:{}: {why}", .place.line, .place.column)]
pub struct Unstageable {
    file: String,
    place: Place,
    why: &'static str,
}

/// Who we are to the processes of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Every process takes a signal from us.
    OverAll,
    /// Only our own do.
    OverOwn,
}

/// Looks for steps that cannot be lived on a Docker Engine.
pub fn check_on_docker(scenario: &Scenario, file: &str, power: Power) -> Result<(), Unstageable> {
    let why = |action: &Action| match action.begun() {
        Action::Reboot => Some("nobody reboots a host for a replay (replay it with --engine sim)"),
        Action::Crash(Crash::Keeper(_)) => {
            Some("a container of Docker's has no keeper (replay it with --engine linux or sim)")
        }
        Action::Crash(_) if power == Power::OverOwn => Some(
            "a `crash` is a signal past Docker, which only root may send (replay it as root, or leave it out)",
        ),
        _ => None,
    };
    let found = scenario.steps.iter().find_map(|step| Some((step, why(&step.action)?)));
    found.map_or(Ok(()), |(step, why)| Err(Unstageable { file: file.into(), place: step.place, why }))
}
