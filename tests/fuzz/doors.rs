//! The doors by which something comes in that terrarium has not written. Whatever comes, nobody may panic.
//!
//! `tests/fuzz/run` feeds them all, led by what it has reached, on any Rust. With cargo-fuzz, which looks for misused memory besides
//! (`unsafe` is in two files), and with the examples that `TERRARIUM_FUZZ_EXAMPLES` has laid out:
//!
//! ```text
//! cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz scenario -- -max_total_time=600
//! ```

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use oci_spec::runtime::Spec;
use terrarium::engine::journal;
use terrarium::image::layer::{Limits, unpack};
use terrarium::image::store::Store;
use terrarium::runtime::{Bundle, Root};

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

/// Words are separated by null bytes, as in /proc/PID/cmdline.
pub fn flags(bytes: &[u8]) {
    let words = bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec()));
    let _ = terrarium::cli::understand([OsString::from("terrarium")].into_iter().chain(words));
}

/// As a Dockerfile.
pub fn dockerfile(bytes: &[u8]) {
    let _ = terrarium::image::dockerfile::parse("Dockerfile", &String::from_utf8_lossy(bytes));
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
