//! Images on a Docker Engine: each request is a task on its thread. What a replay has named is unnamed when it is over.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use bollard::body_full;
use bollard::errors::Error;
use bollard::query_parameters::{
    BuildImageOptions, CreateImageOptions, ListImagesOptions, PushImageOptions, RemoveImageOptions,
    TagImageOptions,
};
use futures_util::StreamExt as _;

use super::daemon::{Daemon, reason_of};
use super::news::News;
use crate::image::Reference;
use crate::image::config::RuntimeConfig;
use crate::image::resolve::resolve;
use crate::lab;
use crate::model::{ContainerSpec, LAB_IMAGE};
use crate::world::RequestId;
use crate::world::images::{
    Context, ImageAnswer, ImageRequest, ImageTrouble, Making, ShownImage, ShownLayer,
};

/// The images of one replay.
#[derive(Default)]
pub(super) struct Images {
    asked: u32,
    answers: BTreeMap<RequestId, ImageAnswer>,
    /// Names that were given, as far as nobody had them before.
    given: Arc<Mutex<BTreeSet<String>>>,
}

impl Images {
    pub(super) fn names(daemon: &Daemon) -> Vec<String> {
        let listed = daemon.block_on(daemon.client().list_images(None::<ListImagesOptions>));
        let tags = listed.unwrap_or_default().into_iter().flat_map(|image| image.repo_tags);
        tags.filter_map(|tag| Some(tag.parse::<Reference>().ok()?.or_latest().to_string())).collect()
    }

    pub(super) fn ask(
        &mut self,
        request: &ImageRequest,
        daemon: &Daemon,
        labels: HashMap<String, String>,
        to_news: &Sender<News>,
    ) -> RequestId {
        let id = RequestId(self.asked);
        self.asked += 1;
        let hand = Hand {
            client: daemon.client().clone(),
            lab: daemon.image().into(),
            labels,
            given: Arc::clone(&self.given),
        };
        let (request, to_news) = (request.clone(), to_news.clone());
        daemon.handle().spawn(async move {
            let _ = to_news.send(News::Imaged(id, hand.act(&request).await));
        });
        id
    }

    pub(super) fn take_in(&mut self, id: RequestId, answer: ImageAnswer) {
        self.answers.insert(id, answer);
    }

    pub(super) fn answer(&self, id: RequestId) -> Option<ImageAnswer> {
        self.answers.get(&id).cloned()
    }

    /// What acts out a behaviour has to be told so at its creation; all else Docker fills in itself.
    pub(super) fn resolve(daemon: &Daemon, wish: &ContainerSpec) -> Result<ContainerSpec, String> {
        let inspected = daemon.block_on(daemon.client().inspect_image(&wish.image));
        if let Err(Error::DockerResponseServerError { status_code: 404, .. }) = inspected {
            return Err(format!("no such image: {}", wish.image));
        }
        let config = inspected.ok().and_then(|image| serde_json::to_value(image.config?).ok());
        let config = config.and_then(|config| serde_json::from_value::<RuntimeConfig>(config).ok());
        match config.filter(|config| config.labels.contains_key(lab::LABEL)) {
            Some(config) => resolve(&config, wish).map_err(|error| error.to_string()),
            None => Ok(wish.clone()),
        }
    }

    /// Takes the names away that were given; says which stay.
    pub(super) fn close(&mut self, daemon: &Daemon) -> Vec<String> {
        let given = std::mem::take(&mut *self.given.lock().unwrap_or_else(PoisonError::into_inner));
        let gone = given.into_iter().filter_map(|name| {
            let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
            match daemon.block_on(daemon.client().remove_image(&name, Some(options), None)) {
                Ok(_) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => None,
                Err(error) => Some(format!("image {name}: {}", reason_of(&error))),
            }
        });
        gone.collect()
    }
}

/// Does one request.
struct Hand {
    client: bollard::Docker,
    /// What Docker calls the lab image.
    lab: String,
    labels: HashMap<String, String>,
    given: Arc<Mutex<BTreeSet<String>>>,
}

