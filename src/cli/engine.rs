//! Where containers live: `--engine` and `--compare`, and the engines that they stand for.

#[cfg(all(target_os = "linux", feature = "linux"))]
use std::path::Path;
#[cfg(all(target_os = "linux", feature = "docker"))]
use std::sync::Arc;

use clap::ValueEnum;

use super::Globals;
use crate::engine::trace::{Audience, Closing};
#[cfg(all(target_os = "linux", feature = "linux"))]
use crate::image::store::Store;
#[cfg(all(target_os = "linux", feature = "linux"))]
use crate::keeper::Estate;
use crate::scenario::replay::{Play, ReplayError, simulate};
#[cfg(all(target_os = "linux", feature = "linux"))]
use crate::scenario::{Action, Scenario, Step};

/// The engine's word.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum EngineWord {
    /// On this kernel if it lets them, else in the simulator
    Auto,
    /// In real namespaces, with the simulator in lockstep
    Linux,
    /// In the simulator alone
    Sim,
    /// On a Docker Engine, which the simulator has to predict
    Docker,
}

/// An engine that one can compare with.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CompareWord {
    /// In real namespaces
    Linux,
    /// In the simulator
    Sim,
    /// On a Docker Engine
    Docker,
}

impl CompareWord {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Sim => "sim",
            Self::Docker => "docker",
        }
    }
}

impl From<CompareWord> for EngineWord {
    fn from(word: CompareWord) -> Self {
        match word {
            CompareWord::Linux => Self::Linux,
            CompareWord::Sim => Self::Sim,
            CompareWord::Docker => Self::Docker,
        }
    }
}

/// Why a scenario was not played to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineFailure {
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("cannot replay on this kernel: {0}; the simulator can: --engine sim")]
    NoKernel(String),
    #[error("cannot replay on Docker: {0}")]
    NoDocker(String),
}

/// Why a scenario with a bug in it has no business on a kernel.
const PLANTED: &str = "a planted bug (`break`) lives in the simulator alone";

/// The engines of this process; each is made when it is first asked for.
#[derive(Default)]
pub(super) struct Engines {
    #[cfg(all(target_os = "linux", feature = "docker"))]
    docker: std::sync::Mutex<Option<Arc<crate::engine::docker::Daemon>>>,
}

impl Engines {
    /// Plays it there. Where `auto` leads to the simulator, standard error says why.
    pub(super) fn play(
        &self,
        engine: EngineWord,
        play: Play<'_>,
        globals: &Globals,
        audience: &mut dyn Audience,
    ) -> Result<Closing, EngineFailure> {
        match engine {
            EngineWord::Sim => Ok(simulate(play, audience)?),
            EngineWord::Docker if play.scenario.planted.is_some() => {
                Err(EngineFailure::NoDocker(PLANTED.into()))
            }
            EngineWord::Docker => self.on_docker(play, audience),
            EngineWord::Linux => on_linux(play, globals, audience),
            EngineWord::Auto => match on_linux(play, globals, audience) {
                Err(EngineFailure::NoKernel(obstacle)) => {
                    eprintln!("terrarium: replaying in the simulator: {obstacle}");
                    Ok(simulate(play, audience)?)
                }
                played => played,
            },
        }
    }

    #[cfg(all(target_os = "linux", feature = "docker"))]
    fn on_docker(&self, play: Play<'_>, audience: &mut dyn Audience) -> Result<Closing, EngineFailure> {
        use crate::engine::docker::{Daemon, Docker};
        use crate::scenario::replay::{Power, check_on_docker};
        let power = if nix::unistd::geteuid().is_root() { Power::OverAll } else { Power::OverOwn };
        check_on_docker(play.scenario, play.file, power)
            .map_err(|error| EngineFailure::NoDocker(error.to_string()))?;
        if let Some(lack) = missing_registry(play.scenario) {
            return Err(EngineFailure::NoDocker(lack));
        }
        let daemon = {
            let mut known = self.docker.lock().expect("nobody panics while connecting");
            let daemon = match known.take() {
                Some(daemon) => daemon,
                None => Daemon::connect().map_err(|error| EngineFailure::NoDocker(error.to_string()))?,
            };
            Arc::clone(known.insert(daemon))
        };
        Ok(crate::scenario::replay::ask_docker(play, Docker::new(&daemon), audience)?)
    }

