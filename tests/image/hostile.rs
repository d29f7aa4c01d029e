//! Archives that want to do harm: each is refused, or does none.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use tar::EntryType;
use terrarium::image::archive::load;
use terrarium::image::layer::{Limits, unpack};
use terrarium::image::store::Store;

use crate::crafted::{Crafted, docker_archive, gzipped};

fn desk() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn refusal(archive: Crafted) -> String {
    archive.unpacked(desk().path()).unwrap_err().to_string()
}

#[test]
fn a_name_that_leads_out_of_the_image_is_refused() {
    for name in ["../outside", "a/../../outside", "/../outside", "./../outside"] {
        let error = refusal(Crafted::default().file(name, "harm"));
        assert!(error.contains("leads out of the image"), "{error}");
    }
}

#[test]
fn an_absolute_name_is_a_name_beneath_the_images_root() {
    let desk = desk();
    Crafted::default().file("/etc/hostname", "harmless").unpacked(desk.path()).unwrap();
    assert_eq!(fs::read_to_string(desk.path().join("root/etc/hostname")).unwrap(), "harmless");
}

#[test]
fn a_link_to_a_directory_outside_is_followed_only_beneath_the_root() {
    let desk = desk();
    let outside = desk.path().to_str().unwrap().to_owned();
    let archive = Crafted::default()
        .symlink("up", "../..")
        .file("up/outside", "harm")
        .symlink("there", "/target")
        .directory("target")
        .file("there/inside", "harmless");
    archive.unpacked(desk.path()).unwrap();
    assert_eq!(fs::read_to_string(desk.path().join("root/outside")).unwrap(), "harm");
    assert_eq!(fs::read_to_string(desk.path().join("root/target/inside")).unwrap(), "harmless");

    // The host's own path, as an absolute link: it is not there beneath the root.
    let error = refusal(Crafted::default().symlink("abs", &outside).file("abs/outside", "harm"));
    assert!(error.contains("no directory"), "{error}");
}

#[test]
fn a_file_takes_a_links_place_and_never_writes_through_it() {
    let desk = desk();
    Crafted::default().symlink("file", "../outside").file("file", "mine").unpacked(desk.path()).unwrap();
    assert!(fs::symlink_metadata(desk.path().join("root/file")).unwrap().is_file());
}

#[test]
fn a_hard_link_out_of_the_image_is_refused() {
    for target in ["../outside", "/etc/passwd", "nothing"] {
        let error = refusal(Crafted::default().hard_link("link", target));
        assert!(error.contains("link") || error.contains("leads out"), "{error}");
    }
    // Through a link that leads out: beneath the root there is no such file.
    let error = refusal(Crafted::default().symlink("up", "..").hard_link("link", "up/outside"));
    assert!(error.contains("hard link"), "{error}");
}

#[test]
fn a_hard_link_to_a_link_does_not_write_through_it_either() {
    let desk = desk();
    let archive = Crafted::default().symlink("a", "../outside").hard_link("b", "a").file("b", "harm");
    archive.unpacked(desk.path()).unwrap();
    assert!(fs::symlink_metadata(desk.path().join("root/b")).unwrap().is_file());
}

#[test]
fn device_nodes_are_left_out_and_counted() {
    let desk = desk();
    let device = |header: &mut tar::Header| {
        header.set_device_major(8).unwrap();
        header.set_device_minor(0).unwrap();
    };
    let archive = Crafted::default()
        .entry(EntryType::Block, "disk", "", b"", device)
        .entry(EntryType::Char, "whiteout", "", b"", |_| {})
        .file("file", "stays");
    assert_eq!(archive.unpacked(desk.path()).unwrap().devices, 2);
    let names: Vec<_> =
        fs::read_dir(desk.path().join("root")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["file"]);
}

#[test]
fn a_bomb_of_zeros_becomes_a_hole_and_then_it_is_enough() {
    let desk = desk();
    let limits = Limits { bytes: 64 << 20, ..Limits::default() };
    // One file after the other of 16 MiB of nothing.
    let mut archive = Vec::new();
    for nth in 0..5 {
        let header =
            Crafted::default().entry(EntryType::Regular, &format!("zeros{nth}"), "", b"", |header| {
                header.set_size(16 << 20);
            });
        archive.extend(&header.bytes()[..512]);
        archive.extend(vec![0; 16 << 20]);
    }
    let error = unpack(&archive[..], desk.path(), limits).unwrap_err().to_string();
    assert!(error.contains("more than 67108864 bytes"), "{error}");
    let found = fs::metadata(desk.path().join("zeros0")).unwrap();
    assert_eq!((found.len(), found.blocks()), (16 << 20, 0));
}

#[test]
fn a_size_that_is_a_lie_ends_with_the_archive() {
    let lie = |header: &mut tar::Header| header.set_size(1 << 60);
    let error = refusal(Crafted::default().entry(EntryType::Regular, "large", "", b"", lie));
    assert!(error.contains("cannot read the archive"), "{error}");
}

#[test]
fn a_sparse_file_that_is_a_lie_is_refused() {
    let sparse: &[(&str, &[u8])] =
        &[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"9223372036854775807")];
    let error = refusal(Crafted::default().records(sparse).file("huge", "0\n"));
    assert!(error.contains("more than"), "{error}");
    let sparse: &[(&str, &[u8])] = &[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"10")];
    let error = refusal(Crafted::default().records(sparse).file("out", "1\n5\n100\n"));
    assert!(error.contains("sparse"), "{error}");
}

