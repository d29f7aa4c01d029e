//! Which containers `ps` shows: those that run, or those that its filters ask for.

use super::super::filter::{FilterError, Filters};
use super::super::pattern::Pattern;
use super::Portrait;
use crate::engine::journal::Moment;
use crate::model::{NetworkMode, Protocol};

/// What a container must be to be shown.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    filters: Filters,
    everybody: bool,
    names: Option<Vec<Pattern>>,
    ids: Option<Vec<Pattern>>,
    states: Option<Vec<&'static str>>,
    codes: Option<Vec<i32>>,
    healths: Option<Vec<&'static str>>,
    published: Option<Vec<PortRange>>,
    exposed: Option<Vec<PortRange>>,
    /// It was made before all of these, and after all of those.
    before: Vec<Moment>,
    since: Vec<Moment>,
}

/// `80`, `80/udp`, `8000-8080/tcp`.
#[derive(Clone, Copy, Debug)]
struct PortRange {
    first: u16,
    last: u16,
    protocol: Protocol,
}

const KEYS: [&str; 14] = [
    "ancestor", "before", "exited", "expose", "health", "id", "label", "name", "network", "publish", "since",
    "status", "volume", "is-task",
];
const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const HEALTHS: [&str; 4] = ["starting", "healthy", "unhealthy", "none"];

impl Selection {
    /// Reads filters. `made` tells when a container was made, for `before` and `since`.
    pub fn parse<E: From<FilterError>>(
        texts: &[String],
        made: impl Fn(&str) -> Result<Moment, E>,
    ) -> Result<Self, E> {
        let filters = Filters::parse(texts, &KEYS)?;
        let one_of = |words: &'static [&'static str]| {
            move |text: &str| words.iter().copied().find(|word| *word == text)
        };
        let made =
            |key: &str| filters.values(key).iter().map(|word| made(word)).collect::<Result<Vec<_>, E>>();
        Ok(Self {
            everybody: filters.asks_for("status"),
            names: filters.patterns("name")?,
            ids: filters.patterns("id")?,
            states: filters.read("status", &STATES.join(", "), one_of(&STATES))?,
            codes: filters.read("exited", "a number", |text| text.parse().ok())?,
            healths: filters.read("health", &HEALTHS.join(", "), one_of(&HEALTHS))?,
            published: filters.read("publish", PortRange::WANTED, PortRange::parse)?,
            exposed: filters.read("expose", PortRange::WANTED, PortRange::parse)?,
            before: made("before")?,
            since: made("since")?,
            filters,
        })
    }

    /// Those that have ended, too.
    #[must_use]
    pub fn of_everybody(self) -> Self {
        Self { everybody: true, ..self }
    }

    /// Whether a container is to be shown.
    pub fn takes(&self, of: &Portrait<'_>) -> bool {
        let state = of.status.state.docker();
        let health = of.status.health.map_or("none", |health| health.word());
        (self.everybody || of.is_running())
            && is_one_of(self.names.as_deref(), |pattern| {
                pattern.is_in(of.name()) || pattern.is_in(&format!("/{}", of.name()))
            })
            && is_one_of(self.ids.as_deref(), |pattern| pattern.is_in(of.id))
            && is_one_of(self.states.as_deref(), |wanted| *wanted == state)
            && is_one_of(self.codes.as_deref(), |code| !of.is_running() && of.status.exit == Some(*code))
            && is_one_of(self.healths.as_deref(), |wanted| *wanted == health)
            && is_one_of(self.published.as_deref(), |range| range.has_published(of))
            && is_one_of(self.exposed.as_deref(), |range| range.has_exposed(of))
            && self.before.iter().all(|than| of.account.opened.wall < than.wall)
            && self.since.iter().all(|than| of.account.opened.wall > than.wall)
            && self.matches_words(of)
            && self.filters.match_labels(|key| of.spec.labels.get(key).map(String::as_str))
    }

    fn matches_words(&self, of: &Portrait<'_>) -> bool {
        let any = |key: &str, is: &dyn Fn(&str) -> bool| {
            let values = self.filters.values(key);
            values.is_empty() || values.iter().any(|value| is(value))
        };
        any("ancestor", &|image| is_image(&of.spec.image, image))
            && any("network", &|network| is_network(&of.spec.network, network))
            && any("volume", &|volume| {
                of.spec.volumes.iter().any(|mount| mount.source == volume || mount.target == volume)
            })
            && any("is-task", &|wanted| matches!(wanted, "false" | "0"))
    }
}

impl PortRange {
    const WANTED: &str = "a port, like 80, 80/udp or 8000-8080/tcp";

    fn parse(text: &str) -> Option<Self> {
        let (ports, protocol) = match text.split_once('/') {
            None => (text, Protocol::Tcp),
            Some((ports, "tcp")) => (ports, Protocol::Tcp),
            Some((ports, "udp")) => (ports, Protocol::Udp),
            Some(_) => return None,
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()?, protocol })
    }

    fn holds(self, port: u16, protocol: Protocol) -> bool {
        (self.first..=self.last).contains(&port) && self.protocol == protocol
    }

    fn has_published(self, of: &Portrait<'_>) -> bool {
        of.status.ports.iter().any(|port| self.holds(port.host, port.protocol))
    }

    fn has_exposed(self, of: &Portrait<'_>) -> bool {
        of.spec.publish.iter().any(|port| self.holds(port.container, port.protocol))
    }
}

/// Whether any of what was asked for is so; nothing was asked for is so, too.
fn is_one_of<T>(wanted: Option<&[T]>, is: impl Fn(&T) -> bool) -> bool {
    wanted.is_none_or(|wanted| wanted.iter().any(is))
}

/// `lab` is also `lab:latest`, and the other way round.
fn is_image(own: &str, wanted: &str) -> bool {
    let bare = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
    bare(own) == bare(wanted)
}

fn is_network(own: &NetworkMode, wanted: &str) -> bool {
    match own {
        NetworkMode::Bridge => wanted == "bridge" || wanted == "default",
        NetworkMode::None => wanted == "none",
        NetworkMode::Host => wanted == "host",
        NetworkMode::Container(name) => wanted.strip_prefix("container:") == Some(name.as_str()),
    }
}
