//! Where the model is judged: the program, a Docker Engine if there is one, and what the program said of each scenario.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

/// How many replays go on side by side.
const BENCHES: usize = 4;

/// What one replay said: one object a line.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) file: String,
    pub(crate) steps: Vec<Value>,
    pub(crate) summary: Value,
}

/// A directory for the scenarios of one test.
pub(crate) struct Court(TempDir);

/// Whether there is no Docker Engine here to judge; then it is said.
pub(crate) fn is_closed(what: &str) -> bool {
    static ANSWERS: OnceLock<Option<String>> = OnceLock::new();
    let obstacle = ANSWERS.get_or_init(|| {
        let court = Court::new();
        let story = court.story("none", "title: T\ncontainers: { a: }\nsteps:\n  - create: a\n");
        let output = court.replay(&[story]);
        let told = String::from_utf8_lossy(&output.stderr);
        told.strip_prefix("terrarium: cannot replay on Docker: ").map(|why| why.trim().to_owned())
    });
    if let Some(why) = obstacle {
        println!("skipped: {what}, {why}");
    }
    obstacle.is_some()
}

impl Court {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A scenario in a file.
    pub(crate) fn story(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name).with_extension("yaml");
        fs::write(&path, text).unwrap();
        path
    }

    /// The program, with a place of its own.
    pub(crate) fn terrarium(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_terrarium"));
        command.arg("--root").arg(self.0.path().join("root"));
        command
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = self.terrarium();
        command.args(["replay", "--engine", "docker", "--format", "json"]);
        command
    }

    pub(crate) fn replay(&self, files: &[PathBuf]) -> Output {
        self.command().args(files).output().unwrap()
    }

    /// Replays all of them, several at a time.
    pub(crate) fn judge(&self, files: &[PathBuf]) -> Vec<Record> {
        let mut shares: Vec<Vec<PathBuf>> = vec![Vec::new(); BENCHES.min(files.len())];
        for (nth, file) in files.iter().enumerate() {
            let bench = nth % shares.len();
            shares[bench].push(file.clone());
        }
        thread::scope(|scope| {
            let benches: Vec<_> =
                shares.iter().map(|share| scope.spawn(move || records(&self.replay(share)))).collect();
            benches.into_iter().flat_map(|bench| bench.join().unwrap()).collect()
        })
    }
}

fn records(output: &Output) -> Vec<Record> {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.is_empty(), "{told}");
    let mut records: Vec<Record> = Vec::new();
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let object: Value = serde_json::from_slice(line).unwrap();
        match object["type"].as_str() {
            Some("scenario") => {
                assert_eq!(object["engine"], "docker");
                let file = object["file"].as_str().unwrap().to_owned();
                records.push(Record { file, steps: Vec::new(), summary: Value::Null });
            }
            Some("step") => records.last_mut().unwrap().steps.push(object),
            _ => records.last_mut().unwrap().summary = object,
        }
    }
    records
}

impl Record {
    /// What the model had not foreseen and no difference explains, and what was left behind.
    pub(crate) fn objections(&self) -> Vec<String> {
        let mut found: Vec<String> = self.texts("diverged");
        found.extend(strings(&self.summary["left_behind"]).into_iter().map(|left| format!("left: {left}")));
        if self.summary.is_null() {
            found.push("it did not come to its end".into());
        }
        found
    }

    /// What the scenario expected, and was otherwise.
    pub(crate) fn unmet(&self) -> Vec<String> {
        self.texts("unmet")
    }

    fn texts(&self, field: &str) -> Vec<String> {
        let of_step = |step: &Value| {
            let texts = strings(&step[field]).into_iter();
            texts.map(|text| format!("{} {}: {text}", step["index"], step["action"])).collect::<Vec<_>>()
        };
        self.steps.iter().flat_map(of_step).collect()
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect()
}
