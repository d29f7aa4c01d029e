//! The bridge, on a host of the test's own: a network namespace that nobody else is in. Only root can make one.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::geteuid;
use terrarium::network::{Bridge, Etc, clear_leftovers, leftovers};
use terrarium::runtime::Isolation;

use crate::stage::{SOON, eventually};

/// A process in a network of its own, with the files that tell of it.
pub(crate) struct Resident {
    process: Child,
    etc: Etc,
}

impl Resident {
    pub(crate) fn new(place: &std::path::Path, name: &str) -> Self {
        let mut process = Command::new("unshare");
        process.args(["--net", "sh", "-c", "echo here; exec sleep 1000"]).stdout(Stdio::piped());
        let mut process = process.spawn().unwrap();
        process.stdout.take().unwrap().read_exact(&mut [0; 5]).unwrap();
        let etc = Etc::write(place.join(name), name, None).unwrap();
        Self { process, etc }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.process.id().cast_signed()
    }

    /// Does something in its network.
    pub(crate) fn inside<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.pid())).unwrap();
        let visit = move || {
            setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            act()
        };
        thread::spawn(visit).join().unwrap()
    }

    fn hosts(&self) -> String {
        fs::read_to_string(self.etc.hosts()).unwrap()
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Lives through something on a host of its own, whose loopback interface is up.
pub(crate) fn on_a_host_of_its_own(act: impl FnOnce() + Send + 'static) {
    if !geteuid().is_root() {
        println!("skipped: the bridge, which only root can make");
        return;
    }
    if Command::new("ip").arg("-V").output().is_err() {
        println!("skipped: the bridge, for want of ip (iproute2)");
        return;
    }
    let live = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        run("ip link set lo up");
        act();
    };
    thread::spawn(live).join().unwrap();
}

pub(crate) fn run(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn links() -> String {
    run("ip -o link").lines().filter(|line| line.contains("terrarium")).collect()
}

fn converse(server: &Resident, client: &Resident, address: Ipv4Addr) {
    let listener = server.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).unwrap());
    let answer = thread::spawn(move || listener.accept().unwrap().0.write_all(b"hello").unwrap());
    let heard = client.inside(move || {
        let mut stream = TcpStream::connect_timeout(&(address, 80).into(), SOON).unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        heard
    });
    answer.join().unwrap();
    assert_eq!(heard, "hello");
}

#[test]
fn containers_reach_each_other_even_where_the_host_forwards_nothing() {
    on_a_host_of_its_own(|| {
        let place = tempfile::tempdir().unwrap();
        if Command::new("nft").arg("-v").output().is_ok() {
            run(
                "nft 'add table ip f; add chain ip f c { type filter hook forward priority 0; policy drop; }'",
            );
        }
        let mut bridge = Bridge::open(&place.path().join("network"), Isolation::Root).unwrap();
        let (web, db) = (Resident::new(place.path(), "web"), Resident::new(place.path(), "db"));
        let first = bridge.attach(web.pid(), &web.etc, "web", "web").unwrap();
        let second = bridge.attach(db.pid(), &db.etc, "db", "inner").unwrap();
        assert_eq!([&first, &second].map(|port| port.address().to_string()), ["10.80.0.2", "10.80.0.3"]);
        converse(&web, &db, first.address());
        converse(&db, &web, second.address());
        // And the host reaches them.
        let listener = web.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 81)).unwrap());
        TcpStream::connect_timeout(&(first.address(), 81).into(), SOON).unwrap();
        drop(listener);
    });
}

#[test]
fn names_come_and_go_with_their_containers() {
    on_a_host_of_its_own(|| {
        let place = tempfile::tempdir().unwrap();
        let mut bridge = Bridge::open(&place.path().join("network"), Isolation::Root).unwrap();
        let (web, db) = (Resident::new(place.path(), "web"), Resident::new(place.path(), "db"));
        let first = bridge.attach(web.pid(), &web.etc, "web", "web").unwrap();
        // Another process of the same estate would open it once more.
        let mut other = Bridge::open(&place.path().join("network"), Isolation::Root).unwrap();
        let second = other.attach(db.pid(), &db.etc, "db", "inner").unwrap();
        assert!(web.hosts().ends_with("10.80.0.2\tweb\n10.80.0.3\tdb\n"), "{}", web.hosts());
        assert!(db.hosts().ends_with("10.80.0.3\tinner db\n10.80.0.2\tweb\n"), "{}", db.hosts());
        other.rename(&second, "data", "inner");
        assert!(web.hosts().ends_with("10.80.0.3\tdata\n"), "{}", web.hosts());
        other.detach(&second);
        assert!(web.hosts().ends_with("10.80.0.2\tweb\n"), "{}", web.hosts());
        bridge.detach(&first);
    });
}

#[test]
fn the_lowest_free_address_is_taken_again() {
    on_a_host_of_its_own(|| {
        let place = tempfile::tempdir().unwrap();
        let mut bridge = Bridge::open(&place.path().join("network"), Isolation::Root).unwrap();
        let residents: Vec<_> = ["a", "b", "c"].map(|name| Resident::new(place.path(), name)).into();
        let attach = |bridge: &mut Bridge, nth: usize| {
            let resident = &residents[nth];
            bridge.attach(resident.pid(), &resident.etc, "x", "x").unwrap()
        };
        let first = attach(&mut bridge, 0);
        attach(&mut bridge, 1);
        bridge.detach(&first);
        assert_eq!(attach(&mut bridge, 2).address(), first.address());
    });
}

