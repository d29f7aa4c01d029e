//! The diagram as a picture: all states with all arrows, or one state with what leads to it and away from it.
//!
//! Where a state stands is chosen by hand; which arrows there are is not. An arrow is solid where somebody asks for it, dashed
//! where it comes by itself, dotted where something went wrong.

use std::fmt::Write as _;

use super::{arrows, arrows_at};
use crate::model::State;
use crate::report::timeline::style::style;

const WIDTH: f64 = 104.0;
const HEIGHT: f64 = 34.0;

/// All states and arrows.
pub fn whole() -> String {
    let arrows = arrows();
    let told: Vec<_> = arrows
        .iter()
        .map(|((from, to), causes)| {
            let causes: Vec<_> = causes.iter().copied().collect();
            format!("{} to {}: {}.", shown(*from), shown(*to), causes.join(", "))
        })
        .collect();
    let mut svg = begun(660.0, 640.0, "The states of a container", &told.join(" "));
    for ((from, to), causes) in &arrows {
        let causes: Vec<_> = causes.iter().copied().collect();
        edge(&mut svg, *from, *to, &causes);
    }
    for state in State::ALL {
        let (x, y) = place(state);
        place_box(&mut svg, state, x, y);
    }
    svg.push_str("</svg>\n");
    svg
}

/// One state: on the left what leads to it, on the right what leads away.
pub fn around(state: State) -> String {
    let (to, from) = arrows_at(state);
    let rows = to.len().max(from.len()).max(1);
    #[expect(clippy::cast_precision_loss, reason = "a state has few neighbours")]
    let (height, middle) = (rows as f64 * 56.0 + 20.0, rows as f64 * 28.0 + 10.0);
    let sentences = |neighbours: &super::Neighbours, word: &str| {
        let told = neighbours
            .iter()
            .map(|(other, causes)| format!("{word} {} ({})", shown(*other), causes.join(", ")));
        told.collect::<Vec<_>>().join(", ")
    };
    let told = format!("{state}: {}; {}.", sentences(&to, "from"), sentences(&from, "to"));
    let mut svg = begun(660.0, height, &format!("The state {state} and its neighbours"), &told);
    for (neighbours, x, side) in [(&to, 64.0, -1.0), (&from, 596.0, 1.0)] {
        for (nth, (other, causes)) in (0_u8..).zip(neighbours) {
            #[expect(clippy::cast_precision_loss, reason = "a state has few neighbours")]
            let top = middle - 28.0 * (neighbours.len() as f64 - 1.0);
            let y = top + 56.0 * f64::from(nth);
            let (begin, end) = ((330.0 + side * WIDTH / 2.0, middle), (x - side * WIDTH / 2.0, y));
            let (begin, end) = if side < 0.0 { (end, begin) } else { (begin, end) };
            let bend = f64::midpoint(begin.0, end.0);
            let path =
                format!("M{} {}C{bend} {} {bend} {} {} {}", begin.0, begin.1, begin.1, end.1, end.0, end.1);
            line(&mut svg, &path, end, (1.0, 0.0), kind(causes), &causes.join(", "));
            let (class, at) =
                if side < 0.0 { ("small", begin.0 + 4.0) } else { ("small right", end.0 - 14.0) };
            let _ = writeln!(
                svg,
                "<text class=\"{class}\" x=\"{at:.0}\" y=\"{:.0}\">{}</text>",
                y - 6.0,
                causes.join(", ")
            );
            place_box(&mut svg, *other, x, y);
        }
    }
    place_box(&mut svg, state, 330.0, middle);
    svg.push_str("</svg>\n");
    svg
}

fn begun(width: f64, height: f64, title: &str, told: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"life\" role=\"img\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" aria-label=\"{title}\">\n<title>{title}</title>\n<desc>{told}</desc>\n\
         <style>{}</style>\n<rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n",
        style()
    )
}

/// `absent` is where a life begins and ends, so it has no box of its own.
const fn shown(state: State) -> &'static str {
    state.word()
}

