//! Who we are to which registry: in Docker's own file, or with the helper that the file names.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::RegistryError;

/// A user's name and what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// Password, or a token in its place.
    pub secret: String,
}

/// The user's credentials for all registries.
#[derive(Clone, Debug)]
pub struct Keyring {
    path: PathBuf,
}

/// What Docker Hub is called in the file.
const HUB: &str = "https://index.docker.io/v1/";

impl Keyring {
    /// Where Docker keeps them.
    pub fn usual() -> Self {
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
        let directory =
            std::env::var_os("DOCKER_CONFIG").map(PathBuf::from).or_else(home).unwrap_or_default();
        Self { path: directory.join("config.json") }
    }

    /// Those for a registry, if there are any.
    pub fn find(&self, registry: &str) -> Result<Option<Credentials>, RegistryError> {
        let config = self.read()?;
        let key = key_of(registry);
        if let Some(helper) = helper(&config, key) {
            let Some(answer) = ask(&helper, "get", key.as_bytes()).map_err(failed("read"))? else {
                return Ok(None);
            };
            let answer: Value =
                serde_json::from_slice(&answer).map_err(|error| failed("read")(error.to_string()))?;
            let field = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
            return Ok(Some(Credentials { user: field("Username"), secret: field("Secret") }));
        }
        let names = [
            key.to_owned(),
            format!("https://{registry}"),
            format!("https://{registry}/v1/"),
            format!("https://{registry}/v2/"),
        ];
        let Some(entry) = names.iter().find_map(|name| config["auths"].get(name)) else { return Ok(None) };
        let field = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
        if let Some(token) = field("identitytoken") {
            return Ok(Some(Credentials { user: TOKEN.into(), secret: token.into() }));
        }
        if let Some((user, secret)) = field("username").zip(field("password")) {
            return Ok(Some(Credentials { user: user.into(), secret: secret.into() }));
        }
        let decoded = field("auth")
            .and_then(|text| STANDARD.decode(text).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
        Ok(pair.map(|(user, secret)| Credentials {
            user: user.into(),
            secret: secret.trim_end_matches('\0').into(),
        }))
    }

    /// Stores them, with the helper if there is one; says where.
    pub fn store(&self, registry: &str, credentials: &Credentials) -> Result<String, RegistryError> {
        let mut config = self.read()?;
        let key = key_of(registry);
        if let Some(helper) = helper(&config, key) {
            let entry =
                json!({ "ServerURL": key, "Username": credentials.user, "Secret": credentials.secret });
            ask(&helper, "store", entry.to_string().as_bytes()).map_err(failed("store"))?;
            return Ok(format!("docker-credential-{helper}"));
        }
        let auth = STANDARD.encode(format!("{}:{}", credentials.user, credentials.secret));
        let auths = config.as_object_mut().map(|all| all.entry("auths").or_insert_with(|| json!({})));
        let Some(auths) = auths.and_then(Value::as_object_mut) else {
            return Err(failed("store")(format!("{} has no map of `auths`", self.path.display())));
        };
        auths.insert(key.to_owned(), json!({ "auth": auth }));
        self.write(&config)?;
        Ok(self.path.display().to_string())
    }

    /// Erases them; says whether there were any.
    pub fn erase(&self, registry: &str) -> Result<bool, RegistryError> {
        let mut config = self.read()?;
        let key = key_of(registry);
        if let Some(helper) = helper(&config, key) {
            return Ok(ask(&helper, "erase", key.as_bytes()).map_err(failed("erase"))?.is_some());
        }
        let erased = config["auths"].as_object_mut().and_then(|auths| auths.remove(key)).is_some();
        if erased {
            self.write(&config)?;
        }
        Ok(erased)
    }

    fn read(&self) -> Result<Value, RegistryError> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| failed("read")(format!("{} is damaged: {error}", self.path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Value::Object(Map::new())),
            Err(error) => Err(failed("read")(format!("{}: {error}", self.path.display()))),
        }
    }

    /// All or nothing, and for nobody else to read.
    fn write(&self, config: &Value) -> Result<(), RegistryError> {
        let half = self.path.with_file_name(format!(".config.json.half-{}", std::process::id()));
        let write = || {
            if let Some(directory) = self.path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            }
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
            file.write_all(&serde_json::to_vec_pretty(config)?)?;
            file.sync_all()?;
            fs::rename(&half, &self.path)
        };
        write().map_err(|error| failed("store")(format!("{}: {error}", self.path.display())))
    }
}

/// The user name that stands for a token.
pub(super) const TOKEN: &str = "<token>";

fn key_of(registry: &str) -> &str {
    if registry == "docker.io" { HUB } else { registry }
}

fn helper(config: &Value, key: &str) -> Option<String> {
    let own = config["credHelpers"][key].as_str();
    own.or_else(|| config["credsStore"].as_str()).filter(|name| !name.is_empty()).map(Into::into)
}

/// None if it says that it does not have them.
fn ask(helper: &str, verb: &str, input: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let program = format!("docker-credential-{helper}");
    let cannot = |error: io::Error| format!("{program}: {error} (is it installed?)");
    let mut child = Command::new(&program)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input).map_err(cannot)?;
    }
    let output = child.wait_with_output().map_err(cannot)?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() {
        true => Ok(Some(output.stdout)),
        false if said.contains("credentials not found") => Ok(None),
        false => Err(format!("{program}: {said}")),
    }
}

fn failed(action: &'static str) -> impl Fn(String) -> RegistryError {
    move |why| RegistryError::Credentials { action, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_kept_where_docker_keeps_them_and_what_else_is_there_stays() {
        let desk = tempfile::tempdir().unwrap();
        let keyring = Keyring { path: desk.path().join("docker/config.json") };
        assert_eq!(keyring.find("localhost:5000").unwrap(), None);
        let mine = Credentials { user: "me".into(), secret: "se:cret".into() };
        keyring.store("localhost:5000", &mine).unwrap();
        let mut config: Value = serde_json::from_slice(&fs::read(&keyring.path).unwrap()).unwrap();
        assert_eq!(config["auths"]["localhost:5000"]["auth"], "bWU6c2U6Y3JldA==");
        config["psFormat"] = "mine".into();
        fs::write(&keyring.path, config.to_string()).unwrap();
        keyring.store("docker.io", &mine).unwrap();
        assert_eq!(keyring.find("docker.io").unwrap(), Some(mine.clone()));
        assert!(fs::read_to_string(&keyring.path).unwrap().contains("https://index.docker.io/v1/"));
        assert!(keyring.erase("localhost:5000").unwrap() && !keyring.erase("localhost:5000").unwrap());
        assert_eq!(keyring.find("localhost:5000").unwrap(), None);
        assert!(fs::read_to_string(&keyring.path).unwrap().contains("psFormat"));
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&keyring.path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        for damaged in ["[]", r#"{"auths":7}"#, "null"] {
            fs::write(&keyring.path, damaged).unwrap();
            let said = keyring.store("docker.io", &mine).unwrap_err().to_string();
            assert!(said.contains("has no map of `auths`"), "{said}");
            assert_eq!(keyring.find("docker.io").unwrap(), None);
        }
    }
}
