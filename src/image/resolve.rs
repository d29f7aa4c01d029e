//! What a container is, of what its image says and of what was asked for.
//!
//! What is asked for wins, and what is not asked for is the image's, with the exceptions that Docker makes (moby
//! `daemon/commit.go` `merge`): who asks for an entry point does not get the image's command, variables and labels are joined
//! one by one, and so are the parts of a health check.

use std::time::Duration;

use thiserror::Error;

use super::config::{Healthcheck, RuntimeConfig};
use crate::model::{ContainerSpec, HealthCheck, InvalidSignal, PortBinding, Protocol, Signal};

/// Why an image and a wish make no container.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// Neither says what to run.
    #[error(
        "no command specified: image {0} has no CMD and no ENTRYPOINT (say after the image's name what to run)"
    )]
    NoCommand(String),
    /// The image says a signal that is none.
    #[error("image {image} has a STOPSIGNAL that is none: {source} (choose another with --stop-signal)")]
    StopSignal {
        /// Which.
        image: String,
        /// Why not.
        source: InvalidSignal,
    },
}

/// What runs a text where an image does not say.
pub const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// The container that comes of it.
pub fn resolve(image: &RuntimeConfig, wish: &ContainerSpec) -> Result<ContainerSpec, ResolveError> {
    let mut spec = wish.clone();
    let no_entrypoint = wish.entrypoint.as_ref().is_none_or(Vec::is_empty);
    if no_entrypoint && wish.command.as_ref().is_none_or(Vec::is_empty) {
        spec.command.clone_from(&image.cmd);
    }
    if wish.entrypoint.is_none() {
        spec.entrypoint.clone_from(&image.entrypoint);
    }
    // An empty entry point that was asked for is none: `--entrypoint ""`.
    if spec.entrypoint.as_deref().is_some_and(|words| words == [String::new()]) {
        spec.entrypoint = None;
    }
    let any = |words: &Option<Vec<String>>| words.as_ref().is_some_and(|words| !words.is_empty());
    if !any(&spec.entrypoint) && !any(&spec.command) {
        return Err(ResolveError::NoCommand(wish.image.clone()));
    }
    for (name, value) in image.variables() {
        if !wish.unset_env.contains(&name) {
            spec.env.entry(name).or_insert(value);
        }
    }
    for (name, value) in &image.labels {
        spec.labels.entry(name.clone()).or_insert_with(|| value.clone());
    }
    spec.workdir = wish.workdir.clone().or_else(|| said(&image.working_dir));
    spec.user = wish.user.clone().or_else(|| said(&image.user));
    if let Some(text) =
        image.stop_signal.as_deref().filter(|text| !text.is_empty() && wish.stop_signal.is_none())
    {
        let wrong = |source| ResolveError::StopSignal { image: wish.image.clone(), source };
        spec.stop_signal = Some(text.parse::<Signal>().map_err(wrong)?);
    }
    spec.health = health(image, wish.health.as_ref());
    Ok(spec)
}

/// The ports that an image says it listens on, published at any free port of the host: `-P`.
pub fn exposed(image: &RuntimeConfig) -> Vec<PortBinding> {
    let binding = |text: &String| {
        let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return None,
        };
        Some(PortBinding { ip: None, host: None, container: port.parse().ok()?, protocol })
    };
    image.exposed_ports.iter().filter_map(binding).collect()
}

fn health(image: &RuntimeConfig, wish: Option<&HealthCheck>) -> Option<HealthCheck> {
    let inherited = image.healthcheck.as_ref().map(|check| of_image(check, &image.shell));
    let check = match (wish.cloned(), inherited) {
        (Some(wish), Some(inherited)) => HealthCheck {
            test: if wish.test.is_empty() { inherited.test } else { wish.test },
            interval: or(wish.interval, inherited.interval),
            timeout: or(wish.timeout, inherited.timeout),
            start_period: or(wish.start_period, inherited.start_period),
            retries: if wish.retries == 0 { inherited.retries } else { wish.retries },
        },
        (wish, inherited) => wish.or(inherited)?,
    };
    let test = in_words(&check.test, &image.shell);
    let none = test.first().is_none_or(|form| form == "NONE");
    (!none).then_some(HealthCheck { test, ..check })
}

