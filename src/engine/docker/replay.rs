//! One replay on a Docker Engine.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use bollard::query_parameters::CreateContainerOptions;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::task::AbortHandle;

use super::answer::{outcome, reworded};
use super::asking::{self, Addressee, Program, Said};
use super::creation::{Ours, body};
use super::daemon::{Daemon, REPLAY_LABEL, RUN_LABEL};
use super::event::Told;
use super::images::Images;
use super::known::{AfterDeath, Known};
use super::news::{self, Labels, News};
use super::request::fetch;
use super::shown::{Shown, measure};
use crate::engine::trace::{Happening, What};
use crate::engine::{Engine, Passed};
use crate::lab;
use crate::model::{
    Command, ContainerSpec, Event, EventKind, Failure, HostFacts, Name, Outcome, Resources, Rule, Signal,
    State, Status, Ticket, Transition, Verb,
};
use crate::world::images::{ImageAnswer, ImageRequest};
use crate::world::{HttpRequest, Interrupted, RequestError, RequestId, Response, Staged};

/// The containers of one replay on a Docker Engine; dropped, it removes them.
pub struct Docker {
    daemon: Arc<Daemon>,
    /// Which of the run's replays this is.
    number: u32,
    began: Instant,
    /// The same moment on the clock of Docker's events, in nanoseconds.
    epoch: i64,
    news: Receiver<News>,
    to_news: Sender<News>,
    followers: Vec<AbortHandle>,
    /// What was asked for, until it is there.
    wanted: BTreeMap<Name, ContainerSpec>,
    /// By Docker's ids.
    known: BTreeMap<String, Known>,
    asked: BTreeMap<Ticket, Asked>,
    answers: BTreeMap<Ticket, (Duration, Outcome)>,
    happened: Vec<Happening>,
    /// Events that have been taken in, as far as they may be told once more.
    taken_in: BTreeSet<(i64, String, EventKind)>,
    responses: BTreeMap<RequestId, Option<Result<Response, RequestError>>>,
    images: Images,
    interrupted: Option<Signal>,
}

/// A request whose answer is awaited.
struct Asked {
    container: Name,
    id: Option<String>,
    verb: Verb,
    /// How much had happened then.
    from: usize,
}

/// How many replays this process has begun on any daemon.
static REPLAYS: AtomicU32 = AtomicU32::new(0);
/// How long a request may take to show a first sign, before another is made.
const FIRST_SIGN: Duration = Duration::from_millis(50);
/// How far back the events are asked for that may not have been told yet.
const OVERLAP: Duration = Duration::from_secs(5);
/// Nobody who is asked to end is asked for longer than a request may take.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

impl Docker {
    /// An empty place on it.
    pub fn new(daemon: &Arc<Daemon>) -> Self {
        let number = REPLAYS.fetch_add(1, Ordering::Relaxed);
        let (to_news, news) = mpsc::channel();
        let (began, now) = (Instant::now(), SystemTime::now());
        let epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut docker = Self {
            daemon: Arc::clone(daemon),
            number,
            began,
            epoch: i64::try_from(epoch.as_nanos()).unwrap_or(i64::MAX),
            news,
            to_news,
            followers: Vec::new(),
            wanted: BTreeMap::new(),
            known: BTreeMap::new(),
            asked: BTreeMap::new(),
            answers: BTreeMap::new(),
            happened: Vec::new(),
            taken_in: BTreeSet::new(),
            responses: BTreeMap::new(),
            images: Images::default(),
            interrupted: None,
        };
        let (client, to_news) = (daemon.client().clone(), docker.to_news.clone());
        let follow = news::follow(client, docker.labels(), news::seconds(now), to_news.clone());
        let handle = daemon.handle();
        docker.followers.push(handle.spawn(follow).abort_handle());
        docker.followers.extend(news::await_interruptions(handle, &docker.to_news));
        docker
    }

    /// On all events of this replay, and on no others.
    fn labels(&self) -> Labels {
        vec![format!("{RUN_LABEL}={}", self.daemon.run()), self.label()]
    }

    fn label(&self) -> String {
        format!("{REPLAY_LABEL}={}-{}", self.daemon.run(), self.number)
    }

    /// Of all that is made for this replay.
    fn own_labels(&self) -> HashMap<String, String> {
        let replay = format!("{}-{}", self.daemon.run(), self.number);
        self.daemon.labels(&[(REPLAY_LABEL, &replay)])
    }

    /// Begins every name of this replay in Docker.
    fn prefix(&self) -> String {
        format!("terrarium-{}-{}-", self.daemon.run(), self.number)
    }

    fn id(&self, name: &Name) -> Option<&str> {
        let found = self.known.iter().find(|(_, known)| known.name == *name && known.state != State::Absent);
        found.map(|(id, _)| id.as_str())
    }

