//! A life that was lived, written as a scenario that lives it once more.
//!
//! What was asked becomes steps, the time between becomes `wait`, and how things stood afterwards is expected. What the process did
//! by itself is written into its behaviour: how long it ran, how it took a signal, with which code it ended. What came from
//! outside (a signal past the engine, the loss of its keeper) becomes a `crash`, and the end of the host a `reboot`.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use super::{
    Action, AskedSignal, ContainerExpect, Crash, Exec, Expect, Kill, Place, Remove, Rename, Scenario, Step,
    Stop, Text, Update,
};
use crate::engine::journal::{Account, Moment, Said, Tale, Told};
use crate::model::{
    Behavior, ContainerSpec, EventKind, Exit, LAB_IMAGE, Memory, Name, Reaction, Removal, Signal, State,
    Ticket, Timer, Verb,
};

/// A life that cannot be written as a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotRecordable {
    /// Its journal has been compacted.
    #[error(
        "cannot record {0}: the beginning of its life is forgotten (what is left: terrarium history {0})"
    )]
    Forgotten(Name),
    /// It never came to be.
    #[error("cannot record it: it never came to be")]
    NeverWas,
}

/// The scenario of a life.
pub fn record(account: &Account) -> Result<Scenario, NotRecordable> {
    let name = account.name.clone().ok_or(NotRecordable::NeverWas)?;
    if account.forgotten > 0 {
        return Err(NotRecordable::Forgotten(name));
    }
    let first = account.tale.iter().find_map(|tale| match &tale.told {
        Told::Asked(_, Verb::Create(spec)) => Some((**spec).clone()),
        _ => None,
    });
    let mut spec = first.ok_or(NotRecordable::NeverWas)?;
    let first_name = first_name(&account.tale).unwrap_or_else(|| name.clone());
    spec.behavior = behavior(&account.tale, &spec);
    let lived = spec.clone();
    let mut recorder = Recorder::new(first_name.clone(), &lived, account);
    for (nth, tale) in account.tale.iter().enumerate() {
        recorder.take_in(nth, tale);
    }
    recorder.join(account.tale.len());
    recorder.wait_until(&account.latest);
    Ok(Scenario {
        title: Text::Plain(format!("The life of {name}")),
        about: Some(Text::Plain(format!("As it was lived by a container made of {}.", spec.image))),
        lesson: None,
        containers: [(first_name, spec)].into(),
        steps: recorder.steps,
        always: Vec::new(),
        never: Vec::new(),
        eventually: Vec::new(),
        planted: None,
    })
}

/// Whether its process does what its behaviour says, and nothing else.
fn acts_it_out(spec: &ContainerSpec) -> bool {
    spec.image == LAB_IMAGE && spec.command.is_none() && spec.entrypoint.is_none()
}

/// The name that it began with.
fn first_name(tale: &[Tale]) -> Option<Name> {
    tale.iter().find_map(|tale| match &tale.told {
        Told::Moved(moved) => Some(moved.container.clone()),
        Told::Emitted(event) => Some(event.container.clone()),
        _ => None,
    })
}

/// What the process did in each of its runs, as far as it could be seen. Where it acts its behaviour out, that is known.
fn behavior(tale: &[Tale], spec: &ContainerSpec) -> Behavior {
    let mut runs: Vec<Run> = Vec::new();
    let mut ended: Option<Moment> = None;
    let mut by_policy = false;
    for Tale { at, told } in tale {
        match told {
            Told::Emitted(event) if event.kind == EventKind::Start => {
                let own = acts_it_out(spec).then(|| spec.behavior.of_run(runs.len()).clone());
                let late = ended.filter(|_| by_policy).map_or(Duration::ZERO, |ended| late(at, &ended));
                runs.push(Run { began: *at, late, own, signal: None, oom: false, seen: Behavior::default() });
            }
            Told::Moved(moved) if moved.to == State::Restarting => by_policy = true,
            Told::Asked(_, Verb::Start | Verb::Restart { .. }) => by_policy = false,
            Told::Ended(_) => ended = Some(*at),
            _ => {}
        }
        if let Some(run) = runs.last_mut() {
            run.take_in(*at, told, spec);
        }
    }
    if acts_it_out(spec) && runs.iter().all(|run| run.own.as_ref() == Some(&run.seen_of_its_own())) {
        return spec.behavior.clone();
    }
    let mut seen: Vec<Behavior> = runs.into_iter().map(|run| run.seen_of_its_own()).collect();
    // The last one repeats.
    while seen.len() > 1 && seen[seen.len() - 1] == seen[seen.len() - 2] {
        seen.pop();
    }
    match seen.len() {
        0 => Behavior::default(),
        1 => seen.remove(0),
        _ => Behavior { runs: seen, ..Behavior::default() },
    }
}

