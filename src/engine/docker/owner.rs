//! Whose something in Docker is, and whether that process still lives: boot, PID namespace, number and start of a process.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// A process, told apart from every other that had or will have its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner(String);

/// How many runs this process has begun.
static RUNS: AtomicU32 = AtomicU32::new(0);

impl Owner {
    pub(super) fn this_process() -> Self {
        let pid = std::process::id();
        Self(format!("{}/{}/{pid}/{}", boot(), pid_namespace(), start_of(pid).unwrap_or_default()))
    }

    pub(super) fn read(text: &str) -> Self {
        Self(text.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// A number that no other run has, short enough to stand in names.
    pub(super) fn new_run(&self) -> String {
        let nth = RUNS.fetch_add(1, Ordering::Relaxed);
        let text = format!("{}/{nth}", self.0);
        format!("{:08x}", crc32fast::hash(text.as_bytes()))
    }

    /// In doubt it does: what a process in another PID namespace does cannot be seen from here.
    pub(super) fn lives(&self) -> bool {
        let mut parts = self.0.split('/');
        let (Some(boot_then), Some(namespace), Some(pid), Some(start)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        if boot_then != boot() {
            return false;
        }
        if namespace != pid_namespace() {
            return true;
        }
        let Ok(pid) = pid.parse::<u32>() else { return false };
        let number = Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
        kill(number, None) != Err(Errno::ESRCH)
            && start_of(pid).is_none_or(|now| now == start)
            && !is_zombie(pid)
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().into()
}

fn pid_namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    link.to_string_lossy().chars().filter(char::is_ascii_digit).collect()
}

/// It has ended, and its parent has not asked how.
fn is_zombie(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with(['Z', 'X']))
}

/// Ticks since the boot: the 22nd field of `proc_pid_stat(5)`; the second may contain spaces.
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_that_has_ended_does_not() {
        let this = Owner::this_process();
        assert!(Owner::read(this.as_str()).lives());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let of_child =
            this.as_str().replacen(&format!("/{}/", std::process::id()), &format!("/{}/", child.id()), 1);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !is_zombie(child.id()) && std::time::Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(!Owner::read(&of_child).lives(), "nobody has asked for its end yet");
        child.wait().unwrap();
        assert!(!Owner::read(&of_child).lives());
    }

    #[test]
    fn another_process_with_the_same_number_is_not_the_owner() {
        let this = Owner::this_process();
        let (before, _) = this.as_str().rsplit_once('/').unwrap();
        assert!(!Owner::read(&format!("{before}/1")).lives());
        assert!(!Owner::read("another-boot/1/1/1").lives() && !Owner::read("").lives());
    }

    #[test]
    fn no_two_runs_have_the_same_number() {
        let this = Owner::this_process();
        assert_ne!(this.new_run(), this.new_run());
    }
}
