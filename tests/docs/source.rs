//! What a page can show: the output of the command, or a table of what the library knows.
//!
//! ```text
//! terrarium WORDS...                     what the command prints
//! terrarium replay ... | 2 3 closing     of a replay, its `opening`, these steps, its `closing`
//! lived terrarium replay ...             the same on a kernel; it has to tell what the simulator tells
//! part KEY of FILE                       what stands under a key at the top level of a YAML file
//! timeline of LESSON                     the picture of its life, kept in `pictures`
//! questions of LESSON                    all that it asks
//! machine, state NAME                    the diagram; one state with its arrows and what each command does to it
//! lessons                                a table for teachers
//! transcript NAME of verbs               what a test of the verbs has been shown to print
//! section HEADING of FILE                what another page says under that heading
//! code NAME of FILE                      a function or a type, with its comment
//! session                                what is typed at a prompt, and what comes of it (see `session`)
//! help of every verb                     a heading and the help of each, without the options that all have
//! rules, states, set-up steps            what the library knows of them
//! rules of every life, planted bugs      what `check` holds every life against, and what it can break
//! walls, layers                          pictures: the namespaces of a container, and three containers of one image
//! differences                            where Docker lives otherwise than the model foresees
//! unlived wishes                         what the format accepts and this version cannot do
//! ```

use std::fmt::Write;
use std::fs;

use terrarium::check;
use terrarium::engine::differences::{DIFFERENCES, Difference};
use terrarium::model::{Rule, State};
use terrarium::report::diagram;
use terrarium::scenario::{Scenario, bundled, parse};

use super::{drawn, life, quoted, root, session, terrarium, transcript};

/// Whether the kernel may be asked to live what a page shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// No: what stands there is compared with the simulator.
    Asleep,
    /// Yes: the page is being renewed.
    Awake,
}

/// Everything that a container can wish for and that takes more than a process.
/// Limits are not among them: where the host lends a cgroup for them they are lived.
#[cfg(all(target_os = "linux", feature = "linux"))]
const WISHES: [&str; 7] = [
    "image: nginx",
    "user: nobody",
    "publish: [80]",
    "volumes: [data:/data]",
    "init: true",
    "network: host",
    "health: { test: [true] }",
];

/// Whether this build can tell.
pub(crate) fn is_known(source: &str) -> bool {
    !matches!(source, "set-up steps" | "unlived wishes" | "walls")
        || cfg!(all(target_os = "linux", feature = "linux"))
}

/// What a page should show, where `shown` stands now.
pub(crate) fn current(source: &str, shown: &str, kernel: Kernel) -> String {
    if source == session::SOURCE {
        // Where no container can be had, nobody can say anything against it.
        return shown.to_owned();
    }
    if let Some(words) = source.strip_prefix("lived terrarium ") {
        return lived(words, shown, kernel);
    }
    if let Some(words) = source.strip_prefix("terrarium ") {
        return printed(words);
    }
    match source {
        "help of every verb" => help(),
        "machine" => pictured("machine", &diagram::whole(), kernel),
        "lessons" => lessons(),
        "rules" => rules(),
        "rules of every life" => rules_of_every_life(),
        "planted bugs" => planted_bugs(),
        "differences" => differences(),
        #[cfg(all(target_os = "linux", feature = "linux"))]
        "walls" => walls(kernel),
        "layers" => pictured("layers", &drawn::layers("one-image-three-lives"), kernel),
        "states" => states(),
        #[cfg(all(target_os = "linux", feature = "linux"))]
        "set-up steps" => steps(),
        #[cfg(all(target_os = "linux", feature = "linux"))]
        "unlived wishes" => unlived_wishes(),
        _ => of_something(source, kernel),
    }
}

fn of_something(source: &str, kernel: Kernel) -> String {
    if let Some(name) = source.strip_prefix("transcript ").and_then(|rest| rest.strip_suffix(" of verbs")) {
        return shown_by_a_test(name);
    }
    if let Some(state) = source.strip_prefix("state ") {
        return life::state(state, kernel);
    }
    let (what, whose) = source.rsplit_once(" of ").unwrap_or((source, ""));
    match what {
        "timeline" => pictured(&format!("timeline-{whose}"), &life::timeline(whose), kernel),
        "questions" => life::questions(whose),
        _ => match what.split_once(' ') {
            Some(("section", heading)) => quoted::section(heading, whose),
            Some(("code", name)) => quoted::code(name, whose),
            _ => part(source),
        },
    }
}

