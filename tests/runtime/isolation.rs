//! What a container sees, and what it does not.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use nix::unistd::geteuid;
use oci_spec::runtime::{Mount, Root as RootOptions, Spec, User};
use terrarium::runtime::{Bundle, CreateOptions, ExitStatus};

use crate::stage::{Actor, Stage, has_one_id, run};

/// Runs a script in a container whose configuration `change` has changed.
fn run_changed(script: &str, change: impl FnOnce(&Stage, &mut Spec)) -> (String, ExitStatus) {
    let stage = Stage::new();
    let mut bundle = stage.bundle(&["sh", "-c", script]);
    change(&stage, &mut bundle.spec);
    finish(stage.create(&bundle))
}

fn finish(mut actor: Actor) -> (String, ExitStatus) {
    actor.start();
    let ended = actor.end();
    let output = actor.output();
    actor.container.delete().unwrap();
    (output, ended)
}

#[test]
fn it_has_the_descriptors_it_was_given_and_no_others() {
    let stage = Stage::new();
    let _lives_beside_it = Stage::new().play(&["sleep", "1000"]);
    let given = stage.path().join("given");
    let bundle = stage.bundle(&["sleep", "1000"]);
    let preserve_fds = vec![File::create(given).unwrap().into()];
    let mut actor = stage.create_with(&bundle, CreateOptions { preserve_fds, ..CreateOptions::default() });
    actor.start();
    let directory = format!("/proc/{}/fd", actor.container.pid());
    let open = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(open.collect::<BTreeSet<_>>(), ["0", "1", "2", "3"].map(OsString::from).into());
    actor.strike();
}

#[test]
fn no_signal_is_blocked_ignored_or_caught_when_it_begins() {
    let (status, _) = {
        let stage = Stage::new();
        let bundle = stage.bundle(&["cat", "/proc/self/status"]);
        finish(stage.create(&bundle))
    };
    for set in ["SigBlk", "SigIgn", "SigCgt"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000\n")), "{status}");
    }
}

#[test]
fn it_is_alone_in_its_pid_namespace() {
    assert_eq!(run("echo $$ /proc/[0-9]*").0, "1 /proc/1\n");
}

#[test]
fn it_has_its_own_name_and_a_loopback_interface() {
    let (output, _) = run(
        "read name < /proc/sys/kernel/hostname; echo $name; cat /sys/class/net/lo/flags; ls /sys/class/net",
    );
    assert_eq!(output, "actor\n0x9\nlo\n");
}

#[test]
fn it_keeps_dockers_capabilities() {
    let (status, _) = run("cat /proc/self/status");
    for (set, mask) in
        [("CapBnd", "a80425fb"), ("CapEff", "a80425fb"), ("CapPrm", "a80425fb"), ("CapInh", "00000000")]
    {
        assert!(status.contains(&format!("{set}:\t00000000{mask}\n")), "{status}");
    }
}

#[test]
fn a_filter_of_system_calls_is_on_and_no_capability_is_left_of_putting_it_on() {
    let (status, _) = run("cat /proc/self/status");
    assert!(status.contains("Seccomp:\t2\n"), "{status}");
    assert!(status.contains("NoNewPrivs:\t0\n"), "{status}");
    for set in ["CapEff", "CapPrm"] {
        assert!(status.contains(&format!("{set}:\t00000000a80425fb\n")), "{status}");
    }
}

#[test]
fn a_promise_to_gain_no_privileges_is_kept_with_the_filter() {
    let (status, _) = run_changed("cat /proc/self/status", |_, spec| {
        spec.process_mut().as_mut().unwrap().set_no_new_privileges(Some(true));
    });
    assert!(status.contains("Seccomp:\t2\n") && status.contains("NoNewPrivs:\t1\n"), "{status}");
}

#[test]
fn a_filter_of_ones_own_holds_for_the_program_and_not_for_its_setting_up() {
    // Neither sending nor receiving: the runtime's own words do not need it.
    let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
        {"names": ["sendto", "recvfrom", "sendmsg", "capset", "setresuid", "prctl"], "action": "SCMP_ACT_KILL_PROCESS"}]}"#;
    let seccomp = terrarium::runtime::seccomp_from_json(profile, &[]).unwrap();
    let (output, ended) = run_changed("mkdir /x 2>&1; true", |_, spec| {
        spec.linux_mut().as_mut().unwrap().set_seccomp(Some(seccomp));
    });
    assert!(output.contains("No space left on device"), "{output}");
    assert_eq!(ended, ExitStatus::Exited(0));
}

#[test]
fn a_user_of_the_container_keeps_none() {
    if has_one_id("user 1000") {
        return;
    }
    let (status, _) = run_changed("cat /proc/self/status", |_, spec| {
        let mut user = User::default();
        user.set_uid(1000).set_gid(1001).set_additional_gids(Some(vec![7, 8]));
        spec.process_mut().as_mut().unwrap().set_user(user);
    });
    assert!(status.contains("Uid:\t1000\t1000\t1000\t1000\n"), "{status}");
    assert!(status.contains("Gid:\t1001\t1001\t1001\t1001\n"), "{status}");
    assert!(status.contains("Groups:\t7 8 \n"), "{status}");
    assert!(status.contains("CapEff:\t0000000000000000\n"), "{status}");
    assert!(status.contains("CapPrm:\t0000000000000000\n"), "{status}");
}

