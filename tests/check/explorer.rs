//! All lives in a browser: what it is served, and what is said when the address is taken.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// It serves for ever, so whoever has begun it has to end it.
struct Explorer(Child);

impl Drop for Explorer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn explorer(address: &str) -> Explorer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terrarium"));
    command.args(["check", &format!("--explore={address}")]);
    Explorer(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn page(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn a_browser_is_shown_what_can_happen_first_and_what_then() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut explorer = explorer(&free);
    let mut told = String::new();
    BufReader::new(explorer.0.stdout.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.contains(&format!("http://{free}")) && told.contains("restart: on-failure:2"), "{told}");
    // It listens a moment after it has said so.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while TcpStream::connect(&free).is_err() {
        assert!(std::time::Instant::now() < deadline, "nobody listens at {free}");
        std::thread::yield_now();
    }
    assert!(page(&free, "/").contains("<html"));
    assert!(page(&free, "/.status").contains("every rule holds"));
    let first = page(&free, "/.states");
    assert!(first.contains("web is absent"), "{first}");
    let next = page(&free, "/.states/0");
    assert!(
        next.contains("somebody asks: Create") && next.contains("asked and not answered: Create"),
        "{next}"
    );
}

#[test]
fn an_address_that_is_taken_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut explorer = explorer(&address);
    let mut complaint = String::new();
    explorer.0.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!(explorer.0.wait().unwrap().code(), Some(1), "{complaint}");
    assert!(complaint.contains(&address) && complaint.contains("--explore=127.0.0.1:PORT"), "{complaint}");
}
