//! A stage: what an image is so far, and what each instruction makes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::BuildError;
use super::copying::Made;
use crate::image::config::{Healthcheck, History, ImageConfig};
use crate::image::digest::Digest;
use crate::image::dockerfile::{Health, Instruction, Program, expand, exposed};
use crate::image::layer::Merged;
use crate::image::manifest::{CONFIG, Descriptor, MANIFEST, Manifest};
use crate::image::reference::Reference;
use crate::image::resolve::SHELL;
use crate::image::store::{Image, Store};
use crate::model::Signal;

/// An image in the making.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) name: Option<String>,
    pub(super) config: ImageConfig,
    pub(super) layers: Vec<Descriptor>,
    /// The arguments that were declared, with their values.
    pub(super) args: BTreeMap<String, String>,
    /// The image that it begins with, as long as nothing has been changed.
    pub(super) unchanged: Option<Descriptor>,
    own_cmd: OwnCmd,
}

/// Whether this file says what runs: else an entry point takes away what the base image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnCmd {
    No,
    Yes,
}

impl Stage {
    /// Beginning with nothing.
    pub(super) fn scratch(name: Option<String>) -> Self {
        let config = ImageConfig::scratch();
        Self { name, config, layers: Vec::new(), args: BTreeMap::new(), unchanged: None, own_cmd: OwnCmd::No }
    }

    /// Beginning with an image.
    pub(super) fn of(name: Option<String>, image: &Image) -> Self {
        let (mut config, layers) = (image.config.clone(), image.manifest.layers.clone());
        config.config.on_build.clear();
        let unchanged = image.config.config.on_build.is_empty().then(|| image.descriptor.clone());
        Self { name, config, layers, args: BTreeMap::new(), unchanged, own_cmd: OwnCmd::No }
    }

    /// Beginning with this one.
    pub(super) fn next(&self, name: Option<String>) -> Self {
        Self { name, args: BTreeMap::new(), own_cmd: OwnCmd::No, ..self.clone() }
    }

    /// What is seen of its layers.
    pub(super) fn stack(&self, store: &Store) -> Vec<PathBuf> {
        store.stack(&self.config.rootfs.diff_ids)
    }

    pub(super) fn merged(&self, store: &Store) -> Merged {
        Merged::new(self.stack(store))
    }

