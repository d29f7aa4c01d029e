//! The screen: steps, containers, the last step with what came of it, and the keys.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, List, ListItem, ListState, Paragraph, Row, Table, Wrap};

use super::{Player, Rewinding};
use crate::engine::trace::{StepOutcome, StepTrace};
use crate::model::State;
use crate::report::record::StepRecord;
use crate::report::words::{bytes, cells, time, wrap};

/// Where a terminal is wide enough for steps beside the rest.
const WIDE: u16 = 70;
const STEPS: u16 = 30;
/// A table that is less wide has no column for ports: names come first.
const ROOM_FOR_PORTS: u16 = 64;
/// What stands before a line: what kind of line it is.
const LABEL: usize = 9;

/// Draws what a player shows.
pub fn draw(frame: &mut Frame<'_>, player: &Player) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(3), Constraint::Length(1)])
            .areas(frame.area());
    let title =
        Line::styled(format!(" {}", player.record.title()), Style::new().add_modifier(Modifier::BOLD));
    frame.render_widget(title, head);
    let main = if frame.area().width >= WIDE {
        let [left, right] = Layout::horizontal([Constraint::Length(STEPS), Constraint::Min(20)]).areas(body);
        steps(frame, player, left);
        right
    } else {
        body
    };
    let rows = u16::try_from(player.record.containers().len()).unwrap_or(u16::MAX).saturating_add(3);
    let [top, bottom] =
        Layout::vertical([Constraint::Length(rows.min(main.height / 2)), Constraint::Min(3)]).areas(main);
    containers(frame, player, top);
    story(frame, player, bottom);
    frame.render_widget(keys(player), foot);
}

fn steps(frame: &mut Frame<'_>, player: &Player, area: Rect) {
    let items = player.record.steps.iter().enumerate().map(|(nth, step)| {
        let mark = match (nth < player.shown, is_good(step)) {
            (false, _) => " ",
            (true, true) => "✓",
            (true, false) => "✗",
        };
        let style = if nth < player.shown { Style::new() } else { Style::new().add_modifier(Modifier::DIM) };
        let text = format!("{mark} {:>2} {}", step.opening.index, step.sentence());
        ListItem::new(cut(text, usize::from(area.width.saturating_sub(1)))).style(style)
    });
    let list = List::new(items)
        .block(Block::new().borders(Borders::RIGHT))
        .highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = ListState::default().with_selected(player.shown.checked_sub(1));
    frame.render_stateful_widget(list, area, &mut state);
}

/// As much of a text as there is room for.
fn cut(text: String, room: usize) -> String {
    if cells(&text) <= room {
        return text;
    }
    let mut cut = String::new();
    for c in text.chars() {
        if cells(&cut) + cells(c.encode_utf8(&mut [0; 4])) + 1 > room {
            break;
        }
        cut.push(c);
    }
    cut + "…"
}

fn is_good(step: &StepRecord) -> bool {
    step.parts.iter().all(|part| part.diverged.is_empty() && part.unmet.as_ref().is_none_or(Vec::is_empty))
}

fn containers(frame: &mut Frame<'_>, player: &Player, area: Rect) {
    let number = |number: Option<u64>| number.map_or_else(|| "?".into(), |number| number.to_string());
    let rows = player.entries().into_iter().map(|(name, entry)| {
        let (state, held) = (entry.state(), &entry.resources);
        let exit = entry.status.exit.map_or_else(String::new, |code| code.to_string());
        let cpu = held.cpu_seconds.map_or_else(|| "?".into(), |seconds| format!("{seconds:.2} s"));
        Row::new([
            Cell::new(name.to_string()),
            Cell::new(state.word()).style(Style::new().fg(colour(state))),
            Cell::new(exit),
            Cell::new(number(held.processes)),
            Cell::new(cpu),
            Cell::new(held.memory_bytes.map_or_else(|| "?".into(), bytes)),
            Cell::new(held.ports.join(" ")),
        ])
    });
    let fixed = [10, 4, 5, 7, 8].map(Constraint::Length);
    let ports = (area.width >= ROOM_FOR_PORTS).then_some(Constraint::Fill(1));
    let widths = [Constraint::Fill(1)].into_iter().chain(fixed).chain(ports);
    let head = Row::new(["container", "state", "exit", "procs", "CPU", "memory", "ports"])
        .style(Style::new().add_modifier(Modifier::DIM));
    let table = Table::new(rows, widths).header(head).block(Block::new().borders(Borders::BOTTOM));
    frame.render_widget(table, area);
}

