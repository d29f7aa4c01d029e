//! A build that is only thought through: the same Dockerfile, the same files, and no file is written. What a command does with
//! RUN is nobody's to foretell; of a layer of files, size and digest are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive;
use super::files::{Beneath, Change, Files, Kind, Layer, Node, Origin, There};
use super::{Image, Shelf};
use crate::image::config::ImageConfig;
use crate::image::dockerfile::{
    self, Copy, DockerfileError, Ignore, Instruction, Outline, Section, Source, Step, expand, expand_text,
    find_stage, needed, sections,
};
use crate::model::LAB_IMAGE;
use crate::world::images::{Context, LAB_MADE_BY, Making, ShownLayer, lab_config};

/// A stage of it.
#[derive(Clone)]
struct Stage {
    name: Option<String>,
    outline: Outline,
    image: Image,
}

struct Building<'a> {
    shelf: &'a Shelf,
    file: &'a Path,
    origin: Origin,
    globals: BTreeMap<String, String>,
    stages: Vec<Option<Stage>>,
}

/// Thinks a build through; or says what is wrong with it, in the words of a real one.
pub(super) fn build(shelf: &Shelf, context: &Context, file: &Path) -> Result<Image, String> {
    let text = context.text(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let steps = dockerfile::parse(&file.display().to_string(), &text).map_err(|error| error.to_string())?;
    let own = format!("{}.dockerignore", file.file_name().unwrap_or_default().to_string_lossy());
    let ignored =
        [own.as_str(), ".dockerignore"].into_iter().find_map(|name| context.text(Path::new(name)).ok());
    let ignore = Ignore::parse(&ignored.unwrap_or_default());
    let origin = Origin::context(&Arc::new(context.clone()), ignore)
        .map_err(|error| format!("cannot read the build context: {error}"))?;
    Building { shelf, file, origin, globals: BTreeMap::new(), stages: Vec::new() }.all(&steps)
}

impl Building<'_> {
    fn all(mut self, steps: &[Step]) -> Result<Image, String> {
        let is_from = |step: &Step| matches!(step.instruction, Instruction::From { .. });
        let first = steps.iter().position(is_from).unwrap_or(0);
        for step in &steps[..first] {
            if let Instruction::Arg { name, default: Some(default) } = &step.instruction {
                let value = expand(default, &self.globals).map_err(|error| self.at(step, &error))?;
                self.globals.insert(name.clone(), value);
            }
        }
        let sections = sections(&steps[first..]);
        let target = sections.len() - 1;
        let needed = needed(&sections, target, &self.globals);
        for (index, section) in sections.iter().enumerate() {
            let stage = if needed.contains(&index) { Some(self.section(&sections, section)?) } else { None };
            self.stages.push(stage);
        }
        let stage = self.stages.pop().flatten().expect("the target is needed");
        Ok(Image { config: stage.outline.config.config, ..stage.image })
    }

    fn section(&self, sections: &[Section<'_>], section: Section<'_>) -> Result<Stage, String> {
        let (from, rest) = section.split_first().expect("a section begins with FROM");
        let (mut stage, triggers) = self.begin(sections, from).map_err(|error| self.at(from, &error))?;
        for text in triggers {
            let file = format!("FROM x\n{text}");
            let trigger = dockerfile::parse("ONBUILD", &file).map_err(|error| error.to_string())?.pop();
            let trigger = trigger.expect("the trigger follows");
            self.instruction(&mut stage, &trigger.instruction).map_err(|error| self.at(from, &error))?;
        }
        for step in rest {
            self.instruction(&mut stage, &step.instruction).map_err(|error| self.at(step, &error))?;
        }
        Ok(stage)
    }

    fn at(&self, step: &Step, error: &str) -> String {
        DockerfileError::at(&self.file.display().to_string(), step, error).to_string()
    }

    /// A stage at its beginning, and what its base image wants to be done first.
    fn begin(&self, sections: &[Section<'_>], from: &Step) -> Result<(Stage, Vec<String>), String> {
        let Instruction::From { image, name, .. } = &from.instruction else {
            return Err("a stage begins with FROM".into());
        };
        let (word, name) = (expand(image, &self.globals)?, name.clone());
        if let Some(index) = find_stage(sections, self.stages.len(), &word) {
            let before = self.stages[index].clone().expect("a stage that is needed was built");
            return Ok((Stage { name, outline: before.outline.next(), ..before }, Vec::new()));
        }
        let image =
            if word == "scratch" { Image::new(Files::new(Beneath::Nothing)) } else { self.base(&word) };
        let triggers = image.config.on_build.clone();
        let mut config = ImageConfig::scratch();
        config.config = image.config.clone();
        Ok((Stage { name, outline: Outline::of(config), image }, triggers))
    }

    fn base(&self, word: &str) -> Image {
        if word == LAB_IMAGE || word == format!("{LAB_IMAGE}:latest") {
            let mut image = Image::new(Files::new(Beneath::Lab));
            image.config = lab_config();
            image.history.push(Making { by: LAB_MADE_BY.into(), layer: Some(ShownLayer::default()) });
            return image;
        }
        self.shelf.find(word).unwrap_or_else(|| Image::unknown(word))
    }

    fn instruction(&self, stage: &mut Stage, instruction: &Instruction) -> Result<(), String> {
        let (by, layer) = match instruction {
            Instruction::Run { program, heredocs } => {
                stage.image.files.blur();
                let words = stage.outline.words(&program.with(heredocs));
                (format!("RUN {}", words.join(" ")), Some(ShownLayer::default()))
            }
            Instruction::Copy(copy) => self.copy(stage, copy, "COPY")?,
            Instruction::Add(copy) => self.copy(stage, copy, "ADD")?,
            Instruction::Workdir(_) => {
                let told = stage.outline.describe(instruction)?;
                let path = stage.outline.path("");
                let layer = match stage.image.files.there(&path) {
                    There::Directory => None,
                    There::Maybe => {
                        stage.image.base.get_or_insert_with(|| "another image".into());
                        Some(ShownLayer::default())
                    }
                    There::No => {
                        let mut layer = Layer::on(&stage.image.files);
                        layer.insert(&path, Node::directory());
                        let (nodes, shown) = weighed(layer);
                        stage.image.files.add(nodes);
                        Some(shown)
                    }
                };
                (told, layer)
            }
            Instruction::Arg { name, default } => {
                let outline = &mut stage.outline;
                let default = default.as_ref().map(|text| outline.expanded(text)).transpose()?;
                if let Some(value) = default.or_else(|| self.globals.get(name).cloned()) {
                    outline.args.insert(name.clone(), value);
                }
                (outline.describe(instruction)?, None)
            }
            other => (stage.outline.describe(other)?, None),
        };
        stage.image.history.push(Making { by, layer });
        Ok(())
    }

    fn copy(
        &self,
        stage: &mut Stage,
        copy: &Copy,
        word: &str,
    ) -> Result<(String, Option<ShownLayer>), String> {
        let outline = &stage.outline;
        let text = outline.expanded(&copy.target)?;
        let told = copy.told(word, &text);
        let (origin, place) = match copy.from.as_deref() {
            None => (Some(self.origin.clone()), "the build context".to_owned()),
            Some(from) => (self.stage(from).and_then(|stage| stage.image.files.origin()), from.to_owned()),
        };
        let (change, known_owner) = change(outline, copy)?;
        let target = outline.path(&text);
        let there = stage.image.files.there(&target);
        let into = there == There::Directory || text.ends_with('/') || text == "." || text.ends_with("/.");
        let Some(origin) = origin else {
            stage.image.files.blur();
            return Ok((told, Some(ShownLayer::default())));
        };
        let mut taken = Vec::new();
        let mut layer = Layer::on(&stage.image.files);
        for source in &copy.sources {
            match source {
                Source::Inline(heredoc) => {
                    let content = if heredoc.expands {
                        expand_text(&heredoc.content, &outline.variables())?
                    } else {
                        heredoc.content.clone()
                    };
                    let path = if into { target.join(&heredoc.name) } else { target.clone() };
                    layer.insert(&path, Node::text(content, change));
                }
                Source::Path(path) => {
                    let path = outline.expanded(path)?;
                    let found = origin.sources(&path);
                    if found.is_empty() {
                        return Err(format!(
                            "file not found in {place}, or left out by .dockerignore: {path}"
                        ));
                    }
                    taken.extend(found);
                }
            }
        }
        for source in &taken {
            let is_file = origin.nodes.get(source).is_some_and(|node| node.kind != Kind::Directory);
            let path = match source.file_name() {
                Some(name) if is_file && into => target.join(name),
                _ => target.clone(),
            };
            if word == "ADD" && is_file && !is_plain(&path) {
                layer.certain = false;
            }
            layer.take(&origin, source, &path, change);
        }
        layer.certain &= known_owner && (into || there != There::Maybe);
        let (nodes, shown) = weighed(layer);
        stage.image.files.add(nodes);
        Ok((told, Some(shown)))
    }

    fn stage(&self, from: &str) -> Option<&Stage> {
        let named = |stage: &&Stage| stage.name.as_deref() == Some(&from.to_lowercase());
        let by_name = || self.stages.iter().flatten().find(named);
        from.parse::<usize>().ok().and_then(|index| self.stages.get(index)?.as_ref()).or_else(by_name)
    }
}

/// A file that ADD would not take apart.
fn is_plain(path: &Path) -> bool {
    let name = path.to_string_lossy();
    ![".tar", ".tgz", ".gz", ".zst", ".xz", ".bz2"].iter().any(|ending| name.ends_with(ending))
}

/// Whose files become; and whether that is known without the image's own list of users.
fn change(outline: &Outline, copy: &Copy) -> Result<(Change, bool), String> {
    let mut change = Change::default();
    let mut known = true;
    if let Some(text) = &copy.chown {
        let text = outline.expanded(text)?;
        let (user, group) = text.split_once(':').unwrap_or((&text, &text));
        let id = |word: &str| if word == "root" { Some(0) } else { word.parse().ok() };
        change.owner = id(user).zip(id(group));
        known = change.owner.is_some();
    }
    if let Some(text) = &copy.chmod {
        let text = outline.expanded(text)?;
        change.mode = u32::from_str_radix(&text, 8).ok();
        known &= change.mode.is_some();
    }
    Ok((change, known))
}

/// What a layer adds, and what can be said of it.
fn weighed(layer: Layer<'_>) -> (BTreeMap<PathBuf, Node>, ShownLayer) {
    let bytes = layer.nodes.values().map(Node::bytes).sum();
    let digest = if layer.certain { archive::digest(&layer.nodes) } else { None };
    let certain = digest.is_some();
    (layer.nodes, ShownLayer { digest, bytes: certain.then_some(bytes) })
}
