//! What Docker says of a request that it does not carry out: a refusal in the model's words, or a failure in its own.

use bollard::errors::Error;

use super::daemon::reason_of;
use crate::model::{Failure, Name, Outcome, Reason, Refusal, Verb};

/// The refusals, by the words that Docker has for them. The first that is found counts: a message may hold several.
const REASONS: [(&str, Reason); 16] = [
    ("No such container", Reason::NoSuchContainer),
    ("is not paused", Reason::NotPaused),
    ("is already paused", Reason::AlreadyPaused),
    ("restarting container", Reason::Restarting),
    ("is restarting", Reason::Restarting),
    // A container in back-off has no network that could be renamed along with it.
    ("sandbox", Reason::Restarting),
    ("remove a running container", Reason::Running),
    ("a paused container", Reason::Paused),
    ("is paused", Reason::Paused),
    ("is not running", Reason::NotRunning),
    ("already in progress", Reason::RemovalInProgress),
    ("marked for removal", Reason::MarkedForRemoval),
    ("which is dead", Reason::MarkedForRemoval),
    ("which is Dead", Reason::MarkedForRemoval),
    ("is dead", Reason::MarkedForRemoval),
    ("can't create 'AutoRemove' container", Reason::RemovedAndRestarted),
];

/// The outcome of a request that went wrong; `code` is what it has left in the container.
pub(super) fn outcome(
    error: &Error,
    verb: &Verb,
    container: &Name,
    code: Option<i32>,
    reworded: impl Fn(&str) -> String,
) -> Outcome {
    let said = reason_of(error);
    let refused =
        matches!(error, Error::DockerResponseServerError { status_code, .. } if *status_code >= 400);
    let started = matches!(verb, Verb::Start | Verb::Restart { .. }) && code.is_some();
    match reason(&said, verb, container).filter(|_| refused && !started) {
        Some(reason) => Outcome::Refused(Refusal { container: container.clone(), verb: verb.word(), reason }),
        None => Outcome::Failed(Failure { code, message: reworded(&said) }),
    }
}

fn reason(said: &str, verb: &Verb, container: &Name) -> Option<Reason> {
    if said.contains("is already in use by container") {
        let taken = match verb {
            Verb::Rename { to } => to,
            _ => container,
        };
        return Some(Reason::NameInUse(taken.clone()));
    }
    if let Some((_, signal)) = said.split_once("Invalid signal: ") {
        return Some(Reason::InvalidSignal(signal.into()));
    }
    REASONS.iter().find(|(words, _)| said.contains(words)).map(|(_, reason)| reason.clone())
}

/// Docker's sentence with the scenario's names in it, and without the numbers that are another ones each time.
pub(super) fn reworded(said: &str, prefix: &str, ids: &[(&str, &Name)]) -> String {
    let mut text = said.replace(prefix, "");
    for (id, name) in ids {
        text = text.replace(id, name.as_str());
    }
    let mut plain = String::new();
    for word in text.split_inclusive(|letter: char| !letter.is_ascii_hexdigit()) {
        let digits = word.trim_end_matches(|letter: char| !letter.is_ascii_hexdigit());
        plain.push_str(if digits.len() == 64 { &word[digits.len()..] } else { word });
    }
    begun_small(plain.replace(" ()", "").trim())
}

/// A sentence with a small first letter, unless it begins with an abbreviation: `OCI runtime …`.
fn begun_small(sentence: &str) -> String {
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) if !letters.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Removal;

    const ID: &str = "8a07ef5ed1ddc7e15a2108166c0c69bac683fc3896846ba470ec13498a129a6d";

    fn refused(said: &str, verb: &Verb) -> Option<Reason> {
        let error = Error::DockerResponseServerError { status_code: 409, message: said.replace("<ID>", ID) };
        match outcome(&error, verb, &Name::new("web").unwrap(), None, ToString::to_string) {
            Outcome::Refused(refusal) => Some(refusal.reason),
            _ => None,
        }
    }

    #[test]
    fn every_refusal_that_was_measured_has_its_reason() {
        let kill = Verb::Kill { signal: crate::model::Signal::KILL };
        let (start, pause, remove) = (Verb::Start, Verb::Pause, Verb::Remove(Removal::Gentle));
        let said = [
            ("Cannot kill container: web: No such container: web", &kill, Reason::NoSuchContainer),
            ("cannot start a paused container, try unpause instead", &start, Reason::Paused),
            ("container is marked for removal and cannot be started", &start, Reason::MarkedForRemoval),
            ("Container <ID> is not running", &pause, Reason::NotRunning),
            ("Container <ID> is already paused", &pause, Reason::AlreadyPaused),
            ("Container <ID> is restarting, wait until the container is running", &pause, Reason::Restarting),
            ("Container <ID> is not paused", &Verb::Unpause, Reason::NotPaused),
            ("Cannot kill container: <ID>: Container <ID> is not running", &kill, Reason::NotRunning),
            (
                "You cannot remove a running container <ID>. Stop the container before",
                &remove,
                Reason::Running,
            ),
            ("You cannot remove a paused container <ID>. Unpause and then stop", &remove, Reason::Paused),
            ("You cannot remove a restarting container <ID>. Stop the", &remove, Reason::Restarting),
            ("removal of container <ID> is already in progress", &remove, Reason::RemovalInProgress),
            ("Container <ID> is paused, unpause the container before exec", &pause, Reason::Paused),
        ];
        for (said, verb, reason) in said {
            assert_eq!(refused(said, verb), Some(reason), "{said}");
        }
    }

    #[test]
    fn what_is_no_refusal_is_a_failure_in_dockers_words_and_our_names() {
        let said = format!(
            "driver failed programming external connectivity on endpoint ours-web ({ID}): Bind for 0.0.0.0:8081 failed: \
             port is already allocated"
        );
        assert_eq!(refused(&said, &Verb::Start), None);
        let told = reworded(&said, "ours-", &[]);
        assert_eq!(
            told,
            "driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:8081 failed: port is \
             already allocated"
        );
        let web = Name::new("web").unwrap();
        assert_eq!(
            reworded(&format!("Container {ID} is odd"), "ours-", &[(ID, &web)]),
            "container web is odd"
        );
    }

    #[test]
    fn an_abbreviation_keeps_its_capitals() {
        assert_eq!(reworded("OCI runtime exec failed", "ours-", &[]), "OCI runtime exec failed");
    }
}
