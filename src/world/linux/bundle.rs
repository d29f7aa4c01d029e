//! From what a scenario asks for to an OCI bundle.

use std::path::Path;

use nix::unistd::geteuid;
use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxNamespaceType, LinuxPids, LinuxResources, Mount, Spec};
use thiserror::Error;

use super::network::{Network, Surroundings, namespace_of};
use super::rights::{self, RightsError};
use super::user::{self, NoSuchUser};
use super::volumes::{self, VolumeError};
use crate::lab::{
    self,
    image::{ImageError, init_of},
};
use crate::model::{ContainerSpec, LAB_IMAGE, MemorySwap, Name, NetworkMode};
use crate::runtime::{Bundle, Cgroups, Controller, Isolation, Lack, Root, default_spec};

/// A container that cannot be brought to life on this kernel.
#[derive(Debug, Error)]
pub enum Unlivable {
    /// Nothing would enforce its limit.
    #[error("{container} asks for a `{limit}` limit, but {lack}")]
    Limit {
        /// Whose.
        container: Name,
        /// What is to be limited, in the words of a scenario.
        limit: &'static str,
        /// Why that cannot be.
        lack: Lack,
    },
    /// It cannot join the network of another.
    #[error("{container} asks for another container's `network`, which takes root (run as root)")]
    Network {
        /// Who.
        container: Name,
    },
}

/// Whether a container can live on a kernel.
pub fn check(name: &Name, spec: &ContainerSpec, cgroups: &Cgroups) -> Result<(), Unlivable> {
    let limits = [
        ("memory", Controller::Memory, spec.memory.is_some()),
        ("cpus", Controller::Cpu, spec.cpus.is_some() || spec.cpu_shares.is_some()),
        ("pids", Controller::Pids, spec.pids.is_some()),
    ];
    for (limit, controller, _) in limits.into_iter().filter(|(_, _, is_wished)| *is_wished) {
        if let Some(lack) = cgroups.lack(controller) {
            return Err(Unlivable::Limit { container: name.clone(), limit, lack });
        }
    }
    if matches!(spec.network, NetworkMode::Container(_)) && !geteuid().is_root() {
        return Err(Unlivable::Network { container: name.clone() });
    }
    Ok(())
}

