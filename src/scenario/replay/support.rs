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
        | Action::Join(_) => true,
        Action::Async(inner) => is_supported(inner),
        // Images and keepers come with the issues on them.
        Action::Crash(Crash::Keeper(_))
        | Action::Build(_)
        | Action::Tag(_)
        | Action::Push(_)
        | Action::Pull(_)
        | Action::RemoveImage(_) => false,
    }
}
