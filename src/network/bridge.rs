//! The network that containers share: a bridge with a cable to each of them, and as root one to the host.
//!
//! The bridge is not among the host's own links. It lies in a network namespace that belongs to nobody but the processes that
//! keep containers on it, each of which has it open. So whatever the host filters (Docker's rules drop what bridges
//! forward and they do not know), containers reach each other; and when the last of these processes ends, however it ends, the
//! kernel takes bridge, cables and all away. On the host only the cable's end `terrariumN` can be seen, and a table of
//! nftables with the same name. An ordinary user's bridge has no cable to the host, where nobody but root may have a link, and so
//! nothing of it can be seen there.
//!
//! The kernel's own registers say who has what: whoever has made the link `terrariumN` has the Nth subnet, and whoever has
//! made the port `cN` has the Nth address in it; the note beside a port tells the container's names. Processes with one
//! directory in common share a bridge. There a file lists who has it open, and a lock lets one at a time change something.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use thiserror::Error;
use tracing::{debug, warn};

use super::etc::{self, Entry, Etc};
use super::link::{FarEnd, Hardware, Link, Subnet};
use super::netlink::Netlink;
use super::register::Register;
use crate::runtime::{self, Isolation};

/// A network of containers, for as long as somebody has it open.
pub struct Bridge {
    directory: PathBuf,
    isolation: Isolation,
    number: u32,
    namespace: File,
    /// To the kernel, about the links on the bridge's side.
    within: Netlink,
    index: u32,
    /// Ports that are being removed.
    going: Vec<(u32, JoinHandle<()>)>,
}

/// A container's place on a bridge.
#[derive(Debug, PartialEq, Eq)]
pub struct Port {
    number: u32,
    /// Its link's. The kernel removes that when the container's network goes, and somebody else may have the number then.
    index: u32,
    address: Ipv4Addr,
}

/// Why there is no network.
#[derive(Debug, Error)]
pub enum BridgeError {
    /// The kernel said no.
    #[error("cannot {action}: {} ({})", .errno.desc().to_lowercase(), advice(*.errno))]
    Kernel {
        /// What was being done.
        action: &'static str,
        /// Why not.
        errno: Errno,
    },
    /// A file of its own.
    #[error("cannot keep account of the bridge in {path}: {source} (choose another directory with --root)")]
    Files {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others have all of them.
    #[error(
        "cannot make a bridge: each of its {SUBNETS} networks from {FIRST} on is in use on this host (see ip route; \
         `--network none` needs none)"
    )]
    NoSubnet,
    /// Others have all of them.
    #[error("cannot give it an address: all {} of the bridge are in use (stop a container)", ADDRESSES - 1)]
    NoAddress,
}

/// Where the first subnet begins. It is none of those that Docker, Podman, libvirt or Kubernetes take of themselves.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 80, 0, 0);
const BITS: u8 = 20;
const SUBNETS: u32 = 256;
/// The last but the broadcast address.
const ADDRESSES: u32 = (1 << (32 - BITS)) - 2;
/// The host's own number in every subnet.
const HOST: u32 = 1;
const BRIDGE: &str = "bridge";
/// A route to so much of the world is no reason to leave a subnet in it alone.
const WIDE: u8 = 15;