/// What was asked for cannot be written down as a bundle.
#[derive(Debug, Error)]
pub(super) enum WishError {
    #[error(transparent)]
    Rights(#[from] RightsError),
    #[error(transparent)]
    User(#[from] NoSuchUser),
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error(transparent)]
    Init(#[from] ImageError),
}

/// In microseconds: the quota is a share of this.
const CPU_PERIOD: u64 = 100_000;

/// What Docker says of a terminal, whichever it is.
pub(super) const TERMINAL_KIND: &str = "TERM=xterm";

/// The bundle of one run.
pub(super) fn of(
    around: &Surroundings,
    name: &Name,
    spec: &ContainerSpec,
    run: u32,
    isolation: Isolation,
) -> Result<Bundle, WishError> {
    let place = &around.place;
    let mut oci = default_spec(isolation);
    oci.set_hostname(Some(around.hostname.clone()));
    share_network(&mut oci, around);
    if let Some(process) = oci.process_mut() {
        process.set_args(Some(arguments(spec, place.init.as_deref())?));
        let account = user::resolve(spec.user.as_deref(), &place.layers())?;
        process.set_terminal(spec.streams.tty.then_some(true));
        let usual = process.env().clone().unwrap_or_default();
        let mut env = environment(spec, usual, &around.hostname, &account.home);
        if lab::acts_out(spec) {
            env.extend(behavior(name, spec, run));
        }
        process.set_env(Some(env)).set_user(account.user);
        if let Some(workdir) = &spec.workdir {
            process.set_cwd(workdir.into());
        }
    }
    rights::grant(&mut oci, &spec.privileges, isolation)?;
    let mut mounts = oci.mounts().clone().unwrap_or_default();
    mounts.extend(place.init.as_deref().map(borrowed_init));
    mounts.extend(volumes::mounts(spec, &place.volumes, &place.lower)?);
    oci.set_mounts(Some(mounts));
    if let Some(linux) = oci.linux_mut() {
        linux.set_resources(limits(spec));
    }
    let mut root = oci_spec::runtime::Root::default();
    root.set_readonly(Some(spec.read_only));
    oci.set_root(Some(root));
    let root = Root::Layers {
        lower: place.lower.clone(),
        upper: place.upper.clone(),
        work: place.work.clone(),
        merged: place.merged.clone(),
        durability: place.durability,
    };
    Ok(Bundle { spec: oci, root })
}

/// Its variables: what every process has, and what was asked for. Whatever was asked for counts, and is in its place.
fn environment(spec: &ContainerSpec, usual: Vec<String>, hostname: &str, home: &str) -> Vec<String> {
    let mut all = usual;
    all.push(format!("HOSTNAME={hostname}"));
    all.extend(spec.streams.tty.then(|| TERMINAL_KIND.to_owned()));
    for (name, value) in &spec.env {
        let is_it = |pair: &&mut String| pair.split_once('=').is_some_and(|(here, _)| here == name);
        let pair = format!("{name}={value}");
        match all.iter_mut().find(is_it) {
            Some(place) => *place = pair,
            None => all.push(pair),
        }
    }
    if !spec.env.contains_key("HOME") {
        all.push(format!("HOME={home}"));
    }
    all
}

/// Takes the network that it is to have, and the files that tell of it.
fn share_network(oci: &mut Spec, around: &Surroundings) {
    if let Some(mounts) = oci.mounts_mut() {
        mounts.extend(around.etc.mounts().map(|(source, target)| {
            let mut mount = Mount::default();
            mount.set_typ(Some("bind".into())).set_source(Some(source)).set_destination(target);
            mount.set_options(Some(vec!["bind".into()]));
            mount
        }));
    }
    let (Some(linux), true) = (oci.linux_mut(), around.network != Network::New) else { return };
    // They would be set in somebody else's network.
    if let Some(settings) = linux.sysctl_mut() {
        settings.retain(|key, _| !key.starts_with("net."));
    }
    let namespaces = linux.namespaces_mut().iter_mut().flatten();
    for namespace in namespaces.filter(|namespace| namespace.typ() == LinuxNamespaceType::Network) {
        if let Network::Of(pid) = around.network {
            namespace.set_path(Some(namespace_of(pid)));
        }
    }
    if let (Network::Host, Some(namespaces)) = (around.network, linux.namespaces_mut()) {
        namespaces.retain(|namespace| namespace.typ() != LinuxNamespaceType::Network);
    }
}

/// Where the built-in image appears in a container that borrows its init: nothing of the container's own is there.
const INIT: &str = "/dev/init";

/// A copy of our program, which serves all containers, and into which none of them can write.
fn borrowed_init(image: &Path) -> Mount {
    let options = ["bind", "ro", "nosuid", "nodev"].map(str::to_owned).to_vec();
    let mut mount = Mount::default();
    mount.set_typ(Some("bind".into())).set_source(Some(image.into())).set_destination(INIT.into());
    mount.set_options(Some(options));
    mount
}

fn arguments(spec: &ContainerSpec, init: Option<&Path>) -> Result<Vec<String>, WishError> {
    let given = [spec.entrypoint.as_deref(), spec.command.as_deref()].into_iter().flatten().flatten();
    let given: Vec<String> = given.cloned().collect();
    let program = if given.is_empty() { vec![LAB_IMAGE.into()] } else { given };
    let mut words = match init {
        Some(image) => init_of(image, Path::new(INIT))?,
        None if spec.init => ["lab", "init"].map(str::to_owned).to_vec(),
        None => Vec::new(),
    };
    words.extend(program);
    Ok(words)
}

/// The limits as OCI writes them; none where none was asked for, so that no cgroup is made for them.
fn limits(spec: &ContainerSpec) -> Option<LinuxResources> {
    if spec.memory.is_none() && spec.cpus.is_none() && spec.pids.is_none() && spec.cpu_shares.is_none() {
        return None;
    }
    let mut resources = LinuxResources::default();
    resources.set_devices(None);
    if let Some(bytes) = spec.memory {
        let mut memory = LinuxMemory::default();
        memory.set_limit(i64::try_from(bytes).ok());
        memory.set_swap(match spec.memory_swap {
            None => None,
            Some(MemorySwap::Both(both)) => i64::try_from(both).ok(),
            Some(MemorySwap::Unlimited) => Some(-1),
        });
        resources.set_memory(Some(memory));
    }
    if spec.cpus.is_some() || spec.cpu_shares.is_some() {
        let mut cpu = LinuxCpu::default();
        cpu.set_shares(spec.cpu_shares.map(u64::from));
        if let Some(thousandths) = spec.cpus {
            cpu.set_period(Some(CPU_PERIOD)).set_quota(Some(i64::from(thousandths) * 100));
        }
        resources.set_cpu(Some(cpu));
    }
    if let Some(count) = spec.pids {
        let mut pids = LinuxPids::default();
        pids.set_limit(i64::from(count));
        resources.set_pids(Some(pids));
    }
    Some(resources)
}

/// How the lab program learns what to act out, and on which descriptor it says that it is ready.
fn behavior(name: &Name, spec: &ContainerSpec, run: u32) -> [String; 4] {
    let behavior =
        serde_json::to_string(&spec.behavior).expect("a behaviour has no map whose keys are not texts");
    [
        format!("TERRARIUM_NAME={name}"),
        format!("TERRARIUM_RUN={run}"),
        format!("TERRARIUM_BEHAVIOR={behavior}"),
        "TERRARIUM_READY_FD=3".into(),
    ]
}
