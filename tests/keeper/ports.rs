//! Published ports from the command line: what cannot be had, what many clients make of it, and what stays when it is over.

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::geteuid;
use terrarium::network::leftovers;
use terrarium::runtime::lent_ids;

use crate::stage::{SOON, Stage, eventually, is_forbidden, kill};

/// How often something is begun and ended; more of it shows what is rare: `TERRARIUM_CYCLES=500`.
const CYCLES: u32 = 8;
/// Where servers listen, inside.
const INSIDE: u16 = 5201;

fn cycles() -> u32 {
    env::var("TERRARIUM_CYCLES").ok().and_then(|count| count.parse().ok()).unwrap_or(CYCLES)
}

/// Lives through something on a host of its own: a network namespace in which nobody else is. Only root can make one.
fn on_a_host_of_its_own(what: &str, act: impl FnOnce() + Send + 'static) {
    if is_forbidden(what) {
        return;
    }
    if !geteuid().is_root() {
        return println!("skipped: {what}, only root can make a host's network");
    }
    let live = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        run("ip link set lo up");
        act();
    };
    thread::spawn(live).join().unwrap();
}

fn run(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn links() -> String {
    run("ip -o link; ip -o addr; ip route")
}

/// The container's PID 1.
fn pid(stage: &Stage, name: &str) -> i32 {
    stage.good(&["inspect", "-f", "{{.State.Pid}}", name]).parse().unwrap()
}

/// A server in the container's network, whose other end this test is.
fn server_in(pid: i32) -> TcpListener {
    let network = File::open(format!("/proc/{pid}/ns/net")).unwrap();
    let listen = move || {
        setns(network, CloneFlags::CLONE_NEWNET).unwrap();
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, INSIDE)).unwrap()
    };
    thread::spawn(listen).join().unwrap()
}

fn port_of(stage: &Stage, name: &str) -> u16 {
    let told = stage.good(&["port", name, &INSIDE.to_string()]);
    told.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Returns when they have ended: whoever is still dying counts as living, and a command believes it.
fn kill_all_keepers_but_that_of(stage: &Stage, name: &str) {
    let spared = stage.good(&["inspect", "-f", "{{.Id}}", name]);
    let words = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let doomed: Vec<i32> = stage.keepers().into_iter().filter(|pid| !words(pid).contains(&spared)).collect();
    doomed.iter().copied().for_each(kill);
    let has_ended = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
    };
    eventually("they have ended", || doomed.iter().all(has_ended));
}

#[test]
fn a_port_that_cannot_be_had_is_named_and_nothing_is_reserved() {
    if is_forbidden("ports that cannot be had") {
        return;
    }
    let stage = Stage::new();
    let somebodys = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = somebodys.local_addr().unwrap().port();
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let cases = [
        // Nobody has asked the host yet.
        ("0:80".to_owned(), "`0` is no port", false),
        ("8080:0".to_owned(), "`0` is no port", false),
        ("65536:80".to_owned(), "`65536` is no port", false),
        ("8080:80/sctp".to_owned(), "tcp or udp", false),
        ("8000-8003:80".to_owned(), "4 of the host for 1 of the container", false),
        (format!("127.0.0.1:{taken}:80"), "port is already allocated (choose another", true),
        (format!("192.0.2.7:{free}:80"), "no such address (ip addr shows", true),
        (format!("127.0.0.1:{free}:80,127.0.0.1:{free}:81"), "twice: port is already allocated", true),
        (
            format!("127.0.0.1:{free}:80,127.0.0.1:{taken}:81"),
            "port is already allocated (choose another",
            true,
        ),
    ];
    for (published, why, is_created) in cases {
        let mut words = vec!["run", "-d", "--name", "web"];
        words.extend(published.split(',').flat_map(|port| ["-p", port]));
        words.push("lab");
        let complaint = stage.bad(&words, 125);
        assert!(complaint.contains(why), "{published}: {complaint}");
        if is_created {
            assert_eq!(
                stage.good(&["ps", "-a", "--format", "{{.Names}} {{.State}} {{.Ports}}"]),
                "web created"
            );
            stage.good(&["rm", "web"]);
        }
        drop(TcpListener::bind(("127.0.0.1", free)).unwrap());
    }
    if geteuid().is_root() {
        return println!("skipped: a port for root alone, root may have it");
    }
    let complaint = stage.run(&["run", "-d", "--name", "web", "-p", "127.0.0.1:1:80", "lab"]).complaint;
    assert!(complaint.is_empty() || complaint.contains("from 1024 on"), "{complaint}");
}

