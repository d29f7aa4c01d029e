//! The few system calls that the lab program needs and that exist only as unsafe functions.
#![allow(
    unsafe_code,
    reason = "signal dispositions, fork and an inherited descriptor have no safe interface"
)]

use std::{
    io, mem,
    os::fd::{FromRawFd, OwnedFd, RawFd},
    ptr,
};

use nix::{
    errno::Errno,
    sys::signal::SigSet,
    unistd::{self, ForkResult, Pid},
};

const LAST_SIGNAL: libc::c_int = 64;

/// What is done with a signal instead of its default action.
#[derive(Clone, Copy)]
pub(super) enum Disposition {
    Ignore,
    /// The function must be async-signal-safe: atomics and write(2) at most.
    Handler(extern "C" fn(libc::c_int)),
}

/// Undoes what Rust's runtime and the parent arranged: no handlers, nothing ignored, nothing blocked.
pub(super) fn reset_signals() {
    // The kernel's own sigaction: the default handler, no flags, no restorer, an empty mask. The C library's
    // function refuses signals 32 and 33, which its posix_spawn leaves ignored.
    let default = [0_u64; 4];
    for number in 1..=LAST_SIGNAL {
        // SAFETY: `default` has the size and meaning of that struct; KILL and STOP only refuse.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), ptr::null_mut::<u64>(), 8) };
    }
    let _ = SigSet::empty().thread_set_mask();
    let none = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: `none` is a valid stack_t, and no handler is left that could be running on the old stack.
    unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
}

/// Sets what happens at a signal.
pub(super) fn set_disposition(number: i32, disposition: Disposition) -> io::Result<()> {
    // SAFETY: sigaction is plain data for which all zeros is a value (no flags, empty mask).
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = match disposition {
        Disposition::Ignore => libc::SIG_IGN,
        Disposition::Handler(handler) => handler as libc::sighandler_t,
    };
    action.sa_flags = libc::SA_RESTART;
    // No handler interrupts another, so that of two signals the first is also the first to be noted.
    // SAFETY: the set is a part of `action`, which lives through both calls; handlers do nothing unsafe in one.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    // SAFETY: as above.
    Errno::result(unsafe { libc::sigaction(number, &raw const action, ptr::null_mut()) })?;
    Ok(())
}

/// Forks this process.
pub(super) fn fork() -> nix::Result<ForkResult> {
    // SAFETY: the lab program has one thread, so that the child finds no lock held by another.
    unsafe { unistd::fork() }
}

/// Waits for one of `signals`, which are blocked, and takes it.
pub(super) fn await_signal(signals: &SigSet) -> i32 {
    loop {
        // SAFETY: the set is valid, and where the details would go may be null.
        let signal = unsafe { libc::sigwaitinfo(signals.as_ref(), ptr::null_mut()) };
        if signal > 0 {
            return signal;
        }
    }
}

/// Whether the kernel lets this process make a call that takes root: with nothing that it could work on, it does no more
/// than to look who is asking.
pub(super) fn is_allowed(call: libc::c_long) -> bool {
    // For syslog, 10 asks how large the log is.
    let first = if call == libc::SYS_syslog { 10 } else { 0 };
    // SAFETY: null pointers and zeroes are refused, or mean that nothing is to be done.
    let made = Errno::result(unsafe { libc::syscall(call, first, 0, 0, 0) });
    !matches!(made, Err(Errno::EPERM | Errno::EACCES | Errno::ENOSYS))
}

/// Sends a signal by its number, for those that have no name. To one that is gone, it is not sent.
pub(super) fn send(process: Pid, signal: i32) {
    // SAFETY: takes two integers.
    unsafe { libc::kill(process.as_raw(), signal) };
}

/// Waits for a child that has ended, if there is one: who it was, and its code as shells count it (128 and the signal).
pub(super) fn reap_one() -> Option<(Pid, u8)> {
    let mut status = 0;
    // SAFETY: the status outlives the call.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    let code =
        if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) };
    (pid > 0).then(|| (Pid::from_raw(pid), u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Closes every descriptor but the three standard ones.
pub(super) fn close_all_but_standard() {
    // SAFETY: called in a fresh child, or in its parent, that never touches what it inherited.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}

/// Takes over a descriptor that the parent left open for us, if there is one.
pub(super) fn adopt(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: asking for the flags of a number that is no descriptor only fails.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return None;
    }
    // SAFETY: it is open, and it was handed to us by number: nothing else here owns it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}
