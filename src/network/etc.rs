//! The three files that tell a container who it is and whom it knows: `/etc/hosts`, `/etc/resolv.conf` and `/etc/hostname`.
//!
//! They lie on the host and are mounted into the container, so that they can change while it runs.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The files of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etc {
    directory: PathBuf,
}

/// Somebody in the network: an address, and the names that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) address: Ipv4Addr,
    pub(super) names: Vec<String>,
}

const FIXED: &str = "\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// Where a local resolver keeps the servers that it asks itself: it cannot be reached from inside.
const BEHIND_A_LOCAL_RESOLVER: &str = "/run/systemd/resolve/resolv.conf";

impl Etc {
    /// The files and where they appear inside.
    pub const NAMES: [&'static str; 3] = ["hosts", "resolv.conf", "hostname"];

    /// Files that are there already.
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Writes them for a container with a network of its own, and perhaps an address.
    pub fn write(directory: PathBuf, hostname: &str, address: Option<Ipv4Addr>) -> io::Result<Self> {
        let own = address.map(|address| Entry { address, names: vec![hostname.to_owned()] });
        let hosts = hosts(own.as_slice());
        Self::make(directory, [&hosts, &servers(), &format!("{hostname}\n")])
    }

    /// Copies the host's, for a container that lives in the host's network.
    pub fn copy(directory: PathBuf, hostname: &str) -> io::Result<Self> {
        let read = |name: &str| fs::read_to_string(Path::new("/etc").join(name)).unwrap_or_default();
        Self::make(directory, [&read("hosts"), &read("resolv.conf"), &format!("{hostname}\n")])
    }

    /// Has questions for names go to this server alone.
    pub fn ask_server(&self, server: Ipv4Addr) -> io::Result<()> {
        let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let others = host.split_inclusive('\n').filter(|line| !line.starts_with("nameserver"));
        let told = others.collect::<String>() + &format!("nameserver {server}\n");
        rewrite(&self.directory.join("resolv.conf"), &told)
    }

    /// Each file, and its path inside.
    pub fn mounts(&self) -> impl Iterator<Item = (PathBuf, PathBuf)> {
        Self::NAMES.iter().map(|name| (self.directory.join(name), Path::new("/etc").join(name)))
    }

    /// Notes beside them which process they are for, as long as that lives.
    pub fn note_process(&self, pid: i32) -> io::Result<()> {
        let born = born(pid).ok_or(io::ErrorKind::NotFound)?;
        rewrite(&self.directory.join("process"), &format!("{pid} {born}"))
    }

    /// The process that they are for, if it lives.
    pub fn process(&self) -> Option<i32> {
        let noted = fs::read_to_string(self.directory.join("process")).ok()?;
        let (pid, then) = noted.split_once(' ')?;
        let pid = pid.parse().ok()?;
        (born(pid)? == then).then_some(pid)
    }

    /// What whoever they are for calls itself.
    pub fn hostname(&self) -> io::Result<String> {
        fs::read_to_string(self.directory.join("hostname")).map(|name| name.trim_end().to_owned())
    }

    /// The file of names, on the host.
    pub fn hosts(&self) -> PathBuf {
        self.directory.join("hosts")
    }

    fn make(directory: PathBuf, contents: [&str; 3]) -> io::Result<Self> {
        match DirBuilder::new().mode(0o755).create(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        for (name, content) in Self::NAMES.iter().zip(contents) {
            rewrite(&directory.join(name), content)?;
        }
        Ok(Self { directory })
    }
}

/// A hosts file: what everybody knows, and these. Whose file it is comes first.
pub(super) fn hosts(entries: &[Entry]) -> String {
    let line = |entry: &Entry| format!("{}\t{}\n", entry.address, entry.names.join(" "));
    FIXED.to_owned() + &entries.iter().map(line).collect::<String>()
}

/// Writes a file that may be mounted somewhere: it stays the same file, and is never seen empty.
pub(super) fn rewrite(path: &Path, content: &str) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(path)?;
    file.write_all_at(content.as_bytes(), 0)?;
    file.set_len(content.len() as u64)
}

/// The same for one that has to be there already.
pub(super) fn rewrite_there(path: &Path, content: &str) -> io::Result<()> {
    fs::metadata(path)?;
    rewrite(path, content)
}

/// The host's name servers, as far as they can be reached from inside.
fn servers() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let reachable = reachable(&read("/etc/resolv.conf"));
    if reachable.contains("nameserver") { reachable } else { self::reachable(&read(BEHIND_A_LOCAL_RESOLVER)) }
}

/// When a process began: its number alone may be another's by now.
fn born(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses, and may itself contain some. A zombie has no network any more.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let lives = !matches!(*fields.first()?, "Z" | "X");
    lives.then(|| fields.get(19).map(ToString::to_string))?
}

fn reachable(text: &str) -> String {
    let is_local = |line: &&str| {
        let server = line.strip_prefix("nameserver").map(str::trim);
        server.and_then(|server| server.parse::<IpAddr>().ok()).is_some_and(|server| server.is_loopback())
    };
    text.split_inclusive('\n').filter(|line| !is_local(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_the_hosts_loopback_is_left_out() {
        let text = "search example.org\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\n";
        assert_eq!(reachable(text), "search example.org\nnameserver 192.0.2.53\n");
    }

    #[test]
    fn a_file_that_is_written_again_stays_the_same_file() {
        use std::os::unix::fs::MetadataExt;
        let place = tempfile::tempdir().unwrap();
        let etc = Etc::write(place.path().join("etc"), "a-long-name", None).unwrap();
        let path = place.path().join("etc/hostname");
        let inode = fs::metadata(&path).unwrap().ino();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a-long-name\n");
        assert_eq!(Etc::write(place.path().join("etc"), "web", None).unwrap(), etc);
        assert_eq!(fs::read_to_string(&path).unwrap(), "web\n");
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    }

    #[test]
    fn whose_file_it_is_comes_first() {
        let entry = |address: &str, names: &[&str]| Entry {
            address: address.parse().unwrap(),
            names: names.iter().map(ToString::to_string).collect(),
        };
        let text = hosts(&[entry("10.80.0.3", &["inner", "web"]), entry("10.80.0.2", &["db"])]);
        assert!(text.ends_with("allrouters\n10.80.0.3\tinner web\n10.80.0.2\tdb\n"), "{text}");
    }
}