impl Bridge {
    /// Opens the network of all who name this directory; makes it if nobody has it open.
    pub fn open(directory: &Path, isolation: Isolation) -> Result<Self, BridgeError> {
        let files = |source| BridgeError::Files { path: directory.into(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(files)?;
        let mut register = Register::lock(directory)?;
        let (number, namespace, mut within) = match register.living().next() {
            Some((number, namespace)) => {
                let within = Netlink::route_in(namespace.as_fd(), isolation);
                (number, namespace, within.map_err(kernel("join the bridge"))?)
            }
            None => match isolation {
                Isolation::Root => make_beside_the_host()?,
                Isolation::Rootless => make_apart()?,
            },
        };
        let index = within.index_of(BRIDGE).map_err(kernel("find the bridge"))?;
        register.add(number, &namespace)?;
        Ok(Self {
            directory: directory.into(),
            isolation,
            number,
            namespace,
            within,
            index,
            going: Vec::new(),
        })
    }

    /// Plugs in a container, whose first process has this number: it gets an address, and its names are told to the others.
    pub fn attach(&mut self, pid: i32, etc: &Etc, name: &str, hostname: &str) -> Result<Port, BridgeError> {
        let register = Register::lock(&self.directory)?;
        let network = File::open(format!("/proc/{pid}/ns/net"))
            .map_err(|error| failed("find the container's network", &error))?;
        let port = self.plug_in(&network)?;
        let gateway = subnet(self.number).nth(HOST);
        let address = port.address;
        // First of all whose it is: whoever is killed from here on leaves a port that can be found.
        if let Err(source) = self.note_owner(port.number, etc) {
            self.pull(&port);
            return Err(BridgeError::Files { path: self.directory.join(port.number.to_string()), source });
        }
        let configure = || {
            let mut own = Netlink::route_in(network.as_fd(), self.isolation)?;
            own.bring_up(INSIDE, None, None)?;
            let index = own.index_of(INSIDE)?;
            own.add_address(index, address, BITS)?;
            match self.isolation {
                Isolation::Root => own.add_way_out(gateway),
                // There is none this way.
                Isolation::Rootless => Ok(()),
            }
        };
        let link = link_of(port.number);
        let up = configure()
            .and_then(|()| self.within.bring_up(&link, Some(self.index), Some(&note(name, hostname))));
        if let Err(errno) = up {
            let _ = fs::remove_file(self.directory.join(port.number.to_string()));
            self.pull(&port);
            return Err(BridgeError::Kernel { action: "plug the container in", errno });
        }
        self.tell_names(&register);
        Ok(port)
    }

    fn note_owner(&self, number: u32, etc: &Etc) -> io::Result<()> {
        let path = self.directory.join(number.to_string());
        symlink(etc.hosts(), &path).or_else(|_| {
            fs::remove_file(&path)?;
            symlink(etc.hosts(), &path)
        })
    }

    /// From now on the others know it by another name.
    pub fn rename(&mut self, port: &Port, name: &str, hostname: &str) {
        let Ok(register) = Register::lock(&self.directory) else { return };
        if self.owner_of(port) != Owner::Itself {
            return;
        }
        if let Err(errno) = self.within.note(&link_of(port.number), &note(name, hostname)) {
            warn!(%errno, name, "the others do not hear of its new name");
        }
        self.tell_names(&register);
    }

    /// Takes a container off. Its address is free when the kernel has removed its port, which nobody waits for.
    pub fn detach(&mut self, port: &Port) {
        let Ok(register) = Register::lock(&self.directory) else { return self.pull(port) };
        let owner = self.owner_of(port);
        if owner == Owner::Itself {
            // It may be going with its network at this moment.
            let _ = self.within.note(&link_of(port.number), "");
        }
        if owner != Owner::Another {
            let _ = fs::remove_file(self.directory.join(port.number.to_string()));
        }
        self.tell_names(&register);
        self.pull(port);
    }

    /// Whose number it is now. Only for whoever holds the register: nobody else gets one meanwhile.
    fn owner_of(&mut self, port: &Port) -> Owner {
        match self.within.index_of(&link_of(port.number)) {
            Ok(index) if index == port.index => Owner::Itself,
            Ok(_) => Owner::Another,
            Err(_) => Owner::Nobody,
        }
    }

    /// Leaves it. If that was the last to have it open, says what can still be seen of it on the host.
    pub fn close(self) -> Vec<String> {
        if self.isolation == Isolation::Rootless {
            return Vec::new();
        }
        let (link, directory) = (host_link(self.number), self.directory.clone());
        let index = Netlink::route().and_then(|mut host| host.index_of(&link)).ok();
        drop(self);
        match Register::lock(&directory) {
            Ok(register) if register.living().next().is_none() => remains(&link, index),
            _ => Vec::new(),
        }
    }

    /// The lowest number that is free, as Docker does it. A port that is just going is waited for.
    fn plug_in(&mut self, network: &File) -> Result<Port, BridgeError> {
        let links = self.within.links().map_err(kernel("list the bridge's ports"))?;
        let used: Vec<u32> = links.iter().filter_map(number_of).collect();
        for number in HOST + 1..=ADDRESSES {
            if self.wait_for(number) == Going::No && used.contains(&number) {
                continue;
            }
            let address = subnet(self.number).nth(number);
            let far = FarEnd { name: INSIDE, namespace: network.as_fd(), hardware: Hardware::of(address) };
            match self.within.make_cable(&link_of(number), None, &far) {
                Ok(()) => {
                    let index = self.within.index_of(&link_of(number));
                    let index = index.map_err(kernel("find the cable to the container"))?;
                    return Ok(Port { number, index, address });
                }
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(kernel("make a cable to the container")(errno)),
            }
        }
        Err(BridgeError::NoAddress)
    }

    fn wait_for(&mut self, number: u32) -> Going {
        let Some(place) = self.going.iter().position(|(going, _)| *going == number) else {
            return Going::No;
        };
        let (_, thread) = self.going.swap_remove(place);
        let _ = thread.join();
        Going::Gone
    }

    /// Removing a link takes the kernel some 10 ms, which no stop has to wait for.
    fn pull(&mut self, port: &Port) {
        let Port { number, index, .. } = *port;
        self.going.retain(|(_, thread)| !thread.is_finished());
        let Ok(namespace) = self.namespace.try_clone() else { return };
        let isolation = self.isolation;
        let remove = move || {
            let removed = Netlink::route_in(namespace.as_fd(), isolation)
                .and_then(|mut within| within.remove_by_index(index));
            debug!(number, ?removed, "a port is pulled");
        };
        self.going.push((number, thread::spawn(remove)));
    }

    fn tell_names(&mut self, held: &Register) {
        tell_names(&self.directory, self.number, &mut self.within, held);
    }

    fn leave(&mut self) -> Result<(), BridgeError> {
        let mut register = Register::lock(&self.directory)?;
        register.remove_own(&self.namespace)?;
        if self.isolation == Isolation::Root && register.living().next().is_none() {
            tear_down(self.number)?;
        }
        Ok(())
    }
}

/// The last to leave takes what can be seen on the host along.
impl Drop for Bridge {
    fn drop(&mut self) {
        for (_, thread) in self.going.drain(..) {
            let _ = thread.join();
        }
        if let Err(error) = self.leave() {
            warn!(%error, "something of the bridge may be left");
        }
    }
}

impl Port {
    /// The container's address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }
}

/// Pulls the port of whoever these files are for, after the process that kept it was killed, and tells those who live on.
pub fn unplug_lost(directory: &Path, etc: &Etc, isolation: Isolation) -> Result<(), BridgeError> {
    if !directory.is_dir() {
        return Ok(());
    }
    let register = Register::lock(directory)?;
    let Some((bridge, namespace)) = register.living().next() else { return Ok(()) };
    let mut within = Netlink::route_in(namespace.as_fd(), isolation).map_err(kernel("join the bridge"))?;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(number) =
            number.filter(|_| fs::read_link(entry.path()).is_ok_and(|path| path == etc.hosts()))
        else {
            continue;
        };
        let _ = fs::remove_file(entry.path());
        match within.remove(&link_of(number)) {
            // It goes with its container's network by itself, a moment later.
            Ok(()) | Err(Errno::ENODEV) => {}
            Err(errno) => return Err(kernel("pull the port of a container that was lost")(errno)),
        }
    }
    tell_names(directory, bridge, &mut within, &register);
    Ok(())
}

/// What killed processes have left on this host, one line each: tables of nftables whose link is gone.
pub fn leftovers() -> Vec<String> {
    orphans().into_iter().map(|name| format!("table ip {name} of nftables")).collect()
}

/// Removes them; says how many there were.
pub fn clear_leftovers() -> Result<usize, BridgeError> {
    let orphans = orphans();
    for name in &orphans {
        let remove = || Netlink::filter()?.unmasquerade(name);
        remove().map_err(kernel("remove a table of nftables that a killed run left"))?;
    }
    Ok(orphans.len())
}

/// The address that the `nth` container of a bridge gets, on a host with one bridge.
pub fn usual_address(nth: u32) -> Ipv4Addr {
    subnet(0).nth(HOST + 1 + nth)
}

/// What the cable to a container is called inside.
const INSIDE: &str = "eth0";

/// Whose a port's number is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Itself,
    Another,
    Nobody,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Going {
    Gone,
    No,
}

/// Writes the hosts file of each container anew. Only for whoever holds the register.
fn tell_names(directory: &Path, bridge: u32, within: &mut Netlink, _held: &Register) {
    let Ok(links) = within.links() else { return };
    let entry = |link: &Link| {
        let number = number_of(link)?;
        let names = link.alias.as_ref()?.split(' ').map(str::to_owned).collect();
        Some((number, Entry { address: subnet(bridge).nth(number), names }))
    };
    let entries: Vec<(u32, Entry)> = links.iter().filter_map(entry).collect();
    for (number, own) in &entries {
        let others = entries.iter().filter(|(other, _)| other != number);
        // Others know it by the name that it has with us, and not by what it calls itself.
        let others = others.map(|(_, other)| Entry { names: other.names[..1].to_vec(), ..other.clone() });
        let mut own = own.clone();
        own.names.reverse();
        let told: Vec<Entry> = [own].into_iter().chain(others).collect();
        if let Err(error) = etc::tell(&directory.join(number.to_string()), &told, subnet(bridge).nth(HOST)) {
            debug!(number, %error, "its names are not told");
        }
    }
}

fn subnet(number: u32) -> Subnet {
    Subnet { first: Ipv4Addr::from_bits(FIRST.to_bits() + (number << (32 - BITS))), bits: BITS }
}

fn host_link(number: u32) -> String {
    format!("terrarium{number}")
}

fn link_of(number: u32) -> String {
    format!("c{number}")
}

fn number_of(link: &Link) -> Option<u32> {
    link.name.strip_prefix('c')?.parse().ok()
}

fn note(name: &str, hostname: &str) -> String {
    if name == hostname { name.to_owned() } else { format!("{name} {hostname}") }
}

/// A bridge in a network of its own, without a cable to anywhere.
fn make_apart() -> Result<(u32, File, Netlink), BridgeError> {
    let mut host = Netlink::route().map_err(kernel("ask for links"))?;
    let number = free_subnets(&mut host)?.next().ok_or(BridgeError::NoSubnet)?;
    let (namespace, socket) = runtime::new_network().map_err(kernel("make a network for the bridge"))?;
    let mut within = Netlink::over(socket);
    let mut make = || {
        within.make_bridge(BRIDGE)?;
        within.bring_up(BRIDGE, None, None)
    };
    make().map_err(kernel("make a bridge"))?;
    Ok((number, namespace.into(), within))
}

/// A bridge in a network of its own, with a cable to the host.
fn make_beside_the_host() -> Result<(u32, File, Netlink), BridgeError> {
    if let Err(error) = clear_leftovers() {
        debug!(%error);
    }
    let (namespace, mut within) = new_network()?;
    within.make_bridge(BRIDGE).map_err(kernel("make a bridge"))?;
    let index = within.index_of(BRIDGE).map_err(kernel("find the bridge"))?;
    let mut host = Netlink::route().map_err(kernel("ask for links"))?;
    let number = claim_subnet(&mut host, &namespace)?;
    let (link, subnet) = (host_link(number), subnet(number));
    let mut connect = || {
        let host_index = host.index_of(&link)?;
        host.add_address(host_index, subnet.nth(HOST), BITS)?;
        host.bring_up(&link, None, None)?;
        within.bring_up(BRIDGE, None, None)?;
        within.bring_up(UPLINK, Some(index), None)
    };
    connect().map_err(kernel("connect the bridge and the host"))?;
    let masquerade = || Netlink::filter()?.masquerade(&link, subnet);
    if let Err(errno) = masquerade() {
        warn!(%errno, "containers do not get out of this host: nftables cannot be used");
    }
    Ok((number, namespace, within))
}

/// What the cable to the host is called on the bridge's side.
const UPLINK: &str = "host";

fn new_network() -> Result<(File, Netlink), BridgeError> {
    let make = || -> nix::Result<(File, Netlink)> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let namespace = File::open("/proc/thread-self/ns/net").map_err(|error| errno_of(&error))?;
        Ok((namespace, Netlink::route()?))
    };
    let network = thread::spawn(make).join().unwrap_or(Err(Errno::EIO));
    network.map_err(kernel("make a network for the bridge"))
}

