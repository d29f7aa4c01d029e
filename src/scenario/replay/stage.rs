//! An engine on which steps are played, one after the other; the kernel's and the simulator's are told apart by nothing here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Tolerance;
use super::action::{A_DAY, Done, Findings, Pending};
use super::expectation;
use super::rules::OwnRules;
use crate::engine::trace::{Change, Entry, Happening, StepTrace};
use crate::engine::{Engine, Passed};
use crate::model::{Command, ContainerSpec, Name, Removal, State, Status, Verb};
use crate::scenario::{Action, Scenario, Step};
use crate::world::Interrupted;

/// An engine, the containers that the scenario declares, and how exact its times are.
#[derive(Clone)]
pub struct Stage<E> {
    pub(super) engine: E,
    pub(super) tolerance: Tolerance,
    declared: BTreeMap<Name, ContainerSpec>,
    /// Image names that the scenario gives or takes away: what they mean is known when a container is made.
    own_images: BTreeSet<String>,
    /// How much had happened when the part under way began.
    part_began: usize,
    /// When everything was looked at before that part, and last.
    looked: (Duration, Duration),
    /// Actions that were begun and not joined.
    begun: BTreeMap<Option<Name>, Vec<Pending>>,
    /// The scenario's own rules, and which of them have been broken in the step under way.
    rules: OwnRules,
    broken: Vec<String>,
}

impl<E: Engine> Stage<E> {
    pub(super) fn new(engine: E, scenario: &Scenario, tolerance: Tolerance) -> Self {
        let own_images = scenario.steps.iter().flat_map(|step| step.action.names_changed()).cloned();
        Self {
            engine,
            tolerance,
            declared: scenario.containers.clone(),
            own_images: own_images.collect(),
            part_began: 0,
            looked: Default::default(),
            begun: BTreeMap::new(),
            rules: OwnRules::of(scenario),
            broken: Vec::new(),
        }
    }

