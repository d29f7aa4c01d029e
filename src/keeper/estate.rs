//! Where everything of everybody's containers lies: what has to survive a reboot, and what must not.
//!
//! ```text
//! DATA/containers/ID/   journal (the truth), log, the writable layer
//! DATA/names/NAME       a link to the id of who has the name: an index of the journals, claimed by making it
//! DATA/past/ID          the journals of those that are gone, the latest few
//! DATA/images/          the built-in image, unpacked
//! DATA/store/           all other images (`image::store`)
//! RUN/boot              in which of the host's lives somebody last looked after them
//! RUN/ID                the control socket of a container's keeper, as long as that lives
//! ```
//!
//! Root's are in /var/lib and /run, a user's in `$XDG_DATA_HOME` and `$XDG_RUNTIME_DIR`; `--root DIR` has both in one place.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use thiserror::Error;

use super::id::{ContainerId, is_hex};
use crate::image::store::Store;
use crate::lab;
use crate::model::Name;
use crate::runtime::remove_all;

/// This user's containers.
#[derive(Clone, Debug)]
pub struct Estate {
    data: PathBuf,
    run: PathBuf,
}

/// Why a container or its files cannot be had.
#[derive(Debug, Error)]
pub enum EstateError {
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
    /// Nobody has this name or id.
    #[error("no such container: {0} (see all of them: terrarium ps -a)")]
    NoSuchContainer(String),
    /// More than one id begins so.
    #[error("more than one container has an id that begins with {0} (give more of it)")]
    Ambiguous(String),
    /// The built-in image.
    #[error(transparent)]
    Image(#[from] lab::image::ImageError),
}

/// How many containers that are gone one can still read of.
const REMEMBERED: usize = 256;

impl Estate {
    /// Finds or makes the directories.
    pub fn open(root: Option<&Path>) -> Result<Self, EstateError> {
        let estate = Self::of(root)?;
        let parts = ["containers", "names", "past", "images"].map(|part| estate.data.join(part));
        for directory in [&estate.data, &estate.run].into_iter().chain(&parts) {
            make_private(directory)?;
        }
        Ok(estate)
    }

    /// Where they are, or would be: nothing is made.
    pub(super) fn of(root: Option<&Path>) -> Result<Self, EstateError> {
        let (data, run) = match root {
            Some(root) => {
                let root = std::path::absolute(root).map_err(files("find", root))?;
                (root.join("data"), root.join("run"))
            }
            None => (usual_data(), usual_run()),
        };
        Ok(Self { data, run })
    }

    /// Where images are, or will be: nothing is made.
    pub fn images(root: Option<&Path>) -> Result<Store, EstateError> {
        let data = match root {
            Some(root) => std::path::absolute(root).map_err(files("find", root))?.join("data"),
            None => usual_data(),
        };
        Ok(Store::at(data.join("store")))
    }

    /// One that whoever started this process has opened.
    pub(super) fn at(data: PathBuf, run: PathBuf) -> Self {
        Self { data, run }
    }

    /// Where the images are that are not built in.
    pub fn store(&self) -> Store {
        Store::at(self.data.join("store"))
    }

    /// What has to survive a reboot.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where volumes with a name lie: they stay when their containers go.
    pub fn volumes(&self) -> PathBuf {
        self.data.join("volumes")
    }

    /// What must not.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// The cgroup of a container, relative to where containers of this host go.
    pub fn cgroup(id: &ContainerId) -> PathBuf {
        format!("terrarium-{id}").into()
    }

    /// A container's own directory.
    pub fn directory(&self, id: &ContainerId) -> PathBuf {
        self.data.join("containers").join(id.as_str())
    }

    /// Its journal.
    pub fn journal(&self, id: &ContainerId) -> PathBuf {
        self.directory(id).join("journal")
    }

    /// What it has written.
    pub fn log(&self, id: &ContainerId) -> PathBuf {
        self.directory(id).join("log")
    }

    /// Where its keeper listens.
    pub fn socket(&self, id: &ContainerId) -> PathBuf {
        self.run.join(id.as_str())
    }

