//! The shortest story that breaks a rule: small casts, few kinds of steps, all orders of them, the shortest first.
//!
//! A story is lived in the simulator step by step, and forked before each step. Two stories after which nobody could see a
//! difference go on as one.

use std::collections::HashSet;
use std::time::Duration;

use super::counterexample::shows;
use super::rules::{Rule, Violation};
use super::watched::Watched;
use crate::engine::planted::Break;
use crate::model::{
    Behavior, ContainerSpec, Exit, HostFacts, Memory, Name, PortBinding, Protocol, Reaction, RestartPolicy,
    Signal, StopTimeout,
};
use crate::scenario::replay::Stage;
use crate::scenario::{Action, Crash, Kill, Place, Remove, Scenario, Step, Stop};

/// No story is longer.
pub const LONGEST: usize = 6;

/// A story in which a rule is broken.
#[derive(Clone, Debug)]
pub struct Story {
    /// What happens.
    pub scenario: Scenario,
    /// The rule that was broken first, and what was seen of it.
    pub violation: Violation,
}

/// A story under way.
#[derive(Clone)]
struct Draft {
    steps: Vec<Step>,
    stage: Stage<Watched>,
}

/// Looks for the shortest story that breaks a rule (one of all, if none is given) and that can be seen to go wrong by who
/// replays it; else the shortest that breaks a rule.
pub fn shortest(bug: Option<Break>, only: Option<&'static Rule>) -> Option<Story> {
    let casts = casts();
    let mut drafts: Vec<Vec<Draft>> = casts.iter().map(|cast| vec![Draft::new(cast, bug, only)]).collect();
    let mut seen: Vec<HashSet<u64>> = vec![HashSet::new(); casts.len()];
    let mut unseen = None;
    for _ in 0..LONGEST {
        for (nth, cast) in casts.iter().enumerate() {
            let mut next = Vec::new();
            for draft in std::mem::take(&mut drafts[nth]) {
                for step in steps(cast, &draft.steps) {
                    let Some(further) = draft.with(&step) else { continue };
                    if let Some(violation) = further.broken() {
                        let scenario = further.scenario(cast, bug);
                        if shows(&scenario) {
                            return Some(Story { scenario, violation });
                        }
                        unseen.get_or_insert(Story { scenario, violation });
                    }
                    if seen[nth].insert(further.stage.engine().looks()) {
                        next.push(further);
                    }
                }
            }
            drafts[nth] = next;
        }
    }
    unseen
}

impl Draft {
    fn new(cast: &Scenario, bug: Option<Break>, only: Option<&'static Rule>) -> Self {
        Self { steps: Vec::new(), stage: Stage::exact(Watched::new(HostFacts::ASSUMED, bug, only), cast) }
    }

    fn with(&self, step: &Step) -> Option<Self> {
        let mut further = self.clone();
        further.stage.play(further.steps.len() + 1, step).ok()?;
        further.steps.push(step.clone());
        Some(further)
    }

    /// What is broken by now, or would be when all is over.
    fn broken(&self) -> Option<Violation> {
        if let Some(violation) = self.stage.engine().broken().first() {
            return Some(violation.clone());
        }
        let mut ending = self.stage.clone();
        ending.clear().ok()?;
        ending.engine_mut().rest();
        ending.engine().broken().first().cloned()
    }

    fn scenario(&self, cast: &Scenario, bug: Option<Break>) -> Scenario {
        Scenario { steps: self.steps.clone(), planted: bug, ..cast.clone() }
    }
}

/// Small casts: who is in a story.
fn casts() -> Vec<Scenario> {
    let exits = |seconds, code| Behavior {
        exits: Some(Exit { after: Duration::from_secs(seconds), code }),
        ..Behavior::default()
    };
    let that = |restart, behavior| ContainerSpec { restart, behavior, ..ContainerSpec::default() };
    let idle = ContainerSpec::default();
    let polite = Reaction::Exit(Exit { after: Duration::ZERO, code: 0 });
    let polite = Behavior { signals: [(Signal::TERM, polite)].into(), ..Behavior::default() };
    let port = PortBinding { ip: None, host: Some(18081), container: 80, protocol: Protocol::Tcp };
    let published = |spec: ContainerSpec| ContainerSpec { publish: vec![port.clone()], ..spec };
    let hungry = Behavior {
        memory: Some(Memory { size: 128 << 20, after: Duration::from_secs(1) }),
        ..Behavior::default()
    };
    let missing = ContainerSpec { command: Some(vec!["nosuchcommand".into()]), ..idle.clone() };
    let alone = [
        idle.clone(),
        that(RestartPolicy::No, polite.clone()),
        that(RestartPolicy::No, Behavior { cpu: 100, ..Behavior::default() }),
        that(RestartPolicy::Always, polite),
        that(RestartPolicy::OnFailure { max: 2 }, exits(0, 1)),
        that(RestartPolicy::Always, exits(0, 1)),
        that(RestartPolicy::Always, exits(11, 1)),
        published(that(RestartPolicy::Always, exits(1, 1))),
        published(missing),
        ContainerSpec { memory: Some(64 << 20), ..that(RestartPolicy::No, hungry) },
    ];
    let web = Name::new("web").expect("a letter begins it");
    let other = Name::new("other").expect("a letter begins it");
    let cast = |members: Vec<(Name, ContainerSpec)>| Scenario {
        containers: members.into_iter().collect(),
        ..Scenario::default()
    };
    let mut casts: Vec<Scenario> = alone.map(|spec| cast(vec![(web.clone(), spec)])).into();
    casts.push(cast(vec![(web, published(idle.clone())), (other, published(idle))]));
    casts
}

/// What may come next. A story begins with its first container; time passes only after something has happened.
fn steps(cast: &Scenario, so_far: &[Step]) -> Vec<Step> {
    let mut names: Vec<&Name> = cast.containers.keys().collect();
    names.reverse();
    let mut actions = Vec::new();
    for name in names.iter().take(if so_far.is_empty() { 1 } else { 2 }) {
        actions.push(Action::Run(vec![(*name).clone()]));
        if !so_far.is_empty() && names.len() == 1 {
            actions.extend(further(name));
        }
    }
    if !so_far.is_empty()
        && names.len() == 1
        && !matches!(so_far.last(), Some(Step { action: Action::Wait(_), .. }))
    {
        actions.extend([2, 65, 360].map(|seconds| Action::Wait(Duration::from_secs(seconds))));
    }
    actions.into_iter().map(step).collect()
}

fn further(name: &Name) -> Vec<Action> {
    let names = vec![name.clone()];
    let stop = |timeout| Stop { containers: names.clone(), timeout, signal: None };
    vec![
        Action::Stop(stop(None)),
        Action::Pause(names.clone()),
        Action::Unpause(names.clone()),
        Action::Kill(Kill { containers: names.clone(), signal: None }),
        Action::Start(names.clone()),
        Action::Restart(stop(None)),
        Action::Remove(Remove { containers: names.clone(), force: false }),
        Action::Remove(Remove { containers: names.clone(), force: true }),
        Action::Crash(Crash::Process { containers: names.clone(), signal: Signal::KILL }),
        Action::Async(Box::new(Action::Stop(stop(None)))),
        Action::Stop(stop(Some(StopTimeout::After(Duration::from_secs(20))))),
    ]
}

fn step(action: Action) -> Step {
    Step { action, say: None, ask: None, expect: None, refused: None, place: Place::default() }
}
