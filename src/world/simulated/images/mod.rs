//! The images of a simulated host, and the registries that it knows: names, and behind them what is known of each image.

mod archive;
mod building;
mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use self::files::{Beneath, Files};
use crate::image::Reference;
use crate::image::config::RuntimeConfig;
use crate::image::resolve::resolve;
use crate::model::{ContainerSpec, LAB_IMAGE, Name};
use crate::world::images::{ImageAnswer, ImageRequest, ImageTrouble, Making, ShownImage, in_use};

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    here: BTreeMap<String, Image>,
    /// Names that nothing has now, whatever the host may have had at first.
    gone: BTreeSet<String>,
    /// What this host has sent to each registry.
    registries: BTreeMap<String, BTreeMap<String, Image>>,
    source: Source,
    answers: Vec<ImageAnswer>,
}

/// Whether a registry may have what nobody has sent there before one's eyes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Source {
    /// Those of the world have everything; those of this host begin empty.
    #[default]
    Imagined,
    /// It is a real host's, and its registries have whatever they have.
    Real,
}

/// A simulated image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Image {
    /// The image that it begins with, if no more than its name is known of that.
    base: Option<String>,
    history: Vec<Making>,
    config: RuntimeConfig,
    files: Files,
}

impl Image {
    fn new(files: Files) -> Self {
        Self { base: None, history: Vec::new(), config: RuntimeConfig::default(), files }
    }

    fn unknown(name: &str) -> Self {
        Self { base: Some(name.into()), ..Self::new(Files::new(Beneath::Anything)) }
    }

    /// Whether one of its layers is known to have this file.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.files.has(path)
    }

    fn shown(&self, name: &str) -> ShownImage {
        let (base, history) = (self.base.clone(), self.history.clone());
        ShownImage { name: name.into(), id: None, base, history }
    }
}

impl Shelf {
    /// These names are a story's own: nothing has them until it says so.
    pub(super) fn lacks(&mut self, names: impl IntoIterator<Item = String>) {
        self.gone.extend(names.into_iter().filter_map(|name| whole(&name).ok()));
    }

    /// A real host has these.
    pub(super) fn holds(&mut self, names: impl IntoIterator<Item = String>) {
        self.source = Source::Real;
        for name in names {
            self.gone.remove(&name);
            self.here.insert(name.clone(), Image::unknown(&name));
        }
    }

    /// Does it at once; says where its answer is kept.
    pub(super) fn ask(&mut self, request: &ImageRequest, used: &dyn Fn(&Image) -> Option<Name>) -> u32 {
        let answer = self.answer(request, used);
        self.answers.push(answer);
        u32::try_from(self.answers.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn answer_to(&self, number: u32) -> Option<ImageAnswer> {
        self.answers.get(number as usize).cloned()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.here.keys().cloned().collect()
    }

    pub(super) fn resolve(&self, wish: &ContainerSpec) -> Result<ContainerSpec, String> {
        let Ok(name) = whole(&wish.image) else { return Ok(wish.clone()) };
        let image = self.here.get(&name).filter(|_| wish.image != LAB_IMAGE);
        match image.filter(|image| image.base.is_none() || !image.history.is_empty()) {
            Some(image) => resolve(&image.config, wish).map_err(|error| error.to_string()),
            None if self.gone.contains(&name) => Err(no_such(&wish.image)),
            // An image of which no more than the name is known, or none that the story is about.
            None => Ok(wish.clone()),
        }
    }

    /// The image that has this name now.
    pub(super) fn find(&self, word: &str) -> Option<Image> {
        self.here.get(&whole(word).ok()?).cloned()
    }

    fn found(&self, word: &str) -> Result<Image, ImageTrouble> {
        let name = whole(word).map_err(ImageTrouble::Refused)?;
        self.here.get(&name).cloned().ok_or_else(|| ImageTrouble::Refused(no_such(word)))
    }

    fn put(&mut self, word: &str, image: Image) -> Result<(), ImageTrouble> {
        let name = whole(word).map_err(ImageTrouble::Refused)?;
        self.gone.remove(&name);
        self.here.insert(name, image);
        Ok(())
    }

    fn answer(&mut self, request: &ImageRequest, used: &dyn Fn(&Image) -> Option<Name>) -> ImageAnswer {
        match request {
            ImageRequest::Build { image, context, file } => {
                let built = building::build(self, context, file).map_err(ImageTrouble::Failed)?;
                let shown = built.shown(image);
                self.put(image, built)?;
                Ok(Some(shown))
            }
            ImageRequest::Tag { image, to } => {
                let found = self.found(image)?;
                self.put(to, found)?;
                Ok(None)
            }
            ImageRequest::Push(word) => {
                let image = self.found(word)?;
                let (name, registry) = place(word).map_err(ImageTrouble::Refused)?;
                let shown = image.shown(word);
                self.registries.entry(registry).or_default().insert(name, image);
                Ok(Some(shown))
            }
            ImageRequest::Pull(word) => {
                let (name, registry) = place(word).map_err(ImageTrouble::Refused)?;
                let image = match self.registries.get(&registry) {
                    Some(there) => there.get(&name).cloned(),
                    None if self.source == Source::Imagined && is_of_this_host(&registry) => None,
                    None => Some(Image::unknown(&name)),
                };
                let unknown = || {
                    let text =
                        format!("manifest for {word} not found: manifest unknown (are name and tag right?)");
                    ImageTrouble::Failed(text)
                };
                let image = image.ok_or_else(unknown)?;
                let shown = image.shown(word);
                self.put(word, image)?;
                Ok(Some(shown))
            }
            ImageRequest::Remove(word) => {
                let image = self.found(word)?;
                let name = whole(word).map_err(ImageTrouble::Refused)?;
                let others = self.here.iter().filter(|(other, its)| **other != name && **its == image);
                if others.count() == 0
                    && let Some(container) = used(&image)
                {
                    return Err(ImageTrouble::Refused(in_use(word, &container)));
                }
                self.here.remove(&name);
                self.gone.insert(name);
                Ok(None)
            }
        }
    }
}

/// A name with nothing left to guess.
fn whole(word: &str) -> Result<String, String> {
    Ok(word.parse::<Reference>().map_err(|error| error.to_string())?.or_latest().to_string())
}

fn place(word: &str) -> Result<(String, String), String> {
    let reference = word.parse::<Reference>().map_err(|error| error.to_string())?.or_latest();
    Ok((reference.to_string(), reference.registry().to_owned()))
}

fn is_of_this_host(registry: &str) -> bool {
    ["localhost", "127.", "[::1]"].iter().any(|host| registry.starts_with(host))
}

fn no_such(word: &str) -> String {
    format!("no such image: {word} (see what there is: terrarium images; fetch it: terrarium pull {word})")
}
