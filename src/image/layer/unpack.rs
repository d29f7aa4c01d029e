//! An archive becomes a directory that overlayfs can stack.
//!
//! One entry after the other: its name is cleaned, the directory it lies in is opened beneath the root and nowhere else, what
//! has the name already gives way, then it is made, and gets owner, attributes, mode and time in an order in which none undoes
//! another. Directories get mode and time at the end, because what is made in them changes these. `.wh.NAME` becomes a whiteout
//! of overlayfs, and `.wh..wh..opq` its mark of an opaque directory. Device nodes are left out: a container gets its devices
//! from the runtime.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{
    FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, futimens, makedev, mkdirat, mknodat,
    utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat, linkat, symlinkat};
use tar::{Archive, Entry, EntryType};
use xattr::FileExt as _;

use super::sparse::{self, Filled};
use super::tree::{kind_of, remove};
use super::{LayerError, Limits, OPAQUE, Tree, WHITEOUT, clean, opaque_mark};

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many entries there were.
    pub entries: u64,
    /// Bytes in the files.
    pub bytes: u64,
    /// Device nodes that were left out.
    pub devices: u64,
    /// Entries whose owner could not be kept.
    pub owners: u64,
}

/// Unpacks an archive in `directory`, whose own mode, owner and time become those of the image's root.
pub fn unpack(archive: impl Read, directory: &Path, limits: Limits) -> Result<Tally, LayerError> {
    let budget = Rc::new(Cell::new(limits.description));
    let mut archive = Archive::new(Metered { stream: archive, budget: Rc::clone(&budget) });
    let tree = Tree::open(directory).map_err(LayerError::files("open", directory))?;
    let mut unpacking = Unpacking {
        tree,
        limits,
        owners: Owners::here(),
        tally: Tally::default(),
        directories: BTreeMap::new(),
        deleted: HashSet::new(),
        buffer: Vec::new(),
    };
    let mut entries = archive.entries().map_err(LayerError::Read)?;
    loop {
        // What describes the next entry is read into memory: not more than so much of it.
        budget.set(limits.description);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(|error| read_error(error, limits))?;
        unpacking.tally.entries += 1;
        if unpacking.tally.entries > limits.entries {
            return Err(LayerError::TooMuch(format!("{} entries", limits.entries)));
        }
        budget.set(u64::MAX);
        unpacking.take(&mut entry)?;
        io::copy(&mut entry, &mut io::sink()).map_err(LayerError::Read)?;
    }
    unpacking.finish()
}

/// Whose files are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owners {
    /// Whose the archive says.
    Kept,
    /// This user's, who is root in the container.
    OneUser,
}

impl Owners {
    fn here() -> Self {
        if crate::runtime::is_root_of_the_host() { Self::Kept } else { Self::OneUser }
    }
}

struct Unpacking {
    tree: Tree,
    limits: Limits,
    owners: Owners,
    tally: Tally,
    /// What directories get at the end.
    directories: BTreeMap<PathBuf, Attributes>,
    /// Names of lower layers that this one deletes.
    deleted: HashSet<PathBuf>,
    buffer: Vec<u8>,
}

/// What an entry says of itself, beside what it is.
struct Attributes {
    uid: u32,
    gid: u32,
    mode: Mode,
    modified: TimeSpec,
    extended: Vec<(OsString, Vec<u8>)>,
}

