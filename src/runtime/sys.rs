//! The system calls that no library offers safely: all the `unsafe` of this crate, one small function each.
//!
//! What the child calls between clone3 and execve takes prepared arguments and neither allocates nor takes a lock: the
//! caller may have other threads, and one of them may have held the allocator's lock at the moment of the clone.
#![expect(unsafe_code, reason = "this file exists so that no other one needs it")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the kernel's interface takes one number as int here and as long or unsigned there"
)]

use std::ffi::{CStr, CString};
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockFlag, accept4, recvmsg};
use nix::unistd::Pid;

pub(super) const CLONE_PIDFD: u64 = 0x1000;
pub(super) const CLONE_PARENT: u64 = 0x8000;
pub(super) const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
pub(super) const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

pub(super) const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub(super) const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub(super) const MOUNT_ATTR_NODEV: u64 = 0x4;
pub(super) const MOUNT_ATTR_NOEXEC: u64 = 0x8;
pub(super) const MOUNT_ATTR_NOATIME: u64 = 0x10;
pub(super) const MOUNT_ATTR_STRICTATIME: u64 = 0x20;

const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_SET_FLAG: libc::c_uint = 0;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: libc::c_uint = 0x40;

/// How often a lookup is begun again before it is given up.
const LOOKUPS: u32 = 1000;

pub(super) const RESOLVE_NO_MAGICLINKS: u64 = 0x2;
pub(super) const RESOLVE_NO_SYMLINKS: u64 = 0x4;
pub(super) const RESOLVE_IN_ROOT: u64 = 0x10;

/// Whether a mount call speaks of one mount or also of those beneath it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Single,
    Recursive,
}

impl Depth {
    fn flag(self) -> libc::c_uint {
        match self {
            Self::Single => 0,
            Self::Recursive => AT_RECURSIVE,
        }
    }
}

/// Strings as execve wants them: a list of pointers that ends with a null pointer.
pub(super) struct StringList {
    pointers: Vec<*const libc::c_char>,
    _strings: Vec<CString>,
}

impl StringList {
    pub(super) fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, _strings: strings }
    }
}

/// The three capability sets that capset(2) takes, as bit masks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CapabilitySets {
    pub(super) effective: u64,
    pub(super) permitted: u64,
    pub(super) inheritable: u64,
}

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Makes a child with `flags`, which runs `child` and leaves with the status that it returns.
///
/// `child` must neither allocate, nor take a lock, nor panic.
pub(super) fn clone_child(
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
    child: impl FnOnce() -> i32,
) -> nix::Result<(Pid, OwnedFd)> {
    let mut pidfd: RawFd = -1;
    let mut arguments = CloneArgs {
        flags: flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        pidfd: &raw mut pidfd as u64,
        // A sibling gets the exit signal that its parent has.
        exit_signal: if flags & CLONE_PARENT == 0 { libc::SIGCHLD as u64 } else { 0 },
        ..CloneArgs::default()
    };
    if let Some(directory) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::try_from(directory.as_raw_fd()).map_err(|_| Errno::EBADF)?;
    }
    // SAFETY: without CLONE_VM the child has its own copy of all memory, stack included, so going on from here is what
    // it does after a fork. `arguments` and `pidfd` outlive the call and have the size that is passed.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<CloneArgs>()) };
    let pid = Errno::result(pid)?;
    if pid == 0 {
        let status = child();
        // SAFETY: ends this process at once; nothing of the parent's is flushed or unlocked by the copy.
        unsafe { libc::_exit(status) }
    }
    // SAFETY: the kernel has just stored a new descriptor there, and nobody else knows of it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((Pid::from_raw(i32::try_from(pid).expect("a pid is an i32")), pidfd))
}

/// Makes a child that is a copy of this thread, and leaves with the status that `child` returns. Unlike that of
/// [`clone_child`], it may allocate: the C library frees its allocator's locks in the copy.
pub(super) fn fork_child(child: impl FnOnce() -> i32) -> nix::Result<Pid> {
    // SAFETY: `child` takes no lock but the allocator's, and does not return into the copy of its caller.
    match unsafe { libc::fork() } {
        0 => {
            let status = child();
            // SAFETY: ends this process at once; nothing of the parent's is flushed or unlocked by the copy.
            unsafe { libc::_exit(status) }
        }
        pid => Errno::result(pid).map(Pid::from_raw),
    }
}

/// A descriptor for a process that is no child of ours.
pub(super) fn pidfd_open(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: takes two integers.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    owned(fd)
}

/// Signals the process behind a pidfd, which cannot be another one that got its number.
pub(super) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> nix::Result<()> {
    let no_info = ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed and means what kill(2) sends.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0) };
    Errno::result(sent).map(drop)
}

