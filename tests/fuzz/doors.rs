//! The doors by which something comes in that terrarium has not written. Whatever comes, nobody may panic.
//!
//! `tests/fuzz/run` feeds them all, led by what it has reached, on any Rust. With cargo-fuzz, which looks for misused memory besides
//! (`unsafe` is in two files), and with the examples that `TERRARIUM_FUZZ_EXAMPLES` has laid out:
//!
//! ```text
//! cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz scenario -- -max_total_time=600
//! ```

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use oci_spec::runtime::Spec;
use serde::de::DeserializeOwned;
use terrarium::engine::journal;
use terrarium::engine::trace::Audience;
use terrarium::image::config::ImageConfig;
use terrarium::image::layer::{Limits, unpack};
use terrarium::image::manifest::{Index, Manifest};
use terrarium::image::platform::Platform;
use terrarium::image::resolve::{exposed, resolve};
use terrarium::image::store::Store;
use terrarium::keeper::control::{Heard, Hearing, Patience, Reply, Request};
use terrarium::model::ContainerSpec;
use terrarium::report::docker::moment;
use terrarium::report::docker::pattern::Pattern;
use terrarium::report::docker::template::Template;
use terrarium::report::{Json, Paint, Text, Why};
use terrarium::runtime::{Bundle, Root};
use terrarium::scenario::Scenario;
use terrarium::scenario::replay::{Play, simulate};

/// As text: what is valid comes to the same when it is written and read once more.
pub fn scenario(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(scenario) = terrarium::scenario::parse("fuzzed", &text) {
        let written = scenario.to_yaml();
        let again = terrarium::scenario::parse("written", &written)
            .unwrap_or_else(|error| panic!("{error}\n{written}"));
        assert_eq!(again.to_yaml(), written);
    }
}

/// As a scenario that is lived in the simulator, if that does not take all day.
pub fn replay(bytes: &[u8]) {
    if let Ok(scenario) = terrarium::scenario::parse("fuzzed", &String::from_utf8_lossy(bytes))
        && is_soon_over(&scenario)
    {
        live(&scenario);
    }
}

/// Between what happens again and again there is a tenth of a second, and nothing lasts longer than ten minutes.
fn is_soon_over(scenario: &Scenario) -> bool {
    let written = scenario.to_yaml();
    let words = written.split(|letter: char| !letter.is_ascii_alphanumeric());
    let mut times = words.filter_map(|word| humantime::parse_duration(word).ok());
    times
        .all(|time| time.is_zero() || (Duration::from_millis(100)..=Duration::from_secs(600)).contains(&time))
}

/// Lives a scenario in the simulator, and tells of it in both ways.
pub fn live(scenario: &Scenario) {
    let mut text = Text::new(io::sink(), Paint::Colour, Why::Told);
    let tellers: [(&str, &mut dyn Audience); 2] = [("en", &mut text), ("ko", &mut Json::new(io::sink()))];
    for (lang, audience) in tellers {
        let _ = simulate(Play { scenario, file: "fuzzed", lang }, audience);
    }
}

/// What stands before each record of a journal: eight digits and a blank.
pub const CHECKSUM: usize = 9;

/// As the records of a file, which get the checksums that are due to them: without these nothing else would be looked at.
pub fn journal(bytes: &[u8]) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal");
    let mut lines = Vec::new();
    for record in bytes.split(|byte| *byte == b'\n').filter(|record| !record.is_empty()) {
        lines.extend(format!("{:08x} ", crc32fast::hash(record)).into_bytes());
        lines.extend([record, b"\n"].concat());
    }
    std::fs::write(&path, lines).expect("a file in it");
    if let Ok(account) = journal::read(&path) {
        let _ = (account.status(), account.is_gone(), account.was_created());
    }
    // Whoever goes on with it cuts off what is torn.
    let _ = journal::Journal::open(&path);
}