    #[cfg(not(all(target_os = "linux", feature = "docker")))]
    #[expect(clippy::unused_self, reason = "elsewhere it keeps a connection")]
    fn on_docker(&self, _: Play<'_>, _: &mut dyn Audience) -> Result<Closing, EngineFailure> {
        const LACK: &str =
            "this terrarium was built without it (on Linux, build it with the feature `docker`)";
        Err(EngineFailure::NoDocker(LACK.into()))
    }
}

#[cfg(all(target_os = "linux", feature = "linux"))]
fn on_linux(
    play: Play<'_>,
    globals: &Globals,
    audience: &mut dyn Audience,
) -> Result<Closing, EngineFailure> {
    use crate::engine::Local;
    use crate::scenario::replay::live;
    use crate::world::linux::Linux;
    if play.scenario.planted.is_some() {
        return Err(EngineFailure::NoKernel(PLANTED.into()));
    }
    if let Some(lack) = missing_registry(play.scenario) {
        return Err(EngineFailure::NoKernel(lack));
    }
    let root = globals.root.as_deref();
    let lived = with_images(play.scenario, root).and_then(|(scenario, images)| {
        let world = Linux::with_images(root, images, &scenario.containers)?;
        Ok((scenario, world))
    });
    match lived {
        Ok((scenario, world)) => Ok(live(Play { scenario: &scenario, ..play }, Local::new(world), audience)?),
        Err(obstacle) => Err(EngineFailure::NoKernel(obstacle.to_string())),
    }
}

/// What is lacking, if a step counts on a registry of this host and nobody is there. That a step means to fail is fine.
#[cfg(all(target_os = "linux", any(feature = "linux", feature = "docker")))]
fn missing_registry(scenario: &Scenario) -> Option<String> {
    let asked = |step: &Step| match step.action.begun() {
        Action::Push(images) | Action::Pull(images) if step.refused.is_none() => images.clone(),
        _ => Vec::new(),
    };
    let images = scenario.steps.iter().flat_map(asked);
    let mut hosts = images.filter_map(|image| image.split_once('/').map(|(host, _)| host.to_owned()));
    let is_here = |host: &String| host.starts_with("localhost:") || host.starts_with("127.");
    let missing = hosts.find(|host| is_here(host) && std::net::TcpStream::connect(host).is_err())?;
    Some(format!("no registry listens at {missing} (start one there)"))
}

/// The scenario with what its containers' images say, and where those images are.
#[cfg(all(target_os = "linux", feature = "linux"))]
fn with_images(scenario: &Scenario, root: Option<&Path>) -> anyhow::Result<(Scenario, Store)> {
    let images = Estate::images(root)?;
    let mut resolved = scenario.clone();
    let changes =
        |image: &String| scenario.steps.iter().any(|step| step.action.names_changed().contains(image));
    // What a step makes or takes away is looked up when a container is made of it.
    for spec in resolved.containers.values_mut().filter(|spec| !changes(&spec.image)) {
        *spec = images.resolve(spec)?;
    }
    Ok((resolved, images))
}

#[cfg(not(all(target_os = "linux", feature = "linux")))]
fn on_linux(_: Play<'_>, _: &Globals, _: &mut dyn Audience) -> Result<Closing, EngineFailure> {
    const LACK: &str =
        "this terrarium was built without the kernel's part (on Linux, build it with the feature `linux`)";
    Err(EngineFailure::NoKernel(LACK.into()))
}