fn of_image(check: &Healthcheck, shell: &[String]) -> HealthCheck {
    HealthCheck {
        test: in_words(&check.test, shell),
        interval: Duration::from_nanos(check.interval),
        timeout: Duration::from_nanos(check.timeout),
        retries: check.retries,
        start_period: Duration::from_nanos(check.start_period),
    }
}

/// A text is given to the image's shell.
fn in_words(test: &[String], shell: &[String]) -> Vec<String> {
    match test {
        [form, line @ ..] if form == "CMD-SHELL" => {
            let shell = if shell.is_empty() { SHELL.map(String::from).to_vec() } else { shell.to_vec() };
            ["CMD".to_owned()].into_iter().chain(shell).chain(line.iter().cloned()).collect()
        }
        _ => test.to_vec(),
    }
}

fn or(wish: Duration, inherited: Duration) -> Duration {
    if wish.is_zero() { inherited } else { wish }
}

fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: Option<&str>) -> Option<Vec<String>> {
        text.map(|text| text.split(' ').filter(|word| !word.is_empty()).map(Into::into).collect())
    }

    /// What runs, as one line; the image's two texts, then what was asked for.
    fn runs(image: (Option<&str>, Option<&str>), wish: (Option<Vec<String>>, Option<&str>)) -> String {
        let image =
            RuntimeConfig { entrypoint: words(image.0), cmd: words(image.1), ..RuntimeConfig::default() };
        let wish = ContainerSpec { entrypoint: wish.0, command: words(wish.1), ..ContainerSpec::default() };
        match resolve(&image, &wish) {
            Ok(spec) => {
                [spec.entrypoint, spec.command].into_iter().flatten().flatten().collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string().split(':').next().unwrap().into(),
        }
    }

    /// Every row is what Docker 20.10 shows as `.Path` and `.Args` of such a container.
    #[test]
    fn entry_point_and_command_are_overridden_as_by_docker() {
        let none = || None;
        let asked = |text: &str| Some(vec![text.to_owned()]);
        let nothing = "no command specified";
        for (entrypoint, cmd, asked_entrypoint, arguments, expected) in [
            (None, None, none(), None, nothing),
            (None, None, none(), Some("a b"), "a b"),
            (None, Some("c d"), none(), None, "c d"),
            (None, Some("c d"), none(), Some("a"), "a"),
            (Some("e f"), None, none(), None, "e f"),
            (Some("e f"), None, none(), Some("a"), "e f a"),
            (Some("e f"), Some("c d"), none(), None, "e f c d"),
            (Some("e f"), Some("c d"), none(), Some("a"), "e f a"),
            (None, None, asked("x"), None, "x"),
            (None, Some("c d"), asked("x"), None, "x"),
            (Some("e"), Some("c d"), asked("x"), None, "x"),
            (Some("e"), Some("c d"), asked("x"), Some("a"), "x a"),
            (Some("e"), Some("c d"), asked(""), None, nothing),
            (Some("e"), Some("c d"), asked(""), Some("a"), "a"),
            (Some("e"), None, asked(""), None, nothing),
            // An empty list through the API: the image's command stays.
            (Some("e"), Some("c d"), Some(Vec::new()), None, "c d"),
            // A shell form keeps what follows it, which the shell calls $0 and $1.
            (Some("/bin/sh -c text"), Some("c d"), none(), None, "/bin/sh -c text c d"),
            (Some("/bin/sh -c text"), None, none(), Some("a"), "/bin/sh -c text a"),
        ] {
            let shown = format!("{entrypoint:?} {cmd:?} {asked_entrypoint:?} {arguments:?}");
            assert_eq!(runs((entrypoint, cmd), (asked_entrypoint, arguments)), expected, "{shown}");
        }
    }

    fn image() -> RuntimeConfig {
        RuntimeConfig {
            cmd: words(Some("serve")),
            env: vec!["A=image".into(), "B=image".into(), "PATH=/image".into()],
            labels: [("l".to_owned(), "image".to_owned())].into(),
            working_dir: "/image".into(),
            user: "image".into(),
            stop_signal: Some("SIGQUIT".into()),
            ..RuntimeConfig::default()
        }
    }

    #[test]
    fn what_is_asked_for_wins_and_what_is_not_is_the_images() {
        let spec = resolve(&image(), &ContainerSpec::default()).unwrap();
        assert_eq!((spec.workdir.as_deref(), spec.user.as_deref()), (Some("/image"), Some("image")));
        assert_eq!(spec.stop_signal.unwrap().to_string(), "SIGQUIT");
        let wish = ContainerSpec {
            env: [("A".to_owned(), "mine".to_owned())].into(),
            unset_env: ["B".to_owned()].into(),
            labels: [("m".to_owned(), "mine".to_owned())].into(),
            workdir: Some("/mine".into()),
            user: Some("mine".into()),
            stop_signal: Some(Signal::TERM),
            ..ContainerSpec::default()
        };
        let spec = resolve(&image(), &wish).unwrap();
        let env: Vec<String> = spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(env, ["A=mine", "PATH=/image"]);
        assert_eq!(spec.labels.len(), 2);
        assert_eq!((spec.workdir.as_deref(), spec.user.as_deref()), (Some("/mine"), Some("mine")));
        assert_eq!(spec.stop_signal, Some(Signal::TERM));
    }

    #[test]
    fn a_signal_that_is_none_is_named() {
        let image = RuntimeConfig { stop_signal: Some("SIGNONE".into()), ..image() };
        let error = resolve(&image, &ContainerSpec::default()).unwrap_err().to_string();
        assert!(error.contains("SIGNONE") && error.contains("--stop-signal"), "{error}");
    }

    #[test]
    fn a_health_check_is_inherited_part_by_part() {
        let second = 1_000_000_000;
        let healthcheck = Healthcheck {
            test: vec!["CMD-SHELL".into(), "wget -q localhost".into()],
            interval: 5 * second,
            retries: 2,
            ..Healthcheck::default()
        };
        let image = RuntimeConfig { healthcheck: Some(healthcheck), ..image() };
        let inherited = resolve(&image, &ContainerSpec::default()).unwrap().health.unwrap();
        assert_eq!(inherited.test, ["CMD", "/bin/sh", "-c", "wget -q localhost"]);
        assert_eq!((inherited.interval, inherited.retries), (Duration::from_secs(5), 2));

        let zero = Duration::ZERO;
        let part = HealthCheck {
            test: Vec::new(),
            interval: Duration::from_secs(1),
            timeout: zero,
            retries: 0,
            start_period: zero,
        };
        let asked = |health: HealthCheck| {
            let wish = ContainerSpec { health: Some(health), ..ContainerSpec::default() };
            resolve(&image, &wish).unwrap().health
        };
        let joined = asked(part.clone()).unwrap();
        assert_eq!((joined.test.len(), joined.interval, joined.retries), (4, Duration::from_secs(1), 2));
        assert_eq!(asked(HealthCheck { test: vec!["NONE".into()], ..part }), None);
    }

    #[test]
    fn exposed_ports_are_published_at_any_free_port() {
        let ports = ["80/tcp", "53/udp", "8080", "9/sctp"].map(str::to_owned);
        let image = RuntimeConfig { exposed_ports: ports.into(), ..RuntimeConfig::default() };
        let found: Vec<_> =
            exposed(&image).iter().map(|port| (port.container, port.protocol, port.host)).collect();
        assert_eq!(
            found,
            [(53, Protocol::Udp, None), (80, Protocol::Tcp, None), (8080, Protocol::Tcp, None)]
        );
    }
}
