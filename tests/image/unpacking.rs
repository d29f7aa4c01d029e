//! What an honest archive says is kept: links, holes, attributes, owners, modes, times, deletions.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use nix::unistd::geteuid;
use tar::EntryType;
use terrarium::image::layer::pack_differences;

use crate::crafted::Crafted;

#[test]
fn modes_times_and_owners_are_kept() {
    let desk = tempfile::tempdir().unwrap();
    let archive = Crafted::default()
        .entry(EntryType::Directory, "shared/", "", b"", |header| header.set_mode(0o1777))
        .entry(EntryType::Directory, "closed/", "", b"", |header| header.set_mode(0o500))
        .file("closed/inner", "")
        .entry(EntryType::Regular, "program", "", b"", |header| {
            header.set_mode(0o4755);
            header.set_uid(1234);
            header.set_gid(4321);
        });
    let tally = archive.unpacked(desk.path()).unwrap();
    let found = |name: &str| fs::metadata(desk.path().join("root").join(name)).unwrap();
    assert_eq!(found("shared").mode() & 0o7777, 0o1777);
    assert_eq!(found("closed").mode() & 0o7777, 0o500);
    assert_eq!(found("program").mode() & 0o7777, 0o4755);
    assert_eq!(found("program").mtime(), 1_000_000);
    assert_eq!(found("closed").mtime(), 1_000_000);
    if geteuid().is_root() {
        assert_eq!((found("program").uid(), found("program").gid()), (1234, 4321));
    } else {
        assert_eq!((found("program").uid(), tally.owners), (geteuid().as_raw(), 1));
    }
    terrarium::image::layer::remove_tree(&desk.path().join("root")).unwrap();
}

#[test]
fn hard_links_are_one_file() {
    let desk = tempfile::tempdir().unwrap();
    Crafted::default().file("d/a", "content").hard_link("b", "d/a").unpacked(desk.path()).unwrap();
    let inode = |name: &str| fs::metadata(desk.path().join("root").join(name)).unwrap().ino();
    assert_eq!(inode("d/a"), inode("b"));
}

#[test]
fn deletions_become_those_of_overlayfs_and_come_back_as_they_were() {
    let desk = tempfile::tempdir().unwrap();
    let archive = Crafted::default()
        .directory("d")
        .file("d/.wh.gone", "")
        .directory("opaque")
        .file("opaque/.wh..wh..opq", "")
        .file("opaque/new", "new")
        .file(".wh.remade", "")
        .directory("remade")
        .file("stays", "")
        .file(".wh.stays", "");
    archive.unpacked(desk.path()).unwrap();
    let root = desk.path().join("root");
    let gone = fs::symlink_metadata(root.join("d/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    // A directory that was deleted and made anew hides what it was.
    let mark = if geteuid().is_root() { "trusted.overlay.opaque" } else { "user.overlay.opaque" };
    for directory in ["opaque", "remade"] {
        assert_eq!(
            xattr::get(root.join(directory), mark).unwrap().as_deref(),
            Some(&b"y"[..]),
            "{directory}"
        );
    }
    assert!(fs::metadata(root.join("stays")).unwrap().is_file());

    let packed = pack_differences(&root, Vec::new()).unwrap();
    let mut archive = tar::Archive::new(&packed[..]);
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(
        names,
        [
            "d/",
            "d/.wh.gone",
            "opaque/",
            "opaque/.wh..wh..opq",
            "opaque/new",
            "remade/",
            "remade/.wh..wh..opq",
            "stays"
        ]
    );
}

#[test]
fn what_is_packed_unpacks_to_the_same_and_packs_to_the_same_bytes() {
    let desk = tempfile::tempdir().unwrap();
    let long = "long/".repeat(40) + "name";
    let first = desk.path().join("first");
    fs::create_dir_all(first.join(&long)).unwrap();
    fs::write(first.join("file"), "content").unwrap();
    fs::hard_link(first.join("file"), first.join("other")).unwrap();
    std::os::unix::fs::symlink("file", first.join("link")).unwrap();
    xattr::set(first.join("file"), "user.mine", b"kept").unwrap();
    let packed = pack_differences(&first, Vec::new()).unwrap();

    let second = desk.path().join("second");
    fs::create_dir(&second).unwrap();
    terrarium::image::layer::unpack(&packed[..], &second, terrarium::image::layer::Limits::default())
        .unwrap();
    assert_eq!(fs::read_link(second.join("link")).unwrap().to_str(), Some("file"));
    assert_eq!(fs::metadata(second.join("file")).unwrap().nlink(), 2);
    assert_eq!(xattr::get(second.join("file"), "user.mine").unwrap().unwrap(), b"kept");
    assert!(second.join(&long).is_dir());
    assert!(pack_differences(&second, Vec::new()).unwrap() == packed);
}

/// Written by GNU tar itself, in both of its formats.
#[test]
fn files_with_holes_keep_them() {
    let desk = tempfile::tempdir().unwrap();
    let from = desk.path().join("from");
    fs::create_dir(&from).unwrap();
    let file = fs::File::create(from.join("sparse")).unwrap();
    std::os::unix::fs::FileExt::write_at(&file, b"middle", 5 << 20).unwrap();
    file.set_len(20 << 20).unwrap();
    for format in ["gnu", "posix"] {
        let tar = std::process::Command::new("tar")
            .args(["--sparse", "--format", format, "-C", from.to_str().unwrap(), "-cf", "-", "."])
            .output();
        let Some(archive) = tar.ok().filter(|tar| tar.status.success()) else {
            println!("skipped: files with holes, there is no GNU tar here");
            return;
        };
        assert!(archive.stdout.len() < 1 << 20);
        let to = desk.path().join(format);
        fs::create_dir(&to).unwrap();
        terrarium::image::layer::unpack(&archive.stdout[..], &to, terrarium::image::layer::Limits::default())
            .unwrap();
        let found = fs::metadata(to.join("sparse")).unwrap();
        assert_eq!(found.len(), 20 << 20, "{format}");
        assert!(found.blocks() < 2048, "{format}: {} blocks", found.blocks());
        assert!(fs::read(to.join("sparse")).unwrap() == fs::read(from.join("sparse")).unwrap(), "{format}");
    }
}