    /// Says in which of the host's lives this estate was last looked after; see [`super::wake`].
    pub(super) fn last_boot(&self) -> Option<String> {
        fs::read_to_string(self.run.join("boot")).ok()
    }

    pub(super) fn note_boot(&self, boot: &str) -> Result<(), EstateError> {
        let path = self.run.join("boot");
        fs::write(&path, boot).map_err(files("write", &path))
    }

    /// Makes a container's directory and, while nobody looks, what `begin` makes of it.
    pub(super) fn make<T>(&self, id: &ContainerId, begin: impl FnOnce(&Path) -> T) -> Result<T, EstateError> {
        let directory = self.directory(id);
        let _held = self.lock()?;
        DirBuilder::new().mode(0o700).create(&directory).map_err(files("make", &directory))?;
        Ok(begin(&directory))
    }

    /// Removes the directory of one that never came to be: whoever began it was killed before there was a journal.
    pub(super) fn clear_stillborn(&self, id: &ContainerId) -> Result<(), EstateError> {
        let _held = self.lock()?;
        if self.journal(id).exists() {
            return Ok(());
        }
        for socket in [self.socket(id), self.socket(id).with_extension("new")] {
            let _ = fs::remove_file(socket);
        }
        self.remove(id)
    }

    /// Removes all of a container that is no more, and keeps nothing of it.
    pub(super) fn remove(&self, id: &ContainerId) -> Result<(), EstateError> {
        let directory = self.directory(id);
        remove_all(&directory).map_err(files("remove", &directory))
    }

    /// Where the containers' directories are, and the journals of those that are gone: for whoever waits for changes.
    pub fn containers(&self) -> PathBuf {
        self.data.join("containers")
    }

    /// All there are, in no order.
    pub fn ids(&self) -> Result<Vec<ContainerId>, EstateError> {
        ids_in(&self.containers())
    }

    /// Those that have a keeper, or had one that was killed.
    pub(super) fn sockets(&self) -> Result<Vec<ContainerId>, EstateError> {
        ids_in(&self.run)
    }

    /// Those that are gone and can still be read of.
    pub fn past(&self) -> Result<Vec<(ContainerId, PathBuf)>, EstateError> {
        let past = self.data.join("past");
        Ok(ids_in(&past)?.into_iter().map(|id| (id.clone(), past.join(id.as_str()))).collect())
    }

    /// Whoever is meant by a name, an id, or the beginning of one.
    pub fn find(&self, word: &str) -> Result<ContainerId, EstateError> {
        // So `inspect` shows a name.
        let word = word.strip_prefix('/').unwrap_or(word);
        if let Some(id) = ContainerId::parse(word).filter(|id| self.directory(id).exists()) {
            return Ok(id);
        }
        if let Some(id) = self.owner(word) {
            return Ok(id);
        }
        let mut meant: Vec<ContainerId> = Vec::new();
        if !word.is_empty() && is_hex(word) {
            meant = self.ids()?.into_iter().filter(|id| id.as_str().starts_with(word)).collect();
        }
        match (meant.pop(), meant.len()) {
            (Some(id), 0) => Ok(id),
            (Some(_), _) => Err(EstateError::Ambiguous(word.into())),
            (None, _) => Err(EstateError::NoSuchContainer(word.into())),
        }
    }

    /// Who has a name; nobody, if whoever had it is gone.
    pub fn owner(&self, name: &str) -> Option<ContainerId> {
        Name::new(name).ok()?;
        let target = fs::read_link(self.data.join("names").join(name)).ok()?;
        let id = ContainerId::parse(target.to_str()?)?;
        self.directory(&id).exists().then_some(id)
    }

    /// Makes a name this container's; says whose it is if it is another's.
    pub fn claim(&self, id: &ContainerId, name: &Name) -> Result<ContainerId, EstateError> {
        let _held = self.lock()?;
        if let Some(owner) = self.owner(name.as_str()) {
            return Ok(owner);
        }
        let link = self.data.join("names").join(name.as_str());
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(files("free", &link)(error)),
            _ => symlink(id.as_str(), &link).map_err(files("claim", &link)).map(|()| id.clone()),
        }
    }

