//! RUN: a command lives in a real container of its own, and what it has changed becomes a layer.
//!
//! The container has the stage's layers beneath it and one more, which holds what it needs and the image does not: the
//! directories that are mounted on, and the host's resolver. So the writable layer has in it what the command has done, and
//! nothing else.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;
use oci_spec::runtime::{LinuxNamespaceType, Spec, User};

use super::BuildError;
use crate::image::accounts::Account;
use crate::image::layer::{LayerError, Merged, remove_tree};
use crate::runtime::{
    Bundle, Cgroups, Container, CreateOptions, Durability, ExitStatus, Freezer, Isolation, Progress, Root,
    Stdio, clear_work, create, default_spec,
};

/// What is run, as whom, where.
pub(super) struct Command {
    pub(super) args: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) workdir: String,
    pub(super) account: Account,
    pub(super) network: Network,
}

/// The network of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// None but loopback.
    None,
    /// The host's.
    Host,
}

/// Directories of one step; gone when it is dropped.
pub(super) struct Place {
    path: PathBuf,
}

/// What is mounted on, or comes from the host.
const MOUNTED_ON: [&str; 3] = ["dev", "proc", "sys"];
const FROM_HOST: [&str; 2] = ["resolv.conf", "hosts"];

impl Place {
    pub(super) fn make(path: PathBuf, stage: &Merged, network: Network) -> Result<Self, BuildError> {
        let place = Self { path };
        for part in ["upper", "work", "merged", "beneath"] {
            let directory = place.path.join(part);
            fs::create_dir_all(&directory).map_err(LayerError::files("make", &directory))?;
        }
        let beneath = place.path.join("beneath");
        for name in MOUNTED_ON {
            fs::create_dir(beneath.join(name)).map_err(LayerError::files("make", &beneath))?;
        }
        let etc = stage.find_itself(Path::new("etc")).map_err(LayerError::files("read", &beneath))?;
        let is_directory = etc.as_ref().is_none_or(|etc| etc.host().is_dir() && !etc.host().is_symlink());
        if network == Network::Host && is_directory {
            fs::create_dir(beneath.join("etc")).map_err(LayerError::files("make", &beneath))?;
            for name in FROM_HOST {
                // A host without such a file lends none.
                if let Ok(bytes) = fs::read(Path::new("/etc").join(name)) {
                    let copy = beneath.join("etc").join(name);
                    fs::write(&copy, bytes).map_err(LayerError::files("write", &copy))?;
                }
            }
        }
        Ok(place)
    }

    /// What the command has done.
    pub(super) fn upper(&self) -> PathBuf {
        self.path.join("upper")
    }

    fn root(&self, layers: &[PathBuf]) -> Root {
        let inside = |part: &str| self.path.join(part);
        Root::Layers {
            lower: [inside("beneath")].into_iter().chain(layers.iter().cloned()).collect(),
            upper: inside("upper"),
            work: inside("work"),
            merged: inside("merged"),
            durability: Durability::Volatile,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = clear_work(&self.path.join("work"));
        let _ = remove_tree(&self.path);
    }
}

/// Runs it to its end; what it writes is heard as it comes. Returns its exit code.
pub(super) fn run(
    command: &Command,
    place: &Place,
    layers: &[PathBuf],
    hear: &mut dyn FnMut(&[u8]),
) -> Result<i32, BuildError> {
    let bundle = Bundle { spec: spec_of(command), root: place.root(layers) };
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    let error = writer.try_clone().map_err(failed)?;
    let stdio = Stdio { input: None, output: Some(writer), error: Some(error) };
    // It needs no freezer and no limits; and no cgroup is left when this process is killed.
    let cgroups = Cgroups::with(Freezer::Signals).map_err(failed)?;
    let mut container =
        create(&bundle, &cgroups, CreateOptions { stdio, ..CreateOptions::default() }).map_err(failed)?;
    let mut output = fs::File::from(reader);
    let code = follow(&mut container, &mut output, hear)?;
    container.delete().map_err(failed)?;
    Ok(code)
}

fn follow(
    container: &mut Container,
    output: &mut fs::File,
    hear: &mut dyn FnMut(&[u8]),
) -> Result<i32, BuildError> {
    let mut buffer = vec![0; 16 << 10];
    let mut open = true;
    loop {
        while let Some(progress) = container.progress().map_err(failed)? {
            match progress {
                Progress::Parked => container.start().map_err(failed)?,
                Progress::Failed(error) => return Err(failed(error)),
                Progress::ExecFailed(error) => return Err(failed(error)),
                Progress::Executed => {}
                Progress::Ended => break,
            }
        }
        if let Some(status) = container.reap().map_err(failed)? {
            // What it has left in the pipe; its descendants are gone with it.
            while open {
                let count = output.read(&mut buffer).map_err(failed)?;
                open = count > 0;
                hear(&buffer[..count]);
            }
            return Ok(match status {
                ExitStatus::Exited(code) => i32::from(code),
                ExitStatus::Signaled(signal) => 128 + signal,
            });
        }
        let status = container.status_fd();
        let mut watched = vec![PollFd::new(container.pidfd(), PollFlags::POLLIN)];
        watched.extend(status.map(|status| PollFd::new(status, PollFlags::POLLIN)));
        let at = watched.len();
        if open {
            watched.push(PollFd::new(output.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut watched, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => continue,
            result => result.map_err(failed)?,
        };
        let readable = watched.get(at).is_some_and(|watched| watched.any() == Some(true));
        if readable {
            let count = output.read(&mut buffer).map_err(failed)?;
            open = count > 0;
            hear(&buffer[..count]);
        }
    }
}

fn spec_of(command: &Command) -> Spec {
    let isolation = if nix::unistd::geteuid().is_root() { Isolation::Root } else { Isolation::Rootless };
    let mut spec = default_spec(isolation);
    spec.set_hostname((command.network == Network::None).then(|| "build".to_owned()));
    if let Some(process) = spec.process_mut() {
        process
            .set_args(Some(command.args.clone()))
            .set_env(Some(command.env.clone()))
            .set_cwd((&command.workdir).into());
        let mut user = User::default();
        user.set_uid(command.account.uid).set_gid(command.account.gid);
        user.set_additional_gids(Some(command.account.groups.clone()).filter(|groups| !groups.is_empty()));
        process.set_user(user);
    }
    if command.network == Network::Host
        && isolation == Isolation::Root
        && let Some(linux) = spec.linux_mut()
    {
        let own = linux.namespaces().clone().unwrap_or_default();
        let kept = own.into_iter().filter(|one| one.typ() != LinuxNamespaceType::Network);
        linux.set_namespaces(Some(kept.collect()));
        // These are of a network of one's own.
        linux.set_sysctl(None);
    }
    spec
}

fn failed(error: impl std::fmt::Display) -> BuildError {
    BuildError::Run(error.to_string())
}
