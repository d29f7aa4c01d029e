//! The picture: times on the left, a lane for each container, then the story.

use std::fmt::Write as _;

use super::super::words::{bytes, time};
use super::lane::{Lane, Stretch};
use super::rows::{LINE, Row, RowKind, Rows, Several};
use super::style::style;
use crate::model::State;
use crate::report::record::Record;

const EDGE: f64 = 12.0;
const TIMES: f64 = 58.0;
/// A lane is as wide as this, or as the longest name.
const LANE: f64 = 112.0;
const NAME_LETTER: f64 = 8.0;
const BAND: f64 = 18.0;
/// Where a lane's measures begin, and how wide the greatest is drawn.
const CPU: f64 = 24.0;
const MEMORY: f64 = 56.0;
const FULL: f64 = 26.0;
const STORY: f64 = 292.0;
/// Above the first row, without and with a line for ports.
const HEAD: f64 = 74.0;
const HEAD_WITH_PORTS: f64 = 88.0;
/// The height that a letter of a state's name takes, written along its band.
const LETTER: f64 = 6.6;

/// An SVG that stands by itself and can be put into a page.
pub(super) fn picture(record: &Record) -> String {
    let names = record.containers();
    let several = if names.len() > 1 { Several::Containers } else { Several::One };
    let holds_ports = record
        .parts()
        .any(|part| part.ledger.values().any(|change| !change.after.resources.ports.is_empty()));
    let rows = Rows::of(record, if holds_ports { HEAD_WITH_PORTS } else { HEAD }, several);
    let lanes: Vec<_> = names.into_iter().map(|name| Lane::of(name, record, &rows)).collect();
    let longest = lanes.iter().map(|lane| lane.name.as_str().len()).max().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "a name is short")]
    let lane_width = LANE.max(NAME_LETTER * longest as f64 + 10.0);
    Picture { record, rows, lanes, lane_width, svg: String::new() }.drawn()
}

struct Picture<'a> {
    record: &'a Record,
    rows: Rows,
    lanes: Vec<Lane<'a>>,
    lane_width: f64,
    svg: String,
}

