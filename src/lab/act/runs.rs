//! Which run this is, where the engine cannot tell: a file that outlives the runs counts how many have begun.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::unistd::{Pid, getpid, getppid};
use thiserror::Error;

/// Why the run under way has no number.
#[derive(Debug, Error)]
#[error("cannot count the runs in {}: {source}", file.display())]
pub(super) struct RunsError {
    file: PathBuf,
    source: io::Error,
}

/// The number of this run, the first is 0. The container's own program begins a run; whoever is brought in looks on.
pub(super) fn current(file: &Path) -> Result<usize, RunsError> {
    let begun = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    if !is_the_containers_own() {
        return Ok(usize::saturating_sub(begun, 1));
    }
    let failed = |source| RunsError { file: file.into(), source };
    fs::write(file, format!("{}\n", begun + 1)).map_err(failed)?;
    Ok(begun)
}

/// PID 1, or the child of an init; the parent of whoever is brought in is outside.
fn is_the_containers_own() -> bool {
    let init = Pid::from_raw(1);
    getpid() == init || getppid() == init
}
