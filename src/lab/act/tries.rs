//! What takes root on a host, tried in a way that harms nobody if it can be done: the same name again, no time, no module.

use std::fs::OpenOptions;

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{
        socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket},
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, chroot, gethostname, sethostname},
};

use super::sys;
use crate::model::{Feat, Found};

/// Tries it, and says what the kernel makes of that.
pub(super) fn attempt(feat: Feat) -> Found {
    let tried = match feat {
        Feat::Chroot => chroot("/").is_ok(),
        Feat::RawSocket => {
            let icmp = SockProtocol::Icmp;
            socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, icmp).is_ok()
        }
        Feat::Mount => {
            let options = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount(Some("tmpfs"), "/tmp", Some("tmpfs"), options, None::<&str>).is_ok()
        }
        Feat::HostName => gethostname().and_then(sethostname).is_ok(),
        Feat::Clock => sys::is_allowed(libc::SYS_settimeofday),
        Feat::Reboot => sys::is_allowed(libc::SYS_reboot),
        Feat::KernelModule => sys::is_allowed(libc::SYS_init_module),
        Feat::KernelLog => sys::is_allowed(libc::SYS_syslog),
        Feat::KernelSetting => OpenOptions::new().write(true).open("/proc/sys/kernel/core_pattern").is_ok(),
        Feat::UserNamespace => in_a_child(|| unshare(CloneFlags::CLONE_NEWUSER).is_ok()),
    };
    if tried { Found::Done } else { Found::Refused }
}

/// What would change this process for good is left to another one.
fn in_a_child(tries: impl FnOnce() -> bool) -> bool {
    match sys::fork() {
        Ok(ForkResult::Child) => std::process::exit(i32::from(!tries())),
        Ok(ForkResult::Parent { child }) => matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0))),
        Err(_) => false,
    }
}
