//! Circumstances that nobody wishes for.

use std::fs;

use crate::stage::{Stage, is_forbidden};

#[test]
fn four_thousand_variables_arrive() {
    if is_forbidden("many variables") {
        return;
    }
    let stage = Stage::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines: Vec<String> = (0..4000).map(|nth| format!("VARIABLE_{nth}=value {nth}")).collect();
    let text = lines.join(
        "
",
    );
    fs::write(file.path(), text).unwrap();
    stage.good(&["run", "-d", "--name", "web", "--env-file", file.path().to_str().unwrap(), "lab"]);
    let [pid] = stage.inmates()[..] else { panic!("one process") };
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.split('\0').any(|variable| variable == "VARIABLE_3999=value 3999"));
    stage.good(&["rm", "-f", "web"]);
}

#[test]
fn what_cannot_be_lived_is_said_and_nothing_is_half_made() {
    if is_forbidden("refusals") {
        return;
    }
    let stage = Stage::new();
    let told = stage.run(&["create", "127.0.0.1:1/nosuchimage"]);
    assert_eq!((told.status, told.complaint.contains("no such image: 127.0.0.1:1/nosuchimage")), (1, true));
    assert!(stage.bad(&["create", "--name=-web", "lab"], 2).contains("-web"));
    assert!(stage.bad(&["kill", "-s", "NOSUCH", "web"], 1).contains("invalid signal"));
    for verb in ["stop", "restart"] {
        assert!(stage.bad(&[verb, "--signal", "NOSUCH", "web"], 1).contains("invalid signal: NOSUCH"));
    }
    assert!(stage.bad(&["stop", "nobody"], 1).contains("no such container"));
    let told = stage.run(&["rm", "-f", "nobody"]);
    assert_eq!((told.status, told.complaint.contains("no such container")), (0, true));
    stage.is_empty_soon(&[]);
}

#[test]
fn a_root_that_cannot_be_written_is_named() {
    let stage = Stage::new();
    fs::write(stage.root(), "in the way").unwrap();
    let told = stage.bad(&["create", "lab"], 1);
    assert!(told.contains(stage.root().to_str().unwrap()), "{told}");
}

#[test]
fn a_damaged_journal_is_named_and_the_others_are_left_alone() {
    if is_forbidden("a damaged journal") {
        return;
    }
    let stage = Stage::new();
    let id = stage.good(&["create", "--name", "hurt", "lab", "true"]);
    stage.good(&["start", "hurt"]);
    crate::stage::eventually("its keeper has left", || stage.keepers().is_empty());
    let journal = stage.journal(&id);
    let whole = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, whole.replacen("NameGranted", "NameGrantes", 1)).unwrap();
    let told = stage.bad(&["start", "hurt"], 1);
    assert!(told.contains("damaged in line 3") && told.contains(journal.to_str().unwrap()), "{told}");
    assert_eq!(stage.good(&["run", "--rm", "lab", "echo", "well"]), "well");
    fs::write(&journal, whole).unwrap();
    stage.good(&["rm", "hurt"]);
}