const fn place(state: State) -> (f64, f64) {
    match state {
        State::Absent => (330.0, 30.0),
        State::Creating => (330.0, 106.0),
        State::Created => (330.0, 185.0),
        State::Running => (330.0, 300.0),
        State::Paused => (132.0, 300.0),
        State::Stopping => (570.0, 300.0),
        State::Restarting => (206.0, 430.0),
        State::Stopped => (420.0, 430.0),
        State::Removing => (330.0, 550.0),
        State::Dead => (140.0, 596.0),
    }
}

/// How far an arrow bends away from the straight line, to its left; an arrow and its opposite bend away from each other.
const fn bend(from: State, to: State) -> f64 {
    match (from, to) {
        (State::Created, State::Removing) => -330.0,
        (State::Removing, State::Absent) => -590.0,
        (State::Running, State::Removing) => 40.0,
        (State::Removing, State::Running) => 50.0,
        (State::Paused, State::Stopping) => -130.0,
        (State::Paused, State::Removing) => 90.0,
        (State::Stopping, State::Removing) => -70.0,
        (State::Paused, State::Stopped) => 20.0,
        _ => 14.0,
    }
}

fn place_box(svg: &mut String, state: State, x: f64, y: f64) {
    let pale =
        matches!(state, State::Absent | State::Creating | State::Created | State::Stopped | State::Removing);
    let class = if pale { "box pale" } else { "box" };
    let fill = if state == State::Absent { "stopped" } else { state.word() };
    let _ = writeln!(
        svg,
        "<rect class=\"{fill}\" x=\"{:.0}\" y=\"{:.0}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"9\"/>\
         <text class=\"{class}\" x=\"{x:.0}\" y=\"{:.0}\">{state}</text>",
        x - WIDTH / 2.0,
        y - HEIGHT / 2.0,
        y + 5.0
    );
}

/// From the edge of one box to the edge of the other.
fn edge(svg: &mut String, from: State, to: State, causes: &[&str]) {
    let ((x1, y1), (x2, y2)) = (place(from), place(to));
    let length = (x2 - x1).hypot(y2 - y1);
    let away = bend(from, to);
    let middle = (
        f64::midpoint(x1, x2) - (y2 - y1) / length * away,
        f64::midpoint(y1, y2) + (x2 - x1) / length * away,
    );
    let (begin, end) = (border((x1, y1), middle), border((x2, y2), middle));
    let path =
        format!("M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}", begin.0, begin.1, middle.0, middle.1, end.0, end.1);
    let reach = (end.0 - middle.0).hypot(end.1 - middle.1).max(1.0);
    let direction = ((end.0 - middle.0) / reach, (end.1 - middle.1) / reach);
    line(svg, &path, end, direction, kind(causes), &format!("{from} to {to}: {}", causes.join(", ")));
}

/// Where the line from a box's middle towards a point leaves the box.
fn border((x, y): (f64, f64), (to_x, to_y): (f64, f64)) -> (f64, f64) {
    let (dx, dy) = (to_x - x, to_y - y);
    let scale = ((WIDTH / 2.0 + 2.0) / dx.abs().max(0.01)).min((HEIGHT / 2.0 + 2.0) / dy.abs().max(0.01));
    (x + dx * scale, y + dy * scale)
}

fn line(svg: &mut String, path: &str, (x, y): (f64, f64), (dx, dy): (f64, f64), kind: &str, title: &str) {
    let (back_x, back_y) = (x - 9.0 * dx, y - 9.0 * dy);
    let _ = writeln!(
        svg,
        "<path class=\"edge{kind}\" d=\"{path}\"><title>{title}</title></path>\
         <path class=\"head{kind}\" d=\"M{x:.1} {y:.1}L{:.1} {:.1}L{:.1} {:.1}z\"/>",
        back_x - 4.5 * dy,
        back_y + 4.5 * dx,
        back_x + 4.5 * dy,
        back_y - 4.5 * dx
    );
}

/// Whether somebody asks for it, whether it comes by itself, or whether something went wrong.
fn kind(causes: &[&str]) -> &'static str {
    let by_itself =
        |cause: &&str| matches!(*cause, "its process ends" | "all is deleted" | "auto-remove" | "a timer");
    let wrong = |cause: &&str| matches!(*cause, "it fails" | "SIGKILL unanswered");
    if causes.iter().all(wrong) {
        " wrong"
    } else if causes.iter().all(by_itself) {
        " by-itself"
    } else {
        ""
    }
}
