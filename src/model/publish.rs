//! Published ports as people write them: `8080:80`, `127.0.0.1:8080:80/udp`, `[::1]::80`, `8000-8003:80-83`, or `80` alone.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, net::IpAddr, ops::RangeInclusive};

use thiserror::Error;

use super::{PortBinding, Protocol};

/// Why a text does not say which ports are published.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidPublish {
    /// A number that is too large, too small, or none.
    #[error("`{0}` is no port (they go from 1 to 65535; `80` alone takes any free one of the host)")]
    Port(String),
    /// A range that ends before it begins.
    #[error("`{0}` is no range of ports (write the lower one first, like 8000-8003)")]
    Range(String),
    /// Two ranges that do not go together.
    #[error("`{0}` has {1} of the host for {2} of the container (give each its own, like 8000-8003:80-83)")]
    Lengths(String, usize, usize),
    /// What stands where an address should.
    #[error("`{0}` is no address (write 127.0.0.1:8080:80, or one of IPv6 in brackets: [::1]:8080:80)")]
    Address(String),
    /// Neither of the two.
    #[error("`{0}` is no protocol whose ports can be published (write tcp or udp)")]
    Protocol(String),
}

impl PortBinding {
    /// What one text comes to: one port, or as many as its range has.
    pub fn read(text: &str) -> Result<Vec<Self>, InvalidPublish> {
        let (ports, protocol) = match text.split_once('/') {
            None | Some((_, "tcp")) => (text.trim_end_matches("/tcp"), Protocol::Tcp),
            Some((ports, "udp")) => (ports, Protocol::Udp),
            Some((_, other)) => return Err(InvalidPublish::Protocol(other.into())),
        };
        let (outside, inside) = match ports.rsplit_once(':') {
            Some((outside, inside)) => (Some(outside), inside),
            None => (None, ports),
        };
        let (ip, host) = match outside.map(|outside| outside.rsplit_once(':').ok_or(outside)) {
            None => (None, None),
            Some(Err(host)) => (None, Some(host)),
            // Docker's way to say "any free port of this address".
            Some(Ok((ip, host))) => (Some(address(ip)?), Some(host).filter(|host| !host.is_empty())),
        };
        let inside = range(inside)?;
        let hosts: Vec<Option<u16>> = match host {
            None => inside.clone().map(|_| None).collect(),
            Some(host) => range(host)?.map(Some).collect(),
        };
        let count = inside.clone().count();
        if hosts.len() != count {
            return Err(InvalidPublish::Lengths(text.into(), hosts.len(), count));
        }
        let bindings = hosts.into_iter().zip(inside);
        Ok(bindings.map(|(host, container)| Self { ip, host, container, protocol }).collect())
    }
}

/// As it is read.
impl fmt::Display for PortBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:")?,
            Some(IpAddr::V4(ip)) => write!(f, "{ip}:")?,
            None => {}
        }
        match self.host {
            Some(host) => write!(f, "{host}:")?,
            None if self.ip.is_some() => f.write_str(":")?,
            None => {}
        }
        write!(f, "{}", self.container)?;
        match self.protocol {
            Protocol::Tcp => Ok(()),
            Protocol::Udp => f.write_str("/udp"),
        }
    }
}

fn address(text: &str) -> Result<IpAddr, InvalidPublish> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| InvalidPublish::Address(text.to_string()))
}

/// `80` or `8000-8010`.
fn range(text: &str) -> Result<RangeInclusive<u16>, InvalidPublish> {
    let port = |word: &str| match word.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(InvalidPublish::Port(word.into())),
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last { Err(InvalidPublish::Range(text.into())) } else { Ok(first..=last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports_read_back() {
        for text in
            ["80", "8080:80", "127.0.0.1:8080:80/udp", "[::1]:8080:80", "127.0.0.1::80", "[::1]::53/udp"]
        {
            let read = PortBinding::read(text).unwrap();
            assert_eq!(read.iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
        }
    }

    #[test]
    fn a_range_is_as_many_ports() {
        let read = |text| {
            PortBinding::read(text).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(read("8000-8002:80-82"), "8000:80 8001:81 8002:82");
        assert_eq!(read("127.0.0.1:8000-8001:80-81/udp"), "127.0.0.1:8000:80/udp 127.0.0.1:8001:81/udp");
        assert_eq!(read("80-81"), "80 81");
        assert_eq!(read("80/tcp"), "80");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let why = |text| PortBinding::read(text).unwrap_err().to_string();
        for (text, word) in [
            ("", "`` is no port"),
            ("80:", "`` is no port"),
            (":80", "`` is no port"),
            ("0:80", "`0` is no port"),
            ("80:0", "`0` is no port"),
            ("65536:80", "`65536` is no port"),
            ("-1:80", "`` is no port"),
            ("a:80", "`a` is no port"),
            ("80:80:80", "`80` is no address"),
            ("300.1.1.1:8080:80", "`300.1.1.1` is no address"),
            ("::1", "`` is no address"),
            ("80/sctp", "`sctp` is no protocol"),
            ("8003-8000:80-83", "`8003-8000` is no range"),
            ("8000-8003:80", "`8000-8003:80` has 4 of the host for 1 of the container"),
        ] {
            assert!(why(text).starts_with(word), "{text}: {}", why(text));
        }
    }
}
