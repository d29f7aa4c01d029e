//! What the attacker does, inside: it tries, and tells of each try whether it was refused.
#![expect(unsafe_code, reason = "an attacker makes system calls that no library offers")]

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::ptrace;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, chroot};

/// Tells the attacker what to try.
pub(crate) const WHICH: &str = "TERRARIUM_ATTACK";

#[test]
fn plays_the_attacker() {
    let Ok(which) = std::env::var(WHICH) else {
        println!("skipped: attacking, nobody asked for it");
        return;
    };
    println!();
    match which.as_str() {
        "calls" => calls(),
        "namespaces" => namespaces(),
        "kernel files" => kernel_files(),
        "devices" => devices(),
        "release agent" => release_agent(),
        "climb" => climb(),
        "descriptors" => descriptors(),
        "mount" => mount_something(),
        "grab" => grab(),
        "where" => whereabouts(),
        other => panic!("{other}"),
    }
}

fn tell(what: &str, tried: Result<(), Errno>) {
    match tried {
        Ok(()) => println!("> {what}: done"),
        Err(errno) => println!("> {what}: refused ({errno:?})"),
    }
}

fn number(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

fn call(number: libc::c_long, arguments: [usize; 4]) -> Result<(), Errno> {
    let [a, b, c, d] = arguments;
    // SAFETY: the kernel checks what it is given; null pointers are what these calls refuse last.
    Errno::result(unsafe { libc::syscall(number, a, b, c, d) }).map(drop)
}

/// Calls that reach what no namespace closes off.
fn calls() {
    let null = [0; 4];
    // Search the session's keyring; a filter says EPERM where the kernel would say that nothing was found.
    for (what, number, arguments) in [
        ("keyctl", libc::SYS_keyctl, [0, usize::MAX - 2, 0, 0]),
        ("add_key", libc::SYS_add_key, null),
        ("request_key", libc::SYS_request_key, null),
        ("bpf", libc::SYS_bpf, null),
        ("userfaultfd", libc::SYS_userfaultfd, null),
        ("io_uring_setup", libc::SYS_io_uring_setup, null),
        ("perf_event_open", libc::SYS_perf_event_open, null),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, null),
        ("init_module", libc::SYS_init_module, null),
        ("kexec_load", libc::SYS_kexec_load, null),
        ("reboot", libc::SYS_reboot, null),
        ("settimeofday", libc::SYS_settimeofday, null),
        ("syslog", libc::SYS_syslog, [10, 0, 0, 0]),
        ("move_mount", libc::SYS_move_mount, null),
        ("open_tree", libc::SYS_open_tree, null),
        ("fsopen", libc::SYS_fsopen, null),
        ("kernel cryptography", libc::SYS_socket, [38, 5, 0, 0]),
        ("host's sockets", libc::SYS_socket, [40, 1, 0, 0]),
        ("host's sockets, number dressed up", libc::SYS_socket, [(1 << 32) + 40, 1, 0, 0]),
    ] {
        tell(
            what,
            call(number, arguments)
                .map_err(|errno| if errno == Errno::EPERM { errno } else { Errno::UnknownErrno }),
        );
    }
}

/// A user namespace of one's own has all capabilities, and much of the kernel to reach with them.
fn namespaces() {
    for (what, flags) in [
        ("user namespace", CloneFlags::CLONE_NEWUSER),
        ("mount namespace", CloneFlags::CLONE_NEWNS),
        ("cgroup namespace", CloneFlags::CLONE_NEWCGROUP),
    ] {
        tell(what, unshare(flags));
    }
    let flags = (libc::CLONE_NEWUSER | libc::SIGCHLD).unsigned_abs() as usize;
    tell("clone with a user namespace", call(libc::SYS_clone, [flags, 0, 0, 0]));
    tell("clone3", call(libc::SYS_clone3, [0; 4]));
    let other = File::open("/proc/self/ns/mnt").unwrap();
    tell("setns", nix::sched::setns(other, CloneFlags::CLONE_NEWNS));
}

/// What of /proc and /sys reads or changes the host.
fn kernel_files() {
    for path in [
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/panic_on_oom",
        "/proc/irq/default_smp_affinity",
        "/sys/kernel/uevent_helper",
        "/sys/power/state",
        "/sys/fs/cgroup/cgroup.procs",
    ] {
        // Opening is enough to know; nothing is written, for the host's sake.
        let opened = OpenOptions::new().write(true).open(path);
        tell(path, opened.map(drop).map_err(|error| number(&error)));
    }
    for path in [
        "/proc/kcore",
        "/proc/keys",
        "/proc/timer_list",
        "/proc/latency_stats",
        "/sys/firmware",
        "/proc/acpi",
    ] {
        let something = match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some())
            }
            Ok(_) => {
                io::Read::read(&mut File::open(path).unwrap(), &mut [0; 64]).is_ok_and(|length| length > 0)
            }
            Err(_) => false,
        };
        tell(path, if something { Ok(()) } else { Err(Errno::ENODATA) });
    }
    let remount = MsFlags::MS_REMOUNT | MsFlags::MS_BIND;
    tell("remount /sys", mount(None::<&str>, "/sys", None::<&str>, remount, None::<&str>));
    tell("unmount a mask", nix::mount::umount("/proc/kcore"));
}

