//! What a container costs, counted in its cgroup: Docker's own `stats` tells of the past second, and takes one to do so.

use std::fs;
use std::path::{Path, PathBuf};

use crate::model::Resources;

/// Where the kernel counts for one container.
pub(super) struct Cgroup {
    /// The line of `/proc/PID/cgroup` for a controller, or for all of them.
    lines: Vec<(String, PathBuf)>,
}

/// Where the hierarchies are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

impl Cgroup {
    /// That of a process, if it is this container's: a daemon somewhere else has other numbers.
    pub(super) fn of(pid: i32, id: &str) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        text.contains(id).then(|| Self::read(&text))
    }

    fn read(text: &str) -> Self {
        let line = |line: &str| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            let path = Path::new(MOUNT).join(controllers).join(path.trim_start_matches('/'));
            Some((controllers.to_owned(), path))
        };
        Self { lines: text.lines().filter_map(line).collect() }
    }

    /// What cannot be read is not known.
    pub(super) fn measure(&self) -> Resources {
        let nanoseconds = self.number("cpuacct", "cpuacct.usage");
        let microseconds = || field(&self.file("", "cpu.stat")?, "usage_usec").map(|count| count * 1000);
        #[expect(clippy::cast_precision_loss, reason = "a container does not live for months of CPU time")]
        let cpu_seconds = nanoseconds.or_else(microseconds).map(|count| count as f64 / 1e9);
        Resources {
            processes: self.processes(),
            cpu_seconds,
            memory_bytes: self.memory(),
            namespaces: None,
            mounts: None,
            layer_bytes: None,
            ..Resources::default()
        }
    }

    /// What its processes hold for themselves.
    fn memory(&self) -> Option<u64> {
        if let Some(text) = self.file("memory", "memory.stat") {
            return Some(field(&text, "total_rss")? + field(&text, "total_shmem").unwrap_or(0));
        }
        let text = self.file("", "memory.stat")?;
        Some(field(&text, "anon")? + field(&text, "shmem").unwrap_or(0))
    }

    /// Live processes: a zombie is none.
    fn processes(&self) -> Option<u64> {
        let listed = self.file("pids", "cgroup.procs").or_else(|| self.file("", "cgroup.procs"))?;
        Some(listed.lines().filter(|pid| lives(pid)).count() as u64)
    }

    fn number(&self, controller: &str, file: &str) -> Option<u64> {
        self.file(controller, file)?.trim().parse().ok()
    }

    fn file(&self, controller: &str, file: &str) -> Option<String> {
        let (_, path) = self
            .lines
            .iter()
            .find(|(controllers, _)| controllers.split(',').any(|name| name == controller))?;
        fs::read_to_string(path.join(file)).ok()
    }
}

fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_found_among_those_that_it_is_mounted_with() {
        let cgroup = Cgroup::read("4:cpu,cpuacct:/docker/1f\n2:memory:/docker/1f\n0::/docker/1f\n");
        let paths: Vec<&str> = cgroup.lines.iter().filter_map(|(_, path)| path.to_str()).collect();
        let expected = ["cpu,cpuacct/docker/1f", "memory/docker/1f", "docker/1f"];
        assert_eq!(paths, expected.map(|path| format!("{MOUNT}/{path}")));
    }

    #[test]
    fn a_field_is_told_from_one_whose_name_begins_alike() {
        assert_eq!(field("anon_thp 1\nanon 2\n", "anon"), Some(2));
        assert_eq!(field("anon_thp 1\n", "anon"), None);
    }

    #[test]
    fn a_process_of_somebody_else_is_not_counted_as_the_containers() {
        let this = i32::try_from(std::process::id()).unwrap();
        assert!(Cgroup::of(this, "no container has this id").is_none());
        assert!(lives(&this.to_string()) && !lives("0"));
    }
}