#[test]
fn a_port_with_nothing_behind_it_turns_clients_away_at_every_address_of_the_host() {
    on_a_host_of_its_own("a port with nothing behind it", || {
        run("ip link add out type bridge && ip addr add 192.0.2.1/24 dev out && ip link set out up");
        let has_ipv6 = Path::new("/proc/net/if_inet6").exists();
        if has_ipv6 {
            run("ip addr add 2001:db8::1/64 dev out nodad");
        }
        let addresses = || {
            ["192.0.2.1", "127.0.0.1"]
                .into_iter()
                .chain(["2001:db8::1", "::1"].into_iter().filter(|_| has_ipv6))
        };
        let stage = Stage::new();
        stage.good(&["run", "-d", "-p", &INSIDE.to_string(), "--name", "web", "lab"]);
        let told = stage.good(&["port", "web"]);
        let port = port_of(&stage, "web");
        let on_ipv6 = format!("\n{INSIDE}/tcp -> [::]:{port}");
        assert_eq!(told, format!("{INSIDE}/tcp -> 0.0.0.0:{port}{}", if has_ipv6 { &on_ipv6 } else { "" }));
        for address in addresses() {
            let at = SocketAddr::new(address.parse().unwrap(), port);
            let turned_away = TcpStream::connect_timeout(&at, SOON).and_then(|mut client| {
                client.set_read_timeout(Some(SOON))?;
                client.read(&mut [0])
            });
            let kind = turned_away.map_err(|error| error.kind());
            let is_told = matches!(kind, Err(ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset));
            assert!(is_told, "{at}: {kind:?}");
        }
        stage.good(&["rm", "-f", "web"]);
        for address in addresses() {
            let at = SocketAddr::new(address.parse().unwrap(), port);
            let kind = TcpStream::connect_timeout(&at, SOON).map(drop).map_err(|error| error.kind());
            assert_eq!(kind, Err(ErrorKind::ConnectionRefused), "{at}");
        }
    });
}

#[test]
fn a_thousand_connections_are_held_while_another_container_stops() {
    const MANY: usize = 1000;
    on_a_host_of_its_own("a thousand connections", || {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        if hard < 4 * MANY as u64 {
            return println!(
                "skipped: a thousand connections, for which this process may not open enough files"
            );
        }
        // The keeper is on its own with this.
        let told = format!("127.0.0.1::{INSIDE}");
        let stage = Stage::new();
        for name in ["web", "other"] {
            stage.good(&["run", "-d", "-p", &told, "--name", name, "lab"]);
        }
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(4 * MANY as u64).max(soft), hard).unwrap();
        let server = server_in(pid(&stage, "web"));
        let port = port_of(&stage, "web");
        let mut held: Vec<(TcpStream, TcpStream)> = (0..MANY)
            .map(|_| {
                let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let (inside, _) = server.accept().unwrap();
                for end in [&client, &inside] {
                    end.set_read_timeout(Some(SOON)).unwrap();
                }
                (client, inside)
            })
            .collect();
        let mut converse = || {
            // They need not have been accepted in the order in which they connected: so all ask, and all are answered.
            for (nth, (client, _)) in held.iter_mut().enumerate() {
                client.write_all(&u32::try_from(nth).unwrap().to_be_bytes()).unwrap();
            }
            let mut number = [0; 4];
            for (_, inside) in &mut held {
                inside.read_exact(&mut number).unwrap();
                inside.write_all(&number).unwrap();
            }
            for (nth, (client, _)) in held.iter_mut().enumerate() {
                client.read_exact(&mut number).unwrap();
                assert_eq!(u32::from_be_bytes(number) as usize, nth);
            }
        };
        converse();
        stage.good(&["stop", "-t", "0", "other"]);
        stage.good(&["rm", "other"]);
        converse();
        stage.good(&["rm", "-f", "web"]);
        let (client, _) = &mut held[0];
        assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)), "its own stop ends them");
    });
}

