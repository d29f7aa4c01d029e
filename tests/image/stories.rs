//! Stories that build, name, send and fetch images: foretold, lived, and nothing of them left behind.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use terrarium::image::archive::load;
use terrarium::image::store::Store;
use terrarium::scenario;

use crate::crafted::{Crafted, docker_archive};
use crate::registries::{Door, Registry};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/image-layers.yaml");

fn replay(root: &Path, engine: &str, story: &Path) -> Output {
    let mut command = Command::new(cargo_bin("terrarium"));
    command.arg("--root").arg(root).args(["replay", "--format", "json", "--engine", engine]).arg(story);
    command.env("DOCKER_CONFIG", root.join("docker")).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a story comes to on this kernel; none where containers are not allowed.
fn lived(root: &Path, story: &Path) -> Option<Vec<Value>> {
    let output = replay(root, "linux", story);
    let complaints = String::from_utf8_lossy(&output.stderr);
    if complaints.contains("cannot replay on this kernel") {
        println!("skipped: a story of images on this kernel, {}", complaints.trim());
        return None;
    }
    let lines = lines(&output);
    // A machine with much else to do takes its time for a start.
    let complaints: Vec<&Value> = lines
        .iter()
        .flat_map(|line| ["unmet", "diverged"].map(|key| &line[key]))
        .filter_map(Value::as_array)
        .flatten()
        .filter(|complaint| !complaint.as_str().unwrap().starts_with("took"))
        .collect();
    assert_eq!(complaints, Vec::<&Value>::new(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(lines.last().unwrap()["left_behind"], serde_json::json!([]));
    Some(lines)
}

fn digests(step: &Value) -> Vec<&str> {
    let history = step["image"]["history"].as_array().unwrap();
    history.iter().filter_map(|making| making["layer"]["digest"].as_str()).collect()
}

#[test]
fn an_image_is_built_as_foretold_and_the_stores_own_names_are_put_back() {
    let desk = tempfile::tempdir().unwrap();
    let root = desk.path().join("root");
    let store = Store::at(root.join("data/store"));
    let archive = docker_archive("page:latest", &[Crafted::default().file("mine", "mine").bytes()], |_| ());
    load(archive.as_slice(), &store).unwrap();
    let mine = store.find("page:latest").unwrap();

    let Some(lived) = lived(&root, Path::new(PAGE)) else { return };
    let foretold = lines(&replay(&root, "sim", Path::new(PAGE)));
    let (built, thought) = (&lived[2], &foretold[2]);
    assert_eq!(built["action"], "build");
    // The simulator cannot know the first layer, which is this program.
    assert_eq!(digests(built)[1..], digests(thought));
    assert_eq!(built["image"]["history"].as_array().unwrap().len(), 6);

    let names: Vec<_> = store.names().unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(store.find("page:latest").unwrap().id, mine.id);
}

#[test]
fn files_of_all_kinds_have_the_digest_that_was_foretold() {
    let desk = tempfile::tempdir().unwrap();
    let context = desk.path().join("context");
    fs::create_dir_all(context.join("www/deep")).unwrap();
    for (name, text) in [
        ("www/index.html", "page"),
        ("www/deep/a.css", ""),
        ("www/note.md", "left out"),
        ("run.sh", "#!/bin/sh\n"),
        (".dockerignore", "**/*.md\n"),
    ] {
        fs::write(context.join(name), text).unwrap();
    }
    std::os::unix::fs::symlink("index.html", context.join("www/home")).unwrap();
    let dockerfile = "ARG VERSION=2\nFROM scratch AS files\nCOPY www /site\nWORKDIR /site/logs\nFROM scratch\nARG VERSION\n\
        COPY --chmod=755 run.sh /bin/\nCOPY --from=files --chown=7:8 /site/ /srv/v$VERSION/\nADD www/*.html www/deep /srv/\n\
        COPY <<ONE <<TWO /etc/\none\nONE\ntwo $VERSION\nTWO\nENV A=b\nEXPOSE 80\n";
    fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    let story = desk.path().join("story.yaml");
    let text = "title: T\nsteps:\n  - build: { image: all, from: context }\n  - build: { image: again, from: context }\n";
    fs::write(&story, text).unwrap();

    let root = desk.path().join("root");
    let Some(lived) = lived(&root, &story) else { return };
    let foretold = lines(&replay(&root, "sim", &story));
    assert_eq!(digests(&foretold[1]).len(), 4, "{}", foretold[1]);
    assert_eq!(lived[1]["image"]["history"], foretold[1]["image"]["history"]);
    // The same files make the same image, whatever it is called.
    assert_eq!(lived[1]["image"]["id"], lived[2]["image"]["id"]);
}

#[test]
fn what_a_story_has_sent_to_a_registry_comes_back_the_same() {
    let Some(registry) = Registry::start(&Door::Open) else { return };
    let there = format!("127.0.0.1:{}/lessons/page:1", registry.port);
    let page = Path::new(PAGE).with_file_name("images/page");
    let story = format!(
        "title: T\ncontainers: {{ web: {{ image: \"{there}\" }} }}\nsteps:\n\
         \x20 - build: {{ image: page, from: {} }}\n\
         \x20 - tag: {{ image: page, to: \"{there}\" }}\n\
         \x20 - push: {there}\n\
         \x20 - remove_image: [page, \"{there}\"]\n\
         \x20 - run: web\n    refused: no such image\n\
         \x20 - pull: {there}\n\
         \x20 - run: web\n    expect: {{ web: {{ state: running }} }}\n\
         \x20 - remove: {{ container: web, force: true }}\n\
         \x20 - pull: {there}0\n    refused: not found\n",
        page.display()
    );
    let file = registry.desk.path().join("story.yaml");
    fs::write(&file, story).unwrap();
    let root = registry.desk.path().join("root");
    let Some(lines) = lived(&root, &file) else { return };
    let of = |action: &str| lines.iter().find(|line| line["action"] == action).unwrap();
    assert_eq!(digests(of("build")), digests(of("pull")));
    assert_eq!(of("build")["image"]["id"], of("pull")["image"]["id"]);
    // A list is one object an image, under one number.
    assert_eq!(lines.iter().filter(|line| line["index"] == 4).count(), 2);
    assert_eq!(Store::at(root.join("data/store")).names().unwrap(), []);
    let foretold = replay(&root, "sim", &file);
    assert_eq!(foretold.status.code(), Some(0), "{}", String::from_utf8_lossy(&foretold.stdout));
}

#[test]
fn a_build_that_cannot_be_is_found_out_before_anything_runs() {
    let desk = tempfile::tempdir().unwrap();
    fs::create_dir(desk.path().join("wrong")).unwrap();
    fs::write(desk.path().join("wrong/Dockerfile"), "FROM scratch\nCOPPY a b\n").unwrap();
    let error = |step: &str| {
        let file = desk.path().join("story.yaml");
        fs::write(&file, format!("title: T\nsteps:\n  - {step}\n")).unwrap();
        scenario::load(&file).unwrap_err().to_string()
    };
    for (step, place, said) in [
        ("build: { image: a, from: nowhere }", ":3:30:", "there is no Dockerfile in it"),
        ("build: { image: a, from: wrong, file: Other }", ":3:43:", "there is no Other in it"),
        ("build: { image: a, from: wrong }", ":3:30:", "Dockerfile:2: unknown instruction: COPPY"),
        ("build: { image: lab, from: wrong }", ":3:21:", "`lab` is the built-in image"),
        ("tag: { image: a, to: lab }", ":3:26:", "`lab` is the built-in image"),
        ("push: [a, a b]", ":3:", "an image reference"),
        ("build: { image: a }", ":3:", "from"),
    ] {
        let error = error(step);
        assert!(error.contains(place) && error.contains(said), "{step}: {error}");
    }
}

#[test]
fn a_build_that_fails_fails_as_foretold() {
    let desk = tempfile::tempdir().unwrap();
    fs::create_dir(desk.path().join("context")).unwrap();
    fs::write(desk.path().join("context/Dockerfile"), "FROM scratch\nCOPY missing /\n").unwrap();
    let file = desk.path().join("story.yaml");
    let text = "title: T\nsteps:\n  - build: { image: a, from: context }\n    refused: file not found\n  \
        - tag: { image: a, to: b }\n    refused: no such image\n  - push: a\n    refused: no such image\n";
    fs::write(&file, text).unwrap();
    let root = desk.path().join("root");
    assert_eq!(replay(&root, "sim", &file).status.code(), Some(0));
    lived(&root, &file);
}