/// Waits for a child to end: who it was (0 if nobody has ended yet), which way (`CLD_…`), and its code or signal.
pub(super) fn wait_for(kind: libc::idtype_t, id: i32, flags: i32) -> nix::Result<(i32, i32, i32)> {
    let id = libc::id_t::try_from(id).map_err(|_| Errno::EINVAL)?;
    // SAFETY: all zeroes is a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is what this call fills in, and it outlives the call.
    Errno::result(unsafe { libc::waitid(kind, id, &raw mut info, libc::WEXITED | flags) })?;
    // SAFETY: waitid fills in what a SIGCHLD would carry, or leaves zeroes.
    Ok(unsafe { (info.si_pid(), info.si_code, info.si_status()) })
}

/// Sends a message and a descriptor that goes with it.
pub(super) fn send_with_descriptor(
    channel: BorrowedFd<'_>,
    message: &[u8],
    descriptor: BorrowedFd<'_>,
) -> nix::Result<()> {
    /// One control message with one descriptor, as `CMSG_SPACE(4)` measures it on 64-bit machines.
    #[repr(C)]
    struct Control {
        header: libc::cmsghdr,
        descriptor: RawFd,
        padding: u32,
    }
    // SAFETY: all zeroes is valid for both.
    let (mut control, mut header): (Control, libc::msghdr) = unsafe { std::mem::zeroed() };
    control.header.cmsg_level = libc::SOL_SOCKET;
    control.header.cmsg_type = libc::SCM_RIGHTS;
    control.header.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<RawFd>()) as _;
    control.descriptor = descriptor.as_raw_fd();
    let mut part = libc::iovec { iov_base: message.as_ptr().cast_mut().cast(), iov_len: message.len() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<Control>() as _;
    // SAFETY: the header describes `part` and `control`, which outlive the call and are only read.
    Errno::result(unsafe { libc::sendmsg(channel.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) })
        .map(drop)
}

/// Joins the namespace behind a descriptor, or, if it is a process's, those of its namespaces that `kind` lists.
pub(super) fn join_namespace(namespace: BorrowedFd<'_>, kind: i32) -> nix::Result<()> {
    // SAFETY: takes two integers.
    Errno::result(unsafe { libc::setns(namespace.as_raw_fd(), kind) }).map(drop)
}

/// The user namespace that a namespace belongs to.
pub(super) fn owner_of(namespace: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    const NS_GET_USERNS: libc::Ioctl = 0xb701;
    // SAFETY: takes no pointer.
    owned(Errno::result(unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS) })?.into())
}

/// The network namespace that a socket was made in.
pub(super) fn network_of(socket: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    const SIOCGSKNS: libc::Ioctl = 0x894c;
    // SAFETY: takes no pointer.
    owned(Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS) })?.into())
}

/// Lets `target` be another number for `from`; it survives execve.
pub(super) fn place_descriptor(from: RawFd, target: RawFd) -> nix::Result<()> {
    // SAFETY: takes integers; the child owns its whole descriptor table.
    Errno::result(unsafe { libc::dup2(from, target) }).map(drop)
}

/// Lets `target` be another number for `from`; it is closed by execve.
pub(super) fn place_private_descriptor(from: RawFd, target: RawFd) -> nix::Result<()> {
    // SAFETY: as above.
    Errno::result(unsafe { libc::dup3(from, target, libc::O_CLOEXEC) }).map(drop)
}

/// Gives memory that is not in use back to the kernel, where the allocator would keep it.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, and only touches what the allocator knows to be free.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Closes every descriptor from `first` on. Only for a process that has not opened any of them itself yet.
pub fn close_from(first: RawFd) -> nix::Result<()> {
    // SAFETY: takes integers; callers are at their very beginning and own no descriptor from `first` on.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) }).map(drop)
}

/// A descriptor by its number, for the child, which knows what it has put there.
pub(super) fn own_descriptor(number: RawFd) -> OwnedFd {
    // SAFETY: callers pass a number at which they have just placed a descriptor that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Takes in bytes from a socket, and up to three descriptors that come along.
pub fn receive(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    flags: MsgFlags,
) -> nix::Result<(usize, Vec<OwnedFd>)> {
    let mut space = nix::cmsg_space!([RawFd; 3]);
    let mut parts = [IoSliceMut::new(bytes)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            descriptors.extend(numbers.into_iter().map(own_descriptor));
        }
    }
    Ok((message.bytes, descriptors))
}

/// Takes the next client of a listening socket, without waiting.
pub fn accept(listener: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    accept4(listener.as_raw_fd(), flags).map(own_descriptor)
}

