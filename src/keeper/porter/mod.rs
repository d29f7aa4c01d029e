//! Carries files into a container and out of it.
//!
//! A process of its own goes to where the container's files are the only ones that there are: into the container's mount namespace, or,
//! if it does not run, into one of its own with the container's layers mounted. Whatever path it is given there, no name and no
//! link leads out, and nobody inside can change that meanwhile. What it packs goes through a pipe as a tar stream.

mod bundle;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{chdir, chroot, geteuid};
use thiserror::Error;

pub use bundle::{Links, Owners, Packed, Unpacking, pack, unpack};

use super::Layers;
use crate::runtime::become_superuser;

/// Where a porter goes.
#[derive(Clone, Debug)]
pub enum Place {
    /// To a container that runs: the number of its PID 1.
    Running(i32),
    /// To one that does not.
    Resting(Layers),
}

/// What a porter does there.
#[derive(Clone, Copy, Debug)]
pub enum Errand {
    /// Packs what is at a path, onto its standard output.
    Fetch(Links),
    /// Unpacks its standard input at a path.
    Bring(Unpacking),
}

/// Why nothing was carried.
#[derive(Debug, Error)]
pub enum PorterError {
    /// No process.
    #[error("cannot start a process to carry files: {0} (are there too many? ulimit -u)")]
    NoProcess(#[from] io::Error),
    /// What it said.
    #[error("{0}")]
    Failed(String),
}

/// The word that makes this program a porter.
const PORTER: &str = "terrarium-porter";

/// A porter on its way.
#[derive(Debug)]
pub struct Porter {
    child: Child,
}

impl Porter {
    /// Sends one.
    pub fn send(place: &Place, errand: Errand, path: &str) -> Result<Self, PorterError> {
        let (input, output) = match errand {
            Errand::Fetch(_) => (Stdio::null(), Stdio::piped()),
            Errand::Bring(_) => (Stdio::piped(), Stdio::null()),
        };
        let mut command = Command::new("/proc/self/exe");
        command.arg0(PORTER).args(errand.words()).arg(path).args(place.words());
        command.env_clear().stdin(input).stdout(output).stderr(Stdio::piped());
        Ok(Self { child: command.spawn()? })
    }

    /// What it packs.
    pub fn output(&mut self) -> impl io::Read {
        self.child.stdout.take().expect("it has been sent to fetch something")
    }

    /// What it unpacks.
    pub fn input(&mut self) -> impl io::Write {
        self.child.stdin.take().expect("it has been sent to bring something")
    }

    /// Waits for it, and hears what went wrong.
    pub fn wait(mut self) -> Result<(), PorterError> {
        let mut said = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            errors.read_to_string(&mut said)?;
        }
        if self.child.wait()?.success() {
            return Ok(());
        }
        let said = said.trim();
        Err(PorterError::Failed(if said.is_empty() {
            "it was interrupted (try again)".into()
        } else {
            said.into()
        }))
    }
}

impl Errand {
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Fetch(Links::Kept) => ["fetch", "link"],
            Self::Fetch(Links::Followed) => ["fetch", "target"],
            Self::Bring(Unpacking { what: Packed::Contents, owners: Owners::Root }) => ["contents", "root"],
            Self::Bring(Unpacking { what: Packed::Contents, owners: Owners::Kept }) => ["contents", "kept"],
            Self::Bring(Unpacking { what: Packed::Itself, owners: Owners::Root }) => ["itself", "root"],
            Self::Bring(Unpacking { what: Packed::Itself, owners: Owners::Kept }) => ["itself", "kept"],
            Self::Bring(Unpacking { what: Packed::Anything, owners: Owners::Root }) => ["anything", "root"],
            Self::Bring(Unpacking { what: Packed::Anything, owners: Owners::Kept }) => ["anything", "kept"],
        }
    }

    fn of(what: &str, how: &str) -> Self {
        let owners = if how == "kept" { Owners::Kept } else { Owners::Root };
        match what {
            "fetch" => Self::Fetch(if how == "target" { Links::Followed } else { Links::Kept }),
            "contents" => Self::Bring(Unpacking { what: Packed::Contents, owners }),
            "anything" => Self::Bring(Unpacking { what: Packed::Anything, owners }),
            _ => Self::Bring(Unpacking { what: Packed::Itself, owners }),
        }
    }
}