/// How much later than its back-off was over a process has begun: a simulator loses no time over a start.
fn late(began: &Moment, ended: &Moment) -> Duration {
    let quiet = began.since(ended).unwrap_or_default();
    let due = Timer::back_offs().take_while(|wait| *wait <= quiet).last().unwrap_or(quiet);
    in_millis(quiet.saturating_sub(due))
}

struct Run {
    began: Moment,
    /// How late it has begun.
    late: Duration,
    /// What it does of its own, where that is known.
    own: Option<Behavior>,
    /// The last signal that was sent to it, and when.
    signal: Option<(Moment, Signal)>,
    oom: bool,
    seen: Behavior,
}

impl Run {
    fn take_in(&mut self, at: Moment, told: &Told, spec: &ContainerSpec) {
        match told {
            Told::Emitted(event) => match event.kind {
                EventKind::Kill(signal) => self.signal = Some((at, signal)),
                EventKind::Oom => self.oom = true,
                _ => {}
            },
            Told::Ended(code) => {
                let code = u8::try_from(*code).unwrap_or(u8::MAX);
                let after = |from: &Moment| in_millis(at.since(from).unwrap_or_default());
                match (self.signal, self.oom.then_some(spec.memory).flatten()) {
                    (Some((_, Signal::KILL)), _) => {}
                    (Some((sent, signal)), _) => {
                        let exit = Exit { after: after(&sent), code };
                        self.seen.signals.insert(signal, Reaction::Exit(exit));
                    }
                    (None, Some(limit)) => {
                        self.seen.memory = Some(Memory { size: 2 * limit, after: after(&self.began) });
                    }
                    (None, None) => {
                        self.seen.exits = Some(Exit { after: after(&self.began) + self.late, code });
                    }
                }
            }
            _ => {}
        }
    }

    /// What was seen; of what it was known to do, only the time of its end.
    fn seen_of_its_own(&self) -> Behavior {
        let Some(own) = &self.own else { return self.seen.clone() };
        let exits = own.exits.map(|exit| Exit { after: exit.after + self.late, ..exit });
        Behavior { exits, ..own.clone() }
    }
}

struct Recorder<'a> {
    name: Name,
    account: &'a Account,
    spec: &'a ContainerSpec,
    steps: Vec<Step>,
    /// Up to when the steps so far go; none before the first.
    told_until: Option<Moment>,
    /// What was begun and not joined, with the place of its answer.
    begun: Vec<Option<usize>>,
    /// With their places in the tale.
    answers: BTreeMap<Ticket, (usize, Moment, Said)>,
    state: State,
    code: Option<i32>,
    /// A signal was sent since the run began: what follows is its doing.
    signalled: bool,
    runs: usize,
}

impl<'a> Recorder<'a> {
    fn new(name: Name, spec: &'a ContainerSpec, account: &'a Account) -> Self {
        let answers = account.tale.iter().enumerate().filter_map(|(nth, tale)| match &tale.told {
            Told::Answered(ticket, said) => Some((*ticket, (nth, tale.at, said.clone()))),
            _ => None,
        });
        Self {
            name,
            account,
            spec,
            steps: Vec::new(),
            told_until: None,
            begun: Vec::new(),
            answers: answers.collect(),
            state: State::Absent,
            code: None,
            signalled: false,
            runs: 0,
        }
    }