/// Of which all have one source and one target: a port that is free again after a minute alone is soon one of none.
#[test]
fn there_may_be_more_short_connections_in_a_minute_than_there_are_ports() {
    const PORTS: usize = 8;
    on_a_host_of_its_own("many short connections", || {
        let stage = Stage::new();
        stage.good(&["run", "-d", "-p", &format!("127.0.0.1::{INSIDE}"), "--name", "web", "lab"]);
        let pid = pid(&stage, "web");
        let server = server_in(pid);
        let network = File::open(format!("/proc/{pid}/ns/net")).unwrap();
        let narrow = move || {
            setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            let range = format!("40000 {}", 40000 + PORTS - 1);
            fs::write("/proc/sys/net/ipv4/ip_local_port_range", range).unwrap();
        };
        thread::spawn(narrow).join().unwrap();
        let serve = move || {
            // The client closes first: then it is its side that holds the port.
            for mut client in server.incoming().flatten() {
                let _ = client.write_all(b"x").and_then(|()| client.read(&mut [0]));
            }
        };
        thread::spawn(serve);
        let at = ("127.0.0.1", port_of(&stage, "web"));
        let visit = || TcpStream::connect(at).is_ok_and(|mut stream| stream.read_exact(&mut [0]).is_ok());
        for _ in 0..3 * PORTS {
            eventually("there is a port for one more", visit);
        }
        stage.good(&["rm", "-f", "web"]);
    });
}

#[test]
fn what_starts_and_stops_with_a_port_leaves_nothing_of_it() {
    on_a_host_of_its_own("starts and stops with a port", || {
        let before = links();
        let stage = Stage::new();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let published = format!("{port}:{INSIDE}");
        stage.good(&["create", "-p", &published, "--name", "web", "lab"]);
        for _ in 0..cycles() {
            stage.good(&["start", "web"]);
            drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
            stage.good(&["stop", "-t", "0", "web"]);
            // Free the moment that stop has answered.
            drop(TcpListener::bind(("0.0.0.0", port)).unwrap());
        }
        stage.good(&["rm", "web"]);
        eventually("its links go", || links() == before);
        assert_eq!(leftovers(), Vec::<String>::new());
        assert_eq!(run("ss -Hlntu"), "");
    });
}

#[test]
fn a_keeper_that_is_killed_leaves_neither_a_link_nor_a_name() {
    on_a_host_of_its_own("keepers that are killed", || {
        let before = links();
        let stage = Stage::new();
        let told = format!("127.0.0.1::{INSIDE}");
        stage.good(&["run", "-d", "--name", "stays", "lab"]);
        let names = || {
            let hosts = format!("/proc/{}/root/etc/hosts", pid(&stage, "stays"));
            fs::read_to_string(hosts).unwrap()
        };
        for nth in 0..cycles() {
            stage.good(&["create", "-p", &told, "--name", "falls", "lab"]);
            let mut start = stage.begin(&["start", "falls"]);
            // Somewhere on the way, and now and then after it.
            thread::sleep(Duration::from_millis(u64::from(nth) * 13 % 160));
            kill_all_keepers_but_that_of(&stage, "stays");
            let _ = start.wait().unwrap();
            // Whichever command comes next puts everything in order. Whoever was killed early on has had a successor.
            let lives = stage.good(&["ps", "--format", "{{.Names}}"]).contains("falls");
            assert_eq!(names().contains("falls"), lives, "after {nth}: {}", names());
            assert!(names().contains("stays"), "{}", names());
            stage.good(&["rm", "-f", "falls"]);
        }
        stage.good(&["rm", "-f", "stays"]);
        eventually("its links go", || links() == before);
        assert_eq!(leftovers(), Vec::<String>::new());
        assert_eq!(run("ss -Hlntu"), "");
    });
}

