//! The relay of one container: what connects to a claimed port of the host is connected to a port of the container.
//!
//! The container's own address is the target, so what it serves on 127.0.0.1 stays its own. Nothing here waits, and there is
//! no thread. While a container is paused, its kernel side still accepts: a client is served after the thaw.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{SockaddrIn, connect};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use thiserror::Error;
use tracing::{debug, warn};

use super::claim::Claim;
use super::datagram::{Heard, Talks};
use super::flow::{Course, Flow, Interests, Pipes, Side, reset};
use crate::runtime::{Made, SocketKind, SocketMaker, accept};

/// Connects the host's ports to the container's, for as long as it lives.
pub struct Relay {
    epoll: Epoll,
    published: Vec<(Claim, u16)>,
    maker: SocketMaker,
    accepting: Accepting,
    /// For whom a socket has been asked for, in that order.
    waiting: VecDeque<Waiting>,
    flows: BTreeMap<u64, (Flow, Interests)>,
    next_flow: u64,
    talks: Talks,
    /// Runs while there are talks, to forget the silent ones.
    silence: TimerFd,
    pipes: Pipes,
    /// Given up when there is no descriptor left, to turn a client away instead of leaving it at the door for ever.
    spare: Option<File>,
}

/// Whoever gets the next socket.
enum Waiting {
    /// A client, and the port that it wants.
    Client(TcpStream, u16),
    /// Somebody who talks in datagrams, and the port that they are for.
    Talk(u64, u16),
}

/// Why ports cannot be relayed.
#[derive(Debug, Error)]
#[error("cannot watch published ports: {0} (raise the limit on open files: ulimit -n)")]
pub struct RelayError(#[from] io::Error);

/// How many clients may wait for a socket. More wait in the kernel.
const WAITING: usize = 64;
/// How many datagrams one turn takes in from one socket.
const DATAGRAMS: usize = 64;
/// How many events one turn takes in.
const EVENTS: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Accepting {
    Yes,
    No,
}

/// Whose descriptor has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Maker,
    /// A socket of a claim.
    Listener(usize, usize),
    Flow(u64, Side),
    Talk(u64),
    Silence,
}

