//! A stage: what an image is so far, and what each instruction makes of it.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use super::BuildError;
use super::copying::Made;
use crate::image::config::{History, ImageConfig};
use crate::image::digest::Digest;
use crate::image::dockerfile::{Instruction, Outline};
use crate::image::layer::Merged;
use crate::image::manifest::{CONFIG, Descriptor, MANIFEST, Manifest};
use crate::image::reference::Reference;
use crate::image::store::{Image, Store};

/// An image in the making.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) name: Option<String>,
    pub(super) layers: Vec<Descriptor>,
    /// The image that it begins with, as long as nothing has been changed.
    pub(super) unchanged: Option<Descriptor>,
    outline: Outline,
}

impl Deref for Stage {
    type Target = Outline;

    fn deref(&self) -> &Outline {
        &self.outline
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Outline {
        &mut self.outline
    }
}

impl Stage {
    /// Beginning with nothing.
    pub(super) fn scratch(name: Option<String>) -> Self {
        let outline = Outline::of(ImageConfig::scratch());
        Self { name, layers: Vec::new(), unchanged: None, outline }
    }

    /// Beginning with an image.
    pub(super) fn of(name: Option<String>, image: &Image) -> Self {
        let unchanged = image.config.config.on_build.is_empty().then(|| image.descriptor.clone());
        let outline = Outline::of(image.config.clone());
        Self { name, layers: image.manifest.layers.clone(), unchanged, outline }
    }

    /// Beginning with this one.
    pub(super) fn next(&self, name: Option<String>) -> Self {
        Self { name, outline: self.outline.next(), ..self.clone() }
    }

    /// A text with its variables put in.
    pub(super) fn expanded(&self, text: &str) -> Result<String, BuildError> {
        self.outline.expanded(text).map_err(BuildError::Words)
    }

    /// Does an instruction that only changes what containers are like; says how the history tells it.
    pub(super) fn describe(&mut self, instruction: &Instruction) -> Result<String, BuildError> {
        self.outline.describe(instruction).map_err(BuildError::Words)
    }

    /// What is seen of its layers.
    pub(super) fn stack(&self, store: &Store) -> Vec<PathBuf> {
        store.stack(&self.config.rootfs.diff_ids)
    }

    pub(super) fn merged(&self, store: &Store) -> Merged {
        Merged::new(self.stack(store))
    }

    /// Labels beside those of the file.
    pub(super) fn label(&mut self, labels: &BTreeMap<String, String>) {
        if !labels.is_empty() {
            self.unchanged = None;
            self.config.config.labels.extend(labels.clone());
        }
    }

    /// It becomes an image with these names.
    pub(super) fn keep(self, store: &Store, names: &[Reference]) -> Result<Digest, BuildError> {
        let descriptor = if let Some(descriptor) = self.unchanged {
            Descriptor { annotations: BTreeMap::new(), ..descriptor }
        } else {
            let config =
                serde_json::to_vec(&self.outline.config).expect("a configuration has only texts for keys");
            let blob = store.keep(&config)?;
            let manifest = Manifest::new(Descriptor::new(CONFIG, blob.digest, blob.size), self.layers);
            let bytes = serde_json::to_vec(&manifest).expect("a manifest has only texts for keys");
            let blob = store.keep(&bytes)?;
            Descriptor::new(MANIFEST, blob.digest, blob.size)
        };
        for name in names {
            store.set_name(name, &descriptor)?;
        }
        if names.is_empty() {
            store.set_nameless(&descriptor)?;
        }
        Ok(store.image(&descriptor)?.id)
    }

    /// One more layer.
    pub(super) fn add(&mut self, made: Made, created: String, by: String) {
        self.layers.push(made.descriptor);
        self.config.rootfs.diff_ids.push(made.diff_id);
        self.config.created = Some(created.clone());
        self.note(Some(created), by, false);
    }

    /// A step that makes no layer.
    pub(super) fn add_empty(&mut self, by: String) {
        // Not now: the same file has to make the same image.
        let created = self.config.created.clone();
        self.note(created, by, true);
    }

    fn note(&mut self, created: Option<String>, by: String, empty_layer: bool) {
        self.unchanged = None;
        let comment = Some("terrarium build".to_owned());
        self.config.history.push(History {
            created,
            created_by: Some(by),
            author: None,
            comment,
            empty_layer,
        });
    }
}
