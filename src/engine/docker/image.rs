//! The lab image, handed over to Docker: the same files that a kernel's world mounts, as a tar archive.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use bollard::body_full;
use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt as _;
use thiserror::Error;

use super::daemon::reason_of;
use crate::lab;
use crate::lab::image::{ImageError, assemble};

/// Why Docker has no lab image.
#[derive(Debug, Error)]
pub enum HandOver {
    /// It could not be put together.
    #[error(transparent)]
    Assembly(#[from] ImageError),
    /// Or not be packed.
    #[error(
        "cannot pack the lab image for Docker: {0} (is there room in the directory for temporary files?)"
    )]
    Packing(#[from] io::Error),
    /// Docker does not want it.
    #[error("the Docker Engine does not take the lab image: {0} (does `docker info` show a full disk?)")]
    Refused(String),
}

/// Where the lab program counts its runs: Docker starts every run of a container with the same environment.
pub(super) const RUNS_DIRECTORY: &str = "run/terrarium";

/// Imports it under this reference.
pub(super) async fn hand_over(
    client: &bollard::Docker,
    reference: &str,
    labels: HashMap<String, String>,
) -> Result<(), HandOver> {
    let archive = pack()?;
    let (repo, tag) = reference.split_once(':').unwrap_or((reference, "latest"));
    let label = |(name, value): (String, String)| format!("LABEL {name}={value}");
    let options = CreateImageOptions {
        from_src: Some("-".into()),
        repo: Some(repo.into()),
        tag: Some(tag.into()),
        changes: labels
            .into_iter()
            .chain([(lab::LABEL.into(), "yes".into())])
            .map(label)
            .chain(["CMD [\"lab\"]".into()])
            .collect(),
        ..CreateImageOptions::default()
    };
    let mut progress = client.create_image(Some(options), Some(body_full(archive.into())), None);
    while let Some(said) = progress.next().await {
        said.map_err(|error| HandOver::Refused(reason_of(&error)))?;
    }
    Ok(())
}

fn pack() -> Result<Vec<u8>, HandOver> {
    let place = Scratch::new()?;
    assemble(place.path())?;
    let mut archive = tar::Builder::new(Vec::new());
    archive.follow_symlinks(false);
    archive.append_dir_all("", place.path())?;
    // Whoever the process is, it can count there.
    let mut open_to_all = tar::Header::new_gnu();
    open_to_all.set_entry_type(tar::EntryType::Directory);
    open_to_all.set_mode(0o1777);
    open_to_all.set_size(0);
    archive.append_data(&mut open_to_all, RUNS_DIRECTORY, io::empty())?;
    Ok(archive.into_inner()?)
}

/// A directory that goes away.
pub(super) struct Scratch(std::path::PathBuf);

impl Scratch {
    pub(super) fn new() -> io::Result<Self> {
        let name = format!("terrarium-image-{}", super::owner::Owner::this_process().new_run());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
