//! Who lives in a container, read from /proc: for hosts without a usable cgroup, and for what cgroups do not tell.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::{Pid, SysconfVar, sysconf};

/// What a process does, as far as freezing and counting go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is dead, and only its exit status is left.
    Zombie,
    /// A signal has stopped it.
    Stopped,
    /// Anything else.
    Alive,
}

/// A line of /proc/PID/stat, as far as it is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    state: State,
    /// Its own time and that of the children that it has waited for.
    ticks: u64,
}

/// A pid namespace, by the name that the kernel gives it.
pub(super) type NamespaceName = OsString;

/// The namespace of kind `kind` that a process is in; none for one that has ended, or is none of ours.
pub(super) fn namespace(pid: Pid, kind: &str) -> Option<NamespaceName> {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok().map(PathBuf::into_os_string)
}

/// All processes in a pid namespace, and in those inside it only if they are ours to look at.
pub(super) fn members(pid_namespace: &NamespaceName) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Pid::from_raw);
    pids.filter(|pid| namespace(*pid, "pid").as_ref() == Some(pid_namespace)).collect()
}

/// The processes that live in the pid namespace of a process, that one included.
pub fn companions(pid: i32) -> Vec<i32> {
    let home = namespace(Pid::from_raw(pid), "pid");
    home.map_or_else(Vec::new, |home| members(&home).into_iter().map(Pid::as_raw).collect())
}

/// What a process does; none if it has ended and been waited for.
pub(super) fn state(pid: Pid) -> Option<State> {
    stat(pid).map(|stat| stat.state)
}

/// The CPU time of a process and of the children that it has waited for.
pub(super) fn cpu_time(pid: Pid) -> Option<Duration> {
    let ticks_per_second =
        sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok())?;
    let ticks = stat(pid)?.ticks;
    Some(Duration::from_millis(ticks * 1000 / ticks_per_second.max(1)))
}

/// The memory that goes away with the processes: what they have written, shared parts counted by halves, thirds and so on.
/// Pages of files are the page cache's.
pub(super) fn memory(pid: Pid) -> Option<u64> {
    let Ok(sums) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        return Some(sum(status.lines(), "RssAnon"));
    };
    let mut shared = sum(sums.lines(), "Pss_Shmem");
    if shared > 0 {
        let mappings = fs::read_to_string(format!("/proc/{pid}/smaps")).ok()?;
        shared = shared.min(mapped_to_be_shared(&mappings));
    }
    Some(sum(sums.lines(), "Pss_Anon") + shared)
}

/// What is mapped to be shared. A program that lies on a tmpfs is shared memory to the kernel, too, but mapped privately.
fn mapped_to_be_shared(mappings: &str) -> u64 {
    let mut is_shared = false;
    let of_shared = mappings.lines().filter(|line| {
        let mut words = line.split_whitespace();
        if let (Some(first), Some(permissions)) = (words.next(), words.next())
            && !first.ends_with(':')
        {
            is_shared = permissions.ends_with('s');
        }
        is_shared
    });
    sum(of_shared, "Pss")
}

/// The bytes of all lines of one name, like `Pss:  12 kB`.
fn sum<'a>(lines: impl Iterator<Item = &'a str>, name: &str) -> u64 {
    let kib = lines.filter_map(|line| {
        line.strip_prefix(name)?.strip_prefix(':')?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    });
    kib.sum::<u64>() * 1024
}

fn stat(pid: Pid) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name stands in parentheses, and may itself contain some.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let state = match *fields.first()? {
        "Z" | "X" => State::Zombie,
        "T" | "t" => State::Stopped,
        _ => State::Alive,
    };
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
    Some(Stat { state, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pretend_to_be_a_state() {
        let line = "7 (x) Z 1) S 1 7 7 0 -1 4194560 99 0 0 0 3 4 5 6 20 0 1 0 100 0 0";
        assert_eq!(parse_stat(line), Some(Stat { state: State::Alive, ticks: 18 }));
        assert_eq!(parse_stat("7 (x) Z 1"), None);
    }

    #[test]
    fn a_program_on_a_tmpfs_is_no_shared_memory() {
        let mappings = "\
            55d0-55d1 r-xp 00000000 00:2f 247030       /bin/lab\nRss:     8000 kB\nPss:     8000 kB\nPss_Dirty: 8 kB\n\
            7f00-7f01 rw-s 00000000 00:01 2052         /dev/zero (deleted)\nRss:       20 kB\nPss:       12 kB\n\
            7ffc-7ffd rw-p 00000000 00:00 0            [stack]\nRss:       16 kB\nPss:       16 kB\n";
        assert_eq!(mapped_to_be_shared(mappings), 12 << 10);
    }

    #[test]
    fn this_process_is_found_in_its_own_namespace() {
        let here = namespace(Pid::this(), "pid").unwrap();
        assert!(members(&here).contains(&Pid::this()));
    }
}
