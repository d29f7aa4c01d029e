//! Reading: whatever Docker, skopeo or terrarium has written.
//!
//! Every file of the archive is taken into the store as it passes, under the name of its digest, before anybody knows what it
//! is; the documents then say which of them make an image. What nothing leads to is swept out again.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tar::{Archive, EntryType};

use super::{ArchiveError, DockerEntry, WHOLE_NAME};
use crate::image::config::ImageConfig;
use crate::image::digest::Digest;
use crate::image::layer::{Limits, Packing, Tally, Unpacked, clean};
use crate::image::manifest::{CONFIG, Descriptor, Index, MANIFEST, Manifest};
use crate::image::platform::Platform;
use crate::image::reference::Reference;
use crate::image::store::{Blob, REF_NAME, Store, StoreError};

/// An image that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its id.
    pub id: Digest,
    /// Its names.
    pub names: Vec<Reference>,
    /// What unpacking it has met.
    pub tally: Tally,
}

/// No archive of images has more files.
const MOST_FILES: u64 = 100_000;

/// Takes all images of an archive into the store.
pub fn load(archive: impl Read, store: &Store) -> Result<Vec<Loaded>, ArchiveError> {
    let loaded = take(archive, store);
    store.sweep()?;
    loaded
}

fn take(archive: impl Read, store: &Store) -> Result<Vec<Loaded>, ArchiveError> {
    let adding = store.add()?;
    let content = Content::read(archive, store)?;
    let images = match content.document::<Index>(store, "index.json")? {
        Some(index) => content.of_layout(store, &index)?,
        None => match content.document::<Vec<DockerEntry>>(store, "manifest.json")? {
            Some(entries) => content.of_docker(store, &entries)?,
            None => return Err(ArchiveError::NotImages),
        },
    };
    let mut loaded = Vec::new();
    for (descriptor, names) in images {
        let image = store.image(&descriptor)?;
        let tally = store.unpack(&image, &adding)?;
        for name in &names {
            store.set_name(name, &descriptor)?;
        }
        if names.is_empty() {
            store.set_nameless(&descriptor)?;
        }
        loaded.push(Loaded { id: image.id, names, tally });
    }
    Ok(loaded)
}

/// The files of an archive, by their names.
struct Content {
    files: BTreeMap<PathBuf, Blob>,
    links: BTreeMap<PathBuf, PathBuf>,
}

type Images = Vec<(Descriptor, Vec<Reference>)>;

