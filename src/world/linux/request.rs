//! A client for `request` steps: plain HTTP/1.1 to a port of this host, one connection a request, never waiting.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};

use crate::world::{HttpRequest, RequestError, RequestId, Response};

/// An answer longer than this is cut off.
pub(crate) const LONGEST_ANSWER: usize = 1 << 20;

/// All requests of a replay, behind one descriptor.
pub(super) struct Clients {
    epoll: Epoll,
    by_id: BTreeMap<RequestId, Client>,
    asked: u32,
}

enum Client {
    Talking { stream: TcpStream, to_send: Vec<u8>, received: Vec<u8> },
    Over(Result<Response, RequestError>),
}

impl Clients {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?, by_id: BTreeMap::new(), asked: 0 })
    }

    /// Readable when there is something to do.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    pub(super) fn ask(&mut self, request: &HttpRequest) -> RequestId {
        let id = RequestId(self.asked);
        self.asked += 1;
        let client = match self.open(id, request) {
            Ok(stream) => Client::Talking { stream, to_send: head_and_body(request), received: Vec::new() },
            Err(_) => Client::Over(Err(RequestError::Refused)),
        };
        self.by_id.insert(id, client);
        id
    }

    pub(super) fn answer(&self, id: RequestId) -> Option<Result<Response, RequestError>> {
        match self.by_id.get(&id)? {
            Client::Over(outcome) => Some(outcome.clone()),
            Client::Talking { .. } => None,
        }
    }

    /// Goes on with whatever can go on.
    pub(super) fn turn(&mut self) {
        let mut events = [EpollEvent::empty(); 16];
        let Ok(count) = self.epoll.wait(&mut events, EpollTimeout::ZERO) else { return };
        for event in &events[..count] {
            let Ok(id) = u32::try_from(event.data()).map(RequestId) else { continue };
            let Some(client) = self.by_id.get_mut(&id) else { continue };
            let Client::Talking { stream, to_send, received } = client else { continue };
            if let Some(outcome) = talk(stream, to_send, received) {
                let _ = self.epoll.delete(stream.as_fd());
                *client = Client::Over(outcome);
            } else if to_send.is_empty() {
                let _ = self
                    .epoll
                    .modify(stream.as_fd(), &mut EpollEvent::new(EpollFlags::EPOLLIN, event.data()));
            }
        }
    }

    fn open(&self, id: RequestId, request: &HttpRequest) -> io::Result<TcpStream> {
        let address = address(request).ok_or(ErrorKind::InvalidInput)?;
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let stream = TcpStream::from(socket(family, SockType::Stream, flags, None)?);
        match connect(stream.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT;
        self.epoll.add(stream.as_fd(), EpollEvent::new(interest, u64::from(id.0)))?;
        Ok(stream)
    }
}

/// Sends and receives until it would have to wait; says how it ended, if it did.
fn talk(
    stream: &mut TcpStream,
    to_send: &mut Vec<u8>,
    received: &mut Vec<u8>,
) -> Option<Result<Response, RequestError>> {
    if !to_send.is_empty() {
        match stream.write(to_send) {
            Ok(sent) => drop(to_send.drain(..sent)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => return Some(Err(what_failed(&error))),
        }
    }
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return Some(parse(received).ok_or(RequestError::Reset)),
            Ok(count) if received.len() < LONGEST_ANSWER => received.extend_from_slice(&part[..count]),
            Ok(_) => return Some(parse(received).ok_or(RequestError::Reset)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => return Some(Err(what_failed(&error))),
        }
    }
}

pub(crate) fn what_failed(error: &io::Error) -> RequestError {
    match error.kind() {
        ErrorKind::ConnectionRefused => RequestError::Refused,
        ErrorKind::TimedOut => RequestError::TimedOut,
        _ => RequestError::Reset,
    }
}

/// Requests go to this host alone, whatever name it is called by.
pub(crate) fn address(request: &HttpRequest) -> Option<SocketAddr> {
    let authority = request.url.strip_prefix("http://")?.split(['/', '?', '#']).next()?;
    let host = match authority.rsplit_once(':') {
        Some((host, _)) if !authority.ends_with(']') => host,
        _ => authority,
    };
    let ip = match host.trim_matches(['[', ']']) {
        "localhost" | "0.0.0.0" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        literal => literal.parse().ok().filter(IpAddr::is_loopback)?,
    };
    Some(SocketAddr::new(ip, request.port()?))
}

pub(crate) fn head_and_body(request: &HttpRequest) -> Vec<u8> {
    let rest = request.url.strip_prefix("http://").unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let body = request.body.as_deref().unwrap_or_default();
    let method = &request.method;
    format!(
        "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) fn parse(received: &[u8]) -> Option<Response> {
    let text = String::from_utf8_lossy(received);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.lines().next()?.split(' ').nth(1)?.parse().ok()?;
    Some(Response { status, body: body.into() })
}