/// Sets every disposition to its default. The C library would leave out the two signals that it keeps to itself, and one
/// of them may well have been inherited as ignored.
pub(super) fn reset_dispositions() {
    const MASK_SIZE: usize = 8;
    let default = [0_u64; 4];
    for signal in 1..=64 {
        let none = ptr::null_mut::<libc::c_void>();
        // SAFETY: the kernel's sigaction has the size of `default` on 64-bit machines; all zeroes means SIG_DFL.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, MASK_SIZE) };
    }
}

/// Sets the NIS domain name of the UTS namespace.
pub(super) fn set_domain_name(name: &CStr) -> nix::Result<()> {
    // SAFETY: the pointer and the length describe one string.
    Errno::result(unsafe { libc::setdomainname(name.as_ptr(), name.count_bytes()) }).map(drop)
}

/// Makes standard input the controlling terminal of the session.
pub(super) fn take_terminal() -> nix::Result<()> {
    // SAFETY: this request takes an integer.
    Errno::result(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) }).map(drop)
}

/// Rows and columns of a terminal; none of anything else.
pub fn window_size(terminal: BorrowedFd<'_>) -> Option<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `size` is what this ioctl fills in, and it outlives the call.
    let asked = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (asked == 0).then_some((size.ws_row, size.ws_col))
}

/// Gives a terminal another size; the processes in its foreground are told by SIGWINCH.
pub fn set_window_size(terminal: BorrowedFd<'_>, (rows, columns): (u16, u16)) -> nix::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `size` is what this ioctl reads, and it outlives the call.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }).map(drop)
}

/// Brings the interface `lo` up, through any socket of its network namespace.
pub(super) fn loopback_up(socket: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (target, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *target = *byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: `request` is what this ioctl reads, and it outlives the call.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) })
        .map(drop)
}

/// Copies a mount (and those beneath it) into a tree that hangs nowhere yet.
pub(super) fn open_tree(path: &CStr, depth: Depth) -> nix::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth.flag();
    // SAFETY: `path` is a string that outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    owned(Errno::result(fd)?)
}

/// Makes a file system of a kind, as a tree that hangs nowhere yet. An option has a value or is only a word.
pub(super) fn make_file_system(
    kind: &CStr,
    options: &[(CString, Option<CString>)],
    attributes: u64,
) -> nix::Result<OwnedFd> {
    // SAFETY: `kind` is a string that outlives the call.
    let context = unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) };
    let context = owned(Errno::result(context)?)?;
    let configure = |command: libc::c_uint, key: *const libc::c_char, value: *const libc::c_char| {
        // SAFETY: `key` and `value` are null, or strings that outlive the call.
        let done = unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key, value, 0) };
        Errno::result(done).map(drop)
    };
    for (key, value) in options {
        match value {
            Some(value) => configure(FSCONFIG_SET_STRING, key.as_ptr(), value.as_ptr())?,
            None => configure(FSCONFIG_SET_FLAG, key.as_ptr(), ptr::null())?,
        }
    }
    configure(FSCONFIG_CMD_CREATE, ptr::null(), ptr::null())?;
    // SAFETY: takes integers.
    let tree = unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, attributes) };
    owned(Errno::result(tree)?)
}

/// Copies a mount as [`open_tree`] does, from what a descriptor stands for on.
pub(super) fn open_tree_at(place: BorrowedFd<'_>, depth: Depth) -> nix::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth.flag() | libc::AT_EMPTY_PATH as libc::c_uint;
    // SAFETY: the path is a string.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, place.as_raw_fd(), c"".as_ptr(), flags) };
    owned(Errno::result(fd)?)
}

/// Opens a path beneath the working directory, which is the root of the lookup with [`RESOLVE_IN_ROOT`].
pub(super) fn open_resolved(path: &CStr, flags: libc::c_int, resolve: u64) -> nix::Result<OwnedFd> {
    /// `struct open_how`.
    #[repr(C)]
    struct How {
        flags: u64,
        mode: u64,
        resolve: u64,
    }
    let how = How { flags: (flags | libc::O_CLOEXEC) as u64, mode: 0, resolve };
    // While anything is renamed or mounted on the host, a lookup that goes up says that it cannot be sure.
    let mut tries = 0;
    loop {
        // SAFETY: `path` and `how` outlive the call, and the size passed is that of `how`.
        let fd = unsafe {
            libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), &raw const how, size_of::<How>())
        };
        match Errno::result(fd) {
            Err(Errno::EAGAIN) if tries < LOOKUPS => tries += 1,
            result => return owned(result?),
        }
    }
}

/// Hangs a tree from [`open_tree`] or [`make_file_system`] at the place that a descriptor stands for.
pub(super) fn move_mount(tree: BorrowedFd<'_>, target: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: both paths are strings.
    let moved = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            target.as_raw_fd(),
            c"".as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH,
        )
    };
    Errno::result(moved).map(drop)
}

