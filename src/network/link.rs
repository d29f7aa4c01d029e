//! What is asked of the kernel about links: cables with two ends, a bridge, addresses and the way out.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

use super::netlink::{Message, Netlink, attributes, text};

/// A network interface of one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    /// What somebody has noted beside it.
    pub(super) alias: Option<String>,
}

/// The end of a cable that is in another network.
pub(super) struct FarEnd<'a> {
    pub(super) name: &'static str,
    pub(super) namespace: BorrowedFd<'a>,
    pub(super) hardware: Hardware,
}

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hardware([u8; 6]);

impl Hardware {
    /// The one that goes with an address, as Docker numbers them: who gets the address next is reached at once, also by those
    /// who remember who had it before.
    pub(super) fn of(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0x42, a, b, c, d])
    }
}

/// A network by its first address and the number of bits that all its addresses share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subnet {
    pub(super) first: Ipv4Addr,
    pub(super) bits: u8,
}

impl Subnet {
    pub(super) fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0))
    }

    pub(super) fn nth(self, number: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first.to_bits() + number)
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        let common = if self.bits < other.bits { self } else { other }.mask().to_bits();
        self.first.to_bits() & common == other.first.to_bits() & common
    }
}

// Of linux/veth.h and linux/if_link.h.
const VETH_INFO_PEER: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
/// Length of the fixed part of a message on links.
const LINK_PART: usize = 16;

const NEW: i32 = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
const UP: u32 = libc::IFF_UP as u32;

impl Netlink {
    /// A cable: one end here, and the other in another network.
    pub(super) fn make_cable(
        &mut self,
        name: &str,
        hardware: Option<Hardware>,
        far: &FarEnd<'_>,
    ) -> nix::Result<()> {
        let peer = |group: Message| {
            group
                .raw(&[0; LINK_PART])
                .with_text(libc::IFLA_IFNAME, far.name)
                .with(libc::IFLA_ADDRESS, &far.hardware.0)
                .with(libc::IFLA_NET_NS_FD, &far.namespace.as_raw_fd().to_ne_bytes())
        };
        let mut message =
            Message::new(libc::RTM_NEWLINK, NEW, &[0; LINK_PART]).with_text(libc::IFLA_IFNAME, name);
        if let Some(hardware) = hardware {
            message = message.with(libc::IFLA_ADDRESS, &hardware.0);
        }
        self.ask(of_kind(message, "veth", |data| data.with_group(VETH_INFO_PEER, peer)))
    }

    /// A bridge, to plug cables into.
    pub(super) fn make_bridge(&mut self, name: &str) -> nix::Result<()> {
        let message =
            Message::new(libc::RTM_NEWLINK, NEW, &[0; LINK_PART]).with_text(libc::IFLA_IFNAME, name);
        self.ask(of_kind(message, "bridge", |data| data))
    }