    fn shown(&self, name: &Name) -> Option<Shown> {
        let id = self.id(name)?;
        let inspected = self.daemon.block_on(self.daemon.client().inspect_container(id, None)).ok()?;
        Some(Shown::read(inspected, self.known.get(id)?.state))
    }

    fn create(&mut self, ticket: Ticket, name: &Name, spec: &ContainerSpec) {
        self.wanted.insert(name.clone(), spec.clone());
        let prefix = self.prefix();
        let names = |name: &str| format!("{prefix}{name}");
        let labels = self.own_labels();
        let body = body(name, spec, &Ours { image: self.daemon.image(), labels, names: &names });
        let options = CreateContainerOptions { name: Some(names(name.as_str())), platform: String::new() };
        let client = self.daemon.client();
        let said = self.daemon.block_on(client.create_container(Some(options), body));
        let at = self.began.elapsed();
        self.take_in_all_so_far();
        let verb = Verb::Create(Box::new(spec.clone()));
        let outcome = match said {
            Ok(_) => Outcome::Done,
            Err(error) => outcome(&error, &verb, name, None, |said| self.reworded(said)),
        };
        self.answers.insert(ticket, (at, outcome));
    }

    /// Sends a request on its way, and waits for the first sign of it: of two that follow each other, Docker then sees the
    /// first one first.
    fn ask(&mut self, ticket: Ticket, container: &Name, verb: &Verb) {
        let id = self.id(container).map(str::to_owned);
        let known = id.as_ref().and_then(|id| self.known.get_mut(id));
        let program = match &known {
            Some(known) if lab::acts_out(&known.spec) => Program::Lab,
            _ => Program::Other,
        };
        if let Some(known) = known {
            count(known, verb, 1);
        }
        let prefix = self.prefix();
        let whom = Addressee { id: id.clone().unwrap_or_else(|| format!("{prefix}{container}")), program };
        let as_docker_names_it = match verb {
            Verb::Rename { to } => Verb::Rename {
                to: Name::new(format!("{prefix}{to}")).expect("a name stays one behind a prefix"),
            },
            other => other.clone(),
        };
        let from = self.happened.len();
        self.asked.insert(ticket, Asked { container: container.clone(), id, verb: verb.clone(), from });
        let (client, to_news, began) = (self.daemon.client().clone(), self.to_news.clone(), self.began);
        let labels = self.labels();
        self.daemon.handle().spawn(async move {
            let said = asking::ask(&client, &whom, &as_docker_names_it).await;
            let at = began.elapsed();
            for told in news::so_far(&client, labels, Self::overlap()).await {
                let _ = to_news.send(News::Told(told));
            }
            let _ = to_news.send(News::Answered { ticket, at, said });
        });
        let deadline = self.now() + FIRST_SIGN;
        while self.happened.len() == from && !self.answers.contains_key(&ticket) {
            if self.interrupted.is_some() || self.hear(deadline) == Passed::Deadline {
                break;
            }
        }
    }

    fn overlap() -> String {
        news::seconds(SystemTime::now().checked_sub(OVERLAP).unwrap_or(SystemTime::UNIX_EPOCH))
    }

    fn take_in_all_so_far(&mut self) {
        let told = news::so_far(self.daemon.client(), self.labels(), Self::overlap());
        for told in self.daemon.block_on(told) {
            self.take_in(&told);
        }
    }

    /// Waits for news, and takes them in.
    fn hear(&mut self, deadline: Duration) -> Passed {
        let left = deadline.saturating_sub(self.now()).min(LONG);
        match self.news.recv_timeout(left) {
            Ok(News::Told(told)) => self.take_in(&told),
            Ok(News::Answered { ticket, at, said }) => self.answered(ticket, at, said),
            Ok(News::Replied(id, response)) => {
                self.responses.insert(id, Some(response));
            }
            Ok(News::Imaged(id, answer)) => self.images.take_in(id, answer),
            Ok(News::Interrupted(signal)) => self.interrupted = Some(signal),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Passed::Deadline,
        }
        Passed::Something
    }

