//! The Docker Engine that is talked to: its socket, the lab image in it, and the proof that nothing stays behind.
//!
//! Everything of ours in it carries a label with the number of our run, and another with whose run that is. What a run leaves
//! that was killed is found by those labels, and cleared by the next.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::{
    ListContainersOptions, ListImagesOptions, ListVolumesOptions, RemoveContainerOptions, RemoveImageOptions,
    RemoveVolumeOptions,
};
use thiserror::Error as ThisError;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tracing::warn;

use super::image::{self, HandOver};
use super::owner::Owner;
use crate::model::{Freezer, HostFacts};

/// A Docker Engine on this host, with the lab image in it.
#[derive(Debug)]
pub struct Daemon {
    client: bollard::Docker,
    handle: Handle,
    /// Dropped, it ends the thread that everything runs on.
    _leave: oneshot::Sender<()>,
    facts: HostFacts,
    run: String,
    image: String,
    owner: Owner,
}

/// Why a scenario cannot be lived on a Docker Engine.
#[derive(Debug, ThisError)]
pub enum Obstacle {
    /// Nobody answers.
    #[error(
        "no Docker Engine answers at {socket}: {reason} (start one, and see whether `docker version` shows a server; another \
         place is given with DOCKER_HOST=unix://PATH)"
    )]
    Silent {
        /// Where it was looked for.
        socket: String,
        /// What came instead of an answer.
        reason: String,
    },
    /// It is somewhere else.
    #[error(
        "cannot use the Docker Engine at {0}: its processes have to be on this host (unset DOCKER_HOST, or give it a \
         unix:// path)"
    )]
    Elsewhere(String),
    /// It does not take the lab image.
    #[error(transparent)]
    Image(#[from] HandOver),
    /// It refuses something that every engine does.
    #[error("the Docker Engine does not let us {what}: {reason} (see its log)")]
    Unwilling {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        reason: String,
    },
}

/// On all that is ours: the number of the run.
pub(super) const RUN_LABEL: &str = "terrarium.run";
/// On the containers of a run: which of its replays they belong to.
pub(super) const REPLAY_LABEL: &str = "terrarium.replay";
/// On all that is ours: the process that is to remove it.
pub(super) const OWNER_LABEL: &str = "terrarium.owner";

/// Where Docker listens unless it is told otherwise.
const USUAL_SOCKET: &str = "unix:///var/run/docker.sock";
/// A request may take as long as the longest grace period.
const LONGEST_REQUEST: u64 = 24 * 60 * 60;
/// How long a daemon may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(20);

impl Daemon {
    /// Looks for a daemon, clears what killed runs have left in it, and hands the lab image over.
    pub fn connect() -> Result<Arc<Self>, Obstacle> {
        let socket = std::env::var("DOCKER_HOST").unwrap_or_else(|_| USUAL_SOCKET.into());
        if !socket.starts_with("unix://") {
            return Err(Obstacle::Elsewhere(socket));
        }
        let (handle, leave) = begin_thread().map_err(|reason| silent(&socket, &reason))?;
        let client =
            bollard::Docker::connect_with_unix(&socket, LONGEST_REQUEST, bollard::API_DEFAULT_VERSION)
                .map_err(|error| silent(&socket, &reason_of(&error)))?;
        let found = handle.block_on(async {
            tokio::time::timeout(PATIENCE, async {
                let client = client.negotiate_version().await?;
                let info = client.info().await?;
                Ok::<_, Error>((client, info))
            })
            .await
        });
        let (client, info) = found
            .map_err(|_| silent(&socket, &"it says nothing"))?
            .map_err(|error| silent(&socket, &reason_of(&error)))?;
        let freezer = match info.cgroup_version {
            Some(bollard::models::SystemInfoCgroupVersionEnum::_2) => Freezer::CgroupV2,
            _ => Freezer::CgroupV1,
        };
        let owner = Owner::this_process();
        let run = owner.new_run();
        let image = format!("terrarium-lab:{run}");
        let facts = HostFacts { freezer, ..HostFacts::ASSUMED };
        let daemon = Self { client, handle, _leave: leave, facts, run, image, owner };
        daemon.clear_dead_runs()?;
        daemon.block_on(image::hand_over(&daemon.client, &daemon.image, daemon.labels(&[])))?;
        Ok(Arc::new(daemon))
    }

    /// What its host can do, as far as a container's life depends on it.
    pub fn facts(&self) -> HostFacts {
        self.facts
    }

