//! Host directories, volumes and file systems in memory that appear in a container.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown, symlink};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;
use thiserror::Error;

use crate::image::layer::{Found, Merged};
use crate::model::{Access, ContainerSpec};
use crate::runtime::remove_all;

/// Something that cannot appear in a container.
#[derive(Debug, Error)]
pub(super) enum VolumeError {
    #[error(
        "cannot mount {what} on {target}: the target has to be an absolute path, and not / (write SOURCE:/PATH)"
    )]
    Target { what: String, target: String },
    #[error(
        "invalid volume name {0}: it begins with a letter or digit, and then come those, `_`, `.` or `-` (or write a host directory with its whole path)"
    )]
    Name(String),
    #[error("cannot make {} for a volume: {source} (choose another directory)", path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("cannot fill the volume {} with what the image has there: {source} (is there room?)", path.display())]
    Fill { path: PathBuf, source: io::Error },
}

/// What Docker mounts a file system in memory with.
const IN_MEMORY: &str = "noexec,nosuid,nodev,mode=1777";

/// All mounts that a container asks for. Volumes with a name lie in `volumes`; what is missing is made, and a new volume gets what
/// the image, whose `layers` are given with the topmost first, has in its place.
pub(super) fn mounts(
    spec: &ContainerSpec,
    volumes: &Path,
    layers: &[PathBuf],
) -> Result<Vec<Mount>, VolumeError> {
    let mut mounts = Vec::new();
    for volume in &spec.volumes {
        let target = check_target(&volume.source, &volume.target)?;
        let source = source(&volume.source, target, volumes, layers)?;
        // A device file in it is a dead one: what opens devices is in /dev.
        let mut options = vec!["rbind".to_owned(), "nodev".to_owned()];
        if volume.access == Access::ReadOnly {
            options.push("ro".into());
        }
        mounts.push(mount("bind", &source, target, options));
    }
    for memory in &spec.tmpfs {
        let target = check_target("tmpfs", &memory.target)?;
        let usual = IN_MEMORY.split(',');
        let asked = memory.options.split(',').filter(|word| !word.is_empty());
        let said = |word: &str| {
            let name =
                |word: &str| word.split('=').next().unwrap_or_default().trim_start_matches("no").to_owned();
            memory.options.split(',').any(|other| name(other) == name(word))
        };
        let options = usual.filter(|word| !said(word)).chain(asked).map(str::to_owned).collect();
        mounts.push(mount("tmpfs", Path::new("tmpfs"), target, options));
    }
    // What lies beneath another mount comes after it.
    mounts.sort_by_key(|mount| mount.destination().components().count());
    Ok(mounts)
}

fn check_target<'a>(source: &str, target: &'a str) -> Result<&'a Path, VolumeError> {
    let path = Path::new(target);
    let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
    if path.is_absolute() && path.parent().is_some() && !climbs {
        Ok(path)
    } else {
        Err(VolumeError::Target { what: source.into(), target: target.into() })
    }
}

/// A path is the host's; a name is a volume's.
fn source(source: &str, target: &Path, volumes: &Path, layers: &[PathBuf]) -> Result<PathBuf, VolumeError> {
    let make = |path: &Path, mode| {
        let made = DirBuilder::new().recursive(true).mode(mode).create(path);
        made.map_err(|source| VolumeError::Make { path: path.to_path_buf(), source })
    };
    if source.starts_with('/') {
        let path = PathBuf::from(source);
        if fs::metadata(&path).is_err() {
            make(&path, 0o755)?;
        }
        return Ok(path);
    }
    let inner = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    if !source.starts_with(|letter: char| letter.is_ascii_alphanumeric()) || !source.chars().all(inner) {
        return Err(VolumeError::Name(source.into()));
    }
    // Only through the container can others reach in.
    make(volumes, 0o700)?;
    let path = volumes.join(source);
    if path.is_dir() {
        return Ok(path);
    }
    // Whole or not there: whoever comes meanwhile with the same name makes another one, and the first to be done has it.
    let half = volumes.join(format!(".{source}-{}", std::process::id()));
    make(&half, 0o755)?;
    let image = Merged::new(layers.to_vec());
    let filled = image.find(target).and_then(|found| match found {
        Some(found @ Found::Directory { .. }) => fill(&half, &image, &found),
        _ => Ok(()),
    });
    if filled.is_err() || fs::rename(&half, &path).is_err() {
        let _ = remove_all(&half);
    }
    filled.map_err(|source| VolumeError::Fill { path: path.clone(), source })?;
    make(&path, 0o755)?;
    Ok(path)
}

