//! Packs what is at a path into a tar stream, and unpacks it elsewhere by the rules of `cp`.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Builder, EntryType};
use thiserror::Error;

/// Whether a link that a path leads to is taken itself, or what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// The link.
    Kept,
    /// What it leads to.
    Followed,
}

/// How something is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacking {
    /// What there is to unpack.
    pub what: Packed,
    /// Whose it becomes.
    pub owners: Owners,
}

/// What is in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// A file or a directory, under its name.
    Itself,
    /// A directory, of which only what is in it is meant.
    Contents,
    /// Whatever somebody else has packed.
    Anything,
}

/// Whose files become that are unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// Those of whoever unpacks them; in a container that is root.
    Root,
    /// Those who had them.
    Kept,
}

/// Why something cannot be copied.
#[derive(Debug, Error)]
pub enum BundleError {
    /// There is nothing there.
    #[error("there is no such file: {0} (look at what is there first)")]
    NoSuchFile(String),
    /// A file stands where a directory is needed.
    #[error("{0} is not a directory (leave the slash out, or copy to another place)")]
    NoDirectory(String),
    /// The directory that it should lie in is not there.
    #[error("no such directory: {0} (make it first)")]
    NoParent(String),
    /// A directory cannot take a file's place.
    #[error("cannot copy a directory over the file {0} (copy it to another place)")]
    OverFile(String),
    /// The stream names something that lies elsewhere.
    #[error("the archive leads out of where it is unpacked, with {0} (nothing more of it is unpacked)")]
    LeadsOut(String),
    /// A file operation.
    #[error("cannot copy {path}: {source} (is there room, and is it writable?)")]
    File {
        /// Which.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// Packs what is at a path, under its last name.
pub fn pack(path: &str, links: Links, out: impl Write) -> Result<(), BundleError> {
    let file = |source| BundleError::File { path: path.into(), source };
    let typed = Path::new(path);
    let follows = links == Links::Followed || path.ends_with('/') || path.ends_with("/.");
    let found = if follows { fs::metadata(typed) } else { fs::symlink_metadata(typed) };
    let found = found.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => BundleError::NoSuchFile(path.into()),
        _ => file(source),
    })?;
    if path.ends_with('/') && !found.is_dir() {
        return Err(BundleError::NoDirectory(path.into()));
    }
    let source = if follows { fs::canonicalize(typed).map_err(file)? } else { typed.to_owned() };
    let name = typed.file_name().map_or_else(|| "root".into(), PathBuf::from);
    let mut builder = Builder::new(out);
    builder.follow_symlinks(false);
    if found.is_dir() {
        builder.append_dir_all(&name, &source).map_err(file)?;
    } else {
        builder.append_path_with_name(&source, &name).map_err(file)?;
    }
    builder.into_inner().and_then(|mut out| out.flush()).map_err(file)
}

/// Unpacks a stream at a path.
pub fn unpack(stream: impl Read, path: &str, how: Unpacking) -> Result<(), BundleError> {
    let mut archive = Archive::new(stream);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(how.owners == Owners::Kept);
    if how.what == Packed::Anything {
        if !Path::new(path).is_dir() {
            return Err(BundleError::NoDirectory(path.into()));
        }
        return archive.unpack(path).map_err(|source| BundleError::File { path: path.into(), source });
    }
    let file = |at: &Path, source| BundleError::File { path: at.display().to_string(), source };
    let mut base: Option<PathBuf> = None;
    let mut directories: Vec<(PathBuf, u32)> = Vec::new();
    for entry in archive.entries().map_err(|source| file(Path::new(path), source))? {
        let mut entry = entry.map_err(|source| file(Path::new(path), source))?;
        let name = entry.path().map_err(|source| file(Path::new(path), source))?.into_owned();
        let is_directory = entry.header().entry_type() == EntryType::Directory;
        let base = match &base {
            Some(base) => base,
            None => base.insert(place_for(path, &name, is_directory, how.what)?),
        };
        let target = beneath(base, &name)?;
        if is_directory {
            match fs::create_dir(&target) {
                Ok(()) => directories.push((target, entry.header().mode().unwrap_or(0o755))),
                Err(_) if target.is_dir() => {}
                Err(source) if source.kind() == io::ErrorKind::NotFound => {
                    return Err(BundleError::NoParent(parent(&target)));
                }
                Err(source) => return Err(file(&target, source)),
            }
        } else {
            entry.unpack(&target).map_err(|source| file(&target, source))?;
        }
    }
    // Last, so that one that cannot be written to can be filled.
    for (directory, mode) in directories.into_iter().rev() {
        let set = fs::set_permissions(&directory, Permissions::from_mode(mode & 0o7777));
        set.map_err(|source| file(&directory, source))?;
    }
    Ok(())
}

