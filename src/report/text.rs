//! The screen: a step reads like a sentence, with its consequences under it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::paint::{Paint, Role};
use super::words::{bytes, count, time, wrap};
use crate::engine::trace::{
    Audience, Change, Closing, Opening, Prediction, ShownImage, StepOpening, StepOutcome, StepTrace,
};
use crate::model::{EventKind, Freezer, Name, State};

const WIDTH: usize = 80;
const INDENT: &str = "      ";
const LABEL: usize = 10;
/// The columns of an image's layers.
const SIZE: usize = 10;
const DIGEST: usize = 14;
/// A pause between two events that is worth mentioning.
const LONG: Duration = Duration::from_millis(95);

/// Whether the rule behind each transition is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// With its source.
    Told,
    /// Only the transition.
    Untold,
}

/// Text for a terminal or a file.
pub struct Text<W> {
    out: W,
    paint: Paint,
    why: Why,
    prediction: Prediction,
    /// Of the step under way: how many containers it is for, and how many of them have not been shown.
    of_list: usize,
    turns_left: usize,
    /// What is said when its question can be answered.
    answer: Option<String>,
    /// What should have been written by then.
    output: Option<String>,
}

impl<W: Write> Text<W> {
    /// Writes there.
    pub fn new(out: W, paint: Paint, why: Why) -> Self {
        Self {
            out,
            paint,
            why,
            prediction: Prediction::Alone,
            of_list: 0,
            turns_left: 0,
            answer: None,
            output: None,
        }
    }

    fn line(&mut self, label: &str, text: &str) -> io::Result<()> {
        self.labelled(label, text, Role::Text)
    }

    fn labelled(&mut self, label: &str, text: &str, role: Role) -> io::Result<()> {
        let column = (label.chars().count() + 2).max(LABEL);
        for (nth, part) in wrap(text, WIDTH.saturating_sub(INDENT.len() + column)).iter().enumerate() {
            let label = if nth == 0 { label } else { "" };
            let padded = format!("{label:<column$}");
            let part = self.paint.as_role(role, part);
            writeln!(self.out, "{INDENT}{}{part}", self.paint.as_role(Role::Label, padded))?;
        }
        Ok(())
    }

    /// Writes what the learner is to answer, and stays on the line.
    pub(super) fn prompt(&mut self, prompt: &str) -> io::Result<()> {
        write!(self.out, "{INDENT}{}", self.paint.as_role(Role::Question, prompt))?;
        self.out.flush()
    }

