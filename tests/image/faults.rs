//! What can befall a store: a full disk, one that cannot be written, a process that is killed at any moment. Nothing of it is
//! corrupt after that, and the next call does what the last one could not.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use nix::unistd::geteuid;
use terrarium::image::store::Store;

use crate::crafted::{Crafted, docker_archive};

/// Three megabytes that do not pack.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..3 << 20).map(|_| next()).collect()
}

fn large_archive() -> Vec<u8> {
    let layer = Crafted::default().entry(tar::EntryType::Regular, "large", "", &noise(), |_| {}).bytes();
    docker_archive("large:1", &[layer], |_| {})
}

/// Runs a script in a mount namespace of its own, with a small disk at $disk, `t` for terrarium on it, and an archive and a build
/// beside it. None, with a reason, where such a thing cannot be made.
fn on_a_small_disk(what: &str, script: &str) -> Option<(bool, String)> {
    if !geteuid().is_root() {
        println!("skipped: {what}, a file system of its own takes root");
        return None;
    }
    let desk = tempfile::tempdir().unwrap();
    fs::write(desk.path().join("large.tar"), large_archive()).unwrap();
    fs::create_dir(desk.path().join("context")).unwrap();
    fs::write(desk.path().join("context/large"), noise()).unwrap();
    fs::write(desk.path().join("context/Dockerfile"), "FROM scratch\nCOPY large /\nCMD [\"/large\"]\n")
        .unwrap();
    fs::create_dir(desk.path().join("disk")).unwrap();
    let whole = format!(
        "cd {}; mount -t tmpfs -o size=10m none disk || exit 77\n\
        t() {{ '{}' --root disk/root \"$@\" 2>&1; }}\n\
        fill() {{ cat /dev/zero > disk/filler 2>/dev/null || true; truncate -s -\"$1\" disk/filler; }}\n\
        {script}",
        desk.path().display(),
        cargo_bin("terrarium").display(),
    );
    let output = Command::new("unshare").args(["--mount", "sh", "-c", &whole]).output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.code() == Some(77) || told.contains("unshare:") {
        println!("skipped: {what}, no file system can be mounted here: {}", told.trim());
        return None;
    }
    Some((output.status.success(), told))
}

#[test]
fn a_full_disk_leaves_nothing_half_made_and_the_next_call_does_it() {
    let script = "
        set -e
        t images -q > /dev/null
        for left in 100k 2m 4m; do
            fill $left
            t load -i large.tar && exit 1
            test -z \"$(t images -q)\"
            t build -t built context && exit 1
            t doctor --images
            rm disk/filler
        done
        t load -i large.tar
        t rmi large:1
        t build -t built context
        t doctor --images
        test -z \"$(ls disk/root/data/store/making)\"";
    let Some((good, told)) = on_a_small_disk("a full disk", script) else { return };
    assert!(good, "{told}");
    assert!(told.contains("No space left on device") && !told.contains("panicked"), "{told}");
    assert_eq!(told.matches("No space left on device").count(), 6, "{told}");
}

#[test]
fn a_disk_that_cannot_be_written_can_be_read() {
    let script = "
        set -e
        t load -i large.tar
        mount -o remount,ro disk
        t images
        t image inspect large:1 > /dev/null
        t image history large:1
        t doctor --images
        t save large:1 > /dev/null
        for words in 'load -i large.tar' 'build -t built context' 'rmi large:1' 'tag large:1 other' 'image prune -f'; do
            t $words && exit 1
        done
        mount -o remount,rw disk
        t tag large:1 other
        t rmi large:1 other";
    let Some((good, told)) = on_a_small_disk("a disk that cannot be written", script) else { return };
    assert!(good, "{told}");
    assert_eq!(told.matches("Read-only file system").count(), 5, "{told}");
}

fn terrarium(desk: &Path) -> Command {
    let mut command = Command::new(cargo_bin("terrarium"));
    command.arg("--root").arg(desk.join("root"));
    command
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Kills a process, after which the store is whole, the same call does what it was to do, and nothing half-made is left.
fn killed(desk: &Path, mut process: Child, again: &mut dyn FnMut() -> Output) {
    process.kill().unwrap();
    process.wait().unwrap();
    let store = Store::at(desk.join("root/data/store"));
    assert_eq!(store.check().unwrap(), []);
    succeeds(&again());
    assert_eq!(store.check().unwrap(), []);
    assert_eq!(fs::read_dir(store.path().join("making")).unwrap().count(), 0);
    for named in store.names().unwrap() {
        let image = store.image(&named.descriptor).unwrap();
        store.remove(image.id.as_str(), terrarium::image::store::Force::Yes).unwrap();
    }
    store.forget_cache().unwrap();
    store.sweep().unwrap();
}

#[test]
fn a_load_that_is_killed_in_the_middle_is_loaded_by_the_next() {
    let desk = tempfile::tempdir().unwrap();
    let archive = large_archive();
    let load = || {
        let mut command = terrarium(desk.path());
        command.arg("load").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    for part in [600, archive.len() / 2, archive.len() - 2000, archive.len()] {
        let mut process = load();
        let mut input = process.stdin.take().unwrap();
        // What it has not read yet waits in the pipe: most of it has been worked upon.
        input.write_all(&archive[..part]).unwrap();
        killed(desk.path(), process, &mut || {
            let mut process = load();
            process.stdin.take().unwrap().write_all(&archive).unwrap();
            process.wait_with_output().unwrap()
        });
    }
}

#[test]
fn a_build_that_is_killed_at_any_moment_is_built_by_the_next() {
    let desk = tempfile::tempdir().unwrap();
    let context = desk.path().join("context");
    fs::create_dir(&context).unwrap();
    fs::write(context.join("large"), noise()).unwrap();
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY large /a\nCOPY large /b\nENV A=b\n").unwrap();
    let build = || {
        let mut command = terrarium(desk.path());
        command.args(["build", "-q", "-t", "built"]).arg(&context);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    // Moments that are as good as any.
    for moment in [2, 15, 60, 150, 400] {
        let process = build().spawn().unwrap();
        thread::sleep(Duration::from_millis(moment));
        killed(desk.path(), process, &mut || build().output().unwrap());
    }
}