/// As a `config.json`, whose root file system is any directory.
pub fn bundle(bytes: &[u8]) {
    let Ok(spec) = serde_json::from_slice::<Spec>(bytes) else { return };
    let _ = Bundle { spec, root: Root::Directory(PathBuf::from("/")) }.check();
}

/// Words are separated by null bytes, as in /proc/PID/cmdline. Each is also read as what a verb reads later: a moment, a pattern.
pub fn flags(bytes: &[u8]) {
    let words = bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec()));
    let _ = terrarium::cli::understand([OsString::from("terrarium")].into_iter().chain(words.clone()));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 31);
    for word in words {
        let word = word.to_string_lossy();
        let _ = (
            moment::read(&word, now),
            Pattern::new(&word).is_ok_and(|pattern| pattern.is_in("web-and-more")),
        );
    }
}

/// As a Dockerfile that the simulator builds, and as the `.dockerignore` beside it.
pub fn dockerfile(bytes: &[u8]) {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["Dockerfile", ".dockerignore", "a"] {
        std::fs::write(directory.path().join(name), bytes).expect("a file in it");
    }
    let told = "title: fuzzed\nsteps: [build: { image: a, from: . }]";
    let scenario = directory.path().join("scenario.yaml");
    live(&terrarium::scenario::parse(&scenario.to_string_lossy(), told).expect("a scenario that builds"));
}

/// As a tar archive, of which little may be made.
pub fn layer(bytes: &[u8]) {
    let directory = tempfile::tempdir().expect("a directory");
    let few = Limits { entries: 64, bytes: 1 << 20, description: 1 << 16 };
    let _ = unpack(bytes, directory.path(), few);
}

/// As `docker save` writes them.
pub fn archive(bytes: &[u8]) {
    let directory = tempfile::tempdir().expect("a directory");
    let _ = terrarium::image::archive::load(bytes, &Store::at(directory.path().join("store")));
}

/// As the template of `--format`, for data of every kind.
pub fn template(bytes: &[u8]) {
    if let Ok(template) = Template::parse(&String::from_utf8_lossy(bytes)) {
        let data = serde_json::json!({ "Names": ["a", "b"], "ID": "0123", "Labels": { "a": "b" }, "State": { "Running": true, "Pid": 7, "Share": 0.5 }, "Nothing": null });
        let _ = template.fill_with(&data);
    }
}

/// As each of the documents of an image that was pulled.
pub fn image(bytes: &[u8]) {
    if let Ok(index) = serde_json::from_slice::<Index>(bytes) {
        let _ = (index.for_platform(&Platform::here()), index.platforms(), serde_json::to_vec(&index));
    }
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) {
        let _ = (manifest.kind(), serde_json::to_vec(&manifest));
    }
    if let Ok(config) = serde_json::from_slice::<ImageConfig>(bytes) {
        let of_image = resolve(&config.config, &ContainerSpec::default());
        let _ = (of_image, exposed(&config.config), serde_json::to_vec(&config));
    }
}

/// As what a command and a keeper say to each other, a line for each message, which gets the length that is due to it; and as it is.
pub fn words(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n');
    let told = lines.flat_map(|line| {
        let length = u32::try_from(line.len()).unwrap_or(u32::MAX).to_le_bytes();
        length.into_iter().chain(line.iter().copied())
    });
    for said in [told.collect(), bytes.to_vec()] {
        hear_all::<Request>(&said);
        hear_all::<Reply>(&said);
    }
}

fn hear_all<T: DeserializeOwned>(said: &[u8]) {
    let (mut here, there) = UnixStream::pair().expect("a pair of sockets");
    here.set_nonblocking(true).expect("a socket can be told not to wait");
    // What does not fit is not said.
    let _ = here.write(said);
    drop(here);
    let mut hearing = Hearing::default();
    while let Ok(Heard::Words(_, _)) = hearing.hear::<T>(there.as_fd(), Patience::Looks) {}
}
