//! Actions, from their beginning to their answer. Between the two, time passes; an `async` step lets other steps pass, too.

use std::time::Duration;

use super::stage::Stage;
use crate::engine::Engine;
use crate::engine::trace::{Happening, StepOutcome, What};
use crate::model::{
    Command, EventKind, ExecSpec, Limits, Name, Outcome, Refusal, Removal, Signal, State, Ticket, Verb,
};
use crate::scenario::{Action, AskedSignal, Crash};
use crate::world::images::{ImageRequest, ImageTrouble, ShownImage};
use crate::world::{HttpRequest, Interrupted, RequestError, RequestId, Response, Staged};

/// How long a crash waits for the death that it brings.
const CRASH_WAIT: Duration = Duration::from_secs(1);
/// How long an answer is awaited. What has none after a day would never have one.
pub(super) const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An action that was begun.
#[derive(Clone)]
pub(super) struct Pending {
    asked: Duration,
    /// How much had happened then, or had been looked through since without finding what is awaited.
    from: usize,
    container: Option<Name>,
    within: Duration,
    awaits: Awaits,
}

#[derive(Clone)]
enum Awaits {
    /// The answers to these requests; the last one counts, unless an earlier one went wrong.
    Answers(Vec<Ticket>, &'static str),
    /// The end of a time.
    Time,
    /// A host that has come up again.
    Up,
    State(State),
    /// A death; whether it has to come.
    Death(Must),
    Response(RequestId, String),
    /// What comes of a request for an image.
    Image(RequestId, &'static str),
    /// Nothing any more.
    Nothing(Done),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Must {
    Come,
    NotCome,
}

/// How one container's part of an action ended.
#[derive(Clone)]
pub(super) struct Done {
    pub(super) took: Option<Duration>,
    pub(super) outcome: StepOutcome,
    pub(super) message: Option<String>,
    pub(super) findings: Findings,
}

/// What an action has found out, beside what can be seen of the containers.
#[derive(Clone, Default)]
pub(super) struct Findings {
    /// The exit code of an `exec`.
    pub(super) exec_exit: Option<i32>,
    /// What a `request` got.
    pub(super) response: Option<Result<Response, RequestError>>,
    /// The image that a step has made, sent or fetched.
    pub(super) image: Option<ShownImage>,
}

impl Done {
    fn now(outcome: StepOutcome, message: Option<String>) -> Self {
        Self { took: Some(Duration::ZERO), outcome, message, findings: Findings::default() }
    }

    /// An action that goes on by itself.
    pub(super) fn begun() -> Self {
        Self { took: None, ..Self::now(StepOutcome::Done, None) }
    }

    pub(super) fn nothing_to_join(name: &Name) -> Self {
        let message = format!("cannot join {name}: nothing was begun on it (begin it with `async`)");
        Self::now(StepOutcome::Failed, Some(message))
    }

    fn refused(refusal: &Refusal) -> Self {
        Self::now(StepOutcome::Refused, Some(refusal.to_string()))
    }
}

impl Pending {
    pub(super) fn begin<E: Engine>(stage: &mut Stage<E>, action: &Action, container: Option<&Name>) -> Self {
        let (asked, from) = (stage.now(), stage.so_far());
        let (within, awaits) = match container {
            Some(name) => begin_on(stage, action, name),
            None => begin_without(stage, action),
        };
        Self { asked, from, container: container.cloned(), within, awaits }
    }

    /// Lets time pass until it has ended.
    pub(super) fn finish<E: Engine>(mut self, stage: &mut Stage<E>) -> Result<Done, Interrupted> {
        let left = (self.asked.saturating_add(self.within)).saturating_sub(stage.now());
        stage.pass_until(left, |stage| self.outcome(stage).is_some())?;
        Ok(self.outcome(stage).unwrap_or_else(|| self.gave_up(stage)))
    }

    /// How it has ended, if it has.
    fn outcome<E: Engine>(&mut self, stage: &mut Stage<E>) -> Option<Done> {
        let took = Some(stage.now().saturating_sub(self.asked));
        let done = || Some(Done { took, ..Done::now(StepOutcome::Done, None) });
        match &self.awaits {
            Awaits::Nothing(done) => Some(done.clone()),
            Awaits::Time => (stage.now() >= self.asked + self.within)
                .then(done)?
                .map(|done| Done { took: Some(self.within), ..done }),
            Awaits::Answers(tickets, word) => self.answered(stage, tickets, word),
            Awaits::Up => stage.engine.has_come_up().then(done)?,
            Awaits::State(wanted) => {
                let name = self.container.as_ref()?;
                let entered = stage.since(self.from).iter().any(|happening| enters(happening, name, *wanted));
                if entered || stage.status(name).state == *wanted {
                    return done();
                }
                self.from = stage.so_far();
                None
            }
            Awaits::Death(_) => {
                let name = self.container.as_ref()?;
                if stage.since(self.from).iter().any(|happening| is_death(happening, name)) {
                    return done();
                }
                self.from = stage.so_far();
                None
            }
            Awaits::Response(id, url) => {
                let response = stage.engine.response(*id)?;
                let (outcome, message) = match &response {
                    Ok(_) => (StepOutcome::Done, None),
                    Err(error) => (StepOutcome::Failed, Some(failed_request(url, *error))),
                };
                let findings = Findings { response: Some(response), ..Findings::default() };
                Some(Done { took, outcome, message, findings })
            }
            Awaits::Image(id, word) => {
                let (outcome, message, image) = match stage.engine.image_answer(*id)? {
                    Ok(image) => (StepOutcome::Done, None, image),
                    Err(ImageTrouble::Refused(why)) => (StepOutcome::Refused, Some(why), None),
                    Err(ImageTrouble::Failed(why)) => {
                        (StepOutcome::Failed, Some(format!("cannot {word}: {why}")), None)
                    }
                };
                let findings = Findings { image, ..Findings::default() };
                Some(Done { took, outcome, message, findings })
            }
        }
    }

    fn answered<E: Engine>(&self, stage: &Stage<E>, tickets: &[Ticket], word: &str) -> Option<Done> {
        let name = self.container.as_ref()?;
        for (nth, ticket) in tickets.iter().enumerate() {
            let (at, outcome) = stage.engine.answer(*ticket)?;
            let took = Some(at.saturating_sub(self.asked));
            let is_last = nth + 1 == tickets.len();
            let done = match outcome {
                Outcome::Done if !is_last => continue,
                Outcome::Done => Done::now(StepOutcome::Done, None),
                Outcome::Noop => Done::now(StepOutcome::Noop, None),
                Outcome::Exited(code) => {
                    let findings = Findings { exec_exit: Some(*code), ..Findings::default() };
                    Done { findings, ..Done::now(StepOutcome::Done, None) }
                }
                Outcome::Refused(refusal) => Done::refused(refusal),
                Outcome::Failed(failure) => {
                    let message = format!("cannot {word} {name}: {failure}");
                    let findings = Findings { exec_exit: failure.code, ..Findings::default() };
                    Done { findings, ..Done::now(StepOutcome::Failed, Some(message)) }
                }
            };
            return Some(Done { took, ..done });
        }
        None
    }

    /// It has not ended in time.
    fn gave_up<E: Engine>(&self, stage: &Stage<E>) -> Done {
        let took = Some(stage.now().saturating_sub(self.asked));
        let within = humantime::format_duration(self.within);
        let (name, is) = match &self.container {
            Some(name) => (name.to_string(), stage.status(name).state),
            None => (String::new(), State::Absent),
        };
        let (outcome, message) = match &self.awaits {
            Awaits::State(wanted) => {
                (StepOutcome::Failed, Some(format!("{name} was not {wanted} within {within}: it is {is}")))
            }
            Awaits::Death(Must::Come) => {
                (StepOutcome::Failed, Some(format!("{name} did not end within {within}")))
            }
            Awaits::Response(_, url) => {
                let message = failed_request(url, RequestError::TimedOut);
                let findings =
                    Findings { response: Some(Err(RequestError::TimedOut)), ..Findings::default() };
                return Done { took, outcome: StepOutcome::Failed, message: Some(message), findings };
            }
            Awaits::Answers(_, word) => {
                let message = format!(
                    "cannot {word} {name}: there was no answer within a day (it is {is}, and would wait for ever)"
                );
                return Done { took: None, ..Done::now(StepOutcome::Failed, Some(message)) };
            }
            Awaits::Image(_, word) => {
                (StepOutcome::Failed, Some(format!("cannot {word}: there was no answer within {within}")))
            }
            Awaits::Up => (StepOutcome::Failed, Some("the host was not up again within a day".into())),
            Awaits::Time | Awaits::Death(Must::NotCome) | Awaits::Nothing(_) => (StepOutcome::Done, None),
        };
        Done { took, ..Done::now(outcome, message) }
    }
}

fn begin_on<E: Engine>(stage: &mut Stage<E>, action: &Action, name: &Name) -> (Duration, Awaits) {
    let mut ask = |verb: Verb| {
        let word = verb.word();
        let ticket = stage.engine.submit(&Command { container: name.clone(), verb });
        (A_DAY, Awaits::Answers(vec![ticket], word))
    };
    match action {
        Action::Create(_) => match stage.creation(name) {
            Ok(creation) => ask_for(stage, name, creation),
            Err(why) => nothing(Done::now(StepOutcome::Refused, Some(why))),
        },
        Action::Start(_) => ask(Verb::Start),
        Action::Run(_) => run(stage, name),
        Action::Pause(_) => ask(Verb::Pause),
        Action::Unpause(_) => ask(Verb::Unpause),
        Action::Stop(stop) => ask(Verb::Stop { timeout: stop.timeout, signal: stop.signal }),
        Action::Restart(stop) => ask(Verb::Restart { timeout: stop.timeout, signal: stop.signal }),
        Action::Kill(kill) => match &kill.signal {
            None => ask(Verb::Kill { signal: Signal::KILL }),
            Some(AskedSignal::Known(signal)) => ask(Verb::Kill { signal: *signal }),
            Some(AskedSignal::Unknown(text)) => match Command::kill(name.clone(), text) {
                Ok(command) => ask(command.verb),
                Err(refusal) => nothing(Done::refused(&refusal)),
            },
        },
        Action::Remove(remove) => {
            ask(Verb::Remove(if remove.force { Removal::Forced } else { Removal::Gentle }))
        }
        Action::Exec(exec) => ask(Verb::Exec(ExecSpec::of(&exec.command))),
        Action::Rename(rename) => ask(Verb::Rename { to: rename.to.clone() }),
        Action::Update(update) => {
            let (memory, cpus, pids) = (update.memory, update.cpus, update.pids);
            let limits = Limits { memory, cpus, pids, ..Limits::default() };
            ask(Verb::Update { restart: update.restart, limits })
        }
        Action::Crash(Crash::Process { signal, .. }) => {
            stage.engine.strike(name, *signal);
            (CRASH_WAIT, Awaits::Death(Must::NotCome))
        }
        Action::WaitFor(wait) => (wait.within, Awaits::State(wait.awaited.state)),
        Action::WaitExit(wait) => match stage.status(name).state {
            State::Running | State::Paused | State::Stopping | State::Restarting => {
                (wait.within, Awaits::Death(Must::Come))
            }
            _ => nothing(Done::now(StepOutcome::Done, None)),
        },
        Action::Crash(Crash::Keeper(_)) => match stage.engine.lose_keeper(name) {
            Staged::Yes => (CRASH_WAIT, Awaits::Death(Must::NotCome)),
            Staged::No => {
                let message = "no keeper can be killed on this engine (replay it with --engine sim)".into();
                nothing(Done::now(StepOutcome::Failed, Some(message)))
            }
        },
        Action::Async(_)
        | Action::Join(_)
        | Action::Reboot
        | Action::Wait(_)
        | Action::Request(_)
        | Action::Build(_)
        | Action::Tag(_)
        | Action::Push(_)
        | Action::Pull(_)
        | Action::RemoveImage(_) => nothing(misplaced(action)),
    }
}

fn begin_without<E: Engine>(stage: &mut Stage<E>, action: &Action) -> (Duration, Awaits) {
    match action {
        Action::Wait(time) => (*time, Awaits::Time),
        Action::Reboot => match stage.engine.reboot() {
            Staged::Yes => (A_DAY, Awaits::Up),
            Staged::No => {
                let message = "a reboot cannot be staged on this engine (replay it with --engine sim)".into();
                nothing(Done::now(StepOutcome::Failed, Some(message)))
            }
        },
        Action::Request(request) => {
            let asked = HttpRequest {
                url: request.url.clone(),
                method: request.method.clone(),
                body: request.body.clone(),
                within: request.within,
            };
            let id = stage.engine.request(&asked);
            (request.within, Awaits::Response(id, request.url.clone()))
        }
        Action::Build(build) => ask_for_image(
            stage,
            action,
            &ImageRequest::Build {
                image: build.image.clone(),
                context: build.context.clone(),
                file: build.build_file(),
            },
        ),
        Action::Tag(tag) => {
            let request = ImageRequest::Tag { image: tag.image.clone(), to: tag.to.clone() };
            ask_for_image(stage, action, &request)
        }
        Action::Push(images) => each_image(stage, action, images, ImageRequest::Push),
        Action::Pull(images) => each_image(stage, action, images, ImageRequest::Pull),
        Action::RemoveImage(images) => each_image(stage, action, images, ImageRequest::Remove),
        _ => nothing(misplaced(action)),
    }
}

fn ask_for<E: Engine>(stage: &mut Stage<E>, name: &Name, verb: Verb) -> (Duration, Awaits) {
    let word = verb.word();
    let ticket = stage.engine.submit(&Command { container: name.clone(), verb });
    (A_DAY, Awaits::Answers(vec![ticket], word))
}

fn ask_for_image<E: Engine>(
    stage: &mut Stage<E>,
    action: &Action,
    request: &ImageRequest,
) -> (Duration, Awaits) {
    (A_DAY, Awaits::Image(stage.engine.ask_for_image(request), action.word()))
}

/// Of a list the stage gives each its turn, so there is one.
fn each_image<E: Engine>(
    stage: &mut Stage<E>,
    action: &Action,
    images: &[String],
    request: fn(String) -> ImageRequest,
) -> (Duration, Awaits) {
    match images {
        [image, ..] => ask_for_image(stage, action, &request(image.clone())),
        [] => nothing(Done::now(StepOutcome::Done, None)),
    }
}

/// Create and start in one breath: the start waits in the model until the container has settled.
fn run<E: Engine>(stage: &mut Stage<E>, name: &Name) -> (Duration, Awaits) {
    let creation = match stage.creation(name) {
        Ok(creation) => creation,
        Err(why) => return nothing(Done::now(StepOutcome::Refused, Some(why))),
    };
    let created = stage.engine.submit(&Command { container: name.clone(), verb: creation });
    if matches!(stage.engine.answer(created), Some((_, Outcome::Refused(_) | Outcome::Failed(_)))) {
        return (A_DAY, Awaits::Answers(vec![created], "create"));
    }
    let started = stage.engine.submit(&Command { container: name.clone(), verb: Verb::Start });
    (A_DAY, Awaits::Answers(vec![created, started], "run"))
}

fn nothing(done: Done) -> (Duration, Awaits) {
    (Duration::MAX, Awaits::Nothing(done))
}

fn failed_request(url: &str, error: RequestError) -> String {
    match error {
        RequestError::Refused => {
            format!("cannot request {url}: connection refused (does a container publish this port?)")
        }
        RequestError::Reset => {
            format!("cannot request {url}: connection reset (does anything listen inside the container?)")
        }
        RequestError::TimedOut => format!("cannot request {url}: timed out (is the container paused?)"),
    }
}

fn enters(happening: &Happening, name: &Name, state: State) -> bool {
    matches!(&happening.what, What::Moved(moved) if moved.container == *name && moved.to == state)
}

fn is_death(happening: &Happening, name: &Name) -> bool {
    matches!(&happening.what, What::Emitted(event)
        if event.container == *name && matches!(event.kind, EventKind::Die(_)))
}

/// For an action that is taken up elsewhere: with a container or without, or by the replay itself.
fn misplaced(action: &Action) -> Done {
    Done::now(StepOutcome::Failed, Some(format!("`{}` cannot be played here", action.word())))
}
