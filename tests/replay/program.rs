//! The program that is tested, and the scenarios that are shipped with it.

use std::path::{Path, PathBuf};

/// Where program and scenarios are, for a user who may not see the directory in which they were built.
pub(crate) const ELSEWHERE: &str = "TERRARIUM_TEST_ELSEWHERE";

pub(crate) fn program() -> PathBuf {
    match std::env::var_os(ELSEWHERE) {
        Some(directory) => Path::new(&directory).join("terrarium"),
        None => env!("CARGO_BIN_EXE_terrarium").into(),
    }
}

/// A shipped scenario.
pub(crate) fn shipped(name: &str) -> PathBuf {
    let home = std::env::var_os(ELSEWHERE).unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&home).join("scenarios").join(name).with_extension("yaml")
}
