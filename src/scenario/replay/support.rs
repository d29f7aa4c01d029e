//! What this version can play: everything else is said before anything runs.

use thiserror::Error;

use crate::scenario::{Action, Crash, Place, Scenario};

/// A step that this version cannot play.
#[derive(Debug, Error)]
#[error("{file}:{}:{}: `{action}` cannot be played yet (leave this step out)", .place.line, .place.column)]
pub struct Unsupported {
    file: String,
    place: Place,
    action: &'static str,
}

/// Looks for steps that this version cannot play.
pub fn check_supported(scenario: &Scenario, file: &str) -> Result<(), Unsupported> {
    let unsupported = scenario.steps.iter().find(|step| !is_supported(&step.action));
    unsupported.map_or(Ok(()), |step| {
        Err(Unsupported { file: file.into(), place: step.place, action: step.action.word() })
    })
}

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
        Action::Crash(_) if power == Power::OverOwn => Some(
            "a `crash` is a signal past Docker, which only root may send (replay it as root, or leave it out)",
        ),
        _ => None,
    };
    let found = scenario.steps.iter().find_map(|step| Some((step, why(&step.action)?)));
    found.map_or(Ok(()), |(step, why)| Err(Unstageable { file: file.into(), place: step.place, why }))
}

fn is_supported(action: &Action) -> bool {
    match action {
        Action::Create(_)
        | Action::Start(_)
        | Action::Run(_)
        | Action::Pause(_)
        | Action::Unpause(_)
        | Action::Stop(_)
        | Action::Restart(_)
        | Action::Kill(_)
        | Action::Remove(_)
        | Action::Exec(_)
        | Action::Rename(_)
        | Action::Update(_)
        | Action::Crash(Crash::Process { .. })
        | Action::Reboot
        | Action::Wait(_)
        | Action::WaitFor(_)
        | Action::WaitExit(_)
        | Action::Request(_)
        | Action::Build(_)
        | Action::Tag(_)
        | Action::Push(_)
        | Action::Pull(_)
        | Action::RemoveImage(_)
        | Action::Join(_) => true,
        Action::Async(inner) => is_supported(inner),
        // Keepers come with the issue on them.
        Action::Crash(Crash::Keeper(_)) => false,
    }
}