    /// Ends the line of a prompt.
    pub(super) fn prompted(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// A remark beside the story.
    pub(super) fn aside(&mut self, text: &str) -> io::Result<()> {
        for part in wrap(text, WIDTH - 4) {
            writeln!(self.out, "  {}", self.paint.as_role(Role::Label, part))?;
        }
        self.out.flush()
    }

    /// Whether every container of the step under way has had its turn.
    pub(super) fn has_shown_all_turns(&self) -> bool {
        self.turns_left == 0
    }

    pub(super) fn told(&mut self, role: Role, text: &str) -> io::Result<()> {
        for part in wrap(text, WIDTH - INDENT.len()) {
            writeln!(self.out, "{INDENT}{}", self.paint.as_role(role, part))?;
        }
        Ok(())
    }

    /// What processes have written, line by line.
    fn output(&mut self, output: &str) -> io::Result<()> {
        for (nth, line) in output.lines().enumerate() {
            self.line(if nth == 0 { "wrote" } else { "" }, line)?;
        }
        Ok(())
    }

    fn transitions(&mut self, step: &StepTrace) -> io::Result<()> {
        let mut paths: BTreeMap<&Name, Vec<State>> = BTreeMap::new();
        for (_, moved) in step.transitions() {
            paths.entry(&moved.container).or_insert_with(|| vec![moved.from]).push(moved.to);
        }
        let widest = paths.keys().map(|name| name.as_str().len()).max().unwrap_or_default();
        for (name, path) in paths {
            let states: Vec<String> = path.iter().map(ToString::to_string).collect();
            let mut text = states.join(" → ");
            if let Some(code) = step.ledger.get(name).and_then(|change| change.after.status.exit) {
                let _ = write!(text, ", exit {code}");
            }
            let is_its_own = Some(name) == step.container.as_ref();
            let label = if is_its_own { "state".into() } else { format!("{:<widest$}", name.as_str()) };
            self.labelled(&label, &text, Role::State)?;
        }
        if self.why == Why::Told {
            let because: Vec<_> = step.transitions().map(|(_, moved)| moved.rule).collect();
            for rule in because {
                self.line("because", &format!("{} {}", rule.sentence(), source(rule.source(), rule.id())))?;
            }
        }
        Ok(())
    }

    fn events(&mut self, step: &StepTrace) -> io::Result<()> {
        let mut text = String::new();
        let mut last = None;
        for (at, event) in step.events() {
            if let Some(before) = last {
                text.push_str(" · ");
                let pause = at.saturating_sub(before);
                if pause >= LONG {
                    let _ = write!(text, "{} later: ", time(pause));
                }
            }
            last = Some(at);
            if Some(&event.container) != step.container.as_ref() {
                let _ = write!(text, "{} ", event.container);
            }
            text.push_str(&event.kind.to_string());
            if event.kind == EventKind::Die(137) && !text.contains("SIGKILL") {
                text.push_str(" (128 + SIGKILL)");
            }
        }
        if text.is_empty() { Ok(()) } else { self.line("events", &text) }
    }

    fn ledger(&mut self, step: &StepTrace) -> io::Result<()> {
        // Its own container first, then whoever else was there.
        let own = |name: &Name| Some(name) != step.container.as_ref();
        let mut entries: Vec<_> = step.ledger.iter().collect();
        entries.sort_by_key(|(name, _)| own(name));
        for (name, change) in entries {
            let of = if Some(name) == step.container.as_ref() { String::new() } else { format!("{name}: ") };
            for (label, side) in [("gained", Side::Gained), ("released", Side::Released)] {
                let room = WIDTH.saturating_sub(INDENT.len() + LABEL + of.len());
                for (nth, row) in grid(change, side, room).iter().enumerate() {
                    let (label, of) = if nth == 0 { (label, of.as_str()) } else { ("", "") };
                    let padded = self.paint.as_role(Role::Label, format!("{label:<LABEL$}"));
                    writeln!(self.out, "{INDENT}{padded}{of}{row}")?;
                }
            }
            if let Some(used) = used(step, name, change) {
                self.line("used", &format!("{of}{used}"))?;
            }
        }
        Ok(())
    }

    /// What made it: each instruction with its layer, or without one.
    fn image(&mut self, image: &ShownImage) -> io::Result<()> {
        let layers = image.layers().count() as u64;
        let known: Option<u64> = image.layers().map(|layer| layer.bytes).sum();
        let size = known.map_or_else(String::new, |known| format!(", {}", bytes(known)));
        let id = image.id.as_ref().map_or_else(String::new, |id| format!(", id {}", id.short()));
        self.line("image", &format!("{}: {}{size}{id}", image.name, count(layers, "layer", "layers")))?;
        if let Some(base) = &image.base {
            self.making("unknown", "", &format!("what {base} consists of"))?;
        }
        for making in &image.history {
            match &making.layer {
                None => self.making("metadata", "", &making.by)?,
                Some(layer) => {
                    let size = layer.bytes.map_or_else(|| "layer".into(), bytes);
                    let digest = layer.digest.as_ref().map_or("", |digest| digest.short());
                    self.making(&size, digest, &making.by)?;
                }
            }
        }
        Ok(())
    }

    /// Sizes, digests and instructions each in a column of their own.
    fn making(&mut self, size: &str, digest: &str, by: &str) -> io::Result<()> {
        let room = WIDTH - INDENT.len() - LABEL - SIZE - DIGEST;
        for (nth, part) in wrap(by, room).iter().enumerate() {
            let (size, digest) = if nth == 0 { (size, digest) } else { ("", "") };
            let row = format!("{size:<SIZE$}{digest:<DIGEST$}{part}");
            writeln!(self.out, "{INDENT}{:LABEL$}{}", "", row.trim_end())?;
        }
        Ok(())
    }

    fn verdict(&mut self, step: &StepTrace) -> io::Result<()> {
        for difference in step.unexplained() {
            let what = format!("✗ {:<width$}", difference.what, width = LABEL - 2);
            let indent = " ".repeat(what.chars().count());
            let against = difference.against.to_string();
            for (label, said, text) in
                [(what, against.as_str(), &difference.predicted), (indent, "measured", &difference.measured)]
            {
                for (nth, part) in
                    wrap(text, WIDTH - INDENT.len() - label.chars().count() - 11).iter().enumerate()
                {
                    let (label, said) = if nth == 0 {
                        (label.clone(), said)
                    } else {
                        (" ".repeat(label.chars().count()), "")
                    };
                    let label = self.paint.as_role(Role::Bad, label);
                    writeln!(self.out, "{INDENT}{label} {said:<10}{part}")?;
                }
            }
        }
        for difference in step.explained() {
            self.told(Role::Label, &format!("≈ {difference}"))?;
        }
        for unmet in step.unmet.iter().flatten() {
            self.told(Role::Bad, &format!("✗ {unmet}"))?;
        }
        let predicted = self.prediction == Prediction::Lockstep && step.unexplained().next().is_none();
        let expected = step.unmet.as_ref().is_some_and(Vec::is_empty);
        let verdict = match (predicted, expected) {
            (true, true) => "✓ as predicted, as expected",
            (true, false) => "✓ as predicted",
            (false, true) => "✓ as expected",
            (false, false) => return Ok(()),
        };
        self.told(Role::Good, verdict)
    }
}

impl<W: Write> Audience for Text<W> {
    fn opening(&mut self, opening: &Opening) -> io::Result<()> {
        self.prediction = opening.prediction;
        writeln!(self.out, "\n  {}", self.paint.as_role(Role::Heading, &opening.title))?;
        for part in wrap(opening.about.as_deref().unwrap_or_default(), WIDTH - 4) {
            writeln!(self.out, "{}", format!("  {part}").trim_end())?;
        }
        let place = match opening.host {
            None => "In the simulator: no process, no kernel, a clock that jumps.".into(),
            Some(facts) => format!(
                "On {}, frozen by {}; predicted by the simulator.",
                if opening.engine == "docker" { "a Docker Engine" } else { "this kernel" },
                match facts.freezer {
                    Freezer::CgroupV2 => "cgroup v2",
                    Freezer::CgroupV1 => "the cgroup v1 freezer",
                    Freezer::Signals => "SIGSTOP to every process (no cgroup can be made here)",
                }
            ),
        };
        writeln!(self.out)?;
        for part in wrap(&place, WIDTH - 4) {
            writeln!(self.out, "  {}", self.paint.as_role(Role::Label, part))?;
        }
        self.out.flush()
    }

