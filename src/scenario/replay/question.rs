//! Of what an answer to a step's question can be checked: nobody understands the question, but the step's
//! expectations say what its author had in mind.

use crate::engine::trace::Checkable;
use crate::model::Name;
use crate::scenario::{ContainerExpect, Step};

pub(super) fn checkable(step: &Step) -> Vec<Checkable> {
    let mut found = Vec::new();
    found.extend(step.refused.as_ref().map(|_| Checkable::Refusal));
    let Some(expect) = &step.expect else { return found };
    found.extend(expect.took.map(|_| Checkable::Took));
    found.extend(expect.exec_exit.map(|code| Checkable::Reply(code.into())));
    found.extend(expect.status.map(Checkable::Reply));
    found.extend(expect.events.as_ref().map(|_| Checkable::Events));
    found.extend(expect.containers.iter().flat_map(|(name, claims)| of_container(name, claims)));
    found
}

fn of_container(name: &Name, claims: &ContainerExpect) -> impl Iterator<Item = Checkable> {
    [
        claims.exit.map(|_| Checkable::Exit(name.clone())),
        claims.state.map(|_| Checkable::State(name.clone())),
        claims.restarts.map(|_| Checkable::Restarts(name.clone())),
        claims.processes.map(|_| Checkable::Processes(name.clone())),
    ]
    .into_iter()
    .flatten()
}
