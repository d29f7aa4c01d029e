//! One prepared operation of the set-up. The parent builds it, the child performs it: without allocating, without taking
//! a lock, and without a panic (see `sys`).

use std::ffi::CString;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::stat::{Mode, SFlag, mkdirat, mknodat, umask};
use nix::unistd::{chdir, fchdir, pivot_root, read, sethostname, setsid, symlinkat, write};

use super::inside::{self, Place, Trust};
use super::seccomp::Filter;
use super::sockets;
use super::steps::Step;
use super::sys::{self, CapabilitySets, Depth};

/// An operation, the step that it belongs to, and what it works on, for the error.
pub(super) struct Operation {
    pub(super) step: Step,
    pub(super) subject: String,
    pub(super) action: Action,
}

/// A file system's own options: words, some with a value.
pub(super) type MountOptions = Vec<(CString, Option<CString>)>;

/// What is done.
pub(super) enum Action {
    DieWithParent,
    HideMemory,
    ShowMemory,
    Join { namespace: OwnedFd, kind: i32 },
    PlaceDescriptors,
    ResetSignals,
    AwaitKeeper,
    BeginSession,
    TakeTerminal,
    SetFileModeMask(Mode),
    UnshareCgroup,
    SetHostName(CString),
    SetDomainName(CString),
    LoopbackUp,
    AddAddress(Ipv4Addr),
    MakeMountsPrivate,
    TakeTree { tree: usize, source: CString, depth: Depth, attributes: u64 },
    MakeTree { tree: usize, kind: CString, options: MountOptions, attributes: u64, instead: Option<CString> },
    BindRoot { root: CString, attributes: u64 },
    Overlay { base: CString, target: CString, data: CString, attributes: u64 },
    Pivot(CString),
    LeaveOldRoot,
    MakeDirectory(Place),
    MakeFile(Place),
    Attach { tree: usize, target: CString, trust: Trust },
    Device { place: Place, kind: SFlag, mode: Mode, number: libc::dev_t },
    Link { place: Place, target: CString },
    WriteSetting { path: CString, content: Vec<u8> },
    Mask { path: CString, empty: MountOptions },
    Protect(CString),
    ProtectRoot,
    ChangeDirectory(CString),
    Limit { resource: Resource, soft: u64, hard: u64 },
    DropFromBoundingSet(u32),
    KeepCapabilities,
    SetGroups(Vec<libc::gid_t>),
    SetGroup(libc::gid_t),
    SetUser(libc::uid_t),
    SetCapabilities(CapabilitySets),
    RaiseAmbient(u32),
    NoNewPrivileges,
    FilterCalls(Filter),
}

/// What the operations work with: the child's own things, all prepared by the parent.
pub(super) struct Belongings {
    /// The way to the keeper.
    pub(super) channel: OwnedFd,
    /// What becomes 0, 1, 2 and so on. All numbers are higher than the last of those and than the channel's place.
    pub(super) descriptors: Vec<OwnedFd>,
    /// Room for mount trees between taking and attaching.
    pub(super) trees: Vec<Option<OwnedFd>>,
}

impl Belongings {
    /// Where the channel goes: right behind the container's own descriptors.
    fn channel_place(&self) -> RawFd {
        RawFd::try_from(self.descriptors.len()).unwrap_or(RawFd::MAX)
    }

    fn place(&mut self) -> nix::Result<()> {
        for (target, from) in (0..).zip(&self.descriptors) {
            sys::place_descriptor(from.as_raw_fd(), target)?;
        }
        let place = self.channel_place();
        sys::place_private_descriptor(self.channel.as_raw_fd(), place)?;
        // The old numbers are about to be closed in one go: nobody may close them once more.
        std::mem::forget(std::mem::replace(&mut self.channel, sys::own_descriptor(place)));
        sys::close_from(place + 1)
    }

