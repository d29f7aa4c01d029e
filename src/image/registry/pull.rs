//! Pulling: a manifest, and the blobs that it names and that are not here yet, several at a time.

use std::io::{Read, Write};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use ureq::http::StatusCode;

use super::connection::{Access, Ask, Connection, Load, body, header};
use super::{End, Keyring, Progress, RegistryError};
use crate::image::digest::Digest;
use crate::image::layer::Tally;
use crate::image::manifest::Index;
use crate::image::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, INDEX, MANIFEST, Manifest};
use crate::image::platform::Platform;
use crate::image::reference::Reference;
use crate::image::store::{Incoming, Store, StoreError};

/// What has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The image's id.
    pub id: Digest,
    /// What the registry calls the reference: the digest of a manifest, or of an index.
    pub digest: Digest,
    /// Whether all of it was here before.
    pub was_here: bool,
    /// What unpacking it has met.
    pub tally: Tally,
}

/// How many blobs move at a time, as with Docker.
const AT_A_TIME: usize = 3;
/// How often a broken transfer is taken up again.
const TRIES: u32 = 5;
/// How long one waits before that; twice as long each time.
const PAUSE: Duration = Duration::from_millis(250);
const KINDS: [&str; 4] = [INDEX, DOCKER_INDEX, MANIFEST, DOCKER_MANIFEST];

/// Fetches an image under the name that it is asked for by.
pub fn pull(
    reference: &Reference,
    store: &Store,
    keyring: &Keyring,
    progress: &dyn Progress,
) -> Result<Pulled, RegistryError> {
    let adding = store.add()?;
    let pulling = Pulling {
        connection: Connection::open(reference, Access::Pull, keyring)?,
        reference,
        store,
        progress,
    };
    let (mut descriptor, bytes) = pulling.document(reference.wanted())?;
    if let Some(promised) = reference.digest().filter(|promised| **promised != descriptor.digest) {
        return Err(StoreError::Damaged { wanted: promised.clone(), found: descriptor.digest }.into());
    }
    let digest = descriptor.digest.clone();
    let mut bytes = bytes;
    if descriptor.is_index() {
        let here = Platform::here();
        let index: Index = parse("the index", &digest, &bytes)?;
        let found = index.for_platform(&here).ok_or_else(|| StoreError::Platform {
            wanted: here.to_string(),
            there: index.platforms().join(", "),
        })?;
        let (chosen, manifest) = pulling.document(found.digest.as_str())?;
        if chosen.digest != found.digest {
            return Err(StoreError::Damaged { wanted: found.digest.clone(), found: chosen.digest }.into());
        }
        (descriptor, bytes) = (chosen, manifest);
    }
    let manifest: Manifest = parse("the manifest", &descriptor.digest, &bytes)?;
    let was_here = store.has(&descriptor.digest) && store.has(&manifest.config.digest);
    store.keep(&bytes)?;
    pulling.blobs(&manifest)?;
    let image = store.image(&descriptor)?;
    let tally = store.unpack(&image, &adding)?;
    store.set_name(&reference.at(&digest), &descriptor)?;
    if reference.tag().is_some() && reference.digest().is_none() {
        store.set_name(reference, &descriptor)?;
    }
    Ok(Pulled { id: image.id, digest, was_here, tally })
}

struct Pulling<'a> {
    connection: Connection,
    reference: &'a Reference,
    store: &'a Store,
    progress: &'a dyn Progress,
}

