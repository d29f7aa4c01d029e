//! The rules that the house is built by, as far as a text can show that they are kept.
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they are made of")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom. Nobody imports the command line, which is therefore on no right side.
const IMPORTS: [(&str, &[&str]); 16] = [
    ("model", &[]),
    ("runtime", &[]),
    ("network", &["runtime"]),
    ("image", &["model", "runtime"]),
    ("lab", &["model"]),
    // The simulator knows the lab program's commands, and the kernel's world makes its image.
    ("world", &["model", "image", "lab"]),
    ("world/linux", &["model", "image", "lab", "runtime", "network"]),
    ("engine", &["model", "world"]),
    ("engine/docker", &["model", "world", "image", "lab"]),
    ("scenario", &["model", "world", "engine"]),
    ("keeper", &["model", "world", "engine", "runtime", "lab", "image"]),
    // It finds what any of these has left on the host.
    ("doctor", &["runtime", "network", "world", "keeper"]),
    ("report", &["model", "engine"]),
    ("check", &["model", "world", "engine", "scenario", "report"]),
    ("lib", &[]),
    ("main", &[]),
];

/// One file would be better than two, but `lab` may not import `runtime`: it is a program of its own.
const UNSAFE: [&str; 2] = ["runtime/sys.rs", "lab/sys.rs"];

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for file in sources() {
        let Some((own, allowed)) = rule_for(&file.name) else {
            assert!(file.name.starts_with("cli/"), "{}: no rule says what this module may import", file.name);
            continue;
        };
        let top = own.split('/').next().unwrap();
        for (number, import) in imports(&file.text) {
            if import != top && !allowed.contains(&import.as_str()) {
                wrong.push(format!("src/{}:{number} imports {import}", file.name));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_finder_of_imports_finds_them() {
    let text = "use crate::a::b;\nlet x = crate::c();\nuse crate::{\n    d::{self, E}, f,\n};\n// crate::not\nuse crate_::g;\n";
    let found: Vec<_> = imports(text).into_iter().map(|(number, name)| format!("{number} {name}")).collect();
    assert_eq!(found, ["1 a", "2 c", "3 d", "3 f"]);
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    let silent: Vec<PathBuf> = rust_files(&["src", "tests", "benches", "examples"])
        .into_iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//! "))
        .collect();
    assert_eq!(silent, Vec::<PathBuf>::new());
}

#[test]
fn a_file_is_named_for_a_concept() {
    let vague = ["util", "utils", "helper", "helpers", "common", "misc", "manager"];
    let named = |path: &Path| {
        path.components().any(|part| {
            let name = Path::new(part.as_os_str()).file_stem().unwrap().to_string_lossy().into_owned();
            vague.contains(&name.as_str())
        })
    };
    let found: Vec<PathBuf> = rust_files(&["src", "tests"])
        .iter()
        .map(|path| path.strip_prefix(home()).unwrap().to_path_buf())
        .filter(|path| named(path))
        .collect();
    assert_eq!(found, Vec::<PathBuf>::new());
}

#[test]
fn the_model_does_without_std() {
    // Most of this is proved by compiling it without; only an `extern crate` could bring std back.
    let found = lines_with(|file| file.starts_with("model/"), &["extern crate std", "std::", "cfg(feature"]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn unsafe_code_is_in_two_files() {
    let elsewhere = |file: &str| !UNSAFE.contains(&file);
    let found = lines_with(
        elsewhere,
        &["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "allow(unsafe_code"],
    );
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn only_the_command_line_prints_and_exits() {
    // A child that the lab program has forked leaves by exiting: it has no main to return from.
    let library = |file: &str| !file.starts_with("cli/") && !file.starts_with("lab/");
    assert_eq!(lines_with(library, &["println!(", "print!(", "process::exit("]), Vec::<String>::new());
    assert_eq!(lines_with(|file| file.starts_with("lab/"), &["println!("]), Vec::<String>::new());
}

#[test]
fn no_test_is_ignored_or_glad_to_panic() {
    let banned = [["#[", "ignore"].concat(), ["#[", "should_panic"].concat()];
    let found: Vec<PathBuf> = rust_files(&["src", "tests"])
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            banned.iter().any(|word| text.contains(word))
        })
        .collect();
    assert_eq!(found, Vec::<PathBuf>::new());
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let manifest = fs::read_to_string(home().join("Cargo.toml")).unwrap();
    let mut in_dependencies = false;
    let mut count = 0;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies]");
        } else if in_dependencies && line.contains('=') {
            count += 1;
            let (_, reason) = line.split_once(" # ").unwrap_or_else(|| panic!("without a reason: {line}"));
            assert!(!reason.trim().is_empty(), "without a reason: {line}");
        }
    }
    assert!(count > 10, "only {count} dependencies were found");
}

#[test]
fn no_file_names_a_place_of_the_machine_it_was_written_on() {
    let listed = std::process::Command::new("git").arg("ls-files").current_dir(home()).output();
    let Some(listed) = listed.ok().filter(|listed| listed.status.success()) else {
        println!("skipped: looking through the tracked files, this is no clone");
        return;
    };
    // The clone, and the directory it lies in unless every machine has that one.
    let everywhere = ["/", "/tmp", "/home", "/root", "/src", "/opt", "/usr/src"];
    let parent = home().parent().unwrap().to_str().unwrap();
    let mut places = vec![home().to_str().unwrap().to_owned()];
    if !everywhere.contains(&parent) {
        places.push(format!("{parent}/"));
    }
    let mut found = Vec::new();
    for name in String::from_utf8(listed.stdout).unwrap().lines() {
        let text = fs::read(home().join(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        found.extend(
            places.iter().filter(|place| text.contains(*place)).map(|place| format!("{name}: {place}")),
        );
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn two_commands_are_enough_to_begin() {
    let Ok(readme) = fs::read_to_string(home().join("README.md")) else {
        println!("skipped: the README's commands, there is none yet");
        return;
    };
    // All commands of the first section: the main job, and the tests.
    let first = readme.split("\n## ").nth(1).expect("a section to begin with");
    let mut commands = Vec::new();
    let mut in_shell = false;
    for line in first.lines() {
        match line {
            "```sh" | "```console" | "```bash" => in_shell = true,
            "```" => in_shell = false,
            command if in_shell && !command.is_empty() => commands.push(command),
            _ => {}
        }
    }
    assert_eq!(commands, ["cargo run -- replay scenarios/first-life.yaml", "cargo test"]);
}

/// A file of the library, by its path below `src`.
struct Source {
    name: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = home().join("src");
    let read = |path: PathBuf| Source {
        name: path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
        text: fs::read_to_string(&path).unwrap(),
    };
    let all: Vec<Source> = rust_files(&["src"]).into_iter().map(read).collect();
    assert!(all.len() > 50, "only {} files were found", all.len());
    all
}

/// The closest rule.
fn rule_for(name: &str) -> Option<(&'static str, &'static [&'static str])> {
    let matches = IMPORTS.iter().filter(|(module, _)| {
        name.strip_prefix(module).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    });
    matches.max_by_key(|(module, _)| module.len()).copied()
}

/// The modules that a file takes from this crate, with the lines where it does.
fn imports(text: &str) -> BTreeSet<(usize, String)> {
    let mut found = BTreeSet::new();
    let code = without_comments(text);
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let number = 1 + code[..at].matches('\n').count();
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => {
                found.insert((number, word(rest)));
            }
            Some(list) => {
                let mut depth = 0;
                let mut item = String::new();
                for letter in list.chars() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.insert((number, word(item.trim())));
                            item.clear();
                        }
                        other => item.push(other),
                    }
                }
                if !item.trim().is_empty() {
                    found.insert((number, word(item.trim())));
                }
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// Lines with one of these in their code.
fn lines_with(wanted: impl Fn(&str) -> bool, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources().into_iter().filter(|file| wanted(&file.name)) {
        for (number, line) in (1..).zip(without_comments(&file.text).lines()) {
            if words.iter().any(|word| contains(line, word)) {
                found.push(format!("src/{}:{number}: {}", file.name, line.trim()));
            }
        }
    }
    found
}

/// Whether a word is there, and not only as the end of a longer one.
fn contains(line: &str, word: &str) -> bool {
    let begins = |at: usize| !line[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    line.match_indices(word).any(|(at, _)| begins(at))
}

/// The same lines, with nothing on those that are comments.
fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn rust_files(directories: &[&str]) -> Vec<PathBuf> {
    let mut next: Vec<PathBuf> = directories.iter().map(|name| home().join(name)).collect();
    let mut files = Vec::new();
    while let Some(path) = next.pop() {
        if path.is_dir() {
            next.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