    pub(super) fn client(&self) -> &bollard::Docker {
        &self.client
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The number of this run, which begins the names of all that is its own.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// The lab image, as this daemon knows it.
    pub(super) fn image(&self) -> &str {
        &self.image
    }

    /// Waits for an answer.
    pub(super) fn block_on<T>(&self, answer: impl Future<Output = T>) -> T {
        self.handle.block_on(answer)
    }

    /// Says whose something is.
    pub(super) fn labels(&self, more: &[(&str, &str)]) -> HashMap<String, String> {
        let own = [(RUN_LABEL, self.run.as_str()), (OWNER_LABEL, self.owner.as_str())];
        own.iter().chain(more).map(|(label, value)| ((*label).into(), (*value).into())).collect()
    }

    /// Removes whatever has this label, and returns what it could not remove.
    pub(super) fn clear(&self, label: &str) -> Vec<String> {
        self.block_on(clear(&self.client, label))
    }

    fn clear_dead_runs(&self) -> Result<(), Obstacle> {
        let listed = self.block_on(runs(&self.client));
        let unwilling =
            |error: Error| Obstacle::Unwilling { what: "list containers", reason: reason_of(&error) };
        for (run, owner) in listed.map_err(unwilling)? {
            if !Owner::read(&owner).lives() {
                for left in self.clear(&format!("{RUN_LABEL}={run}")) {
                    warn!(%left, "a killed run's, and cannot be removed");
                }
            }
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for left in self.clear(&format!("{RUN_LABEL}={}", self.run)) {
            warn!(%left, "left behind; the next run clears it");
        }
    }
}

/// One thread does all the talking, so that answers and events have their times even while nobody waits for them.
fn begin_thread() -> Result<(Handle, oneshot::Sender<()>), std::io::Error> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (leave, left) = oneshot::channel::<()>();
    thread::Builder::new().name("docker".into()).spawn(move || {
        let _ = runtime.block_on(left);
    })?;
    Ok((handle, leave))
}

/// Every run that has something here, with its owner.
async fn runs(client: &bollard::Docker) -> Result<HashMap<String, String>, Error> {
    let mut labels = Vec::new();
    for container in client.list_containers(Some(all_containers(RUN_LABEL))).await? {
        labels.extend(container.labels);
    }
    for image in client.list_images(Some(all_images(RUN_LABEL))).await? {
        labels.push(image.labels);
    }
    let run = |labels: HashMap<String, String>| {
        Some((labels.get(RUN_LABEL)?.clone(), labels.get(OWNER_LABEL).cloned().unwrap_or_default()))
    };
    Ok(labels.into_iter().filter_map(run).collect())
}

async fn clear(client: &bollard::Docker, label: &str) -> Vec<String> {
    let mut left = Vec::new();
    let forced = RemoveContainerOptions { force: true, v: true, link: false };
    for container in client.list_containers(Some(all_containers(label))).await.unwrap_or_default() {
        let id = container.id.unwrap_or_default();
        let name = container.names.unwrap_or_default().join(" ");
        if let Err(error) = client.remove_container(&id, Some(forced.clone())).await
            && client.inspect_container(&id, None).await.is_ok()
        {
            left.push(format!("container {}: {}", name.trim_start_matches('/'), reason_of(&error)));
        }
    }
    let volumes = client.list_volumes(Some(ListVolumesOptions { filters: Some(by_label(label)) })).await;
    for volume in volumes.ok().and_then(|listed| listed.volumes).unwrap_or_default() {
        if let Err(error) =
            client.remove_volume(&volume.name, Some(RemoveVolumeOptions { force: true })).await
        {
            left.push(format!("volume {}: {}", volume.name, reason_of(&error)));
        }
    }
    let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
    for image in client.list_images(Some(all_images(label))).await.unwrap_or_default() {
        if let Err(error) = client.remove_image(&image.id, Some(options.clone()), None).await {
            left.push(format!("image {}: {}", image.repo_tags.join(" "), reason_of(&error)));
        }
    }
    left
}

fn by_label(label: &str) -> HashMap<String, Vec<String>> {
    [("label".into(), vec![label.into()])].into()
}

fn all_containers(label: &str) -> ListContainersOptions {
    ListContainersOptions { all: true, filters: Some(by_label(label)), ..ListContainersOptions::default() }
}

fn all_images(label: &str) -> ListImagesOptions {
    ListImagesOptions { filters: Some(by_label(label)), ..ListImagesOptions::default() }
}

fn silent(socket: &str, reason: &dyn std::fmt::Display) -> Obstacle {
    Obstacle::Silent { socket: socket.into(), reason: reason.to_string() }
}

/// What the daemon said; the words around it are the library's.
pub(super) fn reason_of(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } => error.clone(),
        Error::SocketNotFoundError(_) => "there is no such socket".into(),
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(deeper) = source {
                text = deeper.to_string();
                source = deeper.source();
            }
            text
        }
    }
}
