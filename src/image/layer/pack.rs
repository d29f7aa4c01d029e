//! A directory becomes an archive, the same one each time: entries in the order of their names, and nothing in them that says
//! when or where they were packed.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::{LayerError, OPAQUE, WHITEOUT, opaque_mark};

/// Who owns an entry, and what may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its mode.
    pub mode: u32,
    /// When it was changed, in seconds since 1970.
    pub modified: i64,
}

impl Entry {
    /// As a file of this host has it. A user's own files are root's in an image.
    pub fn of(found: &Metadata) -> Self {
        let mine = nix::unistd::geteuid();
        let id = |id: u32, own: u32| if !mine.is_root() && id == own { 0 } else { id };
        Self {
            uid: id(found.uid(), mine.as_raw()),
            gid: id(found.gid(), nix::unistd::getegid().as_raw()),
            mode: found.mode() & 0o7777,
            modified: found.mtime(),
        }
    }
}

/// An archive in the making.
pub struct Packer<W: Write> {
    archive: Builder<W>,
    /// Files with several names, by the one that came first.
    names: HashMap<(u64, u64), PathBuf>,
}

/// Longer names need an entry of their own to say them.
const SHORT_NAME: usize = 100;
/// The longest number in an ordinary header.
const PLAIN_ID: u32 = 0o7_777_777;

impl<W: Write> Packer<W> {
    /// Begins one.
    pub fn new(stream: W) -> Self {
        Self { archive: Builder::new(stream), names: HashMap::new() }
    }

    /// Ends it.
    pub fn finish(self) -> Result<W, LayerError> {
        self.archive.into_inner().map_err(LayerError::files("pack", "the layer"))
    }

    /// A directory.
    pub fn directory(&mut self, path: &Path, entry: Entry) -> Result<(), LayerError> {
        self.add(path, entry, EntryType::Directory, None, &[], (0, &mut io::empty()))
    }

    /// A file with these bytes.
    pub fn bytes(&mut self, path: &Path, entry: Entry, bytes: &[u8]) -> Result<(), LayerError> {
        self.add(path, entry, EntryType::Regular, None, &[], (bytes.len() as u64, &mut &*bytes))
    }

    /// What lies at `from`, itself and nothing beneath it.
    pub fn file(&mut self, path: &Path, from: &Path, entry: Entry) -> Result<(), LayerError> {
        let found = fs::symlink_metadata(from).map_err(LayerError::files("look at", from))?;
        let kind = found.file_type();
        if kind.is_symlink() {
            let target = fs::read_link(from).map_err(LayerError::files("read", from))?;
            let entry = Entry { mode: 0o777, ..entry };
            return self.add(path, entry, EntryType::Symlink, Some(&target), &[], (0, &mut io::empty()));
        }
        if kind.is_fifo() {
            return self.add(path, entry, EntryType::Fifo, None, &[], (0, &mut io::empty()));
        }
        if !kind.is_file() && !kind.is_dir() {
            return Ok(()); // devices and sockets are the host's
        }
        let attributes = attributes(from)?;
        if kind.is_dir() {
            return self.add(path, entry, EntryType::Directory, None, &attributes, (0, &mut io::empty()));
        }
        if found.nlink() > 1 {
            if let Some(first) = self.names.get(&(found.dev(), found.ino())).cloned() {
                return self.add(path, entry, EntryType::Link, Some(&first), &[], (0, &mut io::empty()));
            }
            self.names.insert((found.dev(), found.ino()), path.into());
        }
        let file = File::open(from).map_err(LayerError::files("read", from))?;
        // A file that grows meanwhile gives what it had.
        let size = file.metadata().map_err(LayerError::files("look at", from))?.len();
        self.add(path, entry, EntryType::Regular, None, &attributes, (size, &mut file.take(size)))
    }

    /// The mark that a name of lower layers is deleted.
    pub fn deletion(&mut self, path: &Path) -> Result<(), LayerError> {
        let name = [WHITEOUT, path.file_name().unwrap_or_default().as_bytes()].concat();
        self.mark(&path.with_file_name(OsStr::from_bytes(&name)))
    }

    /// The mark that a directory hides what lower layers have there.
    pub fn opaque(&mut self, path: &Path) -> Result<(), LayerError> {
        self.mark(&path.join(OsStr::from_bytes(OPAQUE)))
    }

