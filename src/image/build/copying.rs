//! COPY and ADD: which files go where, what they are called by together, and the layer that they make.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{BuildError, Likeness};
use crate::image::digest::{Digest, Digesting, Hasher};
use crate::image::dockerfile::{Ignore, fits};
use crate::image::layer::{Entry, Found, LayerError, Merged, Packer, Packing, gzip};
use crate::image::manifest::Descriptor;
use crate::image::store::Store;

/// Where files come from: the build's directory, or another stage.
pub(super) struct Origin {
    pub(super) files: Merged,
    pub(super) ignore: Ignore,
    /// What it is called in errors.
    pub(super) name: String,
    pub(super) owners: Owners,
}

/// Whose files are, where nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owners {
    /// Root's: files of the host belong to people of the host.
    Root,
    /// Whose they are already: files of another stage.
    Kept,
}

/// Whose files become, and with which mode; as they are if it is not said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub(super) owner: Option<(u32, u32)>,
    pub(super) mode: Option<u32>,
}

/// A file of the new layer.
enum New {
    /// Like one of the host's.
    Of(PathBuf, Entry),
    /// A directory on the way that was not there.
    Directory(Entry),
    /// Text.
    Text(String, Entry),
}

/// A layer in the making.
pub(super) struct NewLayer<'a> {
    stage: &'a Merged,
    likeness: Likeness,
    files: BTreeMap<PathBuf, New>,
}

/// What a layer has become.
pub struct Made {
    /// The blob.
    pub descriptor: Descriptor,
    /// What is in it.
    pub diff_id: Digest,
}

impl Origin {
    /// The files that a source means: one, or as many as fit a pattern.
    pub(super) fn sources(&self, source: &str) -> Result<Vec<Found>, BuildError> {
        let missing = || BuildError::NoSuchFile { file: source.into(), origin: self.name.clone() };
        let mut path = PathBuf::new();
        for part in source.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    if !path.pop() {
                        return Err(BuildError::OutsideContext(source.into()));
                    }
                }
                part => path.push(part),
            }
        }
        let mut found: Vec<Found> =
            self.files.find(Path::new("")).map_err(reading(&path))?.into_iter().collect();
        for part in &path {
            let pattern = part.to_string_lossy();
            let mut next = Vec::new();
            for directory in &found {
                if pattern.contains(['*', '?', '[', '\\']) {
                    let inside = self.files.list(directory).map_err(reading(&path))?;
                    let fitting =
                        inside.into_iter().filter(|(name, _)| fits(&pattern, &name.to_string_lossy()));
                    for (name, _) in fitting {
                        next.extend(self.files.find(&directory.path().join(name)).map_err(reading(&path))?);
                    }
                } else {
                    next.extend(self.files.find(&directory.path().join(part)).map_err(reading(&path))?);
                }
            }
            found = next;
        }
        let out = |found: &Found| {
            self.ignore.leaves_out(found.path())
                && !(matches!(found, Found::Directory { .. }) && self.ignore.may_keep_beneath())
        };
        found.retain(|found| !out(found));
        if found.is_empty() { Err(missing()) } else { Ok(found) }
    }
}

impl<'a> NewLayer<'a> {
    pub(super) fn on(stage: &'a Merged, likeness: Likeness) -> Self {
        Self { stage, likeness, files: BTreeMap::new() }
    }

    /// A directory, and what leads to it, if it is not there; says whether it was not.
    pub(super) fn directory(&mut self, path: &Path, owner: Option<(u32, u32)>) -> Result<bool, BuildError> {
        let settled = self.stage.settle(path).map_err(reading(path))?;
        if matches!(self.stage.find(&settled).map_err(reading(path))?, Some(Found::Directory { .. })) {
            return Ok(false);
        }
        self.parents(&settled)?;
        let (uid, gid) = owner.unwrap_or((0, 0));
        self.files.insert(settled, New::Directory(Entry { uid, gid, mode: 0o755, modified: 0 }));
        Ok(true)
    }

    /// What lies at a source, at `target`; of a directory, all that is in it.
    pub(super) fn take(
        &mut self,
        origin: &Origin,
        source: &Found,
        target: &Path,
        change: Change,
    ) -> Result<(), BuildError> {
        if origin.ignore.leaves_out(source.path()) && !matches!(source, Found::Directory { .. }) {
            return Ok(());
        }
        let host = source.host();
        let found = fs::symlink_metadata(host).map_err(reading(host))?;
        match source {
            Found::File { .. } => {
                self.parents(target)?;
                self.files
                    .insert(target.into(), New::Of(host.into(), self.changed(&found, change, origin.owners)));
            }
            Found::Directory { .. } => {
                let there = self.stage.find(target).map_err(reading(target))?;
                let out = !source.path().as_os_str().is_empty() && origin.ignore.leaves_out(source.path());
                if !matches!(there, Some(Found::Directory { .. })) && !target.as_os_str().is_empty() && !out {
                    self.parents(target)?;
                    self.files.insert(
                        target.into(),
                        New::Of(host.into(), self.changed(&found, change, origin.owners)),
                    );
                }
                for (name, inner) in origin.files.list(source).map_err(reading(host))? {
                    let inside = self.stage.settle(&target.join(&name)).map_err(reading(target))?;
                    self.take(origin, &inner, &inside, change)?;
                }
            }
        }
        Ok(())
    }

