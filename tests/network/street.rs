//! Where the tests meet: a container whose servers live in the test, a relay that turns in a thread, and clients.

use std::io::{PipeWriter, pipe};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Backlog, SockaddrIn, bind, listen};
use terrarium::network::{Claim, Relay};
use terrarium::runtime::{Container, CreateOptions, Made, SocketKind, SocketMaker};

use crate::stage::{Actor, SOON, Stage, readable, while_making_children};

/// What containers have as their own address.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 80, 0, 2);
/// Where the servers are, inside.
pub(crate) const INSIDE: u16 = 8080;

/// A container whose port is published.
pub(crate) struct Street {
    pub(crate) actor: Actor,
    /// The port of the host.
    pub(crate) port: u16,
    turning: Option<(JoinHandle<Relay>, PipeWriter)>,
}

impl Street {
    pub(crate) fn new() -> Self {
        Self::at(resident(&["sleep", "1000"]))
    }

    pub(crate) fn at(actor: Actor) -> Self {
        Self::leading_from(Claim::tcp(None, None).unwrap(), actor)
    }

    pub(crate) fn leading_from(claim: Claim, actor: Actor) -> Self {
        let port = claim.port();
        let mut relay = Relay::open(maker(&actor.container), vec![(claim, INSIDE)]).unwrap();
        let (stop, stopper) = pipe().unwrap();
        let thread = thread::spawn(move || {
            loop {
                let mut both = [&relay.as_fd(), &stop.as_fd()].map(|fd| PollFd::new(*fd, PollFlags::POLLIN));
                poll(&mut both, PollTimeout::NONE).unwrap();
                if both[1].any() == Some(true) {
                    return relay;
                }
                relay.turn();
            }
        });
        Self { actor, port, turning: Some((thread, stopper)) }
    }

    /// A server in the container, on one of its addresses.
    pub(crate) fn server(&self, address: Ipv4Addr) -> TcpListener {
        let socket = socket_inside(&maker(&self.actor.container), SocketKind::Stream);
        bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(address, INSIDE))).unwrap();
        listen(&socket, Backlog::new(128).unwrap()).unwrap();
        let server = TcpListener::from(socket);
        server.set_nonblocking(false).unwrap();
        server
    }

    /// A client on the host.
    pub(crate) fn client(&self) -> TcpStream {
        patient(TcpStream::connect(("127.0.0.1", self.port)).unwrap())
    }

    /// A client, and the connection that the server got for it.
    pub(crate) fn connection(&self, server: &TcpListener) -> (TcpStream, TcpStream) {
        let client = self.client();
        readable(server.as_fd());
        (client, patient(server.accept().unwrap().0))
    }

    /// The relay, which does not turn any more.
    pub(crate) fn halt(&mut self) -> Relay {
        let (thread, stopper) = self.turning.take().unwrap();
        drop(stopper);
        thread.join().unwrap()
    }

    pub(crate) fn leave(mut self) {
        drop(self.halt());
        self.actor.strike();
    }
}

/// A container that has the address.
pub(crate) fn resident(arguments: &[&str]) -> Actor {
    let stage = Stage::new();
    let bundle = stage.bundle(arguments);
    let mut actor =
        stage.create_with(&bundle, CreateOptions { address: Some(ADDRESS), ..CreateOptions::default() });
    actor.start();
    actor
}

pub(crate) fn maker(container: &Container) -> SocketMaker {
    while_making_children(|| container.socket_maker(ADDRESS)).unwrap()
}

pub(crate) fn socket_inside(maker: &SocketMaker, kind: SocketKind) -> OwnedFd {
    maker.ask(kind).unwrap();
    readable(maker.as_fd());
    match maker.take() {
        Made::Socket(socket) => socket,
        other => panic!("{other:?}"),
    }
}

/// One that does not hang for ever where something is not as expected.
fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}
