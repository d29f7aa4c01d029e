//! The mounts inside a container: those that its bundle lists, /dev, and what is hidden or write-protected.
//!
//! Every mount is first made as a tree that hangs nowhere, while the host's root is still there: binds need its paths, and
//! a user may make a proc or sysfs only while seeing one. It is attached after the host's root is gone. So no symbolic
//! link of an image can lead a mount out of the container, and no path has to be resolved by hand.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, makedev};
use oci_spec::runtime::{Linux, LinuxDeviceType, Mount, Spec};

use super::bundle::BundleError;
use super::inside::{Place, Trust};
use super::isolation::has_user_namespace;
use super::operation::{Action, MountOptions};
use super::plan::{Draft, Surroundings, c_path};
use super::steps::Step;
use super::sys::{self, Depth};

/// Device files that every container has: the host's, which it can use and not change. Nobody opens any other, because every
/// file system of the container forbids it, so that it does no harm to make one.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const LINKS: [(&str, &str); 5] = [
    ("/dev/ptmx", "pts/ptmx"),
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

/// A mount that is made and not yet attached.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    number: usize,
    target: PathBuf,
    kind: TreeKind,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TreeKind {
    Directory,
    File,
}

/// Makes all mounts, in the order in which they are to be attached.
pub(super) fn prepare(
    draft: &mut Draft,
    spec: &Spec,
    linux: &Linux,
    around: Surroundings,
) -> Result<Vec<Tree>, BundleError> {
    let mut trees = Vec::new();
    for mount in spec.mounts().iter().flatten() {
        let options = Options::of(mount)?;
        let target = mount.destination();
        let kind = match mount.typ().as_deref() {
            _ if options.bind.is_some() => None,
            Some("cgroup") if around.unified_hierarchy => Some("cgroup2"),
            Some("cgroup") => continue,
            Some(kind) => Some(kind),
            None => return Err(BundleError::Missing("type of a mount")),
        };
        trees.push(match kind {
            None => {
                let source =
                    mount.source().as_deref().ok_or(BundleError::Missing("source of a bind mount"))?;
                take(draft, Step::Mounts, source, target, &options)?
            }
            Some(kind) => make(draft, kind, target, options, linux)?,
        });
    }
    for name in DEVICES {
        let path = Path::new("/dev").join(name);
        let attributes = sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NOEXEC;
        let options = Options { attributes, ..Options::default() };
        trees.push(take(draft, Step::Devices, &path, &path, &options)?);
    }
    Ok(trees)
}

/// Attaches them, and fills /dev.
pub(super) fn attach(draft: &mut Draft, linux: &Linux, trees: &[Tree]) -> Result<(), BundleError> {
    for Tree { number, target, kind, step } in trees {
        let name = target.display().to_string();
        match kind {
            TreeKind::Directory => draft.make_directories(*step, target)?,
            TreeKind::File => {
                draft.make_directories(*step, target.parent().unwrap_or(Path::new("/")))?;
                draft.add(*step, name.clone(), Action::MakeFile(Place::of(target)?));
            }
        }
        let trust = Trust::in_the_way_to(target);
        draft.add(*step, name, Action::Attach { tree: *number, target: c_path(target)?, trust });
    }
    draft.make_directories(Step::Devices, Path::new("/dev"))?;
    for device in linux.devices().iter().flatten() {
        let path = device.path();
        draft.make_directories(Step::Devices, path.parent().unwrap_or(Path::new("/")))?;
        draft.add(
            Step::Devices,
            path.display().to_string(),
            Action::Device {
                place: Place::of(path)?,
                kind: node(device.typ())?,
                mode: Mode::from_bits_truncate(device.file_mode().unwrap_or(0o666)),
                number: makedev(device.major().unsigned_abs(), device.minor().unsigned_abs()),
            },
        );
    }
    for (path, target) in LINKS {
        let action = Action::Link { place: Place::of(Path::new(path))?, target: CString::new(target)? };
        draft.add(Step::Devices, path, action);
    }
    Ok(())
}

/// Hides and write-protects.
pub(super) fn protect(draft: &mut Draft, linux: &Linux) -> Result<(), BundleError> {
    for (key, value) in linux.sysctl().iter().flatten().collect::<BTreeMap<_, _>>() {
        let path = Path::new("/proc/sys").join(key.replace('.', "/"));
        let action = Action::WriteSetting { path: c_path(&path)?, content: value.clone().into_bytes() };
        draft.add(Step::KernelSettings, path.display().to_string(), action);
    }
    for path in linux.masked_paths().iter().flatten() {
        let empty = vec![
            (c"nr_blocks".to_owned(), Some(c"1".to_owned())),
            (c"nr_inodes".to_owned(), Some(c"1".to_owned())),
        ];
        draft.add(Step::MaskPaths, path, Action::Mask { path: CString::new(path.as_str())?, empty });
    }
    for path in linux.readonly_paths().iter().flatten() {
        draft.add(Step::ReadonlyPaths, path, Action::Protect(CString::new(path.as_str())?));
    }
    Ok(())
}

/// Write-protects the root file system, if the bundle wants it so.
pub(super) fn protect_root(draft: &mut Draft, spec: &Spec) {
    if spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly) == Some(true) {
        draft.add(Step::ReadonlyRoot, "/", Action::ProtectRoot);
    }
}

