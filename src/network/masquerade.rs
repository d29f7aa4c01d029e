//! Packets of containers that leave the host get the host's address, by a table of nftables that holds nothing else.
//!
//! The table has the name of the link that its containers come through. That link cannot outlive them, so a table without its
//! link is what a killed run left.

use std::fs;
use std::net::Ipv4Addr;

use nix::errno::Errno;

use super::link::Subnet;
use super::netlink::{Message, Netlink, attributes, text};

/// Whether packets of containers get out of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// Nothing is known that would keep them.
    Open,
    /// This host does not forward packets.
    NotForwarded,
    /// Somebody's filter drops what none of its rules accepts (Docker's is one), and no rule speaks of our links. These
    /// chains, as `ip filter FORWARD`.
    Filtered(Vec<String>),
}

// Of linux/netfilter/nf_tables.h.
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_POLICY: u16 = 5;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_NUMBER: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
/// Of an IPv4 header.
const SOURCE_OFFSET: i32 = 12;
const ADDRESS_LENGTH: i32 = 4;
const INTERFACE_NAME_LENGTH: usize = 16;
/// Where source addresses are changed: after all filters.
const PRIORITY: i32 = 100;
const CHAIN: &str = "out";
const INET: u8 = 1;
/// Begins the name of each link of ours, and of each table.
const OURS: &[u8] = b"terrarium";

impl Netlink {
    /// What comes from `subnet` and leaves through another link than `link` gets this host's address.
    pub(super) fn masquerade(&mut self, link: &str, subnet: Subnet) -> nix::Result<()> {
        let chain = filter(libc::NFT_MSG_NEWCHAIN, libc::NFPROTO_IPV4, libc::NLM_F_CREATE)
            .with_text(NFTA_CHAIN_TABLE, link)
            .with_text(NFTA_CHAIN_NAME, CHAIN)
            .with_group(NFTA_CHAIN_HOOK, |hook| {
                let number = number(libc::NF_INET_POST_ROUTING);
                hook.with(NFTA_HOOK_NUMBER, &number).with(NFTA_HOOK_PRIORITY, &PRIORITY.to_be_bytes())
            })
            .with_text(NFTA_CHAIN_TYPE, "nat");
        let rule = filter(libc::NFT_MSG_NEWRULE, libc::NFPROTO_IPV4, libc::NLM_F_CREATE | libc::NLM_F_APPEND)
            .with_text(NFTA_RULE_TABLE, link)
            .with_text(NFTA_RULE_CHAIN, CHAIN)
            .with_group(NFTA_RULE_EXPRESSIONS, |list| expressions(list, link, subnet));
        self.together(vec![table(libc::NFT_MSG_NEWTABLE, libc::NLM_F_CREATE, link), chain, rule])
    }

    /// Removes the table that goes with a link. Fine if there is none.
    pub(super) fn unmasquerade(&mut self, link: &str) -> nix::Result<()> {
        match self.together(vec![table(libc::NFT_MSG_DELTABLE, 0, link)]) {
            Err(Errno::ENOENT) => Ok(()),
            result => result,
        }
    }

    /// The names of all tables for IPv4.
    pub(super) fn tables(&mut self) -> nix::Result<Vec<String>> {
        let entries = self.list(filter(libc::NFT_MSG_GETTABLE, libc::NFPROTO_IPV4, 0))?;
        let name = |entry: &Vec<u8>| {
            let (_, name) = attributes(entry.get(4..)?).find(|(kind, _)| *kind == NFTA_TABLE_NAME)?;
            Some(text(name))
        };
        Ok(entries.iter().filter_map(name).collect())
    }

    /// The chains that drop what is to be forwarded and what none of their rules accepts.
    fn closed_chains(&mut self) -> nix::Result<Vec<String>> {
        let entries = self.list(filter(libc::NFT_MSG_GETCHAIN, libc::AF_UNSPEC, 0))?;
        Ok(entries.iter().filter_map(|entry| closed_chain(entry)).collect())
    }

    /// Whether some rule of somebody else's speaks of our links: then its writer has thought of them.
    fn is_known(&mut self) -> nix::Result<bool> {
        let rules = self.list(filter(libc::NFT_MSG_GETRULE, libc::AF_UNSPEC, 0))?;
        Ok(rules.iter().any(|rule| names_our_links(rule)))
    }

    fn together(&mut self, messages: Vec<Message>) -> nix::Result<()> {
        let batch = |kind: i32| {
            let [a, b] = u16::try_from(libc::NFNL_SUBSYS_NFTABLES).unwrap_or_default().to_be_bytes();
            Message::new(u16::try_from(kind).unwrap_or_default(), 0, &[0, 0, a, b])
        };
        let mut all = vec![batch(libc::NFNL_MSG_BATCH_BEGIN)];
        all.extend(messages.into_iter().map(Message::acknowledged));
        all.push(batch(libc::NFNL_MSG_BATCH_END));
        self.ask_together(all)
    }
}

