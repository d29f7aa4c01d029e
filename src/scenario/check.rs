//! What is wrong with a scenario as a whole: names that nobody declared, words where they mean nothing.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::{
    action::{Action, AskedSignal, Kill, Update},
    error::{Fault, Span},
    expect::{EXPECT_WORDS, Expect},
    format::{Rule, Scenario, Step},
    places::Node,
    quantity::signal_words,
    reword::declared,
    verb::Verb,
    words::{advice, shown},
};
use crate::model::{LAB_IMAGE, Name, NetworkMode};
use crate::world::images::Context;

#[derive(Debug, Error)]
enum CheckError {
    #[error("unknown container `{name}`{}", if .advice.is_empty() { ": declare it under `containers`" } else { .advice })]
    Undeclared { name: Name, advice: String },
    #[error("`{0}` cannot be a container's name: `expect` has a key of that name")]
    Reserved(Name),
    #[error(
        "`{0}` is the new name of a container, not one that can be created: declare it under `containers`"
    )]
    OnlyRenamed(Name),
    #[error(
        "no earlier step can have created `{0}`: add `create: {0}` or `run: {0}` before, or say `refused: no such container`"
    )]
    NeverCreated(Name),
    #[error(
        "no earlier step can have given the name `{0}` to a container: put the `rename` before this step"
    )]
    NotYetRenamed(Name),
    #[error("`{0}` cannot use its own network: name another container")]
    OwnNetwork(Name),
    #[error("a step has one action, and this one has `{first}` already: begin another step with `-`")]
    SecondAction { first: String },
    #[error("unknown signal `{text}`{}; to see it refused, say `refused: invalid signal`", advice(.text, &signal_words(.text)))]
    UnknownSignal { text: String },
    #[error("nothing was begun on `{0}` that could be joined: add `async` to an earlier step")]
    NothingToJoin(Name),
    #[error("a command needs at least a program, like `[echo, hello]`")]
    NoCommand,
    #[error("`update` changes nothing here: say `restart`, `memory`, `cpus` or `pids`")]
    NothingToUpdate,
    #[error("`refused` needs a part of the message, like `not running`")]
    NoReason,
    #[error("`{word}` is what {whose} shows, and this step is `{action}`")]
    Misplaced { word: &'static str, whose: &'static str, action: &'static str },
    #[error("{0}")]
    Context(String),
    #[error("`{0}` is the built-in image: give yours another name")]
    BuiltIn(String),
    #[error("how long it `took` is known when it is joined: move this to the step with `join`")]
    TookTooEarly,
}

/// The first thing in file order that is wrong, though every value by itself is right.
pub(super) fn check(scenario: &Scenario, tree: &Node<'_>) -> Result<(), Fault> {
    let mut story = Story {
        scenario,
        declared: declared(tree).collect(),
        created: BTreeSet::new(),
        begun: BTreeSet::new(),
    };
    if let Some(containers) = tree.get("containers") {
        story.containers(containers)?;
    }
    for (step, node) in scenario.steps.iter().zip(tree.get("steps").map_or(&[][..], Node::items)) {
        story.step(step, node)?;
    }
    for (key, rules) in
        [("always", &scenario.always), ("never", &scenario.never), ("eventually", &scenario.eventually)]
    {
        for (rule, node) in rules.iter().zip(tree.get(key).map_or(&[][..], Node::items)) {
            story.rule(rule, node)?;
        }
    }
    Ok(())
}

/// What is known of the story up to a step.
struct Story<'a> {
    scenario: &'a Scenario,
    declared: BTreeSet<&'a str>,
    created: BTreeSet<&'a Name>,
    begun: BTreeSet<&'a Name>,
}

/// An action as it stands in the file.
struct Said<'n, 'a> {
    verb: Span,
    value: &'n Node<'a>,
}

impl Said<'_, '_> {
    fn place_of(&self, word: &str) -> Span {
        self.value.find(word).unwrap_or(self.verb)
    }
}

