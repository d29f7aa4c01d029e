//! A simulated process: takes signals as the kernel would deliver them, and does what its behaviour says when it is due.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::lab;
use crate::model::{
    Answer, Behavior, ContainerSpec, DefaultAction, Ending, Freezer, Limits, Oom, Reaction, Signal,
};

/// Something that a process does later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    TakeMemory,
    ChildrenExit,
    Exit(i32),
}

/// Signals that a small init (tini) keeps to itself instead of forwarding them: they mean a fault of its own.
const KEPT_BY_INIT: [i32; 9] = [4, 5, 6, 7, 8, 11, 21, 22, 31];

/// What is to be done after how long.
type Agenda = Vec<(Duration, Deed)>;

#[derive(Clone, Debug)]
pub(super) struct Process {
    behavior: Behavior,
    /// Whether a small init is PID 1, and this its child.
    guarded: Guarded,
    motion: Motion,
    /// What fell due, and which signals came, while it could not move.
    overdue: Vec<Deed>,
    pending: BTreeSet<Signal>,

    holds_memory: bool,
    live_children: u32,
    exit: Exit,
    oom: Oom,
    began: Duration,
    limits: Limits,

    cpu_used: Duration,
    moving_since: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guarded {
    ByInit,
    IsPid1,
}

/// A process can be held by the freezer and by SIGSTOP, independently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Motion {
    frozen: bool,
    stopped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    NotThoughtOf,
    /// A handler has begun to end it.
    Begun,
    Happened(i32),
}

impl Process {
    /// Begins to execute; the agenda is what it plans to do.
    pub(super) fn begin(behavior: Behavior, spec: &ContainerSpec, now: Duration) -> (Self, Agenda) {
        let mut agenda = Agenda::new();
        let later = behavior.memory.filter(|memory| !memory.after.is_zero());
        agenda.extend(later.map(|memory| (memory.after, Deed::TakeMemory)));
        agenda.extend(behavior.children.and_then(|c| c.exits).map(|exit| (exit.after, Deed::ChildrenExit)));
        agenda.extend(behavior.exits.map(|exit| (exit.after, Deed::Exit(i32::from(exit.code)))));
        let limits = Limits::of(spec);
        let guards = u32::from(spec.init);
        let room = limits.pids.map_or(u32::MAX, |pids| pids.saturating_sub(1 + guards));
        let mut process = Self {
            guarded: if spec.init { Guarded::ByInit } else { Guarded::IsPid1 },
            motion: Motion { frozen: false, stopped: false },
            overdue: Vec::new(),
            pending: BTreeSet::new(),
            holds_memory: behavior.memory.is_some() && later.is_none(),
            live_children: behavior.children.map_or(0, |children| children.count.min(room)),
            exit: Exit::NotThoughtOf,
            oom: Oom::None,
            began: now,
            limits,
            cpu_used: Duration::ZERO,
            moving_since: now,
            behavior,
        };
        process.obey_memory_limit();
        (process, agenda)
    }

    /// What it writes at once, as a line.
    pub(super) fn output(&self) -> String {
        let mut text = self.behavior.output.clone().unwrap_or_default();
        if self.behavior.output.is_some() && !text.ends_with('\n') {
            text.push('\n');
        }
        self.behavior.tries.iter().for_each(|feat| text.push_str(&feat.told(feat.usual())));
        text
    }

    /// How it ended, once it has.
    pub(super) fn ended(&self) -> Option<Ending> {
        match self.exit {
            Exit::Happened(code) => Some(Ending { code, oom: self.oom }),
            Exit::NotThoughtOf | Exit::Begun => None,
        }
    }

    /// Whether the kernel has killed a child for want of memory since this was last asked.
    pub(super) fn take_oom(&mut self) -> Oom {
        std::mem::replace(&mut self.oom, Oom::None)
    }

    /// What its health check would say now.
    pub(super) fn health(&self, now: Duration) -> Option<Answer> {
        let healthy = self.behavior.is_healthy(now.saturating_sub(self.began))?;
        Some(if healthy { Answer::Good } else { Answer::Bad })
    }

    /// Whether it has a port, frozen or not.
    pub(super) fn has(&self, port: u16) -> bool {
        self.behavior.listen.contains(&port)
    }

    /// Whether it answers at this port: `None` while it cannot move.
    pub(super) fn listens(&self, port: u16) -> Option<bool> {
        (!self.is_held()).then(|| self.behavior.listen.contains(&port))
    }

    /// New limits count from now on.
    pub(super) fn limit(&mut self, limits: Limits, now: Duration) -> Agenda {
        self.cpu_used = self.cpu_time(now);
        self.moving_since = now;
        self.limits = Limits {
            memory: limits.memory.or(self.limits.memory),
            cpus: limits.cpus.or(self.limits.cpus),
            pids: limits.pids.or(self.limits.pids),
            // Nothing here is swapped, and nobody shares a CPU.
            memory_swap: None,
            cpu_shares: None,
        };
        self.obey_memory_limit();
        Agenda::new()
    }

