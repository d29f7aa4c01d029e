//! What a container sees of stacked layers, without mounting them: deletions hide, opaque directories hide, links are followed
//! beneath the root and never out of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use super::opaque_mark;

/// Layers, seen as one.
#[derive(Clone, Debug)]
pub struct Merged {
    layers: Vec<PathBuf>,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A directory.
    Directory {
        /// Its path beneath the root, without links in it.
        path: PathBuf,
        /// The directories of the host that make it up, the topmost first.
        layers: Vec<PathBuf>,
    },
    /// Anything else.
    File {
        /// Its path beneath the root, without links in it.
        path: PathBuf,
        /// Where it is on the host.
        host: PathBuf,
    },
}

impl Found {
    /// Its path beneath the root.
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory { path, .. } | Self::File { path, .. } => path,
        }
    }

    /// Where its topmost part is on the host.
    pub fn host(&self) -> &Path {
        match self {
            Self::Directory { layers, .. } => layers.first().map_or(Path::new("/"), PathBuf::as_path),
            Self::File { host, .. } => host,
        }
    }
}

/// As the kernel's.
const MOST_LINKS: u32 = 40;

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastLink {
    Followed,
    Itself,
}

impl Merged {
    /// Of these, the topmost first.
    pub fn new(layers: Vec<PathBuf>) -> Self {
        Self { layers }
    }

    /// What is at a path; a link is followed.
    pub fn find(&self, path: &Path) -> io::Result<Option<Found>> {
        self.walk(path, LastLink::Followed)
    }

    /// What is at a path; a link is found itself.
    pub fn find_itself(&self, path: &Path) -> io::Result<Option<Found>> {
        self.walk(path, LastLink::Itself)
    }

    /// What is in a directory, by name.
    pub fn list(&self, directory: &Found) -> io::Result<BTreeMap<OsString, Found>> {
        let Found::Directory { path, layers } = directory else { return Ok(BTreeMap::new()) };
        let mut names = BTreeSet::new();
        for layer in layers {
            for entry in fs::read_dir(layer)? {
                names.insert(entry?.file_name());
            }
        }
        let found = names.into_iter().map(|name| {
            let inside = lookup(layers, &name)?;
            Ok(inside.map(|inside| (name.clone(), inside.at(path.join(&name)))))
        });
        found.filter_map(io::Result::transpose).collect()
    }

    /// The path that a new file gets: what is there already of it without links, and the rest as it is.
    pub fn settle(&self, path: &Path) -> io::Result<PathBuf> {
        let mut settled = PathBuf::new();
        for part in path.components().filter(|part| matches!(part, Component::Normal(_))) {
            let next = settled.join(part);
            settled = match self.find(&next)? {
                Some(Found::Directory { path, .. }) => path,
                _ => next,
            };
        }
        Ok(settled)
    }

    fn walk(&self, path: &Path, last: LastLink) -> io::Result<Option<Found>> {
        let mut ahead: VecDeque<OsString> = parts(path);
        let mut way: Vec<(PathBuf, Vec<PathBuf>)> = vec![(PathBuf::new(), self.layers.clone())];
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                if way.len() > 1 {
                    way.pop();
                }
                continue;
            }
            let (here, layers) = way.last().expect("the root is never left");
            let here = here.join(&name);
            match lookup(layers, &name)? {
                None => return Ok(None),
                Some(Inside::Directory(layers)) => way.push((here, layers)),
                Some(Inside::Link(host)) if !ahead.is_empty() || last == LastLink::Followed => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Ok(None);
                    }
                    let target = fs::read_link(&host)?;
                    if target.is_absolute() {
                        way.truncate(1);
                    }
                    for part in parts(&target).into_iter().rev() {
                        ahead.push_front(part);
                    }
                }
                Some(Inside::Link(host) | Inside::File(host)) => {
                    return Ok(ahead.is_empty().then_some(Found::File { path: here, host }));
                }
            }
        }
        let (path, layers) = way.pop().expect("the root is never left");
        Ok(Some(Found::Directory { path, layers }))
    }
}

enum Inside {
    Directory(Vec<PathBuf>),
    Link(PathBuf),
    File(PathBuf),
}

impl Inside {
    fn at(self, path: PathBuf) -> Found {
        match self {
            Self::Directory(layers) => Found::Directory { path, layers },
            Self::Link(host) | Self::File(host) => Found::File { path, host },
        }
    }
}

/// A name in a directory that is made up of several.
fn lookup(layers: &[PathBuf], name: &OsStr) -> io::Result<Option<Inside>> {
    let mut directories = Vec::new();
    for layer in layers {
        let host = layer.join(name);
        let found = match fs::symlink_metadata(&host) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                continue;
            }
            found => found?,
        };
        if found.is_dir() {
            let hides = matches!(xattr::get(&host, opaque_mark()), Ok(Some(mark)) if mark == b"y");
            directories.push(host);
            if hides {
                break;
            }
        } else if directories.is_empty() && !is_deletion(&found) {
            return Ok(Some(if found.is_symlink() { Inside::Link(host) } else { Inside::File(host) }));
        } else {
            break;
        }
    }
    Ok((!directories.is_empty()).then_some(Inside::Directory(directories)))
}

fn is_deletion(found: &Metadata) -> bool {
    found.file_type().is_char_device() && found.rdev() == 0
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let wanted = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().filter(wanted).map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::stat::{Mode, SFlag, mknod};

    use super::*;

    #[test]
    fn layers_are_seen_as_a_container_sees_them() {
        let desk = tempfile::tempdir().unwrap();
        let (upper, lower) = (desk.path().join("upper"), desk.path().join("lower"));
        for directory in ["usr/bin", "gone", "opaque"] {
            fs::create_dir_all(lower.join(directory)).unwrap();
            fs::write(lower.join(directory).join("old"), "old").unwrap();
        }
        symlink("usr/bin", lower.join("bin")).unwrap();
        symlink("/../../bin", lower.join("out")).unwrap();
        symlink("circle", lower.join("circle")).unwrap();
        fs::create_dir_all(upper.join("usr/bin")).unwrap();
        fs::write(upper.join("usr/bin/new"), "new").unwrap();
        fs::create_dir(upper.join("opaque")).unwrap();
        xattr::set(upper.join("opaque"), opaque_mark(), b"y").unwrap();
        mknod(&upper.join("gone"), SFlag::S_IFCHR, Mode::empty(), 0).unwrap();

        let merged = Merged::new(vec![upper.clone(), lower.clone()]);
        let host = |path: &str| merged.find(Path::new(path)).unwrap().map(|found| found.host().to_path_buf());
        assert_eq!(host("/bin/new"), Some(upper.join("usr/bin/new")));
        assert_eq!(host("out/old"), Some(lower.join("usr/bin/old")));
        for missing in ["gone", "gone/old", "opaque/old", "circle", "usr/bin/old/x"] {
            assert_eq!(host(missing), None, "{missing}");
        }
        let names = |path: &str| -> Vec<OsString> {
            merged.list(&merged.find(Path::new(path)).unwrap().unwrap()).unwrap().into_keys().collect()
        };
        assert_eq!(names("usr/bin"), ["new", "old"]);
        assert_eq!(names(""), ["bin", "circle", "opaque", "out", "usr"]);
        assert_eq!(merged.settle(Path::new("/bin/a/b")).unwrap(), Path::new("usr/bin/a/b"));
    }
}
