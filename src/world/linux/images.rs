//! Images at a scenario's bidding: each request is done by a thread of its own, and the event loop is woken by its answer.
//!
//! They are made in the user's own store. What a scenario has changed there of names is put back when it is over, and until then
//! nobody sweeps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::eventfd::{EfdFlags, EventFd};
use tracing::warn;

use super::lab_image;
use crate::image::build::{Begun, Build, Caching, Done, Likeness, Network, Watcher, build};
use crate::image::config::History;
use crate::image::registry::{End, Keyring, Progress, RegistryError, pull, push};
use crate::image::store::{Adding, Force, Image, Named, Store, StoreError};
use crate::image::{Digest, Reference};
use crate::model::{ContainerSpec, Id, Name};
use crate::world::RequestId;
use crate::world::images::{
    Context, ImageAnswer, ImageRequest, ImageTrouble, Making, ShownImage, ShownLayer, in_use,
};

/// The images of a world.
pub(super) struct Images {
    store: Option<Store>,
    asked: u32,
    answers: BTreeMap<RequestId, ImageAnswer>,
    to_us: Sender<(RequestId, ImageAnswer)>,
    done: Receiver<(RequestId, ImageAnswer)>,
    wake: Arc<EventFd>,
    names: BTreeMap<Id, Name>,
    changes: Option<Changes>,
}

/// What has become of the store's names.
struct Changes {
    /// Nobody sweeps as long as this is held.
    _adding: Adding,
    before: Vec<Named>,
    touched: Arc<Mutex<Touched>>,
}

/// What this run has had its hands on.
#[derive(Default)]
struct Touched {
    names: BTreeSet<Reference>,
    manifests: BTreeSet<Digest>,
}

impl Images {
    pub(super) fn new(store: Option<Store>) -> io::Result<Self> {
        let (to_us, done) = channel();
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        let (answers, names) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { store, asked: 0, answers, to_us, done, wake, names, changes: None })
    }

    /// Readable when an answer has come.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Takes in what has come.
    pub(super) fn turn(&mut self) {
        let _ = self.wake.read();
        self.answers.extend(self.done.try_iter());
    }

    pub(super) fn is_named(&mut self, id: Id, name: &Name) {
        self.names.insert(id, name.clone());
    }

    pub(super) fn names(&self) -> Vec<String> {
        let names = self.store.as_ref().and_then(|store| store.names().ok()).unwrap_or_default();
        names.into_iter().filter_map(|named| named.reference).map(|reference| reference.to_string()).collect()
    }

    pub(super) fn resolve(&self, wish: &ContainerSpec) -> Result<ContainerSpec, String> {
        match &self.store {
            Some(store) => store.resolve(wish).map_err(|error| error.to_string()),
            None => Ok(wish.clone()),
        }
    }

    pub(super) fn ask(&mut self, request: &ImageRequest) -> RequestId {
        let id = RequestId(self.asked);
        self.asked += 1;
        match self.open() {
            Ok((store, touched)) => {
                let hand = Hand { store, touched, names: self.names.clone(), request: request.clone() };
                let (to_us, wake) = (self.to_us.clone(), Arc::clone(&self.wake));
                thread::spawn(move || {
                    // Whoever asked may be gone.
                    let _ = to_us.send((id, hand.act()));
                    let _ = wake.write(1);
                });
            }
            Err(trouble) => _ = self.answers.insert(id, Err(trouble)),
        }
        id
    }

    pub(super) fn answer(&self, id: RequestId) -> Option<ImageAnswer> {
        self.answers.get(&id).cloned()
    }

    /// The store, with what it had at first noted.
    fn open(&mut self) -> Result<(Store, Arc<Mutex<Touched>>), ImageTrouble> {
        let Some(store) = self.store.clone() else {
            return Err(ImageTrouble::Failed("there is no image store here".into()));
        };
        if self.changes.is_none() {
            let failed = |error: StoreError| ImageTrouble::Failed(error.to_string());
            let (adding, before) = (store.add().map_err(failed)?, store.names().map_err(failed)?);
            self.changes = Some(Changes { _adding: adding, before, touched: Arc::default() });
        }
        let touched = self.changes.as_ref().map(|changes| Arc::clone(&changes.touched)).unwrap_or_default();
        Ok((store, touched))
    }

    /// Puts the names back, and says which of them could not be.
    pub(super) fn close(&mut self) -> Vec<String> {
        let (Some(store), Some(changes)) = (&self.store, self.changes.take()) else { return Vec::new() };
        let left = match changes.undo(store) {
            Ok(left) => left,
            Err(error) => vec![format!("images: {error}")],
        };
        drop(changes);
        if let Err(error) = store.sweep() {
            warn!(%error, "cannot give back the space of images");
        }
        left
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        for left in self.close() {
            warn!(left, "an image is left behind");
        }
    }
}

