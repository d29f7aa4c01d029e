//! Whatever comes in from outside is read or refused, and never a reason to panic: examples of everything, damaged at random.
//!
//! The same doors are fuzzed with coverage (`tests/fuzz`); here they are tried a few times at each run of the tests.
//! `TERRARIUM_FUZZ_CASES` says how often.
#![cfg(all(target_os = "linux", feature = "linux"))]
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they are made of")]

#[path = "fuzz/doors.rs"]
mod doors;

use std::path::Path;

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

fn files_in(directory: &str, name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.to_string_lossy().ends_with(name))
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

#[test]
fn no_scenario_makes_anybody_panic() {
    damaged(files_in("scenarios", ".yaml"), doors::scenario);
}

#[test]
fn no_journal_does() {
    use terrarium::engine::journal::{HostClock, Input, Journal};
    use terrarium::model::{Command, HostFacts, Name, Observation, Ticket, Verb};
    let (directory, clock) = (tempfile::tempdir().unwrap(), HostClock::new());
    let path = directory.path().join("journal");
    let mut journal = Journal::create(&path, "0123", HostFacts::ASSUMED, &clock).unwrap();
    let container = Name::new("web").unwrap();
    let create = Command { container, verb: Verb::Create(Box::default()) };
    journal.write(Input::Asked(Ticket(0), create), &clock).unwrap();
    journal.write(Input::Seen(Observation::NameGranted), &clock).unwrap();
    let written = std::fs::read(&path).unwrap();
    // The door puts the checksums right again, or nothing else would ever be looked at.
    let lines = written.split(|byte| *byte == b'\n').filter_map(|line| line.get(doors::CHECKSUM..));
    damaged(vec![lines.collect::<Vec<_>>().join(&b'\n'), written.clone()], doors::journal);
}

#[test]
fn no_bundle_does() {
    use terrarium::runtime::{Isolation, default_spec};
    let usual = [Isolation::Root, Isolation::Rootless].map(|isolation| {
        let mut spec = default_spec(isolation);
        spec.process_mut().as_mut().unwrap().set_args(Some(vec!["sh".into()]));
        serde_json::to_vec(&spec).unwrap()
    });
    damaged(usual.to_vec(), doors::bundle);
}

#[test]
fn no_flags_do() {
    let lines = [
        "run -d --name web -p 8080:80/udp -v /data:/data:ro --tmpfs /t:size=1m -m 64m --cpus 0.5 --restart on-failure:3 lab sh",
        "create -it -e A=B --env C -w /d -u 1:2 --health-cmd true --health-interval 1s --stop-signal 15 --stop-timeout -1 lab",
        "run --network container:a --cap-add ALL --security-opt no-new-privileges --memory-swap -1 --cpu-shares 2 -P lab",
        "stop -t 3 a b",
        "kill -s TERM a",
        "exec -it a sh -c x",
        "update --memory 1g a",
        "ps -a --filter name=x --format {{.ID}}",
        "replay x --engine sim --speed 2",
        "check --rule list --cases 3",
        "cp a:/b c",
        "logs -f --tail 3 --since 1m a",
    ];
    damaged(lines.iter().map(|line| line.replace(' ', "\0").into_bytes()).collect(), doors::flags);
}

#[test]
fn no_dockerfile_does() {
    let all = "# syntax\nARG V=1\nFROM lab AS one\nENV A=${V:-2} B=\"c d\"\nRUN <<EOF\necho x\nEOF\nCOPY --from=one \\\n  /a /b\n\
               HEALTHCHECK --interval=1s CMD [\"true\"]\nEXPOSE 80/udp\nUSER 1:2\nONBUILD RUN y\nSHELL [\"sh\"]\nSTOPSIGNAL 15\n";
    damaged(vec![all.into()], doors::dockerfile);
}

#[test]
fn no_layer_and_no_archive_does() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "content").unwrap();
    std::os::unix::fs::symlink("file", directory.path().join("link")).unwrap();
    std::fs::write(directory.path().join(".wh.gone"), "").unwrap();
    std::fs::write(
        directory.path().join("manifest.json"),
        r#"[{"Config":"file","Layers":["link"],"RepoTags":["a:b"]}]"#,
    )
    .unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    builder.follow_symlinks(false);
    builder.append_dir_all("d", directory.path()).unwrap();
    builder.append_path_with_name(directory.path().join("manifest.json"), "manifest.json").unwrap();
    let archive = builder.into_inner().unwrap();
    damaged(vec![archive.clone()], doors::layer);
    damaged(vec![archive], doors::archive);
}
