//! The root file system: where it comes from, and how it becomes the root.
//!
//! `pivot_root`, never chroot: chroot only moves where lookups begin, and leaves the host's files mounted underneath, where
//! a process with the capability to chroot once more can climb back to them.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::bundle::{BundleError, Durability, Root};
use super::isolation::has_user_namespace;
use super::operation::Action;
use super::plan::{Draft, c_path};
use super::steps::Step;
use super::sys;
use oci_spec::runtime::Linux;

/// mount(2) takes one page of options.
const OPTIONS_LIMIT: usize = 4096;

/// Cuts the mount namespace off.
pub(super) fn make_private(draft: &mut Draft) {
    draft.add(Step::PrivateMounts, "/", Action::MakeMountsPrivate);
}

/// Mounts the root file system and makes it the root.
pub(super) fn change(draft: &mut Draft, root: &Root, linux: &Linux) -> Result<(), BundleError> {
    let (path, action) = match root {
        Root::Directory(path) => {
            check_directory(path, "root file system")?;
            (path, Action::BindRoot { root: c_path(path)?, attributes: attributes(linux) })
        }
        Root::Layers { lower, upper, work, merged, durability } => {
            for layer in lower {
                check_directory(layer, "read-only layer")?;
            }
            check_directory(upper, "writable layer")?;
            check_directory(work, "overlay's working directory")?;
            check_directory(merged, "mount point")?;
            if *durability == Durability::Volatile {
                forget_volatile_mount(work).map_err(|source| BundleError::Path {
                    path: work.clone(),
                    role: "overlay's working directory",
                    source,
                })?;
            }
            (merged, overlay(lower, upper, work, merged, *durability, linux)?)
        }
    };
    draft.add(Step::RootFileSystem, path.display().to_string(), action);
    draft.add(Step::PivotRoot, path.display().to_string(), Action::Pivot(c_path(path)?));
    draft.add(Step::LeaveOldRoot, "the host's root", Action::LeaveOldRoot);
    Ok(())
}

/// Empties the working directory of an overlay that is mounted no more. What overlayfs leaves there is closed even to its
/// owner, so a user can remove the directory only after this.
pub fn clear_work(work: &Path) -> io::Result<()> {
    unlock(work)?;
    remove(&work.join("work"))
}

/// Takes away the mark that a volatile mount leaves, which forbids the next one since a crash may have come between. A
/// layer that need not survive a crash may be mounted again all the same.
fn forget_volatile_mount(work: &Path) -> io::Result<()> {
    unlock(work)?;
    remove(&work.join("work/incompat/volatile"))
}

fn unlock(work: &Path) -> io::Result<()> {
    for closed in ["work", "work/incompat", "work/incompat/volatile"] {
        match fs::set_permissions(work.join(closed), Permissions::from_mode(0o700)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The overlay's mount call. Its paths are relative to what they have in common, so that many layers fit in, and so that
/// a container's mount table does not show it the host's directories.
fn overlay(
    lower: &[PathBuf],
    upper: &Path,
    work: &Path,
    merged: &Path,
    durability: Durability,
    linux: &Linux,
) -> Result<Action, BundleError> {
    if lower.is_empty() {
        return Err(BundleError::Missing("read-only layer"));
    }
    let all = lower.iter().map(PathBuf::as_path).chain([upper, work]);
    let base = common_ancestor(all);
    let mut data = b"lowerdir=".to_vec();
    for (number, layer) in lower.iter().enumerate() {
        if number > 0 {
            data.push(b':');
        }
        data.extend(escaped(relative(layer, &base)));
    }
    data.extend(b",upperdir=");
    data.extend(escaped(relative(upper, &base)));
    data.extend(b",workdir=");
    data.extend(escaped(relative(work, &base)));
    if durability == Durability::Volatile {
        data.extend(b",volatile");
    }
    if has_user_namespace(linux) {
        // Only there may a user write the attributes that overlayfs notes deletions with.
        data.extend(b",userxattr");
    }
    if data.len() >= OPTIONS_LIMIT {
        return Err(BundleError::TooManyLayers { length: data.len(), limit: OPTIONS_LIMIT });
    }
    let data = std::ffi::CString::new(data)?;
    Ok(Action::Overlay { base: c_path(&base)?, target: c_path(merged)?, data, attributes: attributes(linux) })
}

/// A device file of an image, or one that the container has made, is not opened: unless the bundle gives it devices.
fn attributes(linux: &Linux) -> u64 {
    if linux.devices().as_ref().is_some_and(|devices| !devices.is_empty()) {
        0
    } else {
        sys::MOUNT_ATTR_NODEV
    }
}

fn check_directory(path: &Path, role: &'static str) -> Result<(), BundleError> {
    let wrong = |source| BundleError::Path { path: path.to_path_buf(), role, source };
    if !path.is_absolute() {
        return Err(wrong(io::Error::new(io::ErrorKind::InvalidInput, "not an absolute path")));
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(wrong(io::ErrorKind::NotADirectory.into())),
        Err(error) => Err(wrong(error)),
    }
}

fn common_ancestor<'a>(mut paths: impl Iterator<Item = &'a Path>) -> PathBuf {
    let mut common = paths.next().unwrap_or(Path::new("/")).parent().unwrap_or(Path::new("/"));
    for path in paths {
        while !(path.starts_with(common) && path != common) {
            common = common.parent().unwrap_or(Path::new("/"));
            if common == Path::new("/") {
                break;
            }
        }
    }
    common.to_path_buf()
}

fn relative<'a>(path: &'a Path, base: &Path) -> &'a Path {
    path.strip_prefix(base).unwrap_or(path)
}

/// A path as an overlay option: what separates options and layers is no longer special.
fn escaped(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().to_os_string().into_vec();
    let special = |byte: u8| matches!(byte, b',' | b':' | b'\\');
    bytes.into_iter().flat_map(|byte| special(byte).then_some(b'\\').into_iter().chain([byte])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_layers_become_short() {
        let paths = ["/s/layers/a", "/s/layers/b", "/s/c/1/upper"].map(Path::new);
        assert_eq!(common_ancestor(paths.into_iter()), Path::new("/s"));
        assert_eq!(common_ancestor([Path::new("/a/b")].into_iter()), Path::new("/a"));
        assert_eq!(common_ancestor([Path::new("/a/b"), Path::new("/c")].into_iter()), Path::new("/"));
        assert_eq!(relative(paths[2], Path::new("/s")), Path::new("c/1/upper"));
    }

    #[test]
    fn separators_in_a_path_do_not_separate() {
        assert_eq!(escaped(Path::new("/a:b,c\\d")), b"/a\\:b\\,c\\\\d");
    }

    #[test]
    fn too_many_layers_are_found_out_before_the_kernel_does() {
        let lower: Vec<PathBuf> = (0..100).map(|n| PathBuf::from(format!("/layers/{n:064}"))).collect();
        let [upper, work, merged] = ["/c/u", "/c/w", "/c/m"].map(Path::new);
        let result = overlay(&lower, upper, work, merged, Durability::Durable, &Linux::default());
        assert!(matches!(result, Err(BundleError::TooManyLayers { length: 6.., limit: 4096 })));
    }
}
