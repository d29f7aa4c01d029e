//! A published port beside Docker's proxy, in pairs: `cargo bench --bench ports`, as root.
//!
//! Both lead to the same server in the same container; so whatever differs is the relay. The server is another process of this
//! program, so that it shares nothing with the clients. Each
//! number is the median of the rounds, and the last column is ours by Docker's. Without docker-proxy ours stands alone.

#![expect(clippy::cast_precision_loss, reason = "no number here comes near 2 to the 52nd")]

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

const INSIDE: u16 = 5201;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(1);
const CLIENTS: usize = 32;
const PROXIES: [&str; 3] =
    ["/usr/sbin/docker-proxy", "/usr/bin/docker-proxy", "/usr/libexec/docker/docker-proxy"];

/// What a client asks of the server, by its first byte.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Wish {
    /// Bytes without end.
    Flood = b'f',
    /// The same byte again.
    Echo = b'e',
}

/// A container with a published port, and a server in its network.
struct Place {
    root: tempfile::TempDir,
    server: Option<Child>,
    published: SocketAddr,
    own: SocketAddr,
}

/// Says to this program that it is the server, and in whose network.
const SERVE: &str = "TERRARIUM_BENCH_SERVE";

fn main() {
    if let Some(network) = std::env::var_os(SERVE) {
        return serve_in(Path::new(&network));
    }
    if !nix::unistd::geteuid().is_root() {
        return say("ports: skipped, only root may enter a container's network");
    }
    let place = Place::furnish();
    let proxy = docker_proxy(place.own);
    let ours = ("terrarium", place.published);
    let docker = proxy.as_ref().map(|(_, address)| ("docker-proxy", *address));
    let both: Vec<_> = docker.into_iter().chain([ours]).collect();
    pairs("bytes, one connection", "GB/s", &both, |to| flood(to, 1) / 1e9);
    pairs("bytes, eight connections", "GB/s", &both, |to| flood(to, 8) / 1e9);
    pairs("answers, kept connections", "1/s", &both, |to| answers(to, echoes));
    pairs("answers, a connection each", "1/s", &both, |to| answers(to, visits));
    if let Some((mut proxy, _)) = proxy {
        let _ = proxy.kill();
        let _ = proxy.wait();
    }
}

/// Measures all of them, by turns.
fn pairs(what: &str, unit: &str, all: &[(&str, SocketAddr)], measure: impl Fn(SocketAddr) -> f64) {
    let mut measured = vec![Vec::new(); all.len()];
    for _ in 0..ROUNDS {
        for (results, (_, address)) in measured.iter_mut().zip(all) {
            results.push(measure(*address));
        }
    }
    let medians: Vec<f64> = measured.into_iter().map(median).collect();
    let told = all.iter().zip(&medians).map(|((name, _), median)| format!("{name} {median:>9.2} {unit}"));
    let ratio = match medians.as_slice() {
        [docker, ours] => format!("   {:.2}", ours / docker),
        _ => String::new(),
    };
    say(&format!("{what:<28}{}{ratio}", told.collect::<Vec<_>>().join("   ")));
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Bytes a second.
fn flood(to: SocketAddr, clients: usize) -> f64 {
    let began = Instant::now();
    let drain = move || {
        let mut stream = ask(to, Wish::Flood).expect("the server answers");
        let (mut bytes, mut count) = (vec![0; 256 << 10], 0);
        while began.elapsed() < ROUND {
            count += stream.read(&mut bytes).expect("the connection holds");
        }
        count
    };
    let all: Vec<_> = (0..clients).map(|_| thread::spawn(drain)).collect();
    let count: usize = all.into_iter().map(|client| client.join().expect("clients do not panic")).sum();
    count as f64 / began.elapsed().as_secs_f64()
}

/// Answers a second, to many clients at once.
fn answers(to: SocketAddr, client: fn(SocketAddr, Instant) -> io::Result<usize>) -> f64 {
    let end = Instant::now() + ROUND;
    let all: Vec<_> = (0..CLIENTS).map(|_| thread::spawn(move || client(to, end))).collect();
    let counts = all.into_iter().map(|client| client.join().expect("clients do not panic"));
    counts.map(|count| count.expect("the connection holds")).sum::<usize>() as f64 / ROUND.as_secs_f64()
}

fn echoes(to: SocketAddr, end: Instant) -> io::Result<usize> {
    let mut stream = ask(to, Wish::Echo)?;
    let mut count = 0;
    while Instant::now() < end {
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])?;
        count += 1;
    }
    Ok(count)
}