/// A mount's options, sorted by who reads them: this runtime, the kernel's mount table, the file system.
#[derive(Debug, Default)]
struct Options {
    bind: Option<Depth>,
    attributes: u64,
    own: MountOptions,
}

impl Options {
    fn of(mount: &Mount) -> Result<Self, BundleError> {
        let mut sorted = Self::default();
        if mount.typ().as_deref() == Some("bind") {
            sorted.bind = Some(Depth::Recursive);
        }
        for option in mount.options().iter().flatten() {
            match option.as_str() {
                "bind" => sorted.bind = Some(Depth::Single),
                "rbind" => sorted.bind = Some(Depth::Recursive),
                "ro" => sorted.attributes |= sys::MOUNT_ATTR_RDONLY,
                "nosuid" => sorted.attributes |= sys::MOUNT_ATTR_NOSUID,
                "nodev" => sorted.attributes |= sys::MOUNT_ATTR_NODEV,
                "noexec" => sorted.attributes |= sys::MOUNT_ATTR_NOEXEC,
                "noatime" => sorted.attributes |= sys::MOUNT_ATTR_NOATIME,
                "strictatime" => sorted.attributes |= sys::MOUNT_ATTR_STRICTATIME,
                "rw" | "suid" | "dev" | "exec" | "relatime" | "private" | "rprivate" => {}
                "shared" | "rshared" | "slave" | "rslave" | "idmap" | "ridmap" => {
                    return Err(BundleError::Unsupported(format!("mount option {option}")));
                }
                own => {
                    let (word, value) =
                        own.split_once('=').map_or((own, None), |(word, value)| (word, Some(value)));
                    sorted.own.push((CString::new(word)?, value.map(CString::new).transpose()?));
                }
            }
        }
        if let (None, Some(source)) = (sorted.bind, mount.source()) {
            sorted.own.push((c"source".to_owned(), Some(c_path(source)?)));
        }
        Ok(sorted)
    }
}

fn take(
    draft: &mut Draft,
    step: Step,
    source: &Path,
    target: &Path,
    options: &Options,
) -> Result<Tree, BundleError> {
    let wrong =
        |error| BundleError::Path { path: source.to_path_buf(), role: "source of a mount", source: error };
    let found = fs::metadata(source).map_err(wrong)?;
    let kind = if found.is_dir() { TreeKind::Directory } else { TreeKind::File };
    let number = draft.new_tree();
    let depth = options.bind.unwrap_or(Depth::Single);
    let action =
        Action::TakeTree { tree: number, source: c_path(source)?, depth, attributes: options.attributes };
    draft.add(Step::PrepareMounts, source.display().to_string(), action);
    Ok(Tree { number, target: target.to_path_buf(), kind, step })
}

fn node(kind: LinuxDeviceType) -> Result<SFlag, BundleError> {
    match kind {
        LinuxDeviceType::C | LinuxDeviceType::U => Ok(SFlag::S_IFCHR),
        LinuxDeviceType::B => Ok(SFlag::S_IFBLK),
        LinuxDeviceType::P => Ok(SFlag::S_IFIFO),
        LinuxDeviceType::A => Err(BundleError::Unsupported("a device of every kind".to_owned())),
    }
}

fn make(
    draft: &mut Draft,
    kind: &str,
    target: &Path,
    options: Options,
    linux: &Linux,
) -> Result<Tree, BundleError> {
    let number = draft.new_tree();
    let action = Action::MakeTree {
        tree: number,
        kind: CString::new(kind)?,
        options: options.own,
        attributes: options.attributes,
        // A host that hides parts of its /sys lets no user make a fresh one; then the host's own has to do.
        instead: (kind == "sysfs" && has_user_namespace(linux)).then(|| c"/sys".to_owned()),
    };
    draft.add(Step::PrepareMounts, format!("{kind} for {}", target.display()), action);
    Ok(Tree { number, target: target.to_path_buf(), kind: TreeKind::Directory, step: Step::Mounts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Result<Options, BundleError> {
        let mut mount = Mount::default();
        mount.set_typ(Some("tmpfs".to_owned()));
        mount.set_options(Some(words.iter().map(|word| (*word).to_owned()).collect()));
        Options::of(&mount)
    }

    #[test]
    fn options_are_told_from_a_file_systems_own() {
        let sorted = options(&["ro", "nosuid", "mode=755", "newinstance"]).unwrap();
        assert_eq!(sorted.attributes, sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID);
        let own = [(c"mode".to_owned(), Some(c"755".to_owned())), (c"newinstance".to_owned(), None)];
        assert_eq!(sorted.own, own);
        assert_eq!(sorted.bind, None);
    }

    #[test]
    fn a_bind_is_as_deep_as_it_says() {
        assert_eq!(options(&["bind"]).unwrap().bind, Some(Depth::Single));
        assert_eq!(options(&["rbind", "ro"]).unwrap().bind, Some(Depth::Recursive));
    }

    #[test]
    fn an_option_that_would_share_mounts_with_the_host_is_refused() {
        assert!(matches!(options(&["rbind", "rshared"]), Err(BundleError::Unsupported(_))));
    }
}