/// The first subnet that nobody on this host uses. Whoever makes its link has it.
fn claim_subnet(host: &mut Netlink, namespace: &File) -> Result<u32, BridgeError> {
    for number in free_subnets(host)? {
        let wanted = subnet(number);
        let hardware = Hardware::of(wanted.nth(HOST));
        let far = FarEnd { name: UPLINK, namespace: namespace.as_fd(), hardware: Hardware::of(wanted.first) };
        match host.make_cable(&host_link(number), Some(hardware), &far) {
            Ok(()) => return Ok(number),
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(kernel("make a cable to the bridge")(errno)),
        }
    }
    Err(BridgeError::NoSubnet)
}

/// Those to which no route of this host leads.
fn free_subnets(host: &mut Netlink) -> Result<impl Iterator<Item = u32> + use<>, BridgeError> {
    let taken = host.destinations().map_err(kernel("list routes"))?;
    let is_free = move |number: &u32| {
        let wanted = subnet(*number);
        !taken.iter().any(|other| other.bits > WIDE && other.overlaps(wanted))
    };
    Ok((0..SUBNETS).filter(is_free))
}

/// The table first: a table without its link counts as left behind.
fn tear_down(number: u32) -> Result<(), BridgeError> {
    let link = host_link(number);
    if let Err(errno) = Netlink::filter().and_then(|mut filter| filter.unmasquerade(&link)) {
        debug!(%errno, link, "its table stays");
    }
    match Netlink::route().and_then(|mut host| host.remove(&link)) {
        Ok(()) | Err(Errno::ENODEV) => Ok(()),
        Err(errno) => Err(kernel("remove the cable to the bridge")(errno)),
    }
}

