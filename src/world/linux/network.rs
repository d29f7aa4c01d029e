//! Which network each container lives in, what it is called there, and what it knows of the others.
//!
//! As Docker does it, a container has an address while it runs, and not while it is only created.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tracing::warn;

use super::Linux;
use super::premises::Place;
use crate::model::{ContainerSpec, Id, Lookup, Name, NetworkMode, SearchDomain, Whereabouts};
use crate::network::{
    Bridge, BridgeError, Carrier, Etc, NAME_SERVER, Outlet, OutletError, Port, unplug_lost, usual_address,
};
use crate::runtime::Isolation;

/// The networks of all containers.
#[derive(Default)]
pub(super) struct Networks {
    /// What they share, from the first that wants it on.
    bridge: Option<Bridge>,
    joined: BTreeMap<Id, Joined>,
    names: BTreeMap<Id, Name>,
}

/// What a container is made with.
pub(super) struct Surroundings {
    pub(super) place: Place,
    pub(super) network: Network,
    pub(super) hostname: String,
    pub(super) etc: Etc,
    /// An address for its loopback interface.
    pub(super) address: Option<Ipv4Addr>,
}

/// The network namespace that a container gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    New,
    Host,
    /// That of this process.
    Of(i32),
}

/// A container's network.
struct Joined {
    etc: Etc,
    hostname: String,
    link: Link,
    /// Of a user's container, while it runs.
    outlet: Option<Outlet>,
    stage: Stage,
}

/// How a container is linked to others.
enum Link {
    /// Not at all, or by the host's own links.
    None,
    /// As whoever it shares a network with.
    Shared,
    /// It has an address, and nobody to reach it at that but the host's relay.
    Alone(Ipv4Addr),
    /// By the bridge, once it runs.
    Bridge(Option<Port>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Created,
    Running,
}

/// Why a container has no network.
#[derive(Debug, Error)]
pub(super) enum NetworkError {
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    #[error("cannot join network of a non running container: {0} (start it first: terrarium start {0})")]
    NotRunning(Name),
    #[error(
        "cannot tell {name} where `{host}` is: nothing leads from its network to this host (give an address: --add-host \
         {host}:ADDRESS)"
    )]
    NoHost { name: Name, host: String },
    #[error("cannot write its files in {path}: {source} (is the disk full?)")]
    Files { path: PathBuf, source: io::Error },
}

impl Linux {
    /// Finds its network, and writes the files that tell of it.
    pub(super) fn find_network(
        &mut self,
        id: Id,
        name: &Name,
        spec: &ContainerSpec,
        place: Place,
    ) -> Result<Surroundings, NetworkError> {
        let directory = place.upper.with_file_name("etc");
        let files = |source| NetworkError::Files { path: directory.clone(), source };
        let hostname = spec.hostname.clone();
        let own_name = || hostname.clone().unwrap_or_else(|| name.to_string());
        let (network, hostname, etc, link) = match &spec.network {
            NetworkMode::Bridge => {
                let link = self.usual_link(id);
                let hostname = own_name();
                let etc = Etc::write(directory.clone(), &hostname, link.address()).map_err(files)?;
                if self.isolation == Isolation::Rootless && Carrier::find().is_ok() {
                    etc.ask_server(NAME_SERVER).map_err(files)?;
                }
                (Network::New, hostname, etc, link)
            }
            NetworkMode::None => {
                let hostname = own_name();
                let etc = Etc::write(directory.clone(), &hostname, None).map_err(files)?;
                (Network::New, hostname, etc, Link::None)
            }
            NetworkMode::Host => {
                let hostname = hostname.unwrap_or_else(host_name);
                let etc = Etc::copy(directory.clone(), &hostname).map_err(files)?;
                (Network::Host, hostname, etc, Link::None)
            }
            NetworkMode::Container(other) => {
                let theirs = self.premises.etc(other).map(Etc::at);
                let found = theirs.and_then(|etc| Some((etc.process()?, etc.hostname().ok()?, etc)));
                let (pid, hostname, etc) = found.ok_or_else(|| NetworkError::NotRunning(other.clone()))?;
                (Network::Of(pid), hostname, etc, Link::Shared)
            }
        };
        if !matches!(link, Link::Shared) {
            self.tell_names(&etc, name, spec)?;
        }
        let address = if let Link::Alone(address) = &link { Some(*address) } else { None };
        let joined = Joined {
            etc: etc.clone(),
            hostname: hostname.clone(),
            link,
            outlet: None,
            stage: Stage::Created,
        };
        self.networks.joined.insert(id, joined);
        self.networks.names.insert(id, name.clone());
        Ok(Surroundings { place, network, hostname, etc, address })
    }

    /// Connects it with the others, just before its program begins.
    pub(super) fn join_network(&mut self, id: Id) -> Result<(), NetworkError> {
        let Some(pid) = self.pid(id) else { return Ok(()) };
        let name = self.networks.names.get(&id).map_or("", Name::as_str).to_owned();
        let Some(joined) = self.networks.joined.get_mut(&id) else { return Ok(()) };
        if let Link::Bridge(port @ None) = &mut joined.link {
            let bridge = bridge(&mut self.networks.bridge, &self.premises.network(), self.isolation)?;
            *port = Some(bridge.attach(pid, &joined.etc, &name, &joined.hostname)?);
        }
        if self.isolation == Isolation::Rootless && matches!(joined.link, Link::Alone(_) | Link::Bridge(_)) {
            // Without one it lives all the same; `doctor` says what it lacks.
            match Outlet::open(pid) {
                Ok(outlet) => joined.outlet = Some(outlet),
                Err(OutletError::NoCarrier | OutletError::NoTun { .. }) => {}
                Err(error) => warn!(name, %error, "it does not get out of this host"),
            }
        }
        // Who shares a network has that one's files, too.
        if !matches!(joined.link, Link::Shared) {
            let path = joined.etc.hosts();
            joined.etc.note_process(pid).map_err(|source| NetworkError::Files { path, source })?;
        }
        joined.stage = Stage::Running;
        Ok(())
    }

