//! Ways out that begin with a system call or a file of the kernel's.

use std::fs;

use oci_spec::runtime::Capability;

use crate::stage::Stage;
use crate::target::{assert_all_refused, bind, bundle, told, tried};

#[test]
fn calls_that_no_namespace_closes_off_are_refused() {
    assert_all_refused(&tried("calls", |_, _| {}));
    // A seccomp filter, and not the lack of a capability, is what says EPERM.
    assert!(tried("calls", |_, _| {}).iter().all(|line| line.ends_with("refused (EPERM)")));
}

#[test]
fn a_user_namespace_inside_is_refused_however_it_is_asked_for() {
    let told = tried("namespaces", |_, _| {});
    assert_all_refused(&told);
    assert!(told.contains(&"clone3: refused (ENOSYS)".to_owned()), "{told:?}");
}

#[test]
fn kcore_sysrq_and_the_like_tell_nothing_and_take_nothing() {
    assert_all_refused(&tried("kernel files", |_, _| {}));
}

#[test]
fn a_device_file_made_inside_opens_nowhere() {
    let told = tried("devices", |stage, spec| {
        let volume = stage.path().join("volume");
        fs::create_dir(&volume).unwrap();
        bind(spec, &volume, "/volume", &["rbind", "nodev"]);
    });
    assert_all_refused(&told);
}

#[test]
fn a_release_agent_cannot_be_set() {
    assert_all_refused(&tried("release agent", |_, _| {}));
}

#[test]
fn a_chroot_leads_nowhere_but_down() {
    assert_all_refused(&tried("climb", |_, _| {}));
}

#[test]
fn a_mount_made_inside_stays_inside() {
    let stage = Stage::new();
    let mut bundle = bundle(&stage, "mount");
    let volume = stage.path().join("volume");
    fs::create_dir(&volume).unwrap();
    bind(&mut bundle.spec, &volume, "/volume", &["rbind", "nodev"]);
    // One who may mount: the question is where it shows.
    let linux = bundle.spec.linux_mut().as_mut().unwrap();
    linux.set_seccomp(None);
    let process = bundle.spec.process_mut().as_mut().unwrap();
    let mut sets = process.capabilities().clone().unwrap();
    let mut more = sets.bounding().clone().unwrap();
    more.insert(Capability::SysAdmin);
    sets.set_bounding(Some(more.clone())).set_effective(Some(more.clone())).set_permitted(Some(more));
    process.set_capabilities(Some(sets));
    let mut actor = stage.create(&bundle);
    actor.start();
    assert_eq!(told(&mut actor), ["mount in the volume: done"]);
    assert!(volume.join("inner").is_dir());
    assert!(!volume.join("inner/here").exists(), "the host sees what was mounted inside");
    actor.container.delete().unwrap();
}
