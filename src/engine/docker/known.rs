//! What is known of one container in Docker: its events so far, told as steps along the arrows of the diagram.
//!
//! Docker has no word for `stopping`: it is what runs while a stop that was asked for here has sent its signal. Nor has its
//! `events` any for back-off: whoever has died is asked whether it restarts.

use std::collections::BTreeSet;

use super::creation::health_words;
use super::event::Told;
use crate::model::{ContainerSpec, EventKind, Name, Rule, State};

/// A container, as far as it has been told of.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: Name,
    pub(super) spec: ContainerSpec,
    pub(super) state: State,
    /// What commands inside it have written.
    pub(super) written_inside: String,
    under_way: UnderWay,
    last: EventKind,
    probe_words: Option<String>,
    probes: BTreeSet<String>,
}

/// What was asked for and is not answered yet, of what tells one kill from another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnderWay {
    pub(super) stops: u32,
    pub(super) removals: u32,
}

/// What Docker shows of a container that has just died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterDeath {
    Rests,
    Restarts,
}

impl Known {
    pub(super) fn new(name: Name, spec: ContainerSpec) -> Self {
        Self {
            name,
            probe_words: health_words(&spec),
            spec,
            state: State::Absent,
            written_inside: String::new(),
            under_way: UnderWay::default(),
            last: EventKind::Create,
            probes: BTreeSet::new(),
        }
    }

    pub(super) fn under_way(&mut self) -> &mut UnderWay {
        &mut self.under_way
    }

    /// Docker tells of each health probe as of any other command inside; a story would drown in them.
    pub(super) fn is_probe(&mut self, told: &Told) -> bool {
        let Some(exec) = &told.exec else { return false };
        if told.kind == EventKind::ExecCreate && self.probe_words.is_some() && told.words == self.probe_words
        {
            self.probes.insert(exec.clone());
        }
        self.probes.contains(exec)
    }

    /// Along which arrows this event leads.
    pub(super) fn moves(&mut self, kind: EventKind, after_death: AfterDeath) -> Vec<(State, Rule)> {
        use State::*;
        let thawed_by_signal = matches!(self.last, EventKind::Kill(_));
        self.last = kind;
        let stops = self.under_way.stops > 0;
        match (kind, self.state) {
            (EventKind::Create, _) => vec![(Creating, Rule::CreateClaim), (Created, Rule::CreateParked)],
            (EventKind::Start, _) => vec![(Running, Rule::StartExec)],
            (EventKind::Pause, Running) => vec![(Paused, Rule::PauseFreeze)],
            (EventKind::Unpause, Paused) if thawed_by_signal => vec![(Running, Rule::KillThaws)],
            (EventKind::Unpause, Paused) => vec![(Running, Rule::UnpauseThaw)],
            (EventKind::Kill(_), Running | Paused | Stopping) if self.under_way.removals > 0 => {
                vec![(Removing, Rule::RemoveBegin)]
            }
            (EventKind::Kill(_), Running) if stops => vec![(Stopping, Rule::StopGrace)],
            (EventKind::Kill(_), Paused) if stops => vec![(Stopping, Rule::StopPaused)],
            (EventKind::Die(_), Removing) => vec![],
            (EventKind::Die(_), Stopping) => vec![(Stopped, Rule::StopEnded)],
            (EventKind::Die(_), _) if after_death == AfterDeath::Restarts => {
                vec![(Restarting, Rule::RestartPolicy)]
            }
            (EventKind::Die(_), _) => vec![(Stopped, Rule::ExitCode)],
            (EventKind::Stop, Restarting) => vec![(Stopped, Rule::StopBackOff)],
            (EventKind::Destroy, Removing) => vec![(Absent, Rule::RemoveDone)],
            (EventKind::Destroy, _) => {
                let by_itself = self.spec.auto_remove && self.under_way.removals == 0;
                let began = if by_itself { Rule::RemoveAuto } else { Rule::RemoveBegin };
                vec![(Removing, began), (Absent, Rule::RemoveDone)]
            }
            _ => vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Signal;

    fn life(known: &mut Known, kinds: &[EventKind], after_death: AfterDeath) -> Vec<State> {
        let mut states = Vec::new();
        for kind in kinds {
            for (state, _) in known.moves(*kind, after_death) {
                known.state = state;
                states.push(state);
            }
        }
        states
    }

    fn web() -> Known {
        Known::new(Name::new("web").unwrap(), ContainerSpec::default())
    }

    const TERM: EventKind = EventKind::Kill(Signal::TERM);

    #[test]
    fn a_kill_is_the_beginning_of_a_stop_only_while_one_is_under_way() {
        use State::*;
        let mut killed = web();
        let events = [EventKind::Create, EventKind::Start, TERM, EventKind::Die(0)];
        assert_eq!(life(&mut killed, &events, AfterDeath::Rests), [Creating, Created, Running, Stopped]);
        let mut stopped = web();
        stopped.under_way().stops = 1;
        assert_eq!(
            life(&mut stopped, &events, AfterDeath::Rests),
            [Creating, Created, Running, Stopping, Stopped]
        );
    }

    #[test]
    fn whoever_dies_and_restarts_is_in_back_off_until_a_stop_or_a_start() {
        use State::*;
        let mut known = web();
        known.state = Running;
        let events = [EventKind::Die(3), EventKind::Start, EventKind::Die(3), EventKind::Stop];
        assert_eq!(
            life(&mut known, &events, AfterDeath::Restarts),
            [Restarting, Running, Restarting, Stopped]
        );
    }

    #[test]
    fn a_probe_is_told_from_a_command_by_its_words() {
        let check = crate::model::HealthCheck {
            test: vec!["CMD".into(), "true".into()],
            interval: std::time::Duration::from_secs(1),
            timeout: std::time::Duration::from_secs(1),
            retries: 1,
            start_period: std::time::Duration::ZERO,
        };
        let mut known = Known::new(
            Name::new("web").unwrap(),
            ContainerSpec { health: Some(check), ..ContainerSpec::default() },
        );
        let told = |kind, words: Option<&str>, exec: &str| Told {
            at: 0,
            id: String::new(),
            name: String::new(),
            kind,
            words: words.map(Into::into),
            exec: Some(exec.into()),
        };
        assert!(known.is_probe(&told(EventKind::ExecCreate, Some("true"), "1")));
        assert!(!known.is_probe(&told(EventKind::ExecCreate, Some("exit 7"), "2")));
        assert!(known.is_probe(&told(EventKind::ExecDie(0), None, "1")));
        assert!(!known.is_probe(&told(EventKind::ExecDie(7), None, "2")));
    }
}
