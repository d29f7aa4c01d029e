//! Names: which manifest each is. An image may have several, and one that has lost its last is still there.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use super::{Held, Image, Store, StoreError, files};
use crate::image::config::ImageConfig;
use crate::image::digest::Digest;
use crate::image::manifest::{Descriptor, Index, Manifest};
use crate::image::reference::Reference;

/// A name and its image.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// None if it has lost its last.
    pub reference: Option<Reference>,
    /// Which manifest.
    pub descriptor: Descriptor,
}

/// What became of a name, or of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untagged {
    /// The name is gone.
    Name(String),
    /// The image is gone.
    Image(Digest),
}

impl fmt::Display for Untagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "Untagged: {name}"),
            Self::Image(id) => write!(f, "Deleted: {id}"),
        }
    }
}

/// Where OCI keeps a name.
pub(in crate::image) const REF_NAME: &str = "org.opencontainers.image.ref.name";

impl Store {
    /// All names, and the images without one.
    pub fn names(&self) -> Result<Vec<Named>, StoreError> {
        Ok(self.index()?.manifests.into_iter().map(Named::from).collect())
    }

    /// The image of a name, of an id, or of the beginning of one.
    pub fn find(&self, word: &str) -> Result<Image, StoreError> {
        let names = self.names()?;
        if let Some(found) = by_reference(&names, word)? {
            return self.image(&found.descriptor);
        }
        let missing = || StoreError::NoSuchImage(word.into());
        let digits = word.strip_prefix("sha256:").unwrap_or(word);
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(missing());
        }
        let mut meant: BTreeMap<Digest, Image> = BTreeMap::new();
        for named in names {
            let image = self.image(&named.descriptor)?;
            let begins = |digest: &Digest| digest.hex().starts_with(digits);
            if begins(&image.id) || begins(&image.descriptor.digest) {
                meant.entry(image.id.clone()).or_insert(image);
            }
        }
        let mut meant = meant.into_values();
        match (meant.next(), meant.next()) {
            (Some(image), None) => Ok(image),
            (Some(_), Some(_)) => Err(StoreError::Ambiguous(word.into())),
            (None, _) => Err(missing()),
        }
    }

    /// The image with this id.
    pub fn by_id(&self, id: &Digest) -> Result<Image, StoreError> {
        for named in self.names()? {
            let image = self.image(&named.descriptor)?;
            if image.id == *id {
                return Ok(image);
            }
        }
        Err(StoreError::NoSuchImage(id.to_string()))
    }

    /// The image of a manifest.
    pub fn image(&self, descriptor: &Descriptor) -> Result<Image, StoreError> {
        let manifest: Manifest = self.document("the manifest", &descriptor.digest)?;
        let config: ImageConfig = self.document("the configuration", &manifest.config.digest)?;
        let (layers, described) = (manifest.layers.len(), config.rootfs.diff_ids.len());
        let id = manifest.config.digest.clone();
        if layers != described {
            return Err(StoreError::Layers { id, layers, described });
        }
        Ok(Image { id, descriptor: descriptor.clone(), manifest, config })
    }

    /// Every image once, with all of its names.
    pub fn images(&self) -> Result<Vec<(Image, Vec<Reference>)>, StoreError> {
        let mut images: BTreeMap<Digest, (Image, Vec<Reference>)> = BTreeMap::new();
        for named in self.names()? {
            let image = self.image(&named.descriptor)?;
            let (_, names) = images.entry(image.id.clone()).or_insert_with(|| (image, Vec::new()));
            names.extend(named.reference);
        }
        Ok(images.into_values().collect())
    }

    /// Gives a manifest a name, which another may have had until now.
    pub fn set_name(&self, reference: &Reference, manifest: &Descriptor) -> Result<(), StoreError> {
        let held = self.hold()?;
        let mut index = self.index()?;
        let name = reference.to_string();
        let (had, mut others): (Vec<_>, Vec<_>) =
            index.manifests.into_iter().partition(|known| known.annotations.get(REF_NAME) == Some(&name));
        for mut lost in had {
            // Without a name now, unless another one leads to it.
            lost.annotations.remove(REF_NAME);
            if lost.digest != manifest.digest && others.iter().all(|other| other.digest != lost.digest) {
                others.push(lost);
            }
        }
        let nameless =
            |known: &Descriptor| known.digest == manifest.digest && !known.annotations.contains_key(REF_NAME);
        others.retain(|known| !nameless(known));
        let mut named = manifest.clone();
        named.annotations = [(REF_NAME.to_owned(), name)].into();
        others.push(named);
        index.manifests = others;
        self.write_index(&held, &index)
    }

    /// Keeps a manifest that has no name, unless it has one already.
    pub fn set_nameless(&self, manifest: &Descriptor) -> Result<(), StoreError> {
        let held = self.hold()?;
        let mut index = self.index()?;
        if index.manifests.iter().any(|known| known.digest == manifest.digest) {
            return Ok(());
        }
        index.manifests.push(Descriptor { annotations: BTreeMap::new(), ..manifest.clone() });
        self.write_index(&held, &index)
    }

    /// Removes a name, or an image by its id; says what became of it. The space comes back with the next sweep.
    pub fn remove(&self, word: &str, force: Force) -> Result<Vec<Untagged>, StoreError> {
        let held = self.hold()?;
        let mut index = self.index()?;
        let all: Vec<Named> = index.manifests.iter().cloned().map(Named::from).collect();
        let asked = by_reference(&all, word)?;
        let image = match &asked {
            None => Some(self.find(word)?),
            // One that is damaged has no id that could be seen; its name can go all the same.
            Some(named) => self.image(&named.descriptor).ok(),
        };
        let same = |named: &&Named| {
            let other = self.image(&named.descriptor).ok().map(|other| other.id);
            other.is_some() && other == image.as_ref().map(|image| image.id.clone())
        };
        let own: Vec<Named> = all.iter().filter(same).cloned().collect();
        let tags = own.iter().filter(|named| named.is_tag()).count();
        let going = match &asked {
            // The last tag takes the names by digest, and the image, along.
            Some(named) if image.is_none() || tags > usize::from(named.is_tag()) => vec![named.clone()],
            None if force == Force::No && tags > 1 => return Err(StoreError::SeveralNames(word.into())),
            _ => own.clone(),
        };
        let last = image.filter(|_| going.len() == own.len());
        if let Some(image) = last.as_ref().filter(|_| force == Force::No)
            && let Some(lease) = self.users(&image.id)?.into_iter().next()
        {
            return Err(StoreError::InUse { image: word.into(), container: lease.container() });
        }
        index.manifests.retain(|known| !going.contains(&Named::from(known.clone())));
        self.write_index(&held, &index)?;
        let names = going.iter().filter_map(|named| named.reference.as_ref());
        let gone = names.map(|name| Untagged::Name(name.familiar()));
        Ok(gone.chain(last.map(|image| Untagged::Image(image.id))).collect())
    }

    fn index(&self) -> Result<Index, StoreError> {
        let path = self.path.join("index.json");
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| files("read", &path)(io::Error::new(io::ErrorKind::InvalidData, source))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Index::new(Vec::new())),
            Err(error) => Err(files("read", &path)(error)),
        }
    }

    fn write_index(&self, _: &Held, index: &Index) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(index).expect("an index has only texts for keys");
        self.write_whole(&self.path.join("index.json"), &bytes)
    }
}