impl Relay {
    /// Begins to relay: each claim to a port of the container that `maker` makes sockets in.
    pub fn open(maker: SocketMaker, published: Vec<(Claim, u16)>) -> Result<Self, RelayError> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(io::Error::from)?;
        epoll.add(&maker, event(Source::Maker, EpollFlags::EPOLLIN)).map_err(io::Error::from)?;
        let spare = Some(File::open("/dev/null")?);
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let silence = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(io::Error::from)?;
        epoll.add(&silence, event(Source::Silence, EpollFlags::EPOLLIN)).map_err(io::Error::from)?;
        let mut relay = Self {
            epoll,
            published,
            maker,
            accepting: Accepting::No,
            waiting: VecDeque::new(),
            flows: BTreeMap::new(),
            next_flow: 0,
            talks: Talks::default(),
            silence,
            pipes: Pipes::default(),
            spare,
        };
        relay.accept_again()?;
        Ok(relay)
    }

    /// What is published: a port of the host, and a port of the container.
    pub fn published(&self) -> impl Iterator<Item = (&Claim, u16)> {
        self.published.iter().map(|(claim, port)| (claim, *port))
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.flows.len() + self.talks.count() + self.waiting.len()
    }

    /// Does what can be done, without waiting. If there is more, the descriptor stays readable.
    pub fn turn(&mut self) {
        let mut events = [EpollEvent::empty(); EVENTS];
        let count = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        for event in &events[..count] {
            match Source::of(event.data()) {
                Source::Maker => self.take_sockets(),
                Source::Listener(claim, nth) => {
                    match self.published.get(claim).map(|(claim, _)| claim.kind()) {
                        Some(SocketKind::Stream) => self.accept(claim, nth),
                        Some(SocketKind::Datagram) => self.listen(claim, nth),
                        None => {}
                    }
                }
                Source::Flow(id, side) => self.go_on(id, side, event.events()),
                Source::Talk(id) => self.answer(id),
                Source::Silence => self.forget_the_silent(),
            }
        }
        if self.accepting == Accepting::No
            && self.waiting.len() < WAITING / 2
            && let Err(error) = self.accept_again()
        {
            warn!(%error, "published ports stay closed");
        }
    }

    fn accept(&mut self, claim: usize, listener: usize) {
        let Some((claim, port)) = self.published.get(claim) else { return };
        let (Some(listener), port) = (claim.sockets().get(listener), *port) else { return };
        while self.waiting.len() < WAITING {
            match accept(listener.as_fd()).map(TcpStream::from) {
                Ok(client) => {
                    if client.set_nodelay(true).is_err() || self.maker.ask(SocketKind::Stream).is_err() {
                        debug!(port, "turned away: no socket can be asked for");
                        reset(&client);
                        continue;
                    }
                    self.waiting.push_back(Waiting::Client(client, port));
                }
                Err(Errno::EMFILE | Errno::ENFILE) => {
                    warn!(port, "a client is turned away: there are too many open files (ulimit -n)");
                    return turn_away(listener, &mut self.spare);
                }
                // Nobody is left, or one has left before it was its turn.
                Err(_) => return,
            }
        }
        self.stop_accepting();
    }

    /// Takes in datagrams. From a new client none can be taken while too many wait for a socket.
    fn listen(&mut self, claim: usize, nth: usize) {
        let Some((published, port)) = self.published.get(claim) else { return };
        let Some(socket) = published.sockets().get(nth) else { return };
        for _ in 0..DATAGRAMS {
            if self.waiting.len() >= WAITING {
                return self.stop_accepting();
            }
            match self.talks.hear((claim, nth), socket.as_fd()) {
                Heard::Nothing => break,
                Heard::Passed => {}
                Heard::New(id) if self.maker.ask(SocketKind::Datagram).is_ok() => {
                    self.waiting.push_back(Waiting::Talk(id, *port));
                }
                Heard::New(id) => self.talks.forget(id),
            }
        }
        if self.silence.get().is_ok_and(|timer| timer.is_none()) {
            self.forget_the_silent();
        }
    }

    fn answer(&mut self, id: u64) {
        let Some((claim, nth)) = self.talks.listener(id) else { return };
        let socket = self.published.get(claim).and_then(|(claim, _)| claim.sockets().get(nth));
        if let Some(socket) = socket {
            self.talks.answer(id, socket.as_fd(), DATAGRAMS);
        }
    }

    fn forget_the_silent(&mut self) {
        if let Some(rest) = self.talks.forget_the_silent() {
            let rest = Expiration::OneShot(TimeSpec::from_duration(rest));
            let _ = self.silence.set(rest, TimerSetTimeFlags::empty());
        }
    }

    fn take_sockets(&mut self) {
        loop {
            match self.maker.take() {
                Made::Nothing => return,
                Made::Socket(socket) => match self.waiting.pop_front() {
                    Some(Waiting::Client(client, port)) => self.connect(client, socket, port),
                    Some(Waiting::Talk(id, port)) => self.begin_talk(id, socket, port),
                    None => {}
                },
                Made::Failed(errno) => {
                    debug!(%errno, "turned away: no socket");
                    if let Some(waiting) = self.waiting.pop_front() {
                        self.disappoint(waiting);
                    }
                }
                Made::Gone => {
                    warn!("published ports lead nowhere: the process that makes sockets has died");
                    let _ = self.epoll.delete(&self.maker);
                    while let Some(waiting) = self.waiting.pop_front() {
                        self.disappoint(waiting);
                    }
                    return;
                }
            }
        }
    }

    fn connect(&mut self, client: TcpStream, socket: OwnedFd, port: u16) {
        let to = SockaddrIn::from(SocketAddrV4::new(self.address(), port));
        match connect(socket.as_raw_fd(), &to) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            // Nobody listens inside.
            Err(_) => return reset(&client),
        }
        let id = self.next_flow;
        self.next_flow += 1;
        let flow = Flow::new(client, socket.into());
        let none = Interests { client: EpollFlags::empty(), server: EpollFlags::empty() };
        self.flows.insert(id, (flow, none));
        self.go_on(id, Side::Server, EpollFlags::empty());
    }

    fn begin_talk(&mut self, id: u64, socket: OwnedFd, port: u16) {
        let to = SocketAddrV4::new(self.address(), port);
        let watched = match self.talks.connect(id, socket, to) {
            Some(socket) => self.epoll.add(socket, event(Source::Talk(id), EpollFlags::EPOLLIN)).is_ok(),
            None => return,
        };
        if !watched {
            self.talks.forget(id);
        }
    }

    fn disappoint(&mut self, waiting: Waiting) {
        match waiting {
            Waiting::Client(client, _) => reset(&client),
            Waiting::Talk(id, _) => self.talks.forget(id),
        }
    }

    fn address(&self) -> Ipv4Addr {
        self.maker.address()
    }

    fn go_on(&mut self, id: u64, side: Side, happened: EpollFlags) {
        let Some((flow, interests)) = self.flows.get_mut(&id) else { return };
        let over = flow.turn(side, happened, &mut self.pipes) == Course::Over || {
            let (before, now) = (*interests, flow.interests());
            *interests = now;
            let (client, server) = flow.sockets();
            let (at_client, at_server) = (Source::Flow(id, Side::Client), Source::Flow(id, Side::Server));
            let watched = watch(&self.epoll, client, at_client, before.client, now.client)
                .and_then(|()| watch(&self.epoll, server, at_server, before.server, now.server));
            if watched.is_err() {
                reset(client);
                reset(server);
            }
            watched.is_err()
        };
        if over {
            // Closing the last descriptor of a socket takes it out of the epoll.
            self.flows.remove(&id);
        }
    }

    fn stop_accepting(&mut self) {
        for (_, listener) in self.listeners() {
            let _ = self.epoll.delete(listener);
        }
        self.accepting = Accepting::No;
    }

    fn accept_again(&mut self) -> Result<(), RelayError> {
        for (source, listener) in self.listeners() {
            match self.epoll.add(listener, event(source, EpollFlags::EPOLLIN)) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
        }
        self.accepting = Accepting::Yes;
        Ok(())
    }

    fn listeners(&self) -> impl Iterator<Item = (Source, &OwnedFd)> {
        self.published.iter().enumerate().flat_map(|(place, (claim, _))| {
            let listeners = claim.sockets().iter().enumerate();
            listeners.map(move |(nth, listener)| (Source::Listener(place, nth), listener))
        })
    }
}

