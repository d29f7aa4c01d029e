//! What the pages show is what the program says: README, ARCHITECTURE and the book are compared with it.
//!
//! A page shows something generated between `<!-- shows: SOURCE -->` and `<!-- shown -->`; `source` lists the sources.
//! `TERRARIUM_RENEW=1 cargo test --test docs` writes anew whatever is out of date.

#![expect(clippy::unwrap_used, reason = "clippy knows test functions, but not what they are made of")]

mod drawn;
mod life;
mod page;
mod quoted;
mod session;
mod source;
mod transcript;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use page::Page;
use source::Kernel;

const RENEW: &str = "TERRARIUM_RENEW=1 cargo test --test docs";

/// Commands for cargo that a page may show without their being run by one of its own tests.
const CARGO: [&str; 3] = ["cargo test", "cargo build --no-default-features", "cargo install --path ."];

/// Commands with a prompt that no session can hold: they ask somebody who sits there, or take their time.
const BY_HAND: [&str; 10] = [
    RENEW,
    "tests/fuzz/run",
    "tests/fuzz/run 60 scenario journal",
    "cargo install cargo-mutants --locked",
    "cargo mutants --in-place --file src/model/life/stopping.rs",
    "cargo mutants --in-place --file 'src/model/**' --file 'src/check/rules/*' --shard 0/60",
    "cargo mutants --no-config --in-place --file src/check/stories.rs -- --lib --test check --test matrix --test quiz",
    "terrarium replay ten-seconds --predict",
    "terrarium replay ten-seconds --why",
    "terrarium replay ten-seconds --engine sim --play",
];

