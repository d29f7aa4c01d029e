//! A web server of one answer: every request, whatever it asks, is told who answers.
//!
//! Nothing here blocks: a client is read when it has something, answered when its header is complete, and then
//! read to its end (closing before that could destroy an answer on its way). The slow are cut off in time.

use std::{
    collections::{BTreeSet, VecDeque},
    io::{self, Read},
    net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::{Duration, Instant},
};

use nix::sys::socket::{MsgFlags, send};
use thiserror::Error;

/// How long a client may take from its connection to its end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many clients there may be at once; the oldest makes room for one more.
const MOST_CLIENTS: usize = 64;
const LONGEST_HEADER: usize = 8192;

#[derive(Debug, Error)]
#[error("cannot listen on port {port}: {source}")]
pub(super) struct ServeError {
    port: u16,
    source: io::Error,
}

/// The listening sockets and the clients being served.
pub(super) struct Server {
    name: String,
    listeners: Vec<(u16, TcpListener)>,
    /// The oldest first.
    clients: VecDeque<Client>,
}

struct Client {
    stream: TcpStream,
    port: u16,
    deadline: Instant,
    stage: Stage,
}

enum Stage {
    /// What has been read of the header so far.
    Asking(Vec<u8>),
    Answered,
    Gone,
}

impl Server {
    /// Listens on all these ports.
    pub(super) fn open(name: &str, ports: &[u16]) -> Result<Self, ServeError> {
        let ports: BTreeSet<u16> = ports.iter().copied().collect();
        let listeners = ports
            .into_iter()
            .map(|port| Ok((port, listen(port).map_err(|source| ServeError { port, source })?)))
            .collect::<Result<_, _>>()?;
        Ok(Self { name: name.into(), listeners, clients: VecDeque::new() })
    }

    /// What to wait for.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let listeners = self.listeners.iter().map(|(_, listener)| listener.as_fd());
        listeners.chain(self.clients.iter().map(|client| client.stream.as_fd()))
    }

    /// When the oldest client is cut off.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
        self.clients.front().map(|client| client.deadline)
    }

    /// Does what can be done now for everybody.
    pub(super) fn serve(&mut self) {
        for (port, listener) in &self.listeners {
            match listener.accept() {
                Ok((stream, _)) => self.clients.extend(Client::welcome(stream, *port)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => drop(self.clients.pop_front()), // most likely out of descriptors: make room
            }
        }
        for client in &mut self.clients {
            client.serve(&self.name);
        }
        self.clients.retain(|client| !matches!(client.stage, Stage::Gone));
        while self.clients.len() > MOST_CLIENTS {
            self.clients.pop_front();
        }
    }

    /// Cuts off those whose time is up.
    pub(super) fn cut_off_the_slow(&mut self, now: Instant) {
        self.clients.retain(|client| client.deadline > now);
    }
}

impl Client {
    fn welcome(stream: TcpStream, port: u16) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, port, deadline: Instant::now() + PATIENCE, stage: Stage::Asking(Vec::new()) })
    }

    /// Reads one piece, so that nobody who sends without end keeps the others waiting.
    fn serve(&mut self, name: &str) {
        let mut piece = [0; 2048];
        let count = match self.stream.read(&mut piece) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return;
            }
            Err(_) => 0,
        };
        if count == 0 {
            self.stage = Stage::Gone;
        } else if let Stage::Asking(header) = &mut self.stage {
            header.extend_from_slice(&piece[..count]);
            if is_complete(header) {
                self.answer(name);
            } else if header.len() > LONGEST_HEADER {
                self.stage = Stage::Gone;
            }
        }
    }

    fn answer(&mut self, name: &str) {
        let answer = answer(name, self.port);
        // Not write(2): a client that has gone would end this process by SIGPIPE, which has its default action here.
        let sent = send(self.stream.as_raw_fd(), answer.as_bytes(), MsgFlags::MSG_NOSIGNAL);
        self.stage = match (sent, self.stream.shutdown(Shutdown::Write)) {
            (Ok(_), Ok(())) => Stage::Answered,
            _ => Stage::Gone,
        };
    }
}

/// Listens on IPv6 and IPv4 at once, or on IPv4 alone where a kernel has no IPv6.
fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn is_complete(header: &[u8]) -> bool {
    header.windows(4).any(|end| end == b"\r\n\r\n") || header.windows(2).any(|end| end == b"\n\n")
}

fn answer(name: &str, port: u16) -> String {
    let body = format!("{name}:{port}\n");
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_ends_with_an_empty_line() {
        assert!(is_complete(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nbody"));
        assert!(is_complete(b"GET /\n\n"));
        assert!(!is_complete(b"GET / HTTP/1.1\r\nHost: x\r\n"));
    }

    #[test]
    fn an_answer_counts_its_own_body() {
        assert!(answer("web", 80).contains("Content-Length: 7\r\n"));
        assert!(answer("web", 80).ends_with("\r\n\r\nweb:80\n"));
    }

    #[test]
    fn whoever_takes_too_long_is_cut_off_and_no_longer_waited_for() {
        let mut server = Server::open("web", &[0]).unwrap();
        let port = server.listeners[0].1.local_addr().unwrap().port();
        let _silent = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        server.serve();
        let end = server.patience_ends().unwrap();

        server.cut_off_the_slow(end.checked_sub(Duration::from_millis(1)).unwrap());
        assert_eq!(server.patience_ends(), Some(end));
        server.cut_off_the_slow(end);
        assert_eq!(server.patience_ends(), None);
    }
}
