//! What holds in every life: random requests, answered by a world in any order and in any way that a world may.
//!
//! Three rules. A refusal has changed nothing. Every request that was accepted is answered, once. No observation, however
//! late or out of place, is too much for the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use terrarium::model::{
    Action, Command, ContainerSpec, Effect, Effects, Ending, Failure, Freezer, Host, HostFacts, Id, Name,
    Observation, Oom, Outcome, Removal, RestartPolicy, Signal, StopTimeout, Ticket, Timer, Verb,
};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_refusal_changes_nothing_and_all_else_is_answered_once(facts in facts(), moves in moves(Sense::Sound)) {
        let mut life = Life::new(facts);
        for next in &moves {
            life.make(next);
        }
        life.come_to_rest();
        prop_assert_eq!(life.unanswered(), Vec::<String>::new());
        prop_assert_eq!(life.thefts, Vec::<String>::new());
    }

    #[test]
    fn no_observation_is_too_much(facts in facts(), moves in moves(Sense::Nonsense)) {
        let mut life = Life::new(facts);
        for next in &moves {
            life.make(next);
        }
        let answered_twice: Vec<_> = life.replies.iter().filter(|(_, replies)| **replies > 1).collect();
        prop_assert!(answered_twice.is_empty(), "{answered_twice:?}");
    }
}

/// One move of a game against the model.
#[derive(Clone)]
enum Move {
    Ask(&'static str, Verb),
    /// The world answers one of the things that it owes, well or badly.
    Answer(Index, Success),
    /// The world says something that nobody waited for.
    Say(u32, Observation),
}

impl fmt::Debug for Move {
    /// Short enough to read a whole game.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(name, Verb::Create(spec)) => {
                write!(f, "create {name} (restart {}, stop signal ", spec.restart)?;
                write!(f, "{:?}, auto-remove {})", spec.stop_signal, spec.auto_remove)
            }
            Self::Ask(name, verb) => write!(f, "{name}: {verb:?}"),
            Self::Answer(which, success) => write!(f, "answer {which:?} {success:?}"),
            Self::Say(id, seen) => write!(f, "{id} says {seen:?}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Success {
    Yes,
    No,
}

/// Whether a world says only what can be.
#[derive(Clone, Copy)]
enum Sense {
    Sound,
    Nonsense,
}

/// What a world has been told to do and has not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Debt {
    Name,
    Process,
    Program,
    Freeze,
    Thaw,
    Timer(Timer),
    Deletion,
    Death,
}

/// A host in the hands of such a world.
struct Life {
    host: Host,
    names: BTreeMap<Name, Id>,
    debts: BTreeSet<(Id, Debt)>,
    /// Processes that were sent SIGKILL.
    doomed: BTreeSet<Id>,
    asked: Vec<(Ticket, Command)>,
    replies: BTreeMap<Ticket, usize>,
    /// Names that somebody else than their owner gave back.
    thefts: Vec<String>,
}

impl Life {
    fn new(facts: HostFacts) -> Self {
        Self {
            host: Host::new(facts),
            names: BTreeMap::new(),
            debts: BTreeSet::new(),
            doomed: BTreeSet::new(),
            asked: Vec::new(),
            replies: BTreeMap::new(),
            thefts: Vec::new(),
        }
    }

    fn make(&mut self, next: &Move) {
        match next {
            Move::Ask(name, verb) => self.ask(&Command { container: named(name), verb: verb.clone() }),
            Move::Answer(_, _) if self.debts.is_empty() => {}
            Move::Answer(which, success) => {
                let debts: Vec<_> = self.debts.iter().copied().collect();
                self.answer(debts[which.index(debts.len())], *success);
            }
            Move::Say(id, seen) => {
                let effects = self.host.observe(Id(*id), seen.clone());
                self.take(effects);
            }
        }
    }

    fn ask(&mut self, command: &Command) {
        let ticket = Ticket(self.asked.len() as u64);
        let before = self.host.clone();
        self.asked.push((ticket, command.clone()));
        match self.host.command(ticket, command) {
            Ok(effects) => self.take(effects),
            Err(refusal) => {
                assert!(self.host == before, "{refusal}: and yet something has changed");
                *self.replies.entry(ticket).or_default() += 1;
            }
        }
    }

