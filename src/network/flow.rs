//! One connection through the relay: two directions, each moved by splice(2), so that no byte is copied.
//!
//! Between two sockets splice needs a pipe. A direction borrows one for as long as it holds something that the other side does
//! not take yet; then nothing more is read, and the sender feels it.

use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::sys::epoll::EpollFlags;
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::pipe2;

/// What is moved at once: what a pipe holds, where the kernel gives as large a one. Four times the usual: the fewer turns it
/// takes, the less often an end has to wait for us.
const PIECE: usize = 256 << 10;
/// How many pieces one direction may move before others have their turn.
const PIECES_A_TURN: usize = 4;
/// After less than that there will hardly be more: to ask would cost a call, and the next event tells anyway.
const LITTLE: usize = 16 << 10;

/// A connection.
pub(super) struct Flow {
    client: TcpStream,
    server: TcpStream,
    phase: Phase,
    up: Direction,
    down: Direction,
}

/// What a flow waits for on its two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interests {
    pub(super) client: EpollFlags,
    pub(super) server: EpollFlags,
}

/// One of the two who talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    GoesOn,
    Over,
}

/// Empty pipes, for whoever needs one next.
#[derive(Default)]
pub(super) struct Pipes(Vec<Pipe>);

struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Connected,
}

/// From one socket to the other.
#[derive(Default)]
struct Direction {
    /// What has been read and not yet written, and how much.
    pipe: Option<Pipe>,
    held: usize,
    reading: Reading,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    More,
    /// There is no more, but the other side has not been told.
    Ended,
    Told,
}

impl Flow {
    /// Between a client that has been accepted and a server that is being connected to.
    pub(super) fn new(client: TcpStream, server: TcpStream) -> Self {
        let (up, down) = Default::default();
        Self { client, server, phase: Phase::Connecting, up, down }
    }

    pub(super) fn sockets(&self) -> (&TcpStream, &TcpStream) {
        (&self.client, &self.server)
    }

    /// What has to become possible before it can go on.
    pub(super) fn interests(&self) -> Interests {
        if self.phase == Phase::Connecting {
            return Interests { client: EpollFlags::empty(), server: EpollFlags::EPOLLOUT };
        }
        let of = |from: &Direction, to: &Direction| {
            let read = if from.wants_more() { EpollFlags::EPOLLIN } else { EpollFlags::empty() };
            let write = if to.held > 0 { EpollFlags::EPOLLOUT } else { EpollFlags::empty() };
            read | write
        };
        Interests { client: of(&self.up, &self.down), server: of(&self.down, &self.up) }
    }

    /// Moves what can be moved after something has happened at one side. What goes wrong there is told to the other by a reset.
    pub(super) fn turn(&mut self, side: Side, happened: EpollFlags, pipes: &mut Pipes) -> Course {
        self.try_turn(side, happened, pipes).unwrap_or_else(|_| {
            reset(&self.client);
            reset(&self.server);
            Course::Over
        })
    }

    fn try_turn(&mut self, side: Side, happened: EpollFlags, pipes: &mut Pipes) -> nix::Result<Course> {
        // What can be read at one side goes the one way, and what can be written there comes by the other.
        let (mut up, mut down) = match side {
            Side::Client => (happened != EpollFlags::EPOLLOUT, happened != EpollFlags::EPOLLIN),
            Side::Server => (happened != EpollFlags::EPOLLIN, happened != EpollFlags::EPOLLOUT),
        };
        if self.phase == Phase::Connecting {
            (up, down) = (true, true);
            match self.server.take_error() {
                Ok(None) if self.server.peer_addr().is_ok() => self.phase = Phase::Connected,
                Ok(None) => return Ok(Course::GoesOn),
                Ok(Some(_)) | Err(_) => return Err(Errno::ECONNREFUSED),
            }
        }
        if up {
            self.up.pump(&self.client, &self.server, pipes)?;
        }
        if down {
            self.down.pump(&self.server, &self.client, pipes)?;
        }
        let both = [&self.up, &self.down];
        Ok(if both.iter().all(|way| way.reading == Reading::Told) { Course::Over } else { Course::GoesOn })
    }
}

impl Direction {
    fn wants_more(&self) -> bool {
        self.held == 0 && self.reading == Reading::More
    }

    fn pump(&mut self, from: &TcpStream, to: &TcpStream, pipes: &mut Pipes) -> nix::Result<()> {
        for _ in 0..PIECES_A_TURN {
            if self.held == 0 && !self.fill(from, pipes)? {
                break;
            }
            let piece = self.held;
            if !self.empty(to, pipes)? {
                return Ok(());
            }
            if piece < LITTLE {
                break;
            }
        }
        if self.reading == Reading::Ended && self.held == 0 {
            // It may be gone already, which reading from it will say.
            let _ = to.shutdown(Shutdown::Write);
            self.reading = Reading::Told;
        }
        Ok(())
    }

    /// Reads a piece; says whether there was one.
    fn fill(&mut self, from: &TcpStream, pipes: &mut Pipes) -> nix::Result<bool> {
        if self.reading != Reading::More {
            return Ok(false);
        }
        let pipe = pipes.take()?;
        match transfer(from, &pipe.into, PIECE) {
            Ok(Some(0)) => self.reading = Reading::Ended,
            Ok(Some(length)) => {
                self.held = length;
                self.pipe = Some(pipe);
                return Ok(true);
            }
            Ok(None) => {}
            Err(errno) => return Err(errno),
        }
        pipes.give_back(pipe);
        Ok(false)
    }

    /// Writes what it holds; says whether all of it went.
    fn empty(&mut self, to: &TcpStream, pipes: &mut Pipes) -> nix::Result<bool> {
        while let Some(pipe) = &self.pipe {
            let Some(length) = transfer(&pipe.out, to, self.held)? else { return Ok(false) };
            self.held -= length.min(self.held);
            if self.held == 0
                && let Some(pipe) = self.pipe.take()
            {
                pipes.give_back(pipe);
            }
        }
        Ok(true)
    }
}

impl Pipes {
    /// As many as there may be in stock.
    const STOCK: usize = 16;

    fn take(&mut self) -> nix::Result<Pipe> {
        if let Some(pipe) = self.0.pop() {
            return Ok(pipe);
        }
        let (out, into) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        // A user who has many of them gets smaller ones, which do as well.
        let _ = fcntl(&into, FcntlArg::F_SETPIPE_SZ(i32::try_from(PIECE).unwrap_or(i32::MAX)));
        Ok(Pipe { out, into })
    }

    fn give_back(&mut self, pipe: Pipe) {
        if self.0.len() < Self::STOCK {
            self.0.push(pipe);
        }
    }
}

/// Ends a connection so that its peer is told that something went wrong.
pub(super) fn reset(socket: &TcpStream) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    let _ = setsockopt(socket, sockopt::Linger, &at_once);
}

/// None if it would have to wait.
fn transfer(from: impl AsFd, to: impl AsFd, length: usize) -> nix::Result<Option<usize>> {
    loop {
        match splice(&from, None, &to, None, length, SpliceFFlags::SPLICE_F_NONBLOCK) {
            Ok(moved) => return Ok(Some(moved)),
            Err(Errno::EAGAIN) => return Ok(None),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
