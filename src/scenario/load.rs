//! From a file to a scenario.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    action::Action,
    check::check,
    error::{Fault, ScenarioError},
    format::Scenario,
    places::Node,
    reword,
};
use crate::world::images::Context;

/// No story is longer; what is larger is something else.
const LARGEST: u64 = 4 << 20;

/// Reads a scenario from a file.
pub fn load(path: &Path) -> Result<Scenario, ScenarioError> {
    let text = read(path)?;
    parse_with(&path.display().to_string(), &text, |from| Context::Directory(directory(path, from)))
}

/// A directory as seen from a scenario's own; a scenario that is linked to may also mean where it really lies.
fn directory(scenario: &Path, from: &Path) -> PathBuf {
    let beside = |scenario: &Path| scenario.parent().unwrap_or(Path::new("")).join(from);
    let real = scenario.canonicalize().map(|scenario| beside(&scenario));
    Some(beside(scenario))
        .into_iter()
        .chain(real)
        .find(|path| path.is_dir())
        .unwrap_or_else(|| beside(scenario))
}

/// Reads a scenario from a text; `file` is what errors call it.
pub fn parse(file: &str, text: &str) -> Result<Scenario, ScenarioError> {
    parse_with(file, text, |_| Context::Nowhere)
}

/// The same, with the directories that its builds are handed.
pub(super) fn parse_with(
    file: &str,
    text: &str,
    context: impl Fn(&Path) -> Context,
) -> Result<Scenario, ScenarioError> {
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match understand(text, context) {
        Ok(Some(scenario)) => Ok(scenario),
        Ok(None) => Err(ScenarioError::Empty(file.into())),
        Err(fault) => Err(fault.in_file(file, text)),
    }
}

/// The text of a file, of which no more is read than a scenario can have.
fn read(path: &Path) -> Result<String, ScenarioError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ScenarioError::Missing(path.into()),
        io::ErrorKind::IsADirectory => ScenarioError::Directory(path.into()),
        _ => ScenarioError::Unreadable { path: path.into(), source },
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ScenarioError::TooLarge(path.into()));
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(ScenarioError::NotText(path.into())),
    }
}

/// The scenario in a text, if anything is written in it.
fn understand(text: &str, context: impl Fn(&Path) -> Context) -> Result<Option<Scenario>, Fault> {
    let Some(tree) = Node::read(text)? else { return Ok(None) };
    let mut scenario: Scenario = serde_path_to_error::deserialize(serde_yaml::Deserializer::from_str(text))
        .map_err(|error| reword::fault(&error, &tree))?;
    take_places(&mut scenario, &tree);
    for step in &mut scenario.steps {
        let action = match &mut step.action {
            Action::Async(action) => action,
            action => action,
        };
        if let Action::Build(build) = action {
            build.context = context(&build.from);
        }
    }
    check(&scenario, &tree)?;
    Ok(Some(scenario))
}

/// Serde knows no places: the steps and rules get theirs from the tree.
fn take_places(scenario: &mut Scenario, tree: &Node<'_>) {
    let items = |key| tree.get(key).map_or(&[][..], Node::items);
    for (step, node) in scenario.steps.iter_mut().zip(items("steps")) {
        step.place = node.span.place;
    }
    let rules = [
        ("always", &mut scenario.always),
        ("never", &mut scenario.never),
        ("eventually", &mut scenario.eventually),
    ];
    for (key, rules) in rules {
        for (rule, node) in rules.iter_mut().zip(items(key)) {
            rule.place = node.span.place;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        model::{Name, Signal},
        scenario::Took,
    };

    #[test]
    fn the_contracts_example_is_read() {
        let scenario = parse("example", EXAMPLE).unwrap();
        assert_eq!(scenario.containers.len(), 2);
        assert_eq!(scenario.steps.len(), 7);
        let polite = &scenario.containers[&Name::new("polite").unwrap()];
        assert!(polite.behavior.signals.contains_key(&Signal::TERM));
        let stop = &scenario.steps[3];
        assert!(matches!(&stop.action, Action::Stop(stop) if stop.timeout.is_none()));
        let expect = stop.expect.as_ref().unwrap();
        assert_eq!(expect.took, Some(Took::About(Duration::from_secs(10))));
        assert_eq!(expect.events.as_ref().unwrap().list.len(), 4);
        assert_eq!(scenario.steps[4].refused.as_deref(), Some("not running"));
    }

    const EXAMPLE: &str = r#"
title: Why does stop take ten seconds?          # required
about: |                                        # Markdown, optional
  PID 1 without a handler never sees SIGTERM.
lesson: { order: 4, teaches: [grace period, PID 1], minutes: 5, notes: for the teacher }     # optional
containers:
  stubborn:                                     # nothing more to say: idle for ever, no handlers
  polite:
    publish: ["18081:80"]
    behavior: { listen: [80], signals: { SIGTERM: { exit: 0, after: 2s } } }
steps:
  - run: stubborn
    say: PID 1 is the process itself.
  - run: polite
  - stop: polite
    expect: { took: 2s, polite: { state: stopped, exit: 0 } }
  - stop: stubborn
    ask: How long will this take, and what is the exit code?
    expect:
      took: 10s
      stubborn: { state: stopped, exit: 137 }
      events: [stubborn kill SIGTERM, stubborn kill SIGKILL, stubborn die 137, stubborn stop]
  - pause: stubborn
    refused: not running
  - remove: stubborn
  - remove: polite
"#;
}