impl Picture<'_> {
    fn drawn(mut self) -> String {
        let (width, height) = (self.story() + STORY + EDGE, self.rows.height);
        let title = escaped(self.record.title());
        // On a phone it is better scrolled than read with a glass.
        let wide = if self.lanes.len() > 2 { " wide" } else { "" };
        let _ = writeln!(
            self.svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"life{wide}\" role=\"img\" width=\"{width}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width} {height:.0}\" aria-label=\"Timeline: {title}\">"
        );
        let _ = writeln!(self.svg, "<title>Timeline: {title}</title>");
        let _ = writeln!(self.svg, "<desc>{}</desc>", escaped(&self.told()));
        let _ = writeln!(self.svg, "<style>{}</style>", style());
        let _ =
            writeln!(self.svg, "<rect class=\"paper\" width=\"{width}\" height=\"{height:.0}\" rx=\"8\"/>");
        self.heads();
        let rows = std::mem::take(&mut self.rows.lines);
        self.rules(&rows, width);
        let lanes = std::mem::take(&mut self.lanes);
        let fullest = lanes.iter().map(Lane::most_memory).max().unwrap_or(0);
        let busiest = lanes.iter().map(Lane::most_cpu).fold(1.0, f64::max);
        for (nth, lane) in lanes.iter().enumerate() {
            self.lane(self.left(nth), lane, busiest, fullest);
        }
        self.lanes = lanes;
        self.tell(&rows);
        self.svg.push_str("</svg>\n");
        self.svg
    }

    #[expect(clippy::cast_precision_loss, reason = "a picture has few lanes")]
    fn left(&self, lane: usize) -> f64 {
        EDGE + TIMES + self.lane_width * lane as f64
    }

    fn story(&self) -> f64 {
        self.left(self.lanes.len())
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let _ =
            writeln!(self.svg, "<text class=\"{class}\" x=\"{x:.0}\" y=\"{y:.1}\">{}</text>", escaped(text));
    }

    fn heads(&mut self) {
        for nth in 0..self.lanes.len() {
            let lane = &self.lanes[nth];
            let ports: Vec<_> = lane.ports.iter().map(|port| port.replace("0.0.0.0:", "")).collect();
            let heads = [
                format!("CPU up to {:.0} %", 100.0 * lane.most_cpu()),
                format!("memory {}", bytes(lane.most_memory())),
                if ports.is_empty() { String::new() } else { format!("port {}", ports.join(" ")) },
            ];
            let name = lane.name.to_string();
            self.text("name", self.left(nth), 24.0, &name);
            for (line, (class, text)) in ["cpu", "memory", "port"].iter().zip(&heads).enumerate() {
                let y = 40.0 + 14.0 * f64::from(u8::try_from(line).unwrap_or(0));
                if !text.is_empty() {
                    let _ = writeln!(
                        self.svg,
                        "<circle class=\"{class}\" cx=\"{:.0}\" cy=\"{:.1}\" r=\"3\"/>",
                        self.left(nth) + 3.0,
                        y - 3.5
                    );
                    self.text("small", self.left(nth) + 10.0, y, text);
                }
            }
        }
    }

    /// A line above each step, and the times down the side.
    fn rules(&mut self, rows: &[Row], width: f64) {
        let mut last = String::new();
        for row in rows {
            if row.kind == RowKind::Step {
                let y = row.y - LINE / 2.0 - 3.0;
                let _ = writeln!(
                    self.svg,
                    "<line class=\"rule\" x1=\"{EDGE}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                    width - EDGE
                );
            }
            let at = clock(row.at.as_secs_f64());
            if at != last {
                self.text("time", TIMES, row.y + 4.0, &at);
                last = at;
            }
        }
    }

    fn lane(&mut self, x: f64, lane: &Lane<'_>, busiest: f64, fullest: u64) {
        for stretch in &lane.stretches {
            self.measures(x, stretch, busiest, fullest);
        }
        for band in lane.bands() {
            let (state, height) = (band.state, band.to - band.from);
            let _ = writeln!(
                self.svg,
                "<rect class=\"{state}\" x=\"{x:.0}\" y=\"{:.1}\" width=\"{BAND}\" height=\"{height:.1}\" rx=\"3\">\
                 <title>{} {state}, {} to {}</title></rect>",
                band.from,
                lane.name,
                time(band.began),
                time(band.ended),
            );
            let letters = state.word().chars().count();
            #[expect(clippy::cast_precision_loss, reason = "a state's name is short")]
            if letters as f64 * LETTER + 6.0 <= height {
                let (x, y) = (x + BAND / 2.0 + 4.0, band.from + height / 2.0);
                let pale =
                    matches!(state, State::Creating | State::Created | State::Stopped | State::Removing);
                let class = if pale { "state pale" } else { "state" };
                let _ = writeln!(
                    self.svg,
                    "<text class=\"{class}\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\">{state}</text>"
                );
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "pixels are coarser than bytes")]
    fn measures(&mut self, x: f64, stretch: &Stretch, busiest: f64, fullest: u64) {
        let (from, height) = (stretch.from, stretch.to - stretch.from);
        if let Some(share) = stretch.cpu.filter(|share| *share > 0.01) {
            let width = (FULL * share / busiest).max(1.0);
            let x = x + CPU;
            let _ = writeln!(
                self.svg,
                "<rect class=\"cpu\" x=\"{x:.0}\" y=\"{from:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
                 <title>CPU {:.0} %</title></rect>",
                100.0 * share
            );
        }
        if let Some((begin, end)) = stretch.memory.filter(|(begin, end)| begin + end > 0) {
            let width = |memory: u64| {
                if memory == 0 { 0.0 } else { (FULL * memory as f64 / fullest.max(1) as f64).max(1.0) }
            };
            let x = x + MEMORY;
            let _ = writeln!(
                self.svg,
                "<path class=\"memory\" d=\"M{x:.0} {from:.1}h{:.1}L{:.1} {:.1}H{x:.0}z\"><title>memory {}</title></path>",
                width(begin),
                x + width(end),
                stretch.to,
                bytes(end)
            );
        }
        if stretch.holds_ports {
            let _ = writeln!(
                self.svg,
                "<rect class=\"port\" x=\"{:.0}\" y=\"{from:.1}\" width=\"3\" height=\"{height:.1}\"/>",
                x - 5.0
            );
        }
    }

    /// What happened, beside where it happened.
    fn tell(&mut self, rows: &[Row]) {
        let story = self.story();
        let mut number = 0;
        for row in rows {
            let class = match &row.kind {
                RowKind::Step => "step",
                RowKind::Remark => "remark",
                RowKind::Moment { container } => {
                    let nth = self.lanes.iter().position(|lane| lane.name == container).unwrap_or(0);
                    self.lead(self.left(nth), story, row.y);
                    "event"
                }
                RowKind::End => continue,
            };
            number += usize::from(row.kind == RowKind::Step);
            for (nth, line) in (0_u8..).zip(&row.lines) {
                let y = row.y + 4.0 + LINE * f64::from(nth);
                if row.kind == RowKind::Step && nth == 0 {
                    self.text(class, story, y, &format!("{number}  {line}"));
                } else {
                    let indent = if row.kind == RowKind::Step { 18.0 } else { 10.0 };
                    self.text(class, story + indent, y, line);
                }
            }
        }
    }

    /// A tick on the band, and a thin line from it to the words.
    fn lead(&mut self, x: f64, story: f64, y: f64) {
        let _ = writeln!(
            self.svg,
            "<line class=\"tick\" x1=\"{:.0}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <line class=\"lead\" x1=\"{:.0}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
            x + BAND - 3.0,
            x + BAND + 3.0,
            x + BAND + 5.0,
            story + 4.0
        );
    }

    /// The same for those who do not see it.
    fn told(&self) -> String {
        let lives = self.lanes.iter().map(|lane| {
            let bands = lane.bands();
            let states = bands.iter().map(|band| format!("{} from {}", band.state, time(band.began)));
            let end = match bands.last() {
                Some(last) if last.to < self.rows.height - 1.5 * LINE => {
                    format!(", gone at {}", time(last.ended))
                }
                _ => String::new(),
            };
            format!(
                "{}: {}{end}; CPU up to {:.0} %, memory up to {}.",
                lane.name,
                states.collect::<Vec<_>>().join(", "),
                100.0 * lane.most_cpu(),
                bytes(lane.most_memory())
            )
        });
        lives.collect::<Vec<_>>().join(" ")
    }
}

/// `0.50 s`, `12 s`, `1:05`.
fn clock(seconds: f64) -> String {
    if seconds < 9.995 {
        format!("{seconds:.2} s")
    } else if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else {
        format!("{seconds:.0} s")
    }
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
