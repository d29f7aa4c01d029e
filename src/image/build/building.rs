//! The walk through a Dockerfile: stage after stage, step after step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Instant, SystemTime};

use super::archive::{Scratch, is_archive};
use super::cache::{self, Cached, Caching, Key, Verdict};
use super::copying::{Change, Made, NewLayer, Origin, Owners, pack};
use super::running::{self, Command, Place};
use super::stage::Stage;
use super::{Begun, Build, BuildError, Built, Done, Kind, Likeness, Watcher};
use crate::image::accounts::account;
use crate::image::dockerfile::{
    self, Copy, DockerfileError, Heredoc, Ignore, Instruction, Program, Section, Source, Step, expand,
    expand_text, find_stage, needed, sections,
};
use crate::image::layer::{Found, LayerError, Merged, pack_differences};
use crate::image::platform::Platform;
use crate::image::reference::Reference;
use crate::image::store::{Adding, Image, StoreError};

/// Arguments that need not be declared, and that change no layer's name.
const ALWAYS_THERE: [&str; 8] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
];
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A build under way.
pub(super) struct Building<'a> {
    build: &'a Build<'a>,
    watcher: &'a mut dyn Watcher,
    adding: Adding,
    ignore: Ignore,
    /// None for those that nobody needs.
    stages: Vec<Option<Stage>>,
    globals: BTreeMap<String, String>,
    declared: BTreeSet<String>,
    number: usize,
    of: usize,
}

/// A stage at its beginning, and what its base image wants to be done first.
type Begins = (Stage, Vec<String>);

impl<'a> Building<'a> {
    pub(super) fn new(
        build: &'a Build<'a>,
        watcher: &'a mut dyn Watcher,
        adding: Adding,
        ignore: Ignore,
    ) -> Self {
        Self {
            build,
            watcher,
            adding,
            ignore,
            stages: Vec::new(),
            globals: BTreeMap::new(),
            declared: BTreeSet::new(),
            number: 0,
            of: 0,
        }
    }

    pub(super) fn all(mut self, steps: &[Step]) -> Result<Built, BuildError> {
        let first =
            steps.iter().position(|step| matches!(step.instruction, Instruction::From { .. })).unwrap_or(0);
        for step in &steps[..first] {
            if let Instruction::Arg { name, default } = &step.instruction {
                let default = default.as_ref().map(|text| expand(text, &self.globals)).transpose();
                let default = default.map_err(|error| self.at(step, &error))?;
                if let Some(value) = self.build.args.get(name).cloned().or(default) {
                    self.globals.insert(name.clone(), value);
                }
                self.declared.insert(name.clone());
            }
        }
        let sections = sections(&steps[first..]);
        let target = match self.build.target {
            None => sections.len() - 1,
            Some(target) => find_stage(&sections, sections.len(), target)
                .ok_or_else(|| BuildError::NoSuchStage(target.into()))?,
        };
        let needed = needed(&sections, target, &self.globals);
        self.of = needed.iter().map(|index| sections[*index].len()).sum();
        for (index, section) in sections.iter().enumerate().take(target + 1) {
            let stage = if needed.contains(&index) { Some(self.section(&sections, section)?) } else { None };
            self.stages.push(stage);
        }
        let mut stage = self.stages[target].take().expect("the target is needed");
        stage.label(self.build.labels);
        let id = stage.keep(self.build.store, self.build.tags)?;
        let given = self.build.args.keys().filter(|name| !ALWAYS_THERE.contains(&name.as_str()));
        let unused = given.filter(|name| !self.declared.contains(*name)).cloned().collect();
        Ok(Built { id, unused })
    }

