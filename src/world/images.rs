//! What a scenario does with images, and what it is shown of them: the same words for the simulator and for a host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use crate::image::Digest;
use crate::image::config::RuntimeConfig;
use crate::image::dockerfile;
use crate::lab;
use crate::model::{LAB_IMAGE, Name};

/// Something that is asked of whoever keeps images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageRequest {
    /// Builds one.
    Build {
        /// What it will be called.
        image: String,
        /// The files that can be copied.
        context: Context,
        /// The build file among them.
        file: PathBuf,
    },
    /// Gives one another name.
    Tag {
        /// Which.
        image: String,
        /// The other name.
        to: String,
    },
    /// Sends one to its registry.
    Push(String),
    /// Gets one from its registry.
    Pull(String),
    /// Takes a name away, and with the last of them the image.
    Remove(String),
}

/// An image as a step shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownImage {
    /// The name that it was asked for by.
    pub name: String,
    /// Its id, where there is one: the simulator's images have none.
    pub id: Option<Digest>,
    /// The image that it begins with, where no more than its name is known of that.
    pub base: Option<String>,
    /// What made it, in its order.
    pub history: Vec<Making>,
}

/// One instruction, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Making {
    /// As the image's history has it.
    pub by: String,
    /// The layer, if it made one.
    pub layer: Option<ShownLayer>,
}

/// A layer, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownLayer {
    /// The digest of its unpacked archive.
    pub digest: Option<Digest>,
    /// Bytes in its files.
    pub bytes: Option<u64>,
}

/// Why nothing came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageTrouble {
    /// It was refused: nothing has changed.
    Refused(String),
    /// It went wrong.
    Failed(String),
}

/// What came of a request; a request that makes nothing shows nothing.
pub type ImageAnswer = Result<Option<ShownImage>, ImageTrouble>;

/// The files that a build can copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Context {
    /// None: the story never stood in a file.
    #[default]
    Nowhere,
    /// A directory on disk.
    Directory(PathBuf),
    /// Files that are on board: their paths and what is in them.
    OnBoard(BTreeMap<PathBuf, &'static str>),
}

/// What lies in a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextFile {
    /// A directory.
    Directory,
    /// A file, and whether it can be executed.
    File {
        /// How many bytes it has.
        bytes: u64,
        /// Whether it can be executed.
        executable: bool,
    },
    /// A symbolic link, and where it leads.
    Link(PathBuf),
    /// What no image can hold.
    Other,
}

impl Context {
    /// What is in one of its files.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self {
            Self::Nowhere => Err(io::ErrorKind::NotFound.into()),
            Self::Directory(directory) => fs::read(directory.join(path)),
            Self::OnBoard(files) => files
                .get(path)
                .map(|text| text.as_bytes().to_vec())
                .ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }

    /// A text among its files.
    pub fn text(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(self.read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Whether a build file in it can be read; why not, if not.
    pub fn check(&self, file: &Path) -> Result<(), String> {
        let name = file.display().to_string();
        let text = self.text(file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                format!("there is no {name} in it: `from` is a directory, as seen from the scenario's own")
            }
            _ => format!("cannot read {name} in it: {error}"),
        })?;
        dockerfile::parse(&name, &text).map(drop).map_err(|error| error.to_string())
    }

    /// All that is in it, by path.
    pub fn files(&self) -> io::Result<BTreeMap<PathBuf, ContextFile>> {
        let mut found = BTreeMap::new();
        match self {
            Self::Nowhere => {}
            Self::Directory(directory) => collect(directory, Path::new(""), &mut found)?,
            Self::OnBoard(files) => {
                for (path, text) in files {
                    let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
                    found.extend(above.map(|above| (above.to_path_buf(), ContextFile::Directory)));
                    let executable = text.starts_with("#!");
                    found.insert(path.clone(), ContextFile::File { bytes: text.len() as u64, executable });
                }
            }
        }
        Ok(found)
    }

    /// Where its files lie on disk; those on board are written to `scratch`, which is made.
    pub fn on_disk(&self, scratch: &Path) -> io::Result<PathBuf> {
        match self {
            Self::Nowhere => Err(io::ErrorKind::NotFound.into()),
            Self::Directory(directory) => Ok(directory.clone()),
            Self::OnBoard(files) => {
                for (path, text) in files {
                    let path = scratch.join(path);
                    fs::create_dir_all(path.parent().unwrap_or(scratch))?;
                    fs::write(&path, text)?;
                    if text.starts_with("#!") {
                        make_executable(&path)?;
                    }
                }
                Ok(scratch.to_path_buf())
            }
        }
    }
}

fn collect(directory: &Path, at: &Path, found: &mut BTreeMap<PathBuf, ContextFile>) -> io::Result<()> {
    for entry in fs::read_dir(directory.join(at))? {
        let entry = entry?;
        let (path, metadata) = (at.join(entry.file_name()), entry.metadata()?);
        let kind = metadata.file_type();
        let file = if kind.is_dir() {
            collect(directory, &path, found)?;
            ContextFile::Directory
        } else if kind.is_symlink() {
            ContextFile::Link(fs::read_link(entry.path())?)
        } else if kind.is_file() {
            ContextFile::File { bytes: metadata.len(), executable: is_executable(&metadata) }
        } else {
            ContextFile::Other
        };
        found.insert(path, file);
    }
    Ok(())
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

#[cfg(unix)]
fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> io::Result<()> {
    Ok(())
}

impl ShownImage {
    /// Its layers, the lowest first.
    pub fn layers(&self) -> impl Iterator<Item = &ShownLayer> {
        self.history.iter().filter_map(|making| making.layer.as_ref())
    }
}

/// Its name and how many layers it has; then an instruction a line, with what it made.
impl fmt::Display for ShownImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.layers().count();
        write!(f, "{}: {count} layer{}", self.name, if count == 1 { "" } else { "s" })?;
        for making in &self.history {
            write!(f, "\n{}", making.by)?;
            match &making.layer {
                None => write!(f, ": metadata")?,
                Some(layer) => {
                    write!(f, ": layer")?;
                    if let Some(bytes) = layer.bytes {
                        write!(f, " of {bytes} bytes")?;
                    }
                    if let Some(digest) = &layer.digest {
                        write!(f, " {digest}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// An image that a container uses is not removed.
pub(super) fn in_use(image: &str, container: &Name) -> String {
    format!(
        "conflict: cannot remove {image}: container {container} is using it (remove that first: terrarium rm {container})"
    )
}

/// How the history of the lab image tells of its one layer.
pub const LAB_MADE_BY: &str = "the lab program";

/// What containers of an image are like that begins with the lab image.
pub fn lab_config() -> RuntimeConfig {
    RuntimeConfig {
        cmd: Some(vec![LAB_IMAGE.into()]),
        env: vec!["PATH=/bin".into()],
        labels: [(lab::LABEL.to_owned(), "yes".to_owned())].into(),
        ..RuntimeConfig::default()
    }
}
