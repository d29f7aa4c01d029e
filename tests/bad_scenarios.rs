//! What is wrong with a scenario is said in one sentence, with the line and, below it, the part that is meant.
//!
//! The sentences are in `snapshots/`, to be read like the page of a manual.

use std::{fs, path::Path};

use terrarium::scenario::{ScenarioError, load, parse, schema};

#[test]
fn files() {
    insta::assert_snapshot!(answers("", FILES));
}

#[test]
fn containers() {
    insta::assert_snapshot!(answers("title: T\ncontainers:\n", CONTAINERS));
}

#[test]
fn steps() {
    insta::assert_snapshot!(answers("title: T\ncontainers: { web: }\nsteps:\n", STEPS));
}

/// What is wrong by its form an editor marks while it is typed; the rest needs the story as a whole, or YAML's own rules.
#[test]
fn an_editor_marks_what_is_wrong_by_its_form() {
    let schema = jsonschema::draft202012::new(&schema()).unwrap();
    let cases = [
        ("", FILES),
        ("title: T\ncontainers:\n", CONTAINERS),
        ("title: T\ncontainers: { web: }\nsteps:\n", STEPS),
    ];
    let mut unmarked = Vec::new();
    for (before, cases) in cases {
        for (name, yaml) in cases {
            let value = serde_yaml::from_str::<serde_json::Value>(&format!("{before}{yaml}\n"));
            if value.is_ok_and(|value| schema.is_valid(&value)) {
                unmarked.push(*name);
            }
        }
    }
    insta::assert_snapshot!(unmarked.join("\n"));
}

#[test]
fn an_error_of_the_file_itself_names_it_and_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let error =
        |path: &Path| load(path).unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "DIR");
    let answers = [
        error(&dir.path().join("missing.yaml")),
        error(dir.path()),
        error(&write("binary.yaml", b"title: \0")),
        error(&write("latin.yaml", b"title: caf\xe9")),
        error(&write("empty.yaml", b"")),
        error(&write("comments.yaml", b"# later\n")),
        error(&write("large.yaml", &vec![b'#'; (4 << 20) + 1])),
    ];
    insta::assert_snapshot!(answers.join("\n"), @r"
    DIR/missing.yaml: no such file (`terrarium lessons` lists what is built in)
    DIR: is a directory: name a file in it
    DIR/binary.yaml: is not text: a scenario is a YAML file in UTF-8
    DIR/latin.yaml: is not text: a scenario is a YAML file in UTF-8
    DIR/empty.yaml: is empty: a scenario needs a `title` and `steps`
    DIR/comments.yaml: is empty: a scenario needs a `title` and `steps`
    DIR/large.yaml: is larger than 4 MiB: this is no scenario
    ");
}

#[test]
fn of_a_huge_file_no_more_is_read_than_a_scenario_can_have() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.yaml");
    // A sparse file: reading it whole would need more memory than there is.
    fs::File::create(&path).and_then(|file| file.set_len(1 << 40)).unwrap();
    assert!(matches!(load(&path), Err(ScenarioError::TooLarge(_))));
}

#[test]
fn nesting_is_refused_before_it_can_hurt() {
    for opening in ["[", "{a: ", "- ", "? "] {
        let text = format!("title: T\nabout:\n  {}", opening.repeat(100_000));
        let error = parse("deep.yaml", &text).unwrap_err().to_string();
        assert!(error.contains("nested deeper than 64 levels"), "{error}");
    }
}

#[test]
fn a_very_long_line_is_cut_around_the_place() {
    let error = parse("long.yaml", &format!("{}: T", "x".repeat(900))).unwrap_err().to_string();
    assert!(error.contains("xxx…`") && error.len() < 500, "{error}");
}

/// Each case by its name, with what is said about it.
fn answers(before: &str, cases: &[(&str, &str)]) -> String {
    let answer = |yaml: &str| match parse("life.yaml", &format!("{before}{yaml}\n")) {
        Ok(_) => "it was read, though it is wrong".to_owned(),
        Err(error) => error.to_string(),
    };
    let page: Vec<_> = cases.iter().map(|(name, yaml)| format!("# {name}\n{}\n", answer(yaml))).collect();
    page.join("\n")
}