/// Another run may have got the name meanwhile: then its link has another index, and the table is that run's, too.
fn remains(link: &str, index: Option<u32>) -> Vec<String> {
    let links = Netlink::route().and_then(|mut host| host.links()).unwrap_or_default();
    if links.iter().any(|found| found.name == link && Some(found.index) != index) {
        return Vec::new();
    }
    let tables = Netlink::filter().and_then(|mut filter| filter.tables()).unwrap_or_default();
    let links =
        links.into_iter().filter(|found| found.name == link).map(|found| format!("link {}", found.name));
    let tables =
        tables.into_iter().filter(|name| name == link).map(|name| format!("table ip {name} of nftables"));
    links.chain(tables).collect()
}

fn orphans() -> Vec<String> {
    let look = || -> nix::Result<Vec<String>> {
        let tables = Netlink::filter()?.tables()?;
        let links = Netlink::route()?.links()?;
        let is_ours = |name: &str| {
            let number = name.strip_prefix("terrarium").and_then(|number| number.parse::<u32>().ok());
            number.is_some_and(|number| number < SUBNETS)
        };
        let has_link = |name: &str| links.iter().any(|link| link.name == name);
        Ok(tables.into_iter().filter(|name| is_ours(name) && !has_link(name)).collect())
    };
    look().unwrap_or_default()
}

fn kernel(action: &'static str) -> impl Fn(Errno) -> BridgeError {
    move |errno| BridgeError::Kernel { action, errno }
}

fn failed(action: &'static str, error: &io::Error) -> BridgeError {
    BridgeError::Kernel { action, errno: errno_of(error) }
}

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

fn advice(errno: Errno) -> &'static str {
    match errno {
        Errno::EOPNOTSUPP => {
            "this kernel lacks bridges or veth: modprobe bridge veth; or take --network none"
        }
        Errno::EPERM | Errno::EACCES => {
            "the network may not be changed here: run as root, or take --network none"
        }
        Errno::ESRCH | Errno::ENOENT => "the container has ended: start it again",
        _ => "look at the kernel's log: dmesg",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_do_not_overlap_and_have_room_for_thousands() {
        assert_eq!(subnet(0).nth(HOST + 1).to_string(), "10.80.0.2");
        assert_eq!(subnet(1).nth(ADDRESSES).to_string(), "10.80.31.254");
        assert!(!subnet(1).overlaps(subnet(2)));
        assert_eq!(subnet(SUBNETS - 1).nth(ADDRESSES + 1).to_string(), "10.95.255.255");
    }
}