impl Place {
    fn words(&self) -> Vec<OsString> {
        match self {
            Self::Running(pid) => vec!["running".into(), pid.to_string().into()],
            Self::Resting(layers) => vec!["resting".into(), layers.merged.clone().into(), options(layers)],
        }
    }
}

/// Whether a process that was started under this name is a porter.
pub fn is_porter(argv0: &std::ffi::OsStr) -> bool {
    argv0 == PORTER
}

/// The life of a porter.
pub fn main(words: impl Iterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.skip(1).collect();
    let word =
        |nth: usize| words.get(nth).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let errand = Errand::of(&word(0), &word(1));
    let path = word(2);
    let there = match word(3).as_str() {
        "running" => join(&word(4)).map_err(|error| format!("cannot reach the container's files: {error}")),
        _ => settle_in(words.get(4), words.get(5))
            .map_err(|error| format!("cannot mount the container's files: {error}")),
    };
    let done = there.and_then(|()| match errand {
        Errand::Fetch(links) => pack(&inside(&path), links, io::BufWriter::new(io::stdout().lock()))
            .map_err(|error| error.to_string()),
        Errand::Bring(how) => {
            unpack(io::stdin().lock(), &inside(&path), how).map_err(|error| error.to_string())
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(said) => {
            eprintln!("{said}");
            ExitCode::FAILURE
        }
    }
}

/// Paths in a container begin at its root, as Docker has it.
fn inside(path: &str) -> String {
    if path.starts_with('/') { path.into() } else { format!("/{path}") }
}

/// Into the mount namespace of a process, and into its user namespace if that is another.
fn join(pid: &str) -> io::Result<()> {
    // Nobody of the container looks into this process, which still is a copy of somebody of the host.
    nix::sys::prctl::set_dumpable(false)?;
    let open = |kind: &str| File::open(format!("/proc/{pid}/ns/{kind}"));
    let (user, mounts) = (open("user")?, open("mnt")?);
    let is_own = fs::read_link(format!("/proc/{pid}/ns/user"))? == fs::read_link("/proc/self/ns/user")?;
    if !is_own {
        setns(user, CloneFlags::CLONE_NEWUSER)?;
    }
    setns(mounts, CloneFlags::CLONE_NEWNS)?;
    Ok(chdir("/")?)
}

/// Into a mount namespace of its own, with the container's layers for a root. A user first becomes root over what the container has
/// written, and overlayfs notes deletions there in attributes that a user can write.
fn settle_in(merged: Option<&OsString>, options: Option<&OsString>) -> io::Result<()> {
    let (Some(merged), Some(options)) = (merged, options) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut options = options.clone();
    if !geteuid().is_root() {
        become_superuser()?;
        options.push(",userxattr");
    }
    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing: Option<&str> = None;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    mount(Some("overlay"), Path::new(merged), Some("overlay"), MsFlags::empty(), Some(options.as_os_str()))?;
    chroot(Path::new(merged))?;
    Ok(chdir("/")?)
}

fn options(layers: &Layers) -> OsString {
    let lower: Vec<Vec<u8>> = layers.lower.iter().map(|layer| escaped(layer)).collect();
    let parts = [
        [b"lowerdir=".to_vec(), lower.join(&b':')].concat(),
        [b"upperdir=".to_vec(), escaped(&layers.upper)].concat(),
        [b"workdir=".to_vec(), escaped(&layers.work)].concat(),
    ];
    OsString::from_vec(parts.join(&b','))
}

/// What separates options and layers is no longer special.
fn escaped(path: &Path) -> Vec<u8> {
    let special = |byte: &u8| matches!(byte, b',' | b':' | b'\\');
    path.as_os_str()
        .as_bytes()
        .iter()
        .flat_map(|byte| special(byte).then_some(b'\\').into_iter().chain([*byte]))
        .collect()
}