    /// Waits for a word of the keeper's. None comes from one that is gone.
    pub(super) fn hear(&self) -> nix::Result<u8> {
        let mut word = [0];
        loop {
            // Not recv(2), which a container's own filter may well forbid.
            match read(&self.channel, &mut word) {
                Ok(0) => return Err(Errno::EPIPE),
                Ok(_) => return Ok(word[0]),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    fn keep(&mut self, tree: usize, taken: OwnedFd) -> nix::Result<()> {
        *self.trees.get_mut(tree).ok_or(Errno::EBADF)? = Some(taken);
        Ok(())
    }

    fn attach(&mut self, tree: usize, target: &CString, trust: Trust) -> nix::Result<()> {
        let tree = self.trees.get_mut(tree).and_then(Option::take).ok_or(Errno::EBADF)?;
        let target = inside::mount_point(target, trust)?;
        sys::move_mount(tree.as_fd(), target.as_fd())
    }
}

impl Action {
    pub(super) fn perform(&self, own: &mut Belongings) -> nix::Result<()> {
        match self {
            Self::DieWithParent => nix::sys::prctl::set_pdeathsig(Signal::SIGKILL),
            Self::HideMemory => nix::sys::prctl::set_dumpable(false),
            Self::ShowMemory => nix::sys::prctl::set_dumpable(true),
            Self::Join { namespace, kind } => sys::join_namespace(namespace.as_fd(), *kind),
            Self::PlaceDescriptors => own.place(),
            Self::ResetSignals => {
                sys::reset_dispositions();
                sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
            }
            Self::AwaitKeeper => own.hear().map(drop),
            Self::BeginSession => setsid().map(drop),
            Self::TakeTerminal => sys::take_terminal(),
            Self::SetFileModeMask(mask) => {
                umask(*mask);
                Ok(())
            }
            Self::UnshareCgroup => unshare(CloneFlags::CLONE_NEWCGROUP),
            Self::SetHostName(name) => sethostname(os_str(name)),
            Self::SetDomainName(name) => sys::set_domain_name(name),
            Self::LoopbackUp => {
                let any = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
                sys::loopback_up(any.as_fd())
            }
            Self::AddAddress(address) => sockets::add_address(*address),
            Self::MakeMountsPrivate => change_mount(c"/", MsFlags::MS_REC | MsFlags::MS_PRIVATE),
            Self::TakeTree { tree, source, depth, attributes } => {
                own.keep(*tree, take_tree(source, *depth, *attributes)?)
            }
            Self::MakeTree { tree, kind, options, attributes, instead } => {
                let made = match (sys::make_file_system(kind, options, *attributes), instead) {
                    (Err(Errno::EPERM), Some(source)) => take_tree(source, Depth::Recursive, *attributes),
                    (result, _) => result,
                };
                own.keep(*tree, made?)
            }
            Self::BindRoot { root, attributes } => {
                bind(root, root, MsFlags::MS_REC)?;
                sys::restrict_mount(root, *attributes, Depth::Single)
            }
            Self::Overlay { base, target, data, attributes } => {
                chdir(base.as_c_str())?;
                let overlay = Some(c"overlay");
                mount(overlay, target.as_c_str(), overlay, MsFlags::empty(), Some(data.as_c_str()))?;
                sys::restrict_mount(target, *attributes, Depth::Single)
            }
            Self::Pivot(root) => {
                chdir(root.as_c_str())?;
                // The old root ends up on top of the new one: no directory for it is needed. Until it is gone, `/..` of an
                // image's symbolic link leads into it, so nothing is looked up before.
                pivot_root(c".", c".")
            }
            Self::LeaveOldRoot => umount2(c".", MntFlags::MNT_DETACH).and_then(|()| chdir(c"/")),
            Self::MakeDirectory(place) => {
                let directory = inside::directory(&place.directory)?;
                there(mkdirat(directory, place.name.as_c_str(), Mode::from_bits_retain(0o755)))
            }
            Self::MakeFile(place) => {
                let mode = Mode::from_bits_retain(0o644);
                let directory = inside::directory(&place.directory)?;
                there(mknodat(directory, place.name.as_c_str(), SFlag::S_IFREG, mode, 0))
            }
            Self::Attach { tree, target, trust } => own.attach(*tree, target, *trust),
            Self::Device { place, kind, mode, number } => {
                let directory = inside::directory(&place.directory)?;
                there(mknodat(directory, place.name.as_c_str(), *kind, *mode, *number))
            }
            Self::Link { place, target } => {
                let directory = inside::directory(&place.directory)?;
                there(symlinkat(target.as_c_str(), directory, place.name.as_c_str()))
            }
            Self::WriteSetting { path, content } => write(inside::kernel_setting(path)?, content).map(drop),
            Self::Mask { path, empty } => missing_is_fine(mask(path, empty)),
            Self::Protect(path) => missing_is_fine(protect(path)),
            Self::ProtectRoot => sys::restrict_mount(c"/", sys::MOUNT_ATTR_RDONLY, Depth::Single),
            Self::ChangeDirectory(path) => fchdir(inside::directory(path)?),
            Self::Limit { resource, soft, hard } => setrlimit(*resource, *soft, *hard),
            Self::DropFromBoundingSet(capability) => sys::drop_from_bounding_set(*capability),
            Self::KeepCapabilities => nix::sys::prctl::set_keepcaps(true),
            Self::SetGroups(groups) => sys::set_groups(groups),
            Self::SetGroup(gid) => sys::set_group(*gid),
            Self::SetUser(uid) => sys::set_user(*uid),
            Self::SetCapabilities(sets) => sys::set_capabilities(*sets),
            Self::RaiseAmbient(capability) => sys::raise_ambient(*capability),
            Self::NoNewPrivileges => nix::sys::prctl::set_no_new_privs(),
            Self::FilterCalls(filter) => sys::filter_calls(&filter.program, filter.flags),
        }
    }
}

fn take_tree(source: &CString, depth: Depth, attributes: u64) -> nix::Result<OwnedFd> {
    let tree = sys::open_tree(source, depth)?;
    if attributes != 0 {
        sys::restrict_tree(tree.as_fd(), attributes, depth)?;
    }
    Ok(tree)
}

fn change_mount(path: &std::ffi::CStr, flags: MsFlags) -> nix::Result<()> {
    mount(None::<&std::ffi::CStr>, path, None::<&std::ffi::CStr>, flags, None::<&std::ffi::CStr>)
}

fn bind(source: &std::ffi::CStr, target: &std::ffi::CStr, depth: MsFlags) -> nix::Result<()> {
    let none = None::<&std::ffi::CStr>;
    mount(Some(source), target, none, MsFlags::MS_BIND | depth, none)
}

/// Hides a file behind the null device, and a directory behind an empty one that nobody can write to.
fn mask(path: &CString, empty: &MountOptions) -> nix::Result<()> {
    let place = inside::mount_point(path, Trust::Kernel)?;
    let cover = if inside::is_directory(&place)? {
        sys::make_file_system(c"tmpfs", empty, sys::MOUNT_ATTR_RDONLY)?
    } else {
        sys::open_tree_at(inside::null_device()?.as_fd(), Depth::Single)?
    };
    sys::move_mount(cover.as_fd(), place.as_fd())
}

/// Puts a copy of itself over it that nobody can write to.
fn protect(path: &CString) -> nix::Result<()> {
    let place = inside::mount_point(path, Trust::Kernel)?;
    let copy = sys::open_tree_at(place.as_fd(), Depth::Recursive)?;
    sys::restrict_tree(copy.as_fd(), sys::MOUNT_ATTR_RDONLY, Depth::Recursive)?;
    sys::move_mount(copy.as_fd(), place.as_fd())
}

fn missing_is_fine(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::ENOENT) => Ok(()),
        result => result,
    }
}

/// What was to be made and exists already is as good.
fn there(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::EEXIST) => Ok(()),
        result => result,
    }
}

fn os_str(text: &CString) -> &std::ffi::OsStr {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(text.as_bytes())
}
