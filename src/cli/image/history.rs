//! `terrarium image history`: how an image came to be.

use std::time::SystemTime;

use clap::Args;

use super::super::written;
use super::{Done, Store, ago};
use crate::report::docker::format::{Column, Format, Row};
use crate::report::docker::words;

/// Show how an image came to be: which instruction made which layer, and how large it is
#[derive(Args)]
pub(in crate::cli) struct History {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    image: String,

    /// Whole instructions and ids
    #[arg(long)]
    no_trunc: bool,

    /// Only ids
    #[arg(short, long)]
    quiet: bool,

    /// table, json, or a template
    #[arg(long, value_name = "FORMAT", default_value = "table", hide_default_value = true)]
    format: String,
}

const COLUMNS: [Column; 6] = [
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
];
const LONGEST: usize = 45;

impl History {
    pub(super) fn perform(&self, store: &Store) -> Done {
        let image = store.find(&self.image)?;
        let format = if self.quiet { Format::parse("{{.ID}}")? } else { Format::parse(&self.format)? };
        let now = SystemTime::now();
        let mut layers = image.config.rootfs.diff_ids.iter();
        let mut rows = Vec::new();
        let steps = image.config.history.len();
        for (number, step) in (1..).zip(&image.config.history) {
            let size =
                if step.empty_layer { 0 } else { layers.next().map_or(0, |layer| store.layer_size(layer)) };
            let by = step.created_by.clone().unwrap_or_default();
            let by =
                if self.no_trunc { by } else { words::shortened(&by.replace(['\t', '\n'], " "), LONGEST) };
            // The image is what the last step has made; no other is one.
            let id = match (number == steps, self.no_trunc) {
                (false, _) => "<missing>",
                (true, false) => image.id.short(),
                (true, true) => image.id.as_str(),
            };
            rows.push(Row::new([
                ("ID", id.to_owned()),
                ("CreatedSince", ago(step.created.as_deref(), now)),
                ("CreatedAt", step.created.clone().unwrap_or_default()),
                ("CreatedBy", by),
                ("Size", words::size(size)),
                ("Comment", step.comment.clone().unwrap_or_default()),
            ]));
        }
        rows.reverse();
        let usual = ["ID", "CreatedSince", "CreatedBy", "Size", "Comment"];
        Ok(written("the history", &format.show(&rows, &COLUMNS, &usual)?))
    }
}