    fn take_in(&mut self, nth: usize, tale: &Tale) {
        match &tale.told {
            Told::Asked(ticket, verb) => self.asked(nth, &tale.at, *ticket, verb),
            Told::Moved(moved) => self.state = moved.to,
            Told::Emitted(event) => match event.kind {
                EventKind::Start => {
                    self.runs += 1;
                    self.signalled = false;
                    self.code = None;
                }
                EventKind::Kill(_) => self.signalled = true,
                EventKind::Die(code) => self.code = Some(code),
                _ => {}
            },
            Told::Ended(code) => {
                if let Some(signal) = self.struck_by(*code) {
                    self.befell(
                        nth,
                        &tale.at,
                        Crash::Process { containers: vec![self.name.clone()], signal },
                        None,
                    );
                }
            }
            Told::KeeperLost if self.state.has_process() => {
                let crash = Crash::Keeper(self.name.clone());
                self.befell(nth, &tale.at, crash, Some("Its keeper was killed, and the container with it."));
            }
            Told::Woke => {
                self.wait_until(&tale.at);
                let expect = self.expectation_after(nth, nth);
                self.step(Action::Reboot, Some(expect), None);
            }
            Told::Answered(..) | Told::KeeperLost => {}
        }
    }

    /// The signal from outside that ended a process which would not have ended.
    fn struck_by(&self, code: i32) -> Option<Signal> {
        if !acts_it_out(self.spec) || self.signalled {
            return None;
        }
        let own = self.spec.behavior.of_run(self.runs.saturating_sub(1));
        let by_itself = own.exits.is_some_and(|exit| i32::from(exit.code) == code) || own.memory.is_some();
        let signal = Signal::from_number(code - 128)?;
        (!by_itself).then_some(signal)
    }

    fn asked(&mut self, nth: usize, at: &Moment, ticket: Ticket, verb: &Verb) {
        let answer = self.answers.get(&ticket).cloned();
        let Some(action) = self.action(verb, answer.as_ref().map(|(.., said)| said)) else { return };
        self.join(nth);
        self.wait_until(at);
        let until = answer.as_ref().map(|(_, at, _)| *at);
        let alone = answer.as_ref().is_some_and(|(answered, ..)| self.is_alone(nth, *answered))
            && !self.runs_beside(verb);
        let refused = answer.as_ref().and_then(|(.., said)| refusal(said));
        if alone {
            let until = until.unwrap_or(*at);
            let answered = answer.as_ref().map_or(nth, |(answered, ..)| *answered);
            let expect = refused.is_none().then(|| self.expectation_after(nth, answered));
            self.step(action, expect, refused);
            self.told_until = Some(until);
        } else {
            self.step(Action::Async(Box::new(action)), None, None);
            if !self.runs_beside(verb) {
                self.begun.push(answer.as_ref().map(|(answered, ..)| *answered));
            }
            self.told_until = Some(*at);
        }
        if let (Verb::Rename { to }, Some((.., Said::Done))) = (verb, &answer) {
            self.name = to.clone();
        }
    }

    /// What befell it, as a step.
    fn befell(&mut self, nth: usize, at: &Moment, crash: Crash, say: Option<&str>) {
        self.wait_until(at);
        let expect = self.expectation_after(nth, nth);
        self.step(Action::Crash(crash), Some(expect), None);
        if let (Some(say), Some(step)) = (say, self.steps.last_mut()) {
            step.say = Some(say.into());
        }
        self.told_until = Some(*at);
    }

    /// What runs inside of another image than the lab's is known to nobody: it goes on beside the story.
    fn runs_beside(&self, verb: &Verb) -> bool {
        match verb {
            Verb::Exec(exec) => exec.detach || self.spec.image != LAB_IMAGE,
            _ => false,
        }
    }

    /// Whether nothing new begins before it is answered.
    fn is_alone(&self, began: usize, answered: usize) -> bool {
        let is_new = |tale: &Tale| matches!(&tale.told, Told::Asked(..) | Told::KeeperLost | Told::Woke);
        !self.account.tale[began + 1..answered].iter().any(is_new)
    }

    /// Waits for what was begun and is answered before this place of the tale.
    fn join(&mut self, before: usize) {
        // The one that was begun last is joined first.
        while let Some(answered) = self.begun.last().copied().flatten().filter(|answered| *answered < before)
        {
            self.begun.pop();
            let at = self.account.tale[answered].at;
            self.wait_until(&at);
            self.step(Action::Join(vec![self.name.clone()]), None, None);
        }
    }

    fn wait_until(&mut self, at: &Moment) {
        if self.told_until.is_some_and(|told| !is_later(at, &told)) {
            return;
        }
        let Some(before) = self.told_until.replace(*at) else { return };
        // Nobody knows how long the host was down.
        let Some(quiet) = at.since(&before) else { return };
        let quiet = in_millis(quiet);
        if !quiet.is_zero() {
            let expect = self.expectation();
            self.step(Action::Wait(quiet), Some(expect), None);
        }
    }

