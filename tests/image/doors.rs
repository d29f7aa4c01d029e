//! Registries that do not let just anybody in: by a token from somewhere else, or over TLS by a certificate that one has to
//! trust.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use assert_cmd::cargo::cargo_bin;
use terrarium::image::Digest;
use terrarium::image::config::ImageConfig;
use terrarium::image::manifest::{CONFIG, Descriptor, INDEX, Index, LAYER, MANIFEST, Manifest};
use terrarium::image::platform::Platform;
use terrarium::image::store::Store;

use crate::crafted::Crafted;
use crate::registries::{Door, Registry};

fn terrarium(desk: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin("terrarium"));
    command.arg("--root").arg(desk.join("root")).args(words).env("DOCKER_CONFIG", desk.join("docker"));
    command
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// What a registry has by path: its kind and its bytes.
#[derive(Default)]
struct Shelf(BTreeMap<String, (String, Vec<u8>)>);

impl Shelf {
    fn put(&mut self, place: &str, kind: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = Descriptor::new(kind, Digest::of(bytes), bytes.len() as u64);
        for name in [descriptor.digest.to_string(), "1".into()] {
            self.0.insert(format!("/v2/app/{place}/{name}"), (kind.into(), bytes.to_owned()));
        }
        descriptor
    }

    /// An image with one file that says where it runs.
    fn image(&mut self, platform: &Platform) -> Descriptor {
        let layer = Crafted::default().file("where", &platform.to_string()).bytes();
        let mut config = ImageConfig::scratch();
        config.platform = platform.clone();
        config.rootfs.diff_ids = vec![Digest::of(&layer)];
        let layer = self.put("blobs", LAYER, &layer);
        let config = self.put("blobs", CONFIG, &serde_json::to_vec(&config).unwrap());
        let manifest = serde_json::to_vec(&Manifest::new(config, vec![layer])).unwrap();
        let mut descriptor = self.put("manifests", MANIFEST, &manifest);
        descriptor.platform = Some(platform.clone());
        descriptor
    }
}

/// Answers whoever brings the token that it gives to `me` with the password `secret`; notes what it was asked for.
fn guarded(shelf: Shelf) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (shelf, notes) = (Arc::new(shelf), Arc::clone(&asked));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (shelf, notes) = (Arc::clone(&shelf), Arc::clone(&notes));
            thread::spawn(move || while answer(&stream, port, &shelf, &notes).is_some() {});
        }
    });
    (port, asked)
}

fn answer(mut stream: &TcpStream, port: u16, shelf: &Shelf, notes: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let said = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("authorization").then(|| value.to_owned())
    });
    notes.lock().unwrap().push(path.clone());
    // me:secret
    let (status, headers, body) = match (path.starts_with("/token"), said.as_deref()) {
        (true, Some("Basic bWU6c2VjcmV0")) => (200, String::new(), br#"{"token": "t0ken"}"#.to_vec()),
        (true, _) => (401, String::new(), Vec::new()),
        (false, Some("Bearer t0ken")) => match shelf.0.get(&path) {
            Some((kind, bytes)) => (200, format!("Content-Type: {kind}\r\n"), bytes.clone()),
            None => (404, String::new(), Vec::new()),
        },
        (false, _) => {
            let realm = format!("Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"here\"");
            (401, format!("WWW-Authenticate: {realm}\r\n"), Vec::new())
        }
    };
    let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).ok()
}

#[test]
fn a_token_opens_the_door_and_an_index_leads_to_this_machines_image() {
    let mut shelf = Shelf::default();
    let foreign = Platform { architecture: "s390x".into(), os: "linux".into(), variant: None };
    let images = vec![shelf.image(&foreign), shelf.image(&Platform::here())];
    let index = serde_json::to_vec(&Index::new(images.clone())).unwrap();
    let index = shelf.put("manifests", INDEX, &index);
    let (port, asked) = guarded(shelf);
    let (desk, name) = (tempfile::tempdir().unwrap(), format!("127.0.0.1:{port}/app:1"));

    let refused = terrarium(desk.path(), &["pull", &name]).output().unwrap();
    assert!(!refused.status.success() && told(&refused).contains("terrarium login"), "{}", told(&refused));
    let docker = desk.path().join("docker");
    fs::create_dir(&docker).unwrap();
    let accounts = format!("{{\"auths\": {{\"127.0.0.1:{port}\": {{\"auth\": \"bWU6c2VjcmV0\"}}}}}}");
    fs::write(docker.join("config.json"), accounts).unwrap();
    let pulled = terrarium(desk.path(), &["pull", &name]).output().unwrap();
    assert!(pulled.status.success(), "{}", told(&pulled));
    // It is called what the registry calls it, and is what fits.
    assert!(told(&pulled).contains(&format!("Digest: {}", index.digest)), "{}", told(&pulled));
    let store = Store::at(desk.path().join("root/data/store"));
    assert_eq!(store.find(&name).unwrap().descriptor.digest, images[1].digest);
    let asked = asked.lock().unwrap();
    let scope = |path: &&String| path.contains("service=here") && path.contains("repository%3Aapp%3Apull");
    assert!(asked.iter().any(|path| scope(&path)), "{asked:?}");
    // Once for all: a token is not fetched for each blob.
    assert_eq!(asked.iter().filter(|path| path.starts_with("/token")).count(), 2, "{asked:?}");
    assert!(!asked.iter().any(|path| path.ends_with(images[0].digest.as_str())), "{asked:?}");
}

#[test]
fn a_certificate_has_to_be_trusted() {
    let desk = tempfile::tempdir().unwrap();
    let script = "
        set -e
        new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $new -keyout ca.key -out ca.crt -subj /CN=ours -days 2
        openssl req $new -keyout key.pem -out request -subj /CN=localhost
        printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > names
        openssl x509 -req -in request -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem";
    let made = Command::new("sh").args(["-c", script]).current_dir(desk.path()).output();
    let Some(_) = made.ok().filter(|made| made.status.success()) else {
        println!("skipped: a registry over TLS, openssl cannot make a certificate here");
        return;
    };
    let Some(registry) = Registry::start(&Door::Tls(desk.path().into())) else { return };
    let name = format!("127.0.0.1:{}/app:1", registry.port);
    registry.image(&name);
    let error = registry.refused(&["push", &name]);
    assert!(error.contains("cannot reach") && error.contains("certificate"), "{error}");
    let root = registry.desk.path();
    for words in [["push", &name], ["rmi", &name], ["pull", &name]] {
        let mut command = terrarium(root, &words);
        let output = command.env("SSL_CERT_FILE", desk.path().join("ca.crt")).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", told(&output));
    }
}