    /// Tells it whom to ask for names, and those it is to know by itself.
    fn tell_names(&self, etc: &Etc, name: &Name, spec: &ContainerSpec) -> Result<(), NetworkError> {
        let Lookup { servers, search, options, hosts } = &spec.lookup;
        let own_host = (spec.network == NetworkMode::Host).then_some(Ipv4Addr::LOCALHOST.into());
        let is_cut_off = match &spec.network {
            NetworkMode::None => true,
            NetworkMode::Bridge => self.isolation == Isolation::Rootless,
            NetworkMode::Host | NetworkMode::Container(_) => false,
        };
        let known = hosts.iter().map(|host| match host.at {
            Whereabouts::Address(address) => Ok((host.name.as_str(), Some(address))),
            Whereabouts::Host if is_cut_off => {
                Err(NetworkError::NoHost { name: name.clone(), host: host.name.clone() })
            }
            Whereabouts::Host => Ok((host.name.as_str(), own_host)),
        });
        let known = known.collect::<Result<Vec<_>, _>>()?;
        let files = |source| NetworkError::Files { path: etc.hosts(), source };
        let search: Vec<&str> = search.iter().map(SearchDomain::as_str).collect();
        if !(servers.is_empty() && search.is_empty() && options.is_empty()) {
            etc.ask(servers, &search, options).map_err(files)?;
        }
        if !known.is_empty() {
            etc.know(&known).map_err(files)?;
        }
        Ok(())
    }

    /// By the bridge. Where a user can have none, a container has an address all the same, for its published ports.
    fn usual_link(&mut self, id: Id) -> Link {
        let opened = match self.isolation {
            Isolation::Root => return Link::Bridge(None),
            Isolation::Rootless => {
                bridge(&mut self.networks.bridge, &self.premises.network(), self.isolation).map(drop)
            }
        };
        match opened {
            Ok(()) => Link::Bridge(None),
            Err(error) => {
                warn!(%error, "it does not reach other containers");
                Link::Alone(self.networks.free_address(id))
            }
        }
    }

    pub(super) fn leave_network(&mut self, id: Id) {
        let joined = self.networks.joined.remove(&id);
        if let (Some(Joined { link: Link::Bridge(Some(port)), .. }), Some(bridge)) =
            (joined, &mut self.networks.bridge)
        {
            bridge.detach(&port);
        }
    }

    /// Unplugs a container that nobody has kept, and whose files were in this directory: others still know its name.
    pub fn forget_lost(&self, etc: PathBuf) {
        if let Err(error) = unplug_lost(&self.premises.network(), &Etc::at(etc), self.isolation) {
            warn!(%error, "others may still know the name of a container that was lost");
        }
    }

    /// A name has been granted to it: its first, or a new one.
    pub(super) fn is_named(&mut self, id: Id, name: &Name) {
        let Networks { bridge, joined, names } = &mut self.networks;
        if names.get_mut(&id).is_none() {
            return;
        }
        names.insert(id, name.clone());
        if let (Some(Joined { link: Link::Bridge(Some(port)), hostname, .. }), Some(bridge)) =
            (joined.get(&id), bridge)
        {
            bridge.rename(port, name.as_str(), hostname);
        }
    }
}

impl Networks {
    /// Its address, while it runs.
    pub(super) fn address(&self, id: Id) -> Option<Ipv4Addr> {
        let joined = self.joined.get(&id).filter(|joined| joined.stage == Stage::Running)?;
        joined.link.address()
    }

    pub(super) fn forget(&mut self, id: Id) {
        self.names.remove(&id);
    }

    /// Gives up what they share, and says what is still there of it.
    pub(super) fn close(&mut self) -> Vec<String> {
        self.bridge.take().map(Bridge::close).unwrap_or_default()
    }

    /// The lowest that no other has.
    fn free_address(&self, id: Id) -> Ipv4Addr {
        let others = self.joined.iter().filter(|(other, _)| **other != id);
        let taken: Vec<Ipv4Addr> = others.filter_map(|(_, joined)| joined.link.address()).collect();
        let mut all = (0..).map(usual_address);
        all.find(|address| !taken.contains(address)).expect("there are more addresses than containers")
    }
}

impl Link {
    fn address(&self) -> Option<Ipv4Addr> {
        match self {
            Self::None | Self::Shared => None,
            Self::Alone(address) => Some(*address),
            Self::Bridge(port) => port.as_ref().map(Port::address),
        }
    }
}

/// What containers share; opened by the first.
fn bridge<'a>(
    bridge: &'a mut Option<Bridge>,
    directory: &Path,
    isolation: Isolation,
) -> Result<&'a mut Bridge, BridgeError> {
    match bridge {
        Some(bridge) => Ok(bridge),
        none => Ok(none.insert(Bridge::open(directory, isolation)?)),
    }
}

fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "localhost".to_owned())
}

/// The file that says which network namespace a process is in.
pub(super) fn namespace_of(pid: i32) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join("ns/net")
}
