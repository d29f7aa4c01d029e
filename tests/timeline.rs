//! The picture of a life: what it shows, to whom, and that it is the same every time.

#![expect(clippy::unwrap_used, reason = "clippy knows test functions, but not what they are made of")]

use std::fs;
use std::process::{Command, Output};

const LIFE: &str = "title: Ten & <two>\ncontainers:\n  slow:\n  quick: { behavior: { cpu: 50%, signals: { TERM: { exit: 0, after: 2s } } } }\n\
steps:\n  - run: slow\n  - run: quick\n  - wait: 1s\n  - stop: quick\n  - stop: slow\n  - pause: slow\n    refused: not running\n  - remove: slow\n";

#[test]
fn a_life_is_drawn_with_all_that_happened() {
    let svg = drawn("life.svg");
    for text in [
        "slow: kill SIGKILL · die 137 · stop",
        "quick: die 0 · stop → stopped",
        "CPU up to 50 %",
        "refused: cannot pause slow: it is not",
        "5  stop slow — 10.00 s",
        "13.0 s",
    ] {
        assert!(svg.contains(text), "no `{text}` in\n{svg}");
    }
}

#[test]
fn time_is_as_high_as_it_is_long() {
    let svg = drawn("life.svg");
    let heights: Vec<f64> = svg
        .lines()
        .filter(|line| line.starts_with("<rect class=\"stopping\""))
        .map(|line| line.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
        .collect();
    let [slow, quick] = heights[..] else { panic!("{heights:?}") };
    assert!((4.0..6.0).contains(&(slow / quick)), "10 s are {slow} high, 2 s are {quick}");
}

#[test]
fn a_picture_can_be_heard_and_seen_in_the_dark() {
    let svg = drawn("life.svg");
    assert!(svg.contains("role=\"img\"") && svg.contains("<title>Timeline: Ten &amp; &lt;two&gt;</title>"));
    assert!(
        svg.contains("slow: running from 0 s, stopping from 3.00 s, stopped from 13.00 s, gone at"),
        "{svg}"
    );
    assert!(svg.contains("prefers-color-scheme:dark"));
    assert!(!svg.contains("\n\n"), "an empty line would end it inside of a page of Markdown");
}

#[test]
fn a_page_tells_the_life_as_a_table_too() {
    let html = drawn("life.html");
    assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    for text in
        ["<h1>Ten &amp; &lt;two&gt;</h1>", "<td>5 stop slow</td><td>3.00 s</td>", "All came true: 7 steps"]
    {
        assert!(html.contains(text), "no `{text}` in\n{html}");
    }
}

#[test]
fn the_same_life_is_the_same_picture() {
    assert_eq!(drawn("life.svg"), drawn("life.svg"));
}

#[test]
fn what_cannot_be_drawn_is_said_before_anything_runs() {
    for (words, complaint) in [
        (&["life.yaml", "--timeline", "life.png"][..], "name a file that ends in .svg or .html"),
        (&["life.yaml", "life.yaml", "--timeline", "life.svg"][..], "name one scenario"),
        (
            &["life.yaml", "--timeline", "life.svg", "--play"][..],
            "leave out --format, --predict and --timeline",
        ),
        (&["life.yaml", "--play"][..], "cannot --play without a terminal"),
    ] {
        let (_, output) = replay(words);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(complaint), "{said}");
    }
    let (_, output) = replay(&["life.yaml", "--timeline", "nowhere/life.svg"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .starts_with("terrarium: cannot write the timeline nowhere/life.svg:")
    );
}

fn drawn(file: &str) -> String {
    let (desk, output) = replay(&["life.yaml", "--timeline", file]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(desk.path().join(file)).unwrap()
}

fn replay(words: &[&str]) -> (tempfile::TempDir, Output) {
    let desk = tempfile::tempdir().unwrap();
    fs::write(desk.path().join("life.yaml"), LIFE).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_terrarium"));
    command.args(["replay", "--engine", "sim"]).args(words).env("LC_ALL", "C").current_dir(desk.path());
    let output = command.output().unwrap();
    (desk, output)
}