impl Changes {
    fn undo(&self, store: &Store) -> Result<Vec<String>, StoreError> {
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        let had = |name: &Reference| self.before.iter().find(|named| named.reference.as_ref() == Some(name));
        for name in &touched.names {
            match had(name) {
                Some(named) => store.set_name(name, &named.descriptor)?,
                None => match store.remove(&name.to_string(), Force::Yes) {
                    Err(StoreError::NoSuchImage(_)) => {}
                    removed => drop(removed?),
                },
            }
        }
        let known = |digest: &Digest| self.before.iter().any(|named| named.descriptor.digest == *digest);
        for named in store.names()? {
            let digest = &named.descriptor.digest;
            if named.reference.is_none() && touched.manifests.contains(digest) && !known(digest) {
                store.remove(store.image(&named.descriptor)?.id.as_str(), Force::Yes)?;
            }
        }
        let now = store.names()?;
        let is_new = |named: &&Named| {
            named.reference.as_ref().is_some_and(|name| touched.names.contains(name) && had(name).is_none())
        };
        let left = now.iter().filter(is_new).filter_map(|named| named.reference.as_ref());
        Ok(left.map(|name| format!("image {}", name.familiar())).collect())
    }
}

/// Does one request.
struct Hand {
    store: Store,
    touched: Arc<Mutex<Touched>>,
    names: BTreeMap<Id, Name>,
    request: ImageRequest,
}

impl Hand {
    fn act(&self) -> ImageAnswer {
        match &self.request {
            ImageRequest::Build { image, context, file } => self.build(image, context, file).map(Some),
            ImageRequest::Tag { image, to } => {
                let (found, to) = (self.find(image)?, reference(to)?);
                self.touch(&to);
                self.store.set_name(&to, &found.descriptor).map_err(|error| self.trouble(&error))?;
                Ok(None)
            }
            ImageRequest::Push(word) => {
                let (image, to) = (self.find(word)?, reference(word)?);
                push(&image, &to, &self.store, &Keyring::usual(), &Unseen)
                    .map_err(|error| self.trouble_there(&error))?;
                Ok(Some(self.shown(word, &image)))
            }
            ImageRequest::Pull(word) => {
                let from = reference(word)?;
                self.fetch(&from).map_err(|error| self.trouble_there(&error))?;
                Ok(Some(self.shown(word, &self.find(word)?)))
            }
            ImageRequest::Remove(word) => {
                self.touch(&reference(word)?);
                self.store.remove(word, Force::No).map_err(|error| self.trouble(&error))?;
                Ok(None)
            }
        }
    }

    fn build(&self, name: &str, context: &Context, file: &Path) -> Result<ShownImage, ImageTrouble> {
        let failed = |error: &dyn std::fmt::Display| ImageTrouble::Failed(error.to_string());
        let tag = reference(name)?;
        let scratch = self.store.new_place();
        let built = context
            .on_disk(&scratch)
            .and_then(|directory| Ok((fs::canonicalize(directory)?, context.text(file)?)))
            .map_err(|error| failed(&format_args!("cannot read the build context: {error}")))
            .and_then(|(directory, text)| {
                self.touch(&tag);
                let wanted = Build {
                    store: &self.store,
                    context: &directory,
                    file: &file.display().to_string(),
                    text: &text,
                    tags: std::slice::from_ref(&tag),
                    args: &BTreeMap::new(),
                    labels: &BTreeMap::new(),
                    target: None,
                    caching: Caching::On,
                    network: if nix::unistd::geteuid().is_root() { Network::Host } else { Network::None },
                    likeness: Likeness::Always,
                };
                build(&wanted, &mut Fetching(self)).map_err(|error| failed(&error))
            });
        if scratch.exists() {
            let _ = fs::remove_dir_all(&scratch);
        }
        built?;
        let image = self.find(name)?;
        Ok(self.shown(name, &image))
    }