    fn changed(&self, found: &Metadata, change: Change, owners: Owners) -> Entry {
        let as_it_is = Entry::of(found);
        let (uid, gid) = change.owner.unwrap_or(match owners {
            Owners::Root => (0, 0),
            Owners::Kept => (as_it_is.uid, as_it_is.gid),
        });
        let (usual, modified) = match self.likeness {
            Likeness::AsFound => (as_it_is.mode, as_it_is.modified),
            // Which bits a checkout has beside these is up to whoever made it.
            Likeness::Always if found.is_dir() || as_it_is.mode & 0o100 != 0 => (0o755, 0),
            Likeness::Always => (0o644, 0),
        };
        let mode = change.mode.filter(|_| !found.is_dir()).unwrap_or(usual);
        Entry { uid, gid, mode, modified }
    }

    /// Text as a file.
    pub(super) fn text(&mut self, target: &Path, text: String, change: Change) -> Result<(), BuildError> {
        self.parents(target)?;
        let (uid, gid) = change.owner.unwrap_or((0, 0));
        let entry = Entry { uid, gid, mode: change.mode.unwrap_or(0o644), modified: 0 };
        self.files.insert(target.into(), New::Text(text, entry));
        Ok(())
    }

    /// The directories that lead to a path: those that are there as they are, the others new.
    fn parents(&mut self, path: &Path) -> Result<(), BuildError> {
        let above: Vec<&Path> =
            path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()).collect();
        for above in above.into_iter().rev() {
            if self.files.contains_key(above) {
                continue;
            }
            let new = match self.stage.find_itself(above).map_err(reading(above))? {
                Some(found) => {
                    let host = found.host();
                    let entry = Entry::of(&fs::symlink_metadata(host).map_err(reading(host))?);
                    let modified = if self.likeness == Likeness::Always { 0 } else { entry.modified };
                    New::Of(host.into(), Entry { modified, ..entry })
                }
                None => New::Directory(Entry { uid: 0, gid: 0, mode: 0o755, modified: 0 }),
            };
            self.files.insert(above.into(), new);
        }
        Ok(())
    }

    /// What the files are called by together: their names, kinds, modes, owners and contents, but not their times.
    pub(super) fn content(&self) -> Result<Digest, BuildError> {
        let mut all = Hasher::default();
        for (path, new) in &self.files {
            let (entry, what) = match new {
                New::Directory(entry) => (entry, "directory".to_owned()),
                New::Text(text, entry) => (entry, Digest::of(text.as_bytes()).to_string()),
                New::Of(host, entry) => (entry, content_of(host)?),
            };
            let line =
                format!("{}\0{}\0{}\0{:o}\0{what}\n", path.display(), entry.uid, entry.gid, entry.mode);
            all.take(line.as_bytes());
        }
        Ok(all.digest())
    }

    /// The layer, packed and kept.
    pub(super) fn make(&self, store: &Store) -> Result<Made, BuildError> {
        pack(store, |stream| {
            let mut packer = Packer::new(stream);
            for (path, new) in &self.files {
                match new {
                    New::Directory(entry) => packer.directory(path, *entry)?,
                    New::Text(text, entry) => packer.bytes(path, *entry, text.as_bytes())?,
                    New::Of(host, entry) => packer.file(path, host, *entry)?,
                }
            }
            packer.finish()
        })
    }
}

/// Packs what `write` writes, and keeps it.
pub fn pack(
    store: &Store,
    write: impl FnOnce(&mut dyn io::Write) -> Result<&mut dyn io::Write, LayerError>,
) -> Result<Made, BuildError> {
    let incoming = BufWriter::with_capacity(256 << 10, store.incoming()?);
    let mut unpacked = Digesting::new(gzip(incoming));
    write(&mut unpacked)?;
    let (packed, hasher) = unpacked.into_parts();
    let ended = packed.finish().and_then(|mut stream| stream.flush().map(|()| stream));
    let incoming = ended.and_then(|stream| stream.into_inner().map_err(io::IntoInnerError::into_error));
    let blob = incoming.map_err(LayerError::files("write", store.path()))?.keep()?;
    let descriptor = Descriptor::new(Packing::Gzip.media_type(), blob.digest, blob.size);
    Ok(Made { descriptor, diff_id: hasher.digest() })
}

fn content_of(host: &Path) -> Result<String, BuildError> {
    let found = fs::symlink_metadata(host).map_err(reading(host))?;
    if found.is_symlink() {
        return Ok(format!("link {}", fs::read_link(host).map_err(reading(host))?.display()));
    }
    if !found.is_file() {
        return Ok(if found.is_dir() { "directory".into() } else { "special".into() });
    }
    let mut file = File::open(host).map_err(reading(host))?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = file.read(&mut buffer).map_err(reading(host))?;
        if count == 0 {
            return Ok(hasher.digest().to_string());
        }
        hasher.take(&buffer[..count]);
    }
}

fn reading(path: &Path) -> impl Fn(io::Error) -> BuildError + '_ {
    move |source| BuildError::Layer(LayerError::Files { action: "read", path: path.into(), source })
}