/// A picture in a file of its own, put into the page by mdBook. Where the file is another one, the page is out of date.
pub(crate) fn pictured(name: &str, svg: &str, kernel: Kernel) -> String {
    let file = format!("pictures/{name}.svg");
    let path = root().join("book/src").join(&file);
    let shown = fs::read_to_string(&path).unwrap_or_default();
    if shown != svg && kernel == Kernel::Awake {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, svg).unwrap();
    } else if shown != svg {
        return format!("(book/src/{file} shows something else now)\n");
    }
    format!("<figure>\n{{{{#include {file}}}}}\n</figure>\n")
}

fn lessons() -> String {
    let mut text =
        String::from("| | lesson | minutes | what it teaches | for you |\n|---|---|---|---|---|\n");
    for bundled in bundled() {
        let Some(lesson) = &bundled.scenario.lesson else { continue };
        let of = |text: &terrarium::scenario::Text| {
            text.in_lang("en").trim().replace('\n', " ").replace('<', "&lt;")
        };
        let teaches: Vec<_> = lesson.teaches.iter().map(of).collect();
        let _ = writeln!(
            text,
            "| {} | [{}]({}.md) | {} | {} | {} |",
            lesson.order,
            of(&bundled.scenario.title),
            bundled.name,
            lesson.minutes.unwrap_or_default(),
            teaches.join(", "),
            lesson.notes.as_ref().map(of).unwrap_or_default()
        );
    }
    text
}

/// Numbers that differ from run to run are no reason to write a page anew: what tells the same may stay.
fn lived(words: &str, shown: &str, kernel: Kernel) -> String {
    let simulated = printed(&words.replacen("replay", "replay --engine sim", 1));
    if transcript::tell_the_same(shown, &simulated) {
        return shown.to_owned();
    }
    if kernel == Kernel::Asleep {
        return simulated;
    }
    let lived = printed(&words.replacen("replay", "replay --engine linux", 1));
    assert!(
        transcript::tell_the_same(&lived, &simulated),
        "the kernel told\n{lived}\nthe simulator\n{simulated}"
    );
    lived
}

fn printed(line: &str) -> String {
    let (words, selection) = line.split_once(" | ").map_or((line, None), |(words, cut)| (words, Some(cut)));
    let output = terrarium().args(words.split_whitespace()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.is_empty(), "terrarium {words}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let text = selection.map_or(text.clone(), |selection| transcript::cut(&text, selection));
    let language = if words.contains("mermaid") { "mermaid" } else { "text" };
    fenced(language, &text)
}

/// What stands in the snapshot of a test in `tests/verbs`, without its heading.
fn shown_by_a_test(name: &str) -> String {
    let (name, language) = match name {
        "history" => ("history__a_life_is_told_in_chapters", "text"),
        _ => ("record__a_recorded_life_reads_well", "yaml"),
    };
    let path = root().join(format!("tests/verbs/snapshots/verbs__{name}.snap"));
    let text = fs::read_to_string(path).unwrap();
    let (_, body) = text.split_once("\n---\n").unwrap();
    fenced(language, body)
}

fn help() -> String {
    let all = asked(&["--help"]);
    let verbs = all.lines().skip_while(|line| !line.starts_with("Verbs:")).skip(1);
    let lines = verbs.take_while(|line| !line.trim().is_empty());
    // A description that goes on in the next line stands further to the right.
    let verbs =
        lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let section = |verb| format!("## {verb}\n\n{}", fenced("text", &of_its_own(&asked(&[verb, "--help"]))));
    verbs.map(section).collect::<Vec<_>>().join("\n")
}

/// Without the options that every verb has.
fn of_its_own(help: &str) -> String {
    let mut own = Vec::new();
    let mut common = false;
    for line in help.lines() {
        common = line == "With every verb:" || (common && (line.is_empty() || line.starts_with(' ')));
        if !common && *line != *"  -h, --help" && !line.trim_start().starts_with("Print help") {
            own.push(line);
        }
    }
    own.join("\n").replace("\n\n\n", "\n\n")
}

fn asked(words: &[&str]) -> String {
    String::from_utf8(terrarium().args(words).output().unwrap().stdout).unwrap()
}

pub(crate) fn fenced(language: &str, text: &str) -> String {
    let lines: Vec<_> = text.trim_matches('\n').lines().map(str::trim_end).collect();
    format!("```{language}\n{}\n```\n", lines.join("\n"))
}

fn part(source: &str) -> String {
    let words: Vec<_> = source.split_whitespace().collect();
    let ["part", key, "of", file] = words[..] else { panic!("`{source}`: there is no such source") };
    let text = fs::read_to_string(root().join(file)).unwrap();
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("{key}:")));
    let first = lines.next().unwrap_or_else(|| panic!("{file} has no `{key}`"));
    let rest = lines.take_while(|line| line.starts_with(' '));
    fenced("yaml", &[first].into_iter().chain(rest).collect::<Vec<_>>().join("\n"))
}

