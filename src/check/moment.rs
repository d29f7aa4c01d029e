//! What the rules see: one moment of one container's life, and what has been noted of that life so far.
//!
//! All of it comes from the trace: what was asked, what the world reported, what the model said to that, and what the host
//! shows. Nothing of it comes from inside the model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::grammar::Word;
use crate::model::{
    Action, Command, ContainerSpec, Effect, Ending, Event, EventKind, Freezer, Id, Name, Observation, Oom,
    Refusal, Removal, Resources, RestartPolicy, Rule as Arrow, Signal, State, Status, StopTimeout, Ticket,
    Timer, Transition, Verb,
};

/// What happened at a moment.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Somebody asked for something.
    Asked(Ticket, &'a Command),
    /// The world saw something.
    Seen(&'a Observation),
    /// The host went down and is up again.
    HostWoke,
    /// The keeper was killed, and everything with it.
    KeeperLost,
    /// Nothing but time has passed.
    TimePassed,
}

/// One moment of one container's life.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Whose life.
    pub name: &'a Name,
    /// When.
    pub at: Duration,
    /// What happened.
    pub input: Input<'a>,
    /// What the model said to that.
    pub effects: &'a [Effect],
    /// Why it said no, if it did.
    pub refusal: Option<&'a Refusal>,
    /// How the container was before.
    pub before: &'a Status,
    /// How it is now.
    pub after: &'a Status,
    /// What it costs its host now.
    pub costs: &'a Resources,
    /// A state in which it has used CPU time, or could have.
    pub burnt_in: Option<State>,
    /// What had been noted of it before.
    pub past: &'a Past,
    /// What has been noted of it by now.
    pub now: &'a Past,
    /// Who else there is.
    pub others: &'a [(Name, Status)],
    /// How the host freezes.
    pub freezer: Freezer,
}

impl Moment<'_> {
    /// The events that are told at this moment, in their order.
    pub fn events(&self) -> impl Iterator<Item = EventKind> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Emitted(event) => Some(event.kind),
            Effect::Act(..) | Effect::Moved(_) | Effect::Reply(..) => None,
        })
    }

    /// The arrows that are taken at this moment.
    pub fn moves(&self) -> impl Iterator<Item = &Transition> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Moved(moved) => Some(moved),
            Effect::Act(..) | Effect::Emitted(_) | Effect::Reply(..) => None,
        })
    }

    /// What the world is told to do at this moment.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Act(_, action) => Some(action),
            Effect::Moved(_) | Effect::Emitted(_) | Effect::Reply(..) => None,
        })
    }
}

/// What has been noted of a life: a fold of its trace.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, in any combination")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Past {
    /// What it was made from.
    pub spec: Option<Box<ContainerSpec>>,
    /// What has been asked of it and not answered.
    pub open: BTreeMap<Ticket, Request>,
    /// Timers that are armed.
    pub timers: BTreeSet<Timer>,
    /// Where its events have come to.
    pub word: Word,
    /// How its last run ended, as the world saw it.
    pub last_end: Option<Ending>,
    /// A start of it has failed since it last ran.
    pub failed_start: bool,
    /// A start, or its making, is under way.
    pub set_up: bool,
    /// A person has ended it since it was last started.
    pub ended_by_hand: bool,
    /// How often its policy has begun it anew since a person started it.
    pub policy_restarts: u32,
    /// The wait before its policy's last start.
    pub last_wait: Option<Duration>,
    /// Its policy is starting it.
    pub policy_starts: bool,
    /// Its run has been long enough for the back-off to begin anew.
    pub steady: bool,
    /// Its processes are to stand still.
    pub freezing: bool,
    /// They do.
    pub frozen: bool,
    /// Somebody has paused it since its stop began.
    pub paused_in_stop: bool,
    /// What it cost when it was paused.
    pub paused_with: Option<Kept>,
    /// When SIGKILL was sent to its process, as long as that lives.
    pub killed: Option<Duration>,
}

/// A request without an answer yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// What is asked for.
    pub verb: Asked,
    /// By when a stop has to be over.
    pub due: Option<Duration>,
}

/// What can be asked for, as far as rules tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    /// To be made.
    Create,
    /// To run.
    Start,
    /// To be frozen.
    Pause,
    /// To be thawed.
    Unpause,
    /// To end.
    Stop,
    /// To end and run again.
    Restart,
    /// To be sent a signal.
    Kill,
    /// To be taken apart if it has ended.
    GentleRemoval,
    /// To be taken apart whatever its state.
    ForcedRemoval,
    /// To be called otherwise.
    Rename,
    /// To be limited otherwise.
    Update,
    /// To run a command inside.
    Exec,
    /// To tell of its death.
    Wait,
    /// To tell that an image has been made of it.
    Commit,
    /// To be looked at.
    Look,
}

