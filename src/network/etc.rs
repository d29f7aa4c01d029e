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

/// The name of the file on servers.
const RESOLVER: &str = "resolv.conf";
/// What it knows by itself, in a file beside the others.
const KNOWN: &str = "known";
/// What stands there in place of the host's address.
const HOST: &str = "host-gateway";

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
        rewrite(&self.directory.join(RESOLVER), &told)
    }

    /// Has them go to these servers, in these domains, with these options. What is not given stays as it is.
    pub fn ask(&self, servers: &[IpAddr], domains: &[&str], options: &[String]) -> io::Result<()> {
        let path = self.directory.join(RESOLVER);
        let now = fs::read_to_string(&path)?;
        let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
        rewrite(&path, &resolver(&now, &servers, domains, options))
    }

    /// Lets it know these by itself: a name, and its address; none for the host's own, in whichever network it gets.
    pub fn know(&self, others: &[(&str, Option<IpAddr>)]) -> io::Result<()> {
        let line = |(name, address): &(&str, Option<IpAddr>)| {
            address.map_or_else(|| format!("{HOST}\t{name}\n"), |address| format!("{address}\t{name}\n"))
        };
        let known: String = others.iter().map(line).collect();
        rewrite(&self.directory.join(KNOWN), &known)?;
        let hosts = fs::read_to_string(self.hosts())?;
        rewrite(&self.hosts(), &with_known(&hosts, &known, None))
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
fn hosts(entries: &[Entry]) -> String {
    let line = |entry: &Entry| format!("{}\t{}\n", entry.address, entry.names.join(" "));
    FIXED.to_owned() + &entries.iter().map(line).collect::<String>()
}

/// Puts what a container knows by itself before whom it meets.
fn with_known(hosts: &str, known: &str, host: Option<Ipv4Addr>) -> String {
    let address = host.map(|host| host.to_string());
    // Where the host has no address, nothing leads there.
    let line = |line: &str| match (line.strip_prefix(HOST), &address) {
        (Some(name), address) => Some(format!("{}{name}", address.as_ref()?)),
        (None, _) => Some(line.to_owned()),
    };
    let known: String = known.split_inclusive('\n').filter_map(line).collect();
    let usual = hosts.strip_prefix(FIXED);
    usual.map_or_else(|| format!("{hosts}{known}"), |met| format!("{FIXED}{known}{met}"))
}

/// Tells a container whom it can meet, in a network where the host has this address. `hosts` leads to its file.
pub(super) fn tell(hosts: &Path, entries: &[Entry], host: Ipv4Addr) -> io::Result<()> {
    let hosts = fs::read_link(hosts)?;
    let known = fs::read_to_string(hosts.with_file_name(KNOWN)).unwrap_or_default();
    rewrite_there(&hosts, &with_known(&self::hosts(entries), &known, Some(host)))
}

/// A resolver's file, with other servers, domains or options where some are given. One domain `.` means none.
fn resolver(now: &str, servers: &[String], domains: &[&str], options: &[String]) -> String {
    let [search, asked, how] = ["search", "nameserver", "options"].map(|word| {
        let is_its = |line: &&str| line.split_whitespace().next() == Some(word);
        now.lines().filter(is_its).flat_map(|line| [line, "\n"]).collect::<String>()
    });
    let search = match domains {
        [] => search,
        ["."] => String::new(),
        domains => format!("search {}\n", domains.join(" ")),
    };
    let line = |server: &String| format!("nameserver {server}\n");
    let asked = if servers.is_empty() { asked } else { servers.iter().map(line).collect() };
    let how = if options.is_empty() { how } else { format!("options {}\n", options.join(" ")) };
    search + &asked + &how
}

/// Writes a file that may be mounted somewhere: it stays the same file, and is never seen empty.
fn rewrite(path: &Path, content: &str) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(path)?;
    file.write_all_at(content.as_bytes(), 0)?;
    file.set_len(content.len() as u64)
}

/// The same for one that has to be there already.
fn rewrite_there(path: &Path, content: &str) -> io::Result<()> {
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
    fn what_is_said_of_servers_takes_the_place_of_the_hosts() {
        let now = "# a comment\noptions edns0\nsearch example.org\nnameserver 192.0.2.53\n";
        let told = |servers: &[&str], domains: &[&str], options: &[&str]| {
            let own = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
            resolver(now, &own(servers), domains, &own(options))
        };
        let usual = "search example.org\nnameserver 192.0.2.53\noptions edns0\n";
        assert_eq!(told(&[], &[], &[]), usual);
        assert_eq!(
            told(&["192.0.2.1", "2001:db8::1"], &["a.example", "b.example"], &["ndots:3"]),
            "search a.example b.example\nnameserver 192.0.2.1\nnameserver 2001:db8::1\noptions ndots:3\n"
        );
        assert_eq!(told(&[], &["."], &[]), "nameserver 192.0.2.53\noptions edns0\n");
    }

    #[test]
    fn whom_it_knows_by_itself_comes_before_whom_it_meets() {
        let place = tempfile::tempdir().unwrap();
        let etc = Etc::write(place.path().join("etc"), "web", None).unwrap();
        etc.know(&[("db", Some("192.0.2.7".parse().unwrap())), ("home", None)]).unwrap();
        let told = || fs::read_to_string(etc.hosts()).unwrap();
        assert_eq!(told(), format!("{FIXED}192.0.2.7\tdb\n"), "nobody knows yet where the host will be");
        let link = place.path().join("2");
        std::os::unix::fs::symlink(etc.hosts(), &link).unwrap();
        let met = Entry { address: Ipv4Addr::new(10, 80, 0, 2), names: vec!["web".into()] };
        tell(&link, &[met], Ipv4Addr::new(10, 80, 0, 1)).unwrap();
        assert_eq!(told(), format!("{FIXED}192.0.2.7\tdb\n10.80.0.1\thome\n10.80.0.2\tweb\n"));
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