/// Where the first of a stream goes, and all else beneath it.
fn place_for(path: &str, name: &Path, is_directory: bool, what: Packed) -> Result<PathBuf, BundleError> {
    let there = Path::new(path);
    // With a slash at its end, a file is not found.
    let found = match path.trim_end_matches('/') {
        "" => fs::metadata(there),
        path => fs::metadata(path),
    };
    let first = || name.components().next().map_or_else(|| there.to_owned(), |first| there.join(first));
    match (is_directory, found.ok()) {
        (true, Some(found)) if found.is_dir() && what == Packed::Contents => Ok(there.to_owned()),
        (_, Some(found)) if found.is_dir() => Ok(first()),
        (true, Some(_)) => Err(BundleError::OverFile(path.into())),
        (false, Some(_)) if path.ends_with('/') => Err(BundleError::NoDirectory(path.into())),
        (false, None) if path.ends_with('/') => Err(BundleError::NoParent(path.into())),
        (_, None) if !Path::new(&parent(there)).is_dir() => Err(BundleError::NoParent(parent(there))),
        (_, _) => Ok(there.to_owned()),
    }
}

fn parent(path: &Path) -> String {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.display().to_string(),
        _ => ".".into(),
    }
}

/// Where an entry goes: in the place of its first name stands the base, and no link lies on the way from there.
fn beneath(base: &Path, name: &Path) -> Result<PathBuf, BundleError> {
    let mut target = base.to_owned();
    let leads_out = || BundleError::LeadsOut(name.display().to_string());
    for part in name.components().skip(1) {
        if fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink()) && target != base {
            return Err(leads_out());
        }
        match part {
            Component::Normal(part) => target.push(part),
            _ => return Err(leads_out()),
        }
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Unpacking = Unpacking { what: Packed::Itself, owners: Owners::Root };

    fn carry(from: &str, to: &str, what: Packed) -> Result<(), String> {
        let mut stream = Vec::new();
        pack(from, Links::Kept, &mut stream).map_err(|error| error.to_string())?;
        unpack(stream.as_slice(), to, Unpacking { what, ..PLAIN }).map_err(|error| error.to_string())
    }

    fn desk() -> (tempfile::TempDir, impl Fn(&str) -> String) {
        let desk = tempfile::tempdir().unwrap();
        let root = desk.path().to_str().unwrap().to_owned();
        fs::create_dir_all(desk.path().join("from/inner")).unwrap();
        fs::write(desk.path().join("from/inner/deep"), "deep").unwrap();
        fs::write(desk.path().join("file"), "text").unwrap();
        std::os::unix::fs::symlink("/etc", desk.path().join("from/link")).unwrap();
        fs::create_dir(desk.path().join("there")).unwrap();
        (desk, move |path| format!("{root}/{path}"))
    }

    #[test]
    fn the_rules_of_slashes_are_dockers() {
        let (_desk, at) = desk();
        let exists = |path: &str| fs::symlink_metadata(at(path)).is_ok();
        carry(&at("file"), &at("copy"), Packed::Itself).unwrap();
        carry(&at("file"), &at("there"), Packed::Itself).unwrap();
        carry(&at("file"), &at("there/file"), Packed::Itself).unwrap();
        carry(&at("from"), &at("new"), Packed::Itself).unwrap();
        carry(&at("from"), &at("there"), Packed::Itself).unwrap();
        carry(&at("from/."), &at("there"), Packed::Contents).unwrap();
        assert!(
            ["copy", "there/file", "new/inner/deep", "there/from/inner/deep", "there/inner/deep"]
                .map(exists)
                .iter()
                .all(|found| *found)
        );
        assert_eq!(fs::read_link(at("new/link")).unwrap(), Path::new("/etc"));
        for (from, to, said) in [
            ("file", "none/", "no such directory"),
            ("file", "none/copy", "no such directory"),
            ("file", "copy/", "not a directory"),
            ("from", "none/new", "no such directory"),
            ("from", "file", "over the file"),
            ("none", "copy", "no such file"),
            ("file/", "copy", "no such file"),
        ] {
            let error = carry(&at(from), &at(to), Packed::Itself).unwrap_err();
            assert!(error.contains(said), "{from} to {to}: {error}");
        }
    }

    #[test]
    fn no_entry_is_unpacked_through_a_link_of_the_same_stream() {
        let (desk, at) = desk();
        let mut builder = Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_size(0);
        header.set_mode(0o755);
        builder.append_data(&mut header, "root", io::empty()).unwrap();
        header.set_entry_type(EntryType::Symlink);
        builder.append_link(&mut header, "root/out", desk.path().join("from")).unwrap();
        header.set_entry_type(EntryType::Regular);
        header.set_size(4);
        builder.append_data(&mut header, "root/out/evil", &b"evil"[..]).unwrap();
        let stream = builder.into_inner().unwrap();
        let error = unpack(stream.as_slice(), &at("there"), PLAIN).unwrap_err();
        assert!(matches!(error, BundleError::LeadsOut(_)), "{error}");
        assert!(!desk.path().join("from/evil").exists());
    }
}
