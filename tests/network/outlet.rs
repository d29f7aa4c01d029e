//! The way out of an ordinary user's container, to a world that is a network namespace. Root arranges it, and a user lives it.

use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::bridge::{Resident, on_a_host_of_its_own, run};
use crate::stage::{SOON, eventually, while_writing_programs};

const USER: u32 = 65_534;
const WORLD: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// What a user has here: a directory, the program, and one of the programs that carry.
struct Home {
    directory: tempfile::TempDir,
    program: PathBuf,
}

impl Home {
    fn with(carrier: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let program = directory.path().join("terrarium");
        while_writing_programs(|| fs::copy(env!("CARGO_BIN_EXE_terrarium"), &program)).unwrap();
        fs::create_dir(directory.path().join("bin")).unwrap();
        symlink(carrier, directory.path().join("bin").join(carrier.file_name().unwrap())).unwrap();
        let home = directory.path().join("home");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(USER), Some(USER)).unwrap();
        Self { directory, program }
    }

    /// Runs the program as a user who may open /dev/net/tun, as on most hosts.
    fn terrarium(&self, words: &str) -> Output {
        let (home, bin) = (self.directory.path().join("home"), self.directory.path().join("bin"));
        let tun = self.directory.path().join("tun");
        let script = format!(
            "[ -e {tun} ] || mknod -m 0666 {tun} c 10 200 && mount --bind {tun} /dev/net/tun || exit 77
             exec setpriv --reuid {USER} --regid {USER} --clear-groups env -i HOME={home} PATH={bin} \
             {program} --root {home}/root {words}",
            tun = tun.display(),
            home = home.display(),
            bin = bin.display(),
            program = self.program.display(),
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]).output().unwrap()
    }

    fn done(&self, words: &str) -> String {
        let output = self.terrarium(words);
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Those of the carriers here that run for this home's containers; they can be told by what they lead out of.
    fn carriers(&self, inmate: &str) -> usize {
        let leads_out = |path: PathBuf| {
            let words = fs::read(path.join("cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words);
            words.starts_with(&*self.directory.path().to_string_lossy()) && words.contains(inmate)
        };
        fs::read_dir("/proc").unwrap().flatten().filter(|entry| leads_out(entry.path())).count()
    }
}

/// Opens a connection from the network of a process.
fn connect_from(pid: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
    let network = File::open(format!("/proc/{pid}/ns/net")).unwrap();
    let visit = move || {
        setns(network, CloneFlags::CLONE_NEWNET).unwrap();
        TcpStream::connect_timeout(&to, SOON)
    };
    thread::spawn(visit).join().unwrap()
}

fn found(carrier: &str) -> Option<PathBuf> {
    let path = ["/usr/bin", "/usr/local/bin", "/bin"].map(|directory| Path::new(directory).join(carrier));
    let found = path.into_iter().find(|program| program.exists());
    if found.is_none() {
        println!("skipped: a user's way out by {carrier}, which is not installed");
    }
    found
}

fn gets_out_by(carrier: &'static str) {
    let Some(program) = found(carrier) else { return };
    on_a_host_of_its_own(move || {
        let home = Home::with(&program);
        let place = tempfile::tempdir().unwrap();
        let world = Resident::new(place.path(), "world");
        run(&format!("ip link add out type veth peer name in netns {}", world.pid()));
        run("ip addr add 192.0.2.1/24 dev out && ip link set out up");
        world.inside(|| run("ip link set lo up && ip addr add 192.0.2.2/24 dev in && ip link set in up"));
        run("ip route add default via 192.0.2.2");
        let listener = world.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).unwrap());
        thread::spawn(move || {
            for client in listener.incoming() {
                let _ = client.and_then(|mut client| client.write_all(b"the world"));
            }
        });

        let said = home.terrarium("doctor");
        if said.status.code() == Some(77) {
            return println!("skipped: a user's way out, this host lets no /dev/net/tun be made");
        }
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains(&format!("{carrier} carries packets")), "{said}");
        let begun = home.terrarium("run -d --name web lab");
        let complaint = String::from_utf8_lossy(&begun.stderr);
        if complaint.contains("cannot make namespaces") || complaint.contains("operation not permitted") {
            return println!("skipped: a user's way out, {}", complaint.trim());
        }
        assert!(begun.status.success(), "{complaint}");
        let pid = home.done("inspect -f {{.State.Pid}} web");
        let mut heard = String::new();
        let mut stream = connect_from(&pid, (WORLD, 80).into()).unwrap();
        stream.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "the world");
        // What the host keeps to itself stays there.
        let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let gateway = (Ipv4Addr::new(10, 0, 2, 2), own.local_addr().unwrap().port());
        connect_from(&pid, gateway.into()).unwrap_err();
        assert_eq!(home.carriers(&pid), 1);
        home.done("stop -t 0 web");
        assert_eq!(home.carriers(&pid), 0, "it goes with the container");

        home.done("start web");
        let pid = home.done("inspect -f {{.State.Pid}} web");
        let keeper = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let keeper: i32 = keeper.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(keeper), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        eventually("it goes with the keeper", || home.carriers(&pid) == 0);
        home.done("rm web");
    });
}

#[test]
fn a_users_container_gets_out_by_pasta() {
    gets_out_by("pasta");
}

#[test]
fn a_users_container_gets_out_by_slirp4netns() {
    gets_out_by("slirp4netns");
}