fn visits(to: SocketAddr, end: Instant) -> io::Result<usize> {
    let mut count = 0;
    while Instant::now() < end {
        let mut stream = ask(to, Wish::Echo)?;
        stream.write_all(b"x")?;
        stream.read_exact(&mut [0])?;
        count += 1;
    }
    Ok(count)
}

fn ask(to: SocketAddr, wish: Wish) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.write_all(&[wish as u8])?;
    Ok(stream)
}

fn serve(mut client: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut byte = [0];
    client.read_exact(&mut byte)?;
    if byte[0] == Wish::Flood as u8 {
        let bytes = vec![0; 256 << 10];
        loop {
            client.write_all(&bytes)?;
        }
    }
    loop {
        client.read_exact(&mut byte)?;
        client.write_all(&byte)?;
    }
}

/// Serves in that network, and says first under which address.
fn serve_in(network: &Path) {
    let network = File::open(network).expect("the container runs");
    setns(network, CloneFlags::CLONE_NEWNET).expect("root may");
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, INSIDE)).expect("nobody listens there");
    let own = run("ip", &["-4", "-o", "addr", "show", "eth0"]);
    let own = own.split_whitespace().nth(3).and_then(|own| own.split('/').next());
    say(own.expect("a container has an address"));
    for client in listener.incoming().flatten() {
        thread::spawn(move || serve(client));
    }
}

impl Place {
    fn furnish() -> Self {
        let root = tempfile::tempdir().expect("there is room for temporary files");
        let (published, own) = (([127, 0, 0, 1], 0).into(), ([0, 0, 0, 0], INSIDE).into());
        let mut place = Self { root, server: None, published, own };
        place.terrarium(&["run", "-d", "-p", &format!("127.0.0.1::{INSIDE}"), "--name", "end", "lab"]);
        let published = place.terrarium(&["port", "end", &INSIDE.to_string()]);
        place.published = published.parse().expect("an address and a port");
        let pid = place.terrarium(&["inspect", "-f", "{{.State.Pid}}", "end"]);
        let program = std::env::current_exe().expect("it runs");
        let mut server = Command::new(program)
            .env(SERVE, Path::new("/proc").join(pid).join("ns/net"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("it can be run");
        let mut told = String::new();
        let stdout = server.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut told).expect("it says its address");
        place.server = Some(server);
        place.own.set_ip(told.trim().parse().expect("a container has an address"));
        place
    }

    fn terrarium(&self, words: &[&str]) -> String {
        let root = self.root.path().to_string_lossy().into_owned();
        run(env!("CARGO_BIN_EXE_terrarium"), &[&["--root", &root], words].concat())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        self.terrarium(&["rm", "-f", "end"]);
    }
}

/// Docker's proxy, to the same server.
fn docker_proxy(to: SocketAddr) -> Option<(Child, SocketAddr)> {
    let program = PROXIES.iter().find(|program| Path::new(program).exists())?;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let address = free.expect("there are free ports");
    // It tells its daemon by descriptor 3 that it is ready.
    let words = format!(
        "exec {program} -proto tcp -host-ip 127.0.0.1 -host-port {} -container-ip {} -container-port {} 3>/dev/null",
        address.port(),
        to.ip(),
        to.port()
    );
    let proxy = Command::new("sh").args(["-c", &words]).stderr(Stdio::null()).spawn().ok()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "{program} does not listen");
        thread::sleep(Duration::from_millis(10));
    }
    Some((proxy, address))
}

fn run(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().expect("it can be run");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