/// Adds attributes to the mount at `path`.
pub(super) fn restrict_mount(path: &CStr, attributes: u64, depth: Depth) -> nix::Result<()> {
    mount_setattr(libc::AT_FDCWD, path, attributes, depth.flag())
}

/// Adds attributes to a tree from [`open_tree`].
pub(super) fn restrict_tree(tree: BorrowedFd<'_>, attributes: u64, depth: Depth) -> nix::Result<()> {
    mount_setattr(tree.as_raw_fd(), c"", attributes, libc::AT_EMPTY_PATH as libc::c_uint | depth.flag())
}

/// Takes a capability out of the bounding set. A number that the kernel does not know is out of it already.
pub(super) fn drop_from_bounding_set(capability: u32) -> nix::Result<()> {
    // SAFETY: takes integers.
    match Errno::result(unsafe {
        libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0)
    }) {
        Ok(_) | Err(Errno::EINVAL) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Adds a capability to the ambient set, which survives the execve of an ordinary user.
pub(super) fn raise_ambient(capability: u32) -> nix::Result<()> {
    let raise = libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong;
    // SAFETY: takes integers.
    let raised = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, raise, libc::c_ulong::from(capability), 0, 0) };
    Errno::result(raised).map(drop)
}

/// Sets the effective, permitted and inheritable capabilities.
pub(super) fn set_capabilities(sets: CapabilitySets) -> nix::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let low = |mask: u64| (mask & u64::from(u32::MAX)) as u32;
    let high = |mask: u64| (mask >> 32) as u32;
    let header: [u32; 2] = [VERSION_3, 0];
    let data: [u32; 6] = [
        low(sets.effective),
        low(sets.permitted),
        low(sets.inheritable),
        high(sets.effective),
        high(sets.permitted),
        high(sets.inheritable),
    ];
    // SAFETY: the two arrays have the layout of __user_cap_header_struct and of two __user_cap_data_struct.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) }).map(drop)
}

/// Sets the supplementary groups of this task. The C library's call would ask all threads, which do not exist here, to
/// do the same, and wait for them.
pub(super) fn set_groups(groups: &[libc::gid_t]) -> nix::Result<()> {
    // SAFETY: the pointer and the length describe one slice.
    Errno::result(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

/// Sets all three group ids of this task, see [`set_groups`].
pub(super) fn set_group(gid: libc::gid_t) -> nix::Result<()> {
    // SAFETY: takes integers.
    Errno::result(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

/// Sets all three user ids of this task, see [`set_groups`].
pub(super) fn set_user(uid: libc::uid_t) -> nix::Result<()> {
    // SAFETY: takes integers.
    Errno::result(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// Lets the kernel ask `program` about every system call from now on. That takes the capability to administer the system, or
/// the promise to gain no privileges.
pub(super) fn filter_calls(program: &[libc::sock_filter], flags: libc::c_ulong) -> nix::Result<()> {
    let program = libc::sock_fprog {
        len: libc::c_ushort::try_from(program.len()).map_err(|_| Errno::EINVAL)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `program` describes a slice that is only read, and both outlive the call.
    let set =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    Errno::result(set).map(drop)
}

/// Has the process that `command` will start killed when the thread that starts it ends.
pub(super) fn die_with_parent(command: &mut Command) {
    let parent = Pid::this();
    // SAFETY: between fork and exec it makes two system calls, and neither allocates nor takes a lock.
    unsafe { command.pre_exec(move || Ok(die_with(parent)?)) };
}

/// Has this process killed when the thread of `parent` that made it ends. It allocates nothing.
pub(super) fn die_with(parent: Pid) -> nix::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // It may have died before it could be promised.
    if Pid::parent() == parent { Ok(()) } else { Err(Errno::ESRCH) }
}

/// Becomes another program; returns only when that failed.
pub(super) fn execute(path: &CStr, arguments: &StringList, environment: &StringList) -> Errno {
    // SAFETY: both lists end with a null pointer, and their strings live as long as they do.
    unsafe { libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr()) };
    Errno::last()
}

fn mount_setattr(directory: RawFd, path: &CStr, attributes: u64, flags: libc::c_uint) -> nix::Result<()> {
    let change = MountAttributes { set: attributes, clear: 0, propagation: 0, user_namespace: 0 };
    // SAFETY: `path` and `change` outlive the call, and the size passed is that of `change`.
    let set = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            directory,
            path.as_ptr(),
            flags,
            &raw const change,
            size_of::<MountAttributes>(),
        )
    };
    Errno::result(set).map(drop)
}

fn owned(fd: libc::c_long) -> nix::Result<OwnedFd> {
    let fd = RawFd::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just returned this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
