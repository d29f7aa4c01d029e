//! A page that holds the picture, and the same life as a table.

use std::fmt::Write as _;

use super::super::words::{count, time};
use super::svg::{escaped, picture};
use crate::report::record::{Record, StepRecord};

const STYLE: &str = "\
:root{color-scheme:light dark}body{margin:2rem auto;padding:0 1rem;max-width:60rem;line-height:1.5;\
font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;background:Canvas;color:CanvasText}\
h1{font-size:1.6rem;line-height:1.25}figure{margin:1.5rem 0;overflow-x:auto}\
figure svg{max-width:100%;height:auto;min-width:22rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:start;vertical-align:top;padding:.35rem .6rem .35rem 0;\
border-bottom:1px solid color-mix(in srgb,CanvasText 18%,Canvas)}td:nth-child(2){white-space:nowrap}.verdict{font-weight:600}";

pub(super) fn page(record: &Record, lang: &str) -> String {
    let title = escaped(record.title());
    let about = record.opening.as_ref().and_then(|opening| opening.about.as_deref()).unwrap_or_default();
    let about = paragraphs(about);
    let rows: String = record.steps.iter().map(row).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{about}<p>{place}</p>\n\
         <figure>\n{picture}</figure>\n\
         <table>\n<thead><tr><th>Step</th><th>Time</th><th>What happened</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n\
         <p class=\"verdict\">{verdict}</p>\n</main>\n</body>\n</html>\n",
        lang = escaped(lang),
        place = place(record),
        picture = picture(record),
        verdict = verdict(record),
    )
}

fn paragraphs(text: &str) -> String {
    let mut told = String::new();
    for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        let _ = writeln!(told, "<p>{}</p>", with_code(&escaped(paragraph)));
    }
    told
}

/// The one mark of Markdown that these texts use: words in backticks.
fn with_code(text: &str) -> String {
    let mut coded = String::new();
    for (nth, piece) in text.split('`').enumerate() {
        let (begin, end) = if nth % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
        let _ = write!(coded, "{begin}{piece}{end}");
    }
    coded
}

fn place(record: &Record) -> &'static str {
    match record.opening.as_ref().and_then(|opening| opening.host) {
        Some(_) => "Lived on a kernel, predicted by the simulator.",
        None => "Lived in the simulator.",
    }
}

fn row(step: &StepRecord) -> String {
    let mut told: Vec<String> = Vec::new();
    for part in &step.parts {
        told.extend(part.message.clone());
        told.extend(part.events().map(|(_, event)| event.to_string()));
        for (_, moved) in part.transitions() {
            told.push(format!("{} is {}", moved.container, moved.to));
        }
        told.extend(part.unmet.iter().flatten().map(|unmet| format!("unmet: {unmet}")));
        told.extend(part.diverged.iter().map(|difference| format!("diverged: {difference}")));
    }
    let at = step.parts.first().map_or_else(String::new, |part| time(part.at));
    let mut text = String::new();
    let _ = writeln!(
        text,
        "<tr><td>{} {}</td><td>{at}</td><td>{}</td></tr>",
        step.opening.index,
        escaped(&step.sentence()),
        escaped(&told.join("; "))
    );
    text
}

fn verdict(record: &Record) -> String {
    let closing = &record.closing;
    let good = if closing.is_good() { "All came true" } else { "Not all came true" };
    format!(
        "{good}: {} in {}, {} met, {} unmet, {} otherwise than predicted, {} left behind.",
        count(closing.steps as u64, "step", "steps"),
        time(closing.took),
        count(closing.met as u64, "expectation", "expectations"),
        closing.unmet,
        closing.diverged,
        count(closing.left_behind.len() as u64, "thing", "things"),
    )
}
