//! Looks whether all that is kept is still what it was.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};

use super::{Named, Store, StoreError, files};
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
    /// All that [`Store::examine`] has to say against an image.
    pub fn check(&self) -> Result<Vec<Flaw>, StoreError> {
        let against = |(image, flaws): (String, Vec<String>)| {
            flaws.into_iter().map(move |what| Flaw { image: image.clone(), what })
        };
        Ok(self.examine()?.into_iter().flat_map(against).collect())
    }

    /// Reads everything and compares it with its digest, and looks whether each layer is unpacked: what is wrong, by name.
    pub fn examine(&self) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let name = |named: &Named| match &named.reference {
            Some(reference) => reference.familiar(),
            None => named.descriptor.digest.short().to_owned(),
        };
        Ok(self.names()?.iter().map(|named| (name(named), self.flaws(named))).collect())
    }

    fn flaws(&self, named: &Named) -> Vec<String> {
        let found = match self.image(&named.descriptor) {
            Ok(found) => found,
            Err(error) => return vec![error.to_string()],
        };
        let layers = found.manifest.layers.iter().zip(&found.config.rootfs.diff_ids);
        layers.filter_map(|(layer, diff_id)| self.flaw(&layer.digest, diff_id)).collect()
    }

    fn flaw(&self, layer: &Digest, diff_id: &Digest) -> Option<String> {
        match self.digests(layer) {
            Err(error) => Some(error.to_string()),
            Ok((packed, _)) if packed != *layer => {
                Some(format!("layer {} has become {} (pull or load it again)", layer.short(), packed.short()))
            }
            Ok((_, unpacked)) if unpacked != *diff_id => {
                Some(format!("layer {} is not what its image says (pull it again)", layer.short()))
            }
            Ok(_) if !self.is_unpacked(diff_id) => {
                Some(format!("layer {} is not unpacked (the next container unpacks it)", layer.short()))
            }
            Ok(_) => None,
        }
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
