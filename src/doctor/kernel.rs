//! What the kernel was built with, and what a distribution has switched off.

use std::path::Path;

use nix::sys::utsname::uname;
use nix::unistd::geteuid;

use super::{Finding, Verdict, read};
use crate::runtime::{Isolation, probe};

/// What `clone3`, `mount_setattr` and `openat2` need.
const OLDEST: (u32, u32) = (5, 12);

pub(super) fn release() -> Finding {
    let release = uname().map(|names| names.release().to_string_lossy().into_owned()).unwrap_or_default();
    let mut parts = release.split(|letter: char| !letter.is_ascii_digit()).map(str::parse);
    let version =
        (parts.next().and_then(Result::ok).unwrap_or(0), parts.next().and_then(Result::ok).unwrap_or(0));
    let found = format!("Linux {release}");
    if version >= OLDEST {
        return Finding::works("kernel", found);
    }
    let lost = "containers on the kernel; the simulator needs none";
    Finding::lacks("kernel", Verdict::Missing, found, lost, "boot Linux 5.12 or newer")
}

pub(super) fn namespaces() -> Finding {
    let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
    let (there, missing): (Vec<&str>, Vec<&str>) =
        kinds.iter().partition(|kind| Path::new("/proc/self/ns").join(kind).exists());
    if missing.is_empty() {
        return Finding::works("namespaces", there.join(" "));
    }
    let found = format!("no {}", missing.join(" "));
    let verdict =
        if missing == ["user"] && geteuid().is_root() { Verdict::Limited } else { Verdict::Missing };
    let remedy = "use a kernel with CONFIG_NAMESPACES and the kinds beneath it";
    Finding::lacks("namespaces", verdict, found, "containers that are closed off in these respects", remedy)
}

/// The whole set-up once, in a container that is thrown away: some hosts allow the namespaces and deny the mounts.
pub(super) fn containers(scratch: &Path) -> Finding {
    let isolation = if geteuid().is_root() { Isolation::Root } else { Isolation::Rootless };
    let whose = match isolation {
        Isolation::Root => "as root",
        Isolation::Rootless => "without root",
    };
    match probe(isolation, scratch, format!("terrarium-doctor-{}", std::process::id()).into()) {
        Ok(made) => {
            let found = format!("{whose}, with {} namespaces and {} mounts", made.namespaces, made.mounts);
            Finding::works("containers", found)
        }
        Err(error) => {
            let remedy = "look at the advice in the brackets, and at the other lines here";
            Finding::lacks(
                "containers",
                Verdict::Missing,
                format!("none {whose}: {error}"),
                "life on the kernel; the simulator goes on",
                remedy,
            )
        }
    }
}

pub(super) fn overlay() -> Finding {
    let listed = read("/proc/filesystems").unwrap_or_default();
    if listed.lines().any(|line| line.split_whitespace().last() == Some("overlay")) {
        return Finding::works("overlay", "overlayfs is there");
    }
    let lost = "layers that containers share";
    Finding::lacks("overlay", Verdict::Missing, "no overlayfs", lost, "modprobe overlay")
}

pub(super) fn call_filters() -> Finding {
    match read("/proc/sys/kernel/seccomp/actions_avail") {
        Some(actions) => Finding::works("seccomp", format!("filters that can say {actions}")),
        None => Finding::lacks(
            "seccomp",
            Verdict::Limited,
            "no filters of system calls",
            "every container that is not started with --security-opt seccomp=unconfined",
            "use a kernel with CONFIG_SECCOMP_FILTER",
        ),
    }
}

/// What distributions switch off to protect themselves from their own users.
pub(super) fn user_namespaces() -> Finding {
    const TOPIC: &str = "user namespaces";
    let number = |path: &str| read(path).and_then(|text| text.parse::<i64>().ok());
    let switches = [
        (
            "/proc/sys/user/max_user_namespaces",
            "user.max_user_namespaces",
            0,
            "sysctl user.max_user_namespaces=15000",
        ),
        (
            "/proc/sys/kernel/unprivileged_userns_clone",
            "kernel.unprivileged_userns_clone",
            0,
            "sysctl kernel.unprivileged_userns_clone=1",
        ),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "kernel.apparmor_restrict_unprivileged_userns",
            1,
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give the program an AppArmor profile that allows userns",
        ),
    ];
    let off = switches.iter().find(|(path, _, off, _)| number(path) == Some(*off));
    match off {
        None => Finding::works(TOPIC, "ordinary users may make them"),
        Some((_, name, value, remedy)) => {
            let verdict = if geteuid().is_root() { Verdict::Limited } else { Verdict::Missing };
            Finding::lacks(
                TOPIC,
                verdict,
                format!("{name} is {value}"),
                "containers of ordinary users",
                *remedy,
            )
        }
    }
}

pub(super) fn systemd() -> Finding {
    let runs = Path::new("/run/systemd/system").is_dir();
    if geteuid().is_root() {
        return Finding::works("systemd", if runs { "runs" } else { "does not run, and root needs none" });
    }
    if !runs {
        let lost = "a way for ordinary users to be handed a cgroup, and so their limits and their freezer";
        return Finding::lacks(
            "systemd",
            Verdict::Limited,
            "does not run",
            lost,
            "run as root, or have root hand a cgroup to you",
        );
    }
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        let remedy = "log in by a session of its own: machinectl shell, ssh, or loginctl enable-linger";
        return Finding::lacks(
            "systemd",
            Verdict::Limited,
            "runs, and this is no session of it",
            "systemd-run --user",
            remedy,
        );
    }
    Finding::works("systemd", "runs: systemd-run --user --scope -p Delegate=yes hands you a cgroup")
}