    /// Gives a name back, if it is this container's.
    pub fn release(&self, id: &ContainerId, name: &Name) -> Result<(), EstateError> {
        let _held = self.lock()?;
        let link = self.data.join("names").join(name.as_str());
        match fs::read_link(&link) {
            Ok(owner) if owner.as_os_str() == id.as_str() => {
                fs::remove_file(&link).map_err(files("free", &link))
            }
            _ => Ok(()),
        }
    }

    /// Puts away the journal of one that is gone, and forgets those that went long ago.
    pub fn bury(&self, id: &ContainerId) -> Result<(), EstateError> {
        let journal = self.journal(id);
        let past = self.data.join("past");
        match fs::rename(&journal, past.join(id.as_str())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(files("put away", &journal)(error))?,
            _ => {}
        }
        self.remove(id)?;
        let died =
            |path: &Path| fs::metadata(path).and_then(|of| of.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut graves = self.past()?;
        graves.sort_by_key(|(_, path)| std::cmp::Reverse(died(path)));
        for (_, path) in graves.into_iter().skip(REMEMBERED) {
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// The built-in image; unpacked when a program first needs it, and anew for each version of that program.
    pub fn lab(&self) -> Result<PathBuf, EstateError> {
        let program = Path::new("/proc/self/exe");
        let of = fs::metadata(program).map_err(files("look at", program))?;
        let version = format!("lab-{:x}-{:x}-{:x}", of.ino(), of.size(), of.mtime_nsec() ^ of.mtime());
        let image = self.data.join("images").join(version);
        if image.exists() {
            return Ok(image);
        }
        let _held = self.lock()?;
        if image.exists() {
            return Ok(image);
        }
        let half = self.data.join("images").join("half-made");
        match fs::remove_dir_all(&half) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(files("remove", &half)(error))?,
            _ => {}
        }
        fs::create_dir(&half).map_err(files("make", &half))?;
        if let Err(error) = lab::image::assemble(&half) {
            // On a full disk a half-made image would keep it full.
            let _ = fs::remove_dir_all(&half);
            return Err(error.into());
        }
        fs::rename(&half, &image).map_err(files("make", &image))?;
        Ok(image)
    }

    /// Guards names and images, for moments.
    fn lock(&self) -> Result<Flock<File>, EstateError> {
        let path = self.data.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = open.map_err(files("open", &path))?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| files("lock", &path)(errno.into()))
    }
}

fn usual_data() -> PathBuf {
    if geteuid().is_root() {
        return "/var/lib/terrarium".into();
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let data = absolute_of("XDG_DATA_HOME").or_else(home).unwrap_or_else(std::env::temp_dir);
    data.join("terrarium")
}

fn usual_run() -> PathBuf {
    if geteuid().is_root() {
        return "/run/terrarium".into();
    }
    match absolute_of("XDG_RUNTIME_DIR").filter(|directory| directory.is_dir()) {
        Some(directory) => directory.join("terrarium"),
        None => std::env::temp_dir().join(format!("terrarium-{}", geteuid())),
    }
}

fn absolute_of(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from)
}

fn ids_in(directory: &Path) -> Result<Vec<ContainerId>, EstateError> {
    let entries = fs::read_dir(directory).map_err(files("read", directory))?;
    Ok(entries.flatten().filter_map(|entry| ContainerId::parse(entry.file_name().to_str()?)).collect())
}

/// A directory that nobody else can have prepared for us.
fn make_private(path: &Path) -> Result<(), EstateError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(files("make", path))?;
    let found = fs::symlink_metadata(path).map_err(files("look at", path))?;
    if found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(EstateError::NotPrivate(path.into()))
    }
}

fn files<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> EstateError + 'a {
    move |source| EstateError::Files { action, path: path.into(), source }
}
