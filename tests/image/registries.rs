//! Registries: a real one, on loopback.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use terrarium::image::archive::load;
use terrarium::image::store::Store;

use crate::crafted::{Crafted, docker_archive, gzipped};

/// `me` and `secret`.
const PASSWORDS: &str = "me:$2a$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// A registry with a directory of its own.
pub(crate) struct Registry {
    pub(crate) desk: tempfile::TempDir,
    process: Child,
    pub(crate) port: u16,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    Locked,
    /// With the certificate and the key of this directory.
    Tls(std::path::PathBuf),
}

impl Registry {
    /// None, with a reason, where there is no such program.
    pub(crate) fn start(door: &Door) -> Option<Self> {
        let desk = tempfile::tempdir().unwrap();
        // Somebody else may be quicker to take the port that was free.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let data = desk.path().join("data");
            let passwords = desk.path().join("passwords");
            fs::write(&passwords, PASSWORDS).unwrap();
            let lock = match door {
                Door::Open | Door::Tls(_) => String::new(),
                Door::Locked => {
                    format!("auth: {{htpasswd: {{realm: here, path: {}}}}}\n", passwords.display())
                }
            };
            let tls = match door {
                Door::Tls(keys) => {
                    let at = |name: &str| keys.join(name).display().to_string();
                    format!(", tls: {{certificate: {}, key: {}}}", at("cert.pem"), at("key.pem"))
                }
                Door::Open | Door::Locked => String::new(),
            };
            let config = format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"127.0.0.1:{port}\"{tls}}}\n{lock}",
                data.display()
            );
            let file = desk.path().join("config.yml");
            fs::write(&file, config).unwrap();
            let started = Command::new("docker-registry")
                .arg("serve")
                .arg(&file)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let Ok(mut process) = started else {
                println!("skipped: a real registry, docker-registry is not installed here");
                return None;
            };
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(30) {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(Self { desk, process, port });
                }
                if process.try_wait().unwrap().is_some() {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("the registry does not answer");
    }

