//! What root has lent to a user: more ids, and the files that they make.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::unistd::geteuid;
use oci_spec::runtime::User;
use terrarium::runtime::{CreateOptions, ExitStatus, lent_ids, remove_all};

use crate::stage::{Stage, has_one_id, run, while_making_children};

#[test]
fn a_user_inside_makes_files_that_can_be_removed_afterwards() {
    if has_one_id("files of other ids") {
        return;
    }
    let stage = Stage::new();
    let script = "umask 077; mkdir /open/closed && echo x >/open/closed/file";
    let mut bundle = stage.bundle(&["sh", "-c", script]);
    let open = stage.path().join("lower/open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let mut user = User::default();
    user.set_uid(1000).set_gid(1000);
    bundle.spec.process_mut().as_mut().unwrap().set_user(user);
    let mut actor = stage.lend(&bundle, CreateOptions::default());
    actor.start();
    assert_eq!(actor.end(), ExitStatus::Exited(0), "{}", actor.output());
    actor.container.delete().unwrap();

    let closed = stage.path().join("upper/open/closed");
    let owner = fs::metadata(&closed).unwrap().uid();
    if !geteuid().is_root() {
        assert!(owner != geteuid().as_raw() && owner >= 1000, "{owner}");
        assert!(fs::remove_dir_all(&closed).is_err(), "or this would show nothing");
    }
    while_making_children(|| remove_all(&stage.path().join("upper"))).unwrap();
    assert!(!stage.path().join("upper").exists());
    // What is gone is gone.
    remove_all(&stage.path().join("upper")).unwrap();
}

#[test]
fn a_user_inside_has_none_of_the_groups_of_the_user_outside() {
    if has_one_id("groups that can be given up") {
        return;
    }
    let (status, _) = run("cat /proc/self/status");
    assert!(status.contains("Groups:\t \n"), "{status}");
    let (map, _) = run("cat /proc/self/uid_map");
    match lent_ids() {
        Ok(lent) if !geteuid().is_root() => {
            let sizes = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
            assert_eq!(sizes.sum::<u64>(), lent.count(), "{map}");
        }
        _ => assert!(map.contains("4294967295"), "{map}"),
    }
}