    /// What can be put in: variables, which win over arguments.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let mut all = self.args.clone();
        all.extend(self.config.config.variables());
        all
    }

    pub(super) fn expanded(&self, text: &str) -> Result<String, BuildError> {
        expand(text, &self.variables()).map_err(BuildError::Words)
    }

    /// A path in the image, from its working directory.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        let from = match self.config.config.working_dir.as_str() {
            "" => "/",
            directory => directory,
        };
        let mut path = PathBuf::new();
        for part in Path::new(from).join(text).components() {
            match part {
                std::path::Component::ParentDir => _ = path.pop(),
                std::path::Component::Normal(part) => path.push(part),
                _ => {}
            }
        }
        path
    }

    pub(super) fn shell(&self) -> Vec<String> {
        match self.config.config.shell.as_slice() {
            [] => SHELL.map(String::from).to_vec(),
            shell => shell.to_vec(),
        }
    }

    /// A program's words.
    pub(super) fn words(&self, program: &Program) -> Vec<String> {
        match program {
            Program::Exec(words) => words.clone(),
            Program::Shell(text) => self.shell().into_iter().chain([text.clone()]).collect(),
        }
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
            let config = serde_json::to_vec(&self.config).expect("a configuration has only texts for keys");
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

    /// Does an instruction that only changes what containers are like; says how the history tells it.
    pub(super) fn describe(&mut self, instruction: &Instruction) -> Result<String, BuildError> {
        let told = |word: &str, program: &Program, words: &[String]| match program {
            Program::Exec(_) => format!("{word} {}", quoted(words)),
            Program::Shell(text) => format!("{word} {text}"),
        };
        Ok(match instruction {
            Instruction::Env(pairs) => {
                let pairs = self.pairs(pairs)?;
                for (name, value) in &pairs {
                    self.config.config.set_variable(name, value);
                }
                format!("ENV {}", joined(&pairs))
            }
            Instruction::Label(pairs) => {
                let pairs = self.pairs(pairs)?;
                self.config.config.labels.extend(pairs.iter().cloned());
                format!("LABEL {}", joined(&pairs))
            }
            Instruction::User(user) => {
                self.config.config.user = self.expanded(user)?;
                format!("USER {}", self.config.config.user)
            }
            Instruction::Expose(ports) => {
                let mut all = Vec::new();
                for port in ports {
                    all.extend(exposed(&self.expanded(port)?).map_err(BuildError::Words)?);
                }
                self.config.config.exposed_ports.extend(all.iter().cloned());
                format!("EXPOSE {}", all.join(" "))
            }
            Instruction::Volume(paths) => {
                let paths: Vec<String> =
                    paths.iter().map(|path| self.expanded(path)).collect::<Result<_, _>>()?;
                self.config.config.volumes.extend(paths.iter().cloned());
                format!("VOLUME {}", quoted(&paths))
            }
            Instruction::Entrypoint(program) => {
                let words = self.words(program);
                if self.own_cmd == OwnCmd::No {
                    self.config.config.cmd = None;
                }
                let told = told("ENTRYPOINT", program, &words);
                self.config.config.entrypoint = Some(words);
                told
            }
            Instruction::Cmd(program) => {
                let words = self.words(program);
                self.own_cmd = OwnCmd::Yes;
                let told = told("CMD", program, &words);
                self.config.config.cmd = Some(words);
                told
            }
            Instruction::Shell(words) => {
                self.config.config.shell.clone_from(words);
                format!("SHELL {}", quoted(words))
            }
            Instruction::StopSignal(text) => {
                let text = self.expanded(text)?;
                text.parse::<Signal>().map_err(|error| BuildError::Words(error.to_string()))?;
                self.config.config.stop_signal = Some(text.clone());
                format!("STOPSIGNAL {text}")
            }
            Instruction::Healthcheck(health) => {
                let check = of_health(health);
                let told = format!("HEALTHCHECK {}", check.test.join(" "));
                self.config.config.healthcheck = Some(check);
                told
            }
            Instruction::OnBuild(text) => {
                self.config.config.on_build.push(text.clone());
                format!("ONBUILD {text}")
            }
            Instruction::Maintainer(who) => {
                self.config.author = Some(who.clone());
                format!("MAINTAINER {who}")
            }
            Instruction::Workdir(path) => {
                let path = self.path(&self.expanded(path)?);
                self.config.config.working_dir = format!("/{}", path.display());
                format!("WORKDIR /{}", path.display())
            }
            Instruction::Arg { name, .. } => match self.args.get(name) {
                Some(value) => format!("ARG {name}={value}"),
                None => format!("ARG {name}"),
            },
            Instruction::From { .. }
            | Instruction::Run { .. }
            | Instruction::Copy(_)
            | Instruction::Add(_) => String::new(),
        })
    }

    fn pairs(&self, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, BuildError> {
        pairs.iter().map(|(name, value)| Ok((self.expanded(name)?, self.expanded(value)?))).collect()
    }
}

fn of_health(health: &Health) -> Healthcheck {
    let Health::Check { program, interval, timeout, start_period, start_interval, retries } = health else {
        return Healthcheck { test: vec!["NONE".into()], ..Healthcheck::default() };
    };
    let test = match program {
        Program::Exec(words) => ["CMD".to_owned()].into_iter().chain(words.iter().cloned()).collect(),
        Program::Shell(text) => vec!["CMD-SHELL".into(), text.clone()],
    };
    let nanoseconds = Healthcheck::nanoseconds;
    Healthcheck {
        test,
        interval: nanoseconds(*interval),
        timeout: nanoseconds(*timeout),
        start_period: nanoseconds(*start_period),
        start_interval: nanoseconds(*start_interval),
        retries: *retries,
    }
}

fn quoted(words: &[String]) -> String {
    serde_json::to_string(words).expect("texts can be written")
}

fn joined(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