    fn fetch(&self, from: &Reference) -> Result<(), RegistryError> {
        self.touch(from);
        let pulled = pull(from, &self.store, &Keyring::usual(), &Unseen)?;
        self.touch(&from.at(&pulled.digest));
        Ok(())
    }

    fn touch(&self, name: &Reference) {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).names.insert(name.clone());
    }

    fn find(&self, word: &str) -> Result<Image, ImageTrouble> {
        self.store.find(word).map_err(|error| self.trouble(&error))
    }

    fn trouble_there(&self, error: &RegistryError) -> ImageTrouble {
        match error {
            RegistryError::Store(error) => self.trouble(error),
            error => ImageTrouble::Failed(error.to_string()),
        }
    }

    /// A container of this run is known to its scenario by name, and to the store by number.
    fn trouble(&self, error: &StoreError) -> ImageTrouble {
        match error {
            StoreError::InUse { image, container } => {
                let name = container.parse().ok().and_then(|number| self.names.get(&Id(number)));
                ImageTrouble::Refused(name.map_or_else(|| error.to_string(), |name| in_use(image, name)))
            }
            StoreError::NoSuchImage(_) | StoreError::Ambiguous(_) | StoreError::Reference(_) => {
                ImageTrouble::Refused(error.to_string())
            }
            error => ImageTrouble::Failed(error.to_string()),
        }
    }

    fn shown(&self, name: &str, image: &Image) -> ShownImage {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.manifests.insert(image.descriptor.digest.clone());
        let mut layers = image.config.rootfs.diff_ids.iter().map(|digest| ShownLayer {
            digest: Some(digest.clone()),
            bytes: Some(self.store.layer_size(digest)),
        });
        let told = image.config.history.iter().filter(|step| !step.empty_layer).count();
        // Some makers write no history: those layers come first, without a word.
        let silent = image.config.rootfs.diff_ids.len().saturating_sub(told);
        let mut history: Vec<Making> = layers
            .by_ref()
            .take(silent)
            .map(|layer| Making { by: String::new(), layer: Some(layer) })
            .collect();
        history.extend(image.config.history.iter().map(|step: &History| Making {
            by: step.created_by.clone().unwrap_or_default(),
            layer: if step.empty_layer { None } else { layers.next() },
        }));
        ShownImage { name: name.into(), id: Some(image.id.clone()), base: None, history }
    }
}

fn reference(word: &str) -> Result<Reference, ImageTrouble> {
    let parsed = word.parse::<Reference>().map(Reference::or_latest);
    parsed.map_err(|error| ImageTrouble::Refused(error.to_string()))
}

/// Nobody watches the steps; base images are fetched.
struct Fetching<'a>(&'a Hand);

impl Watcher for Fetching<'_> {
    fn begins(&mut self, _: &Begun<'_>) {}

    fn writes(&mut self, _: &[u8]) {}

    fn done(&mut self, _: &Done) {}

    fn fetch(&mut self, image: &Reference) -> Result<(), String> {
        if *image == lab_image::reference() {
            self.0.touch(image);
            return lab_image::keep(&self.0.store).map_err(|error| error.to_string());
        }
        self.0.fetch(image).map_err(|error| error.to_string())
    }
}

/// A transfer that nobody watches.
struct Unseen;

impl Progress for Unseen {
    fn begins(&self, _: &Digest, _: u64) {}

    fn moved(&self, _: &Digest, _: u64) {}

    fn ends(&self, _: &Digest, _: End) {}
}
