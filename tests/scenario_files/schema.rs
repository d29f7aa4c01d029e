//! The schema for editors says what the loader says: it is held against it from both sides.

use std::{fs, path::Path, sync::LazyLock};

use jsonschema::Validator;
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};
use terrarium::scenario::{parse, schema};

use super::{random, shipped};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| jsonschema::draft202012::new(&schema()).unwrap());

/// The committed schema, to which the scenarios' first lines point.
const COMMITTED: &str = "scenarios/schema.json";

#[test]
fn the_schema_is_one() {
    jsonschema::draft202012::meta::validate(&schema()).unwrap();
    assert_eq!(schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn the_committed_schema_is_the_commands() {
    let output = assert_cmd::Command::cargo_bin("terrarium").unwrap().arg("schema").output().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
    if std::env::var_os("TERRARIUM_RENEW").is_some() {
        fs::write(&path, &output.stdout).unwrap();
    }
    let committed = fs::read(&path).unwrap_or_default();
    assert!(
        committed == output.stdout,
        "{COMMITTED} is not what `terrarium schema` says: run the tests with TERRARIUM_RENEW=1"
    );
}

#[test]
fn every_shipped_scenario_is_valid_and_points_to_the_schema() {
    for path in shipped() {
        let yaml = fs::read_to_string(&path).unwrap();
        assert_eq!(faults(&yaml), [] as [String; 0], "{}", path.display());
        assert_eq!(
            yaml.lines().next(),
            Some("# yaml-language-server: $schema=schema.json"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn every_key_is_described() {
    fn walk(value: &Value, path: &str, silent: &mut Vec<String>) {
        if let Some(keys) = value.get("properties").and_then(Value::as_object) {
            let is_silent = |key: &Value| key.get("description").is_none();
            silent.extend(
                keys.iter().filter(|(_, key)| is_silent(key)).map(|(name, _)| format!("{path}/{name}")),
            );
        }
        match value {
            Value::Object(entries) => {
                entries.iter().for_each(|(name, value)| walk(value, &format!("{path}/{name}"), silent));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, path, silent)),
            _ => {}
        }
    }
    let mut silent = Vec::new();
    walk(&schema(), "", &mut silent);
    assert_eq!(silent, [] as [String; 0]);
}

#[test]
fn what_may_be_left_empty_may_be_left_empty_in_an_editor() {
    for key in ["about", "lesson", "containers", "steps", "always", "never", "eventually"] {
        agrees_where_read(&format!("title: T\n{key}:\n"));
    }
    let keys = [
        "image",
        "command",
        "entrypoint",
        "env",
        "workdir",
        "user",
        "hostname",
        "publish",
        "volumes",
        "restart",
        "stop_signal",
        "stop_timeout",
        "memory",
        "cpus",
        "pids",
        "init",
        "auto_remove",
        "read_only",
        "network",
        "health",
        "behavior",
    ];
    for key in keys {
        agrees_where_read(&format!("title: T\ncontainers:\n  web:\n    {key}:\n"));
    }
    for key in ["cpu", "memory", "listen", "output", "children", "exits", "health", "signals", "runs"] {
        agrees_where_read(&format!("title: T\ncontainers:\n  web:\n    behavior:\n      {key}:\n"));
    }
    for key in ["say", "ask", "expect", "refused"] {
        agrees_where_read(&format!("title: T\ncontainers: {{ web: }}\nsteps:\n  - run: web\n    {key}:\n"));
    }
    for key in ["took", "output", "events", "web"] {
        agrees_where_read(&format!(
            "title: T\ncontainers: {{ web: }}\nsteps:\n  - run: web\n    expect:\n      {key}:\n"
        ));
    }
    for key in ["state", "exit", "oom", "restarts", "processes", "cpu", "memory", "ports", "health", "error"]
    {
        agrees_where_read(&format!("title: T\ncontainers: {{ web: }}\nnever:\n  - web:\n      {key}:\n"));
    }
}

#[test]
fn words_are_spelled_in_an_editor_as_the_loader_reads_them() {
    let places: [(&str, &[&str]); 9] = [
        (
            "containers: { web: { stop_timeout: WORD } }",
            &["10s", "1m30s", "1.5s", "250 ms", "never", "1h 5min", "2M", "10"],
        ),
        ("containers: { web: { memory: WORD } }", &["64MiB", "1gb", "1.5 KiB", "7B", "64", "64m", "1 ki"]),
        ("containers: { web: { cpus: WORD } }", &["0.5", "2", "'.25'", "50%", "0"]),
        (
            "containers: { web: { stop_signal: WORD } }",
            &["SIGTERM", "term", "15", "'9'", "RTMIN+1", "sigrtmin", "TREM", "65"],
        ),
        (
            "containers: { web: { publish: [WORD] } }",
            &["80", "'8080:80'", "'127.0.0.1:8080:80/udp'", "'[::1]:1:2'", "'127.0.0.1::80'", "'a:b'"],
        ),
        ("containers: { web: { volumes: [WORD] } }", &["a:/b", "/a:/b:ro", "a", "a:b"]),
        ("containers: { web: { network: WORD } }", &["none", "host", "bridge", "nat"]),
        (
            "containers: { web: { restart: WORD } }",
            &["no", "always", "on-failure:3", "unless-stopped", "on-failure:x", "sometimes"],
        ),
        (
            "containers: { web: { behavior: { signals: { TERM: WORD } } } }",
            &["ignore", "handle", "{ exit: 3 }", "{ exit: 0, after: 2s }", "exit"],
        ),
    ];
    for (place, words) in places {
        for word in words {
            let yaml = format!("title: T\n{}\n", place.replace("WORD", word));
            let read = parse("word.yaml", &yaml);
            assert_eq!(read.is_ok(), faults(&yaml).is_empty(), "{yaml}{read:?}\n{:?}", faults(&yaml));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn a_random_scenario_is_valid(scenario in random::scenario()) {
        let yaml = scenario.to_yaml();
        prop_assert_eq!(faults(&yaml), [] as [String; 0], "{}", yaml);
    }

    /// One value of a random scenario becomes another; so the schema is never stricter than the loader.
    #[test]
    fn whatever_the_loader_reads_is_valid(scenario in random::scenario(), at in any::<Index>(), other in other()) {
        let mut value: Value = serde_yaml::from_str(&scenario.to_yaml()).unwrap();
        let count = nodes(&mut value).len();
        *nodes(&mut value)[at.index(count)] = other;
        agrees_where_read(&serde_yaml::to_string(&value).unwrap());
    }
}

/// What the schema has against a file.
pub(crate) fn faults(yaml: &str) -> Vec<String> {
    let value: Value = serde_yaml::from_str(yaml).unwrap();
    SCHEMA.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn agrees_where_read(yaml: &str) {
    if parse("read.yaml", yaml).is_ok() {
        assert_eq!(faults(yaml), [] as [String; 0], "{yaml}");
    }
}

/// Every value below the first one, but mappings and lists.
fn nodes(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Object(entries) => entries.values_mut().flat_map(nodes).collect(),
        Value::Array(items) => items.iter_mut().flat_map(nodes).collect(),
        leaf => vec![leaf],
    }
}

fn other() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(7),
        json!(-1),
        json!(0.5),
        json!("7"),
        json!(""),
        json!("web"),
        json!("10s"),
        json!("never"),
        json!("20MiB"),
        json!("50%"),
        json!("stop"),
        json!("SIGTERM"),
        json!([]),
        json!(["web"]),
        json!([7]),
        json!({}),
        json!({ "en": "a text" }),
        json!({ "container": "web" }),
        json!({ "state": "running" }),
        json!({ "exit": 3 }),
    ])
}
