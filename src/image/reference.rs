//! What an image is called: `[registry/]repository[:tag][@digest]`, and what the short names of Docker Hub stand for.
//!
//! The first part names a registry if it could not be anything else: it has a dot or a colon in it, or is `localhost`. So
//! `nginx` is `docker.io/library/nginx:latest`, and `me/app` is `docker.io/me/app:latest`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::digest::{Digest, InvalidDigest};

/// An image's name, or one of its names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no image name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidReference {
    /// There are capital letters in it.
    #[error("`{0}` is not an image name: repository names are lowercase (try {1})")]
    Uppercase(String, String),
    /// The repository is not one.
    #[error(
        "`{0}` is not an image name: invalid reference format (write [registry/]name[:tag], the name in lowercase letters, digits, and single `.`, `_`, `-` or `/` between them)"
    )]
    Format(String),
    /// The tag is not one.
    #[error(
        "`{0}` has an invalid tag (letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`, at most 128)"
    )]
    Tag(String),
    /// The digest is not one.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    /// It could as well be the number of an image.
    #[error("`{0}` is not an image name: 64 hexadecimal digits are the id of an image")]
    Id(String),
}

/// Where short names lead.
const HUB: &str = "docker.io";
/// Its older name.
const OLD_HUB: &str = "index.docker.io";
/// Where on the hub the official images are.
const OFFICIAL: &str = "library/";
/// The tag that is meant where none is given.
const LATEST: &str = "latest";
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;

impl Reference {
    /// The registry, with its port if it has one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository there.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if there is one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if there is one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a registry is asked for: the digest if there is one, else the tag.
    pub fn wanted(&self) -> &str {
        self.digest.as_ref().map_or_else(|| self.tag.as_deref().unwrap_or(LATEST), Digest::as_str)
    }

    /// With `latest` where nothing more exact was said.
    #[must_use]
    pub fn or_latest(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some(LATEST.into());
        }
        self
    }

    /// The same repository at this digest.
    #[must_use]
    pub fn at(&self, digest: &Digest) -> Self {
        Self { tag: None, digest: Some(digest.clone()), ..self.clone() }
    }

    /// The same repository with this tag.
    #[must_use]
    pub fn tagged(&self, tag: &str) -> Self {
        Self { tag: Some(tag.into()), digest: None, ..self.clone() }
    }

    /// Registry and repository, as short as people write it.
    pub fn familiar_name(&self) -> String {
        if self.registry == HUB {
            return self.repository.strip_prefix(OFFICIAL).unwrap_or(&self.repository).into();
        }
        format!("{}/{}", self.registry, self.repository)
    }

    /// All of it, as short as people write it.
    pub fn familiar(&self) -> String {
        self.familiar_name() + &self.exactly()
    }

    fn exactly(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}"));
        let digest = self.digest.as_ref().map(|digest| format!("@{digest}"));
        [tag, digest].into_iter().flatten().collect()
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(InvalidReference::Tag(text.into()));
        }
        if tag.is_none() && Digest::from_hex(name).is_ok() {
            return Err(InvalidReference::Id(text.into()));
        }
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest.to_owned()),
            _ => (HUB, name.to_owned()),
        };
        let registry = if registry == OLD_HUB { HUB } else { registry };
        let repository = if registry == HUB && !repository.contains('/') {
            format!("{OFFICIAL}{repository}")
        } else {
            repository
        };
        if !is_host(registry) || registry.len() + repository.len() > LONGEST_NAME {
            return Err(InvalidReference::Format(text.into()));
        }
        if !repository.split('/').all(is_path_part) {
            let lower = text.to_lowercase();
            let only_capitals = repository.to_lowercase().split('/').all(is_path_part);
            return Err(if only_capitals {
                InvalidReference::Uppercase(text.into(), lower)
            } else {
                InvalidReference::Format(text.into())
            });
        }
        Ok(Self { registry: registry.into(), repository, tag: tag.map(Into::into), digest })
    }
}

/// The whole name, with nothing left to guess.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.registry, self.repository, self.exactly())
    }
}

fn is_registry(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || (first.chars().any(char::is_uppercase) && first.to_lowercase() != first)
}

fn is_host(registry: &str) -> bool {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (registry, None),
    };
    let labelled = |host: &str| {
        let label = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        host.split('.').all(label)
    };
    let address = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
    };
    port.is_none_or(|port| port.parse::<u16>().is_ok()) && (labelled(host) || address(host))
}

/// Runs of lowercase letters and digits, joined by one dot, one or two underscores, or any number of dashes.
fn is_path_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    let joined = part.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    ends.is_some_and(|(first, last)| plain(*first) && plain(*last))
        && joined
            .filter(|between| !between.is_empty())
            .all(|between| matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !tag.is_empty() && tag.len() <= LONGEST_TAG && tag.bytes().all(inside) && !tag.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> String {
        text.parse::<Reference>().unwrap().or_latest().to_string()
    }

    #[test]
    fn short_names_mean_what_people_expect() {
        for (short, long) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("me/app", "docker.io/me/app:latest"),
            ("docker.io/nginx", "docker.io/library/nginx:latest"),
            ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app:1", "localhost:5000/app:1"),
            ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest"),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            ("ghcr.io/me/a_b--c.d", "ghcr.io/me/a_b--c.d:latest"),
        ] {
            assert_eq!(whole(short), long);
        }
    }

    #[test]
    fn a_digest_is_more_exact_than_any_tag() {
        let digest = Digest::of(b"");
        let reference: Reference = format!("nginx:1@{digest}").parse().unwrap();
        assert_eq!((reference.tag(), reference.wanted()), (Some("1"), digest.as_str()));
        assert_eq!(reference.familiar(), format!("nginx:1@{digest}"));
        assert_eq!(reference.at(&digest).familiar(), format!("nginx@{digest}"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            ":",
            "a:",
            ":a",
            "/a",
            "a/",
            "a//b",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "a b",
            "a:b c",
            "a@b",
            "ä",
            "http://a/b",
            "a:b:c",
            &"a".repeat(64),
            &"a".repeat(300),
            "a:.b",
            "../a",
            "localhost:x/a",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text} was read");
        }
        let error = "MyApp".parse::<Reference>().unwrap_err().to_string();
        assert!(error.contains("lowercase") && error.contains("try myapp"), "{error}");
    }
}