const FILES: &[(&str, &str)] = &[
    (
        "a value of several lines is shown by its first",
        "title: T\nsteps:\n  - wait: |\n      ten\n      seconds",
    ),
    (
        "a quoted value of several lines is shown by its first",
        "title: T\nsteps:\n  - wait: \"ten\n      seconds\"",
    ),
    ("an unknown key of the file", "titel: T"),
    ("a title is required", "steps: []"),
    ("a title is a text", "title: [a, b]"),
    (
        "a title that says nothing",
        "title:
steps: []",
    ),
    (
        "a list where a mapping belongs",
        "title: T
containers: [web]",
    ),
    (
        "a word where the steps belong",
        "title: T
steps: none",
    ),
    (
        "an undeclared container when none is declared",
        "title: T
steps:
  - run: web",
    ),
    (
        "a name that is a word of expect",
        "title: T
containers: { output: }",
    ),
    (
        "an anchor",
        "title: &t T
about: *t",
    ),
    (
        "a laugh repeated a billion times",
        "a: &a [x, x, x]
b: &b [*a, *a, *a]
c: [*b, *b, *b]",
    ),
    ("a tag", "title: !!str T"),
    (
        "a merge key",
        "title: T
<<: { steps: [] }",
    ),
    (
        "a second document",
        "title: T
---
title: U",
    ),
    (
        "a key that is a list",
        "title: T
[a, b]: c",
    ),
    (
        "a colon inside a text without quotes",
        "title: T
about: note: this",
    ),
    (
        "a bracket that is never closed",
        "title: T
containers: { web: 
steps: []",
    ),
    (
        "a quote that is never closed",
        r#"title: "T
steps: []"#,
    ),
    (
        "a line that is indented too little",
        "title: T
steps:
  - run: web
 - stop: web",
    ),
    ("a file that is a list", "- run: web"),
    ("a file that is a word", "hello"),
    (
        "a korean line keeps its carets in place",
        "title: 컨테이너의 삶
containers: { 웹: }",
    ),
    ("a control character", "title: T\nabout: a\u{1}b"),
    (
        "a flow list without commas",
        "title: T
lesson: { order: 1, teaches: [a b] c }",
    ),
    ("a key without a space after its colon", "title:T"),
    ("a text that begins with a special character", "title: @T"),
    (
        "a dash without space",
        "title: T
steps:
  -run: web",
    ),
    ("lines that end as on windows", "title: T\r\nsteps:\r\n  - launch: x\r"),
];

const CONTAINERS: &[(&str, &str)] = &[
    (
        "an unknown key of a container",
        "  web:
    comand: [sleep, 5s]",
    ),
    ("an unknown key of a behavior", "  web: { behavior: { lisen: [80] } }"),
    (
        "a key that stands twice",
        "  web: { image: lab }
  db:
  web:",
    ),
    ("an undeclared container whose network is used", "  web: { network: container:wbe }"),
    ("a container in its own network", "  web: { network: container:web }"),
    ("a name that docker would not take", "  -web: {}"),
    ("a size without a unit", "  web: { memory: 64 }"),
    ("a size whose unit is one letter", "  web: { memory: 64m }"),
    ("a size in a behavior that is a duration", "  web: { behavior: { memory: 2s } }"),
    ("a share of a cpu without percent", "  web: { behavior: { cpu: 50 } }"),
    ("a limit of cpus in percent", "  web: { cpus: 50% }"),
    (
        "an unknown signal of a behavior",
        "  web:
    behavior:
      signals: { SIGTREM: ignore }",
    ),
    (
        "an unknown reaction to a signal",
        "  web:
    behavior:
      signals: { SIGTERM: ignroe }",
    ),
    ("an unknown restart policy", "  web: { restart: allways }"),
    ("an unknown network", "  web: { network: brigde }"),
    ("a port that is none", r#"  web: { publish: ["80:http"] }"#),
    ("a port to listen on beyond the last", "  web: { behavior: { listen: [70000] } }"),
    ("an exit code beyond the last", "  web: { behavior: { exits: { code: 256 } } }"),
    ("a truth that is none", "  web: { init: yes }"),
    ("a tab that indents", "\tweb:"),
    ("a port to listen on before the first", "  web: { behavior: { listen: [0] } }"),
];

const STEPS: &[(&str, &str)] = &[
    (
        "an unknown key of a step is answered with the nearest",
        "  - create: web
  - stpo: web",
    ),
    ("an unknown key far from every other gets the list", "  - launch: web"),
    (
        "an unknown key of a long form",
        "  - run: web
  - stop: { container: web, timeot: 2s }",
    ),
    (
        "an unknown key of a containers expect",
        "  - run: web
    expect: { web: { stat: running } }",
    ),
    (
        "an unknown word of expect is compared with words and names",
        "  - run: web
    expect: { tok: 10s }",
    ),
    (
        "an action without its container",
        "  - run: web
  - stop:",
    ),
    ("a step without an action", "  - say: Nothing happens."),
    ("a step that is a word", "  - create"),
    (
        "a step with two actions",
        "  - create: web
    start: web",
    ),
    (
        "a missing field of a long form",
        "  - run: web
  - rename: { container: web }",
    ),
    (
        "a key that stands twice in a step",
        "  - run: web
    run: web",
    ),
    ("an undeclared container", "  - run: wbe"),
    ("an undeclared container in a list", "  - run: [web, db]"),
    (
        "an undeclared container in expect",
        "  - run: web
    expect: { db: { state: running } }",
    ),
    (
        "an undeclared container in an event",
        "  - run: web
    expect: { events: [web create, wbe start] }",
    ),
    (
        "an undeclared container in a rule",
        "  - run: web
never:
  - { bew: { state: paused } }",
    ),
    ("an action on what was never created", "  - stop: web"),
    (
        "an action on what a refused create did not make",
        "  - create: web
    refused: already in use
  - start: web",
    ),
    (
        "an action on a new name before the rename",
        "  - run: web
  - stop: www
  - rename: { container: web, to: www }",
    ),
    (
        "a create of a name that only a rename gives",
        "  - run: web
  - rename: { container: web, to: www }
  - create: www",
    ),
    ("a name that docker would not take in a step", "  - run: w/eb"),
    ("a duration without a unit", "  - wait: 5"),
    ("a duration with a wrong unit", "  - wait: 5MiB"),
    (
        "a timeout without a unit",
        "  - run: web
  - stop: { container: web, timeout: 2 }",
    ),
    (
        "an unknown signal",
        "  - run: web
  - kill: { container: web, signal: TREM }",
    ),
    (
        "an unknown state in expect",
        "  - run: web
    expect: { web: { state: runing } }",
    ),
    (
        "dockers word for a state",
        "  - run: web
    expect: { web: { state: exited } }",
    ),
    (
        "an unknown event",
        "  - run: web
    expect: { events: [web created] }",
    ),
    (
        "an event that says too little",
        "  - run: web
    expect: { events: [web] }",
    ),
    (
        "an unknown signal in an event",
        "  - run: web
    expect: { events: [web kill SIGTREM] }",
    ),
    (
        "an exit code in an event that is none",
        "  - run: web
    expect: { events: [web die ok] }",
    ),
    (
        "a memory bound without a direction",
        "  - run: web
    expect: { web: { memory: 10MiB } }",
    ),
    (
        "an unknown word for cpu",
        "  - run: web
    expect: { web: { cpu: lazy } }",
    ),
    (
        "bounds that nothing can meet",
        "  - run: web
    expect: { took: { at_least: 3s, at_most: 2s } }",
    ),
    (
        "bounds that bound nothing",
        "  - run: web
    expect: { took: {} }",
    ),
    (
        "a status where nothing was requested",
        "  - run: web
    expect: { status: 200 }",
    ),
    (
        "an exec exit where nothing was executed",
        "  - run: web
    expect: { exec_exit: 0 }",
    ),
    (
        "an address that is not http",
        "  - run: web
  - request: https://localhost/",
    ),
    (
        "a refusal for no reason",
        r#"  - run: web
    refused: """#,
    ),
    (
        "an async of two actions",
        "  - run: web
  - async: { stop: web, kill: web }",
    ),
    ("an async of nothing", "  - async: {}"),
    (
        "an async of a join",
        "  - run: web
  - async: { join: web }",
    ),
    (
        "a join of what was never begun",
        "  - run: web
  - join: web",
    ),
    (
        "an expected duration of what has only begun",
        "  - run: web
  - async: { stop: web }
    expect: { took: 10s }",
    ),
    (
        "an update of nothing",
        "  - run: web
  - update: { container: web }",
    ),
    (
        "a command that is empty",
        "  - run: web
  - exec: { container: web, command: [] }",
    ),
    (
        "a command in quotes inside a text",
        "  - run: web
  - exec: { container: web, command: echo 'a b' }",
    ),
    (
        "a reboot of a container",
        "  - run: web
  - reboot: web",
    ),
    (
        "a crash of a container and a keeper at once",
        "  - run: web
  - crash: { container: web, keeper: web }",
    ),
    ("an empty list of names", "  - run: []"),
    (
        "a rule without a condition",
        "  - run: web
always: [{}]",
    ),
];