    fn mark(&mut self, path: &Path) -> Result<(), LayerError> {
        self.bytes(path, Entry { uid: 0, gid: 0, mode: 0, modified: 0 }, &[])
    }

    fn add(
        &mut self,
        path: &Path,
        entry: Entry,
        kind: EntryType,
        link: Option<&Path>,
        attributes: &[(OsString, Vec<u8>)],
        (size, bytes): (u64, &mut dyn Read),
    ) -> Result<(), LayerError> {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(entry.mode);
        header.set_uid(entry.uid.min(PLAIN_ID).into());
        header.set_gid(entry.gid.min(PLAIN_ID).into());
        header.set_mtime(u64::try_from(entry.modified).unwrap_or(0));
        header.set_size(size);
        let mut name = path.as_os_str().as_bytes().to_vec();
        if kind.is_dir() {
            name.push(b'/');
        }
        let mut records: Vec<(String, Vec<u8>)> = Vec::new();
        if !put(&mut header.as_old_mut().name, &name) {
            records.push(("path".into(), name.clone()));
        }
        if let Some(link) = link.map(|link| link.as_os_str().as_bytes())
            && !put(&mut header.as_old_mut().linkname, link)
        {
            records.push(("linkpath".into(), link.to_vec()));
        }
        for (key, id) in [("uid", entry.uid), ("gid", entry.gid)] {
            if id > PLAIN_ID {
                records.push((key.into(), id.to_string().into_bytes()));
            }
        }
        for (name, value) in attributes {
            records.push((format!("SCHILY.xattr.{}", name.to_string_lossy()), value.clone()));
        }
        if !records.is_empty() {
            let records = records.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
            self.archive.append_pax_extensions(records).map_err(LayerError::files("pack", path))?;
        }
        header.set_cksum();
        self.archive.append(&header, bytes).map_err(LayerError::files("pack", path))
    }
}

/// Writes a name to its field, as much of it as fits; says whether that is all of it.
fn put(field: &mut [u8; SHORT_NAME], name: &[u8]) -> bool {
    let fits = name.len() <= SHORT_NAME;
    let length = name.len().min(SHORT_NAME);
    field[..length].copy_from_slice(&name[..length]);
    fits
}

/// What an image can keep of a file's attributes.
fn attributes(path: &Path) -> Result<Vec<(OsString, Vec<u8>)>, LayerError> {
    let names = match xattr::list(path) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(Vec::new()),
        Err(error) => return Err(LayerError::files("read the attributes of", path)(error)),
    };
    let kept = |name: &OsString| {
        let name = name.as_bytes();
        name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
    };
    let mut kept: Vec<OsString> = names.filter(kept).collect();
    kept.sort();
    let value = |name: OsString| {
        let value = xattr::get(path, &name).map_err(LayerError::files("read the attributes of", path))?;
        Ok(value.map(|value| (name, value)))
    };
    kept.into_iter().map(value).filter_map(Result::transpose).collect()
}

/// Packs a writable layer of overlayfs: what it has added and changed, and what it has deleted.
pub fn pack_differences<W: Write>(upper: &Path, stream: W) -> Result<W, LayerError> {
    let mut packer = Packer::new(stream);
    pack_directory(&mut packer, upper, Path::new(""))?;
    packer.finish()
}

fn pack_directory<W: Write>(packer: &mut Packer<W>, from: &Path, at: &Path) -> Result<(), LayerError> {
    let entries = fs::read_dir(from).map_err(LayerError::files("read", from))?;
    let mut names: Vec<OsString> = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()
        .map_err(LayerError::files("read", from))?;
    names.sort();
    for name in names {
        let (path, inside) = (from.join(&name), at.join(&name));
        let found = fs::symlink_metadata(&path).map_err(LayerError::files("look at", &path))?;
        if found.file_type().is_char_device() && found.rdev() == 0 {
            packer.deletion(&inside)?;
            continue;
        }
        packer.file(&inside, &path, Entry::of(&found))?;
        if found.is_dir() {
            if matches!(xattr::get(&path, opaque_mark()), Ok(Some(mark)) if mark == b"y") {
                packer.opaque(&inside)?;
            }
            pack_directory(packer, &path, &inside)?;
        }
    }
    Ok(())
}