    fn step_begins(&mut self, step: &StepOpening) -> io::Result<()> {
        let names: Vec<_> = step.containers.iter().map(Name::as_str).collect();
        let mut sentence = step.action.clone();
        for part in [&names.join(", "), &step.words] {
            if !part.is_empty() {
                sentence.push_str(if part.starts_with(':') { "" } else { " " });
                sentence.push_str(part);
            }
        }
        self.turns_left = names.len();
        self.of_list = names.len();
        self.output.clone_from(&step.output);
        let sentence = self.paint.as_role(Role::Heading, sentence);
        writeln!(self.out, "\n{:>4}  {sentence}", step.index)?;
        match (&step.ask, &step.say) {
            (Some(ask), answer) => {
                self.told(Role::Question, &format!("? {ask}"))?;
                self.answer.clone_from(answer);
            }
            (None, Some(say)) => self.told(Role::Label, say)?,
            (None, None) => {}
        }
        self.out.flush()
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        if let Some(name) = step.container.as_ref().filter(|_| self.of_list > 1) {
            let name = self.paint.as_role(Role::Heading, name.to_string());
            writeln!(self.out, "{INDENT}{name}")?;
        }
        self.turns_left = self.turns_left.saturating_sub(1);
        match (step.outcome, &step.message) {
            (StepOutcome::Noop, _) => self.line("nothing", "to do: it is so already")?,
            (StepOutcome::Refused, Some(message)) => self.line("refused", message)?,
            (StepOutcome::Failed, Some(message)) => self.line("failed", message)?,
            _ => {}
        }
        self.transitions(step)?;
        self.events(step)?;
        self.ledger(step)?;
        if let Some(image) = &step.image {
            self.image(image)?;
        }
        if let Some(took) = step.took.filter(|took| *took >= LONG) {
            self.line("took", &time(took))?;
        }
        if self.turns_left == 0
            && let Some(output) =
                self.output.take().filter(|_| step.unmet.as_ref().is_some_and(Vec::is_empty))
        {
            self.output(&output)?;
        }
        if self.turns_left == 0
            && let Some(answer) = self.answer.take()
        {
            self.told(Role::Label, &answer)?;
        }
        self.verdict(step)?;
        self.out.flush()
    }

