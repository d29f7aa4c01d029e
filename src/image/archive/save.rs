//! Writing: one archive that is an OCI layout and has Docker's `manifest.json` beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::Serialize;
use tar::{Builder, EntryType, Header};

use super::{ArchiveError, DockerEntry, WHOLE_NAME};
use crate::image::digest::Digest;
use crate::image::manifest::{Descriptor, Index};
use crate::image::reference::Reference;
use crate::image::store::{Image, REF_NAME, Store};

/// Writes images; under the names that they were asked for by, or under none.
pub fn save<W: Write>(
    images: &[(Image, Vec<Reference>)],
    store: &Store,
    stream: W,
) -> Result<W, ArchiveError> {
    let mut archive = Builder::new(stream);
    directory(&mut archive, "blobs")?;
    directory(&mut archive, "blobs/sha256")?;
    let mut blobs: BTreeSet<&Digest> = BTreeSet::new();
    for (image, _) in images {
        blobs.extend([&image.descriptor.digest, &image.id]);
        blobs.extend(image.manifest.layers.iter().map(|layer| &layer.digest));
    }
    for digest in blobs {
        let mut blob = store.open(digest)?;
        let size = blob.metadata().map_err(writing)?.len();
        let mut header = header(EntryType::Regular, size);
        archive.append_data(&mut header, path_of(digest), &mut blob).map_err(writing)?;
    }
    let manifests = images.iter().flat_map(|(image, names)| descriptors(image, names)).collect();
    document(&mut archive, "index.json", &Index::new(manifests))?;
    let entries: Vec<DockerEntry> = images.iter().map(|(image, names)| docker_entry(image, names)).collect();
    document(&mut archive, "manifest.json", &entries)?;
    document(&mut archive, "oci-layout", &BTreeMap::from([("imageLayoutVersion", "1.0.0")]))?;
    archive.into_inner().map_err(writing)
}

fn descriptors(image: &Image, names: &[Reference]) -> Vec<Descriptor> {
    let plain = Descriptor { annotations: BTreeMap::new(), ..image.descriptor.clone() };
    if names.is_empty() {
        return vec![plain];
    }
    let called = |name: &Reference| {
        let tag = name.tag().unwrap_or_default().to_owned();
        let annotations = [(WHOLE_NAME.to_owned(), name.to_string()), (REF_NAME.to_owned(), tag)];
        Descriptor { annotations: annotations.into(), ..plain.clone() }
    };
    names.iter().map(called).collect()
}

fn docker_entry(image: &Image, names: &[Reference]) -> DockerEntry {
    DockerEntry {
        config: path_of(&image.id),
        repo_tags: (!names.is_empty()).then(|| names.iter().map(Reference::familiar).collect()),
        layers: image.manifest.layers.iter().map(|layer| path_of(&layer.digest)).collect(),
    }
}

fn path_of(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn directory<W: Write>(archive: &mut Builder<W>, name: &str) -> Result<(), ArchiveError> {
    let mut header = header(EntryType::Directory, 0);
    header.set_mode(0o755);
    archive.append_data(&mut header, format!("{name}/"), io::empty()).map_err(writing)
}

fn document<W: Write>(
    archive: &mut Builder<W>,
    name: &str,
    content: &impl Serialize,
) -> Result<(), ArchiveError> {
    let bytes = serde_json::to_vec(content).expect("the documents have only texts for keys");
    let mut header = header(EntryType::Regular, bytes.len() as u64);
    archive.append_data(&mut header, name, bytes.as_slice()).map_err(writing)
}

/// The same each time: no owner of ours, no time.
fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn writing(source: io::Error) -> ArchiveError {
    ArchiveError::Stream { action: "write", source }
}
