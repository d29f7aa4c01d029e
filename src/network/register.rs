//! Who has a bridge open: a file with one line for each, under a lock.
//!
//! An entry is believed only if its process lives and has that very network open at that descriptor. So nobody has to
//! strike out whoever was killed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::bridge::BridgeError;

/// The file and its lock.
pub(super) struct Register {
    path: PathBuf,
    file: Flock<File>,
    members: Vec<Member>,
}

/// A process that has a bridge open, at this descriptor; the network behind it has this inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    pid: u32,
    descriptor: i32,
    inode: u64,
    number: u32,
}

impl Register {
    /// Waits until nobody else has it.
    pub(super) fn lock(directory: &Path) -> Result<Self, BridgeError> {
        let path = directory.join("bridge");
        let open = || -> io::Result<(Flock<File>, String)> {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            let file = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
            let text = io::read_to_string(&*file)?;
            Ok((file, text))
        };
        let (file, text) = open().map_err(|source| BridgeError::Files { path: path.clone(), source })?;
        let members = text.lines().filter_map(Member::read).collect();
        Ok(Self { path, file, members })
    }

    /// The networks that those have open who live, and the number of their bridge.
    pub(super) fn living(&self) -> impl Iterator<Item = (u32, File)> {
        self.members.iter().filter_map(|member| Some((member.number, member.network()?)))
    }

    /// Enters this process, and strikes out the dead.
    pub(super) fn add(&mut self, number: u32, namespace: &File) -> Result<(), BridgeError> {
        let lives = |member: &&Member| member.network().is_some();
        let living: Vec<Member> = self.members.iter().filter(lives).copied().collect();
        let own = self.own(namespace, number)?;
        self.write(living.into_iter().chain([own]).collect())
    }

    /// Strikes this process out.
    pub(super) fn remove_own(&mut self, namespace: &File) -> Result<(), BridgeError> {
        let own = self.own(namespace, 0)?;
        let is_own = |member: &Member| (member.pid, member.descriptor) == (own.pid, own.descriptor);
        self.write(self.members.iter().filter(|member| !is_own(member)).copied().collect())
    }

    fn own(&self, namespace: &File, number: u32) -> Result<Member, BridgeError> {
        let files = |source| BridgeError::Files { path: self.path.clone(), source };
        let inode = namespace.metadata().map_err(files)?.ino();
        Ok(Member { pid: std::process::id(), descriptor: namespace.as_raw_fd(), inode, number })
    }

    fn write(&mut self, members: Vec<Member>) -> Result<(), BridgeError> {
        let text: String = members.iter().map(Member::line).collect();
        let write = || {
            self.file.write_all_at(text.as_bytes(), 0)?;
            self.file.set_len(text.len() as u64)
        };
        write().map_err(|source| BridgeError::Files { path: self.path.clone(), source })?;
        self.members = members;
        Ok(())
    }
}

impl Member {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let member = Self {
            pid: words.next()?.parse().ok()?,
            descriptor: words.next()?.parse().ok()?,
            inode: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(member)
    }

    fn line(&self) -> String {
        format!("{} {} {} {}\n", self.pid, self.descriptor, self.inode, self.number)
    }

    /// Its network, if it lives and has it open. While somebody has, no other network gets that inode.
    fn network(&self) -> Option<File> {
        let file = File::open(format!("/proc/{}/fd/{}", self.pid, self.descriptor)).ok()?;
        (file.metadata().ok()?.ino() == self.inode).then_some(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_reads_back_as_it_was_written() {
        let member = Member { pid: 4711, descriptor: 12, inode: 4_026_533_000, number: 3 };
        assert_eq!(Member::read(member.line().trim_end()), Some(member));
        assert_eq!(Member::read("4711 12 4026533000"), None);
        assert_eq!(Member::read("4711 12 4026533000 3 x"), None);
    }

    #[test]
    fn whoever_has_closed_the_network_does_not_count() {
        let file = File::open("/proc/self/ns/net").unwrap();
        let inode = file.metadata().unwrap().ino();
        let member = Member { pid: std::process::id(), descriptor: file.as_raw_fd(), inode, number: 0 };
        assert!(member.network().is_some());
        assert!(Member { inode: inode + 1, ..member }.network().is_none());
        assert!(Member { pid: u32::MAX, ..member }.network().is_none());
    }
}