/// Copies what an image has in a directory, with owners and modes as far as these can be kept.
fn fill(volume: &Path, image: &Merged, from: &Found) -> io::Result<()> {
    for (name, found) in image.list(from)? {
        let to = volume.join(name);
        let metadata = fs::symlink_metadata(found.host())?;
        match &found {
            Found::Directory { .. } => {
                fs::create_dir(&to)?;
                fill(&to, image, &found)?;
            }
            Found::File { host, .. } if metadata.is_symlink() => symlink(fs::read_link(host)?, &to)?,
            Found::File { host, .. } if metadata.is_file() => drop(fs::copy(host, &to)?),
            // A volume is no place for sockets and the like that somebody has left in an image.
            Found::File { .. } => continue,
        }
        let _ = lchown(&to, Some(metadata.uid()), Some(metadata.gid()));
        if !metadata.is_symlink() {
            fs::set_permissions(&to, metadata.permissions())?;
        }
    }
    let own = fs::metadata(from.host())?;
    let _ = lchown(volume, Some(own.uid()), Some(own.gid()));
    fs::set_permissions(volume, own.permissions())
}

fn mount(kind: &str, source: &Path, target: &Path, options: Vec<String>) -> Mount {
    let mut mount = Mount::default();
    mount
        .set_destination(target.to_path_buf())
        .set_typ(Some(kind.to_owned()))
        .set_source(Some(source.to_path_buf()))
        .set_options(Some(options));
    mount
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TmpfsMount, VolumeMount};

    fn spec(source: &str, target: &str) -> ContainerSpec {
        let volume = VolumeMount { source: source.into(), target: target.into(), access: Access::ReadOnly };
        ContainerSpec { volumes: vec![volume], ..ContainerSpec::default() }
    }

    #[test]
    fn a_name_is_a_volume_and_a_path_is_the_hosts() {
        let directory = tempfile::tempdir().unwrap();
        let found = mounts(&spec("data.1", "/srv"), directory.path(), &[]).unwrap();
        assert_eq!(found[0].source().as_deref(), Some(directory.path().join("data.1").as_path()));
        assert_eq!(found[0].options().as_deref().unwrap(), ["rbind", "nodev", "ro"]);
        assert!(directory.path().join("data.1").is_dir());
        let missing = directory.path().join("a/b");
        let found = mounts(&spec(missing.to_str().unwrap(), "/srv"), directory.path(), &[]).unwrap();
        assert_eq!(found[0].source().as_deref(), Some(missing.as_path()));
        assert!(missing.is_dir());
    }

    #[test]
    fn a_new_volume_gets_what_the_image_has_there_and_an_old_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let [upper, lower] = ["upper", "lower"].map(|name| directory.path().join(name));
        fs::create_dir_all(lower.join("real/deep")).unwrap();
        fs::create_dir_all(upper.join("real")).unwrap();
        fs::write(lower.join("real/deep/file"), "lower").unwrap();
        fs::write(upper.join("real/file"), "upper").unwrap();
        fs::write(directory.path().join("secret"), "").unwrap();
        symlink("../../secret", lower.join("real/out")).unwrap();
        symlink("real", lower.join("srv")).unwrap();
        fs::set_permissions(lower.join("real/deep"), std::os::unix::fs::PermissionsExt::from_mode(0o711))
            .unwrap();
        let (volumes, layers) = (directory.path().join("volumes"), [upper.clone(), lower]);
        let volume = volumes.join("data");
        mounts(&spec("data", "/srv"), &volumes, &layers).unwrap();
        let read = |name: &str| fs::read_to_string(volume.join(name)).unwrap();
        assert_eq!((read("file"), read("deep/file")), ("upper".to_owned(), "lower".to_owned()));
        assert_eq!(fs::metadata(volume.join("deep")).unwrap().mode() & 0o777, 0o711);
        // A link stays a link: it leads where the container's own would.
        assert_eq!(fs::read_link(volume.join("out")).unwrap(), Path::new("../../secret"));
        fs::write(upper.join("real/later"), "").unwrap();
        mounts(&spec("data", "/srv"), &volumes, &layers).unwrap();
        assert!(!volume.join("later").exists());
        assert_eq!(fs::read_dir(&volumes).unwrap().count(), 1);
    }

    #[test]
    fn no_name_and_no_target_leads_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["../x", ".hidden", "a/b", ""] {
            assert!(
                matches!(mounts(&spec(name, "/srv"), directory.path(), &[]), Err(VolumeError::Name(_))),
                "{name}"
            );
        }
        for target in ["srv", "/", "/srv/../proc"] {
            let found = mounts(&spec("data", target), directory.path(), &[]);
            assert!(matches!(found, Err(VolumeError::Target { .. })), "{target}");
        }
    }

    #[test]
    fn memory_has_dockers_options_unless_told_otherwise() {
        let options = |text: &str| {
            let memory = TmpfsMount { target: "/scratch".into(), options: text.into() };
            let spec = ContainerSpec { tmpfs: vec![memory], ..ContainerSpec::default() };
            mounts(&spec, Path::new("/nowhere"), &[]).unwrap()[0].options().clone().unwrap().join(",")
        };
        assert_eq!(options(""), "noexec,nosuid,nodev,mode=1777");
        assert_eq!(options("size=64k,exec,mode=700"), "nosuid,nodev,size=64k,exec,mode=700");
    }
}
