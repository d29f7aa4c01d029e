//! Images in one file: what other programs write we read, and what we write they read.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;
use terrarium::image::archive::{load, save};
use terrarium::image::store::Store;

use crate::crafted::{Crafted, docker_archive, gzipped};

fn terrarium(root: &Path, words: &[&str]) -> Output {
    Command::new(cargo_bin("terrarium")).arg("--root").arg(root).args(words).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn layer() -> Vec<u8> {
    Crafted::default().directory("bin").file("bin/true", "#!/bin/true\n").bytes()
}

/// Whether a program can be asked; if not, says what is left out.
fn there(program: &str, words: &[&str], what: &str) -> bool {
    let there = Command::new(program).args(words).output().is_ok_and(|output| output.status.success());
    if !there {
        println!("skipped: {what}, {program} does not answer here");
    }
    there
}

#[test]
fn what_is_saved_loads_again_with_its_names_and_the_same_id() {
    let desk = tempfile::tempdir().unwrap();
    let (first, second) = (Store::at(desk.path().join("first")), Store::at(desk.path().join("second")));
    let packed = docker_archive("carried:1", &[gzipped(&layer())], |config| {
        config.rootfs.diff_ids = vec![terrarium::image::Digest::of(&layer())];
    });
    load(&packed[..], &first).unwrap();
    let image = first.find("carried:1").unwrap();
    let names = vec!["carried:1".parse().unwrap(), "localhost:5000/other:2".parse().unwrap()];
    let archive = save(&[(image.clone(), names)], &first, Vec::new()).unwrap();
    assert!(save(&[(image.clone(), vec!["x:1".parse().unwrap()])], &first, Vec::new()).unwrap() != archive);
    let loaded = load(&archive[..], &second).unwrap();
    assert_eq!(loaded.len(), 1);
    for name in ["carried:1", "localhost:5000/other:2", image.id.short()] {
        let again = second.find(name).unwrap();
        assert_eq!((&again.id, &again.descriptor.digest), (&image.id, &image.descriptor.digest));
    }
    // Packed as a whole, too, as people do before they send it.
    load(&gzipped(&archive)[..], &Store::at(desk.path().join("third"))).unwrap();
}

#[test]
fn the_command_line_loads_tags_saves_and_removes() {
    let desk = tempfile::tempdir().unwrap();
    let (root, file) = (desk.path().join("root"), desk.path().join("in.tar"));
    fs::write(&file, docker_archive("cli:1", &[layer()], |_| {})).unwrap();
    let loaded = terrarium(&root, &["load", "-i", file.to_str().unwrap()]);
    assert_eq!(text(&loaded), "Loaded image: cli:1\n");
    assert_eq!(text(&terrarium(&root, &["tag", "cli:1", "cli:2"])), "");
    let out = desk.path().join("out.tar");
    assert_eq!(text(&terrarium(&root, &["save", "-o", out.to_str().unwrap(), "cli:2"])), "");
    assert_eq!(fs::read_dir(desk.path()).unwrap().count(), 3, "save has left something beside its file");
    let removed = terrarium(&root, &["rmi", "cli:1", "cli:2", "cli:3"]);
    let told = text(&removed);
    assert!(told.starts_with("Untagged: cli:1\nUntagged: cli:2\nDeleted: sha256:"), "{told}");
    assert!(told.contains("terrarium: no such image: cli:3"), "{told}");
    assert_eq!(removed.status.code(), Some(1));
    assert_eq!(text(&terrarium(&root, &["load", "-i", out.to_str().unwrap()])), "Loaded image: cli:2\n");
}

#[test]
fn docker_runs_what_we_save_and_we_load_what_docker_saves() {
    if !there("docker", &["version"], "an exchange with Docker") {
        return;
    }
    let desk = tempfile::tempdir().unwrap();
    let name = format!("images-carried-{}:1", std::process::id());
    let store = Store::at(desk.path().join("store"));
    load(&docker_archive(&name, &[layer()], |_| {})[..], &store).unwrap();
    let image = store.find(&name).unwrap();
    let file = desk.path().join("ours.tar");
    save(&[(image.clone(), vec![name.parse().unwrap()])], &store, fs::File::create(&file).unwrap()).unwrap();
    let docker = |words: &[&str]| {
        let output = Command::new("docker").args(words).output().unwrap();
        assert!(output.status.success(), "docker {words:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    docker(&["load", "-i", file.to_str().unwrap()]);
    assert_eq!(docker(&["image", "inspect", "-f", "{{.Id}}", &name]).trim(), image.id.as_str());
    let theirs = desk.path().join("theirs.tar");
    docker(&["save", "-o", theirs.to_str().unwrap(), &name]);
    docker(&["rmi", &name]);
    let again = Store::at(desk.path().join("again"));
    assert_eq!(load(fs::File::open(&theirs).unwrap(), &again).unwrap()[0].id, image.id);
}

#[test]
fn skopeo_copies_what_we_save_and_we_load_what_skopeo_copies() {
    if !there("skopeo", &["--version"], "an exchange with skopeo") {
        return;
    }
    let desk = tempfile::tempdir().unwrap();
    let store = Store::at(desk.path().join("store"));
    load(&docker_archive("carried:1", &[layer()], |_| {})[..], &store).unwrap();
    let image = store.find("carried:1").unwrap();
    let file = desk.path().join("ours.tar");
    save(&[(image.clone(), vec!["carried:1".parse().unwrap()])], &store, fs::File::create(&file).unwrap())
        .unwrap();
    let at = |kind: &str, name: &str| format!("{kind}:{}", desk.path().join(name).display());
    for (from, to) in [
        (at("oci-archive", "ours.tar:1"), at("oci-archive", "a.tar:theirs:1")),
        (at("docker-archive", "ours.tar"), at("docker-archive", "b.tar:theirs:1")),
        (at("docker-archive", "ours.tar"), at("oci-archive", "c.tar:theirs:1")),
    ] {
        let output = Command::new("skopeo").args(["copy", "--insecure-policy", &from, &to]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
    for name in ["a.tar", "b.tar", "c.tar"] {
        let again = Store::at(desk.path().join(format!("store-{name}")));
        let loaded = load(fs::File::open(desk.path().join(name)).unwrap(), &again).unwrap();
        assert_eq!((loaded[0].id.clone(), loaded[0].names.len()), (image.id.clone(), 1), "{name}");
    }
}
