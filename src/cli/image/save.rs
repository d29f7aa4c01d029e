//! `terrarium save`: images in one file.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use super::super::GOOD;
use super::{Done, Store};
use crate::image::Reference;
use crate::image::archive::save;
use crate::image::store::Image;

/// Save images to an archive that docker, skopeo and terrarium can load
#[derive(Args)]
#[command(after_help = "\
Examples:
  terrarium save -o nginx.tar nginx
  terrarium save nginx | docker load")]
pub(in crate::cli) struct Save {
    /// The images, by name or id
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,

    /// Write to this file, instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Save {
    pub(super) fn perform(&self, store: &Store) -> Done {
        let images = self.images(store)?;
        match &self.output {
            Some(path) => to_file(&images, store, path)?,
            None if io::stdout().is_terminal() => {
                bail!("cowardly refusing to save to a terminal (use -o FILE, or redirect)")
            }
            None => save(&images, store, BufWriter::new(io::stdout().lock()))?.flush()?,
        }
        Ok(GOOD)
    }

    /// An image that was asked for by name keeps that name.
    fn images(&self, store: &Store) -> anyhow::Result<Vec<(Image, Vec<Reference>)>> {
        let mut images: Vec<(Image, Vec<Reference>)> = Vec::new();
        for word in &self.images {
            let image = store.find(word)?;
            let asked = word.parse::<Reference>().ok().map(Reference::or_latest);
            let names: Vec<Reference> = asked
                .filter(|asked| {
                    asked.tag().is_some()
                        && asked.digest().is_none()
                        && !image.id.hex().starts_with(word.as_str())
                })
                .into_iter()
                .collect();
            match images.iter_mut().find(|(known, _)| known.id == image.id) {
                Some((_, known)) => known.extend(names),
                None => images.push((image, names)),
            }
        }
        Ok(images)
    }
}

/// All or nothing: a file of that name stays what it is until the new one is whole.
fn to_file(images: &[(Image, Vec<Reference>)], store: &Store, path: &Path) -> anyhow::Result<()> {
    let name = path
        .file_name()
        .with_context(|| format!("cannot write {}: it has no file's name", path.display()))?;
    let half = path.with_file_name(format!(".{}.half-{}", name.to_string_lossy(), std::process::id()));
    let file = File::create(&half).with_context(|| format!("cannot write {}", path.display()))?;
    let saved = save(images, store, BufWriter::new(file))
        .map_err(anyhow::Error::from)
        .and_then(|mut stream| stream.flush().map_err(Into::into))
        .and_then(|()| fs::rename(&half, path).with_context(|| format!("cannot write {}", path.display())));
    if saved.is_err() {
        let _ = fs::remove_file(&half);
    }
    saved
}
