//! The container that is attacked, with the attacker as its program: this test program itself, told what to try.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oci_spec::runtime::{Mount, Spec};
use terrarium::runtime::{Bundle, ExitStatus, Progress};

use crate::attack::WHICH;
use crate::stage::{Actor, Stage};

/// Where the attacker's program appears inside.
const ATTACKER: &str = "/attacker";

/// A container whose program is the attacker, who tries `which`.
pub(crate) fn bundle(stage: &Stage, which: &str) -> Bundle {
    let mut bundle =
        stage.bundle(&[ATTACKER, "--exact", "attack::plays_the_attacker", "--nocapture", "--test-threads=1"]);
    let process = bundle.spec.process_mut().as_mut().unwrap();
    let mut env = process.env().clone().unwrap();
    env.push(format!("{WHICH}={which}"));
    process.set_env(Some(env));
    bring_attacker(stage, &mut bundle.spec);
    bundle
}

/// Has the attacker's program appear in any container of the stage.
pub(crate) fn bring_attacker(stage: &Stage, spec: &mut Spec) {
    let program = std::env::current_exe().unwrap();
    bind(spec, &program, ATTACKER, &["bind", "ro"]);
    let ldd = Command::new("ldd").arg(&program).output().unwrap();
    for word in String::from_utf8(ldd.stdout).unwrap().split_whitespace().filter(|word| word.starts_with('/'))
    {
        let inside = stage.path().join("lower").join(&word[1..]);
        if !inside.exists() {
            fs::create_dir_all(inside.parent().unwrap()).unwrap();
            fs::copy(word, inside).unwrap();
        }
    }
}

pub(crate) fn bind(spec: &mut Spec, source: &Path, target: &str, options: &[&str]) {
    let mut mount = Mount::default();
    mount
        .set_destination(PathBuf::from(target))
        .set_typ(Some("bind".to_owned()))
        .set_source(Some(source.to_path_buf()))
        .set_options(Some(options.iter().map(|option| (*option).to_owned()).collect()));
    spec.mounts_mut().as_mut().unwrap().push(mount);
}

/// Lets the attacker try `which`, in a container that `change` has changed, and returns what it tells.
pub(crate) fn tried(which: &str, change: impl FnOnce(&Stage, &mut Spec)) -> Vec<String> {
    let stage = Stage::new();
    let mut bundle = bundle(&stage, which);
    change(&stage, &mut bundle.spec);
    let mut actor = stage.create(&bundle);
    actor.start();
    told(&mut actor)
}

/// What the attacker has told by its end, line by line.
pub(crate) fn told(actor: &mut Actor) -> Vec<String> {
    let ended = actor.end();
    let output = actor.output();
    assert_eq!(ended, ExitStatus::Exited(0), "{output}");
    let lines: Vec<String> =
        output.lines().filter_map(|line| line.strip_prefix("> ")).map(str::to_owned).collect();
    assert!(!lines.is_empty(), "the attacker has tried nothing: {output}");
    println!("{lines:#?}");
    lines
}

/// Whether all that was tried was turned away.
pub(crate) fn assert_all_refused(told: &[String]) {
    let done: Vec<&String> = told.iter().filter(|line| !line.contains(": refused")).collect();
    assert_eq!(done, Vec::<&String>::new());
}

/// What becomes of a container that must not come to be: the step that refused it.
pub(crate) fn refusal(stage: Stage, bundle: &Bundle) -> String {
    let mut actor = stage.create(bundle);
    match actor.progress() {
        Progress::Failed(error) => {
            actor.end();
            actor.container.delete().unwrap();
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}