    /// Brings a link up, as a port of a bridge if one is given, with a note if one is given.
    pub(super) fn bring_up(
        &mut self,
        name: &str,
        bridge: Option<u32>,
        alias: Option<&str>,
    ) -> nix::Result<()> {
        let mut message = change(name, UP);
        if let Some(bridge) = bridge {
            message = message.with(libc::IFLA_MASTER, &bridge.to_ne_bytes());
        }
        if let Some(alias) = alias {
            message = message.with(libc::IFLA_IFALIAS, alias.as_bytes());
        }
        // No address over IPv6, which nobody asks for here: to find one would cost packets and time.
        let quiet = message.clone().with_group(libc::IFLA_AF_SPEC, |families| {
            families.with_group(family(libc::AF_INET6), |settings| {
                settings.with(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE])
            })
        });
        match self.ask(quiet) {
            Err(Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP) => self.ask(message),
            result => result,
        }
    }

    /// Changes the note beside a link.
    pub(super) fn note(&mut self, name: &str, alias: &str) -> nix::Result<()> {
        self.ask(change(name, 0).with(libc::IFLA_IFALIAS, alias.as_bytes()))
    }

    /// Removes a link, and the other end of its cable. Takes the kernel several milliseconds.
    pub(super) fn remove(&mut self, name: &str) -> nix::Result<()> {
        self.ask(Message::new(libc::RTM_DELLINK, 0, &[0; LINK_PART]).with_text(libc::IFLA_IFNAME, name))
    }

    /// The same by its index, which no other link gets that comes to have its name.
    pub(super) fn remove_by_index(&mut self, index: u32) -> nix::Result<()> {
        let mut fixed = [0; LINK_PART];
        fixed[4..8].copy_from_slice(&index.to_ne_bytes());
        self.ask(Message::new(libc::RTM_DELLINK, 0, &fixed))
    }

    /// All links of this network.
    pub(super) fn links(&mut self) -> nix::Result<Vec<Link>> {
        let entries = self.list(Message::new(libc::RTM_GETLINK, 0, &[0; LINK_PART]))?;
        let read = |entry: &Vec<u8>| {
            let index = u32::from_ne_bytes(entry.get(4..8)?.try_into().ok()?);
            let mut link = Link { index, name: String::new(), alias: None };
            for (kind, value) in attributes(entry.get(LINK_PART..)?) {
                match kind {
                    libc::IFLA_IFNAME => link.name = text(value),
                    libc::IFLA_IFALIAS => link.alias = Some(text(value)),
                    _ => {}
                }
            }
            Some(link)
        };
        Ok(entries.iter().filter_map(read).collect())
    }

    pub(super) fn index_of(&mut self, name: &str) -> nix::Result<u32> {
        let found = self.links()?.into_iter().find(|link| link.name == name);
        found.map(|link| link.index).ok_or(Errno::ENODEV)
    }

    /// Gives a link an address.
    pub(super) fn add_address(&mut self, index: u32, address: Ipv4Addr, bits: u8) -> nix::Result<()> {
        let [a, b, c, d] = index.to_ne_bytes();
        let fixed = [byte(libc::AF_INET), bits, 0, libc::RT_SCOPE_UNIVERSE, a, b, c, d];
        self.ask(
            Message::new(libc::RTM_NEWADDR, NEW, &fixed)
                .with(libc::IFA_LOCAL, &address.octets())
                .with(libc::IFA_ADDRESS, &address.octets()),
        )
    }

    /// Everything else is reached through `gateway`.
    pub(super) fn add_way_out(&mut self, gateway: Ipv4Addr) -> nix::Result<()> {
        let (table, protocol) = (libc::RT_TABLE_MAIN, libc::RTPROT_BOOT);
        let (scope, kind) = (libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST);
        let fixed = [byte(libc::AF_INET), 0, 0, 0, table, protocol, scope, kind, 0, 0, 0, 0];
        self.ask(Message::new(libc::RTM_NEWROUTE, NEW, &fixed).with(libc::RTA_GATEWAY, &gateway.octets()))
    }

    /// Where the routes of this network lead over IPv4; the way out to everywhere else is none of them.
    pub(super) fn destinations(&mut self) -> nix::Result<Vec<Subnet>> {
        let fixed = [byte(libc::AF_INET), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let entries = self.list(Message::new(libc::RTM_GETROUTE, 0, &fixed))?;
        let read = |entry: &Vec<u8>| {
            let bits = *entry.get(1)?;
            let (_, first) =
                attributes(entry.get(fixed.len()..)?).find(|(kind, _)| *kind == libc::RTA_DST)?;
            let first = <[u8; 4]>::try_from(first).ok()?.into();
            Some(Subnet { first, bits })
        };
        Ok(entries.iter().filter_map(read).collect())
    }
}

fn of_kind(message: Message, kind: &str, data: impl FnOnce(Message) -> Message) -> Message {
    message.with_group(libc::IFLA_LINKINFO, |info| {
        info.with_text(libc::IFLA_INFO_KIND, kind).with_group(libc::IFLA_INFO_DATA, data)
    })
}

/// A change to a link that there is: `flags` are set.
fn change(name: &str, flags: u32) -> Message {
    let mut fixed = [0; LINK_PART];
    fixed[8..12].copy_from_slice(&flags.to_ne_bytes());
    fixed[12..16].copy_from_slice(&flags.to_ne_bytes());
    Message::new(libc::RTM_NEWLINK, 0, &fixed).with_text(libc::IFLA_IFNAME, name)
}

fn family(number: i32) -> u16 {
    u16::from(byte(number))
}

fn byte(number: i32) -> u8 {
    u8::try_from(number).expect("families have small numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str, bits: u8) -> Subnet {
        Subnet { first: text.parse().unwrap(), bits }
    }

    #[test]
    fn subnets_overlap_if_one_holds_the_other() {
        let ours = subnet("10.80.16.0", 20);
        assert!(ours.overlaps(subnet("10.80.0.0", 16)));
        assert!(ours.overlaps(subnet("10.80.17.4", 32)));
        assert!(ours.overlaps(ours));
        assert!(!ours.overlaps(subnet("10.80.0.0", 20)));
        assert!(!ours.overlaps(subnet("10.81.0.0", 16)));
        assert_eq!(ours.nth(2).to_string(), "10.80.16.2");
    }
}