    fn step(&mut self, action: Action, expect: Option<Expect>, refused: Option<String>) {
        self.steps.push(Step { action, say: None, ask: None, expect, refused, place: Place::default() });
    }

    /// How things stand now.
    fn expectation(&self) -> Expect {
        expect(&self.name, self.state, self.code)
    }

    /// How things stood after what began at one place of the tale, and was answered at another, was over.
    fn expectation_after(&self, began: usize, answered: usize) -> Expect {
        let (mut state, mut code, mut name) = (self.state, self.code, self.name.clone());
        let tale = &self.account.tale;
        for (nth, tale) in tale.iter().enumerate().skip(began) {
            let is_new =
                matches!(&tale.told, Told::Asked(..) | Told::Ended(_) | Told::KeeperLost | Told::Woke);
            if nth > answered && (is_new || is_later(&tale.at, &self.account.tale[answered].at)) {
                break;
            }
            match &tale.told {
                Told::Moved(moved) => (state, name) = (moved.to, moved.container.clone()),
                Told::Emitted(event) => {
                    name = event.container.clone();
                    code = match event.kind {
                        EventKind::Start => None,
                        EventKind::Die(ended) => Some(ended),
                        _ => code,
                    };
                }
                _ => {}
            }
        }
        expect(&name, state, code)
    }

    /// What was asked for, as a step's action; none for what cannot be lived once more.
    fn action(&self, verb: &Verb, said: Option<&Said>) -> Option<Action> {
        let containers = vec![self.name.clone()];
        let elsewhere = self.spec.image != LAB_IMAGE;
        Some(match verb {
            Verb::Create(_) => Action::Create(containers),
            // Why it failed lies in an image that is not at hand.
            Verb::Start if elsewhere && matches!(said, Some(Said::Failed(_))) => return None,
            Verb::Start => Action::Start(containers),
            Verb::Pause => Action::Pause(containers),
            Verb::Unpause => Action::Unpause(containers),
            Verb::Stop { timeout, signal } => {
                Action::Stop(Stop { containers, timeout: *timeout, signal: *signal })
            }
            Verb::Restart { timeout, signal } => {
                Action::Restart(Stop { containers, timeout: *timeout, signal: *signal })
            }
            Verb::Kill { signal } => {
                let signal = (*signal != Signal::KILL).then_some(AskedSignal::Known(*signal));
                Action::Kill(Kill { containers, signal })
            }
            Verb::Remove(removal) => {
                Action::Remove(Remove { containers, force: *removal == Removal::Forced })
            }
            Verb::Rename { to } => Action::Rename(Rename { container: self.name.clone(), to: to.clone() }),
            Verb::Update { restart, limits } => Action::Update(Update {
                containers,
                restart: *restart,
                memory: limits.memory,
                cpus: limits.cpus,
                pids: limits.pids,
            }),
            Verb::Exec(exec) => Action::Exec(Exec { containers, command: exec.command.clone() }),
            Verb::Wait | Verb::Commit | Verb::Look(_) => return None,
        })
    }
}

fn expect(name: &Name, state: State, code: Option<i32>) -> Expect {
    let ended = matches!(state, State::Stopped | State::Restarting);
    let exit = code.filter(|_| ended).and_then(|code| u8::try_from(code).ok());
    let claims = ContainerExpect { state: Some(state), exit, ..ContainerExpect::default() };
    Expect { containers: [(name.clone(), claims)].into(), ..Expect::default() }
}

/// What the message of a step that did not come off has to contain: the reason, without the names and the advice.
fn refusal(said: &Said) -> Option<String> {
    match said {
        Said::Refused(text) => {
            let reason = text.split_once(": ").map_or(text.as_str(), |(_, reason)| reason);
            Some(reason.split(" (").next().unwrap_or(reason).to_owned())
        }
        Said::Failed(_) => Some("cannot".into()),
        Said::Done | Said::Exited(_) | Said::Noop => None,
    }
}

fn is_later(at: &Moment, than: &Moment) -> bool {
    match at.since(than) {
        Some(_) => at.since_boot > than.since_boot,
        None => at.wall > than.wall,
    }
}

/// To the millisecond, as people write times.
fn in_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
