//! Layers, unpacked: each once, whatever images have it, by the digest of its archive before it was packed.

use std::fs::{self, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::{Adding, Image, Store, StoreError, files};
use crate::image::digest::{Digest, Digesting, Hasher};
use crate::image::layer::{LayerError, Limits, Tally, Unpacked, opaque_mark, remove_tree, unpack};

/// How much is read at once, and how many such pieces may wait for the disk.
const PIECE: usize = 256 << 10;
const WAITING: usize = 8;

impl Store {
    /// Where a layer is, or would be.
    pub fn layer(&self, diff_id: &Digest) -> PathBuf {
        self.path.join("layers").join(diff_id.hex())
    }

    /// How many bytes its files have; none that are known if it is not unpacked.
    pub fn layer_size(&self, diff_id: &Digest) -> u64 {
        let text = fs::read_to_string(self.size_of(diff_id)).unwrap_or_default();
        text.parse().unwrap_or(0)
    }

    /// How many bytes the files of all of its layers have: Docker's size of an image.
    pub fn size(&self, image: &Image) -> u64 {
        image.config.rootfs.diff_ids.iter().map(|diff_id| self.layer_size(diff_id)).sum()
    }

    fn size_of(&self, diff_id: &Digest) -> PathBuf {
        self.path.join("sizes").join(diff_id.hex())
    }

    /// The layers of an image as overlayfs wants them, the topmost first; those that are not there yet are unpacked.
    pub fn lower(&self, image: &Image, adding: &Adding) -> Result<Vec<PathBuf>, StoreError> {
        self.unpack(image, adding)?;
        Ok(self.stack(&image.config.rootfs.diff_ids))
    }

    /// Unpacks what is not there yet of an image's layers.
    pub fn unpack(&self, image: &Image, adding: &Adding) -> Result<Tally, StoreError> {
        let mut all = Tally::default();
        for (layer, diff_id) in image.manifest.layers.iter().zip(&image.config.rootfs.diff_ids) {
            let tally = self.unpack_layer(&layer.digest, diff_id, adding)?;
            all.entries += tally.entries;
            all.bytes += tally.bytes;
            all.devices += tally.devices;
            all.owners += tally.owners;
        }
        Ok(all)
    }

    /// One reads, unpacks and checks, the other makes the files. What was not promised does not get its name.
    pub fn unpack_layer(&self, blob: &Digest, diff_id: &Digest, _: &Adding) -> Result<Tally, StoreError> {
        let path = self.layer(diff_id);
        if self.is_unpacked(diff_id) {
            return Ok(Tally::default());
        }
        self.clear_doubt(diff_id)?;
        let half = self.new_place();
        fs::create_dir(&half).map_err(files("make", &half))?;
        // An archive need not say anything of its root.
        fs::set_permissions(&half, Permissions::from_mode(0o755)).map_err(files("make", &half))?;
        let archive = self.open(blob)?;
        let result = thread::scope(|scope| {
            let (sender, receiver) = sync_channel(WAITING);
            let reader = scope.spawn(move || read(archive, blob, diff_id, &sender));
            let mut pieces = Pieces { receiver, piece: Vec::new(), at: 0 };
            let tally = unpack(&mut pieces, &half, Limits::default());
            if tally.is_ok() {
                // What follows the archive's end belongs to its digest, too.
                let _ = io::copy(&mut pieces, &mut io::sink());
            }
            drop(pieces);
            let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match (tally, read) {
                // Who reads tells best what is wrong with the bytes, but it also ends early if nobody listens.
                (Ok(tally), Ok(())) => Ok(tally),
                (Err(error), Ok(())) => Err(error.into()),
                (_, Err(error)) => Err(error),
            }
        });
        let measured = result.and_then(|tally| {
            self.write_loose(&self.size_of(diff_id), tally.bytes.to_string().as_bytes())?;
            self.mark(diff_id)?;
            Ok(tally)
        });
        let placed = measured.and_then(|tally| match fs::rename(&half, &path) {
            // Another one was quicker: it is the same layer.
            Err(_) if path.exists() => Ok(tally),
            renamed => renamed.map(|()| tally).map_err(files("keep", &path)),
        });
        if half.exists() {
            remove_tree(&half).map_err(files("remove", &half))?;
        }
        placed
    }

    /// What is seen of some layers, the topmost first: those beneath one whose root hides all are left out.
    pub fn stack(&self, diff_ids: &[Digest]) -> Vec<PathBuf> {
        let mut stack = Vec::new();
        for layer in diff_ids.iter().rev().map(|diff_id| self.layer(diff_id)) {
            let hides = matches!(xattr::get(&layer, opaque_mark()), Ok(Some(mark)) if mark == b"y");
            stack.push(layer);
            if hides {
                break;
            }
        }
        stack
    }
}

/// Reads a packed layer and sends what is in it, checking both digests.
fn read(
    archive: fs::File,
    blob: &Digest,
    diff_id: &Digest,
    to: &SyncSender<io::Result<Vec<u8>>>,
) -> Result<(), StoreError> {
    let packed = BufReader::with_capacity(PIECE, Digesting::new(archive));
    let mut unpacked = Unpacked::new(packed)?;
    // What is not packed is called the same both ways: it is enough to count it once.
    let mut hasher = (!matches!(unpacked, Unpacked::Plain(_))).then(Hasher::default);
    loop {
        let mut piece = vec![0; PIECE];
        match unpacked.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                piece.truncate(count);
                if let Some(hasher) = &mut hasher {
                    hasher.take(&piece);
                }
                if to.send(Ok(piece)).is_err() {
                    return Ok(()); // whoever makes the files has a better reason to stop
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                let again = io::Error::new(error.kind(), error.to_string());
                let _ = to.send(Err(again));
                return Err(LayerError::Read(error).into());
            }
        }
    }
    let mut packed =
        unpacked.into_inner().ok_or_else(|| LayerError::Read(io::ErrorKind::InvalidData.into()))?;
    io::copy(&mut packed, &mut io::sink()).map_err(LayerError::Read)?;
    let packed = packed.into_inner().hasher().digest();
    let found = hasher.map_or_else(|| packed.clone(), |hasher| hasher.digest());
    if found != *diff_id {
        return Err(LayerError::Digest { wanted: diff_id.clone(), found }.into());
    }
    if packed == *blob { Ok(()) } else { Err(StoreError::Damaged { wanted: blob.clone(), found: packed }) }
}

/// What the other thread sends, as a stream.
struct Pieces {
    receiver: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            self.piece = match self.receiver.recv() {
                Ok(piece) => piece?,
                Err(_) => return Ok(0),
            };
            self.at = 0;
        }
        let count = buffer.len().min(self.piece.len() - self.at);
        buffer[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