    fn closing(&mut self, closing: &Closing) -> io::Result<()> {
        let mut parts =
            vec![format!("{} in {}", count(closing.steps as u64, "step", "steps"), time(closing.took))];
        if self.prediction == Prediction::Lockstep {
            let as_predicted = closing.steps - closing.diverged;
            parts.push(format!("{as_predicted} as predicted"));
        }
        let expected = closing.met + closing.unmet;
        parts.push(match (expected, closing.unmet) {
            (0, _) => "nothing expected".into(),
            (_, 0) => format!("{} met", count(expected as u64, "expectation", "expectations")),
            (_, unmet) => {
                format!("{unmet} of {} unmet", count(expected as u64, "expectation", "expectations"))
            }
        });
        parts.push(match closing.left_behind.len() {
            0 => "nothing left behind".into(),
            left => format!("{} left behind:", count(left as u64, "thing", "things")),
        });
        let (mark, role) = if closing.is_good() { ("✓", Role::Good) } else { ("✗", Role::Bad) };
        let text = format!("{mark} {}", parts.join(", "));
        writeln!(self.out, "\n  {}", self.paint.as_role(role, text))?;
        for left in &closing.left_behind {
            writeln!(self.out, "    {left}")?;
        }
        self.out.flush()
    }
}

fn source(source: &str, id: &str) -> String {
    format!("({id}; {source})")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Gained,
    Released,
}

/// What was gained or released, each kind in a column of its own, so that lines can be compared. What does not fit into the
/// room stands in further rows.
fn grid(change: &Change, side: Side, room: usize) -> Vec<String> {
    let (before, after) = (&change.before.resources, &change.after.resources);
    let (from, to) = match side {
        Side::Gained => (before, after),
        Side::Released => (after, before),
    };
    let more =
        |from: Option<u64>, to: Option<u64>| to.zip(from).map_or(0, |(to, from)| to.saturating_sub(from));
    let cell = |number: u64, text: String, width: usize| {
        let text = if number == 0 { String::new() } else { text };
        format!("{text:<width$}")
    };
    let processes = more(from.processes, to.processes);
    let memory = more(from.memory_bytes, to.memory_bytes);
    let memory = if memory < worth_mentioning(before.memory_bytes, after.memory_bytes) { 0 } else { memory };
    let namespaces = more(from.namespaces, to.namespaces);
    let mounts = more(from.mounts, to.mounts);
    let layer = more(from.layer_bytes, to.layer_bytes);
    let ports: Vec<_> = to.ports.iter().filter(|port| !from.ports.contains(port)).cloned().collect();
    let mut cells = vec![
        cell(processes, count(processes, "process", "processes"), 14),
        cell(memory, format!("{} memory", bytes(memory)), 17),
        cell(namespaces, count(namespaces, "namespace", "namespaces"), 14),
        cell(mounts, count(mounts, "mount", "mounts"), 11),
        cell(layer, format!("{} written", bytes(layer)), 17),
    ];
    cells.extend(ports.into_iter().map(|port| port + "  "));
    let mut rows = vec![String::new()];
    for cell in cells {
        let row = rows.last_mut().expect("there is always one");
        if row.len() + cell.trim_end().len() > room && !row.trim_end().is_empty() {
            rows.push(cell);
        } else {
            row.push_str(&cell);
        }
    }
    let rows = rows.into_iter().map(|row| row.trim_end().to_owned());
    rows.filter(|row| !row.is_empty()).collect()
}

/// Memory breathes a little by itself: only what is more than that was gained or released.
fn worth_mentioning(before: Option<u64>, after: Option<u64>) -> u64 {
    match (before, after) {
        (Some(0), _) | (_, Some(0)) => 0,
        _ => 1 << 20,
    }
}

/// CPU time used in the step, if enough to be worth a line, and the share that it was of the time.
fn used(step: &StepTrace, name: &Name, change: &Change) -> Option<String> {
    let cpu = change.after.resources.cpu_seconds? - change.before.resources.cpu_seconds?;
    let took = step.took?.as_secs_f64();
    let moved = step.transitions().any(|(_, moved)| moved.container == *name);
    let watched = !moved && change.after.state().has_process();
    let bystander = step.container.is_some() && step.container.as_ref() != Some(name);
    let idle = bystander && cpu < 0.05 * took;
    if took < 0.1 || !watched || idle || change.before.state() == State::Stopping {
        return None;
    }
    Some(format!("{cpu:.2} s CPU in {took:.2} s ({:.0} %)", 100.0 * cpu / took))
}