/// What comes of a connection to a port where nobody listens, out of a container's network. Whoever has made it may go there.
fn knock(from: i32, at: &str) -> String {
    let user = if geteuid().is_root() { "" } else { "--preserve-credentials -U " };
    let script = format!("timeout 20 nsenter {user}-n -t {from} bash -c 'exec 3<>/dev/tcp/{at}/9' 2>&1");
    let told = Command::new("bash").args(["-c", &script]).output().unwrap();
    String::from_utf8_lossy(&told.stdout).into_owned()
}

#[test]
fn containers_reach_each_other_by_address_and_by_name() {
    if is_forbidden("containers that reach each other") {
        return;
    }
    if run("for name in nsenter bash timeout; do command -v $name; done; true").lines().count() < 3 {
        return println!("skipped: containers that reach each other, for want of nsenter, bash or timeout");
    }
    let stage = Stage::new();
    stage.good(&["run", "-d", "--name", "web", "lab"]);
    let mut words = vec!["run", "-d", "--name", "db"];
    // A process with ids that were lent is not quite its user's.
    if geteuid().is_root() || lent_ids().is_ok() {
        words.extend(["--user", "1000:1000"]);
    }
    stage.good(&[&words[..], &["lab"]].concat());
    let address = |name| stage.good(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", name]);
    let (web, db) = (pid(&stage, "web"), pid(&stage, "db"));
    let hosts = || fs::read_to_string(format!("/proc/{web}/root/etc/hosts")).unwrap();
    assert!(hosts().ends_with(&format!("{}\tdb\n", address("db"))), "{}", hosts());
    for (from, to) in [(web, "db"), (db, "web")] {
        let said = knock(from, &address(to));
        assert!(said.contains("refused"), "{to}: {said}");
    }

    stage.good(&["rename", "db", "data"]);
    assert!(hosts().ends_with("\tdata\n"), "{}", hosts());
    kill_all_keepers_but_that_of(&stage, "web");
    assert_eq!(stage.good(&["ps", "--format", "{{.Names}}"]), "web");
    assert!(!hosts().contains("data"), "{}", hosts());
    stage.good(&["rm", "-f", "web", "data"]);
}

#[test]
fn whom_it_asks_for_names_and_whom_it_knows_can_be_said() {
    if is_forbidden("names that are given") {
        return;
    }
    let stage = Stage::new();
    let mut words = vec!["run", "-d", "--name", "web", "--dns", "192.0.2.1", "--dns", "2001:db8::1"];
    words.extend(["--dns-search", "example.org", "--dns-option", "ndots:3", "--add-host", "db:192.0.2.7"]);
    // From a user's network nothing leads to the host.
    if geteuid().is_root() {
        words.extend(["--add-host", "home:host-gateway"]);
    }
    stage.good(&[&words[..], &["lab"]].concat());
    let inside = |name| fs::read_to_string(format!("/proc/{}/root/etc/{name}", pid(&stage, "web"))).unwrap();
    let resolver = "search example.org\nnameserver 192.0.2.1\nnameserver 2001:db8::1\noptions ndots:3\n";
    let known = || inside("hosts").contains("\n192.0.2.7\tdb\n");
    assert_eq!(inside("resolv.conf"), resolver);
    assert!(known(), "{}", inside("hosts"));
    assert_eq!(inside("hosts").contains(".1\thome\n"), geteuid().is_root(), "{}", inside("hosts"));
    // Others come, and it starts once more: it has forgotten nothing.
    stage.good(&["run", "-d", "--name", "other", "lab"]);
    assert!(known() && inside("hosts").contains("\tother\n"), "{}", inside("hosts"));
    stage.good(&["restart", "-t", "0", "web"]);
    assert!(known(), "{}", inside("hosts"));
    assert_eq!(inside("resolv.conf"), resolver);

    let shared = ["create", "--network", "container:web"];
    for (more, why) in [
        ([&shared[..], &["--dns", "192.0.2.1"]].concat(), "dns and the network mode"),
        ([&shared[..], &["--add-host", "a:192.0.2.7"]].concat(), "mapping and the network mode"),
        (vec!["create", "--dns", "192.0.2"], "`192.0.2` is no address"),
        (vec!["create", "--add-host", "a:x"], "`x` is no address"),
        (vec!["create", "--add-host", "192.0.2.7"], "NAME:ADDRESS"),
        (vec!["create", "--dns-search", "a..b"], "no domain"),
    ] {
        let told = stage.run(&[&more[..], &["lab"]].concat());
        assert!(told.status != 0 && told.complaint.contains(why), "{more:?}: {told:?}");
    }
    let complaint = stage.bad(&["create", "--network", "none", "--add-host", "a:host-gateway", "lab"], 1);
    assert!(complaint.contains("give an address: --add-host a:ADDRESS"), "{complaint}");
    stage.good(&["rm", "-f", "web", "other"]);
}

#[test]
fn doctor_finds_what_killed_runs_have_left_and_removes_it() {
    on_a_host_of_its_own("leftovers", || {
        let stage = Stage::new();
        stage.good(&["run", "-d", "--name", "web", "lab"]);
        let id = stage.good(&["ps", "-q", "--no-trunc"]);
        stage.keepers().into_iter().for_each(kill);
        eventually("the container goes with its keeper", || stage.inmates().is_empty());
        eventually("its link goes with it, and the table stays", || !leftovers().is_empty());
        fs::create_dir_all(stage.root().join("terrarium-replay-1")).unwrap();
        File::create(stage.root().join("terrarium-replay-1/lock")).unwrap();
        let said = stage.run(&["doctor", "--format", "json"]).output;
        for what in
            [&format!("container {id}"), "terrarium-replay-1", "table ip terrarium0", "doctor --clear"]
        {
            assert!(said.contains(what), "{what}: {said}");
        }
        let said = stage.run(&["doctor", "--clear"]).output;
        assert!(said.contains("removed table ip terrarium0 of nftables"), "{said}");
        assert!(
            said.contains("leftovers       none") || !said.contains(stage.root().to_str().unwrap()),
            "{said}"
        );
        assert_eq!(leftovers(), Vec::<String>::new());
        assert!(!stage.root().join("terrarium-replay-1").exists());
        assert_eq!(stage.good(&["ps", "-a", "--format", "{{.Names}} {{.State}}"]), "web exited");
        stage.good(&["rm", "web"]);
    });
}

#[test]
fn a_container_that_shares_a_network_outlives_whom_it_shares_it_with() {
    on_a_host_of_its_own("a shared network", || {
        let stage = Stage::new();
        let told = format!("127.0.0.1::{INSIDE}");
        stage.good(&["run", "-d", "-p", &told, "--name", "web", "lab"]);
        let first = pid(&stage, "web");
        stage.good(&["run", "-d", "--network", "container:web", "--name", "side", "lab"]);
        let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        let side = pid(&stage, "side");
        assert_eq!(namespace(first), namespace(side));
        stage.good(&["rm", "-f", "web"]);
        assert_eq!(stage.good(&["ps", "--format", "{{.Names}} {{.State}}"]), "side running");
        let complaint = stage.bad(&["restart", "-t", "0", "side"], 1);
        assert!(complaint.contains("non running container: web (start it first"), "{complaint}");
        stage.good(&["rm", "-f", "side"]);
    });
}
