//! What was measured on a Docker Engine, cell by cell, against what the model does.

use std::collections::BTreeMap;

use serde::Deserialize;
use terrarium::check::matrix::{Cell, cells, cells_on};
use terrarium::model::{Freezer, HostFacts};
use terrarium::world::simulated::KillFault;

/// A cell of `facts/matrix.json`: where a race decides, several values are allowed.
#[derive(Deserialize)]
struct Measured {
    outcome: String,
    message: Option<String>,
    next: Vec<String>,
    exit: Vec<Option<i32>>,
    events: Vec<Vec<String>>,
}

type Matrix = BTreeMap<String, BTreeMap<String, Measured>>;

#[test]
fn every_measured_cell_agrees_with_the_model() {
    agree(include_str!("facts/matrix.json"));
}

/// Measured later, with the same fixtures on the same version. Cells of `removing` are left out: some of those commands wait
/// on Docker until the removal has ended, and the model refuses them at once.
#[test]
fn every_cell_that_was_not_listed_agrees_with_the_model() {
    agree(include_str!("facts/unlisted.json"));
}

#[expect(clippy::print_stdout, reason = "how many agree is the point")]
fn agree(measured: &str) {
    let measured: Matrix = serde_json::from_str(measured).expect("the measurements are JSON");
    let cells = cells();
    let total: usize = measured.values().map(BTreeMap::len).sum();
    let mut differences = Vec::new();
    for (state, row) in &measured {
        for (command, measured) in row {
            let cell = cells.iter().find(|cell| cell.state == state && cell.command == command);
            match cell {
                Some(cell) => differences.extend(difference(cell, measured)),
                None => differences.push(format!("{state} × {command}: the model has no such cell")),
            }
        }
    }
    println!("{} of {total} measured cells agree", total - differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_cell_is_lived_where_processes_outlive_their_signals_other_cells_come_out() {
    let hanging = cells_on(with(Freezer::CgroupV1), KillFault::HangsInTheKernel);
    for (cell, hanging) in cells().iter().zip(&hanging) {
        let was_killed = cell.events.iter().any(|event| event.starts_with("kill"))
            && cell.events.iter().any(|event| event.starts_with("die"));
        assert_eq!(cell != hanging, was_killed, "{cell:?}\n{hanging:?}");
    }
    assert!(hanging.iter().any(|cell| cell.rules.contains(&"kill.unanswered")));
}

#[test]
fn no_command_can_tell_one_freezer_from_another() {
    let on = |freezer| {
        cells_on(with(freezer), KillFault::None).into_iter().map(|cell| (cell.next, cell.exit, cell.events))
    };
    for freezer in [Freezer::CgroupV2, Freezer::Signals] {
        assert!(on(freezer).eq(on(Freezer::CgroupV1)), "{freezer:?}");
    }
}

fn with(freezer: Freezer) -> HostFacts {
    HostFacts { freezer, ..HostFacts::ASSUMED }
}

fn difference(cell: &Cell, measured: &Measured) -> Option<String> {
    let agrees = cell.outcome == measured.outcome
        && measured.next.iter().any(|next| next == cell.next)
        && measured.exit.contains(&cell.exit)
        && measured.events.contains(&cell.events)
        && measured.message.is_some() == cell.message.is_some();
    let Cell { state, command, outcome, next, exit, events, .. } = cell;
    (!agrees).then(|| {
        format!(
            "{state} × {command}\n  measured {} {:?} {:?} {:?} {:?}\n  model    {outcome} {next:?} {exit:?} {events:?} {:?}",
            measured.outcome, measured.next, measured.exit, measured.events, measured.message, cell.message
        )
    })
}
