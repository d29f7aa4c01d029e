//! Pictures of what cannot be seen: the walls around a process, the layers beneath containers.

use std::fmt::Write;

use terrarium::report::diagram;
use terrarium::scenario::find_bundled;

/// A kind of namespace, and what it hides.
pub(crate) type Wall = (&'static str, &'static str);

const WIDTH: usize = 440;
/// The same in both pictures, so that they look alike on a phone.
const EDGE: usize = 12;

/// Each wall around the next, and the process inside of all.
pub(crate) fn walls(walls: &[Wall]) -> String {
    const STEP: usize = 36;
    let height = 2 * EDGE + walls.len() * (STEP + EDGE) + 44;
    let told = walls.iter().map(|(kind, hides)| format!("{kind}: {hides}")).collect::<Vec<_>>().join("; ");
    let mut svg = begun(height, "The walls around a process", &format!("From outside to inside. {told}."));
    for (nth, (kind, hides)) in walls.iter().enumerate() {
        let (x, y) = (EDGE + nth * EDGE, EDGE + nth * STEP);
        let fill = if nth % 2 == 0 { "creating" } else { "stopped" };
        let _ = writeln!(
            svg,
            "<rect class=\"{fill}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"9\"/>\
             <text class=\"pale\" x=\"{}\" y=\"{}\"><tspan font-weight=\"600\">{kind}</tspan> {hides}</text>",
            WIDTH - 2 * x,
            height - EDGE - nth * EDGE - y,
            x + 12,
            y + 23
        );
    }
    let inside = walls.len();
    let (x, y) = (EDGE + inside * EDGE, EDGE + inside * STEP);
    let _ = writeln!(
        svg,
        "<rect class=\"running\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"44\" rx=\"9\"/>\
         <text class=\"box\" x=\"{}\" y=\"{}\">a process</text>",
        WIDTH - 2 * x,
        WIDTH / 2,
        y + 27
    );
    svg + "</svg>\n"
}

/// The containers of a lesson, each with its writable layer, upon the layers that they share.
pub(crate) fn layers(lesson: &str) -> String {
    const SHARED: [&str; 2] = ["a layer of the image: the program", "a layer of the image: what it needs"];
    let scenario = find_bundled(lesson).unwrap().scenario;
    let names: Vec<_> = scenario.containers.keys().map(ToString::to_string).collect();
    let height = 2 * EDGE + 150 + SHARED.len() * 48;
    let told = format!(
        "{}: each has a process and a writable layer of its own. Beneath all of them lie the same read-only layers: {}.",
        names.join(", "),
        SHARED.join("; ")
    );
    let mut svg = begun(height, "Three containers of one image", &told);
    let column = (WIDTH - 2 * EDGE + EDGE) / names.len();
    for (nth, name) in names.iter().enumerate() {
        let x = EDGE + nth * column;
        let (width, middle) = (column - EDGE, x + (column - EDGE) / 2);
        let _ = writeln!(
            svg,
            "<rect class=\"running\" x=\"{x}\" y=\"{EDGE}\" width=\"{width}\" height=\"52\" rx=\"9\"/>\
             <text class=\"box\" x=\"{middle}\" y=\"{}\">{name}</text>\
             <rect class=\"stopping\" x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"52\" rx=\"9\"/>\
             <text class=\"state\" x=\"{middle}\" y=\"{}\">its own layer</text>\
             <text class=\"state\" x=\"{middle}\" y=\"{}\">to write to</text>",
            EDGE + 31,
            EDGE + 64,
            EDGE + 86,
            EDGE + 101
        );
    }
    for (nth, layer) in SHARED.iter().enumerate() {
        let y = EDGE + 132 + nth * 48;
        let _ = writeln!(
            svg,
            "<rect class=\"creating\" x=\"{EDGE}\" y=\"{y}\" width=\"{}\" height=\"40\" rx=\"9\"/>\
             <text class=\"box pale\" x=\"{}\" y=\"{}\">{layer}</text>",
            WIDTH - 2 * EDGE,
            WIDTH / 2,
            y + 25
        );
    }
    svg + "</svg>\n"
}

/// In the colours of the other pictures.
fn begun(height: usize, title: &str, told: &str) -> String {
    let other = diagram::whole();
    let style = other.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
    let (style, _) = style.expect("a diagram has a style");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"life\" role=\"img\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" aria-label=\"{title}\">\n<title>{title}</title>\n<desc>{told}</desc>\n\
         <style>{style}</style>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>\n"
    )
}