const fn colour(state: State) -> Color {
    match state {
        State::Running => Color::Green,
        State::Paused => Color::Blue,
        State::Stopping => Color::Yellow,
        State::Restarting => Color::Magenta,
        State::Dead => Color::Red,
        State::Absent | State::Creating | State::Created | State::Stopped | State::Removing => Color::Gray,
    }
}

fn story(frame: &mut Frame<'_>, player: &Player, area: Rect) {
    let room = usize::from(area.width).saturating_sub(LABEL).max(1);
    let mut lines: Vec<Line<'_>> = Vec::new();
    if player.shown == 0 {
        lines.extend(wrap(player.record.about(), usize::from(area.width)).into_iter().map(Line::from));
        lines.push(Line::default());
    }
    if let Some(step) = player.last() {
        lines.push(heading(step));
        step.parts.iter().for_each(|part| told(part, room, &mut lines));
        if let Some(say) = &step.opening.say {
            lines.push(Line::styled(
                say.trim().replace('\n', " "),
                Style::new().add_modifier(Modifier::ITALIC),
            ));
        }
        lines.push(Line::default());
    }
    match player.coming() {
        Some(step) => {
            lines.push(Line::styled(
                format!("next: {}", step.sentence()),
                Style::new().add_modifier(Modifier::DIM),
            ));
            if let Some(ask) = &step.opening.ask {
                let question = format!("? {}", ask.trim().replace('\n', " "));
                lines.push(Line::styled(question, Style::new().fg(Color::Yellow)));
            }
        }
        None if player.shown > 0 => {
            lines.push(Line::styled("(the end)", Style::new().add_modifier(Modifier::DIM)));
        }
        None => {}
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

fn heading(step: &StepRecord) -> Line<'static> {
    let text = format!("{} {}", step.opening.index, step.sentence());
    Line::styled(text, Style::new().add_modifier(Modifier::BOLD))
}

/// What does not fit into a line goes on beneath its text, not beneath its label.
fn told(part: &StepTrace, room: usize, lines: &mut Vec<Line<'_>>) {
    let mut line = |label: &'static str, text: String| {
        for (nth, text) in wrap(&text, room).into_iter().enumerate() {
            let label = if nth == 0 { label } else { "" };
            let label = Span::styled(format!("{label:<LABEL$}"), Style::new().add_modifier(Modifier::DIM));
            lines.push(Line::from(vec![label, Span::raw(text)]));
        }
    };
    match (part.outcome, &part.message) {
        (StepOutcome::Noop, _) => line("nothing", "to do: it is so already".into()),
        (StepOutcome::Refused, Some(message)) => line("refused", message.clone()),
        (StepOutcome::Failed, Some(message)) => line("failed", message.clone()),
        _ => {}
    }
    for (at, moved) in part.transitions() {
        line("state", format!("{} {} → {} at {}", moved.container, moved.from, moved.to, time(at)));
        line("because", moved.rule.sentence().into());
    }
    for (at, event) in part.events() {
        line("event", format!("{event} at {}", time(at)));
    }
    for unmet in part.unmet.iter().flatten() {
        line("✗", unmet.clone());
    }
    for difference in &part.diverged {
        line("✗", difference.to_string());
    }
}

fn keys(player: &Player) -> Line<'_> {
    if let Some(typed) = &player.typed {
        return Line::from(format!(" fork, like `kill web SIGTERM` or `wait 5s`: {typed}_"));
    }
    if let Some(note) = &player.note {
        return Line::styled(format!(" {note}"), Style::new().fg(Color::Red));
    }
    let run = if player.runs() { "r pause" } else { "r run" };
    let back = match player.rewinding {
        Rewinding::Possible => "  ← rewind  f fork",
        Rewinding::Impossible => "",
    };
    let undo = if player.forks > 0 { "  u undo fork" } else { "" };
    Line::styled(format!(" → step  {run}{back}{undo}  q quit"), Style::new().add_modifier(Modifier::DIM))
}