    /// A signal from outside its PID namespace.
    pub(super) fn receive(&mut self, signal: Signal, freezer: Freezer, now: Duration) -> Agenda {
        let held_back = self.motion.frozen && freezer == Freezer::CgroupV1;
        if signal == Signal::KILL && !held_back {
            self.exit = Exit::Happened(signal.exit_code());
            return Agenda::new();
        }
        if signal == Signal::CONT && !self.motion.frozen {
            return self.move_as(Motion { stopped: false, ..self.motion }, now);
        }
        if self.is_held() {
            self.pending.insert(signal);
            return Agenda::new();
        }
        self.deliver(signal, now)
    }

    pub(super) fn freeze(&mut self, now: Duration) -> Agenda {
        self.move_as(Motion { frozen: true, ..self.motion }, now)
    }

    pub(super) fn thaw(&mut self, now: Duration) -> Agenda {
        self.move_as(Motion { frozen: false, ..self.motion }, now)
    }

    /// Does what is due, or keeps it until it can move.
    pub(super) fn act(&mut self, deed: Deed, _now: Duration) -> Agenda {
        if self.is_held() {
            self.overdue.push(deed);
            return Agenda::new();
        }
        match deed {
            Deed::TakeMemory => {
                self.holds_memory = true;
                self.obey_memory_limit();
            }
            Deed::ChildrenExit => self.live_children = 0,
            Deed::Exit(code) => self.exit = Exit::Happened(code),
        }
        Agenda::new()
    }

    /// CPU time used so far.
    pub(super) fn cpu_time(&self, now: Duration) -> Duration {
        let burnt = if self.is_held() { Duration::ZERO } else { self.burnt(now) };
        self.cpu_used.saturating_add(burnt)
    }

    /// Live processes, an init included.
    pub(super) fn count(&self) -> u64 {
        1 + u64::from(self.live_children) + u64::from(self.guarded == Guarded::ByInit)
    }

    /// Memory that it and its children hold.
    pub(super) fn memory(&self) -> u64 {
        let of_children = u64::from(self.live_children).saturating_mul(self.memory_of_a_child());
        self.own_memory().saturating_add(of_children)
    }

    fn own_memory(&self) -> u64 {
        let held = self.behavior.memory.filter(|_| self.holds_memory).map_or(0, |memory| memory.size);
        lab::IDLE_MEMORY.saturating_add(held)
    }

    fn memory_of_a_child(&self) -> u64 {
        let held = self.behavior.children.and_then(|children| children.memory).unwrap_or(0);
        lab::CHILD_MEMORY.saturating_add(held)
    }

    /// The kernel kills the largest process of a cgroup that is over its limit.
    fn obey_memory_limit(&mut self) {
        let Some(limit) = self.limits.memory else { return };
        while self.memory() > limit {
            self.oom = Oom::Struck;
            if self.live_children == 0 || self.own_memory() >= self.memory_of_a_child() {
                self.exit = Exit::Happened(Signal::KILL.exit_code());
                return;
            }
            self.live_children -= 1;
        }
    }

    fn is_held(&self) -> bool {
        self.motion.frozen || self.motion.stopped
    }

    fn burnt(&self, now: Duration) -> Duration {
        let wanted = self.behavior.cpu.saturating_mul(10);
        let per_mille = self.limits.cpus.map_or(wanted, |most| wanted.min(most));
        now.saturating_sub(self.moving_since).saturating_mul(per_mille) / 1000
    }

    /// Holds it or lets it go; what waited for that happens now: signals first, as on the way back from the kernel.
    fn move_as(&mut self, motion: Motion, now: Duration) -> Agenda {
        self.cpu_used = self.cpu_time(now);
        self.moving_since = now;
        self.motion = motion;
        let mut agenda = Agenda::new();
        while !self.is_held() {
            let Some(signal) = self.pending.pop_first() else { break };
            agenda.extend(self.deliver(signal, now));
        }
        if !self.is_held() {
            agenda.extend(self.overdue.drain(..).map(|deed| (Duration::ZERO, deed)));
        }
        agenda
    }

    fn deliver(&mut self, signal: Signal, now: Duration) -> Agenda {
        if signal == Signal::KILL {
            self.exit = Exit::Happened(signal.exit_code());
            return Agenda::new();
        }
        if signal == Signal::STOP {
            return self.move_as(Motion { stopped: true, ..self.motion }, now);
        }
        match self.behavior.signals.get(&signal) {
            Some(Reaction::Exit(exit)) if self.exit == Exit::NotThoughtOf && exit.after.is_zero() => {
                self.exit = Exit::Happened(i32::from(exit.code));
                Agenda::new()
            }
            Some(Reaction::Exit(exit)) if self.exit == Exit::NotThoughtOf => {
                self.exit = Exit::Begun;
                vec![(exit.after, Deed::Exit(i32::from(exit.code)))]
            }
            Some(Reaction::Ignore | Reaction::Handle | Reaction::Exit(_)) => Agenda::new(),
            None => self.default_action(signal, now),
        }
    }

    /// PID 1 is special: the kernel drops every signal that it has no handler for.
    fn default_action(&mut self, signal: Signal, now: Duration) -> Agenda {
        if self.guarded == Guarded::IsPid1 || KEPT_BY_INIT.contains(&signal.number()) {
            return Agenda::new();
        }
        match signal.default_action() {
            DefaultAction::Terminate => self.exit = Exit::Happened(signal.exit_code()),
            DefaultAction::Stop => return self.move_as(Motion { stopped: true, ..self.motion }, now),
            DefaultAction::Ignore | DefaultAction::Continue => {}
        }
        Agenda::new()
    }
}
