//! Where a run keeps its files: a private directory with a lock that tells whether its owner lives.
//!
//! A run that was killed leaves its directory (and, where there are cgroups, an empty cgroup) behind. Whoever comes next finds
//! the lock free and clears both; a run that lives holds its lock and is left alone.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use thiserror::Error;
use tracing::warn;

use super::premises::{Claimed, Place, Premises, borrows_init, bytes_in};
use crate::image::store::{Store, StoreError};
use crate::model::{ContainerSpec, ExecSpec, Failure, Id, LAB_IMAGE, Name};
use crate::runtime::{CgroupError, Cgroups, Durability, Stdio, clear_work, remove_all};

/// One run's directory.
pub(super) struct House {
    base: Base,
    path: PathBuf,
    cgroup: PathBuf,
    cgroups: Cgroups,
    names: BTreeMap<Name, Id>,
    /// Where images other than the built-in one are, if there can be any.
    images: Option<Store>,
    /// Held as long as the run lives.
    _lock: Flock<File>,
}

/// Why there is no place for a container's files.
#[derive(Debug, Error)]
pub enum HouseError {
    /// A directory or file.
    #[error("cannot {action} {}: {source} (choose another directory with --root)", path.display())]
    Files {
        /// What was being done.
        action: &'static str,
        /// With which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody else's directory stands there.
    #[error("{} is not private to this user (remove it, or choose another directory with --root)", .0.display())]
    NotPrivate(PathBuf),
    /// A dead run's cgroup stays.
    #[error("cannot clear what a killed run left: {0}")]
    Cgroup(#[from] CgroupError),
}

/// Begins the name of each run's directory and cgroup.
pub const RUN: &str = "terrarium-replay-";
/// Where a run keeps account of its bridge.
const NETWORK: &str = "network";

/// Where volumes with a name lie. They go with the run.
const VOLUMES: &str = "volumes";

impl House {
    /// Moves in: clears what dead runs have left, and makes a directory that is this run's own.
    pub(super) fn open(
        root: Option<&Path>,
        cgroups: &Cgroups,
        images: Option<Store>,
    ) -> Result<Self, HouseError> {
        let base = Base::of(root);
        // Nobody moves in or clears while we do.
        let door = base.lock()?;
        clear_dead(base.path(), cgroups)?;
        let path = free_name(base.path(), &format!("{RUN}{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).map_err(files("make", &path))?;
        let own = lock(&path.join("lock"), FlockArg::LockExclusiveNonblock)?;
        drop(door);
        let cgroup = PathBuf::from(path.file_name().unwrap_or_default());
        Ok(Self { base, path, cgroup, cgroups: cgroups.clone(), names: BTreeMap::new(), images, _lock: own })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The cgroup of a container that is only made to see whether it can be.
    pub(super) fn probe_cgroup(&self) -> PathBuf {
        self.cgroup.join("probe")
    }

    /// An empty directory for the built-in image.
    pub(super) fn image(&self) -> Result<PathBuf, HouseError> {
        let path = self.path.join("lab");
        fs::create_dir(&path).map_err(files("make", &path))?;
        Ok(path)
    }

    /// The built-in image, or the layers of one from the store.
    fn lower(&self, directory: &Path, spec: &ContainerSpec) -> Result<Vec<PathBuf>, Failure> {
        if spec.image == LAB_IMAGE {
            return Ok(vec![self.path.join("lab")]);
        }
        let absent = || StoreError::NoSuchImage(spec.image.clone());
        let leased = match (&self.images, &spec.image_id) {
            (Some(images), Some(id)) => {
                id.parse().map_err(|_| absent()).and_then(|id| images.lease(directory, &id))
            }
            _ => Err(absent()),
        };
        leased.map_err(|error| Failure { code: None, message: error.to_string() })
    }

    fn directory(&self, id: Id) -> PathBuf {
        self.path.join(id.0.to_string())
    }

    fn log(&self, id: Id) -> PathBuf {
        self.directory(id).join("log")
    }

    /// The last to leave takes the common directory along, unless it is one that the user has chosen.
    fn leave(&self) -> Result<(), HouseError> {
        if !self.path.exists() {
            return Ok(());
        }
        let door = self.base.lock()?;
        self.cgroups.clear(&self.cgroup)?;
        remove_house(&self.path)?;
        self.base.remove_if_empty(&door)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            warn!(%error, "left behind; the next run clears it");
        }
    }
}

impl Premises for House {
    fn place(&mut self, id: Id, spec: &ContainerSpec) -> Result<Place, Failure> {
        let directory = self.directory(id);
        let inside = |name| directory.join(name);
        let (upper, work, merged) = (inside("upper"), inside("work"), inside("merged"));
        for path in [&directory, &upper, &work, &merged] {
            match fs::create_dir(path) {
                Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed(&files("make", path)(source)));
                }
                _ => {}
            }
        }
        // A replay's layers go with it: nothing of them has to survive.
        let (lower, cgroup) = (self.lower(&directory, spec)?, self.cgroup.join(id.0.to_string()));
        let volumes = self.path.join(VOLUMES);
        let init = borrows_init(spec).then(|| self.path.join("lab"));
        Ok(Place { lower, upper, work, merged, init, volumes, cgroup, durability: Durability::Volatile })
    }

    fn remove(&mut self, id: Id) -> Result<(), Failure> {
        remove_place(&self.directory(id)).map_err(|error| failed(&error))
    }

    fn claim(&mut self, id: Id, name: &Name) -> Result<Claimed, Failure> {
        let owner = *self.names.entry(name.clone()).or_insert(id);
        Ok(if owner == id { Claimed::Granted } else { Claimed::Denied })
    }

    fn release(&mut self, id: Id, name: &Name) {
        if self.names.get(name) == Some(&id) {
            self.names.remove(name);
        }
    }

    fn stdio(&mut self, id: Id, _: &ContainerSpec) -> io::Result<Stdio> {
        let log = OpenOptions::new().append(true).create(true).open(self.log(id))?;
        Ok(Stdio { input: None, error: Some(log.try_clone()?.into()), output: Some(log.into()) })
    }

    fn guest_stdio(&mut self, id: Id, _: &ExecSpec) -> io::Result<Stdio> {
        self.stdio(id, &ContainerSpec::default())
    }

    /// A scenario has nobody to sit at it.
    fn terminal(&mut self, _: Id, _: Option<u32>, _: OwnedFd) {}

    fn output(&mut self, id: Id) -> String {
        String::from_utf8_lossy(&fs::read(self.log(id)).unwrap_or_default()).into_owned()
    }

    fn layer_bytes(&mut self, id: Id) -> Option<u64> {
        let upper = self.directory(id).join("upper");
        if upper.exists() { bytes_in(&upper).ok() } else { Some(0) }
    }

    fn network(&self) -> PathBuf {
        self.path.join(NETWORK)
    }

    fn etc(&self, name: &Name) -> Option<PathBuf> {
        self.names.get(name).map(|id| self.directory(*id).join("etc"))
    }

    fn close(&mut self, cgroups: &Cgroups) -> Vec<String> {
        let mut left = look_around(&self.path, &cgroups.remains(&self.cgroup));
        left.extend(self.leave().err().map(|error| error.to_string()));
        left
    }
}

/// Where the directories of all runs lie, those of the dead included.
pub fn runs(root: Option<&Path>) -> PathBuf {
    Base::of(root).path().to_path_buf()
}

/// Clears what runs have left that were killed. Those that live are left alone.
pub fn clear_dead_runs(root: Option<&Path>) -> Result<(), HouseError> {
    let base = Base::of(root);
    if !base.path().is_dir() {
        return Ok(());
    }
    let door = base.lock()?;
    clear_dead(base.path(), &Cgroups::detect())?;
    base.remove_if_empty(&door)
}

/// Where the directories of all runs lie.
enum Base {
    /// Where this user's containers usually are.
    Usual(PathBuf),
    /// Where the user has said.
    Chosen(PathBuf),
}

impl Base {
    fn of(root: Option<&Path>) -> Self {
        root.map_or_else(Self::usual, |chosen| Self::Chosen(chosen.into()))
    }

    /// Root's in /run, a user's where the session keeps such things, else in a directory of that user's in /tmp.
    fn usual() -> Self {
        let user = geteuid();
        if user.is_root() {
            return Self::Usual("/run/terrarium".into());
        }
        Self::Usual(match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
            Some(directory) if directory.is_dir() => directory.join("terrarium"),
            _ => std::env::temp_dir().join(format!("terrarium-{user}")),
        })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Usual(path) | Self::Chosen(path) => path,
        }
    }

