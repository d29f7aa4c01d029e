//! `terrarium image history`: how an image came to be.

use std::iter::repeat_n;
use std::time::SystemTime;

use clap::Args;

use super::super::written;
use super::{Done, Store, ago};
use crate::image::config::{History as Step, ImageConfig};
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
        let steps = steps(&image.config);
        let count = steps.len();
        for (number, step) in (1..).zip(steps) {
            let size =
                if step.empty_layer { 0 } else { layers.next().map_or(0, |layer| store.layer_size(layer)) };
            let by = step.created_by.unwrap_or_default();
            let by =
                if self.no_trunc { by } else { words::shortened(&by.replace(['\t', '\n'], " "), LONGEST) };
            // The image is what the last step has made; no other is one.
            let id = match (number == count, self.no_trunc) {
                (false, _) => "<missing>",
                (true, false) => image.id.short(),
                (true, true) => image.id.as_str(),
            };
            rows.push(Row::new([
                ("ID", id.to_owned()),
                ("CreatedSince", ago(step.created.as_deref(), now)),
                ("CreatedAt", step.created.unwrap_or_default()),
                ("CreatedBy", by),
                ("Size", words::size(size)),
                ("Comment", step.comment.unwrap_or_default()),
            ]));
        }
        rows.reverse();
        let usual = ["ID", "CreatedSince", "CreatedBy", "Size", "Comment"];
        Ok(written("the history", &format.show(&rows, &COLUMNS, &usual)?))
    }
}

/// What has made it, the first first. Some tools tell nothing of layers that they begin with: those lie beneath all that is told.
fn steps(config: &ImageConfig) -> Vec<Step> {
    let told = config.history.iter().filter(|step| !step.empty_layer).count();
    let untold = config.rootfs.diff_ids.len().saturating_sub(told);
    repeat_n(Step::default(), untold).chain(config.history.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;

    #[test]
    fn a_layer_of_which_nothing_is_told_is_not_booked_on_the_next_step() {
        let step =
            |by: &str, empty_layer| Step { created_by: Some(by.into()), empty_layer, ..Step::default() };
        let mut config = ImageConfig::scratch();
        config.rootfs.diff_ids = [1, 2].map(|nth: u8| Digest::of(&[nth])).into();
        config.history = vec![step("LABEL", true), step("COPY", false)];
        let by =
            |config: &ImageConfig| steps(config).into_iter().map(|step| step.created_by).collect::<Vec<_>>();
        assert_eq!(by(&config), [None, Some("LABEL".into()), Some("COPY".into())]);
        config.history.insert(0, step("FROM", false));
        assert_eq!(by(&config).len(), 3);
    }
}