    fn take_in(&mut self, told: &Told) {
        if !self.taken_in.insert((told.at, told.id.clone(), told.kind)) {
            return;
        }
        let forgotten = told.at.saturating_sub(i64::try_from(4 * OVERLAP.as_nanos()).unwrap_or(i64::MAX));
        self.taken_in.retain(|(at, ..)| *at > forgotten);
        // The containers in which a build runs its instructions have our labels, and no name of ours.
        let own = told.name.trim_start_matches('/').strip_prefix(&self.prefix()).map(Name::new);
        let Some(Ok(name)) = own else { return };
        if told.kind == EventKind::Create {
            let spec = self.wanted.get(&name).cloned().unwrap_or_default();
            self.known.insert(told.id.clone(), Known::new(name.clone(), spec));
        }
        let after_death = self.after_death(told);
        let Some(known) = self.known.get_mut(&told.id) else { return };
        if known.is_probe(told) {
            return;
        }
        known.name = name;
        let at = Duration::from_nanos(u64::try_from(told.at.saturating_sub(self.epoch)).unwrap_or(0));
        let arrows = known.moves(told.kind, after_death);
        let event = Event { container: known.name.clone(), kind: told.kind };
        // As the model tells it: a state that is entered by hand is named first, what was done to it last.
        let mut news = Vec::new();
        for (to, rule) in arrows {
            let (container, from) = (known.name.clone(), known.state);
            known.state = to;
            news.push(What::Moved(Transition { container, from, to, rule }));
        }
        let ends = matches!(told.kind, EventKind::Die(_) | EventKind::Stop);
        news.insert(if ends { 0 } else { news.len() }, What::Emitted(event));
        self.happened.extend(news.into_iter().map(|what| Happening { at, what }));
    }

    /// Docker's event of a death does not say whether the policy acts: its state does.
    fn after_death(&self, told: &Told) -> AfterDeath {
        if !matches!(told.kind, EventKind::Die(_)) {
            return AfterDeath::Rests;
        }
        let inspected = self.daemon.block_on(self.daemon.client().inspect_container(&told.id, None));
        let Ok(inspected) = inspected else { return AfterDeath::Rests };
        let runs_again = inspected.restart_count.is_some_and(|count| count > 0);
        match Shown::read(inspected, State::Running).status.state {
            State::Restarting => AfterDeath::Restarts,
            State::Running | State::Paused if runs_again => AfterDeath::Restarts,
            _ => AfterDeath::Rests,
        }
    }

    fn answered(&mut self, ticket: Ticket, at: Duration, said: Result<Said, bollard::errors::Error>) {
        let Some(asked) = self.asked.remove(&ticket) else { return };
        let known = asked.id.as_ref().and_then(|id| self.known.get_mut(id));
        if let Some(known) = known {
            count(known, &asked.verb, -1);
        }
        let outcome = match said {
            Ok(Said::Noop) => Outcome::Noop,
            Ok(Said::Done) if matches!(asked.verb, Verb::Stop { .. }) && !self.has_stopped(&asked) => {
                Outcome::Noop
            }
            Ok(Said::Done) => Outcome::Done,
            Ok(Said::Exited(code, written)) => {
                if let Some(known) = asked.id.as_ref().and_then(|id| self.known.get_mut(id)) {
                    known.written_inside.push_str(&written);
                }
                Outcome::Exited(code)
            }
            Ok(Said::NotExecuted(said)) => {
                Outcome::Failed(Failure { code: Some(EXEC_NOT_FOUND), message: self.reworded(&said) })
            }
            Err(error) => {
                let code = self.shown(&asked.container).and_then(|shown| shown.status.exit);
                let code = code.filter(|_| matches!(asked.verb, Verb::Start | Verb::Restart { .. }));
                outcome(&error, &asked.verb, &asked.container, code, |said| self.reworded(said))
            }
        };
        self.answers.insert(ticket, (at, outcome));
        self.leave_back_off(&asked, at);
    }

    /// Docker answers a stop that had nothing to do as one that had; but it tells no event.
    fn has_stopped(&self, asked: &Asked) -> bool {
        self.happened[asked.from..].iter().any(|happening| {
            matches!(&happening.what, What::Emitted(event)
                if event.kind == EventKind::Stop && event.container == asked.container)
        })
    }

    /// A kill during back-off ends it without any event.
    fn leave_back_off(&mut self, asked: &Asked, at: Duration) {
        let Some(id) = &asked.id else { return };
        let rests = matches!(asked.verb, Verb::Kill { .. })
            && self.known.get(id).is_some_and(|known| known.state == State::Restarting)
            && self.shown(&asked.container).is_some_and(|shown| shown.status.state == State::Stopped);
        if let Some(known) = self.known.get_mut(id).filter(|_| rests) {
            known.state = State::Stopped;
            let (from, to, rule) = (State::Restarting, State::Stopped, Rule::StopBackOff);
            let moved = Transition { container: known.name.clone(), from, to, rule };
            self.happened.push(Happening { at, what: What::Moved(moved) });
        }
    }

    fn reworded(&self, said: &str) -> String {
        let ids: Vec<(&str, &Name)> =
            self.known.iter().map(|(id, known)| (id.as_str(), &known.name)).collect();
        reworded(said, &self.prefix(), &ids)
    }
}