/// Finds out what can be known of it without sending anything.
pub fn way_out() -> WayOut {
    let forwarding = fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap_or_default();
    if forwarding.trim() != "1" {
        return WayOut::NotForwarded;
    }
    let look = || -> nix::Result<(Vec<String>, bool)> {
        let mut filter = Netlink::filter()?;
        Ok((filter.closed_chains()?, filter.is_known()?))
    };
    match look() {
        Ok((closed, false)) if !closed.is_empty() => WayOut::Filtered(closed),
        _ => WayOut::Open,
    }
}

/// `ip saddr SUBNET oifname != LINK masquerade`
fn expressions(list: Message, link: &str, subnet: Subnet) -> Message {
    let register = number(libc::NFT_REG_1);
    let equal = |data: Message, operator: i32, value: &[u8]| {
        data.with(1, &register)
            .with(2, &number(operator))
            .with_group(3, |data| data.with(NFTA_DATA_VALUE, value))
    };
    let mut name = [0; INTERFACE_NAME_LENGTH];
    name[..link.len()].copy_from_slice(link.as_bytes());
    let list = expression(list, "payload", |data| {
        data.with(1, &register)
            .with(2, &number(libc::NFT_PAYLOAD_NETWORK_HEADER))
            .with(3, &number(SOURCE_OFFSET))
            .with(4, &number(ADDRESS_LENGTH))
    });
    let list = expression(list, "bitwise", |data| {
        let value = |address: Ipv4Addr| move |data: Message| data.with(NFTA_DATA_VALUE, &address.octets());
        data.with(1, &register)
            .with(2, &register)
            .with(3, &number(ADDRESS_LENGTH))
            .with_group(4, value(subnet.mask()))
            .with_group(5, value(Ipv4Addr::UNSPECIFIED))
    });
    let list = expression(list, "cmp", |data| equal(data, libc::NFT_CMP_EQ, &subnet.first.octets()));
    let list =
        expression(list, "meta", |data| data.with(1, &register).with(2, &number(libc::NFT_META_OIFNAME)));
    let list = expression(list, "cmp", |data| equal(data, libc::NFT_CMP_NEQ, &name));
    expression(list, "masq", |data| data)
}

fn expression(list: Message, name: &str, fill: impl FnOnce(Message) -> Message) -> Message {
    list.with_group(NFTA_LIST_ELEM, |element| {
        element.with_text(NFTA_EXPR_NAME, name).with_group(NFTA_EXPR_DATA, fill)
    })
}

fn table(kind: i32, flags: i32, name: &str) -> Message {
    filter(kind, libc::NFPROTO_IPV4, flags).with_text(NFTA_TABLE_NAME, name)
}

fn filter(kind: i32, family: i32, flags: i32) -> Message {
    let kind = u16::try_from(libc::NFNL_SUBSYS_NFTABLES << 8 | kind).unwrap_or_default();
    Message::new(kind, flags, &[u8::try_from(family).unwrap_or_default(), 0, 0, 0])
}

/// Numbers in these messages are in network order.
fn number(value: i32) -> [u8; 4] {
    value.to_be_bytes()
}

fn names_our_links(rule: &[u8]) -> bool {
    let parts = || attributes(rule.get(4..).unwrap_or_default());
    let names_them = |value: &[u8]| value.windows(OURS.len()).any(|part| part == OURS);
    let is_own = parts().any(|(kind, value)| kind == NFTA_RULE_TABLE && names_them(value));
    !is_own && parts().any(|(kind, value)| kind == NFTA_RULE_EXPRESSIONS && names_them(value))
}

fn closed_chain(entry: &[u8]) -> Option<String> {
    let family = match i32::from(*entry.first()?) {
        libc::NFPROTO_IPV4 => "ip",
        family if family == i32::from(INET) => "inet",
        _ => return None,
    };
    let (mut table, mut name, mut hook, mut policy) = (String::new(), String::new(), None, None);
    let read = |value: &[u8]| value.try_into().ok().map(i32::from_be_bytes);
    for (kind, value) in attributes(entry.get(4..)?) {
        match kind {
            NFTA_CHAIN_TABLE => table = text(value),
            NFTA_CHAIN_NAME => name = text(value),
            NFTA_CHAIN_POLICY => policy = read(value),
            NFTA_CHAIN_HOOK => {
                let mut parts = attributes(value);
                hook = parts.find(|(kind, _)| *kind == NFTA_HOOK_NUMBER).and_then(|(_, value)| read(value));
            }
            _ => {}
        }
    }
    let drops = hook == Some(libc::NF_INET_FORWARD) && policy == Some(libc::NF_DROP);
    drops.then(|| format!("{family} {table} {name}"))
}
