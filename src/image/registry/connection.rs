//! HTTP to one repository of one registry. Who we are is said when it is asked for, and then from the beginning.

use std::io::Read;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, SendBody};

use super::RegistryError;
use super::credentials::{Credentials, Keyring, TOKEN};
use crate::image::reference::Reference;

/// A repository.
pub(super) struct Connection {
    agent: Agent,
    base: String,
    registry: String,
    repository: String,
    access: Access,
    credentials: Option<Credentials>,
    /// What is said to every request, once it has been asked for.
    authorization: Mutex<Option<String>>,
}

/// What is wanted of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Pull,
    Push,
}

impl Access {
    fn scope(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

/// What a request carries.
pub(super) enum Load<'a> {
    Nothing,
    Bytes(&'a [u8]),
    /// So many bytes of a stream, which can be sent once.
    Stream(&'a mut dyn Read, u64),
}

/// A request.
pub(super) struct Ask<'a> {
    pub(super) method: &'static str,
    /// Beneath the registry's address, or all of an address.
    pub(super) path: &'a str,
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) load: Load<'a>,
}

const CONNECT: Duration = Duration::from_secs(15);
/// Nothing at all for so long is a broken connection.
const SILENCE: Duration = Duration::from_secs(60);
/// Where systems keep whom they trust.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// The longest answer that is no blob.
const LONGEST: u64 = 8 << 20;

impl Connection {
    pub(super) fn open(
        reference: &Reference,
        access: Access,
        keyring: &Keyring,
    ) -> Result<Self, RegistryError> {
        let registry = reference.registry();
        let credentials = keyring.find(registry)?;
        let mut connection = Self::to(registry, credentials);
        connection.repository = reference.repository().into();
        connection.access = access;
        Ok(connection)
    }

    fn to(registry: &str, credentials: Option<Credentials>) -> Self {
        let host = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
        let loopback = is_loopback(host);
        let agent = agent(host, loopback);
        let mut connection = Self {
            agent,
            base: format!("https://{host}"),
            registry: registry.into(),
            repository: String::new(),
            access: Access::Pull,
            credentials,
            authorization: Mutex::new(None),
        };
        if loopback {
            // Nobody listens in between. A registry there that wants TLS says so.
            let plain = format!("http://{host}");
            let speaks_tls = connection
                .agent
                .get(format!("{plain}/v2/"))
                .call()
                .is_ok_and(|response| response.status() == StatusCode::BAD_REQUEST);
            if !speaks_tls {
                connection.base = plain;
            }
        }
        connection
    }

    pub(super) fn registry(&self) -> &str {
        &self.registry
    }

    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    /// A request; if we have to say who we are, it is said and asked once more.
    pub(super) fn ask(&self, ask: Ask<'_>) -> Result<Response<Body>, RegistryError> {
        let Ask { method, path, headers, mut load } = ask;
        let url = if path.contains("://") { path.to_owned() } else { format!("{}{path}", self.base) };
        // Not to whomever the registry sends us to.
        let own = url.starts_with(&self.base);
        let response = self.send(method, &url, headers, &mut load, own)?;
        if response.status() != StatusCode::UNAUTHORIZED || !own {
            return Ok(response);
        }
        let challenge = header(&response, "www-authenticate").unwrap_or_default();
        self.authorize(&challenge)?;
        if matches!(load, Load::Stream(..)) {
            // It has been read in part: whoever sends it begins anew.
            return Ok(response);
        }
        self.send(method, &url, headers, &mut load, own)
    }

