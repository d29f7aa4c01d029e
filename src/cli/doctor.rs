//! `terrarium doctor`: what this host can do for containers; for each lack, what is lost and the remedy.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use super::{BAD, GOOD, Globals, written};

/// Look at this host: what works, and for each lack what is lost and how it can be had
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 if containers can live here, 1 if they cannot; with --images, 1 if one is damaged.")]
pub(super) struct Doctor {
    /// As what
    #[arg(long, default_value = "text")]
    format: Format,

    /// Remove what killed runs have left on this host
    #[arg(long)]
    clear: bool,

    /// Look at the images instead: read all of them, and compare them with their digests
    #[arg(long)]
    images: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// How wide a terminal has always been, without the margin of what stands in a second column.
const WIDTH: usize = 58;

impl Doctor {
    #[cfg(all(target_os = "linux", feature = "linux"))]
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        use crate::doctor::{Verdict, clear, examine};
        use crate::report::{Role, wrap};
        if self.images {
            return self.look_at_images(globals).unwrap_or_else(|error| {
                super::complain(&error);
                BAD
            });
        }
        let removed = match self.clear.then(|| clear(globals.root.as_deref())).transpose() {
            Ok(removed) => removed.unwrap_or_default(),
            Err(error) => {
                super::complain(&error);
                return BAD;
            }
        };
        let findings = examine(globals.root.as_deref());
        let habitable = findings.iter().all(|finding| finding.verdict != Verdict::Missing);
        let text = match self.format {
            Format::Json => {
                format!(
                    "{}\n",
                    serde_json::json!({ "containers": habitable, "findings": findings, "removed": removed })
                )
            }
            Format::Text => {
                let mut text = String::from("\n");
                for what in &removed {
                    let _ = writeln!(text, "  removed {what}");
                }
                if !removed.is_empty() {
                    text.push('\n');
                }
                for finding in &findings {
                    let (mark, role) = match finding.verdict {
                        Verdict::Works => ("✓", Role::Good),
                        Verdict::Limited => ("!", Role::Question),
                        Verdict::Missing => ("✗", Role::Bad),
                    };
                    let parts = [
                        Some((String::new(), &finding.found)),
                        finding.lost.as_ref().map(|lost| ("lost: ".to_owned(), lost)),
                        finding.remedy.as_ref().map(|remedy| ("try:  ".to_owned(), remedy)),
                    ];
                    let lines = parts
                        .into_iter()
                        .flatten()
                        .flat_map(|(word, said)| wrap(&format!("{word}{said}"), WIDTH));
                    for (nth, line) in lines.enumerate() {
                        let (mark, topic) = if nth == 0 { (mark, finding.topic) } else { ("", "") };
                        let mark = globals.paint.as_role(role, format!("{mark:<1}"));
                        let _ = writeln!(text, "  {mark} {topic:<16}{line}");
                    }
                }
                let end = if habitable {
                    "Containers can live here."
                } else {
                    "Containers cannot live here; the simulator can be used: --engine sim"
                };
                let _ = writeln!(text, "\n  {end}");
                text
            }
        };
        written("the findings", &text).max(if habitable { GOOD } else { BAD })
    }

    /// Each name with what is wrong with its image.
    #[cfg(all(target_os = "linux", feature = "linux"))]
    fn look_at_images(&self, globals: &Globals) -> anyhow::Result<u8> {
        use crate::report::{Role, wrap};
        let store = crate::keeper::Estate::images(globals.root.as_deref())?;
        let found = store.examine()?;
        let damaged = found.iter().filter(|(_, flaws)| !flaws.is_empty()).count();
        let text = match self.format {
            Format::Json => {
                let images: Vec<_> = found
                    .iter()
                    .map(|(image, flaws)| serde_json::json!({ "image": image, "flaws": flaws }))
                    .collect();
                format!("{}\n", serde_json::json!({ "whole": damaged == 0, "images": images }))
            }
            Format::Text => {
                let mut text = String::from("\n");
                for (image, flaws) in &found {
                    let (mark, role) =
                        if flaws.is_empty() { ("✓", Role::Good) } else { ("✗", Role::Bad) };
                    let _ = writeln!(text, "  {} {image}", globals.paint.as_role(role, mark));
                    for line in flaws.iter().flat_map(|flaw| wrap(flaw, WIDTH)) {
                        let _ = writeln!(text, "      {line}");
                    }
                }
                let end = match (found.len(), damaged) {
                    (0, _) => "There are no images here.".into(),
                    (_, 0) => "All that is kept is what its digests say.".into(),
                    (all, damaged) => format!("{damaged} of {all} have come to harm."),
                };
                let _ = writeln!(text, "{}  {end}", if found.is_empty() { "" } else { "\n" });
                text
            }
        };
        Ok(written("the findings", &text).max(if damaged == 0 { GOOD } else { BAD }))
    }

    #[cfg(not(all(target_os = "linux", feature = "linux")))]
    pub(super) fn perform(&self, _: &Globals) -> u8 {
        let text = match self.format {
            Format::Text => {
                "Containers take a Linux kernel; here the simulator can be used: --engine sim\n".to_owned()
            }
            Format::Json => format!("{}\n", serde_json::json!({ "containers": false, "findings": [] })),
        };
        written("the findings", &text).max(BAD)
    }
}
