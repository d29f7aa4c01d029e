//! Blobs: files that are called by the digest of what is in them, so that nobody need believe what they say.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::{Store, StoreError, files};
use crate::image::digest::{Digest, Hasher};

/// A blob that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What it is called.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// A blob that is being written. If it is dropped before it is kept, nothing is left of it.
#[derive(Debug)]
pub struct Incoming {
    store: Store,
    path: PathBuf,
    file: File,
    hasher: Hasher,
}

/// No document of an image is larger.
const LARGEST_DOCUMENT: u64 = 8 << 20;

impl Store {
    /// Where a blob is, or would be.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs/sha256").join(digest.hex())
    }

    /// Whether it is there.
    pub fn has(&self, digest: &Digest) -> bool {
        self.blob(digest).exists()
    }

    /// Its bytes.
    pub fn open(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.blob(digest);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::Missing(digest.clone())),
            result => result.map_err(files("open", &path)),
        }
    }

    /// A small one, as it is; what it says is checked against its name.
    pub fn bytes(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let path = self.blob(digest);
        self.open(digest)?.take(LARGEST_DOCUMENT).read_to_end(&mut bytes).map_err(files("read", &path))?;
        let found = Digest::of(&bytes);
        if found == *digest { Ok(bytes) } else { Err(StoreError::Damaged { wanted: digest.clone(), found }) }
    }

    /// A document.
    pub fn document<T: DeserializeOwned>(
        &self,
        what: &'static str,
        digest: &Digest,
    ) -> Result<T, StoreError> {
        let bytes = self.bytes(digest)?;
        serde_json::from_slice(&bytes).map_err(|source| StoreError::Document {
            what,
            digest: digest.clone(),
            source,
        })
    }

    /// Begins to take one in. Only for whoever is adding.
    pub fn incoming(&self) -> Result<Incoming, StoreError> {
        let path = self.new_place();
        let file = File::create(&path).map_err(files("make", &path))?;
        Ok(Incoming { store: self.clone(), path, file, hasher: Hasher::default() })
    }

    /// Takes in a small one.
    pub fn keep(&self, bytes: &[u8]) -> Result<Blob, StoreError> {
        let mut incoming = self.incoming()?;
        incoming.write_all(bytes).map_err(files("write", &self.path))?;
        incoming.keep()
    }
}

impl Incoming {
    /// What has come so far is called so.
    pub fn digest(&self) -> Digest {
        self.hasher.digest()
    }

    /// How much has come so far.
    pub fn size(&self) -> u64 {
        self.hasher.bytes()
    }

    /// Another handle for what has come so far.
    pub fn read(&self) -> Result<File, StoreError> {
        File::open(&self.path).map_err(files("open", &self.path))
    }

    /// It is whole: it gets its name.
    pub fn keep(self) -> Result<Blob, StoreError> {
        let blob = Blob { digest: self.digest(), size: self.size() };
        let path = self.store.blob(&blob.digest);
        // A name must never be there without its bytes, not even after a loss of power.
        self.file.sync_all().map_err(files("write", &path))?;
        fs::rename(&self.path, &path).map_err(files("keep", &path))?;
        Ok(blob)
    }

    /// It is whole if it is what was promised.
    pub fn keep_as(self, wanted: &Digest) -> Result<Blob, StoreError> {
        let found = self.digest();
        if found == *wanted {
            self.keep()
        } else {
            Err(StoreError::Damaged { wanted: wanted.clone(), found })
        }
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Whoever copies an archive here would say that it cannot be read.
        let full = |error: io::Error| {
            io::Error::new(error.kind(), format!("the image store does not take it in: {error}"))
        };
        let count = self.file.write(bytes).map_err(full)?;
        self.hasher.take(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
