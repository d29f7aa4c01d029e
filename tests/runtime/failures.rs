//! What a failure says.

use std::path::PathBuf;

use oci_spec::runtime::User;
use terrarium::runtime::{
    Bundle, CreateOptions, Durability, ExitStatus, Progress, Root, Step, create, probe, steps,
};

use crate::stage::{Actor, Stage, cgroup_name, isolation, new_directory, while_writing_programs};

fn play(change: impl FnOnce(&Stage, &mut Bundle)) -> Actor {
    let stage = Stage::new();
    let mut bundle = stage.bundle(&["true"]);
    change(&stage, &mut bundle);
    stage.create(&bundle)
}

fn set_arguments(bundle: &mut Bundle, arguments: &[&str]) {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    bundle.spec.process_mut().as_mut().unwrap().set_args(Some(arguments));
}

/// Starts a program that cannot be executed: Docker's code and our sentence.
fn exec_failure(program: &str, prepare: impl FnOnce(&Stage)) -> (u8, String) {
    let mut actor = play(|stage, bundle| {
        while_writing_programs(|| prepare(stage));
        set_arguments(bundle, &[program]);
    });
    assert_eq!(actor.progress(), Progress::Parked);
    actor.container.start().unwrap();
    let Progress::ExecFailed(error) = actor.progress() else { panic!("{program} was executed") };
    assert_eq!(actor.end(), ExitStatus::Exited(error.code));
    actor.container.delete().unwrap();
    (error.code, error.message)
}

#[test]
fn a_missing_program_is_127() {
    let (code, message) = exec_failure("nosuch", |_| {});
    assert_eq!(code, 127);
    assert_eq!(
        message,
        "cannot execute nosuch: executable file not found in $PATH (give its full path, or add it to the image)"
    );
    assert_eq!(exec_failure("/no/such", |_| {}).0, 127);
}

#[test]
fn a_directory_or_a_file_that_may_not_be_executed_is_126() {
    assert_eq!(exec_failure("/bin", |_| {}).0, 126);
    let (code, message) = exec_failure("plain", |stage| {
        std::fs::write(stage.path().join("lower/bin/plain"), "text").unwrap();
    });
    assert_eq!(code, 126);
    assert!(message.contains("permission denied"), "{message}");
}

#[test]
fn a_file_that_is_no_program_is_128() {
    let (code, message) = exec_failure("/bin/text", |stage| {
        let path = stage.path().join("lower/bin/text");
        std::fs::copy(stage.path().join("lower/bin/true"), &path).unwrap();
        std::fs::write(&path, "no program").unwrap();
    });
    assert_eq!(code, 128);
    assert!(message.contains("exec format error"), "{message}");
}

#[test]
fn a_failed_step_is_named_with_what_it_worked_on() {
    let mut actor = play(|_, bundle| {
        bundle.spec.set_hostname(Some("x".repeat(65)));
    });
    let Progress::Failed(error) = actor.progress() else { panic!("it was set up") };
    assert_eq!(error.step, Step::HostName);
    let name = "x".repeat(65);
    assert_eq!(
        error.to_string(),
        format!(
            "cannot set up the container: step `host name` failed on {name}: invalid argument (a host name has at most 64 bytes)"
        )
    );
    assert_eq!(actor.end(), ExitStatus::Exited(125));
    actor.container.delete().unwrap();
}

#[test]
fn a_mount_that_fails_is_named() {
    let mut actor = play(|_, bundle| {
        let mounts = bundle.spec.mounts_mut().as_mut().unwrap();
        mounts[3].set_options(Some(vec!["size=nonsense".to_owned()]));
    });
    let Progress::Failed(error) = actor.progress() else { panic!("it was set up") };
    assert_eq!((error.step, error.subject.as_str()), (Step::PrepareMounts, "tmpfs for /dev/shm"));
    actor.end();
    actor.container.delete().unwrap();
}

#[test]
fn a_user_that_is_not_mapped_is_explained() {
    if nix::unistd::geteuid().is_root() {
        println!("skipped: an unmapped user, root can be anybody");
        return;
    }
    let mut actor = play(|_, bundle| {
        let mut user = User::default();
        user.set_uid(3_000_000_000);
        bundle.spec.process_mut().as_mut().unwrap().set_user(user);
    });
    let Progress::Failed(error) = actor.progress() else { panic!("it was set up") };
    assert_eq!(error.step, Step::User);
    assert!(error.to_string().contains("use user 0, have ids lent"), "{error}");
    actor.end();
}

#[test]
fn a_missing_layer_is_found_before_anything_happens() {
    let stage = Stage::new();
    let Bundle { spec, .. } = stage.bundle(&["true"]);
    let missing = stage.path().join("missing");
    let directory = |name| stage.path().join(name);
    let root = Root::Layers {
        lower: vec![missing.clone()],
        upper: directory("upper"),
        work: directory("work"),
        merged: directory("merged"),
        durability: Durability::Durable,
    };
    let options = CreateOptions { cgroup: cgroup_name(), ..CreateOptions::default() };
    let error = create(&Bundle { spec, root }, &stage.cgroups, options).unwrap_err().to_string();
    assert!(error.contains(&format!("cannot use {} as read-only layer", missing.display())), "{error}");
}

#[test]
fn what_is_not_known_is_refused_and_not_left_out() {
    let stage = Stage::new();
    let mut bundle = stage.bundle(&["true"]);
    bundle.spec.process_mut().as_mut().unwrap().set_apparmor_profile(Some("strict".to_owned()));
    let options = CreateOptions { cgroup: cgroup_name(), ..CreateOptions::default() };
    let error = create(&bundle, &stage.cgroups, options).unwrap_err().to_string();
    assert!(error.contains("an AppArmor profile"), "{error}");
}

#[test]
fn this_host_passes_the_probe_and_nothing_of_it_stays() {
    let scratch = new_directory();
    probe(isolation(), scratch.path(), cgroup_name()).unwrap();
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    let error =
        probe(isolation(), &PathBuf::from("/no/such/directory"), cgroup_name()).unwrap_err().to_string();
    assert!(error.contains("choose a directory that you can write to"), "{error}");
}

#[test]
fn every_step_has_a_name_of_its_own_and_a_reason() {
    let names: std::collections::BTreeSet<_> = steps().iter().map(|step| step.name()).collect();
    assert_eq!(names.len(), steps().len());
    assert!(steps().iter().all(|step| step.reason().len() > 20));
}