    /// An engine with a virtual clock, on which times are exact.
    pub fn exact(engine: E, scenario: &Scenario) -> Self {
        Self::new(engine, scenario, Tolerance::Exact)
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// The same, to do more with it than steps can.
    pub fn engine_mut(&mut self) -> &mut E {
        &mut self.engine
    }

    pub(super) fn now(&self) -> Duration {
        self.engine.now()
    }

    /// Plays one step: one trace for each container of a list, the verdict on the last.
    pub fn play(&mut self, index: usize, step: &Step) -> Result<Vec<StepTrace>, Interrupted> {
        let began = self.so_far();
        let mut parts: Vec<StepTrace> = Vec::new();
        let mut findings = Findings::default();
        for (action, container) in turns(&step.action) {
            let (part, found) = self.play_part(index, &action, container)?;
            parts.push(part);
            findings = found;
        }
        let verdict = expectation::judge(self, step, &parts, began, &findings)?;
        if let Some(last) = parts.last_mut() {
            last.unmet = verdict;
            self.look_at_rules();
            if !self.broken.is_empty() {
                last.unmet.get_or_insert_default().append(&mut self.broken);
            }
            self.look_again(last);
        }
        Ok(parts)
    }

    fn play_part(
        &mut self,
        index: usize,
        action: &Action,
        container: Option<&Name>,
    ) -> Result<(StepTrace, Findings), Interrupted> {
        self.part_began = self.so_far();
        let looked = self.now();
        let before = self.entries(container);
        let at = self.now();
        let done = self.act(action, container)?;
        let unknown = |before| Change { before, after: Entry::absent() };
        let mut part = StepTrace {
            index,
            action: action.word(),
            container: container.cloned(),
            at,
            took: done.took,
            outcome: done.outcome,
            message: done.message,
            happened: Vec::new(),
            ledger: before.into_iter().map(|(name, before)| (name, unknown(before))).collect(),
            unmet: None,
            diverged: Vec::new(),
            image: done.findings.image.clone(),
        };
        self.look_again(&mut part);
        self.looked.0 = looked;
        Ok((part, done.findings))
    }

    fn act(&mut self, action: &Action, container: Option<&Name>) -> Result<Done, Interrupted> {
        match (action, container) {
            (Action::Async(inner), _) => {
                let pending = Pending::begin(self, inner, container);
                self.begun.entry(container.cloned()).or_default().push(pending);
                Ok(Done::begun())
            }
            (Action::Join(_), Some(name)) => match self.begun.get_mut(&container.cloned()).and_then(Vec::pop)
            {
                Some(pending) => pending.finish(self),
                None => Ok(Done::nothing_to_join(name)),
            },
            _ => Pending::begin(self, action, container).finish(self),
        }
    }

    /// What makes a declared container.
    pub(super) fn creation(&self, name: &Name) -> Result<Verb, String> {
        let declared = self.declared.get(name).expect("loading has checked that every container is declared");
        let spec = if self.own_images.contains(&declared.image) {
            self.engine.resolve(declared)?
        } else {
            declared.clone()
        };
        Ok(Verb::Create(Box::new(spec)))
    }

    /// Brings a step up to now: what has happened since its beginning, and what everything costs.
    pub(super) fn look_again(&mut self, part: &mut StepTrace) {
        part.happened = self.since(self.part_began).to_vec();
        self.looked.1 = self.now();
        let entries = self.entries(part.container.as_ref());
        for (name, change) in &mut part.ledger {
            change.after = entries.get(name).cloned().unwrap_or_else(Entry::absent);
        }
        for (name, after) in entries {
            part.ledger.entry(name).or_insert_with(|| Change { before: Entry::absent(), after });
        }
    }

    fn entries(&mut self, container: Option<&Name>) -> BTreeMap<Name, Entry> {
        let mut names = self.engine.names();
        names.extend(container.cloned());
        names.into_iter().map(|name| (name.clone(), self.entry(&name))).collect()
    }

    fn entry(&mut self, name: &Name) -> Entry {
        let status = self.status(name);
        if status.state == State::Absent {
            return Entry::absent();
        }
        Entry { status, resources: self.engine.resources(name) }
    }

    /// How much time was between the looks at the beginning and at the end of the last part.
    pub(super) fn looked_for(&self) -> Duration {
        self.looked.1.saturating_sub(self.looked.0)
    }

    pub(super) fn status(&self, name: &Name) -> Status {
        self.engine.status(name)
    }

    /// How much has happened.
    pub(super) fn so_far(&self) -> usize {
        self.engine.happened().len()
    }

    pub(super) fn since(&self, from: usize) -> &[Happening] {
        &self.engine.happened()[from..]
    }

    /// What the scenario's own rules wanted to see at some moment, and has not been seen.
    pub fn missed(&self) -> Vec<String> {
        self.rules.missed()
    }

    fn look_at_rules(&mut self) {
        if !self.rules.is_empty() {
            self.broken.extend(self.rules.look(&mut self.engine, self.tolerance));
        }
    }

    /// Lets so much time pass.
    pub(super) fn pass(&mut self, time: Duration) -> Result<(), Interrupted> {
        let deadline = self.now().saturating_add(time);
        while self.engine.advance(deadline)? == Passed::Something {
            self.look_at_rules();
        }
        self.look_at_rules();
        Ok(())
    }

    /// Lets time pass until something is so; says whether it came to that in time.
    pub(super) fn pass_until(
        &mut self,
        within: Duration,
        mut is_so: impl FnMut(&mut Self) -> bool,
    ) -> Result<bool, Interrupted> {
        let deadline = self.now().saturating_add(within);
        loop {
            if is_so(self) {
                return Ok(true);
            }
            let passed = self.engine.advance(deadline)?;
            self.look_at_rules();
            if passed == Passed::Deadline {
                return Ok(is_so(self));
            }
        }
    }

    /// Joins what was not joined, and removes whatever there is by force; says what the host still shows after that.
    pub fn clear(&mut self) -> Result<Vec<String>, Interrupted> {
        for pending in std::mem::take(&mut self.begun).into_values().flatten() {
            pending.finish(self)?;
        }
        for container in self.engine.names() {
            let removal = Command { container, verb: Verb::Remove(Removal::Forced) };
            let ticket = self.engine.submit(&removal);
            self.pass_until(A_DAY, |stage| stage.engine.answer(ticket).is_some())?;
        }
        Ok(self.engine.left_behind())
    }
}

/// An action's parts: one for each container of a list, or for each image.
fn turns(action: &Action) -> Vec<(Cow<'_, Action>, Option<&Name>)> {
    let each = |images: &[String], one: fn(Vec<String>) -> Action| {
        images.iter().map(|image| (Cow::Owned(one(vec![image.clone()])), None)).collect()
    };
    match action {
        Action::Push(images) => each(images, Action::Push),
        Action::Pull(images) => each(images, Action::Pull),
        Action::RemoveImage(images) => each(images, Action::RemoveImage),
        action => match action.containers() {
            [] => vec![(Cow::Borrowed(action), None)],
            names => names.iter().map(|name| (Cow::Borrowed(action), Some(name))).collect(),
        },
    }
}