#[test]
fn too_many_entries_are_refused() {
    let desk = desk();
    let mut archive = Crafted::default();
    for nth in 0..11 {
        archive = archive.file(&nth.to_string(), "");
    }
    let limits = Limits { entries: 10, ..Limits::default() };
    let error = unpack(&archive.bytes()[..], desk.path(), limits).unwrap_err().to_string();
    assert!(error.contains("more than 10 entries"), "{error}");
}

/// Takes more than it may have of the memory before its first entry has a name.
#[test]
fn a_description_without_end_is_refused() {
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let header = Crafted::default().entry(kind, "long", "", b"", |header| header.set_size(1 << 40));
        let archive = io::Cursor::new(header.bytes()[..512].to_vec()).chain(io::repeat(b'a'));
        let desk = desk();
        let error = unpack(archive, desk.path(), Limits::default()).unwrap_err().to_string();
        assert!(error.contains("to describe one entry"), "{error}");
    }
}

#[test]
fn entries_that_come_twice_or_clash_are_what_the_last_one_says() {
    let desk = desk();
    let archive = Crafted::default()
        .file("twice", "first")
        .file("twice", "second")
        .directory("a")
        .file("a/inner", "")
        .file("a", "a file now")
        .file("b", "a file")
        .directory("b")
        .file("b/inner", "beneath")
        .directory("c")
        .file("c/kept", "kept")
        .directory("c");
    archive.unpacked(desk.path()).unwrap();
    let read = |name: &str| fs::read_to_string(desk.path().join("root").join(name)).unwrap();
    assert_eq!((read("twice"), read("a")), ("second".into(), "a file now".into()));
    assert_eq!((read("b/inner"), read("c/kept")), ("beneath".into(), "kept".into()));
}

#[test]
fn an_entry_beneath_a_file_is_refused() {
    let error = refusal(Crafted::default().file("a", "").file("a/b", ""));
    assert!(error.contains("beneath something that is no directory"), "{error}");
}

#[test]
fn a_deletion_that_leads_out_is_refused() {
    for name in [".wh...", ".wh..", ".wh."] {
        let error = refusal(Crafted::default().file(&format!("a/{name}"), ""));
        assert!(error.contains("leads out"), "{name}: {error}");
    }
}

/// These would make overlayfs look elsewhere.
#[test]
fn the_file_systems_own_attributes_are_not_the_archives_to_set() {
    let desk = desk();
    let records: &[(&str, &[u8])] = &[
        ("SCHILY.xattr.trusted.overlay.redirect", b"/"),
        ("SCHILY.xattr.user.overlay.redirect", b"/"),
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.security.selinux", b"x"),
        ("SCHILY.xattr.user.mine", b"kept"),
    ];
    Crafted::default().records(records).file("file", "").unpacked(desk.path()).unwrap();
    let file = desk.path().join("root/file");
    let names: Vec<_> = xattr::list(&file).unwrap().filter(|name| name != "security.selinux").collect();
    assert_eq!(names, ["user.mine"]);
}

#[test]
fn kinds_that_nobody_knows_and_owners_that_are_none_are_refused() {
    let error = refusal(Crafted::default().entry(EntryType::new(b'Q'), "odd", "", b"", |_| {}));
    assert!(error.contains("unknown kind, `Q`"), "{error}");
    let records: &[(&str, &[u8])] = &[("uid", b"4294967295")];
    let error = refusal(Crafted::default().records(records).file("file", ""));
    assert!(error.contains("an owner is no number"), "{error}");
}

#[test]
fn a_pipe_stays_a_pipe_and_nobody_waits_at_it() {
    let desk = desk();
    let archive =
        Crafted::default().entry(EntryType::Fifo, "pipe", "", b"", |_| {}).hard_link("again", "pipe");
    archive.unpacked(desk.path()).unwrap();
    assert!(fs::symlink_metadata(desk.path().join("root/again")).unwrap().file_type().is_fifo());
}

#[test]
fn a_layer_that_is_not_what_its_image_promises_is_not_kept() {
    let desk = desk();
    let store = Store::at(desk.path());
    let layer = Crafted::default().file("file", "content").bytes();
    let archive = docker_archive("hostile:1", &[layer], |config| {
        config.rootfs.diff_ids = vec![terrarium::image::Digest::of(b"another")];
    });
    let error = load(&archive[..], &store).unwrap_err().to_string();
    assert!(error.contains("digest is sha256:"), "{error}");
    assert_eq!(store.names().unwrap(), []);
    for part in ["layers", "making", "blobs/sha256"] {
        assert_eq!(fs::read_dir(desk.path().join(part)).unwrap().count(), 0, "{part}");
    }
}

#[test]
fn what_is_cut_short_or_no_archive_at_all_is_said_so() {
    let layer = Crafted::default().file("file", "content").bytes();
    let whole = docker_archive("hostile:2", &[gzipped(&layer)], |config| {
        config.rootfs.diff_ids = vec![terrarium::image::Digest::of(&layer)];
    });
    for (bytes, expected) in [
        (&whole[..700], "read"),
        (&b"no archive"[..], "read"),
        (&b""[..], "no archive of images"),
        (&whole[..whole.len() - 2048], ""),
    ] {
        let desk = desk();
        let error = load(bytes, &Store::at(desk.path())).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