    fn send(
        &self,
        method: &'static str,
        url: &str,
        headers: &[(&'static str, &str)],
        load: &mut Load<'_>,
        own: bool,
    ) -> Result<Response<Body>, RegistryError> {
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let authorization =
            self.authorization.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(authorization) = authorization.filter(|_| own) {
            request = request.header("authorization", authorization);
        }
        let failed = |error: ureq::Error| RegistryError::Connection {
            registry: self.registry.clone(),
            source: Box::new(error),
        };
        let sent = match load {
            Load::Nothing => self.agent.run(request.body(()).map_err(|error| failed(error.into()))?),
            Load::Bytes(bytes) => self.agent.run(request.body(*bytes).map_err(|error| failed(error.into()))?),
            Load::Stream(stream, length) => {
                let request = request.header("content-length", length.to_string());
                let body = SendBody::from_reader(*stream);
                self.agent.run(request.body(body).map_err(|error| failed(error.into()))?)
            }
        };
        sent.map_err(failed)
    }

    /// Finds out what to say to `Basic …` or `Bearer realm="…",service="…"`.
    fn authorize(&self, challenge: &str) -> Result<(), RegistryError> {
        let basic = || self.credentials.as_ref().map(basic_of);
        let said = match challenge.split_once(' ') {
            Some((kind, parameters)) if kind.eq_ignore_ascii_case("bearer") => Some(self.token(parameters)?),
            _ => basic(),
        };
        *self.authorization.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = said;
        Ok(())
    }

    fn token(&self, parameters: &str) -> Result<String, RegistryError> {
        let parameter = |name: &str| {
            let begin = parameters.find(&format!("{name}=\""))? + name.len() + 2;
            let length = parameters[begin..].find('"')?;
            Some(&parameters[begin..begin + length])
        };
        let realm = parameter("realm").unwrap_or_default();
        let service = parameter("service").unwrap_or_default();
        let scope = format!("repository:{}:{}", self.repository, self.access.scope());
        let failed = |error: ureq::Error| RegistryError::Connection {
            registry: realm.into(),
            source: Box::new(error),
        };
        let mut response = match &self.credentials {
            Some(credentials) if credentials.user == TOKEN => {
                let form = [
                    ("grant_type", "refresh_token"),
                    ("service", service),
                    ("client_id", "terrarium"),
                    ("scope", &scope),
                    ("refresh_token", &credentials.secret),
                ];
                self.agent.post(realm).send_form(form).map_err(failed)?
            }
            credentials => {
                let mut request = self.agent.get(realm).query("service", service);
                if !self.repository.is_empty() {
                    request = request.query("scope", &scope);
                }
                if let Some(credentials) = credentials {
                    request = request.header("authorization", basic_of(credentials));
                }
                request.call().map_err(failed)?
            }
        };
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(RegistryError::WrongCredentials(self.registry.clone()));
        }
        let text = body(&mut response);
        let answer: Value = serde_json::from_slice(&text).unwrap_or_default();
        match answer["token"].as_str().or_else(|| answer["access_token"].as_str()) {
            Some(token) => Ok(format!("Bearer {token}")),
            None => Err(self.unexpected(&format!("GET {realm}"), response.status(), &text)),
        }
    }

    /// An answer that was not hoped for, in words.
    pub(super) fn refusal(&self, asked: &str, image: &str, mut response: Response<Body>) -> RegistryError {
        let text = body(&mut response);
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => match &self.credentials {
                Some(_) if response.status() == StatusCode::UNAUTHORIZED => {
                    RegistryError::WrongCredentials(self.registry.clone())
                }
                _ => RegistryError::Denied {
                    what: self.access.word(),
                    image: image.into(),
                    registry: self.registry.clone(),
                },
            },
            StatusCode::NOT_FOUND => RegistryError::NotFound(image.into()),
            status => self.unexpected(asked, status, &text),
        }
    }

    fn unexpected(&self, asked: &str, status: StatusCode, text: &[u8]) -> RegistryError {
        let answer: Value = serde_json::from_slice(text).unwrap_or_default();
        let said = answer["errors"][0]["message"].as_str().map(Into::into);
        let said: String = said.unwrap_or_else(|| String::from_utf8_lossy(text).chars().take(200).collect());
        let said =
            if said.trim().is_empty() { "and says no more".to_owned() } else { said.trim().to_owned() };
        RegistryError::Answer {
            registry: self.registry.clone(),
            status: status.as_u16(),
            asked: asked.into(),
            said,
        }
    }
}

/// Whether a registry lets somebody in.
pub fn check_login(registry: &str, credentials: &Credentials) -> Result<(), RegistryError> {
    let connection = Connection::to(registry, Some(credentials.clone()));
    let response = connection.ask(Ask { method: "GET", path: "/v2/", headers: &[], load: Load::Nothing })?;
    match response.status() {
        StatusCode::OK => Ok(()),
        _ => Err(connection.refusal("GET /v2/", registry, response)),
    }
}

/// All of a short answer.
pub(super) fn body(response: &mut Response<Body>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = response.body_mut().as_reader().take(LONGEST).read_to_end(&mut bytes);
    bytes
}

pub(super) fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(Into::into)
}

fn basic_of(credentials: &Credentials) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", credentials.user, credentials.secret)))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn agent(host: &str, loopback: bool) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(SILENCE))
        .timeout_per_write(Some(SILENCE))
        .user_agent(concat!("terrarium/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(trusted(host)).build());
    if loopback {
        config = config.proxy(None);
    }
    config.build().new_agent()
}

/// Whom the system trusts, and whom Docker is told to trust for this registry; else the usual authorities.
fn trusted(host: &str) -> RootCerts {
    let named = std::env::var("SSL_CERT_FILE").ok();
    let bundle = named.into_iter().chain(BUNDLES.map(String::from)).find_map(|path| std::fs::read(path).ok());
    let directory = std::fs::read_dir(format!("/etc/docker/certs.d/{host}"));
    let own = directory.into_iter().flatten().flatten().map(|entry| entry.path());
    let own = own
        .filter(|path| path.extension().is_some_and(|kind| kind == "crt"))
        .filter_map(|path| std::fs::read(path).ok());
    let mut certificates = Vec::new();
    for text in bundle.into_iter().chain(own) {
        let items = parse_pem(&text).filter_map(Result::ok);
        certificates.extend(items.filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        }));
    }
    if certificates.is_empty() { RootCerts::WebPki } else { RootCerts::from(certificates) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["docker.io", "localhost.example.org", "10.0.0.1:5000", "127.0.0.1.example.org"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
