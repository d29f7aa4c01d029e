//! Lives as a page shows them: a lesson's questions and its picture, a state with its arrows and its commands.

use std::fmt::Write;

use terrarium::check::matrix;
use terrarium::model::State;
use terrarium::report::diagram;
use terrarium::scenario::find_bundled;

use super::source::{Kernel, pictured};
use super::terrarium;

/// As `--timeline` draws it in the simulator.
pub(crate) fn timeline(lesson: &str) -> String {
    let desk = tempfile::tempdir().unwrap();
    let file = desk.path().join("life.svg");
    let words = ["replay", "--engine", "sim", lesson, "--timeline"];
    let output = terrarium().current_dir(desk.path()).args(words).arg(&file).output().unwrap();
    assert!(output.status.success(), "{lesson}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(file).unwrap()
}

pub(crate) fn questions(lesson: &str) -> String {
    let scenario = find_bundled(lesson).unwrap().scenario;
    let questions = scenario.steps.iter().filter_map(|step| step.ask.as_ref()).map(|ask| ask.in_lang("en"));
    (1..).zip(questions).fold(String::new(), |mut text, (number, question)| {
        let _ = writeln!(text, "{number}. {}", question.trim().replace('\n', " "));
        text
    })
}

pub(crate) fn state(word: &str, kernel: Kernel) -> String {
    let state = State::ALL.into_iter().find(|state| state.word() == word).expect("there is such a state");
    let mut text = format!("> {}\n\n", state.sentence());
    let _ = writeln!(
        text,
        "Docker's word for it is **{}**, the OCI runtime specification's is **{}**.\n",
        state.docker(),
        state.oci()
    );
    text += &pictured(&format!("state-{word}"), &diagram::around(state), kernel);
    text += &commands(fixture(state));
    text
}

/// The state in which the matrix looks at the commands; it has none for what lasts a moment.
fn fixture(state: State) -> Option<&'static str> {
    match state {
        State::Creating | State::Stopping => None,
        State::Stopped => Some("exited_137"),
        other => Some(other.word()),
    }
}

/// Of everyday life.
const SHOWN: [&str; 12] = [
    "create",
    "start",
    "stop",
    "pause",
    "unpause",
    "restart",
    "kill",
    "kill -s TERM",
    "rm",
    "rm -f",
    "exec",
    "rename",
];

/// What those commands do there.
fn commands(fixture: Option<&str>) -> String {
    let Some(fixture) = fixture else { return String::new() };
    let mut text = String::from("\n| command | comes to | then it is | events |\n|---|---|---|---|\n");
    for cell in matrix::cells().iter().filter(|cell| cell.state == fixture && SHOWN.contains(&cell.command)) {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            cell.command,
            cell.outcome,
            cell.next,
            cell.events.join(" · ")
        );
    }
    text
}