/// The kernel's log, which is everywhere and does no harm.
fn devices() {
    for directory in ["/", "/dev", "/dev/shm", "/volume"] {
        let path = Path::new(directory).join("log-of-the-kernel");
        let made = mknod(&path, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 11));
        let opened = made.and_then(|()| File::open(&path).map(drop).map_err(|error| number(&error)));
        tell(&format!("a device in {directory}"), opened);
    }
    let change = fs::set_permissions("/dev/null", std::os::unix::fs::PermissionsExt::from_mode(0o600));
    tell("the host's /dev/null", change.map_err(|error| number(&error)));
}

/// A program of the container's that the host runs when a v1 cgroup is empty.
fn release_agent() {
    fs::create_dir_all("/tmp/cgroup").unwrap();
    for options in ["memory", "rdma", "devices"] {
        let mounted = mount(Some("cgroup"), "/tmp/cgroup", Some("cgroup"), MsFlags::empty(), Some(options));
        tell(&format!("mount the hierarchy of {options}"), mounted);
    }
    tell("a user namespace to do it in", unshare(CloneFlags::CLONE_NEWUSER));
    for path in ["/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/release_agent"] {
        let written = OpenOptions::new().write(true).open(path);
        tell(path, written.map(drop).map_err(|error| number(&error)));
    }
}

/// Out of a chroot by another chroot, and up.
fn climb() {
    let before = fs::metadata("/").unwrap();
    fs::create_dir_all("/tmp/deeper").unwrap();
    chroot("/tmp/deeper").unwrap();
    for _ in 0..64 {
        chdir("..").unwrap();
    }
    chroot(".").unwrap();
    let after = fs::metadata("/").unwrap();
    let out = (before.dev(), before.ino()) != (after.dev(), after.ino());
    tell("climb above the root", if out { Ok(()) } else { Err(Errno::EXDEV) });
}

/// Whether one of its descriptors, or of its neighbours', leads to a directory of the host's.
fn descriptors() {
    // The attacker itself is just reading /proc.
    let own = ["/", "/proc"].map(|path| fs::metadata(path).unwrap().dev());
    let marker = std::env::var("TERRARIUM_MARKER").unwrap_or_default();
    let mut leads = Vec::new();
    for process in processes() {
        for entry in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            let found = fs::metadata(entry.path());
            let is_directory =
                found.as_ref().is_ok_and(|found| found.is_dir() && !own.contains(&found.dev()));
            if is_directory && (fs::metadata(entry.path().join(&marker)).is_ok() || marker.is_empty()) {
                leads.push(entry.path());
            }
        }
        let above = process.join("cwd/../../../..").join(&marker);
        if !marker.is_empty() && fs::metadata(&above).is_ok() {
            leads.push(above);
        }
    }
    tell(&format!("a way to the host {leads:?}"), if leads.is_empty() { Err(Errno::ENOENT) } else { Ok(()) });
}

fn mount_something() {
    fs::create_dir_all("/volume/inner").unwrap();
    let mounted = mount(Some("tmpfs"), "/volume/inner", Some("tmpfs"), MsFlags::empty(), None::<&str>);
    let written = mounted.and_then(|()| fs::write("/volume/inner/here", "x").map_err(|error| number(&error)));
    tell("mount in the volume", written);
}

/// Goes for whoever joins: its program file, its memory, its very execution. What has become a program of the container's by
/// then is anybody's to look at, so what counts is whether the program that is had is one from outside.
fn grab() {
    let deadline = Instant::now() + Duration::from_secs(30);
    let (mut seen, mut grabbed) = (BTreeSet::new(), Vec::new());
    println!("> ready: refused");
    while !Path::new("/tmp/enough").exists() && Instant::now() < deadline {
        // Whoever is traced has to be waited for by the one who traces.
        let all = Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL);
        while matches!(waitpid(None, all), Ok(status) if status != WaitStatus::StillAlive) {}
        for process in processes() {
            let pid: i32 = process.file_name().unwrap().to_string_lossy().parse().unwrap();
            if pid == 1 || !seen.insert(pid) && is_from_inside(&process) {
                continue;
            }
            let is_from_outside = || File::open(process.join("exe")).is_ok_and(|program| !is_ours(&program));
            if is_from_outside() {
                grabbed.push(format!("program of {pid}"));
            }
            let memory = OpenOptions::new().read(true).write(true).open(process.join("mem"));
            if memory.is_ok() && is_from_outside() {
                grabbed.push(format!("memory of {pid}"));
            }
            if ptrace::seize(Pid::from_raw(pid), ptrace::Options::empty()).is_ok() && is_from_outside() {
                grabbed.push(format!("execution of {pid}"));
            }
        }
    }
    println!("> saw {} who joined: refused", seen.len());
    tell(&format!("grab {grabbed:?}"), if grabbed.is_empty() { Err(Errno::EACCES) } else { Ok(()) });
}

fn is_from_inside(process: &Path) -> bool {
    File::open(process.join("exe")).is_ok_and(|program| is_ours(&program))
}

/// Whether a program is one of the image's. The keeper's is the file that the attacker's is, but for the mount it is seen by.
fn is_ours(program: &File) -> bool {
    program.metadata().unwrap().dev() == fs::metadata("/bin/true").unwrap().dev()
}

fn whereabouts() {
    println!(
        "> here: refused, {}",
        std::env::current_dir().map_or_else(|_| "nowhere".into(), |path| path.display().to_string())
    );
}

fn processes() -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    entries
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().parse::<i32>().is_ok()))
        .collect()
}
