//! `terrarium model`: the state machine, drawn and written down from the code.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::written;
use crate::check::matrix::{self, Cell};
use crate::model::{Rule, State};
use crate::report::diagram;

/// Print the state machine, generated from the code
#[derive(Args)]
pub(super) struct Model {
    /// As what
    #[arg(long, default_value = "mermaid")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// The diagram for Markdown, as Mermaid draws it
    Mermaid,
    /// The diagram for Graphviz
    Dot,
    /// Every state against every command
    Table,
    /// States, rules and all cells
    Json,
}

impl Model {
    pub(super) fn perform(&self) -> u8 {
        let text = match self.format {
            Format::Mermaid => diagram::mermaid(),
            Format::Dot => diagram::dot(),
            Format::Table => table(&matrix::cells()),
            Format::Json => json(&matrix::cells()),
        };
        written("the model", &text)
    }
}

/// A block for each state, a line for each command.
fn table(cells: &[Cell]) -> String {
    let mut text = String::new();
    let mut state = "";
    for cell in cells {
        if cell.state != state {
            state = cell.state;
            let _ = writeln!(
                text,
                "\n{state}\n{:<21}{:<9}{:<12}{:<6}events",
                "  command", "outcome", "next", "exit"
            );
        }
        let exit = cell.exit.map_or_else(|| "-".into(), |code| code.to_string());
        let events = cell.events.join(", ");
        let line = format!("  {:<19}{:<9}{:<12}{exit:<6}{events}", cell.command, cell.outcome, cell.next);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.trim_start().into()
}

fn json(cells: &[Cell]) -> String {
    let states: Vec<_> = State::ALL
        .iter()
        .map(|state| {
            json!({
                "name": state.word(), "docker": state.docker(), "oci": state.oci(), "sentence": state.sentence(),
            })
        })
        .collect();
    let rules: Vec<_> = Rule::ALL
        .iter()
        .map(|rule| json!({"id": rule.id(), "sentence": rule.sentence(), "source": rule.source()}))
        .collect();
    format!("{}\n", json!({"states": states, "rules": rules, "cells": cells}))
}
