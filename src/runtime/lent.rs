//! The ids that root has lent an ordinary user: `/etc/subuid`, `/etc/subgid`, and the two programs that may map them.
//!
//! By itself a user can map one id, the own one. What these files lend comes after it: the own id is 0 inside, the first that
//! is lent is 1, and so on. Whether that works is tried once, on a process that does nothing: the programs may have lost their
//! privilege, or this process may have promised to gain none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getegid, geteuid, pause};
use oci_spec::runtime::{LinuxIdMapping, LinuxIdMappingBuilder};
use thiserror::Error;

use super::{ending, sys};

/// What an ordinary user's containers can be mapped to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LentIds {
    users: Vec<Range>,
    groups: Vec<Range>,
}

/// Ids that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u32,
    count: u32,
}

/// Why a user has one id for a container, and no more. What to do stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotLent {
    /// The programs are not installed.
    #[error("{0} is not there (as root, install the package uidmap or shadow-utils)")]
    NoProgram(&'static str),
    /// Nothing is lent to this user.
    #[error(
        "{file} lends nothing to user {user} (as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user})"
    )]
    NoRange {
        /// Which of the two.
        file: &'static str,
        /// By name, or by number if it has none.
        user: String,
    },
    /// The programs will not.
    #[error("{0} (is it still setuid, and may this process gain privileges?)")]
    Refused(String),
}

const MAP_USERS: Mapper = Mapper { program: "newuidmap", file: "/etc/subuid" };
const MAP_GROUPS: Mapper = Mapper { program: "newgidmap", file: "/etc/subgid" };

struct Mapper {
    program: &'static str,
    file: &'static str,
}

/// Where such programs are, whatever the user's PATH says.
const DIRECTORIES: [&str; 4] = ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin"];

/// What this user has been lent; found out once.
pub fn lent_ids() -> Result<&'static LentIds, &'static NotLent> {
    static LENT: OnceLock<Result<LentIds, NotLent>> = OnceLock::new();
    LENT.get_or_init(find).as_ref()
}

impl LentIds {
    /// How many users a container can have.
    pub fn count(&self) -> u64 {
        1 + self.users.iter().map(|range| u64::from(range.count)).sum::<u64>()
    }

    /// The ranges, as people write them.
    pub fn shown(&self) -> String {
        let range = |range: &Range| format!("{}-{}", range.first, range.first + (range.count - 1));
        self.users.iter().map(range).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn users(&self) -> Vec<LinuxIdMapping> {
        mappings(geteuid().as_raw(), &self.users)
    }

    pub(super) fn groups(&self) -> Vec<LinuxIdMapping> {
        mappings(getegid().as_raw(), &self.groups)
    }
}

/// The one id that everybody can map.
pub(super) fn own(id: u32) -> Vec<LinuxIdMapping> {
    mappings(id, &[])
}

/// Whether a mapping takes more than the right of whoever has that id.
pub(super) fn is_more_than_own(mappings: &[LinuxIdMapping]) -> bool {
    mappings.iter().map(|mapping| u64::from(mapping.size())).sum::<u64>() > 1
}

/// Has the users of a process mapped by whoever is allowed to.
pub(super) fn map_users(pid: Pid, mappings: &[LinuxIdMapping]) -> Result<(), NotLent> {
    MAP_USERS.map(pid, mappings)
}

pub(super) fn map_groups(pid: Pid, mappings: &[LinuxIdMapping]) -> Result<(), NotLent> {
    MAP_GROUPS.map(pid, mappings)
}

fn find() -> Result<LentIds, NotLent> {
    let lent = LentIds { users: MAP_USERS.lends()?, groups: MAP_GROUPS.lends()? };
    let parent = Pid::this();
    // Neither allocates, as a cloned child must not.
    let idle = || {
        if sys::die_with(parent).is_ok() {
            pause();
        }
        0
    };
    let flag = libc::CLONE_NEWUSER.unsigned_abs().into();
    let (pid, _pidfd) =
        sys::clone_child(flag, None, idle).map_err(|errno| refused("a user namespace", errno))?;
    let tried = map_users(pid, &lent.users()).and_then(|()| map_groups(pid, &lent.groups()));
    let _ = kill(pid, Signal::SIGKILL);
    let _ = ending::wait(pid);
    tried.map(|()| lent)
}

fn refused(what: &str, why: impl std::fmt::Display) -> NotLent {
    NotLent::Refused(format!("{what}: {why}"))
}

impl Mapper {
    fn path(&self) -> Result<PathBuf, NotLent> {
        let found = DIRECTORIES.iter().map(|directory| Path::new(directory).join(self.program));
        found.into_iter().find(|path| path.exists()).ok_or(NotLent::NoProgram(self.program))
    }

