//! `terrarium images`: what there is.

use std::time::SystemTime;

use clap::Args;

use super::super::written;
use super::{Done, Store, ago};
use crate::image::Reference;
use crate::image::store::Image;
use crate::report::docker::filter::Filters;
use crate::report::docker::format::{Column, Format, Row};
use crate::report::docker::words;

/// List images
#[derive(Args)]
#[command(after_help = "\
Examples:
  terrarium images
  terrarium images nginx
  terrarium images --filter dangling=true -q
  terrarium images --format '{{.Repository}}:{{.Tag}} {{.Size}}'")]
#[expect(clippy::struct_excessive_bools, reason = "each is a word that is typed or not")]
pub(in crate::cli) struct Images {
    /// Only those of this name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    only: Option<String>,

    /// Only ids
    #[arg(short, long)]
    quiet: bool,

    /// Also those in between (there are none here: a build keeps no image of a step)
    #[arg(short, long)]
    all: bool,

    /// Digests, too
    #[arg(long)]
    digests: bool,

    /// Whole ids
    #[arg(long)]
    no_trunc: bool,

    /// Only those for which this holds: dangling=true, reference=PATTERN, label=KEY[=VALUE]
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,

    /// table, json, or a template
    #[arg(long, value_name = "FORMAT", default_value = "table", hide_default_value = true)]
    format: String,
}

const COLUMNS: [Column; 8] = [
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Size", "SIZE"),
    ("Containers", "CONTAINERS"),
];
const NONE: &str = "<none>";

impl Images {
    pub(super) fn perform(&self, store: &Store) -> Done {
        let filters = Filters::parse(&self.filter, &["dangling", "reference", "label"])?;
        let format = if self.quiet { Format::parse("{{.ID}}")? } else { Format::parse(&self.format)? };
        let mut images = store.images()?;
        images.sort_by(|(one, _), (other, _)| other.config.created.cmp(&one.config.created));
        let mut rows = Vec::new();
        for (image, names) in &images {
            let labelled = |wanted: &String| {
                let (key, value) =
                    wanted.split_once('=').map_or((wanted.as_str(), None), |(k, v)| (k, Some(v)));
                image
                    .config
                    .config
                    .labels
                    .get(key)
                    .is_some_and(|found| value.is_none_or(|value| value == found))
            };
            if filters.values("label").iter().all(labelled) {
                rows.extend(self.rows(store, image, names, &filters)?);
            }
        }
        let usual: &[&str] = if self.digests {
            &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"]
        } else {
            &["Repository", "Tag", "ID", "CreatedSince", "Size"]
        };
        Ok(written("the images", &format.show(&rows, &COLUMNS, usual)?))
    }

    /// A row for each name; for an image without one, a row all the same.
    fn rows(
        &self,
        store: &Store,
        image: &Image,
        names: &[Reference],
        filters: &Filters,
    ) -> anyhow::Result<Vec<Row>> {
        let digests: Vec<&Reference> = names.iter().filter(|name| name.digest().is_some()).collect();
        let tags: Vec<&Reference> = names.iter().filter(|name| name.tag().is_some()).collect();
        let mut shown: Vec<(String, String)> =
            tags.iter().map(|name| (name.familiar_name(), name.tag().unwrap_or(NONE).into())).collect();
        if tags.is_empty() {
            let repository = digests.first().map_or(NONE.into(), |name| name.familiar_name());
            shown.push((repository, NONE.into()));
        }
        let wanted = |(repository, tag): &(String, String)| {
            let only = self.only.as_deref().is_none_or(|only| fits(only, repository, tag));
            let reference = filters.values("reference");
            let dangling = filters
                .values("dangling")
                .iter()
                .all(|value| (value == "true" || value == "1") == (tag == NONE));
            only && dangling
                && (reference.is_empty() || reference.iter().any(|pattern| fits(pattern, repository, tag)))
        };
        let created = ago(image.config.created.as_deref(), SystemTime::now());
        let containers = store.users(&image.id)?.len();
        let row = |(repository, tag): (String, String)| {
            let digest = digests.iter().find(|name| name.familiar_name() == repository);
            let digest = digest.and_then(|name| name.digest()).map_or(NONE.into(), ToString::to_string);
            let id = if self.no_trunc { image.id.to_string() } else { image.id.short().into() };
            Row::new([
                ("Repository", repository),
                ("Tag", tag),
                ("Digest", digest),
                ("ID", id),
                ("CreatedSince", created.clone()),
                ("CreatedAt", image.config.created.clone().unwrap_or_default()),
                ("Size", words::size(store.size(image))),
                ("Containers", containers.to_string()),
            ])
        };
        Ok(shown.into_iter().filter(wanted).map(row).collect())
    }
}

/// Whether a name is meant by `REPOSITORY[:TAG]`, in which `*` is any text within a part.
fn fits(wanted: &str, repository: &str, tag: &str) -> bool {
    let (name, wanted_tag) = match wanted.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (wanted, None),
    };
    glob(name.as_bytes(), repository.as_bytes())
        && wanted_tag.is_none_or(|wanted| glob(wanted.as_bytes(), tag.as_bytes()))
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if glob(rest, text) => true,
        (Some((b'*', _)), Some((letter, after))) => *letter != b'/' && glob(pattern, after),
        (Some((b'?', rest)), Some((_, after))) => glob(rest, after),
        (Some((wanted, rest)), Some((letter, after))) => wanted == letter && glob(rest, after),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_meant_by_its_parts() {
        assert!(fits("nginx", "nginx", "1"));
        assert!(fits("nginx:1*", "nginx", "1.27"));
        assert!(fits("*/app", "me/app", "x"));
        assert!(!fits("nginx:2", "nginx", "1"));
        assert!(!fits("*", "me/app", "1"));
        assert!(fits("localhost:5000/a", "localhost:5000/a", "1"));
    }
}