/// What a paused container has to keep.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    /// Its processes.
    pub processes: Option<u64>,
    /// Their memory.
    pub memory: Option<u64>,
    /// Its host ports.
    pub ports: Vec<String>,
    /// Its address.
    pub address: Option<String>,
}

impl Kept {
    /// What there is to keep of what a container costs.
    pub fn of(costs: &Resources) -> Self {
        Self {
            processes: costs.processes,
            memory: costs.memory_bytes,
            ports: costs.ports.clone(),
            address: costs.address.clone(),
        }
    }
}

impl Past {
    /// Its restart policy.
    pub fn policy(&self) -> RestartPolicy {
        self.spec.as_ref().map_or(RestartPolicy::No, |spec| spec.restart)
    }

    /// Whether something like this was asked and has not been answered.
    pub fn is_asked(&self, wanted: &[Asked]) -> bool {
        self.open.values().any(|request| wanted.contains(&request.verb))
    }

    /// Notes what happened, and what the model said to it.
    pub fn take_in(&mut self, at: Duration, id: Option<Id>, input: Input<'_>, effects: &[Effect]) {
        match input {
            Input::Asked(ticket, command) => self.take_in_request(at, ticket, &command.verb),
            Input::Seen(seen) => self.take_in_observation(seen),
            Input::HostWoke => {
                self.timers.clear();
                self.process_is_gone();
                // Nobody saw it die, so nobody tells.
                if matches!(self.word, Word::Up | Word::Still) {
                    self.word = Word::Down;
                }
                self.last_wait = None;
                self.policy_restarts = 0;
                // Only this policy remembers over a reboot what was ended by hand.
                self.ended_by_hand &= self.policy() == RestartPolicy::UnlessStopped;
            }
            Input::KeeperLost => {
                self.timers.retain(|timer| *timer == Timer::BackOff);
                self.failed_start |= self.set_up;
                // What had a process counts as killed.
                if self.has_process() {
                    self.last_end = Some(Ending { code: Signal::KILL.exit_code(), oom: Oom::None });
                }
                self.process_is_gone();
            }
            Input::TimePassed => {}
        }
        for effect in effects {
            match effect {
                Effect::Act(whose, action) if id.is_none_or(|id| id == *whose) => {
                    self.take_in_action(at, action);
                }
                Effect::Act(..) => {}
                Effect::Moved(moved) => self.take_in_move(moved),
                Effect::Emitted(Event { kind, .. }) => self.take_in_event(*kind),
                Effect::Reply(ticket, _) => {
                    self.open.remove(ticket);
                }
            }
        }
    }

    /// Notes what it costs, once the moment is over.
    pub fn take_in_costs(&mut self, state: State, costs: &Resources) {
        match (state, &self.paused_with) {
            (State::Paused, None) => self.paused_with = Some(Kept::of(costs)),
            (State::Paused, Some(_)) => {}
            _ => self.paused_with = None,
        }
    }

    /// Brings it to where one more of a count makes no difference to any rule, and forgets what none asks for any more in this
    /// state: how the last run ended, unless a policy may still begin another; how long was waited before a run that has
    /// lasted, or that no policy follows; what was done during a stop.
    pub(super) fn saturate(&mut self, state: State, many_restarts: u32, long_wait: Duration) {
        self.paused_in_stop &= state == State::Stopping;
        if state != State::Restarting {
            self.last_end = None;
        }
        let over = (self.steady || self.ended_by_hand) && state.has_process();
        if over || state == State::Stopped {
            self.last_wait = None;
        }
        self.last_wait = self.last_wait.map(|wait| wait.min(long_wait));
        self.policy_restarts =
            if state == State::Stopped { 0 } else { self.policy_restarts.min(many_restarts) };
    }