/// What `docker exec` leaves of a command that is not there.
const EXEC_NOT_FOUND: i32 = 126;

/// Notes that a request has begun (1) or ended (-1).
fn count(known: &mut Known, verb: &Verb, by: i32) {
    let under_way = known.under_way();
    match verb {
        Verb::Stop { .. } | Verb::Restart { .. } => {
            under_way.stops = under_way.stops.saturating_add_signed(by);
        }
        Verb::Remove(_) => under_way.removals = under_way.removals.saturating_add_signed(by),
        _ => {}
    }
}

impl Engine for Docker {
    fn facts(&self) -> HostFacts {
        self.daemon.facts()
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn submit(&mut self, command: &Command) -> Ticket {
        let ticket = Ticket((self.answers.len() + self.asked.len()) as u64);
        match &command.verb {
            Verb::Create(spec) => self.create(ticket, &command.container, spec),
            verb => self.ask(ticket, &command.container, verb),
        }
        ticket
    }

    fn answer(&self, ticket: Ticket) -> Option<&(Duration, Outcome)> {
        self.answers.get(&ticket)
    }

    fn advance(&mut self, deadline: Duration) -> Result<Passed, Interrupted> {
        let passed = if self.interrupted.is_none() { self.hear(deadline) } else { Passed::Something };
        match self.interrupted.take() {
            Some(signal) => Err(Interrupted(signal)),
            None => Ok(passed),
        }
    }

    fn happened(&self) -> &[Happening] {
        &self.happened
    }

    fn status(&self, name: &Name) -> Status {
        self.shown(name).map_or(Status::ABSENT, |shown| shown.status)
    }

    fn names(&self) -> Vec<Name> {
        let there = self.known.values().filter(|known| known.state != State::Absent);
        there.map(|known| known.name.clone()).collect()
    }

    fn resources(&mut self, name: &Name) -> Resources {
        match (self.id(name), self.shown(name)) {
            (Some(id), Some(shown)) => measure(id, &shown),
            _ => Resources::zero(),
        }
    }

    fn output(&mut self, name: &Name) -> String {
        let Some(id) = self.id(name) else { return String::new() };
        let written = self.daemon.block_on(asking::output(self.daemon.client(), id));
        written + self.known.get(id).map_or("", |known| &known.written_inside)
    }

    /// A number may have gone to another process meanwhile: it has to be one of this container.
    fn strike(&mut self, name: &Name, signal: Signal) {
        let (Some(id), Some(pid)) = (self.id(name), self.shown(name).and_then(|shown| shown.pid)) else {
            return;
        };
        let its_own =
            fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|cgroup| cgroup.contains(id));
        let number = nix::sys::signal::Signal::try_from(signal.number());
        if let (true, Ok(number)) = (its_own, number) {
            let _ = kill(Pid::from_raw(pid), number);
        }
    }

    fn lose_keeper(&mut self, _: &Name) -> Staged {
        Staged::No
    }

    fn reboot(&mut self) -> Staged {
        Staged::No
    }

    fn has_come_up(&self) -> bool {
        true
    }

    fn request(&mut self, request: &HttpRequest) -> RequestId {
        let id = RequestId(u32::try_from(self.responses.len()).unwrap_or(u32::MAX));
        self.responses.insert(id, None);
        let (request, to_news) = (request.clone(), self.to_news.clone());
        self.daemon.handle().spawn(async move {
            let response = fetch(request).await;
            let _ = to_news.send(News::Replied(id, response));
        });
        id
    }

    fn response(&mut self, id: RequestId) -> Option<Result<Response, RequestError>> {
        self.responses.get(&id).cloned().flatten()
    }

    fn images(&self) -> Vec<String> {
        Images::names(&self.daemon)
    }

    fn ask_for_image(&mut self, request: &ImageRequest) -> RequestId {
        let labels = self.own_labels();
        self.images.ask(request, &self.daemon, labels, &self.to_news)
    }

    fn image_answer(&mut self, id: RequestId) -> Option<ImageAnswer> {
        self.images.answer(id)
    }

    fn resolve(&self, wish: &ContainerSpec) -> Result<ContainerSpec, String> {
        Images::resolve(&self.daemon, wish)
    }

    fn left_behind(&mut self) -> Vec<String> {
        self.names()
            .into_iter()
            .map(|name| format!("container {name}"))
            .chain(self.daemon.clear(&self.label()))
            .chain(self.images.close(&self.daemon))
            .collect()
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        for follower in &self.followers {
            follower.abort();
        }
        if self.known.values().any(|known| known.state != State::Absent) {
            self.daemon.clear(&self.label());
        }
        self.images.close(&self.daemon);
    }
}
