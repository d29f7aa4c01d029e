//! What a default container is closed off with, looked at from inside, here and in a default container of a Docker Engine on
//! the same machine: the same, or more. Each difference is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

use crate::stage::Stage;
use crate::target::bind;

const IMAGE: &str = "terrarium-escapes:self-check";
/// A program that needs nothing of its image.
const BUSYBOX: &str = "/bin/busybox";
const LOOK: &str = "b=/bin/busybox; $b grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; \
    for kind in cgroup ipc mnt net pid uts; do echo ns:$kind:$($b readlink /proc/self/ns/$kind); done; \
    $b cat /proc/self/mountinfo | while read a b2 c d place options rest; do echo mount:$place:$options; done; \
    $b ls /dev | while read name; do echo dev:$name; done";

/// What is seen from inside.
#[derive(Debug, Default)]
struct View {
    status: BTreeMap<String, String>,
    namespaces: BTreeMap<String, String>,
    mounts: BTreeMap<String, BTreeSet<String>>,
    devices: BTreeSet<String>,
}

#[test]
fn a_default_container_is_closed_off_as_dockers_is_or_more() {
    let skipped = |why: &str| println!("skipped: comparing with Docker's default container, {why}");
    if !geteuid().is_root() {
        return skipped("only root can here");
    }
    if !Path::new(BUSYBOX).exists() {
        return skipped("there is no static busybox at /bin/busybox");
    }
    let Some(theirs) = dockers() else { return skipped("no Docker Engine answers") };
    let ours = ours();

    assert_eq!(ours.status, theirs.status, "capabilities, seccomp mode, no-new-privileges");
    let host = |kind: &str| fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string();
    for (kind, namespace) in &theirs.namespaces {
        let own = |namespace: &String| *namespace != host(kind);
        // An engine on v1 shares the cgroup namespace.
        assert!(own(&ours.namespaces[kind]) || !own(namespace), "{kind} is not a namespace of its own");
    }
    let mut weaker = Vec::new();
    for (place, theirs) in &theirs.mounts {
        // What an engine writes for the network's sake protects nothing.
        if place.starts_with("/etc/") || place.starts_with("/sys/fs/cgroup/") {
            continue;
        }
        let Some(ours) = ours.mounts.get(place) else {
            weaker.push(format!("{place} is not covered"));
            continue;
        };
        weaker.extend(theirs.difference(ours).map(|option| format!("{place} is not {option}")));
        for option in ours.difference(theirs) {
            println!("stricter: {place} is {option}");
        }
    }
    assert_eq!(weaker, Vec::<String>::new());
    for place in ours.mounts.keys().filter(|place| !theirs.mounts.contains_key(*place)) {
        println!("more: a mount on {place}");
    }
    let more: Vec<&String> = ours.devices.difference(&theirs.devices).collect();
    assert!(more.is_empty(), "devices that Docker's has not: {more:?}");
}

fn ours() -> View {
    let stage = Stage::new();
    let mut bundle = stage.bundle(&[BUSYBOX, "sh", "-c", LOOK]);
    bind(&mut bundle.spec, Path::new(BUSYBOX), BUSYBOX, &["bind", "ro"]);
    let mut actor = stage.create(&bundle);
    actor.start();
    actor.end();
    let output = actor.output();
    actor.container.delete().unwrap();
    let mut view = View::read(&output);
    view.mounts.remove(BUSYBOX);
    view
}

/// None if no engine answers.
fn dockers() -> Option<View> {
    let docker = |words: &[&str]| {
        let output = Command::new("docker").args(words).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    docker(&["version"])?;
    let image = tempfile::tempdir().unwrap();
    fs::create_dir(image.path().join("bin")).unwrap();
    fs::copy(BUSYBOX, image.path().join("bin/busybox")).unwrap();
    let tar = Command::new("tar").arg("-C").arg(image.path()).args(["-c", "."]).output().unwrap();
    let mut import = Command::new("docker")
        .args(["import", "-", IMAGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(&tar.stdout).unwrap();
    assert!(import.wait().unwrap().success());
    let output = docker(&["run", "--rm", "--network", "none", IMAGE, BUSYBOX, "sh", "-c", LOOK]);
    docker(&["rmi", IMAGE]);
    Some(View::read(&output.expect("a container of Docker's runs")))
}

impl View {
    fn read(output: &str) -> Self {
        let mut view = Self::default();
        for line in output.lines() {
            let mut words = line.splitn(3, ':');
            match (words.next().unwrap_or_default(), words.next(), words.next()) {
                ("ns", Some(kind), Some(name)) => {
                    view.namespaces.insert(kind.into(), name.into());
                }
                ("mount", Some(place), Some(options)) => {
                    let closing = ["ro", "nosuid", "nodev", "noexec"];
                    let options = options.split(',').filter(|word| closing.contains(word));
                    view.mounts.insert(place.into(), options.map(str::to_owned).collect());
                }
                ("dev", Some(name), None) => {
                    view.devices.insert(name.into());
                }
                (name, Some(value), None) => {
                    view.status.insert(name.into(), value.trim().into());
                }
                other => panic!("{other:?} in {output}"),
            }
        }
        assert!(view.status.len() >= 6 && view.mounts.len() > 5 && view.devices.len() > 5, "{output}");
        view
    }
}