    fn take_in_request(&mut self, at: Duration, ticket: Ticket, verb: &Verb) {
        if let Verb::Create(spec) = verb
            && self.spec.is_none()
        {
            self.spec = Some(spec.clone());
        }
        let grace = |timeout: &Option<StopTimeout>| {
            let own = self.spec.as_ref().and_then(|spec| spec.stop_timeout);
            match timeout.or(own).unwrap_or(StopTimeout::After(crate::model::DEFAULT_GRACE)) {
                StopTimeout::After(grace) => Some(at + grace),
                StopTimeout::Never => None,
            }
        };
        let (verb, due) = match verb {
            Verb::Create(_) => (Asked::Create, None),
            Verb::Start => (Asked::Start, None),
            Verb::Pause => (Asked::Pause, None),
            Verb::Unpause => (Asked::Unpause, None),
            Verb::Stop { timeout, .. } => (Asked::Stop, grace(timeout)),
            Verb::Restart { timeout, .. } => (Asked::Restart, grace(timeout)),
            Verb::Kill { .. } => (Asked::Kill, None),
            Verb::Remove(Removal::Gentle) => (Asked::GentleRemoval, None),
            Verb::Remove(Removal::Forced) => (Asked::ForcedRemoval, None),
            Verb::Rename { .. } => (Asked::Rename, None),
            Verb::Update { restart, .. } => {
                if let (Some(spec), Some(policy)) = (&mut self.spec, restart) {
                    spec.restart = *policy;
                }
                (Asked::Update, None)
            }
            Verb::Exec(_) => (Asked::Exec, None),
            Verb::Wait => (Asked::Wait, None),
            Verb::Commit => (Asked::Commit, None),
            Verb::Look(_) => (Asked::Look, None),
        };
        self.open.insert(ticket, Request { verb, due });
    }

    fn take_in_observation(&mut self, seen: &Observation) {
        match seen {
            Observation::Fired(timer) => {
                self.timers.remove(timer);
                self.steady |= *timer == Timer::SteadyRun;
                self.policy_starts |= *timer == Timer::BackOff;
            }
            Observation::Ended(ending) => {
                self.failed_start |= self.set_up;
                self.process_is_gone();
                self.last_end = Some(*ending);
            }
            // Of a process that has ended meanwhile, it comes too late.
            Observation::Frozen => self.frozen = self.freezing,
            Observation::Thawed => self.frozen = false,
            Observation::FreezeFailed(_) => self.freezing = false,
            Observation::PortsDenied(_) | Observation::PrepareFailed(_) | Observation::ExecuteFailed(_) => {
                self.set_up = false;
                self.policy_starts = false;
                self.failed_start = true;
            }
            _ => {}
        }
    }

    fn has_process(&self) -> bool {
        self.set_up || matches!(self.word, Word::Up | Word::Still)
    }

    fn process_is_gone(&mut self) {
        self.killed = None;
        self.freezing = false;
        self.frozen = false;
        self.set_up = false;
        self.policy_starts = false;
    }

    fn take_in_action(&mut self, at: Duration, action: &Action) {
        match action {
            Action::Arm(timer, wait) => {
                self.timers.insert(*timer);
                if *timer == Timer::BackOff {
                    self.last_wait = Some(*wait);
                }
            }
            Action::Cancel(timer) => {
                self.timers.remove(timer);
            }
            Action::ClaimPorts(_) | Action::Prepare { .. } | Action::Execute => {
                self.set_up = true;
                // Whoever asks for a start means it, even if the host goes down before it is done.
                self.ended_by_hand &= self.policy_starts || !self.is_asked(&[Asked::Start, Asked::Restart]);
            }
            Action::Freeze => self.freezing = true,
            Action::Thaw => {
                self.freezing = false;
                self.frozen = false;
            }
            Action::Signal(Signal::KILL) => self.killed = self.killed.or(Some(at)),
            Action::Discard => self.process_is_gone(),
            _ => {}
        }
    }

    fn take_in_move(&mut self, moved: &Transition) {
        match (moved.to, moved.rule) {
            (State::Restarting, _) => self.policy_restarts = self.policy_restarts.saturating_add(1),
            (State::Stopping, _) => self.paused_in_stop = false,
            (_, Arrow::StopBackOff) => self.ended_by_hand = true,
            (State::Absent, _) => self.spec = None,
            _ => {}
        }
    }

    fn take_in_event(&mut self, kind: EventKind) {
        match kind {
            EventKind::Create => self.set_up = false,
            EventKind::Start => {
                self.set_up = false;
                self.failed_start = false;
                self.steady = false;
                if !std::mem::take(&mut self.policy_starts) && self.is_asked(&[Asked::Start, Asked::Restart])
                {
                    self.policy_restarts = 0;
                    self.last_wait = None;
                }
            }
            EventKind::Kill(signal) => {
                let configured = self.spec.as_ref().and_then(|spec| spec.stop_signal);
                if signal == Signal::KILL || configured.is_none_or(|configured| configured == signal) {
                    self.ended_by_hand = true;
                }
            }
            EventKind::Pause => self.paused_in_stop = true,
            _ => {}
        }
        self.word = self.word.after(kind);
    }
}