/// Whether an image goes although a container uses it, or although it has other names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It stays.
    No,
    /// It goes. The containers keep their layers.
    Yes,
}

impl Named {
    fn is_tag(&self) -> bool {
        self.reference.as_ref().is_some_and(|name| name.tag().is_some())
    }
}

impl From<Descriptor> for Named {
    fn from(descriptor: Descriptor) -> Self {
        let reference = descriptor.annotations.get(REF_NAME).and_then(|name| name.parse().ok());
        Self { reference, descriptor }
    }
}

fn by_reference(names: &[Named], word: &str) -> Result<Option<Named>, StoreError> {
    let reference = match word.parse::<Reference>() {
        Ok(reference) => reference.or_latest(),
        Err(error) => {
            let digits = word.strip_prefix("sha256:").unwrap_or(word);
            let id = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            return if id { Ok(None) } else { Err(error.into()) };
        }
    };
    let exactly = |named: &&Named| named.reference.as_ref() == Some(&reference);
    let at = |named: &&Named| {
        // A tag beside a digest is only for people to read.
        let digest = reference.digest().zip(named.reference.as_ref());
        digest.is_some_and(|(digest, known)| *known == reference.at(digest))
    };
    let found = names.iter().find(exactly).or_else(|| names.iter().find(at));
    Ok(found.cloned())
}