impl<'a> Story<'a> {
    fn containers(&self, node: &Node<'_>) -> Result<(), Fault> {
        for (key, value) in node.entries() {
            let Some((name, spec)) = entry_of(&self.scenario.containers, &key.text) else { continue };
            not_reserved(name, key.span)?;
            if let NetworkMode::Container(other) = &spec.network {
                let span = || value.get("network").map_or(key.span, |network| network.span);
                self.known(other, span)?;
                if other == name {
                    return Err(Fault::new(span(), CheckError::OwnNetwork(name.clone())));
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &'a Step, node: &Node<'_>) -> Result<(), Fault> {
        let mut actions = node.entries().iter().filter(|(key, _)| Verb::from_word(&key.text).is_some());
        let Some((key, value)) = actions.next() else { return Ok(()) };
        if let Some((second, _)) = actions.next() {
            let first = key.text.clone().into_owned();
            return Err(Fault::new(second.span, CheckError::SecondAction { first }));
        }
        if step.refused.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
            let span = node.entry("refused").map_or(key.span, |(key, _)| key.span);
            return Err(Fault::new(span, CheckError::NoReason));
        }
        let said = Said { verb: key.span, value };
        for name in step.action.containers() {
            self.known(name, || said.place_of(name.as_str()))?;
        }
        if step.refused.is_none() {
            makes_sense(&step.action, &said)?;
        }
        buildable(&step.action, &said)?;
        self.action(step, &said)?;
        if let (Some(expect), Some(node)) = (&step.expect, node.get("expect")) {
            self.expect(expect, &step.action, node)?;
        }
        Ok(())
    }

    /// Whether the containers of an action can be there for it, and which are there after it.
    fn action(&mut self, step: &'a Step, said: &Said<'_, '_>) -> Result<(), Fault> {
        let (action, begun) = match &step.action {
            Action::Async(action) => (&**action, true),
            action => (action, false),
        };
        let containers = action.containers();
        let missing = |is_there: &dyn Fn(&Name) -> bool| containers.iter().find(|name| !is_there(name));
        let declared = |name: &Name| self.scenario.containers.contains_key(name);
        let (name, error) = match action {
            Action::Create(_) | Action::Run(_) => (missing(&declared), CheckError::OnlyRenamed as fn(_) -> _),
            Action::Join(_) => (missing(&|name| self.begun.contains(name)), CheckError::NothingToJoin as _),
            _ if step.refused.is_some() => (None, CheckError::NeverCreated as _),
            _ => {
                let name = missing(&|name| self.created.contains(name));
                let given = name.is_some_and(|name| !declared(name));
                (name, if given { CheckError::NotYetRenamed } else { CheckError::NeverCreated })
            }
        };
        if let Some(name) = name {
            return Err(Fault::new(said.place_of(name.as_str()), error(name.clone())));
        }
        match (action, &step.refused) {
            // A `run` can fail at the start, and leave what it created.
            (Action::Create(_), None) | (Action::Run(_), _) => self.created.extend(containers),
            (Action::Rename(rename), None) => {
                not_reserved(&rename.to, said.place_of(rename.to.as_str()))?;
                self.created.insert(&rename.to);
            }
            _ => {}
        }
        if begun {
            self.begun.extend(containers);
        }
        Ok(())
    }

    fn expect(&self, expect: &Expect, action: &Action, node: &Node<'_>) -> Result<(), Fault> {
        for (key, value) in node.entries() {
            match key.text.as_ref() {
                "took" if matches!(action, Action::Async(_)) => {
                    return Err(Fault::new(key.span, CheckError::TookTooEarly));
                }
                "events" => {
                    let places = value.get("any_order").unwrap_or(value).items();
                    let events = expect.events.iter().flat_map(|events| &events.list);
                    for (event, place) in events.zip(places) {
                        self.known(&event.container, || place.span)?;
                    }
                }
                word if EXPECT_WORDS.contains(&word) => fits(word, action, key.span)?,
                name => {
                    if let Some((name, _)) = entry_of(&expect.containers, name) {
                        self.known(name, || key.span)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn rule(&self, rule: &Rule, node: &Node<'_>) -> Result<(), Fault> {
        for name in rule.containers.keys() {
            self.known(name, || node.entry(name.as_str()).map_or(node.span, |(key, _)| key.span))?;
        }
        Ok(())
    }

    fn known(&self, name: &Name, span: impl FnOnce() -> Span) -> Result<(), Fault> {
        if self.declared.contains(name.as_str()) {
            return Ok(());
        }
        let valid: Vec<_> = self.declared.iter().collect();
        let error = CheckError::Undeclared { name: name.clone(), advice: advice(name.as_str(), &valid) };
        Err(Fault::new(span(), error))
    }
}

/// The entry that a key of the file became.
fn entry_of<'m, T>(map: &'m BTreeMap<Name, T>, key: &str) -> Option<(&'m Name, &'m T)> {
    map.get_key_value(&Name::new(key).ok()?)
}

fn not_reserved(name: &Name, span: Span) -> Result<(), Fault> {
    if EXPECT_WORDS.contains(&name.as_str()) {
        return Err(Fault::new(span, CheckError::Reserved(name.clone())));
    }
    Ok(())
}

/// Whether an engine could do more with an action than refuse it.
fn makes_sense(action: &Action, said: &Said<'_, '_>) -> Result<(), Fault> {
    let (span, error) = match action {
        Action::Async(action) => return makes_sense(action, said),
        Action::Kill(Kill { signal: Some(AskedSignal::Unknown(text)), .. }) => {
            (said.place_of(text), CheckError::UnknownSignal { text: shown(text) })
        }
        Action::Exec(exec) if exec.command.is_empty() => (said.verb, CheckError::NoCommand),
        Action::Update(Update { restart: None, memory: None, cpus: None, pids: None, .. }) => {
            (said.verb, CheckError::NothingToUpdate)
        }
        _ => return Ok(()),
    };
    Err(Fault::new(span, error))
}

/// Whether the files of a build can be read, and its Dockerfile understood; and whether an image may have its name.
fn buildable(action: &Action, said: &Said<'_, '_>) -> Result<(), Fault> {
    if let Some(name) = action.names_changed().iter().find(|name| *name == LAB_IMAGE) {
        return Err(Fault::new(said.place_of(name), CheckError::BuiltIn(name.clone())));
    }
    let Action::Build(build) = action.begun() else { return Ok(()) };
    if build.context == Context::Nowhere {
        return Ok(());
    }
    let file = build.build_file();
    build.context.check(&file).map_err(|message| {
        let word = build.file.as_ref().unwrap_or(&build.from).display().to_string();
        Fault::new(said.place_of(&word), CheckError::Context(message))
    })
}

/// Whether a word of `expect` can mean something after this action; `join` may carry any outcome.
fn fits(word: &str, action: &Action, span: Span) -> Result<(), Fault> {
    let action = match action {
        Action::Async(action) => action,
        action => action,
    };
    let (word, whose) = match (word, action) {
        (_, Action::Join(_))
        | ("exec_exit", Action::Exec(_))
        | ("status" | "body" | "error", Action::Request(_)) => {
            return Ok(());
        }
        ("exec_exit", _) => ("exec_exit", "`exec`"),
        ("status", _) => ("status", "`request`"),
        ("body", _) => ("body", "`request`"),
        ("error", _) => ("error", "`request`"),
        _ => return Ok(()),
    };
    Err(Fault::new(span, CheckError::Misplaced { word, whose, action: action.word() }))
}
