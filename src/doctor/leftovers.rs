//! What runs that were killed have left on the host. The next run clears it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;

use super::{Finding, Verdict};
use crate::runtime::Cgroups;

pub(super) fn look(root: Option<&Path>) -> Finding {
    const TOPIC: &str = "leftovers";
    let mut left: Vec<String> = Vec::new();
    for base in root.map_or_else(usual, |root| vec![root.to_path_buf()]) {
        for entry in fs::read_dir(base).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("terrarium-replay-")
                && is_free(&entry.path().join("lock"))
            {
                left.push(entry.path().display().to_string());
            }
        }
    }
    let cgroups = Cgroups::detect().remains(Path::new(""));
    let ours = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("terrarium-replay-") && is_deserted(path)
    };
    left.extend(cgroups.iter().filter(ours).map(|path| path.display().to_string()));
    if left.is_empty() {
        return Finding::works(TOPIC, "none");
    }
    let lost = "nothing: they only take up room";
    let remedy = "terrarium replay first-life: every replay begins by clearing what dead ones have left";
    Finding::lacks(TOPIC, Verdict::Limited, left.join(", "), lost, remedy)
}

fn usual() -> Vec<PathBuf> {
    let user = geteuid();
    if user.is_root() {
        return vec!["/run/terrarium".into()];
    }
    let session =
        std::env::var_os("XDG_RUNTIME_DIR").map(|directory| PathBuf::from(directory).join("terrarium"));
    session.into_iter().chain([std::env::temp_dir().join(format!("terrarium-{user}"))]).collect()
}

/// Whoever lives holds it.
fn is_free(lock: &Path) -> bool {
    File::open(lock).is_ok_and(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok())
}

fn is_deserted(cgroup: &Path) -> bool {
    let all = fs::read_to_string(cgroup.join("cgroup.events")).unwrap_or_default();
    let procs = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    !all.contains("populated 1") && procs.trim().is_empty()
}