    fn answer(&mut self, (id, debt): (Id, Debt), success: Success) {
        self.debts.remove(&(id, debt));
        let well = success == Success::Yes;
        let seen = match debt {
            Debt::Name if self.names.values().any(|owner| *owner == id) => Observation::NameGranted,
            Debt::Name => Observation::NameDenied,
            Debt::Process if well => {
                self.debts.insert((id, Debt::Death));
                Observation::Prepared
            }
            Debt::Process => Observation::PrepareFailed(failure()),
            Debt::Program if well => Observation::Executed,
            Debt::Program => {
                self.debts.remove(&(id, Debt::Death));
                Observation::ExecuteFailed(failure())
            }
            Debt::Freeze if well => Observation::Frozen,
            Debt::Freeze => Observation::FreezeFailed(failure()),
            Debt::Thaw if well => Observation::Thawed,
            Debt::Thaw => Observation::ThawFailed(failure()),
            Debt::Timer(timer) => Observation::Fired(timer),
            Debt::Deletion if well => Observation::Removed,
            Debt::Deletion => Observation::RemoveFailed("it is busy".into()),
            Debt::Death => {
                // With the process goes what was to be done with it.
                for debt in [Debt::Program, Debt::Freeze] {
                    self.debts.remove(&(id, debt));
                }
                let code = if well { 0 } else { 137 };
                Observation::Ended(Ending { code, oom: Oom::None })
            }
        };
        let effects = self.host.observe(id, seen);
        self.take(effects);
    }

    fn take(&mut self, effects: Effects) {
        for effect in effects.0 {
            match effect {
                Effect::Act(id, action) => self.owe(id, &action),
                Effect::Reply(ticket, outcome) => {
                    *self.replies.entry(ticket).or_default() += 1;
                    // What had waited and was then refused is as much an answer as any other.
                    let _: Outcome = outcome;
                }
                Effect::Moved(moved) => assert!(moved.from != moved.to, "{moved:?} leads nowhere"),
                Effect::Emitted(_) => {}
            }
        }
    }

    fn owe(&mut self, id: Id, action: &Action) {
        let debt = match action {
            Action::ClaimName(name) => {
                self.names.entry(name.clone()).or_insert(id);
                Debt::Name
            }
            Action::ReleaseName(name) => {
                match self.names.remove(name) {
                    Some(owner) if owner == id => {}
                    owner => self.thefts.push(format!("{id:?} gave {name} back, which {owner:?} had")),
                }
                return;
            }
            Action::Prepare { .. } => Debt::Process,
            Action::Execute => Debt::Program,
            Action::Signal(signal) => {
                if *signal == Signal::KILL {
                    self.doomed.insert(id);
                }
                return;
            }
            Action::Freeze => Debt::Freeze,
            Action::Thaw => {
                // Thawing ends a freezing that has not come to its end.
                self.debts.remove(&(id, Debt::Freeze));
                Debt::Thaw
            }
            Action::Arm(timer, after) => {
                assert!(*after <= Duration::from_secs(60), "{timer:?} for {after:?}");
                Debt::Timer(*timer)
            }
            Action::Cancel(timer) => {
                self.debts.remove(&(id, Debt::Timer(*timer)));
                return;
            }
            Action::Discard => {
                for debt in [Debt::Process, Debt::Program, Debt::Freeze, Debt::Thaw, Debt::Death] {
                    self.debts.remove(&(id, debt));
                }
                self.doomed.remove(&id);
                return;
            }
            Action::Remove => Debt::Deletion,
            // None of these lives has ports, commands inside, a health check, or limits that change.
            Action::ClaimPorts(_)
            | Action::Exec { .. }
            | Action::Probe
            | Action::StopProbe
            | Action::Limit(_) => return,
        };
        self.debts.insert((id, debt));
    }

    /// The world does all that it owes. Processes end when they are killed; and, since some stops have no deadline, when
    /// somebody still waits for an answer.
    fn come_to_rest(&mut self) {
        for _ in 0..1000 {
            let due = self.debts.iter().copied().find(|(id, debt)| match debt {
                Debt::Death => self.doomed.contains(id),
                Debt::Timer(timer) => *timer != Timer::KillWait,
                _ => true,
            });
            match due.or_else(|| self.awaited()) {
                Some(debt) => self.answer(debt, Success::Yes),
                None => return,
            }
        }
        panic!("it never comes to rest; the world owes {:?}", self.debts);
    }

    /// A death that an unanswered request may be waiting for.
    fn awaited(&self) -> Option<(Id, Debt)> {
        let waiting = self.wrongly_answered().filter_map(|(_, command)| self.names.get(&command.container));
        let mut deaths = waiting.map(|id| (*id, Debt::Death));
        deaths.find(|death| self.debts.contains(death))
    }

