//! One container and a world around it that may do anything that a world may do, at any time.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::super::moment::{Asked, Input, Moment, Past};
use super::super::rules::{self, Rule, Tally, Violation};
use super::moves::{Move, Owed, REQUESTS, Request};
use super::{PORT, published};
use crate::model::{
    Action, Command, ContainerSpec, Effect, Ending, ExecId, Failure, Freezer, HeldPort, Host, HostFacts, Id,
    Name, Observation, Oom, Resources, RestartPolicy, Signal, State, Ticket, Timer, Within,
};

/// From here on one restart more makes no difference.
const MANY: u32 = 3;
/// And a wait that is longer than this one is like it: how they double is seen by then.
const LONG: Duration = Duration::from_millis(400);

/// A node of the graph: the model of one container, what the world owes it, and what has been noted of its life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Local {
    host: Host,
    freezer: Freezer,
    owes: BTreeSet<Owed>,
    timers: BTreeSet<Timer>,
    process: Process,
    doomed: bool,
    port: bool,
    guest: Option<ExecId>,
    past: Past,
}

/// What a person can know of it, a line each.
impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.host.status(&name());
        write!(f, "web is {}", status.state)?;
        if let Some(code) = status.exit {
            write!(f, ", exit code {code}")?;
        }
        if status.restarts > 0 {
            write!(f, ", started again {} times", status.restarts)?;
        }
        if status.oom {
            f.write_str(", was out of memory")?;
        }
        let process = match self.process {
            Process::None => "there is none",
            Process::Parked => "parked before its program",
            Process::Runs if self.doomed => "runs, and has been sent SIGKILL",
            Process::Runs => "runs",
            Process::StandsStill if self.doomed => "stands still, and has been sent SIGKILL",
            Process::StandsStill => "stands still",
        };
        write!(f, "\nits process: {process}")?;
        let mut list = |what: &str, things: Vec<String>| {
            if things.is_empty() { Ok(()) } else { write!(f, "\n{what}: {}", things.join(", ")) }
        };
        list("timers", self.timers.iter().map(|timer| format!("{timer:?}")).collect())?;
        list(
            "the world was told, and has not done it",
            self.owes.iter().map(|owed| format!("{owed:?}")).collect(),
        )?;
        list(
            "asked and not answered",
            self.past.open.values().map(|open| format!("{:?}", open.verb)).collect(),
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Process {
    None,
    Parked,
    Runs,
    StandsStill,
}

fn name() -> Name {
    Name::new("web").expect("a letter begins it")
}

fn failure() -> Failure {
    Failure { code: None, message: "it went wrong".into() }
}

fn port() -> HeldPort {
    HeldPort::granted(&published(), PORT)
}

impl Local {
    pub(super) fn new(freezer: Freezer) -> Self {
        Self {
            host: Host::new(HostFacts { freezer, ..HostFacts::ASSUMED }),
            freezer,
            owes: BTreeSet::new(),
            timers: BTreeSet::new(),
            process: Process::None,
            doomed: false,
            port: false,
            guest: None,
            past: Past::default(),
        }
    }

    #[cfg(feature = "explore")]
    pub(super) fn state(&self) -> State {
        self.host.status(&name()).state
    }

    pub(super) fn holds_port(&self) -> bool {
        self.port
    }

    /// Whether nobody waits for an answer that has to come.
    pub(super) fn is_quiet(&self) -> bool {
        let frozen = self.process == Process::StandsStill;
        self.past.open.values().all(|request| match request.verb {
            Asked::Wait | Asked::Exec => true,
            // Without a deadline, and paused meanwhile: whoever asks for both is taken at his word.
            Asked::Stop | Asked::Restart => frozen && request.due.is_none(),
            _ => false,
        })
    }

    /// Everything that may happen next, if so many requests may wait at the same time.
    pub(super) fn moves(&self, spec: &ContainerSpec, requests: usize) -> Vec<Move> {
        let mut moves = Vec::new();
        let there = self.host.names().next().is_some();
        if self.past.open.len() < requests {
            if there {
                let one_guest = |request: &&Request| **request != Request::Exec || self.guest.is_none();
                let policy =
                    |request: &&Request| **request != Request::Update || spec.restart != RestartPolicy::No;
                moves.extend(
                    REQUESTS.iter().filter(one_guest).filter(policy).map(|request| Move::Ask(*request)),
                );
            } else {
                moves.push(Move::Ask(Request::Create));
            }
        }
        for owed in &self.owes {
            moves.extend([Move::Well(*owed), Move::Badly(*owed)]);
        }
        moves.extend(self.timers.iter().map(|timer| Move::Fire(*timer)));
        let held_back = self.process == Process::StandsStill && self.freezer == Freezer::CgroupV1;
        match self.process {
            Process::Parked => moves.push(Move::End(137, Oom::None)),
            Process::Runs | Process::StandsStill if self.doomed && !held_back => {
                moves.push(Move::End(137, Oom::None));
            }
            Process::Runs => {
                moves.extend([0, 1, 137].map(|code| Move::End(code, Oom::None)));
                moves.extend([Move::End(137, Oom::Struck), Move::ChildOom]);
            }
            Process::StandsStill if !held_back => moves.push(Move::End(137, Oom::None)),
            Process::StandsStill | Process::None => {}
        }
        if self.guest.is_some() && !self.owes.contains(&Owed::Exec) && self.process == Process::Runs {
            moves.push(Move::GuestEnds);
        }
        if there {
            moves.extend([Move::Keeper, Move::Reboot]);
        }
        moves
    }

    /// The node that a move leads to, and the first rule that it breaks.
    pub(super) fn after(
        &self,
        spec: &ContainerSpec,
        step: Move,
        only: Option<&'static Rule>,
        tally: &mut Tally,
    ) -> (Self, Option<Violation>) {
        let name = name();
        let before = self.host.status(&name);
        let mut next = self.clone();
        let mut refusal = None;
        let mut asked = None;
        let mut seen = None;
        let effects = match step {
            Move::Ask(request) => {
                let ticket = (0..=u64::MAX).map(Ticket).find(|ticket| !self.past.open.contains_key(ticket));
                let ticket = ticket.expect("fewer are open than there are numbers");
                let command = Command { container: name.clone(), verb: request.verb(spec) };
                let result = next.host.command(ticket, &command);
                asked = Some((ticket, command));
                match result {
                    Ok(effects) => effects.0,
                    Err(why) => {
                        refusal = Some(why);
                        Vec::new()
                    }
                }
            }
            Move::Keeper => {
                next.lose_everything();
                let effects = next.host.keeper_lost().0;
                next.timers.retain(|timer| *timer == Timer::BackOff);
                effects
            }
            Move::Reboot => {
                next.lose_everything();
                next.timers.clear();
                next.host.wake().0
            }
            _ => {
                let observation = next.observe(step);
                let effects = next.host.observe(Id(0), observation.clone()).0;
                seen = Some(observation);
                effects
            }
        };
        for effect in &effects {
            if let Effect::Act(_, action) = effect {
                next.owe(action);
            }
        }
        next.host.saturate_counts(MANY, LONG);
        let input = match (&asked, &seen, step) {
            (Some((ticket, command)), _, _) => Input::Asked(*ticket, command),
            (_, Some(seen), _) => Input::Seen(seen),
            (_, _, Move::Keeper) => Input::KeeperLost,
            _ => Input::HostWoke,
        };
        next.past.take_in(Duration::ZERO, None, input, &effects);
        if refusal.is_some() {
            next.past.clone_from(&self.past);
        }
        let after = next.host.status(&name);
        let costs = next.costs();
        let moves = next.process == Process::Runs && !next.doomed;
        let moment = Moment {
            name: &name,
            at: Duration::ZERO,
            input,
            effects: &effects,
            refusal: refusal.as_ref(),
            before: &before,
            after: &after,
            costs: &costs,
            burnt_in: moves.then_some(after.state),
            past: &self.past,
            now: &next.past,
            others: &[],
            freezer: self.freezer,
        };
        tally.count(&moment);
        let mut broken = Vec::new();
        rules::judge(&moment, only, &mut broken);
        next.past.take_in_costs(after.state, &costs);
        next.past.saturate(after.state, MANY, LONG);
        if after.state == State::Absent && next.host.names().next().is_none() {
            next.past = Past::default();
            // Nothing that is owed to nobody reaches the next one of its name.
            next.lose_everything();
            next.timers.clear();
        }
        (next, broken.into_iter().next())
    }

    /// Every process is gone, and nobody answers any more.
    fn lose_everything(&mut self) {
        self.owes.clear();
        self.process = Process::None;
        self.doomed = false;
        self.port = false;
        self.guest = None;
    }

    /// The world does something, and says so.
    fn observe(&mut self, step: Move) -> Observation {
        match step {
            Move::Well(owed) => {
                self.owes.remove(&owed);
                self.do_well(owed)
            }
            Move::Badly(owed) => {
                self.owes.remove(&owed);
                self.do_badly(owed)
            }
            Move::Fire(timer) => {
                self.timers.remove(&timer);
                Observation::Fired(timer)
            }
            Move::ChildOom => Observation::Within(Within::OutOfMemory),
            Move::GuestEnds => {
                let exec = self.guest.take().unwrap_or(ExecId(0));
                Observation::Within(Within::ExecEnded(exec, 0))
            }
            Move::End(code, oom) => {
                self.process = Process::None;
                self.doomed = false;
                self.guest = None;
                // With the process goes what was to be done with it.
                for owed in [Owed::Program, Owed::Freeze, Owed::Thaw, Owed::Exec] {
                    self.owes.remove(&owed);
                }
                Observation::Ended(Ending { code, oom })
            }
            Move::Ask(_) | Move::Keeper | Move::Reboot => unreachable!("nobody sees these"),
        }
    }

    fn do_well(&mut self, owed: Owed) -> Observation {
        match owed {
            Owed::Name => Observation::NameGranted,
            Owed::Ports => {
                self.port = true;
                Observation::PortsGranted(vec![port()])
            }
            Owed::Process => {
                self.process = Process::Parked;
                Observation::Prepared
            }
            Owed::Program => {
                self.process = Process::Runs;
                Observation::Executed
            }
            Owed::Freeze => {
                self.process = Process::StandsStill;
                Observation::Frozen
            }
            Owed::Thaw => {
                self.process = Process::Runs;
                Observation::Thawed
            }
            Owed::Deletion => Observation::Removed,
            Owed::Exec => Observation::Within(Within::ExecBegan(self.guest.unwrap_or(ExecId(0)))),
        }
    }

    fn do_badly(&mut self, owed: Owed) -> Observation {
        match owed {
            Owed::Name => Observation::NameDenied,
            Owed::Ports => Observation::PortsDenied(failure()),
            Owed::Process => Observation::PrepareFailed(failure()),
            Owed::Program => {
                self.process = Process::None;
                Observation::ExecuteFailed(failure())
            }
            Owed::Freeze => Observation::FreezeFailed(failure()),
            Owed::Thaw => Observation::ThawFailed(failure()),
            Owed::Deletion => Observation::RemoveFailed("it is busy".into()),
            Owed::Exec => {
                let exec = self.guest.take().unwrap_or(ExecId(0));
                Observation::Within(Within::ExecFailed(exec, failure()))
            }
        }
    }

    /// Notes what the world is told to do.
    fn owe(&mut self, action: &Action) {
        let owed = match action {
            Action::ClaimName(_) => Owed::Name,
            Action::ClaimPorts(_) => Owed::Ports,
            Action::Prepare { .. } => Owed::Process,
            Action::Execute => Owed::Program,
            Action::Freeze => Owed::Freeze,
            Action::Thaw => {
                self.owes.remove(&Owed::Freeze);
                Owed::Thaw
            }
            Action::Remove => Owed::Deletion,
            Action::Exec { exec, .. } => {
                self.guest = Some(*exec);
                Owed::Exec
            }
            Action::Signal(signal) => {
                self.doomed |= *signal == Signal::KILL && self.process != Process::None;
                return;
            }
            Action::Arm(timer, _) => {
                self.timers.insert(*timer);
                return;
            }
            Action::Cancel(timer) => {
                self.timers.remove(timer);
                return;
            }
            Action::Discard => {
                self.lose_everything();
                return;
            }
            Action::ReleaseName(_) | Action::Probe | Action::StopProbe | Action::Limit(_) => return,
        };
        self.owes.insert(owed);
    }

    fn costs(&self) -> Resources {
        let there = u64::from(self.process != Process::None);
        Resources {
            processes: Some(there),
            memory_bytes: Some(there),
            namespaces: Some(there),
            mounts: Some(there),
            ports: self.port.then(|| port().to_string()).into_iter().collect(),
            ..Resources::zero()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of it if it is asked for these, and the world does whatever it is told at once.
    fn after(requests: &[Request]) -> Local {
        let spec = ContainerSpec { publish: vec![published()], ..ContainerSpec::default() };
        let go_on = |local: Local, step| {
            let (next, broken) = local.after(&spec, step, None, &mut Tally::default());
            assert!(broken.is_none(), "{broken:?}");
            next
        };
        let mut local = Local::new(Freezer::CgroupV1);
        for request in requests {
            local = go_on(local, Move::Ask(*request));
            while let Some(owed) = local.owes.iter().next().copied() {
                local = go_on(local, Move::Well(owed));
            }
        }
        local
    }

    #[test]
    fn it_costs_what_it_has() {
        let running = after(&[Request::Create, Request::Start]);
        let costs = running.costs();
        assert_eq!(costs.processes.zip(costs.memory_bytes), Some((1, 1)));
        assert_eq!(costs.namespaces.zip(costs.mounts), Some((1, 1)));
        assert_eq!((costs.ports, running.holds_port()), (vec![port().to_string()], true));
        let costs = after(&[]).costs();
        assert_eq!(costs.processes.zip(costs.memory_bytes), Some((0, 0)));
        assert_eq!(costs.namespaces.zip(costs.mounts), Some((0, 0)));
        assert!(costs.ports.is_empty());
    }

    #[test]
    fn what_has_to_be_answered_is_not_quiet_until_it_is() {
        let quiet = |requests: &[Request]| after(requests).is_quiet();
        let running = [Request::Create, Request::Start];
        assert!(quiet(&running));
        assert!(quiet(&[Request::Create, Request::Start, Request::Wait]), "it may run for ever");
        assert!(quiet(&[Request::Create, Request::Start, Request::Exec]), "it may, too");
        assert!(!quiet(&[Request::Create, Request::Start, Request::Stop]));
        assert!(!quiet(&[Request::Create, Request::Start, Request::StopPatiently]));
        assert!(!quiet(&[Request::Create, Request::Start, Request::Stop, Request::Pause]));
        assert!(
            quiet(&[Request::Create, Request::Start, Request::StopPatiently, Request::Pause]),
            "both were asked for"
        );
    }

    #[test]
    fn who_stands_still_ends_by_a_signal_where_the_freezer_lets_it() {
        let ends = |freezer| {
            let paused = after(&[Request::Create, Request::Start, Request::Pause]);
            let paused = Local { freezer, ..paused };
            paused.moves(&ContainerSpec::default(), 0).contains(&Move::End(137, Oom::None))
        };
        assert!(ends(Freezer::CgroupV2) && !ends(Freezer::CgroupV1));
    }
}
