//! What a reader types at a prompt, and what comes of it: the sessions of a page are lived in one shell, one after the other.
//!
//! A session names no numbers that differ from run to run: what is compared has its digits and its columns taken out.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::process::{Command, Output};
use std::sync::OnceLock;

use super::page::Page;
use super::source::fenced;
use super::{desk, terrarium};

pub(crate) const SOURCE: &str = "session";
const PROMPT: &str = "$ ";
/// Stands before what a command says, and behind it before its exit status. No command prints it.
const MARK: char = '\u{1}';

/// What the sessions of a page say now, by their lines; none if it has none, or if this host allows no containers.
pub(crate) fn lived(page: &Page) -> Option<BTreeMap<usize, String>> {
    let parts = page.parts();
    let sessions: Vec<_> = parts.iter().filter(|part| part.source == SOURCE).collect();
    if sessions.is_empty() || is_closed() {
        return None;
    }
    let commands: Vec<_> = sessions.iter().map(|session| commands(session.shown)).collect();
    let said = play(page, &commands.concat());
    let mut said = said.iter();
    let tell = |commands: &Vec<&str>| {
        let text: Vec<String> = commands
            .iter()
            .map(|command| {
                let (said, status) = said.next().expect("each command was lived");
                assert!(
                    *status == 0 || tells_why(said),
                    "{}: `{command}` ended with {status}:\n{said}",
                    page.path
                );
                format!("{PROMPT}{command}\n{said}")
            })
            .collect();
        fenced("console", &text.concat())
    };
    let told = commands.iter().map(tell).collect::<Vec<_>>();
    Some(sessions.iter().map(|session| session.line).zip(told).collect())
}

/// Whether two sessions say the same, but for numbers, names that are numbers, and the width of columns.
///
/// An ordinary user's container has other rights and other mounts than the one that is shown, which is root's: there it is
/// enough that all commands succeed.
pub(crate) fn tell_the_same(shown: &str, now: &str) -> bool {
    let words = |text: &str| text.split_whitespace().map(without_numbers).collect::<Vec<_>>();
    words(shown) == words(now) || (!is_root() && commands(shown) == commands(now))
}

fn commands(shown: &str) -> Vec<&str> {
    shown.lines().filter_map(|line| line.strip_prefix(PROMPT)).collect()
}

/// What says no, or finds something, ends with another status than 0.
fn tells_why(said: &str) -> bool {
    said.contains("terrarium: ") || said.contains('✗')
}

/// A number becomes `#`, whether it is a time, a process or a digest. What has one digit, or is a mask of 64 bits, is a fact.
fn without_numbers(word: &str) -> String {
    if word.len() == 1 || (word.len() == 16 && word.chars().all(|c| c.is_ascii_hexdigit())) {
        return word.to_owned();
    }
    let mut plain = String::new();
    for run in word.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let (digits, end) = run.split_at(run.trim_end_matches(|c: char| !c.is_ascii_hexdigit()).len());
        if digits.len() >= 7 && digits.contains(|c: char| c.is_ascii_digit()) {
            plain.push('#');
        } else {
            plain += &digits.replace(|c: char| c.is_ascii_digit(), "#");
        }
        plain += end;
    }
    while plain.contains("##") {
        plain = plain.replace("##", "#");
    }
    plain
}

/// What each command says, and its exit status.
fn play(page: &Page, commands: &[&str]) -> Vec<(String, i32)> {
    let desk = desk(page);
    let bin = desk.path().join(".bin");
    fs::create_dir(&bin).unwrap();
    let estate = desk.path().join(".estate");
    let program = env!("CARGO_BIN_EXE_terrarium");
    let wrapper = bin.join("terrarium");
    fs::write(&wrapper, format!("#!/bin/sh\nexec '{program}' --root '{}' \"$@\"\n", estate.display()))
        .unwrap();

    let mut script = "exec 2>&1\nchmod +x .bin/terrarium\n".to_owned();
    for command in commands {
        let _ = writeln!(script, "printf '{MARK}'\n{command}\nprintf '{MARK}%s\\n' $?");
    }
    script += "left=$(terrarium ps -aq)\n[ -z \"$left\" ] || terrarium rm -f $left >/dev/null\n";
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(desk.path())
        .env("PATH", path)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut pieces = text.split(MARK).skip(1);
    let mut said = Vec::new();
    while let (Some(words), Some(rest)) = (pieces.next(), pieces.next()) {
        let status = rest.lines().next().and_then(|status| status.parse().ok()).expect("a shell tells it");
        said.push((words.to_owned(), status));
    }
    assert_eq!(said.len(), commands.len(), "{}: the shell broke off:\n{text}", page.path);
    said
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|told| told.stdout == b"0\n")
}

/// Whether containers cannot be had here; then it is said.
#[expect(clippy::print_stdout, reason = "a skipped test says what it skips")]
fn is_closed() -> bool {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    let why = WHY.get_or_init(|| {
        let estate = tempfile::tempdir().unwrap();
        let words = ["run", "--rm", "lab", "true"];
        let tried: Output = terrarium().arg("--root").arg(estate.path()).args(words).output().unwrap();
        (!tried.status.success()).then(|| String::from_utf8_lossy(&tried.stderr).trim().to_owned())
    });
    if let Some(why) = why {
        println!("skipped: the sessions of the book, {why}");
    }
    why.is_some()
}