    fn lends(&self) -> Result<Vec<Range>, NotLent> {
        self.path()?;
        let id = geteuid().as_raw().to_string();
        let name = name_of(&fs::read_to_string("/etc/passwd").unwrap_or_default(), &id);
        let listed = fs::read_to_string(self.file).unwrap_or_default();
        let ranges = ranges(&listed, &[Some(id.as_str()), name.as_deref()]);
        let user = name.unwrap_or(id);
        if ranges.is_empty() { Err(NotLent::NoRange { file: self.file, user }) } else { Ok(ranges) }
    }

    fn map(&self, pid: Pid, mappings: &[LinuxIdMapping]) -> Result<(), NotLent> {
        let numbers = mappings.iter().flat_map(|m| [m.container_id(), m.host_id(), m.size()]);
        let output = Command::new(self.path()?)
            .arg(pid.to_string())
            .args(numbers.map(|number| number.to_string()))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| refused(self.program, error))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches(self.program).trim_start_matches(": ");
        if output.status.success() { Ok(()) } else { Err(refused(self.program, said)) }
    }
}

fn name_of(passwd: &str, id: &str) -> Option<String> {
    let mut rows = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    rows.find(|row| row.get(2) == Some(&id)).and_then(|row| row.first().map(ToString::to_string))
}

/// Lines of `user:first:count`.
fn ranges(listed: &str, names: &[Option<&str>]) -> Vec<Range> {
    let rows = listed.lines().filter_map(|line| {
        let mut fields = line.trim().splitn(3, ':');
        let whose = fields.next()?;
        let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (names.contains(&Some(whose)) && count > 0).then_some(Range { first, count })
    });
    rows.collect()
}

fn mappings(own: u32, lent: &[Range]) -> Vec<LinuxIdMapping> {
    let mut next = 0_u32;
    let all = [Range { first: own, count: 1 }].into_iter().chain(lent.iter().copied());
    let mapping = |range: Range| {
        // There are no more ids than numbers.
        let count = range.count.min(u32::MAX - next).min(u32::MAX - range.first);
        let mapping = LinuxIdMappingBuilder::default().container_id(next).host_id(range.first).size(count);
        next += count;
        mapping.build().expect("every field has a value")
    };
    all.map(mapping).filter(|mapping| mapping.size() > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str =
        "root:1:5\nada:100000:65536\n\n1000:300000:10\nada:oops:3\nbob:7:0\n ada:200000:1 \n";

    #[test]
    fn ranges_are_lent_by_name_or_by_number() {
        let range = |first, count| Range { first, count };
        let found = ranges(LISTED, &[Some("1000"), Some("ada")]);
        assert_eq!(found, [range(100_000, 65_536), range(300_000, 10), range(200_000, 1)]);
        assert_eq!(ranges(LISTED, &[Some("1001"), Some("bob")]), []);
        assert_eq!(ranges(LISTED, &[Some("1001"), None]), []);
    }

    #[test]
    fn a_user_is_named_as_the_host_has_it() {
        let passwd = "root:x:0:0::/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(name_of(passwd, "1000").as_deref(), Some("ada"));
        assert_eq!(name_of(passwd, "100"), None);
    }

    #[test]
    fn what_is_lent_comes_after_the_own_id() {
        let lent = [Range { first: 100_000, count: 65_536 }, Range { first: 7, count: u32::MAX }];
        let shown: Vec<_> =
            mappings(1000, &lent).iter().map(|m| (m.container_id(), m.host_id(), m.size())).collect();
        assert_eq!(shown, [(0, 1000, 1), (1, 100_000, 65_536), (65_537, 7, u32::MAX - 65_537)]);
        assert!(is_more_than_own(&mappings(1000, &lent)) && !is_more_than_own(&own(1000)));
    }
}
