//! The cache: which layer a step has made before, on the same layers, by the same words, of the same files.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::image::digest::{Digest, Hasher};
use crate::image::manifest::Descriptor;
use crate::image::store::{Store, StoreError};

/// A layer that a step has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cached {
    pub(super) layer: Descriptor,
    pub(super) diff_id: Digest,
    /// When.
    pub(super) created: String,
}

/// What a step is called by: all that its result depends on, its files excepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key(Digest);

/// Whether layers of earlier builds may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Yes.
    On,
    /// No: `--no-cache`. What is made is noted all the same.
    Off,
}

/// Why a step was done, or why it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It makes no layer that could be kept.
    NothingToCache,
    /// It has been done before, at this time.
    Used(String),
    /// It has never been done on these layers.
    New,
    /// It has been done, with other files.
    FilesChanged,
    /// It was not asked.
    Off,
}

impl Key {
    pub(super) fn of(layers: &[Digest], words: &[&str]) -> Self {
        let mut hasher = Hasher::default();
        for part in layers.iter().map(Digest::as_str).chain(words.iter().copied()) {
            hasher.take(&(part.len() as u64).to_le_bytes());
            hasher.take(part.as_bytes());
        }
        Self(hasher.digest())
    }
}

/// By what is in the files.
type Known = BTreeMap<String, Cached>;

pub(super) fn find(store: &Store, key: &Key, content: &str) -> Result<Cached, Verdict> {
    let known = read(store, key);
    let whole = |cached: &&Cached| store.has(&cached.layer.digest);
    match known.get(content).filter(whole) {
        Some(cached) => {
            let used = fs::File::options().append(true).open(path(store, key));
            let _ = used.and_then(|file| file.set_modified(SystemTime::now()));
            Ok(cached.clone())
        }
        None if known.is_empty() || known.contains_key(content) => Err(Verdict::New),
        None => Err(Verdict::FilesChanged),
    }
}

/// As long as a note is used now and then, its layers are kept.
pub(super) fn note(store: &Store, key: &Key, content: &str, cached: &Cached) -> Result<(), StoreError> {
    let mut known = read(store, key);
    known.retain(|_, cached| store.has(&cached.layer.digest));
    known.insert(content.into(), cached.clone());
    let bytes = serde_json::to_vec(&known).expect("a note has only texts for keys");
    store.write_note(&path(store, key), &bytes)
}

fn read(store: &Store, key: &Key) -> Known {
    fs::read(path(store, key)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn path(store: &Store, key: &Key) -> PathBuf {
    store.path().join("cache").join(key.0.hex())
}
