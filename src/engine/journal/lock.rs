//! A journal's lock, which tells whether a keeper lives, and which.
//!
//! It covers everything from the byte that has the keeper's process id as its number: all locks overlap, so there is one at a
//! time, and whoever asks learns who holds it. For a killed keeper holds it until it has been torn down, some milliseconds
//! after `kill` has returned.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};

/// What a keeper that dies may take for it; one that takes longer hangs in the kernel, and counts as alive.
const TEARDOWN: Duration = Duration::from_secs(10);
/// How soon one looks again whether it has gone: the kernel announces that to nobody who does not want the lock.
const AGAIN: Duration = Duration::from_millis(1);

/// Its place in a set of signals.
const SIGKILL: u64 = 1 << (libc::SIGKILL - 1);

/// Whether somebody has a journal open for writing: whether its keeper lives. Asking disturbs nobody, and waits for one that is
/// dying.
pub fn is_kept(path: &Path) -> bool {
    let until = Instant::now() + TEARDOWN;
    while let Some(holder) = holder(path) {
        if !is_dying(holder) || Instant::now() > until {
            return true;
        }
        std::thread::sleep(AGAIN);
    }
    false
}

/// Held until the file is closed by everybody who has got it from here, which is: by its keeper.
pub(super) fn lock(file: &File) -> nix::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&from_byte(std::process::id().into()))).map(drop)
}

/// The process id of whoever holds a journal's lock, as that process knows it.
fn holder(path: &Path) -> Option<i64> {
    let mut lock = from_byte(0);
    fcntl(File::open(path).ok()?, FcntlArg::F_OFD_GETLK(&mut lock)).ok()?;
    (i32::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_start)
}

fn from_byte(start: i64) -> libc::flock {
    let short = |number: i32| i16::try_from(number).unwrap_or_default();
    libc::flock {
        l_type: short(libc::F_WRLCK),
        l_whence: short(libc::SEEK_SET),
        l_start: start,
        l_len: 0,
        l_pid: 0,
    }
}

/// Whether a process will do nothing more, though it may still hold what it has. Of one that cannot be seen (it lives in
/// another pid namespace) that is not believed.
fn is_dying(process: i64) -> bool {
    fs::read_to_string(format!("/proc/{process}/status")).is_ok_and(|status| tells_of_death(&status))
}

fn tells_of_death(status: &str) -> bool {
    let field = |label: &str| status.lines().find_map(|line| line.strip_prefix(label)).map(str::trim);
    let signals = |label: &str| field(label).and_then(|set| u64::from_str_radix(set, 16).ok()).unwrap_or(0);
    let is_in = |states: &[char]| field("State:").is_some_and(|state| state.starts_with(states));
    // The kernel leaves a signal that ends a process among the pending ones until nothing of it is left.
    let pending = signals("SigPnd:") | signals("ShdPnd:");
    let survived = signals("SigBlk:") | signals("SigIgn:") | signals("SigCgt:");
    let is_killed = pending & SIGKILL != 0;
    // One that has been stopped dies of all others only when it is to go on.
    let is_ended = pending & !survived != 0 && !is_in(&['T', 't']);
    // Memory is the first to go when a process ends, whyever it does.
    is_killed || is_ended || field("VmSize:").is_none() || is_in(&['Z', 'X'])
}

#[cfg(test)]
mod tests {
    use super::tells_of_death;

    const ALIVE: &str = "State:\tS (sleeping)\nVmSize:\t 5020 kB\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n\
         SigBlk:\t0000000000010000\nSigIgn:\t0000000000001000\nSigCgt:\t0000000100000440\n";

    #[test]
    fn what_ends_a_process_tells_of_its_death_and_what_it_survives_does_not() {
        assert!(!tells_of_death(ALIVE));
        let pending = |set: &str| ALIVE.replace("ShdPnd:\t0000000000000000", &format!("ShdPnd:\t{set}"));
        for (signal, set, dies) in [
            ("SIGKILL", "0000000000000100", true),
            ("SIGTERM", "0000000000004000", true),
            ("SIGCHLD, blocked", "0000000000010000", false),
            ("SIGPIPE, ignored", "0000000000001000", false),
            ("SIGBUS, caught", "0000000000000040", false),
        ] {
            assert_eq!(tells_of_death(&pending(set)), dies, "{signal}");
        }
        let stopped = |set: &str| pending(set).replace("S (sleeping)", "T (stopped)");
        assert!(tells_of_death(&stopped("0000000000000100")));
        assert!(!tells_of_death(&stopped("0000000000004000")));
        assert!(tells_of_death(&ALIVE.replace("VmSize:\t 5020 kB\n", "")));
        assert!(tells_of_death(&ALIVE.replace("S (sleeping)", "Z (zombie)")));
    }
}