#[test]
fn whoever_leaves_late_takes_nobodys_place_away() {
    on_a_host_of_its_own(|| {
        let place = tempfile::tempdir().unwrap();
        let open = || Bridge::open(&place.path().join("network"), Isolation::Root).unwrap();
        let (mut one, mut other) = (open(), open());
        let [stays, first, second] =
            ["stays", "first", "second"].map(|name| Resident::new(place.path(), name));
        one.attach(stays.pid(), &stays.etc, "stays", "stays").unwrap();
        let late = one.attach(first.pid(), &first.etc, "first", "first").unwrap();
        drop(first);
        // The kernel removes the port with the network that it leads to, and the place is free.
        let mut taken = other.attach(second.pid(), &second.etc, "second", "second").unwrap();
        eventually("the place is free again", || {
            if taken.address() != late.address() {
                other.detach(&taken);
                taken = other.attach(second.pid(), &second.etc, "second", "second").unwrap();
            }
            taken.address() == late.address()
        });
        one.rename(&late, "late", "late");
        one.detach(&late);
        drop(one);
        assert!(stays.hosts().ends_with(&format!("{}\tsecond\n", taken.address())), "{}", stays.hosts());
        converse(&second, &stays, taken.address());
        other.detach(&taken);
        assert!(!stays.hosts().contains("second"), "{}", stays.hosts());
    });
}

#[test]
fn the_last_to_leave_takes_everything_along() {
    on_a_host_of_its_own(|| {
        let place = tempfile::tempdir().unwrap();
        let before = run("ip -o addr; ip route; ip rule; sysctl -a 2>/dev/null | grep '^net.ipv4.*forward'");
        let one = Bridge::open(&place.path().join("network"), Isolation::Root).unwrap();
        let other = Bridge::open(&place.path().join("network"), Isolation::Root).unwrap();
        let strangers = Bridge::open(&place.path().join("elsewhere"), Isolation::Root).unwrap();
        assert!(links().contains("terrarium0") && links().contains("terrarium1"), "{}", links());
        assert_eq!(one.close(), Vec::<String>::new());
        assert!(links().contains("terrarium0"), "somebody still has it open");
        assert_eq!(other.close(), Vec::<String>::new());
        assert_eq!(strangers.close(), Vec::<String>::new());
        let after = run("ip -o addr; ip route; ip rule; sysctl -a 2>/dev/null | grep '^net.ipv4.*forward'");
        assert_eq!(after, before);
        assert_eq!(leftovers(), Vec::<String>::new());
    });
}

#[test]
fn what_a_killed_process_leaves_is_found_and_cleared() {
    on_a_host_of_its_own(|| {
        if Command::new("nft").arg("-v").output().is_err() {
            println!("skipped: leftovers of nftables, for want of nft");
            return;
        }
        // A killed process leaves its table; the kernel takes the link away.
        run("nft add table ip terrarium7; nft add table ip terrariums; nft add table ip other");
        assert_eq!(leftovers(), ["table ip terrarium7 of nftables"]);
        assert_eq!(clear_leftovers().unwrap(), 1);
        assert_eq!(leftovers(), Vec::<String>::new());
        assert!(run("nft list tables").contains("other"), "what is not ours stays");
    });
}

#[test]
fn a_subnet_that_the_host_uses_is_left_alone() {
    on_a_host_of_its_own(|| {
        run("ip link add x type bridge && ip addr add 10.80.3.1/24 dev x && ip link set x up");
        let place = tempfile::tempdir().unwrap();
        let mut bridge = Bridge::open(&place.path().join("network"), Isolation::Root).unwrap();
        let web = Resident::new(place.path(), "web");
        let port = bridge.attach(web.pid(), &web.etc, "web", "web").unwrap();
        assert_eq!(port.address().to_string(), "10.80.16.2");
    });
}

#[test]
fn packets_to_the_world_have_the_hosts_address() {
    on_a_host_of_its_own(|| {
        let place = tempfile::tempdir().unwrap();
        let world = Resident::new(place.path(), "world");
        run(&format!("ip link add out type veth peer name in netns {}", world.pid()));
        run("ip addr add 192.0.2.1/24 dev out && ip link set out up");
        world.inside(|| run("ip addr add 192.0.2.2/24 dev in && ip link set in up"));
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let mut bridge = Bridge::open(&place.path().join("network"), Isolation::Root).unwrap();
        let web = Resident::new(place.path(), "web");
        bridge.attach(web.pid(), &web.etc, "web", "web").unwrap();
        let listener = world.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).unwrap());
        let from = thread::spawn(move || listener.accept().unwrap().1.ip().to_string());
        let connect = || TcpStream::connect_timeout(&"192.0.2.2:80".parse().unwrap(), Duration::from_secs(2));
        eventually("the world is reached", move || web.inside(connect).is_ok());
        assert_eq!(from.join().unwrap(), "192.0.2.1");
    });
}