    fn section(&mut self, sections: &[Section<'_>], section: Section<'_>) -> Result<Stage, BuildError> {
        let (from, rest) = section.split_first().expect("a section begins with FROM");
        let (mut stage, triggers) = self.step(from, |building| building.begin(sections, from))?;
        for text in triggers {
            let step =
                dockerfile::parse("ONBUILD", &format!("FROM x\n{text}"))?.pop().expect("the trigger follows");
            self.of += 1;
            self.instruction(&mut stage, &Step { line: from.line, text: step.text.clone(), ..step })?;
        }
        for step in rest {
            self.instruction(&mut stage, step)?;
        }
        Ok(stage)
    }

    /// Tells of a step before and after; an error shows its line.
    fn step<T>(
        &mut self,
        step: &Step,
        act: impl FnOnce(&mut Self) -> Result<(T, Kind, Verdict), BuildError>,
    ) -> Result<T, BuildError> {
        self.number += 1;
        self.watcher.begins(&Begun { number: self.number, of: self.of, text: &step.text });
        let began = Instant::now();
        let (result, made, verdict) = act(self).map_err(|error| self.at(step, &error))?;
        self.watcher.done(&Done { text: step.text.clone(), made, verdict, took: began.elapsed() });
        Ok(result)
    }

    fn at(&self, step: &Step, error: &dyn std::fmt::Display) -> BuildError {
        DockerfileError::at(self.build.file, step, error).into()
    }

    fn instruction(&mut self, stage: &mut Stage, step: &Step) -> Result<(), BuildError> {
        self.step(step, |building| {
            let (kind, verdict) = match &step.instruction {
                Instruction::Run { program, heredocs } => building.run(stage, program, heredocs)?,
                Instruction::Copy(copy) => building.copy(stage, copy, "COPY")?,
                Instruction::Add(copy) => building.copy(stage, copy, "ADD")?,
                Instruction::Workdir(_) => building.workdir(stage, &step.instruction)?,
                Instruction::Arg { name, default } => {
                    building.declare(stage, name, default.as_deref())?;
                    let told = stage.describe(&step.instruction)?;
                    stage.add_empty(told);
                    (Kind::Metadata, Verdict::NothingToCache)
                }
                other => {
                    let told = stage.describe(other)?;
                    stage.add_empty(told);
                    (Kind::Metadata, Verdict::NothingToCache)
                }
            };
            Ok(((), kind, verdict))
        })
    }

    fn begin(
        &mut self,
        sections: &[Section<'_>],
        from: &Step,
    ) -> Result<(Begins, Kind, Verdict), BuildError> {
        let Instruction::From { image, name, platform } = &from.instruction else {
            return Err(BuildError::Words("a stage begins with FROM".into()));
        };
        let words = |text: &str| expand(text, &self.globals).map_err(BuildError::Words);
        let (image, here) = (words(image)?, Platform::here());
        if let Some(platform) = platform.as_deref().map(words).transpose()?
            && platform != here.to_string()
        {
            let why = format!("it is wanted for {platform}, and this machine is {here}");
            return Err(BuildError::Base { image, why });
        }
        let (stage, triggers) = if image == "scratch" {
            (Stage::scratch(name.clone()), Vec::new())
        } else if let Some(index) = find_stage(sections, self.stages.len(), &image) {
            let before = self.stages[index].as_ref().expect("a stage that is needed was built");
            (before.next(name.clone()), Vec::new())
        } else {
            let found = self.image(&image)?;
            self.build.store.unpack(&found, &self.adding)?;
            (Stage::of(name.clone(), &found), found.config.config.on_build.clone())
        };
        let layers = stage.layers.len();
        Ok(((stage, triggers), Kind::Base(layers), Verdict::NothingToCache))
    }

    /// An image of the store, or fetched.
    fn image(&mut self, name: &str) -> Result<Image, BuildError> {
        let base = |why: String| BuildError::Base { image: name.into(), why };
        match self.build.store.find(name) {
            Err(StoreError::NoSuchImage(_)) => {
                let reference: Reference = name.parse().map_err(StoreError::from)?;
                self.watcher.fetch(&reference.or_latest()).map_err(base)?;
                Ok(self.build.store.find(name)?)
            }
            result => Ok(result?),
        }
    }

    fn declare(&mut self, stage: &mut Stage, name: &str, default: Option<&str>) -> Result<(), BuildError> {
        self.declared.insert(name.into());
        let default = default.map(|text| stage.expanded(text)).transpose()?;
        let value =
            self.build.args.get(name).cloned().or(default).or_else(|| self.globals.get(name).cloned());
        if let Some(value) = value {
            stage.args.insert(name.into(), value);
        }
        Ok(())
    }

    fn workdir(
        &mut self,
        stage: &mut Stage,
        instruction: &Instruction,
    ) -> Result<(Kind, Verdict), BuildError> {
        let told = stage.describe(instruction)?;
        let path = stage.path("");
        let merged = stage.merged(self.build.store);
        let mut layer = NewLayer::on(&merged, self.build.likeness);
        if !layer.directory(&path, None)? {
            stage.add_empty(told);
            return Ok((Kind::Metadata, Verdict::NothingToCache));
        }
        let made = layer.make(self.build.store)?;
        let created = stage.config.created.clone().unwrap_or_else(|| self.now());
        let bytes = self.unpack(&made)?;
        stage.add(made, created, told);
        Ok((Kind::Layer(bytes), Verdict::NothingToCache))
    }

    fn copy(&mut self, stage: &mut Stage, copy: &Copy, word: &str) -> Result<(Kind, Verdict), BuildError> {
        let merged = stage.merged(self.build.store);
        let change = change(stage, &merged, copy)?;
        let origin = self.origin(copy.from.as_deref())?;
        let text = stage.expanded(&copy.target)?;
        let target = merged.settle(&stage.path(&text)).map_err(LayerError::files("read", &text))?;
        let there = matches!(merged.find(&target), Ok(Some(Found::Directory { .. })));
        let mut sources = Vec::new();
        for source in &copy.sources {
            match source {
                Source::Path(path) => {
                    let path = stage.expanded(path)?;
                    if word == "ADD" && (path.starts_with("http://") || path.starts_with("https://")) {
                        return Err(BuildError::Words(
                            "ADD cannot fetch from the network (fetch the file first, and COPY it)".into(),
                        ));
                    }
                    sources.extend(origin.sources(&path)?.into_iter().map(Taken::File));
                }
                Source::Inline(heredoc) => sources.push(Taken::Text(heredoc)),
            }
        }
        let into = there || text.ends_with('/') || text == "." || text.ends_with("/.");
        if sources.len() > 1 && !into {
            return Err(BuildError::Words(format!(
                "with more than one source {text} has to be a directory (end it with /)"
            )));
        }
        let mut layer = NewLayer::on(&merged, self.build.likeness);
        let mut unpacked = Vec::new();
        for source in sources {
            match source {
                Taken::Text(heredoc) => {
                    let content = if heredoc.expands {
                        expand_text(&heredoc.content, &stage.variables()).map_err(BuildError::Words)?
                    } else {
                        heredoc.content.clone()
                    };
                    let path = if into { target.join(&heredoc.name) } else { target.clone() };
                    layer.text(&path, content, change)?;
                }
                Taken::File(found @ Found::Directory { .. }) => {
                    layer.take(&origin, &found, &target, change)?;
                }
                Taken::File(found) if word == "ADD" && is_archive(found.host()) => {
                    let scratch = Scratch::unpack(self.build.store, found.host())?;
                    let all = Origin {
                        files: Merged::new(vec![scratch.path.clone()]),
                        owners: Owners::Kept,
                        ..Origin::empty()
                    };
                    for root in all.sources(".")? {
                        layer.take(&all, &root, &target, change)?;
                    }
                    unpacked.push(scratch);
                }
                Taken::File(found) => {
                    let name = found.path().file_name().unwrap_or_default();
                    let path = if into { target.join(name) } else { target.clone() };
                    layer.take(&origin, &found, &path, change)?;
                }
            }
        }
        let likeness = format!("{:?}", self.build.likeness);
        let words = [
            word,
            &target.to_string_lossy(),
            &format!("{change:?}"),
            &format!("{:?}", copy.sources),
            &likeness,
        ];
        let key = Key::of(&stage.config.rootfs.diff_ids, &words);
        let content = layer.content()?;
        let told = copy.told(word, &text);
        let store = self.build.store;
        self.cached(stage, &key, content.as_str(), told, |_| layer.make(store))
    }

    fn run(
        &mut self,
        stage: &mut Stage,
        program: &Program,
        heredocs: &[Heredoc],
    ) -> Result<(Kind, Verdict), BuildError> {
        let program = program.with(heredocs);
        let args = stage.words(&program);
        let config = &stage.config.config;
        let mut env: Vec<String> = config.env.clone();
        let known = config.variables();
        let own = stage.args.iter().filter(|(name, _)| !known.contains_key(*name));
        env.extend(own.map(|(name, value)| format!("{name}={value}")));
        let user = config.user.clone();
        let told = format!("RUN {}", args.join(" "));
        let joined: Vec<&str> = ["RUN", &user, &config.working_dir]
            .into_iter()
            .chain(args.iter().map(String::as_str))
            .chain(["env"])
            .chain(env.iter().map(String::as_str))
            .collect();
        let key = Key::of(&stage.config.rootfs.diff_ids, &joined);
        // The network is not part of the name, nor is what leads to it.
        for name in ALWAYS_THERE {
            if let Some(value) = self.build.args.get(name).filter(|_| !known.contains_key(name)) {
                env.push(format!("{name}={value}"));
            }
        }
        let (store, network) = (self.build.store, self.build.network);
        let (stack, merged) = (stage.stack(store), stage.merged(store));
        let workdir = match config.working_dir.as_str() {
            "" => "/".to_owned(),
            directory => directory.to_owned(),
        };
        self.cached(stage, &key, "", told, |building| {
            let account = account(&merged, &user)?;
            for (name, value) in [
                ("PATH", PATH.to_owned()),
                ("HOME", format!("HOME={}", account.home.as_deref().unwrap_or("/"))),
            ] {
                if !env.iter().any(|pair| pair.split_once('=').is_some_and(|(known, _)| known == name)) {
                    env.push(value);
                }
            }
            let place = Place::make(store.new_place(), &merged, network)?;
            let command = Command { args: args.clone(), env, workdir, account, network };
            let code = running::run(&command, &place, &stack, &mut |bytes| building.watcher.writes(bytes))?;
            if code != 0 {
                return Err(BuildError::Failed { command: args.join(" "), code });
            }
            pack(store, |stream| pack_differences(&place.upper(), stream))
        })
    }

    /// A layer from the cache, or made now and noted.
    fn cached(
        &mut self,
        stage: &mut Stage,
        key: &Key,
        content: &str,
        told: String,
        done: impl FnOnce(&mut Self) -> Result<Made, BuildError>,
    ) -> Result<(Kind, Verdict), BuildError> {
        let store = self.build.store;
        let verdict = match self.build.caching {
            Caching::Off => Verdict::Off,
            Caching::On => match cache::find(store, key, content) {
                Err(verdict) => verdict,
                Ok(cached) => {
                    let made = Made { descriptor: cached.layer, diff_id: cached.diff_id };
                    let bytes = self.unpack(&made)?;
                    stage.add(made, cached.created.clone(), told);
                    return Ok((Kind::Layer(bytes), Verdict::Used(cached.created)));
                }
            },
        };
        let made = done(self)?;
        let created = self.now();
        let bytes = self.unpack(&made)?;
        let cached = Cached {
            layer: made.descriptor.clone(),
            diff_id: made.diff_id.clone(),
            created: created.clone(),
        };
        cache::note(store, key, content, &cached)?;
        stage.add(made, created, told);
        Ok((Kind::Layer(bytes), verdict))
    }

    /// What a layer says when it was made.
    fn now(&self) -> String {
        let moment = match self.build.likeness {
            Likeness::AsFound => SystemTime::now(),
            Likeness::Always => SystemTime::UNIX_EPOCH,
        };
        humantime::format_rfc3339_nanos(moment).to_string()
    }

    fn unpack(&self, made: &Made) -> Result<u64, BuildError> {
        self.build.store.unpack_layer(&made.descriptor.digest, &made.diff_id, &self.adding)?;
        Ok(self.build.store.layer_size(&made.diff_id))
    }

    fn origin(&mut self, from: Option<&str>) -> Result<Origin, BuildError> {
        let Some(from) = from else {
            let files = Merged::new(vec![self.build.context.to_path_buf()]);
            let name = "the build context".into();
            return Ok(Origin { files, ignore: self.ignore.clone(), name, owners: Owners::Root });
        };
        let named = |stage: &Option<Stage>| {
            stage.as_ref().is_some_and(|stage| stage.name.as_deref() == Some(&from.to_lowercase()))
        };
        let index = from.parse::<usize>().ok().filter(|index| *index < self.stages.len());
        let stage =
            index.or_else(|| self.stages.iter().position(named)).and_then(|index| self.stages[index].clone());
        let files = if let Some(stage) = stage {
            stage.merged(self.build.store)
        } else {
            let image = self.image(from)?;
            Merged::new(self.build.store.lower(&image, &self.adding)?)
        };
        Ok(Origin { files, ignore: Ignore::default(), name: from.into(), owners: Owners::Kept })
    }
}

/// Whose files become, and with which mode.
fn change(stage: &Stage, merged: &Merged, copy: &Copy) -> Result<Change, BuildError> {
    let owner = match &copy.chown {
        None => None,
        Some(text) => {
            let text = stage.expanded(text)?;
            let found = account(merged, &text)?;
            // Docker gives a number alone to the group, too.
            let gid = if text.contains(':') || text.parse::<u32>().is_err() { found.gid } else { found.uid };
            Some((found.uid, gid))
        }
    };
    let wrong =
        |text: &str| BuildError::Words(format!("--chmod={text} is no mode (write it in octal, like 755)"));
    let mode = match &copy.chmod {
        None => None,
        Some(text) => {
            let text = stage.expanded(text)?;
            Some(
                u32::from_str_radix(&text, 8)
                    .ok()
                    .filter(|mode| *mode <= 0o7777)
                    .ok_or_else(|| wrong(&text))?,
            )
        }
    };
    Ok(Change { owner, mode })
}

enum Taken<'a> {
    File(Found),
    Text(&'a Heredoc),
}

impl Origin {
    fn empty() -> Self {
        Self {
            files: Merged::new(Vec::new()),
            ignore: Ignore::default(),
            name: String::new(),
            owners: Owners::Root,
        }
    }
}
