//! Pushing: the blobs that the registry does not have, and then the manifest that names them.

use std::fs::File;
use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use ureq::http::StatusCode;

use super::connection::{Access, Ask, Connection, Load, header};
use super::{End, Keyring, Progress, RegistryError};
use crate::image::digest::Digest;
use crate::image::manifest::Descriptor;
use crate::image::reference::Reference;
use crate::image::store::{Image, Store};

/// How often a broken transfer is begun again.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(250);
const OCTETS: &str = "application/octet-stream";

/// Sends an image under a name; returns the digest and the size of its manifest.
pub fn push(
    image: &Image,
    reference: &Reference,
    store: &Store,
    keyring: &Keyring,
    progress: &dyn Progress,
) -> Result<Descriptor, RegistryError> {
    let pushing = Pushing {
        connection: Connection::open(reference, Access::Push, keyring)?,
        reference,
        store,
        progress,
    };
    let mut sent: Vec<&Digest> = Vec::new();
    for blob in image.manifest.layers.iter().chain([&image.manifest.config]) {
        if !sent.contains(&&blob.digest) {
            progress.begins(&blob.digest, blob.size);
            pushing.blob(blob)?;
            sent.push(&blob.digest);
        }
    }
    let bytes = store.bytes(&image.descriptor.digest)?;
    let path = format!("/v2/{}/manifests/{}", pushing.connection.repository(), reference.wanted());
    let headers = [("content-type", image.manifest.kind())];
    let ask = Ask { method: "PUT", path: &path, headers: &headers, load: Load::Bytes(&bytes) };
    let response = pushing.connection.ask(ask)?;
    if !response.status().is_success() {
        return Err(pushing.connection.refusal(&format!("PUT {path}"), &reference.familiar(), response));
    }
    store.set_name(&reference.at(&image.descriptor.digest), &image.descriptor)?;
    Ok(image.descriptor.clone())
}

struct Pushing<'a> {
    connection: Connection,
    reference: &'a Reference,
    store: &'a Store,
    progress: &'a dyn Progress,
}

impl Pushing<'_> {
    fn blob(&self, blob: &Descriptor) -> Result<(), RegistryError> {
        let path = format!("/v2/{}/blobs/{}", self.connection.repository(), blob.digest);
        let there =
            self.connection.ask(Ask { method: "HEAD", path: &path, headers: &[], load: Load::Nothing })?;
        if there.status() == StatusCode::OK {
            self.progress.ends(&blob.digest, End::There);
            return Ok(());
        }
        let mut why = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                thread::sleep(PAUSE * 2_u32.pow(attempt - 1));
            }
            match self.send(blob) {
                Ok(Sent::Taken) => {
                    self.progress.ends(&blob.digest, End::Pushed);
                    return Ok(());
                }
                // What we say of ourselves holds for a while only, and a large blob takes long.
                Ok(Sent::NotLetIn) if attempt == 0 => {}
                Ok(Sent::NotLetIn) => {
                    return Err(RegistryError::WrongCredentials(self.connection.registry().into()));
                }
                Err(RegistryError::Connection { source, .. }) => why = source.to_string(),
                Err(RegistryError::Answer { status, said, .. }) if status >= 500 => why = said,
                Err(error) => return Err(error),
            }
        }
        let registry = self.connection.registry().to_owned();
        Err(RegistryError::Broken { registry, blob: blob.digest.short().into(), times: TRIES, why })
    }

    /// A place to send it to is asked for, and then all of it is sent there.
    fn send(&self, blob: &Descriptor) -> Result<Sent, RegistryError> {
        let path = format!("/v2/{}/blobs/uploads/", self.connection.repository());
        let response =
            self.connection.ask(Ask { method: "POST", path: &path, headers: &[], load: Load::Bytes(&[]) })?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(self.connection.refusal(
                &format!("POST {path}"),
                &self.reference.familiar(),
                response,
            ));
        }
        let place = header(&response, "location").unwrap_or_default();
        let separator = if place.contains('?') { '&' } else { '?' };
        let target = format!("{place}{separator}digest={}", blob.digest);
        let file = self.store.open(&blob.digest)?;
        let mut stream = Counted { file, moved: 0, digest: &blob.digest, progress: self.progress };
        let headers = [("content-type", OCTETS)];
        let load = Load::Stream(&mut stream, blob.size);
        let response = self.connection.ask(Ask { method: "PUT", path: &target, headers: &headers, load })?;
        match response.status() {
            status if status.is_success() => Ok(Sent::Taken),
            StatusCode::UNAUTHORIZED => Ok(Sent::NotLetIn),
            _ => Err(self.connection.refusal("PUT of a blob", &self.reference.familiar(), response)),
        }
    }
}

enum Sent {
    Taken,
    NotLetIn,
}

/// A file whose way is watched.
struct Counted<'a> {
    file: File,
    moved: u64,
    digest: &'a Digest,
    progress: &'a dyn Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.moved += count as u64;
        self.progress.moved(self.digest, self.moved);
        Ok(count)
    }
}
