//! The files of a simulated image, as far as they are known, and what a COPY adds to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::image::dockerfile::{Ignore, fits};
use crate::world::images::{Context, ContextFile};

/// What is seen of an image's layers together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Files {
    known: BTreeMap<PathBuf, Node>,
    beneath: Beneath,
}

/// What lies beneath that nobody has told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beneath {
    /// Nothing: all is known.
    Nothing,
    /// The lab image, whose usual directories are known.
    Lab,
    /// Whatever another image has, or a command has made.
    Anything,
}

/// A file, a link or a directory, with its owner and mode.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Directory,
    File(File),
    Link(PathBuf),
}

/// What is in a file, or where that stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum File {
    Text(String),
    Of(Arc<Context>, PathBuf, u64),
}

/// Where files are copied from.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) nodes: BTreeMap<PathBuf, Node>,
    pub(super) ignore: Ignore,
}

/// Whose files become, and with which mode; as they are if it is not said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub(super) owner: Option<(u32, u32)>,
    pub(super) mode: Option<u32>,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum There {
    No,
    Directory,
    Maybe,
}

/// What a step adds, and whether that is certain.
pub(super) struct Layer<'a> {
    onto: &'a Files,
    pub(super) nodes: BTreeMap<PathBuf, Node>,
    pub(super) certain: bool,
}

/// A file of the lab image, or a directory that is all its own, begins so.
const LAB_ROOTS: [&str; 12] =
    ["bin", "dev", "etc", "lib", "lib64", "proc", "root", "run", "sys", "tmp", "usr", "var"];

impl File {
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Of(context, path, _) => context.read(path).ok(),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Of(_, _, bytes) => *bytes,
        }
    }
}

impl Node {
    pub(super) fn directory() -> Self {
        Self { kind: Kind::Directory, uid: 0, gid: 0, mode: 0o755 }
    }

    pub(super) fn text(text: String, change: Change) -> Self {
        let (uid, gid) = change.owner.unwrap_or((0, 0));
        Self { kind: Kind::File(File::Text(text)), uid, gid, mode: change.mode.unwrap_or(0o644) }
    }

    /// Bytes that it has in the layer's files.
    pub(super) fn bytes(&self) -> u64 {
        match &self.kind {
            Kind::Directory | Kind::Link(_) => 0,
            Kind::File(file) => file.bytes(),
        }
    }

    fn changed(&self, change: Change) -> Self {
        let (uid, gid) = change.owner.unwrap_or((self.uid, self.gid));
        let mode = change.mode.filter(|_| self.kind != Kind::Directory).unwrap_or(self.mode);
        Self { uid, gid, mode, kind: self.kind.clone() }
    }
}

impl Origin {
    /// The build's own directory, as root's.
    pub(super) fn context(context: &Arc<Context>, ignore: Ignore) -> std::io::Result<Self> {
        let node = |(path, file): (PathBuf, ContextFile)| {
            let (kind, mode) = match file {
                ContextFile::Directory => (Kind::Directory, 0o755),
                ContextFile::Link(target) => (Kind::Link(target), 0o777),
                ContextFile::File { bytes, executable } => {
                    let mode = if executable { 0o755 } else { 0o644 };
                    (Kind::File(File::Of(Arc::clone(context), path.clone(), bytes)), mode)
                }
                ContextFile::Other => return None,
            };
            Some((path, Node { kind, uid: 0, gid: 0, mode }))
        };
        Ok(Self { nodes: context.files()?.into_iter().filter_map(node).collect(), ignore })
    }

    /// The paths that a source means: one, or as many as fit a pattern.
    pub(super) fn sources(&self, source: &str) -> Vec<PathBuf> {
        let mut found = vec![PathBuf::new()];
        for part in source.split('/').filter(|part| !matches!(*part, "" | ".")) {
            found =
                found
                    .iter()
                    .flat_map(|directory| self.children(directory))
                    .filter(|(name, _)| {
                        if part.contains(['*', '?', '[', '\\']) { fits(part, name) } else { *name == part }
                    })
                    .map(|(_, path)| path)
                    .collect();
        }
        let is_directory = |path: &Path| {
            path.as_os_str().is_empty()
                || self.nodes.get(path).is_some_and(|node| node.kind == Kind::Directory)
        };
        found.retain(|path| {
            !self.ignore.leaves_out(path) || (is_directory(path) && self.ignore.may_keep_beneath())
        });
        found
    }

    fn children<'o>(&'o self, directory: &Path) -> Vec<(&'o str, PathBuf)> {
        let inside = self.nodes.keys().filter(|path| path.parent() == Some(directory));
        inside.filter_map(|path| Some((path.file_name()?.to_str()?, path.clone()))).collect()
    }
}

impl Files {
    pub(super) fn new(beneath: Beneath) -> Self {
        Self { known: BTreeMap::new(), beneath }
    }

    /// A command may have changed anything.
    pub(super) fn blur(&mut self) {
        self.beneath = Beneath::Anything;
    }

    /// All that is known, as something to copy from; `None` if there may be more.
    pub(super) fn origin(&self) -> Option<Origin> {
        (self.beneath == Beneath::Nothing)
            .then(|| Origin { nodes: self.known.clone(), ignore: Ignore::default() })
    }

    pub(super) fn add(&mut self, nodes: BTreeMap<PathBuf, Node>) {
        self.known.extend(nodes);
    }

    /// Whether a file is known to be there.
    pub(super) fn has(&self, path: &Path) -> bool {
        let path = path.strip_prefix("/").unwrap_or(path);
        self.known.get(path).is_some_and(|node| node.kind != Kind::Directory)
    }

    pub(super) fn there(&self, path: &Path) -> There {
        let first = path.iter().next();
        match (self.known.get(path), first) {
            (_, None) | (Some(Node { kind: Kind::Directory, .. }), _) => There::Directory,
            (Some(_), _) => There::Maybe,
            (None, Some(first)) => match self.beneath {
                Beneath::Nothing => There::No,
                Beneath::Lab if LAB_ROOTS.iter().all(|root| first != *root) => There::No,
                Beneath::Lab | Beneath::Anything => There::Maybe,
            },
        }
    }
}

impl<'a> Layer<'a> {
    pub(super) fn on(onto: &'a Files) -> Self {
        Self { onto, nodes: BTreeMap::new(), certain: true }
    }

    /// What lies at a source, at `target`; of a directory, all that is in it.
    pub(super) fn take(&mut self, origin: &Origin, source: &Path, target: &Path, change: Change) {
        let out = !source.as_os_str().is_empty() && origin.ignore.leaves_out(source);
        match origin.nodes.get(source) {
            Some(node) if node.kind != Kind::Directory => {
                if !out {
                    self.insert(target, node.changed(change));
                }
            }
            directory => {
                let there = self.there(target);
                if there != There::Directory && !out {
                    self.insert(target, directory.cloned().unwrap_or_else(Node::directory).changed(change));
                }
                for (name, path) in origin.children(source) {
                    self.take(origin, &path, &target.join(name), change);
                }
            }
        }
    }

    /// A file or directory, and the directories that lead to it.
    pub(super) fn insert(&mut self, path: &Path, node: Node) {
        let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
        for above in above {
            if !self.nodes.contains_key(above) {
                let known = self.onto.known.get(above).cloned();
                self.certain &= known.is_some() || self.there(above) == There::No;
                self.nodes.insert(above.into(), known.unwrap_or_else(Node::directory));
            }
        }
        self.nodes.insert(path.into(), node);
    }

    fn there(&mut self, path: &Path) -> There {
        let there = self.onto.there(path);
        self.certain &= there != There::Maybe;
        there
    }
}
