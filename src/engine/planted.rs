//! Planted bugs: each alters one thing that the model says or hears, as if the arm that says or hears it were wrong.
//!
//! They sit at the seam between the model and its world, so neither of the two knows of them: a bug in an arm of the model
//! shows there as an effect that is missing, added or changed, or as an observation that goes unheard.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::model::{
    Action, Command, Effect, Effects, Event, EventKind, HeldPort, Host, Id, Name, Observation, Removal,
    Resources, RestartPolicy, State, Status, Timer, Transition, Verb,
};

/// Writes the table below as an enum, so that no bug is without its name and its sentence.
macro_rules! breaks {
    ($($bug:ident $name:literal: $sentence:literal;)+) => {
        /// A classic bug of container engines, to be planted and to be caught.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Break {
            $(#[doc = $sentence] $bug,)+
        }

        impl Break {
            /// All of them, in the order of a life.
            pub const ALL: &[Self] = &[$(Self::$bug,)+];

            /// What it is called.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$bug => $name,)+ }
            }

            /// What goes wrong.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$bug => $sentence,)+ }
            }
        }
    };
}

breaks! {
    TwoOwners "two-owners": "A host port that somebody holds is given to another container as well.";
    LeakOnFailedStart "leak-on-failed-start": "A start that failed does not give back what it had got so far.";
    FreezeUndone "freeze-undone": "A pause is answered, and the processes go on running all the same.";
    NoThaw "no-thaw": "Stop sends its signal to a paused container and forgets to thaw it.";
    NoSigkill "no-sigkill": "When the grace period of a stop is over, no SIGKILL follows.";
    TimerLeftArmed "timer-left-armed": "The timer of a grace period goes on after the process has ended.";
    LostAnswer "lost-answer": "Of two stops at once only the first is answered.";
    KillTellsStop "kill-tells-stop": "A kill tells of a stop, too.";
    OomUntold "oom-untold": "A death for want of memory is told without its oom.";
    ZombieLeft "zombie-left": "A process that has ended is never waited for, and stays as a zombie.";
    FirstExitCode "first-exit-code": "Every later run ends with the exit code of the first.";
    RestartedAlthoughStopped "restarted-although-stopped": "A restart policy starts again what was stopped by hand.";
    CountUnbounded "count-unbounded": "The N of on-failure:N is never looked at.";
    BackOffFlat "back-off-flat": "The wait of a back-off stays at 100 ms instead of doubling.";
    BackOffUncapped "back-off-uncapped": "The wait of a back-off doubles beyond a minute.";
    BackOffNotReset "back-off-not-reset": "A long run does not begin the back-off anew.";
    PortKept "port-kept": "A container in back-off keeps its host ports.";
    GentleRemovalKills "gentle-removal-kills": "Remove takes a running container without being asked to force.";
    NameKept "name-kept": "A removed container keeps its name.";
}

/// The longest wait of a back-off, and what doubling makes of the one before it.
const CAP: Duration = Duration::from_secs(60);
const BEYOND_THE_CAP: Duration = Duration::from_millis(102_400);
const FIRST_WAIT: Duration = Duration::from_millis(100);

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Break {
    type Err = NoSuchBreak;

    fn from_str(text: &str) -> Result<Self, NoSuchBreak> {
        Self::ALL.iter().copied().find(|bug| bug.name() == text).ok_or_else(|| NoSuchBreak(text.into()))
    }
}

/// Why a text is the name of no planted bug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no bug `{0}` to plant (see all: terrarium check --break list)")]
pub struct NoSuchBreak(String);

/// What effects come from.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'a> {
    /// Somebody asked for something.
    Asked(&'a Command),
    /// A world saw something.
    Seen(Id, &'a Observation),
    /// Something happened to the whole host.
    Host,
}

/// The seam between a model and its world, and the bug that sits there, if one does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Planted {
    bug: Option<Break>,
    /// The exit code of each container's first run, for the bug that keeps it.
    first_codes: BTreeMap<Id, i32>,
}

impl From<Break> for Planted {
    fn from(bug: Break) -> Self {
        Self { bug: Some(bug), first_codes: BTreeMap::new() }
    }
}

impl Planted {
    /// Which bug it is.
    pub fn bug(&self) -> Option<Break> {
        self.bug
    }

    /// What the model hears of a request, if that is something else.
    pub fn asked(&self, host: &Host, command: &Command) -> Option<Command> {
        let policy = host.spec(&command.container).map(|spec| spec.restart);
        let verb = match (self.bug?, &command.verb) {
            (Break::RestartedAlthoughStopped, Verb::Stop { timeout, signal })
                if !matches!(policy, None | Some(RestartPolicy::No))
                    && host.status(&command.container).state == State::Running =>
            {
                Verb::Restart { timeout: *timeout, signal: *signal }
            }
            (Break::CountUnbounded, Verb::Create(spec))
                if matches!(spec.restart, RestartPolicy::OnFailure { .. }) =>
            {
                let mut spec = spec.clone();
                spec.restart = RestartPolicy::OnFailure { max: 0 };
                Verb::Create(spec)
            }
            (Break::GentleRemovalKills, Verb::Remove(Removal::Gentle)) => Verb::Remove(Removal::Forced),
            _ => return None,
        };
        Some(Command { container: command.container.clone(), verb })
    }