    fn wrongly_answered(&self) -> impl Iterator<Item = &(Ticket, Command)> {
        self.asked.iter().filter(|(ticket, _)| self.replies.get(ticket) != Some(&1))
    }

    fn unanswered(&self) -> Vec<String> {
        let told = self.wrongly_answered().map(|(ticket, command)| {
            let (verb, name) = (command.verb.word(), &command.container);
            format!("{verb} {name} ({ticket:?}): {} answers", self.replies.get(ticket).unwrap_or(&0))
        });
        told.collect()
    }
}

fn facts() -> impl Strategy<Value = HostFacts> {
    prop::sample::select(vec![Freezer::CgroupV2, Freezer::CgroupV1, Freezer::Signals])
        .prop_map(|freezer| HostFacts { freezer, ..HostFacts::ASSUMED })
}

fn moves(sense: Sense) -> impl Strategy<Value = Vec<Move>> {
    let success = prop_oneof![9 => Just(Success::Yes), 1 => Just(Success::No)];
    let ask =
        (prop::sample::select(vec!["a", "a", "b"]), verb()).prop_map(|(name, verb)| Move::Ask(name, verb));
    let answer = (any::<Index>(), success).prop_map(|(which, success)| Move::Answer(which, success));
    let nonsense = (0..3_u32, observation()).prop_map(|(id, seen)| Move::Say(id, seen));
    let say = match sense {
        Sense::Sound => 0,
        Sense::Nonsense => 5,
    };
    let next = prop_oneof![5 => ask, 8 => answer, say => nonsense];
    prop::collection::vec(next, 1..60)
}

fn verb() -> impl Strategy<Value = Verb> {
    let timeout = prop::option::of(prop_oneof![
        Just(StopTimeout::Never),
        (0..3_u64).prop_map(|seconds| StopTimeout::After(Duration::from_secs(seconds))),
    ]);
    let signals = [Signal::KILL, Signal::KILL, Signal::TERM, Signal::STOP];
    prop_oneof![
        4 => spec().prop_map(|spec| Verb::Create(Box::new(spec))),
        5 => Just(Verb::Start),
        3 => Just(Verb::Pause),
        2 => Just(Verb::Unpause),
        3 => timeout.clone().prop_map(|timeout| Verb::Stop { timeout, signal: None }),
        2 => timeout.prop_map(|timeout| Verb::Restart { timeout, signal: None }),
        3 => prop::sample::select(signals.to_vec()).prop_map(|signal| Verb::Kill { signal }),
        2 => prop::sample::select(vec![Removal::Gentle, Removal::Forced]).prop_map(Verb::Remove),
    ]
}

fn spec() -> impl Strategy<Value = ContainerSpec> {
    let policies = [
        RestartPolicy::No,
        RestartPolicy::Always,
        RestartPolicy::UnlessStopped,
        RestartPolicy::OnFailure { max: 0 },
        RestartPolicy::OnFailure { max: 2 },
    ];
    let stop_signals = [None, Some(Signal::TERM), Some(Signal::STOP)];
    let chosen = (
        prop::sample::select(policies.to_vec()),
        prop::sample::select(stop_signals.to_vec()),
        prop::bool::weighted(0.2),
    );
    chosen.prop_map(|(restart, stop_signal, auto_remove)| ContainerSpec {
        restart,
        stop_signal,
        auto_remove,
        ..ContainerSpec::default()
    })
}

fn observation() -> impl Strategy<Value = Observation> {
    prop::sample::select(vec![
        Observation::NameGranted,
        Observation::NameDenied,
        Observation::Prepared,
        Observation::PrepareFailed(failure()),
        Observation::Executed,
        Observation::ExecuteFailed(failure()),
        Observation::Ended(Ending { code: 0, oom: Oom::None }),
        Observation::Ended(Ending { code: 137, oom: Oom::Struck }),
        Observation::Frozen,
        Observation::FreezeFailed(failure()),
        Observation::Thawed,
        Observation::ThawFailed(failure()),
        Observation::Fired(Timer::Grace(0)),
        Observation::Fired(Timer::Grace(7)),
        Observation::Fired(Timer::KillWait),
        Observation::Fired(Timer::BackOff),
        Observation::Fired(Timer::SteadyRun),
        Observation::Removed,
        Observation::RemoveFailed("it is busy".into()),
    ])
}

fn failure() -> Failure {
    Failure { code: None, message: "it went wrong".into() }
}

fn named(name: &str) -> Name {
    Name::new(name).unwrap()
}