impl Unpacking {
    fn take<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), LayerError> {
        let described = Described::of(entry)?;
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let name = described.sparse.as_ref().and_then(|sparse| sparse.name.clone());
        let path = clean(&name.unwrap_or_else(|| entry.path_bytes().into_owned()))?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            // The root itself.
            if kind.is_dir() {
                self.directories.insert(path, described.attributes);
            }
            return Ok(());
        };
        if let Some(deleted) = name.as_bytes().strip_prefix(WHITEOUT) {
            return self.delete(parent, name, OsStr::from_bytes(deleted));
        }
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(&path, entry, &described)
            }
            EntryType::Directory => self.directory(&path, described.attributes),
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                self.symlink(&path, &target, &described.attributes)
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                self.hard_link(&path, &target)
            }
            EntryType::Fifo => {
                let (directory, name) = self.make_room(&path)?;
                mknodat(directory, name, SFlag::S_IFIFO, Mode::from_bits_truncate(0o600), 0)
                    .map_err(at("make", &path))?;
                self.attributes_of_name(&path, &described.attributes)
            }
            EntryType::Char | EntryType::Block => {
                self.tally.devices += 1;
                Ok(())
            }
            other => Err(LayerError::Kind { path: path.display().to_string(), kind: other.as_byte().into() }),
        }
    }

    /// A name of lower layers goes, or all names of a directory.
    fn delete(&mut self, parent: &Path, name: &OsStr, deleted: &OsStr) -> Result<(), LayerError> {
        let whole = parent.join(name);
        if name.as_bytes() == OPAQUE {
            return self.make_opaque(parent);
        }
        if deleted.as_bytes().starts_with(WHITEOUT) {
            return Ok(()); // notes of aufs to itself
        }
        if deleted.is_empty() || deleted == "." || deleted == ".." {
            return Err(LayerError::Escapes(whole.display().to_string()));
        }
        let path = parent.join(deleted);
        let directory = self.parent(&path)?;
        match kind_of(directory, deleted) {
            // What this layer has itself stays; only nothing of lower layers is to be seen through it.
            Some(SFlag::S_IFDIR) => self.make_opaque(&path)?,
            Some(_) => {}
            None => {
                let whiteout = makedev(0, 0);
                mknodat(directory, deleted, SFlag::S_IFCHR, Mode::empty(), whiteout)
                    .map_err(at("make", &path))?;
            }
        }
        self.deleted.insert(path);
        Ok(())
    }

    fn make_opaque(&mut self, path: &Path) -> Result<(), LayerError> {
        self.directory_there(path)?;
        let directory =
            self.tree.open_at(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY).map_err(at("open", path))?;
        File::from(directory).set_xattr(opaque_mark(), b"y").map_err(LayerError::files("mark", path))
    }

    fn file<R: Read>(
        &mut self,
        path: &Path,
        entry: &mut Entry<'_, R>,
        described: &Described,
    ) -> Result<(), LayerError> {
        let left = self.limits.bytes - self.tally.bytes;
        let (directory, name) = self.make_room(path)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened =
            openat(directory, name, flags, Mode::from_bits_truncate(0o600)).map_err(at("make", path))?;
        let mut file = File::from(opened);
        let filled = match &described.sparse {
            Some(Sparse { size, .. }) => sparse::segments(entry, self.limits.entries)
                .and_then(|segments| sparse::fill_segments(&mut file, entry, (&segments, *size), left)),
            None => sparse::fill(&mut file, entry, &mut self.buffer, left),
        };
        match filled.map_err(|error| self.writing(path, error))? {
            Filled::With(bytes) => self.tally.bytes += bytes,
            Filled::TooMuch => return Err(LayerError::TooMuch(format!("{} bytes", self.limits.bytes))),
        }
        self.attributes_of_file(path, &file, &described.attributes)
    }

    /// The disk's complaints are told apart from the archive's by their numbers.
    fn writing(&self, path: &Path, error: io::Error) -> LayerError {
        match error.raw_os_error() {
            Some(_) => {
                LayerError::Files { action: "write", path: self.tree.path().join(path), source: error }
            }
            None => LayerError::Read(error),
        }
    }

    fn directory(&mut self, path: &Path, attributes: Attributes) -> Result<(), LayerError> {
        self.directory_there(path)?;
        if self.deleted.contains(path) {
            self.make_opaque(path)?;
        }
        self.directories.insert(path.into(), attributes);
        Ok(())
    }

    /// Unless there is one already, a directory takes the place of whatever there is.
    fn directory_there(&mut self, path: &Path) -> Result<(), LayerError> {
        let Some(name) = path.file_name() else { return Ok(()) };
        let directory = self.parent(path)?;
        match kind_of(directory, name) {
            Some(SFlag::S_IFDIR) => return Ok(()),
            Some(_) => remove(directory, name).map_err(LayerError::files("replace", path))?,
            None => {}
        }
        let directory = self.parent(path)?;
        mkdirat(directory, name, Mode::from_bits_truncate(0o755)).map_err(at("make", path))
    }

    fn symlink(&mut self, path: &Path, target: &[u8], attributes: &Attributes) -> Result<(), LayerError> {
        let (directory, name) = self.make_room(path)?;
        symlinkat(OsStr::from_bytes(target), directory, name).map_err(at("link", path))?;
        self.attributes_of_name(path, attributes)
    }

    /// Both ends are beneath the root, and neither is followed any further.
    fn hard_link(&mut self, path: &Path, target: &[u8]) -> Result<(), LayerError> {
        let target = clean(target)?;
        if target == path {
            return Ok(());
        }
        let missing =
            || LayerError::Link { path: path.display().to_string(), target: target.display().to_string() };
        let named = target.file_name().ok_or_else(missing)?;
        let from = self.parent(&target)?.try_clone().map_err(LayerError::files("open", &target))?;
        match kind_of(&from, named) {
            None | Some(SFlag::S_IFDIR | SFlag::S_IFCHR) => return Err(missing()),
            Some(_) => {}
        }
        let (directory, name) = self.make_room(path)?;
        match linkat(&from, named, directory, name, AtFlags::empty()) {
            Err(Errno::ENOENT) => Err(missing()),
            result => result.map_err(at("link", path)),
        }
    }

    /// The directory that an entry lies in, and its name there, which is free now.
    fn make_room<'a>(&mut self, path: &'a Path) -> Result<(&std::os::fd::OwnedFd, &'a OsStr), LayerError> {
        let name = path.file_name().ok_or_else(|| LayerError::Name(path.display().to_string()))?;
        let directory = self.parent(path)?;
        if let Some(kind) = kind_of(directory, name) {
            remove(directory, name).map_err(LayerError::files("replace", path))?;
            if kind == SFlag::S_IFDIR {
                self.tree.forget();
                self.directories.retain(|known, _| !known.starts_with(path));
            }
        }
        Ok((self.parent(path)?, name))
    }

    fn parent(&mut self, path: &Path) -> Result<&std::os::fd::OwnedFd, LayerError> {
        let parent = path.parent().unwrap_or(Path::new(""));
        self.tree.directory(parent).map_err(|error| {
            match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                Errno::ENOTDIR | Errno::ELOOP => LayerError::NotInDirectory(path.display().to_string()),
                _ => LayerError::Files { action: "open", path: parent.into(), source: error },
            }
        })
    }

    /// Owner before mode, since a change of owner takes setuid away; attributes after the owner, for the same reason.
    fn attributes_of_file(&mut self, path: &Path, file: &File, said: &Attributes) -> Result<(), LayerError> {
        match self.owners {
            Owners::Kept => fchown(file, Some(Uid::from_raw(said.uid)), Some(Gid::from_raw(said.gid)))
                .map_err(at("change the owner of", path))?,
            Owners::OneUser => self.tally.owners += u64::from(said.uid != 0 || said.gid != 0),
        }
        for (name, value) in &said.extended {
            set_attribute(file, name, value).map_err(LayerError::files("set an attribute of", path))?;
        }
        fchmod(file, said.mode).map_err(at("set the mode of", path))?;
        futimens(file, &said.modified, &said.modified).map_err(at("set the time of", path))
    }

    /// Of what cannot be opened.
    fn attributes_of_name(&mut self, path: &Path, said: &Attributes) -> Result<(), LayerError> {
        let owners = self.owners;
        let (parent, name) = (self.parent(path)?, path.file_name().unwrap_or_default());
        if owners == Owners::Kept {
            let (uid, gid) = (Uid::from_raw(said.uid), Gid::from_raw(said.gid));
            fchownat(parent, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)
                .map_err(at("change the owner of", path))?;
        }
        if kind_of(parent, name) == Some(SFlag::S_IFIFO) {
            fchmodat(parent, name, said.mode, FchmodatFlags::FollowSymlink)
                .map_err(at("set the mode of", path))?;
        }
        utimensat(parent, name, &said.modified, &said.modified, UtimensatFlags::NoFollowSymlink)
            .map_err(at("set the time of", path))?;
        self.tally.owners += u64::from(owners == Owners::OneUser && (said.uid != 0 || said.gid != 0));
        Ok(())
    }

    /// The deepest first: a mode may close a directory.
    fn finish(mut self) -> Result<Tally, LayerError> {
        for (path, said) in std::mem::take(&mut self.directories).into_iter().rev() {
            // A link may have taken its place since.
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
            let Ok(directory) = self.tree.open_at(&path, flags) else { continue };
            self.attributes_of_file(&path, &File::from(directory), &said)?;
        }
        Ok(self.tally)
    }
}