/// No table: some sources are long and cannot be broken.
fn rules() -> String {
    let item = |rule: &Rule| format!("* `{}`: {} ({})\n", rule.id(), rule.sentence(), rule.source());
    Rule::ALL.iter().map(item).collect::<Vec<_>>().concat()
}

/// By theme, as they are listed.
fn rules_of_every_life() -> String {
    let item = |rule: &check::rules::Rule| {
        format!(
            "* **{}** `{}`<br>{} ({}; {})\n",
            rule.sentence,
            rule.name,
            rule.why,
            rule.kind.word(),
            rule.source
        )
    };
    check::rules::RULES.into_iter().flatten().map(item).collect()
}

fn planted_bugs() -> String {
    printed("check --break list")
}

/// The namespaces that a container gets, as a picture and as a list.
#[cfg(all(target_os = "linux", feature = "linux"))]
fn walls(kernel: Kernel) -> String {
    use terrarium::runtime::{Isolation, default_spec};
    let spec = default_spec(Isolation::Root);
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref()).unwrap();
    let wall = |kind: String| match kind.as_str() {
        "mnt" => ("mount", "hides the host's files"),
        "pid" => ("pid", "hides other processes, numbers from 1"),
        "net" => ("network", "has ports and addresses of its own"),
        "uts" => ("uts", "has a host name of its own"),
        "ipc" => ("ipc", "has shared memory of its own"),
        "cgroup" => ("cgroup", "hides how it is counted"),
        other => panic!("nobody has said what the {other} namespace is good for"),
    };
    let walls: Vec<_> = namespaces.iter().map(|namespace| wall(namespace.typ().to_string())).collect();
    pictured("walls", &drawn::walls(&walls), kernel)
}

fn differences() -> String {
    let item = |difference: &Difference| {
        format!("* `{}`: {} ({})\n", difference.name, difference.sentence, difference.source)
    };
    DIFFERENCES.iter().map(item).collect::<Vec<_>>().concat()
}

fn states() -> String {
    let mut text =
        String::from("| state | what it means | Docker's word | OCI's word |\n|---|---|---|---|\n");
    for state in State::ALL {
        let (word, docker, oci) = (state.word(), state.docker(), state.oci());
        let _ = writeln!(text, "| {word} | {} | {docker} | {oci} |", state.sentence());
    }
    text
}

#[cfg(all(target_os = "linux", feature = "linux"))]
fn steps() -> String {
    let mut text = String::from("| | step | why, and why then |\n|---|---|---|\n");
    for (number, step) in (1..).zip(terrarium::runtime::steps()) {
        let _ = writeln!(text, "| {number} | {step} | {} |", step.reason());
    }
    text
}

#[cfg(all(target_os = "linux", feature = "linux"))]
fn unlived_wishes() -> String {
    use terrarium::world::linux::{Linux, Obstacle};
    let is_unlived = |wish: &&str| {
        let scenario = scenario(&format!("containers:\n  web:\n    {wish}\n"));
        let desk = tempfile::tempdir().unwrap();
        matches!(Linux::open(Some(desk.path()), &scenario.containers), Err(Obstacle::Unlivable(_)))
    };
    list(WISHES.into_iter().filter(is_unlived).map(key))
}

fn scenario(yaml: &str) -> Scenario {
    parse("shown.yaml", &format!("title: T\n{yaml}")).unwrap_or_else(|error| panic!("{error}"))
}

fn key(entry: &str) -> &str {
    entry.split(':').next().unwrap_or(entry)
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    if words.is_empty() { "(none)\n".into() } else { format!("{}.\n", words.join(", ")) }
}
