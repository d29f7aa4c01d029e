//! Plays a scenario on an engine, and on the simulator in lockstep: each step is predicted, then lived, then compared.

mod action;
mod beside;
mod compare;
mod docker;
mod expectation;
mod question;
mod rules;
mod stage;
mod support;

use std::io;
use std::time::Duration;

use thiserror::Error;

pub use self::beside::{Beside, Reference};
pub use self::stage::Stage;
pub use self::support::{Power, Unstageable, check_on_docker};

use self::compare::{Comparison, Oracle};
use self::docker::AgainstDocker;
use super::{Action, AskedSignal, Crash, Scenario, Step};
use crate::engine::trace::{Audience, Closing, Happening, Opening, Prediction, StepOpening, StepTrace, What};
use crate::engine::{Engine, Local};
use crate::model::{EventKind, HostFacts, State, StopTimeout};
use crate::world::Interrupted;
use crate::world::simulated::Simulated;

/// Why a replay ended before its end.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// By a signal.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Nobody listens any more.
    #[error("cannot write the replay (is its reader gone?): {0}")]
    Audience(#[from] io::Error),
}

/// What is played, and in which words it is told.
#[derive(Clone, Copy)]
pub struct Play<'a> {
    /// The story.
    pub scenario: &'a Scenario,
    /// The file that it comes from.
    pub file: &'a str,
    /// The language of its texts.
    pub lang: &'a str,
}

/// How close a measurement has to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scenario) enum Tolerance {
    /// The virtual clock is exact.
    Exact,
    /// A kernel is busy with other things, too.
    Kernel,
    /// Docker has a daemon, a shim and a runtime to wake for each start and stop.
    Docker,
}

impl Tolerance {
    /// How far a time may be off in which this has happened.
    pub(in crate::scenario) fn of_time(self, time: Duration, happened: &[Happening]) -> Duration {
        match self {
            Self::Exact => Duration::ZERO,
            Self::Kernel => (time / 10).max(Duration::from_millis(300)),
            Self::Docker => (time / 10).max(Duration::from_millis(1500) * starts_and_stops(happened).max(1)),
        }
    }

    /// How far a share of a CPU may be off, in percent points.
    pub(in crate::scenario) fn of_cpu(self) -> f64 {
        match self {
            Self::Exact => 0.5,
            Self::Kernel | Self::Docker => 15.0,
        }
    }

    /// Whether what a container costs in this state can be held against a prediction: Docker's costs nothing without a process
    /// that runs, not even where ours is parked.
    pub(in crate::scenario) fn counts_resources(self, state: State) -> bool {
        self != Self::Docker || matches!(state, State::Running | State::Paused)
    }
}

fn starts_and_stops(happened: &[Happening]) -> u32 {
    let counts = |happening: &&Happening| matches!(&happening.what, What::Emitted(event) if matches!(event.kind, EventKind::Start | EventKind::Die(_)));
    u32::try_from(happened.iter().filter(counts).count()).unwrap_or(u32::MAX)
}

/// Plays it in the simulator alone.
pub fn simulate(play: Play<'_>, audience: &mut dyn Audience) -> Result<Closing, ReplayError> {
    let world = Simulated::new(HostFacts::ASSUMED).lacking(own_images(play.scenario));
    let engine = Local::new(world).broken_by(play.scenario.planted);
    let stage = Stage::new(engine, play.scenario, Tolerance::Exact);
    audience.opening(&opening_of(play, "sim", None))?;
    run(play, stage, None::<Comparison>, audience)
}

/// Plays it on an engine, with the simulator of a host like it in lockstep.
pub fn live(
    play: Play<'_>,
    engine: impl Engine,
    audience: &mut dyn Audience,
) -> Result<Closing, ReplayError> {
    lockstep(play, ("linux", engine), Tolerance::Kernel, Comparison::new, audience)
}

/// Plays it on a Docker Engine, which decides; the simulator of a host like it has to have predicted it.
pub fn ask_docker(
    play: Play<'_>,
    engine: impl Engine,
    audience: &mut dyn Audience,
) -> Result<Closing, ReplayError> {
    lockstep(play, ("docker", engine), Tolerance::Docker, AgainstDocker::new, audience)
}

