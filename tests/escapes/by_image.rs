//! Ways out that an image or a volume prepares, for the moment in which the container is set up.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use oci_spec::runtime::Spec;

use crate::stage::{Stage, run};
use crate::target::{assert_all_refused, bind, bundle, refusal, tried};

fn work_in(spec: &mut Spec, directory: &str) {
    spec.process_mut().as_mut().unwrap().set_cwd(PathBuf::from(directory));
}

#[test]
fn a_working_directory_does_not_lead_through_a_descriptor() {
    for number in 3..12 {
        let stage = Stage::new();
        let mut bundle = bundle(&stage, "where");
        work_in(&mut bundle.spec, &format!("/proc/self/fd/{number}"));
        let said = refusal(stage, &bundle);
        assert!(said.contains("step `working directory` failed"), "{said}");
    }
}

#[test]
fn a_working_directory_that_is_a_link_to_a_descriptor_neither() {
    let stage = Stage::new();
    let mut bundle = bundle(&stage, "where");
    symlink("/proc/self/fd/8/../../..", stage.path().join("lower/work")).unwrap();
    work_in(&mut bundle.spec, "/work");
    let said = refusal(stage, &bundle);
    assert!(said.contains("step `working directory` failed"), "{said}");
}

#[test]
fn a_working_directory_of_many_steps_up_is_the_root() {
    let told = tried("where", |_, spec| work_in(spec, "/tmp/../../../../.."));
    assert_eq!(told, ["here: refused, /"]);
}

#[test]
fn a_null_device_that_is_a_link_masks_nothing_with_what_it_leads_to() {
    // With a volume on /dev, everything there is the attacker's.
    let stage = Stage::new();
    let mut bundle = bundle(&stage, "where");
    let devices = stage.path().join("devices");
    fs::create_dir(&devices).unwrap();
    symlink("/proc/sys/kernel/core_pattern", devices.join("null")).unwrap();
    bind(&mut bundle.spec, &devices, "/dev", &["rbind", "nodev"]);
    let said = refusal(stage, &bundle);
    assert!(said.contains("/dev/null"), "{said}");
}

#[test]
fn a_null_device_of_the_images_own_is_never_used() {
    let (output, _) = {
        let stage = Stage::new();
        fs::create_dir_all(stage.path().join("lower/dev")).unwrap();
        symlink("/proc/sys/kernel/core_pattern", stage.path().join("lower/dev/null")).unwrap();
        let mut actor = stage.play(&[
            "sh",
            "-c",
            "test -c /dev/null && ! test -L /dev/null && cat /proc/keys && echo masked",
        ]);
        let ended = actor.end();
        let output = actor.output();
        actor.container.delete().unwrap();
        (output, ended)
    };
    assert_eq!(output, "masked\n");
}

#[test]
fn a_terminal_that_is_a_link_is_not_followed() {
    let stage = Stage::new();
    let mut bundle = bundle(&stage, "where");
    let devices = stage.path().join("devices");
    fs::create_dir(&devices).unwrap();
    symlink("/proc/sys", devices.join("pts")).unwrap();
    bind(&mut bundle.spec, &devices, "/dev", &["rbind", "nodev"]);
    // What lies deeper comes later: the terminals are mounted on what is in the volume.
    let mounts = bundle.spec.mounts_mut().as_mut().unwrap();
    let terminals = mounts.iter().position(|mount| mount.destination().ends_with("pts")).unwrap();
    let terminals = mounts.remove(terminals);
    mounts.push(terminals);
    let said = refusal(stage, &bundle);
    assert!(said.contains("/dev/pts"), "{said}");
}

#[test]
fn a_proc_that_is_a_link_is_not_followed() {
    let stage = Stage::new();
    let bundle = bundle(&stage, "where");
    fs::create_dir(stage.path().join("lower/elsewhere")).unwrap();
    symlink("/elsewhere", stage.path().join("lower/proc")).unwrap();
    let said = refusal(stage, &bundle);
    assert!(said.contains("step `attach mounts` failed on /proc"), "{said}");
}

#[test]
fn a_volume_does_not_end_up_in_proc_by_a_link_of_the_image() {
    for link in ["/proc", "/proc/sys", "/proc/self/fd", "../../proc/sys/kernel", "/sys/kernel"] {
        let stage = Stage::new();
        let mut bundle = bundle(&stage, "where");
        symlink(link, stage.path().join("lower/data")).unwrap();
        let volume = stage.path().join("volume");
        fs::create_dir(&volume).unwrap();
        bind(&mut bundle.spec, &volume, "/data", &["rbind", "nodev"]);
        let said = refusal(stage, &bundle);
        assert!(said.contains("step `attach mounts` failed on /data"), "{link}: {said}");
    }
}

#[test]
fn a_kernel_setting_is_written_to_the_kernel_or_nowhere() {
    let stage = Stage::new();
    let mut bundle = bundle(&stage, "where");
    let fake = stage.path().join("fake");
    fs::create_dir_all(fake.join("ipv4")).unwrap();
    fs::write(fake.join("ipv4/ip_unprivileged_port_start"), "untouched").unwrap();
    bind(&mut bundle.spec, &fake, "/proc/sys/net", &["rbind", "nodev"]);
    let setting = ("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned());
    bundle.spec.linux_mut().as_mut().unwrap().set_sysctl(Some([setting].into()));
    let said = refusal(stage, &bundle);
    assert!(said.contains("step `kernel settings` failed"), "{said}");
}

#[test]
fn what_the_keeper_has_open_is_not_open_inside() {
    let told = tried("descriptors", |_, _| {});
    assert_all_refused(&told);
}

#[test]
fn the_hosts_files_are_not_above_the_root() {
    assert_eq!(run("cd /; cd ../../../..; pwd; ls -d /../../../bin").0, "/\n/../../../bin\n");
}