impl Hand {
    async fn act(&self, request: &ImageRequest) -> ImageAnswer {
        match request {
            ImageRequest::Build { image, context, file } => {
                self.build(image, context, file).await?;
                self.shown(image).await.map(Some)
            }
            ImageRequest::Tag { image, to } => {
                self.give(to).await;
                self.tag(image, to).await?;
                Ok(None)
            }
            ImageRequest::Push(image) => {
                let reference = parse(image)?;
                let tag = reference.tag().map(ToOwned::to_owned);
                let options = PushImageOptions { tag, ..PushImageOptions::default() };
                let mut said = self.client.push_image(&reference.familiar_name(), Some(options), None);
                while let Some(said) = said.next().await {
                    said.map_err(|error| trouble(&error))?;
                }
                self.shown(image).await.map(Some)
            }
            ImageRequest::Pull(image) => {
                let reference = parse(image)?;
                self.give(image).await;
                let options = CreateImageOptions {
                    from_image: Some(reference.familiar_name()),
                    tag: reference.tag().map(ToOwned::to_owned),
                    ..CreateImageOptions::default()
                };
                let mut said = self.client.create_image(Some(options), None, None);
                while let Some(said) = said.next().await {
                    said.map_err(|error| ImageTrouble::Failed(reason_of(&error)))?;
                }
                self.shown(image).await.map(Some)
            }
            ImageRequest::Remove(image) => {
                let removed = self.client.remove_image(image, None::<RemoveImageOptions>, None).await;
                removed.map(|_| None).map_err(|error| trouble(&error))
            }
        }
    }

    async fn build(&self, image: &str, context: &Context, file: &Path) -> Result<(), ImageTrouble> {
        let unreadable =
            |error: io::Error| ImageTrouble::Failed(format!("cannot read the build context: {error}"));
        let archive = packed(context).map_err(unreadable)?;
        let text = context.text(file).map_err(unreadable)?;
        self.give(image).await;
        let borrowed = begins_with_lab(&text) && self.client.inspect_image(LAB_IMAGE).await.is_err();
        if borrowed {
            self.tag(&self.lab, LAB_IMAGE).await?;
        }
        let options = BuildImageOptions {
            dockerfile: file.display().to_string(),
            t: Some(image.into()),
            rm: true,
            forcerm: true,
            labels: Some(self.labels.clone()),
            ..BuildImageOptions::default()
        };
        let mut built = Ok(());
        let mut said = self.client.build_image(options, None, Some(body_full(archive.into())));
        while let Some(said) = said.next().await {
            if let Err(error) = said {
                built = Err(ImageTrouble::Failed(reason_of(&error)));
            }
        }
        if borrowed {
            let _ = self.client.remove_image(LAB_IMAGE, None::<RemoveImageOptions>, None).await;
        }
        built
    }

    async fn tag(&self, image: &str, to: &str) -> Result<(), ImageTrouble> {
        let to = parse(to)?;
        let options =
            TagImageOptions { repo: Some(to.familiar_name()), tag: to.tag().map(ToOwned::to_owned) };
        self.client.tag_image(image, Some(options)).await.map_err(|error| trouble(&error))
    }

    /// A name that is about to be given.
    async fn give(&self, name: &str) {
        if self.client.inspect_image(name).await.is_err() {
            self.given.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into());
        }
    }

    async fn shown(&self, name: &str) -> Result<ShownImage, ImageTrouble> {
        let image = self.client.inspect_image(name).await.map_err(|error| trouble(&error))?;
        let steps = self.client.image_history(name).await.map_err(|error| trouble(&error))?;
        let digests = image.root_fs.and_then(|files| files.layers).unwrap_or_default();
        // Docker says no more of a step than how large it was: one that wrote nothing may have made a layer or not.
        let large = steps.iter().filter(|step| step.size > 0).count();
        let mut digests = digests.into_iter();
        let exact = large == digests.len();
        let history = steps.into_iter().rev().map(|step| Making {
            layer: (step.size > 0).then(|| ShownLayer {
                digest: digests.next().filter(|_| exact).and_then(|digest| digest.parse().ok()),
                bytes: u64::try_from(step.size).ok(),
            }),
            by: step.created_by,
        });
        let id = image.id.and_then(|id| id.parse().ok());
        Ok(ShownImage { name: name.into(), id, base: None, history: history.collect() })
    }
}

fn begins_with_lab(text: &str) -> bool {
    let lab = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("FROM")) && words.next() == Some(LAB_IMAGE)
    };
    text.lines().any(lab)
}

fn packed(context: &Context) -> io::Result<Vec<u8>> {
    let scratch = super::image::Scratch::new()?;
    let directory = context.on_disk(scratch.path())?;
    let mut archive = tar::Builder::new(Vec::new());
    archive.follow_symlinks(false);
    archive.append_dir_all("", directory)?;
    archive.into_inner()
}

fn parse(name: &str) -> Result<Reference, ImageTrouble> {
    let parsed = name.parse::<Reference>().map(Reference::or_latest);
    parsed.map_err(|error| ImageTrouble::Refused(error.to_string()))
}

/// What Docker knows before it begins is a refusal.
fn trouble(error: &Error) -> ImageTrouble {
    match error {
        Error::DockerResponseServerError { status_code: 400..=499, .. } => {
            ImageTrouble::Refused(reason_of(error))
        }
        _ => ImageTrouble::Failed(reason_of(error)),
    }
}