impl Pulling<'_> {
    /// A manifest or an index.
    fn document(&self, wanted: &str) -> Result<(Descriptor, Vec<u8>), RegistryError> {
        let path = format!("/v2/{}/manifests/{wanted}", self.connection.repository());
        let accept = KINDS.join(", ");
        let ask = Ask { method: "GET", path: &path, headers: &[("accept", &accept)], load: Load::Nothing };
        let mut response = self.connection.ask(ask)?;
        if response.status() != StatusCode::OK {
            return Err(self.connection.refusal(
                &format!("GET {path}"),
                &self.reference.familiar(),
                response,
            ));
        }
        let kind = header(&response, "content-type").unwrap_or_default();
        let bytes = body(&mut response);
        let said: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let kind = said["mediaType"]
            .as_str()
            .unwrap_or(kind.split(';').next().unwrap_or_default())
            .trim()
            .to_owned();
        if said["schemaVersion"] == 1 {
            return Err(RegistryError::TooOld(self.reference.familiar()));
        }
        Ok((Descriptor::new(&kind, Digest::of(&bytes), bytes.len() as u64), bytes))
    }

    /// All that are not here.
    fn blobs(&self, manifest: &Manifest) -> Result<(), RegistryError> {
        let mut wanted: Vec<&Descriptor> = Vec::new();
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            if wanted.iter().all(|known| known.digest != blob.digest) {
                wanted.push(blob);
            }
        }
        for blob in &wanted {
            self.progress.begins(&blob.digest, blob.size);
        }
        let left = Mutex::new(wanted.into_iter());
        let failed = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..AT_A_TIME {
                scope.spawn(|| {
                    loop {
                        let stop = lock(&failed).is_some();
                        let Some(blob) = lock(&left).next().filter(|_| !stop) else { return };
                        if let Err(error) = self.blob(blob) {
                            lock(&failed).get_or_insert(error);
                        }
                    }
                });
            }
        });
        failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// One, taken up again where it broke.
    fn blob(&self, blob: &Descriptor) -> Result<(), RegistryError> {
        if self.store.has(&blob.digest) {
            self.progress.ends(&blob.digest, End::There);
            return Ok(());
        }
        let mut incoming = self.store.incoming()?;
        let mut why = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                thread::sleep(PAUSE * 2_u32.pow(attempt - 1));
            }
            match self.receive(blob, &mut incoming) {
                Ok(()) if incoming.size() >= blob.size => {
                    incoming.keep_as(&blob.digest)?;
                    self.progress.ends(&blob.digest, End::Pulled);
                    return Ok(());
                }
                Ok(()) => why = "the registry ended it too early".into(),
                Err(Trouble::Passing(error)) => why = error,
                Err(Trouble::AnotherBlob) => incoming = self.store.incoming()?,
                Err(Trouble::Lasting(error)) => return Err(error),
            }
        }
        let registry = self.connection.registry().to_owned();
        Err(RegistryError::Broken { registry, blob: blob.digest.short().into(), times: TRIES, why })
    }

    fn receive(&self, blob: &Descriptor, incoming: &mut Incoming) -> Result<(), Trouble> {
        let path = format!("/v2/{}/blobs/{}", self.connection.repository(), blob.digest);
        let range = format!("bytes={}-", incoming.size());
        let headers = [("range", range.as_str())];
        let headers = if incoming.size() > 0 { &headers[..] } else { &[] };
        let ask = Ask { method: "GET", path: &path, headers, load: Load::Nothing };
        let mut response = match self.connection.ask(ask) {
            Err(error @ RegistryError::Connection { .. }) => return Err(Trouble::Passing(error.to_string())),
            result => result.map_err(Trouble::Lasting)?,
        };
        match response.status() {
            StatusCode::OK if incoming.size() > 0 => return Err(Trouble::AnotherBlob),
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            status if status.is_server_error() => {
                return Err(Trouble::Passing(format!("it answers {status}")));
            }
            _ => {
                let refusal =
                    self.connection.refusal(&format!("GET {path}"), &self.reference.familiar(), response);
                return Err(Trouble::Lasting(refusal));
            }
        }
        // Not more than was promised, whatever comes.
        let left = blob.size.saturating_sub(incoming.size());
        let mut stream = response.body_mut().as_reader().take(left);
        let mut buffer = vec![0; 128 << 10];
        loop {
            let count = stream.read(&mut buffer).map_err(|error| Trouble::Passing(error.to_string()))?;
            if count == 0 {
                return Ok(());
            }
            incoming.write_all(&buffer[..count]).map_err(|source| {
                let path = self.store.path().into();
                Trouble::Lasting(StoreError::Files { action: "write", path, source }.into())
            })?;
            self.progress.moved(&blob.digest, incoming.size());
        }
    }
}

enum Trouble {
    /// It may go better the next time.
    Passing(String),
    /// The registry cannot go on in the middle: from the beginning.
    AnotherBlob,
    /// It will not.
    Lasting(RegistryError),
}

fn parse<T: serde::de::DeserializeOwned>(
    what: &'static str,
    digest: &Digest,
    bytes: &[u8],
) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|source| StoreError::Document {
        what,
        digest: digest.clone(),
        source,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