impl Content {
    fn read(archive: impl Read, store: &Store) -> Result<Self, ArchiveError> {
        let unpacked = Unpacked::new(BufReader::new(archive))?;
        let mut content = Self { files: BTreeMap::new(), links: BTreeMap::new() };
        let mut count = 0;
        for entry in Archive::new(unpacked).entries().map_err(reading)? {
            let mut entry = entry.map_err(reading)?;
            count += 1;
            if count > MOST_FILES {
                return Err(ArchiveError::TooMuch(MOST_FILES));
            }
            let path = clean(&entry.path_bytes())?;
            match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous => {
                    if entry.size() > Limits::default().bytes {
                        return Err(ArchiveError::TooMuch(MOST_FILES));
                    }
                    let mut incoming = store.incoming()?;
                    io::copy(&mut entry, &mut incoming).map_err(reading)?;
                    content.files.insert(path, incoming.keep()?);
                }
                // Docker's older archives have a link where the same layer comes again.
                EntryType::Symlink => {
                    let target = entry.link_name_bytes().unwrap_or_default();
                    let beside = path
                        .parent()
                        .unwrap_or(Path::new(""))
                        .join(String::from_utf8_lossy(&target).as_ref());
                    content.links.insert(path, clean(beside.as_os_str().as_encoded_bytes())?);
                }
                EntryType::Link => {
                    let target = clean(&entry.link_name_bytes().unwrap_or_default())?;
                    content.links.insert(path, target);
                }
                _ => {}
            }
        }
        Ok(content)
    }

    fn followed<'a>(&'a self, path: &'a Path) -> &'a Path {
        self.links.get(path).map_or(path, PathBuf::as_path)
    }

    /// A document, if it is there.
    fn document<T: DeserializeOwned>(&self, store: &Store, name: &str) -> Result<Option<T>, ArchiveError> {
        let Some(blob) = self.files.get(self.followed(Path::new(name))) else { return Ok(None) };
        let parsed = serde_json::from_slice(&store.bytes(&blob.digest)?);
        parsed.map(Some).map_err(|source| ArchiveError::Document { what: name.into(), source })
    }

    /// The blob that a file has become.
    fn blob(&self, name: &str) -> Result<&Blob, ArchiveError> {
        let path = clean(name.as_bytes())?;
        self.files.get(self.followed(&path)).ok_or_else(|| ArchiveError::Lacks(name.into()))
    }

    /// A layout's files are called by what is in them: that is a promise.
    fn check(&self, store: &Store, digest: &Digest) -> Result<(), ArchiveError> {
        match self.blob(&format!("blobs/sha256/{}", digest.hex())) {
            Ok(blob) if blob.digest == *digest => Ok(()),
            Ok(blob) => {
                Err(StoreError::Damaged { wanted: digest.clone(), found: blob.digest.clone() }.into())
            }
            // Whoever saved it may have left out what is here already.
            Err(ArchiveError::Lacks(_)) if store.has(digest) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn of_layout(&self, store: &Store, index: &Index) -> Result<Images, ArchiveError> {
        let mut images: Images = Vec::new();
        let docker = self.document::<Vec<DockerEntry>>(store, "manifest.json")?.unwrap_or_default();
        for named in &index.manifests {
            let Some(descriptor) = self.choose(store, named.clone())? else { continue };
            self.check(store, &descriptor.digest)?;
            let manifest: Manifest = store.document("the manifest", &descriptor.digest)?;
            self.check(store, &manifest.config.digest)?;
            for layer in &manifest.layers {
                self.check(store, &layer.digest)?;
            }
            let mut names: Vec<Reference> = name_of(named).into_iter().collect();
            let same = docker.iter().filter(|entry| entry.config.contains(manifest.config.digest.hex()));
            names.extend(
                same.flat_map(|entry| entry.repo_tags.iter().flatten()).filter_map(|tag| tag.parse().ok()),
            );
            let descriptor = Descriptor { annotations: BTreeMap::new(), platform: None, ..descriptor };
            match images.iter_mut().find(|(known, _)| known.digest == descriptor.digest) {
                Some((_, known)) => known.extend(names),
                None => images.push((descriptor, names)),
            }
        }
        for (_, names) in &mut images {
            names.sort();
            names.dedup();
        }
        if images.is_empty() && !index.manifests.is_empty() {
            let there = index.platforms().join(", ");
            return Err(StoreError::Platform { wanted: Platform::here().to_string(), there }.into());
        }
        Ok(images)
    }

    /// Of an image for several platforms, this machine's.
    fn choose(&self, store: &Store, mut descriptor: Descriptor) -> Result<Option<Descriptor>, ArchiveError> {
        let here = Platform::here();
        while descriptor.is_index() {
            self.check(store, &descriptor.digest)?;
            let index: Index = store.document("the index", &descriptor.digest)?;
            match index.for_platform(&here) {
                Some(found) => descriptor = found.clone(),
                None => return Ok(None),
            }
        }
        Ok(Some(descriptor).filter(|found| found.platform.as_ref().is_none_or(|of| of.fits(&here))))
    }

    /// Docker's own archive has no manifest of OCI's kind: one is made.
    fn of_docker(&self, store: &Store, entries: &[DockerEntry]) -> Result<Images, ArchiveError> {
        let mut images = Vec::new();
        for entry in entries {
            let described = self.blob(&entry.config)?;
            let config: ImageConfig = store.document("the configuration", &described.digest)?;
            if !config.platform.fits(&Platform::here()) {
                let (wanted, there) = (Platform::here().to_string(), config.platform.to_string());
                return Err(StoreError::Platform { wanted, there }.into());
            }
            let mut layers = Vec::new();
            for name in &entry.layers {
                let blob = self.blob(name)?;
                let mut beginning = Vec::new();
                store.open(&blob.digest)?.take(8).read_to_end(&mut beginning).map_err(reading)?;
                let kind = Packing::of(&beginning)?.media_type();
                layers.push(Descriptor::new(kind, blob.digest.clone(), blob.size));
            }
            let described = Descriptor::new(CONFIG, described.digest.clone(), described.size);
            let manifest = Manifest::new(described, layers);
            let bytes = serde_json::to_vec(&manifest).expect("a manifest has only texts for keys");
            let blob = store.keep(&bytes)?;
            let tags = entry.repo_tags.iter().flatten();
            let names = tags.filter_map(|tag| tag.parse().ok()).collect();
            images.push((Descriptor::new(MANIFEST, blob.digest, blob.size), names));
        }
        Ok(images)
    }
}

/// A tag alone names nothing.
fn name_of(descriptor: &Descriptor) -> Option<Reference> {
    let whole = descriptor.annotations.get(WHOLE_NAME);
    let short = descriptor.annotations.get(REF_NAME).filter(|name| name.contains(['/', ':']));
    whole.or(short)?.parse().ok().map(Reference::or_latest)
}

fn reading(source: io::Error) -> ArchiveError {
    ArchiveError::Stream { action: "read", source }
}