#[test]
fn the_hosts_files_are_out_of_reach() {
    let (output, _) = run("ls /; cat /proc/self/mountinfo");
    assert!(!output.contains(&std::env::temp_dir().display().to_string()), "{output}");
    assert!(!output.contains("/home"), "{output}");
}

#[test]
fn devices_work() {
    let script =
        "echo gone > /dev/null; cat /dev/null; ls /dev; test -c /dev/zero && test -c /dev/ptmx && echo there";
    let devices =
        ["fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout"];
    let names = devices.into_iter().chain(["tty", "urandom", "zero"]).collect::<Vec<_>>().join("\n");
    assert_eq!(run(script).0, format!("{names}\nthere\n"));
}

#[test]
fn what_tells_or_changes_too_much_is_hidden_or_read_only() {
    let script = "cat /proc/keys; ls /sys/firmware; \
        for path in /proc/sys/kernel/hostname /proc/sysrq-trigger /sys/kernel/profiling; do \
        (echo x > $path) 2>/dev/null && echo $path is writable; done; echo end";
    assert_eq!(run(script).0, "end\n");
}

#[test]
fn a_root_file_system_can_be_read_only() {
    let (output, ended) = run_changed("mkdir /x 2>/dev/null || echo refused; mkdir /dev/shm/x", |_, spec| {
        let mut root = RootOptions::default();
        root.set_readonly(Some(true));
        spec.set_root(Some(root));
    });
    assert_eq!((output.as_str(), ended), ("refused\n", ExitStatus::Exited(0)));
}

#[test]
fn a_volume_is_mounted_where_the_image_says_and_not_where_its_links_lead() {
    let (output, _) =
        run_changed("cat /data/file; (echo x > /data/new) 2>/dev/null || echo read-only", |stage, spec| {
            let volume = stage.path().join("volume");
            std::fs::create_dir(&volume).unwrap();
            std::fs::write(volume.join("file"), "from the host\n").unwrap();
            // An image that tries to have the volume mounted over the host's /tmp.
            symlink("/../../tmp", stage.path().join("lower/data")).unwrap();
            let mut mount = Mount::default();
            mount
                .set_destination(PathBuf::from("/data"))
                .set_typ(Some("bind".to_owned()))
                .set_source(Some(volume))
                .set_options(Some(vec!["rbind".to_owned(), "ro".to_owned()]));
            std::fs::create_dir(stage.path().join("lower/tmp")).unwrap();
            spec.mounts_mut().as_mut().unwrap().push(mount);
        });
    assert_eq!(output, "from the host\nread-only\n");
}

#[test]
fn one_file_can_be_a_volume() {
    let (output, _) = run_changed("cat /etc/made/hosts", |stage, spec| {
        let file = stage.path().join("hosts");
        std::fs::write(&file, "127.0.0.1 here\n").unwrap();
        let mut mount = Mount::default();
        mount
            .set_destination(PathBuf::from("/etc/made/hosts"))
            .set_typ(Some("bind".to_owned()))
            .set_source(Some(file))
            .set_options(None);
        spec.mounts_mut().as_mut().unwrap().push(mount);
    });
    assert_eq!(output, "127.0.0.1 here\n");
}

#[test]
fn it_starts_in_its_working_directory_which_is_made() {
    let (output, _) = run_changed("pwd", |_, spec| {
        spec.process_mut().as_mut().unwrap().set_cwd(PathBuf::from("/srv/app"));
    });
    assert_eq!(output, "/srv/app\n");
}

#[test]
fn it_can_join_the_network_of_another() {
    if !geteuid().is_root() {
        println!(
            "skipped: joining a network, another container's namespace belongs to another user namespace"
        );
        return;
    }
    let first = Stage::new().play(&["sleep", "1000"]);
    let network = PathBuf::from(format!("/proc/{}/ns/net", first.container.pid()));
    let expected = std::fs::read_link(&network).unwrap();
    let stage = Stage::new();
    let Bundle { mut spec, root } = stage.bundle(&["ls", "-l", "/proc/self/ns/net"]);
    for namespace in spec.linux_mut().as_mut().unwrap().namespaces_mut().as_mut().unwrap() {
        if namespace.typ() == oci_spec::runtime::LinuxNamespaceType::Network {
            namespace.set_path(Some(network.clone()));
        }
    }
    let (output, _) = finish(stage.create(&Bundle { spec, root }));
    assert!(output.contains(expected.to_str().unwrap()), "{output}");
    first.strike();
}

#[test]
fn two_containers_of_a_bundle_see_equally_many_mounts() {
    let [first, second] = [Stage::new(), Stage::new()].map(|stage| stage.play(&["sleep", "1000"]));
    let mounts = first.container.mounts();
    assert_eq!(second.container.mounts(), mounts);
    println!("mounts: {mounts}");
    assert!(mounts >= 17);
    first.strike();
    second.strike();
}