    /// The lock that guards all of it. Whoever held it before us may have removed it with all else: then we make it anew.
    fn lock(&self) -> Result<Flock<File>, HouseError> {
        let path = self.path().join("lock");
        loop {
            make_private(self.path())?;
            let held = match lock(&path, FlockArg::LockExclusive) {
                Err(HouseError::Files { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
                result => result?,
            };
            let ours = held.metadata().map_err(files("look at", &path))?;
            if fs::metadata(&path).is_ok_and(|there| there.ino() == ours.ino()) {
                return Ok(held);
            }
        }
    }

    /// Only for whoever holds the lock.
    fn remove_if_empty(&self, _held: &Flock<File>) -> Result<(), HouseError> {
        let path = self.path();
        let others = fs::read_dir(path).map_err(files("read", path))?.filter_map(Result::ok);
        if others.filter(|entry| entry.file_name() != "lock").count() > 0 {
            return Ok(());
        }
        let lock = path.join("lock");
        fs::remove_file(&lock).map_err(files("remove", &lock))?;
        match self {
            Self::Usual(path) => fs::remove_dir(path).map_err(files("remove", path)),
            Self::Chosen(_) => Ok(()),
        }
    }
}

/// A directory that nobody else can have prepared for us.
fn make_private(path: &Path) -> Result<(), HouseError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(files("make", path))?;
    let found = fs::symlink_metadata(path).map_err(files("look at", path))?;
    if found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(HouseError::NotPrivate(path.into()))
    }
}