#[test]
fn pages_show_what_the_program_says() {
    let mut stale = Vec::new();
    for page in Page::all() {
        let mut renewed = page.text.clone();
        let told = session::lived(&page);
        // From the last to the first, so that the places before stay where they are.
        for part in page.parts().into_iter().rev() {
            if !source::is_known(part.source) {
                println!("skipped: `{}` needs the feature `linux`", part.source);
                continue;
            }
            if let Some(told) = told.as_ref().filter(|_| part.source == session::SOURCE) {
                let now = &told[&part.line];
                if session::tell_the_same(part.shown, now) {
                    continue;
                } else if std::env::var_os("TERRARIUM_RENEW").is_some() {
                    renewed.replace_range(part.range, now);
                } else {
                    stale.push(format!("{}:{}: {}", page.path, part.line, difference(part.shown, now)));
                }
                continue;
            }
            let now = source::current(part.source, part.shown, Kernel::Asleep);
            if now != part.shown && std::env::var_os("TERRARIUM_RENEW").is_some() {
                renewed.replace_range(part.range, &source::current(part.source, part.shown, Kernel::Awake));
            } else if now != part.shown {
                stale.push(format!("{}:{}: {}", page.path, part.line, difference(part.shown, &now)));
            }
        }
        if renewed != page.text {
            fs::write(root().join(&page.path), renewed).unwrap();
        }
    }
    assert!(stale.is_empty(), "out of date (renew: {RENEW}):\n{}", stale.join("\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let pages = Page::all();
    for page in &pages {
        for (line, link) in page.links() {
            assert!(page.reaches(&link, &pages), "{}:{line}: `{link}` leads nowhere", page.path);
        }
    }
}

#[test]
fn every_file_that_is_named_is_there() {
    for page in Page::all() {
        for (line, file) in page.files() {
            let places = [root().join(&file), root().join("src").join(&file)];
            assert!(places.iter().any(|place| place.exists()), "{}:{line}: there is no `{file}`", page.path);
        }
    }
}

#[test]
fn the_summary_lists_every_page_of_the_book() {
    let pages = Page::all();
    let summary = pages.iter().find(|page| page.path == "book/src/SUMMARY.md").unwrap();
    let listed: Vec<String> =
        summary.links().into_iter().map(|(_, link)| format!("book/src/{link}")).collect();
    for page in pages.iter().filter(|page| page.path.starts_with("book/src/") && page.path != summary.path) {
        assert!(listed.contains(&page.path), "{} is not in SUMMARY.md", page.path);
    }
}

#[test]
fn every_lesson_has_a_chapter_in_which_it_is_run_and_drawn() {
    let pages = Page::all();
    let summary = pages.iter().find(|page| page.path == "book/src/SUMMARY.md").unwrap();
    let listed: Vec<String> = summary.links().into_iter().map(|(_, link)| link).collect();
    let mut last = 0;
    for bundled in terrarium::scenario::bundled().into_iter().filter(|bundled| bundled.number().is_some()) {
        let name = bundled.name;
        let page = pages.iter().find(|page| page.path == format!("book/src/{name}.md"));
        let page = page.unwrap_or_else(|| panic!("the lesson {name} has no chapter"));
        for part in
            [format!("```sh\nterrarium replay {name}\n```"), format!("<!-- shows: timeline of {name} -->")]
        {
            assert!(page.text.contains(&part), "{} lacks {part}", page.path);
        }
        let place = listed.iter().position(|link| *link == format!("{name}.md")).unwrap();
        assert!(place > last, "{name} stands in the book before a lesson that comes earlier");
        last = place;
    }
}

#[test]
fn every_claim_of_the_course_has_a_lesson_and_what_is_exact() {
    let pages = Page::all();
    let page = pages.iter().find(|page| page.path == "book/src/teachers.md").unwrap();
    let (_, section) = page.text.split_once("\n## What they have heard\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() >= 10, "a row is lost: {rows:#?}");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [claim, lessons, exact] = cells[..] else { panic!("not three cells: {row}") };
        assert!(!claim.is_empty() && !exact.is_empty(), "{row}");
        let links = || lessons.split("](").skip(1).filter_map(|rest| rest.split_once(".md)"));
        assert!(links().next().is_some(), "no lesson is named: {row}");
        for (name, _) in links() {
            let found = terrarium::scenario::find_bundled(name).unwrap();
            assert!(found.number().is_some(), "{name} is no lesson");
        }
    }
}

#[test]
fn every_picture_is_shown_and_can_be_heard() {
    let pages = Page::all();
    for entry in fs::read_dir(root().join("book/src/pictures")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let svg = fs::read_to_string(&path).unwrap();
        assert!(svg.contains("<title>") && svg.contains("<desc>") && svg.contains("role=\"img\""), "{name}");
        assert!(!svg.contains("\n\n"), "{name}: an empty line ends it inside of a page");
        assert!(
            pages.iter().any(|page| page.text.contains(&format!("pictures/{name}"))),
            "{name} is on no page"
        );
    }
}

#[test]
fn every_scenario_that_is_shown_is_valid_and_comes_true() {
    for page in Page::all() {
        for block in page.blocks("yaml") {
            let place = format!("{}:{}", page.path, block.line);
            let yaml = as_scenario(&block.text);
            let read = terrarium::scenario::parse(&place, &yaml);
            read.unwrap_or_else(|error| panic!("{error}\n\nin\n\n{yaml}"));
            if yaml == block.text {
                let desk = tempfile::tempdir().unwrap();
                fs::write(desk.path().join("shown.yaml"), &yaml).unwrap();
                works(&place, desk.path(), "replay --engine sim shown.yaml");
            }
        }
    }
}

#[test]
fn every_command_that_is_shown_works() {
    for page in Page::all() {
        let desk = desk(&page);
        for block in page.blocks("sh") {
            for line in block.text.lines().filter(|line| !CARGO.contains(line)) {
                let words = line.strip_prefix("cargo run -- ").or_else(|| line.strip_prefix("terrarium "));
                let place = format!("{}:{}: `{line}`", page.path, block.line);
                let words = words.unwrap_or_else(|| panic!("{place}: no test knows this command"));
                let words = match words.strip_prefix("replay ") {
                    Some(words) if !words.contains("--engine") => format!("replay --engine sim {words}"),
                    _ => words.to_owned(),
                };
                works(&place, desk.path(), &words);
            }
        }
    }
}

#[test]
fn every_command_with_a_prompt_is_lived_in_a_session() {
    for page in Page::all() {
        let lived: Vec<String> = page
            .parts()
            .iter()
            .filter(|part| part.source == session::SOURCE)
            .map(|part| part.shown.into())
            .collect();
        for block in page.blocks("console") {
            for command in block.text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                let is_lived = lived.iter().any(|shown| shown.contains(&format!("$ {command}\n")));
                assert!(
                    is_lived || BY_HAND.contains(&command),
                    "{}:{}: nobody tries `{command}`",
                    page.path,
                    block.line
                );
            }
        }
    }
}

#[test]
fn every_file_of_the_runtime_is_read_in_the_book() {
    let pages = Page::all();
    for entry in fs::read_dir(root().join("src/runtime")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let whole = format!(" of src/runtime/{name}");
        let quoted = pages.iter().flat_map(Page::parts).any(|part| part.source.contains(&whole));
        let listed = ["mod.rs", "steps.rs"].contains(&name.as_str());
        assert!(quoted || listed, "no page quotes src/runtime/{name}");
    }
}

/// A directory as a reader of the page has it: the shipped scenarios, and the files whose name is their first line.
fn desk(page: &Page) -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    let scenarios = desk.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    for entry in fs::read_dir(root().join("scenarios")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), scenarios.join(entry.file_name())).unwrap();
        }
    }
    copy_all(&root().join("scenarios/images"), &scenarios.join("images"));
    for block in page.blocks("yaml") {
        if let Some(name) = block.text.lines().next().and_then(|line| line.strip_prefix("# ")) {
            fs::write(desk.path().join(name), &block.text).unwrap();
        }
    }
    desk
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy_all(&from, &to) } else { _ = fs::copy(from, to).unwrap() }
    }
}

fn works(place: &str, directory: &Path, words: &str) {
    let output = terrarium().args(words.split_whitespace()).current_dir(directory).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{place}: {}\n{said}", String::from_utf8_lossy(&output.stdout));
}

/// A whole scenario as it is; a part of one, with what it takes to be read.
fn as_scenario(yaml: &str) -> String {
    if yaml.starts_with("title:") || yaml.starts_with('#') {
        return yaml.to_owned();
    }
    if !yaml.starts_with('-') {
        return format!("title: T\n{yaml}");
    }
    let steps: Vec<_> = yaml.lines().map(|line| format!("  {line}")).collect();
    format!("title: T\ncontainers: {{ web: , db: }}\nsteps:\n  - run: [web, db]\n{}\n", steps.join("\n"))
}

/// The first line that tells something else; if all tell the same, the first with other words.
fn difference(shown: &str, now: &str) -> String {
    let other_words = || shown.lines().zip(now.lines()).filter(|(shown, now)| shown != now);
    let told = other_words().find(|(shown, now)| !transcript::tell_the_same(shown, now));
    let (shown, now) = told.or_else(|| other_words().next()).unwrap_or(("(its end)", "(more, or less)"));
    format!("\n  shows  {shown}\n  now    {now}")
}

/// The built command, saying the same on every system.
fn terrarium() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terrarium"));
    command.env("LC_ALL", "C").env_remove("TERRARIUM_STALL").current_dir(root());
    command
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}
