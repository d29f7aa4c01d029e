//! Whatever comes in from outside is read or refused, and never a reason to panic: examples of everything, damaged at random.
//!
//! The same doors are fuzzed with coverage (`tests/fuzz/run`), from the same examples; here they are tried a few times at each run of the tests.
//! `TERRARIUM_FUZZ_CASES` says how often.
#![cfg(all(target_os = "linux", feature = "linux"))]
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they are made of")]
#![allow(unreachable_pub, reason = "the fuzz targets reach them, which are another package")]

#[path = "fuzz/doors.rs"]
mod doors;
#[path = "fuzz/examples.rs"]
mod examples;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

/// Few: each run of the tests takes other ones.
const CASES: u32 = 150;

/// What is done to an example.
#[derive(Clone, Debug)]
enum Damage {
    /// A byte becomes another.
    Change(Index, u8),
    /// Something of it is said again elsewhere.
    Repeat(Index, Index, u8),
    /// Some bytes go.
    Omit(Index, u8),
    /// Bytes from nowhere come in between.
    Insert(Index, Vec<u8>),
    /// It ends early.
    End(Index),
}

/// What readers stumble over.
const SAYINGS: [&[u8]; 10] =
    [b"99999999999999999999", b"-1", b"{", b"\0", b"\n", b"\xff", b"[[[[", b"${", b"..", b"null"];

fn damage() -> impl Strategy<Value = Damage> {
    let anything =
        prop_oneof![vec(any::<u8>(), 1..9), prop::sample::select(&SAYINGS[..]).prop_map(<[u8]>::to_vec),];
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Change(at, byte)),
        2 => (any::<Index>(), any::<Index>(), any::<u8>()).prop_map(|(from, to, length)| Damage::Repeat(from, to, length)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Damage::Omit(at, length)),
        2 => (any::<Index>(), anything).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => any::<Index>().prop_map(Damage::End),
    ]
}

impl Damage {
    fn done_to(&self, bytes: &mut Vec<u8>) {
        let place = |at: &Index| at.index(bytes.len() + 1);
        let reach = |from: usize, length: u8| (from + usize::from(length)).min(bytes.len());
        match self {
            Self::Change(at, byte) => {
                let at = place(at);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Self::Repeat(from, to, length) => {
                let (from, to) = (place(from), place(to));
                let said = bytes[from..reach(from, *length)].to_vec();
                bytes.splice(to..to, said);
            }
            Self::Omit(at, length) => {
                let at = place(at);
                let end = reach(at, *length);
                bytes.drain(at..end);
            }
            Self::Insert(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::End(at) => {
                let at = place(at);
                bytes.truncate(at);
            }
        }
    }
}

/// Damages `examples` at random, and lets them in.
fn damaged(examples: Vec<Vec<u8>>, door: impl Fn(&[u8])) {
    assert!(!examples.is_empty());
    let asked = std::env::var("TERRARIUM_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config { failure_persistence: None, ..Config::with_cases(asked.unwrap_or(CASES)) };
    for example in &examples {
        door(example);
    }
    let input = (prop::sample::select(examples), vec(damage(), 1..6)).prop_map(|(mut bytes, all)| {
        for damage in all {
            damage.done_to(&mut bytes);
        }
        bytes
    });
    TestRunner::new(config)
        .run(&input, |bytes| {
            door(&bytes);
            Ok(())
        })
        .unwrap();
}

#[test]
fn no_scenario_makes_anybody_panic() {
    damaged(examples::scenarios(), doors::scenario);
}

#[test]
fn no_journal_does() {
    damaged(examples::journals(), doors::journal);
}

#[test]
fn no_bundle_does() {
    damaged(examples::bundles(), doors::bundle);
}

#[test]
fn no_flags_do() {
    damaged(examples::flags(), doors::flags);
}

#[test]
fn no_dockerfile_does() {
    damaged(examples::dockerfiles(), doors::dockerfile);
}

#[test]
fn no_layer_and_no_archive_does() {
    damaged(examples::layers(), doors::layer);
    damaged(examples::archives(), doors::archive);
}

#[test]
fn no_scenario_that_is_lived_does() {
    damaged(examples::scenarios(), doors::replay);
}

#[test]
fn no_template_does() {
    damaged(examples::templates(), doors::template);
}

#[test]
fn no_document_of_an_image_does() {
    damaged(examples::images(), doors::image);
}

#[test]
fn nothing_that_is_said_to_a_keeper_does() {
    damaged(examples::words(), doors::words);
}

#[test]
fn what_stands_too_deep_within_itself_is_refused() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    doors::dockerfile(format!("FROM lab\nENV A={}\n", deep("${a:-", "}")).as_bytes());
    for template in [
        format!("{{{{{}}}}}", deep("(", ")")),
        deep("{{if 1}}", "{{end}}"),
        deep("{{if 1}}{{else if 1}}", "{{end}}"),
    ] {
        doors::template(template.as_bytes());
    }
    for door in [doors::scenario, doors::bundle, doors::image, doors::journal, doors::words] {
        door(deep("[", "]").as_bytes());
        door(deep("{\"a\":", "}").as_bytes());
    }
}

#[test]
fn what_is_more_than_there_is_of_anything_is_refused_or_lived() {
    for template in [
        r#"{{pad "a" 18446744073709551615 1}}"#,
        "{{range 99999999999999}}{{end}}",
        r#"{{printf "%70000d|%.70000f" 1 1.5}}"#,
        r#"{{printf "%99999999999999999999d" 1}}"#,
    ] {
        doors::template(template.as_bytes());
    }
    let lived = |text: &str| doors::live(&terrarium::scenario::parse("long", text).unwrap());
    let years = "31557600000s";
    lived(&format!(
        "title: long
containers:
  web:
    stop_timeout: {years}
    health: {{ test: [check], interval: {years}, start_period: {years} }}
    behavior: {{ cpu: 4000000%, memory: 15EiB, children: {{ count: 1000000, memory: 15EiB }} }}
steps:
  - run: web
  - wait: {years}
  - wait: {years}
  - stop: web
"
    ));
}