fn lock(path: &Path, how: FlockArg) -> Result<Flock<File>, HouseError> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = open.map_err(files("open", path))?;
    Flock::lock(file, how).map_err(|(_, errno)| HouseError::Files {
        action: "lock",
        path: path.into(),
        source: errno.into(),
    })
}

fn clear_dead(base: &Path, cgroups: &Cgroups) -> Result<(), HouseError> {
    for entry in fs::read_dir(base).map_err(files("read", base))?.filter_map(Result::ok) {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with(RUN) {
            continue;
        }
        // Without the lock its owner lives; without the file its owner is gone, because the file comes with the directory.
        let Ok(_dead) = lock(&entry.path().join("lock"), FlockArg::LockExclusiveNonblock) else { continue };
        cgroups.clear(Path::new(&name))?;
        remove_house(&entry.path())?;
    }
    Ok(())
}

fn free_name(base: &Path, name: &str) -> PathBuf {
    let candidates =
        (0..).map(|nth: u32| if nth == 0 { base.join(name) } else { base.join(format!("{name}-{nth}")) });
    let mut free = candidates.filter(|path| !path.exists());
    free.next().expect("there are more numbers than directories")
}

/// Overlayfs leaves directories in a container's work directory that even their owner may not read.
fn remove_place(place: &Path) -> Result<(), HouseError> {
    let work = place.join("work");
    if work.is_dir() {
        clear_work(&work).map_err(files("clear", &work))?;
    }
    remove_tree(place)
}

fn remove_house(path: &Path) -> Result<(), HouseError> {
    for entry in fs::read_dir(path).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_place(&entry.path())?;
        }
    }
    remove_tree(path)
}

fn remove_tree(path: &Path) -> Result<(), HouseError> {
    remove_all(path).map_err(files("remove", path))
}

/// What the host shows of containers that should be gone: our children, their cgroups, their mounts, their files.
fn look_around(house: &Path, cgroups: &[PathBuf]) -> Vec<String> {
    let own = std::process::id();
    let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    let processes = children.split_whitespace().map(|pid| format!("process {pid}"));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let target = line.split(' ').nth(4)?;
        Path::new(target).starts_with(house).then(|| format!("mount {target}"))
    });
    let files = fs::read_dir(house).into_iter().flatten().filter_map(Result::ok).filter_map(|entry| {
        let name = entry.file_name();
        let known = name == "lock" || name == "lab" || [VOLUMES, NETWORK].iter().any(|own| name == *own);
        (!known).then(|| format!("directory {}", entry.path().display()))
    });
    let cgroups = cgroups.iter().map(|path| format!("cgroup {}", path.display()));
    processes.chain(mounts).chain(files).chain(cgroups).collect()
}

fn files<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> HouseError + 'a {
    move |source| HouseError::Files { action, path: path.into(), source }
}

fn failed(error: &HouseError) -> Failure {
    Failure { code: None, message: error.to_string() }
}
