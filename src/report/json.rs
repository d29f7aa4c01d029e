//! One object a line, for programs.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::trace::{
    Audience, Closing, Divergence, Entry, Opening, ShownImage, ShownLayer, StepOpening, StepTrace,
};
use crate::model::State;

/// JSON lines.
pub struct Json<W> {
    out: W,
}

impl<W: Write> Json<W> {
    /// Writes there.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    fn object(&mut self, object: &Value) -> io::Result<()> {
        writeln!(self.out, "{object}")?;
        self.out.flush()
    }
}

impl<W: Write> Audience for Json<W> {
    fn opening(&mut self, opening: &Opening) -> io::Result<()> {
        let host = opening.host.map_or_else(|| json!({}), |facts| json!(facts));
        self.object(&json!({
            "type": "scenario", "title": opening.title, "file": opening.file, "engine": opening.engine, "host": host,
        }))
    }

    fn step_begins(&mut self, _: &StepOpening) -> io::Result<()> {
        Ok(())
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        let transitions: Vec<_> = step
            .transitions()
            .map(|(at, moved)| {
                json!({"container": moved.container, "from": moved.from, "to": moved.to, "at": seconds(at), "rule": moved.rule})
            })
            .collect();
        let events: Vec<_> = step
            .events()
            .map(|(at, event)| {
                json!({
                    "container": event.container, "action": event.kind.action(), "detail": event.kind.detail(),
                    "at": seconds(at),
                })
            })
            .collect();
        let ledger: serde_json::Map<_, _> = step
            .ledger
            .iter()
            .map(|(name, change)| {
                (name.to_string(), json!({"before": entry(&change.before), "after": entry(&change.after)}))
            })
            .collect();
        let expect = match &step.unmet {
            None => "none",
            Some(unmet) if unmet.is_empty() => "met",
            Some(_) => "unmet",
        };
        let told =
            |divergences: Vec<&Divergence>| divergences.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut object = json!({
            "type": "step", "index": step.index, "action": step.action, "container": step.container,
            "at": seconds(step.at), "took": step.took.map(seconds), "outcome": step.outcome.word(),
            "message": step.message, "transitions": transitions, "events": events, "ledger": ledger,
            "expect": expect, "unmet": step.unmet.as_deref().unwrap_or_default(), "diverged": told(step.unexplained().collect()),
        });
        // Where a named difference of Docker's explains it; elsewhere there is none.
        let explained = told(step.explained().collect());
        if !explained.is_empty() {
            object["explained"] = json!(explained);
        }
        if let Some(image) = &step.image {
            object["image"] = shown(image);
        }
        self.object(&object)
    }

    fn closing(&mut self, closing: &Closing) -> io::Result<()> {
        self.object(&json!({
            "type": "summary", "steps": closing.steps, "met": closing.met, "unmet": closing.unmet,
            "diverged": closing.diverged, "left_behind": closing.left_behind, "seconds": seconds(closing.took),
        }))
    }
}

fn entry(entry: &Entry) -> Value {
    let (status, resources) = (&entry.status, &entry.resources);
    let exit = if status.state == State::Absent { None } else { status.exit };
    json!({
        "state": status.state, "exit": exit, "restarts": status.restarts, "processes": resources.processes,
        "cpu_seconds": resources.cpu_seconds.map(to_the_millisecond), "memory_bytes": resources.memory_bytes,
        "namespaces": resources.namespaces, "mounts": resources.mounts, "ports": resources.ports,
        "address": resources.address, "layer_bytes": resources.layer_bytes,
    })
}

/// Only of steps that have made, sent or fetched one.
fn shown(image: &ShownImage) -> Value {
    let layer = |layer: &ShownLayer| json!({"digest": layer.digest, "bytes": layer.bytes});
    let history: Vec<_> = image
        .history
        .iter()
        .map(|making| json!({"by": making.by, "layer": making.layer.as_ref().map(layer)}))
        .collect();
    json!({"name": image.name, "id": image.id, "base": image.base, "history": history})
}

fn seconds(time: Duration) -> f64 {
    to_the_millisecond(time.as_secs_f64())
}

fn to_the_millisecond(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