/// Readable when there is something to do, see [`Relay::turn`].
impl AsFd for Relay {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

impl Source {
    fn token(self) -> u64 {
        match self {
            Self::Maker => 0,
            Self::Silence => 1,
            Self::Listener(claim, listener) => 2 | (listener as u64) << 3 | (claim as u64) << 5,
            Self::Flow(id, Side::Client) => 3 | id << 4,
            Self::Flow(id, Side::Server) => 3 | 1 << 3 | id << 4,
            Self::Talk(id) => 4 | id << 3,
        }
    }

    fn of(token: u64) -> Self {
        let number = |bits: u64| usize::try_from(bits).unwrap_or(usize::MAX);
        match token & 7 {
            0 => Self::Maker,
            1 => Self::Silence,
            2 => Self::Listener(number(token >> 5), number(token >> 3 & 3)),
            3 if token & 8 == 0 => Self::Flow(token >> 4, Side::Client),
            3 => Self::Flow(token >> 4, Side::Server),
            _ => Self::Talk(token >> 3),
        }
    }
}

fn event(source: Source, flags: EpollFlags) -> EpollEvent {
    EpollEvent::new(flags, source.token())
}

/// What nothing is expected of is not watched at all: an end that has hung up would be reported for ever.
fn watch(
    epoll: &Epoll,
    socket: &TcpStream,
    source: Source,
    before: EpollFlags,
    now: EpollFlags,
) -> nix::Result<()> {
    let mut event = event(source, now);
    match (before.is_empty(), now.is_empty()) {
        _ if before == now => Ok(()),
        (true, _) => epoll.add(socket, event),
        (_, true) => epoll.delete(socket),
        (false, false) => epoll.modify(socket, &mut event),
    }
}

/// Takes one client with the descriptor that was kept for it, and lets it go again.
fn turn_away(listener: &OwnedFd, spare: &mut Option<File>) {
    *spare = None;
    if let Ok(client) = accept(listener.as_fd()) {
        reset(&client.into());
    }
    *spare = File::open("/dev/null").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_whose_it_is() {
        let sources = [
            Source::Maker,
            Source::Silence,
            Source::Listener(0, 0),
            Source::Listener(70, 1),
            Source::Flow(1 << 40, Side::Client),
            Source::Flow(1 << 40, Side::Server),
            Source::Talk(1 << 40),
        ];
        for source in sources {
            assert_eq!(Source::of(source.token()), source);
        }
    }
}