    pub(crate) fn terrarium(&self, words: &[&str], input: &str) -> Output {
        let mut child = Command::new(cargo_bin("terrarium"))
            .arg("--root")
            .arg(self.desk.path().join("root"))
            .args(words)
            .env("DOCKER_CONFIG", self.desk.path().join("docker"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    pub(crate) fn done(&self, words: &[&str]) -> String {
        let output = self.terrarium(words, "");
        assert!(output.status.success(), "{words:?}: {}", told(&output));
        told(&output)
    }

    pub(crate) fn refused(&self, words: &[&str]) -> String {
        let output = self.terrarium(words, "");
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", told(&output));
        told(&output)
    }

    fn store(&self) -> Store {
        Store::at(self.desk.path().join("root/data/store"))
    }

    /// An image of two layers, one of them large, under this name.
    pub(crate) fn image(&self, name: &str) {
        let small = Crafted::default().file("small", "small").bytes();
        let mut noise = vec![0_u8; 3 << 20];
        let mut state = 1_u64;
        for byte in &mut noise {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        let large = Crafted::default().entry(tar::EntryType::Regular, "large", "", &noise, |_| {}).bytes();
        let archive = docker_archive(name, &[gzipped(&small), large.clone()], |config| {
            config.rootfs.diff_ids =
                vec![terrarium::image::Digest::of(&small), terrarium::image::Digest::of(&large)];
        });
        load(&archive[..], &self.store()).unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn what_was_pushed_and_removed_comes_back_with_the_same_digest() {
    let Some(registry) = Registry::start(&Door::Open) else { return };
    let name = format!("127.0.0.1:{}/lessons/app:1", registry.port);
    registry.image(&name);
    let image = registry.store().find(&name).unwrap();
    let pushed = registry.done(&["push", &name]);
    assert!(pushed.contains(&format!("1: digest: {}", image.descriptor.digest)), "{pushed}");
    assert_eq!(registry.done(&["push", &name]).matches("Layer already exists").count(), 3);
    registry.done(&["rmi", &name]);
    assert_eq!(registry.store().names().unwrap(), []);
    let pulled = registry.done(&["pull", &name]);
    assert!(pulled.contains(&format!("Digest: {}", image.descriptor.digest)), "{pulled}");
    assert!(pulled.contains("Status: Downloaded newer image"), "{pulled}");
    assert_eq!(registry.store().find(&name).unwrap().id, image.id);
    assert!(registry.done(&["pull", &name]).contains("Status: Image is up to date"));
    // By its digest, too, which nobody can move.
    registry.done(&["rmi", &name]);
    let by_digest = format!("127.0.0.1:{}/lessons/app@{}", registry.port, image.descriptor.digest);
    registry.done(&["pull", "-q", &by_digest]);
    assert_eq!(registry.store().find(&by_digest).unwrap().id, image.id);
    assert_eq!(registry.store().check().unwrap(), []);
}

#[test]
fn what_is_not_there_is_said_and_nothing_stays() {
    let Some(registry) = Registry::start(&Door::Open) else { return };
    let name = format!("127.0.0.1:{}/nothing:1", registry.port);
    let error = registry.refused(&["pull", &name]);
    assert!(error.contains(&format!("manifest for {name} not found")), "{error}");
    assert!(registry.refused(&["push", &name]).contains("no such image"));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = registry.refused(&["pull", &format!("127.0.0.1:{nobody}/app")]);
    assert!(error.contains("cannot reach"), "{error}");
}

#[test]
fn one_has_to_be_let_in() {
    let Some(registry) = Registry::start(&Door::Locked) else { return };
    let server = format!("127.0.0.1:{}", registry.port);
    let name = format!("{server}/app:1");
    registry.image(&name);
    assert!(registry.refused(&["push", &name]).contains(&format!("terrarium login {server}")));
    let login =
        |password: &str| registry.terrarium(&["login", "-u", "me", "--password-stdin", &server], password);
    let wrong = login("wrong");
    assert!(
        !wrong.status.success() && told(&wrong).contains("refuses this user name and password"),
        "{}",
        told(&wrong)
    );
    assert!(!registry.desk.path().join("docker/config.json").exists());
    assert!(told(&login("secret\n")).contains("Login Succeeded"));
    registry.done(&["push", &name]);
    registry.done(&["rmi", &name]);
    registry.done(&["pull", &name]);
    assert!(registry.done(&["logout", &server]).contains("Removing login credentials"));
    assert!(registry.refused(&["pull", &name]).contains("pull access denied"));
}

/// Credentials from a helper, as people with a keyring have them.
#[test]
fn a_credential_helper_is_asked() {
    let Some(registry) = Registry::start(&Door::Locked) else { return };
    let server = format!("127.0.0.1:{}", registry.port);
    let name = format!("{server}/app:1");
    registry.image(&name);
    let docker = registry.desk.path().join("docker");
    fs::create_dir(&docker).unwrap();
    fs::write(docker.join("config.json"), format!("{{\"credHelpers\": {{\"{server}\": \"test\"}}}}"))
        .unwrap();
    let helper = registry.desk.path().join("docker-credential-test");
    fs::write(&helper, "#!/bin/sh\nread server\necho '{\"Username\": \"me\", \"Secret\": \"secret\"}'\n")
        .unwrap();
    fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", registry.desk.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new(cargo_bin("terrarium"))
        .arg("--root")
        .arg(registry.desk.path().join("root"))
        .args(["push", &name])
        .env("DOCKER_CONFIG", &docker)
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
}

/// Passes connections on to the registry, and cuts the first ones after so many bytes of an answer.
fn cutting_relay(to: u16, after: u64, times: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cuts = Arc::new(AtomicU64::new(0));
    thread::spawn(move || {
        for inner in listener.incoming() {
            let (Ok(mut inner), Ok(mut outer)) = (inner, TcpStream::connect(("127.0.0.1", to))) else {
                return;
            };
            let cuts = Arc::clone(&cuts);
            let (mut asking, mut asked) = (inner.try_clone().unwrap(), outer.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut asking, &mut asked);
                let _ = asked.shutdown(std::net::Shutdown::Both);
            });
            thread::spawn(move || {
                let mut passed = 0;
                let mut buffer = [0; 16 << 10];
                while let Ok(count @ 1..) = outer.read(&mut buffer) {
                    passed += count as u64;
                    if inner.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                    if passed > after
                        && cuts
                            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |cut| {
                                (cut < times).then_some(cut + 1)
                            })
                            .is_ok()
                    {
                        break;
                    }
                }
                let _ = inner.shutdown(std::net::Shutdown::Both);
                let _ = outer.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    port
}

#[test]
fn a_transfer_that_breaks_goes_on_where_it_broke() {
    let Some(registry) = Registry::start(&Door::Open) else { return };
    let name = format!("127.0.0.1:{}/app:1", registry.port);
    registry.image(&name);
    let image = registry.store().find(&name).unwrap();
    registry.done(&["push", &name]);
    registry.done(&["rmi", &name]);
    let relay = cutting_relay(registry.port, 1 << 20, 2);
    let name = format!("127.0.0.1:{relay}/app:1");
    registry.done(&["pull", &name]);
    assert_eq!(registry.store().find(&name).unwrap().id, image.id);
    registry.done(&["rmi", &name]);

    // And if it never ends well: nothing is left of it.
    let relay = cutting_relay(registry.port, 100 << 10, u64::MAX);
    let error = registry.refused(&["pull", &format!("127.0.0.1:{relay}/app:1")]);
    assert!(error.contains("broke 5 times"), "{error}");
    assert_eq!(registry.store().names().unwrap(), []);
    let making = registry.store().path().join("making");
    assert_eq!(fs::read_dir(making).unwrap().count(), 0);
}

#[test]
fn two_pull_the_same_image_at_once_and_one_is_killed() {
    let Some(registry) = Registry::start(&Door::Open) else { return };
    let name = format!("127.0.0.1:{}/app:1", registry.port);
    registry.image(&name);
    registry.done(&["push", &name]);
    registry.done(&["rmi", &name]);
    let spawn = || {
        Command::new(cargo_bin("terrarium"))
            .arg("--root")
            .arg(registry.desk.path().join("root"))
            .args(["pull", "-q", &name])
            .env("DOCKER_CONFIG", registry.desk.path().join("docker"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    for delay in [0, 5, 20, 60] {
        let mut killed = spawn();
        let mut others = [spawn(), spawn()];
        thread::sleep(Duration::from_millis(delay));
        let _ = killed.kill();
        let _ = killed.wait();
        for other in &mut others {
            assert!(other.wait().unwrap().success());
        }
        assert_eq!(registry.store().check().unwrap(), []);
        registry.done(&["rmi", &name]);
        registry.done(&["images"]);
        let left = |part: &str| fs::read_dir(registry.store().path().join(part)).map_or(0, Iterator::count);
        assert_eq!((left("making"), left("layers"), left("blobs/sha256")), (0, 0, 0));
    }
}

#[test]
fn skopeo_and_docker_read_what_we_push() {
    let Some(registry) = Registry::start(&Door::Open) else { return };
    let name = format!("127.0.0.1:{}/app:1", registry.port);
    registry.image(&name);
    registry.done(&["push", &name]);
    let image = registry.store().find(&name).unwrap();
    let run = |program: &str, words: &[&str]| -> Option<String> {
        let output = Command::new(program).args(words).output().ok().filter(|output| output.status.success());
        if output.is_none() {
            println!("skipped: a look by {program} at what we push, it does not answer here");
        }
        output.map(|output| String::from_utf8(output.stdout).unwrap())
    };
    if let Some(seen) = run("skopeo", &["inspect", "--tls-verify=false", &format!("docker://{name}")]) {
        assert!(seen.contains(image.descriptor.digest.as_str()), "{seen}");
    }
    if run("docker", &["version"]).is_some() {
        run("docker", &["pull", &name]).unwrap();
        assert_eq!(
            run("docker", &["image", "inspect", "-f", "{{.Id}}", &name]).unwrap().trim(),
            image.id.as_str()
        );
        run("docker", &["rmi", &name]).unwrap();
    }
    let desk = Path::new(registry.desk.path());
    let copy = format!("oci:{}", desk.join("copy").display());
    if run(
        "skopeo",
        &["copy", "--insecure-policy", "--src-tls-verify=false", &format!("docker://{name}"), &copy],
    )
    .is_some()
    {
        assert!(desk.join("copy/blobs/sha256").join(image.id.hex()).exists());
    }
}
