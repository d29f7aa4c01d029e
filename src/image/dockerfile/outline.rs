//! What the instructions of a stage say its containers will be like, without any file of it: known before anything is built.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::instruction::exposed;
use super::{Health, Instruction, Program, expand};
use crate::image::config::{Healthcheck, ImageConfig};
use crate::image::resolve::SHELL;
use crate::model::Signal;

/// A stage as far as it has been told of.
#[derive(Clone, Debug)]
pub struct Outline {
    /// What its containers will be like.
    pub config: ImageConfig,
    /// The arguments that were declared, with their values.
    pub args: BTreeMap<String, String>,
    own_cmd: OwnCmd,
}

/// Whether this file says what runs: else an entry point takes away what the base image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnCmd {
    No,
    Yes,
}

impl Outline {
    /// Beginning with an image like this, whose triggers are not its own.
    pub fn of(mut config: ImageConfig) -> Self {
        config.config.on_build.clear();
        Self { config, args: BTreeMap::new(), own_cmd: OwnCmd::No }
    }

    /// Beginning with this one.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { config: self.config.clone(), args: BTreeMap::new(), own_cmd: OwnCmd::No }
    }

    /// What can be put in: variables, which win over arguments.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut all = self.args.clone();
        all.extend(self.config.config.variables());
        all
    }

    /// A text with its variables put in.
    pub fn expanded(&self, text: &str) -> Result<String, String> {
        expand(text, &self.variables())
    }

    /// A path in the image, from its working directory.
    pub fn path(&self, text: &str) -> PathBuf {
        let from = match self.config.config.working_dir.as_str() {
            "" => "/",
            directory => directory,
        };
        let mut path = PathBuf::new();
        for part in Path::new(from).join(text).components() {
            match part {
                Component::ParentDir => _ = path.pop(),
                Component::Normal(part) => path.push(part),
                _ => {}
            }
        }
        path
    }

    /// What runs a program that is a text.
    pub fn shell(&self) -> Vec<String> {
        match self.config.config.shell.as_slice() {
            [] => SHELL.map(String::from).to_vec(),
            shell => shell.to_vec(),
        }
    }

    /// A program's words.
    pub fn words(&self, program: &Program) -> Vec<String> {
        match program {
            Program::Exec(words) => words.clone(),
            Program::Shell(text) => self.shell().into_iter().chain([text.clone()]).collect(),
        }
    }

    /// Does an instruction that only changes what containers are like; says how the history tells it.
    pub fn describe(&mut self, instruction: &Instruction) -> Result<String, String> {
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
                    all.extend(exposed(&self.expanded(port)?)?);
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
                text.parse::<Signal>().map_err(|error| error.to_string())?;
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

    fn pairs(&self, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, String> {
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
