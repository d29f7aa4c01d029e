//! Looks whether all that is kept is still what it was.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};

use super::{Store, StoreError, files};
use crate::image::digest::{Digest, Digesting, Hasher};
use crate::image::layer::Unpacked;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The image that is affected, as people call it.
    pub image: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.image, self.what)
    }
}

const BUFFER: usize = 256 << 10;

impl Store {
    /// Reads everything and compares it with its digest, and looks whether each layer is unpacked.
    pub fn check(&self) -> Result<Vec<Flaw>, StoreError> {
        let mut flaws = Vec::new();
        for named in self.names()? {
            let image = match &named.reference {
                Some(reference) => reference.familiar(),
                None => named.descriptor.digest.short().to_owned(),
            };
            let mut flaw = |what: String| flaws.push(Flaw { image: image.clone(), what });
            let found = match self.image(&named.descriptor) {
                Ok(found) => found,
                Err(error) => {
                    flaw(error.to_string());
                    continue;
                }
            };
            for (layer, diff_id) in found.manifest.layers.iter().zip(&found.config.rootfs.diff_ids) {
                match self.digests(&layer.digest) {
                    Err(error) => flaw(error.to_string()),
                    Ok((packed, _)) if packed != layer.digest => {
                        flaw(format!(
                            "layer {} has become {} (pull or load it again)",
                            layer.digest.short(),
                            packed.short()
                        ));
                    }
                    Ok((_, unpacked)) if unpacked != *diff_id => {
                        flaw(format!(
                            "layer {} is not what its image says (pull it again)",
                            layer.digest.short()
                        ));
                    }
                    Ok(_) if !self.layer(diff_id).is_dir() => {
                        flaw(format!(
                            "layer {} is not unpacked (the next container unpacks it)",
                            layer.digest.short()
                        ));
                    }
                    Ok(_) => {}
                }
            }
        }
        Ok(flaws)
    }

    /// What a layer is called, packed and unpacked.
    fn digests(&self, blob: &Digest) -> Result<(Digest, Digest), StoreError> {
        let path = self.blob(blob);
        let file: File = self.open(blob)?;
        let mut unpacked = Unpacked::new(BufReader::with_capacity(BUFFER, Digesting::new(file)))?;
        let mut hasher = Digesting::new(io::sink());
        // Damaged bytes may not even unpack; what they are called tells it.
        let copied = io::copy(&mut unpacked, &mut hasher);
        let inner: Hasher = hasher.into_parts().1;
        let Some(mut packed) = unpacked.into_inner() else { return Ok((blob.clone(), inner.digest())) };
        io::copy(&mut packed, &mut io::sink()).map_err(files("read", &path))?;
        let packed = packed.into_inner().hasher().digest();
        match copied {
            Err(error) if packed == *blob => Err(files("unpack", &path)(error)),
            _ => Ok((packed, inner.digest())),
        }
    }
}