    /// What the model hears of an observation, if it does.
    pub fn seen(&mut self, host: &Host, id: Id, seen: Observation) -> Option<Observation> {
        match (self.bug, seen) {
            (Some(Break::NoSigkill), Observation::Fired(Timer::Grace(_)))
            | (Some(Break::BackOffNotReset), Observation::Fired(Timer::SteadyRun)) => None,
            (Some(Break::FirstExitCode), Observation::Ended(mut ending)) => {
                ending.code = *self.first_codes.entry(id).or_insert(ending.code);
                Some(Observation::Ended(ending))
            }
            (Some(Break::TwoOwners), Observation::PortsDenied(_)) => {
                Some(Observation::PortsGranted(wished_by(host, id)))
            }
            (_, seen) => Some(seen),
        }
    }

    /// Alters what the model has said.
    pub fn said(&self, cause: Cause<'_>, effects: &mut Effects) {
        let Some(bug) = self.bug else { return };
        let effects = &mut effects.0;
        match (bug, cause) {
            (Break::LeakOnFailedStart, Cause::Seen(_, seen)) if is_failed_start(seen) => {
                effects.retain(|effect| !does(effect, &Action::Discard));
            }
            (Break::FreezeUndone, Cause::Seen(id, Observation::Frozen)) => {
                effects.push(Effect::Act(id, Action::Thaw));
            }
            (Break::NoThaw, Cause::Asked(_)) if moves(effects, State::Paused, State::Stopping) => {
                effects.retain(|effect| !does(effect, &Action::Thaw));
            }
            (Break::TimerLeftArmed, _) => {
                effects.retain(|effect| !matches!(effect, Effect::Act(_, Action::Cancel(Timer::Grace(_)))));
            }
            (Break::LostAnswer, _) => lose_second_answer(effects),
            (Break::KillTellsStop, Cause::Seen(_, Observation::Ended(_))) => tell_of_stop(effects),
            (Break::OomUntold, _) => effects.retain(|effect| told(effect) != Some(EventKind::Oom)),
            (Break::BackOffFlat, _) => alter_wait(effects, |_| FIRST_WAIT),
            (Break::BackOffUncapped, _) => {
                alter_wait(effects, |wait| if wait == CAP { BEYOND_THE_CAP } else { wait });
            }
            (Break::PortKept, _) if effects.iter().any(|effect| enters(effect, State::Restarting)) => {
                effects.retain(|effect| !does(effect, &Action::Discard));
            }
            (Break::NameKept, _) if effects.iter().any(|effect| enters(effect, State::Absent)) => {
                effects.retain(|effect| !matches!(effect, Effect::Act(_, Action::ReleaseName(_))));
            }
            _ => {}
        }
    }

    /// Alters what the host counts.
    pub fn counted(&self, status: &Status, resources: &mut Resources) {
        let has_ended = matches!(status.state, State::Stopped | State::Restarting);
        if self.bug == Some(Break::ZombieLeft) && has_ended {
            resources.processes = Some(1);
        }
    }
}

/// The host ports that a container asks for by number.
fn wished_by(host: &Host, id: Id) -> Vec<HeldPort> {
    let is_its = |name: &&Name| host.id(name) == Some(id);
    let spec = host.names().find(is_its).and_then(|name| host.spec(name));
    let wished = spec.map(|spec| spec.publish.as_slice()).unwrap_or_default();
    wished.iter().filter_map(|wish| Some(HeldPort::granted(wish, wish.host?))).collect()
}

fn is_failed_start(seen: &Observation) -> bool {
    matches!(
        seen,
        Observation::PortsDenied(_) | Observation::PrepareFailed(_) | Observation::ExecuteFailed(_)
    )
}

fn does(effect: &Effect, wanted: &Action) -> bool {
    matches!(effect, Effect::Act(_, action) if action == wanted)
}

fn told(effect: &Effect) -> Option<EventKind> {
    match effect {
        Effect::Emitted(event) => Some(event.kind),
        Effect::Act(..) | Effect::Moved(_) | Effect::Reply(..) => None,
    }
}

fn enters(effect: &Effect, state: State) -> bool {
    matches!(effect, Effect::Moved(Transition { to, .. }) if *to == state)
}

fn moves(effects: &[Effect], away: State, into: State) -> bool {
    let is_it =
        |effect: &Effect| matches!(effect, Effect::Moved(moved) if moved.from == away && moved.to == into);
    effects.iter().any(is_it)
}

/// A stop is answered after its event; the second one here is not.
fn lose_second_answer(effects: &mut Vec<Effect>) {
    let stops: Vec<usize> =
        (0..effects.len()).filter(|nth| told(&effects[*nth]) == Some(EventKind::Stop)).collect();
    let Some(second) = stops.get(1) else { return };
    let answer = (*second..effects.len()).find(|nth| matches!(effects[*nth], Effect::Reply(..)));
    if let Some(answer) = answer {
        effects.remove(answer);
    }
}

/// A death by SIGKILL, asked for by hand and not by a stop, gets the event of a stop.
fn tell_of_stop(effects: &mut Vec<Effect>) {
    let by_kill = effects.iter().any(|effect| does(effect, &Action::Cancel(Timer::KillWait)));
    let of_stop = effects.iter().any(|effect| {
        matches!(effect, Effect::Moved(moved) if matches!(moved.from, State::Stopping | State::Removing))
    });
    let death = effects.iter().position(|effect| matches!(told(effect), Some(EventKind::Die(_))));
    if let Some(nth) = death.filter(|_| by_kill && !of_stop)
        && let Effect::Emitted(Event { container, .. }) = &effects[nth]
    {
        let stop = Event { container: container.clone(), kind: EventKind::Stop };
        effects.insert(nth + 1, Effect::Emitted(stop));
    }
}

fn alter_wait(effects: &mut [Effect], alter: impl Fn(Duration) -> Duration) {
    for effect in effects {
        if let Effect::Act(_, Action::Arm(Timer::BackOff, wait)) = effect {
            *wait = alter(*wait);
        }
    }
}