fn lockstep<O: Oracle>(
    play: Play<'_>,
    (name, engine): (&'static str, impl Engine),
    tolerance: Tolerance,
    compare: impl FnOnce(Stage<Local<Simulated>>) -> O,
    audience: &mut dyn Audience,
) -> Result<Closing, ReplayError> {
    let facts = engine.facts();
    let like_it = Simulated::new(facts).lacking(own_images(play.scenario)).holding(engine.images());
    let oracle = Stage::new(Local::new(like_it), play.scenario, Tolerance::Exact);
    let stage = Stage::new(engine, play.scenario, tolerance);
    audience.opening(&opening_of(play, name, Some(facts)))?;
    run(play, stage, Some(compare(oracle)), audience)
}

/// Image names that are the scenario's own.
fn own_images(scenario: &Scenario) -> Vec<String> {
    scenario.steps.iter().flat_map(|step| step.action.names_given()).cloned().collect()
}

fn run<E: Engine, O: Oracle>(
    play: Play<'_>,
    mut stage: Stage<E>,
    mut oracle: Option<O>,
    audience: &mut dyn Audience,
) -> Result<Closing, ReplayError> {
    let mut closing = Closing { steps: play.scenario.steps.len(), ..Closing::default() };
    // A kernel's clock goes on while the audience thinks about a step's question.
    let mut thinking = Duration::ZERO;
    for (index, step) in (1..).zip(&play.scenario.steps) {
        let told = stage.now();
        audience.step_begins(&opening_of_step(index, step, play.lang))?;
        thinking += stage.now().saturating_sub(told);
        let asked = stage.now();
        let predicted =
            oracle.as_mut().map(|comparison| comparison.predict(index, step, asked)).transpose()?;
        let mut parts = stage.play(index, step)?;
        if let Some((comparison, predicted)) = oracle.as_mut().zip(predicted) {
            comparison.compare(&predicted, &mut parts, &mut stage)?;
        }
        if let Some(last) = parts.last_mut().filter(|_| index == closing.steps) {
            let missed = stage.missed();
            if !missed.is_empty() {
                last.unmet.get_or_insert_default().extend(missed);
            }
        }
        count(&parts, &mut closing);
        for part in &parts {
            audience.step_done(part)?;
        }
    }
    closing.left_behind = stage.clear()?;
    closing.took = stage.now().saturating_sub(thinking);
    audience.closing(&closing)?;
    Ok(closing)
}

fn count(parts: &[StepTrace], closing: &mut Closing) {
    let verdicts: Vec<_> = parts.iter().filter_map(|part| part.unmet.as_ref()).collect();
    let unmet = verdicts.iter().any(|unmet| !unmet.is_empty());
    closing.unmet += usize::from(unmet);
    closing.met += usize::from(!verdicts.is_empty() && !unmet);
    closing.diverged += usize::from(parts.iter().any(|part| part.unexplained().next().is_some()));
}

fn opening_of(play: Play<'_>, engine: &'static str, host: Option<HostFacts>) -> Opening {
    Opening {
        title: play.scenario.title.in_lang(play.lang).into(),
        about: play.scenario.about.as_ref().map(|about| about.in_lang(play.lang).into()),
        file: play.file.into(),
        engine,
        host,
        prediction: if host.is_some() { Prediction::Lockstep } else { Prediction::Alone },
    }
}

/// What a step says of itself before it happens.
fn opening_of_step(index: usize, step: &Step, lang: &str) -> StepOpening {
    StepOpening {
        index,
        action: spoken(&step.action),
        containers: step.action.containers().to_vec(),
        words: words_of(&step.action),
        say: step.say.as_ref().map(|say| say.in_lang(lang).into()),
        ask: step.ask.as_ref().map(|ask| ask.in_lang(lang).into()),
        output: step
            .expect
            .as_ref()
            .and_then(|expect| expect.output.clone())
            .filter(|_| !step.action.is_about_images()),
        checkable: question::checkable(step),
    }
}

fn spoken(action: &Action) -> String {
    match action {
        Action::Async(inner) => format!("{} {}", action.word(), spoken(inner)),
        _ => action.word().into(),
    }
}

/// What follows the names when an action is spoken.
fn words_of(action: &Action) -> String {
    let within = |timeout: Option<StopTimeout>| match timeout {
        None => String::new(),
        Some(StopTimeout::Never) => "without a deadline".into(),
        Some(StopTimeout::After(grace)) => format!("within {}", humantime::format_duration(grace)),
    };
    match action {
        Action::Stop(stop) | Action::Restart(stop) => {
            let with = stop.signal.map(|signal| format!("with {signal}"));
            [with, Some(within(stop.timeout))]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ")
                .trim()
                .into()
        }
        Action::Kill(kill) => match &kill.signal {
            None => String::new(),
            Some(AskedSignal::Known(signal)) => format!("with {signal}"),
            Some(AskedSignal::Unknown(text)) => format!("with {text}"),
        },
        Action::Crash(Crash::Keeper(_)) => "by the loss of its keeper".into(),
        Action::Crash(Crash::Process { signal, .. }) => format!("by {signal} from outside"),
        Action::Remove(remove) if remove.force => "by force".into(),
        Action::Wait(time) => humantime::format_duration(*time).to_string(),
        Action::Async(inner) => words_of(inner),
        Action::Rename(rename) => format!("to {}", rename.to),
        Action::Exec(exec) => format!(": {}", exec.command.join(" ")),
        Action::Update(update) => {
            let limits = [
                update.restart.map(|policy| format!("restart {policy}")),
                update.memory.map(|bytes| format!("memory {}", bytesize::ByteSize(bytes).display().iec())),
                update.cpus.map(|cpus| format!("cpus {}", f64::from(cpus) / 1000.0)),
                update.pids.map(|pids| format!("pids {pids}")),
            ];
            limits.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        Action::Request(request) => request.url.clone(),
        Action::Build(build) => format!("{} from {}", build.image, build.from.display()),
        Action::Tag(tag) => format!("{} as {}", tag.image, tag.to),
        Action::Push(images) | Action::Pull(images) | Action::RemoveImage(images) => images.join(", "),
        Action::Reboot => "the host".into(),
        Action::WaitFor(wait) => format!("until it is {}", wait.awaited.state),
        _ => String::new(),
    }
}
