//! Rooms: network namespaces, in which each port has one owner.

use super::{Phase, Simulated};
use crate::model::{Behavior, Id, NetworkMode};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Host,
    /// Made for this container; others may have moved in.
    Of(Id),
}

impl Simulated {
    /// Whether somebody else in a container's room listens already where its process wants to.
    pub(super) fn is_forestalled(&self, id: Id, behavior: &Behavior) -> bool {
        let room = self.room(id);
        behavior.listen.iter().any(|port| self.listener(room, *port).is_some_and(|owner| owner != id))
    }

    /// Who listens on a port of the host without its being published: a container that lives in the host's network.
    pub(super) fn listener_on_the_host(&self, port: u16) -> Option<Id> {
        self.listener(Room::Host, port)
    }

    fn listener(&self, room: Room, port: u16) -> Option<Id> {
        let listens = |phase: &Phase| matches!(phase, Phase::Lives(process) if process.has(port));
        let mut living = self.containers.iter().filter(|(_, container)| listens(&container.phase));
        living.find(|(id, _)| self.room(**id) == room).map(|(id, _)| *id)
    }

    /// Whoever joins a container's network is where that one is, which may itself have joined another's.
    fn room(&self, id: Id) -> Room {
        let mut id = id;
        // Nobody can join whoever has not been started yet, so a chain is no longer than there are containers.
        for _ in 0..self.containers.len() {
            match self.containers.get(&id).map(|container| &container.spec.network) {
                Some(NetworkMode::Host) => return Room::Host,
                Some(NetworkMode::Container(other)) => match self.names.get(other) {
                    Some(owner) => id = *owner,
                    None => break,
                },
                _ => break,
            }
        }
        Room::Of(id)
    }
}
