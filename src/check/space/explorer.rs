//! All lives in a browser, by hand: the same container and the same world as a model of stateright's, shown by its Explorer.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

use stateright::{Checker as _, Model, Property};

use super::super::rules::{Rule, Tally};
use super::moves::Move;
use super::surroundings::Local;
use super::{Reach, kinds};
use crate::model::{ContainerSpec, Freezer, State};

/// One kind of container, in a world that may do anything.
struct World {
    spec: ContainerSpec,
    freezer: Freezer,
    only: Option<&'static Rule>,
}

/// How far a life has come, and which rule was broken on the way.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    local: Local,
    broken: Option<String>,
}

impl Model for World {
    type State = Place;
    type Action = Move;

    fn init_states(&self) -> Vec<Place> {
        vec![Place { local: Local::new(self.freezer), broken: None }]
    }

    fn actions(&self, place: &Place, actions: &mut Vec<Move>) {
        // Nobody has to follow a life any further that has broken a rule.
        if place.broken.is_none() {
            actions.extend(place.local.moves(&self.spec, Reach::ONE_BY_ONE.requests));
        }
    }

    fn next_state(&self, place: &Place, step: Move) -> Option<Place> {
        let (local, broken) = place.local.after(&self.spec, step, self.only, &mut Tally::default());
        Some(Place { local, broken: broken.map(|violation| violation.to_string()) })
    }

    fn format_action(&self, step: &Move) -> String {
        step.to_string()
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("every rule holds", |_, place: &Place| place.broken.is_none()),
            Property::sometimes("it runs", |_, place: &Place| place.local.state() == State::Running),
            Property::sometimes("it is paused", |_, place: &Place| place.local.state() == State::Paused),
            Property::sometimes("it waits to be started again", |_, place: &Place| {
                place.local.state() == State::Restarting
            }),
            Property::sometimes("it is dead", |_, place: &Place| place.local.state() == State::Dead),
        ]
    }
}

/// The Explorer shows a place by this, however deep what is inside of it.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.local)?;
        match &self.broken {
            Some(broken) => write!(f, "\nbroken: {broken}"),
            None => Ok(()),
        }
    }
}

/// The container that is shown: one whose policy can do everything that a policy can.
fn shown() -> (&'static str, ContainerSpec) {
    kinds().swap_remove(1)
}

/// Serves the Explorer until it is interrupted; says first what it shows.
pub fn serve(
    address: SocketAddr,
    only: Option<&'static Rule>,
    ready: impl FnOnce(&str) -> io::Result<()>,
) -> io::Result<()> {
    // stateright would end the program over an address that is taken.
    drop(TcpListener::bind(address)?);
    let (kind, spec) = shown();
    ready(kind)?;
    let _ = World { spec, freezer: Freezer::CgroupV1, only }.checker().serve(address).is_done();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its own search and ours have to find the same.
    #[test]
    fn stateright_finds_as_many_states_as_we_do() {
        let (_, spec) = kinds().swap_remove(0);
        let freezer = Freezer::CgroupV1;
        let ours = super::super::one(&spec, freezer, Reach::ONE_BY_ONE, None);
        let theirs = World { spec, freezer, only: None }.checker().spawn_bfs().join();
        assert_eq!(theirs.unique_state_count(), ours.states);
        theirs.assert_no_discovery("every rule holds");
    }
}
