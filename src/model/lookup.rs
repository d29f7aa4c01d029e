//! Whom a container asks for names, and whose it knows by itself.

use alloc::{string::String, vec::Vec};
use core::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What is said of names at create. Where nothing is said, the host's own settings hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lookup {
    /// The servers that are asked.
    pub servers: Vec<IpAddr>,
    /// What is tried behind a name that says too little.
    pub search: Vec<SearchDomain>,
    /// How they are asked, in the words of resolv.conf.
    pub options: Vec<String>,
    /// Names that nobody has to be asked for.
    pub hosts: Vec<KnownHost>,
}

/// A domain to search in; `.` alone means none at all, not even the host's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SearchDomain(String);

/// A name, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KnownHost {
    /// The name.
    pub name: String,
    /// Where it leads.
    pub at: Whereabouts,
}

/// Where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Whereabouts {
    /// To this address.
    Address(IpAddr),
    /// To the host, as the container's network knows it.
    Host,
}

/// Why words about names cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidLookup {
    /// What stands where an address should.
    #[error("`{0}` is no address (write one like 192.0.2.53 or 2001:db8::53)")]
    Address(String),
    /// It could not be part of a name.
    #[error("`{0}` is no domain (write one like example.org, or `.` for none)")]
    Domain(String),
    /// One of the two is missing, or has blanks in it.
    #[error("`{0}` does not say whose address it is (write NAME:ADDRESS, or NAME:host-gateway for the host)")]
    Host(String),
    /// It has blanks in it.
    #[error("`{0}` is no option of resolv.conf (write one like ndots:2)")]
    Option(String),
}

/// Docker's word for the host.
const HOST: &str = "host-gateway";

impl Lookup {
    /// A server's address.
    pub fn server(text: &str) -> Result<IpAddr, InvalidLookup> {
        text.parse().map_err(|_| InvalidLookup::Address(text.into()))
    }

    /// A word for resolv.conf.
    pub fn option(text: &str) -> Result<String, InvalidLookup> {
        if is_word(text) { Ok(text.into()) } else { Err(InvalidLookup::Option(text.into())) }
    }
}

/// `NAME:ADDRESS` or `NAME=ADDRESS`; an address of IPv6 may stand in brackets.
impl FromStr for KnownHost {
    type Err = InvalidLookup;

    fn from_str(text: &str) -> Result<Self, InvalidLookup> {
        let parts = text.split_once('=').or_else(|| text.split_once(':'));
        let parts = parts.filter(|(name, address)| is_word(name) && !address.is_empty());
        let (name, address) = parts.ok_or_else(|| InvalidLookup::Host(text.into()))?;
        let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']'));
        let at = match address {
            HOST => Whereabouts::Host,
            _ => Whereabouts::Address(Lookup::server(bare.unwrap_or(address))?),
        };
        Ok(Self { name: name.into(), at })
    }
}

/// As Docker shows it.
impl fmt::Display for KnownHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Whereabouts::Address(address) => write!(f, "{}:{address}", self.name),
            Whereabouts::Host => write!(f, "{}:{HOST}", self.name),
        }
    }
}

impl FromStr for SearchDomain {
    type Err = InvalidLookup;

    fn from_str(text: &str) -> Result<Self, InvalidLookup> {
        let is_part = |part: &str| {
            let inner = part.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
            inner && !part.is_empty() && !part.starts_with('-') && !part.ends_with('-')
        };
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_domain =
            name.split('.').all(is_part) && name.contains(|letter: char| letter.is_ascii_alphabetic());
        if text == "." || is_domain { Ok(Self(text.into())) } else { Err(InvalidLookup::Domain(text.into())) }
    }
}

impl SearchDomain {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something that is one word on a line of others.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_known_host_is_read_as_docker_reads_it() {
        let read = |text: &str| text.parse::<KnownHost>().map(|host| host.to_string());
        let told = ["a:1.2.3.4", "b:::1", "c=5.6.7.8", "d:[::2]", "e:host-gateway", "f_!:1.2.3.4"];
        let shown = ["a:1.2.3.4", "b:::1", "c:5.6.7.8", "d:::2", "e:host-gateway", "f_!:1.2.3.4"];
        assert_eq!(told.map(|text| read(text).unwrap()), shown);
        for wrong in ["a", "a:", ":1.2.3.4", "a:x", "a b:1.2.3.4", "a\n9.9.9.9 b:1.2.3.4", "a:1.2.3"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_option_is_one_word() {
        assert_eq!(Lookup::option("ndots:2").unwrap(), "ndots:2");
        for wrong in ["", "ndots:2 rotate", "ndots:2\nnameserver 9.9.9.9"] {
            assert!(Lookup::option(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_domain_is_made_of_names() {
        for good in [".", "example.org", "corp.example.", "x", "a-b.c0"] {
            assert_eq!(good.parse::<SearchDomain>().unwrap().as_str(), good);
        }
        for wrong in ["", ".x", "x..y", "-x", "x_y", "1.2.3.4", "a b", "x\nnameserver 9.9.9.9"] {
            assert!(wrong.parse::<SearchDomain>().is_err(), "{wrong}");
        }
    }
}