/// Attributes that a file system does not have are not worth failing for; overlayfs's own are not the archive's to set.
fn set_attribute(file: &File, name: &OsStr, value: &[u8]) -> io::Result<()> {
    let bytes = name.as_bytes();
    let taken = bytes == b"security.capability"
        || (bytes.starts_with(b"user.") && !bytes.starts_with(b"user.overlay."));
    if !taken {
        return Ok(());
    }
    match file.set_xattr(name, value) {
        Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            Errno::EOPNOTSUPP | Errno::EPERM | Errno::ENOSPC | Errno::E2BIG => Ok(()),
            _ => Err(error),
        },
        Ok(()) => Ok(()),
    }
}

/// What stands before an entry.
struct Described {
    attributes: Attributes,
    sparse: Option<Sparse>,
}

/// What a sparse file of the POSIX format is called and how large it is, holes and all.
struct Sparse {
    name: Option<Vec<u8>>,
    size: u64,
}

impl Described {
    fn of<R: Read>(entry: &mut Entry<'_, R>) -> Result<Self, LayerError> {
        let mut extended = Vec::new();
        let mut records = BTreeMap::new();
        for record in entry.pax_extensions().map_err(LayerError::Read)?.into_iter().flatten() {
            let record = record.map_err(LayerError::Read)?;
            let key = String::from_utf8_lossy(record.key_bytes()).into_owned();
            match key.strip_prefix("SCHILY.xattr.") {
                Some(name) => extended.push((OsString::from_vec(name.into()), record.value_bytes().to_vec())),
                None => _ = records.insert(key, record.value_bytes().to_vec()),
            }
        }
        let number = |key: &str| std::str::from_utf8(records.get(key)?).ok()?.parse::<u64>().ok();
        let sparse = (number("GNU.sparse.major") == Some(1)).then(|| Sparse {
            name: records.get("GNU.sparse.name").cloned(),
            size: number("GNU.sparse.realsize").unwrap_or(0),
        });
        let modified = records.get("mtime").and_then(|text| time(std::str::from_utf8(text).ok()?));
        let header = entry.header();
        let id = |id: io::Result<u64>| -> Result<u32, LayerError> {
            // The largest number means "do not change" to the kernel.
            let id = u32::try_from(id.map_err(LayerError::Read)?).ok().filter(|id| *id != u32::MAX);
            id.ok_or_else(|| {
                LayerError::Read(io::Error::new(io::ErrorKind::InvalidData, "an owner is no number"))
            })
        };
        let seconds = i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0);
        let attributes = Attributes {
            uid: id(header.uid())?,
            gid: id(header.gid())?,
            mode: Mode::from_bits_truncate(header.mode().map_err(LayerError::Read)? & 0o7777),
            modified: modified.unwrap_or_else(|| TimeSpec::new(seconds, 0)),
            extended,
        };
        Ok(Self { attributes, sparse })
    }
}

/// `SECONDS[.FRACTION]`
fn time(text: &str) -> Option<TimeSpec> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let (seconds, nanoseconds) = (seconds.parse::<i64>().ok()?, digits.parse::<i64>().ok()?);
    if text.starts_with('-') && nanoseconds > 0 {
        return Some(TimeSpec::new(seconds - 1, 1_000_000_000 - nanoseconds));
    }
    Some(TimeSpec::new(seconds, nanoseconds))
}

/// A stream of which only so much is read.
struct Metered<R> {
    stream: R,
    budget: Rc<Cell<u64>>,
}

/// What it says when there is no more to be had.
const SPENT: &str = "an entry's description is too long";

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        let left = self.budget.get().checked_sub(count as u64);
        self.budget.set(left.ok_or_else(|| io::Error::other(SPENT))?);
        Ok(count)
    }
}

fn read_error(error: io::Error, limits: Limits) -> LayerError {
    if error.to_string().contains(SPENT) {
        return LayerError::TooMuch(format!("{} bytes to describe one entry", limits.description));
    }
    LayerError::Read(error)
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> LayerError {
    let path = path.to_path_buf();
    move |errno| LayerError::Files { action, path, source: errno.into() }
}
