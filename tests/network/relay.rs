//! What happens to connections between the host and a container.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{setsockopt, sockopt};
use terrarium::network::Claim;
use terrarium::runtime::{SocketKind, SocketMakerError};

use crate::stage::eventually;
use crate::street::{ADDRESS, Street, maker, resident};

fn text(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn is_reset(stream: &mut TcpStream) {
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
}

/// What nobody confuses with anything shifted, doubled or lost.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from((place ^ place >> 8 ^ place >> 16) & 0xff).unwrap()).collect()
}

#[test]
fn a_client_of_the_host_reaches_a_server_on_all_addresses() {
    let street = Street::new();
    let server = street.server(Ipv4Addr::UNSPECIFIED);
    let (mut client, mut inside) = street.connection(&server);
    client.write_all(b"ping").unwrap();
    let mut heard = [0; 4];
    inside.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"ping");
    inside.write_all(b"pong").unwrap();
    drop(inside);
    assert_eq!(text(&mut client), "pong");
    street.leave();
}

#[test]
fn ipv6_leads_there_too() {
    if TcpListener::bind(("::1", 0)).is_err() {
        println!("skipped: this host has no IPv6");
        return;
    }
    let street = Street::new();
    let server = street.server(Ipv4Addr::UNSPECIFIED);
    let mut client = TcpStream::connect(("::1", street.port)).unwrap();
    server.accept().unwrap().0.write_all(b"hello").unwrap();
    assert_eq!(text(&mut client), "hello");
    street.leave();
}

#[test]
fn what_listens_on_the_containers_127_0_0_1_is_out_of_reach() {
    let street = Street::new();
    let _server = street.server(Ipv4Addr::LOCALHOST);
    is_reset(&mut street.client());
    street.leave();
}

#[test]
fn where_nothing_listens_a_client_is_accepted_and_reset() {
    let street = Street::new();
    for _ in 0..100 {
        is_reset(&mut street.client());
    }
    street.leave();
}

#[test]
fn each_side_can_end_its_half_first() {
    let street = Street::new();
    let server = street.server(Ipv4Addr::UNSPECIFIED);
    let (mut client, mut inside) = street.connection(&server);
    client.write_all(b"all of it").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(text(&mut inside), "all of it");
    inside.write_all(b"understood").unwrap();
    drop(inside);
    assert_eq!(text(&mut client), "understood");

    let (mut client, mut inside) = street.connection(&server);
    inside.write_all(b"welcome").unwrap();
    inside.shutdown(Shutdown::Write).unwrap();
    assert_eq!(text(&mut client), "welcome");
    client.write_all(b"bye").unwrap();
    drop(client);
    assert_eq!(text(&mut inside), "bye");
    street.leave();
}

#[test]
fn a_reset_of_either_side_resets_the_other() {
    let street = Street::new();
    let server = street.server(Ipv4Addr::UNSPECIFIED);
    let abort = |stream: TcpStream| {
        setsockopt(&stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
    };
    let (mut client, inside) = street.connection(&server);
    abort(inside);
    is_reset(&mut client);
    let (client, mut inside) = street.connection(&server);
    abort(client);
    is_reset(&mut inside);
    street.leave();
}

#[test]
fn a_slow_reader_slows_the_writer_and_loses_nothing() {
    const MUCH: usize = 64 << 20;
    let street = Street::new();
    let server = street.server(Ipv4Addr::UNSPECIFIED);
    let (mut client, mut inside) = street.connection(&server);
    let all = pattern(MUCH);
    client.set_nonblocking(true).unwrap();
    let mut written = 0;
    // Nobody reads: at some point all buffers on the way are full, and stay so.
    eventually("the writer has to wait", || {
        let before = written;
        while let Ok(length) = client.write(&all[written..]) {
            written += length;
            if written == MUCH {
                break;
            }
        }
        written == before
    });
    assert!(written < MUCH, "somebody has taken all of it");
    client.set_nonblocking(false).unwrap();
    let reader = thread::spawn(move || {
        let mut read = Vec::new();
        inside.read_to_end(&mut read).unwrap();
        read
    });
    client.write_all(&all[written..]).unwrap();
    drop(client);
    assert!(reader.join().unwrap() == all, "what arrived is not what was sent");
    street.leave();
}

#[test]
fn many_connections_are_held_at_once_and_go_both_ways() {
    // Each takes four descriptors of this process, which has a thousand.
    const MANY: usize = 150;
    let mut street = Street::new();
    let server = street.server(Ipv4Addr::UNSPECIFIED);
    let mut held: Vec<_> = (0..MANY).map(|_| street.connection(&server)).collect();
    for (nth, (client, inside)) in held.iter_mut().enumerate() {
        client.write_all(&nth.to_be_bytes()).unwrap();
        let mut number = [0; size_of::<usize>()];
        inside.read_exact(&mut number).unwrap();
        inside.write_all(&number).unwrap();
        client.read_exact(&mut number).unwrap();
        assert_eq!(usize::from_be_bytes(number), nth);
    }
    let relay = street.halt();
    assert_eq!(relay.connections(), MANY);
    drop(relay);
    street.actor.strike();
}

#[test]
fn at_rest_nothing_wakes_it_up() {
    let mut street = Street::new();
    let server = street.server(Ipv4Addr::UNSPECIFIED);
    let (client, inside) = street.connection(&server);
    client.shutdown(Shutdown::Write).unwrap();
    (&inside).write_all(b"x").unwrap();
    (&client).read_exact(&mut [0]).unwrap();
    let mut relay = street.halt();
    relay.turn();
    relay.turn();
    assert_eq!(poll(&mut [PollFd::new(relay.as_fd(), PollFlags::POLLIN)], 50_u16).unwrap(), 0);
    drop(relay);
    street.actor.strike();
}

#[test]
fn a_relay_that_is_dropped_leaves_neither_a_port_nor_a_process() {
    let children = || std::fs::read_to_string("/proc/thread-self/children").unwrap();
    let actor = resident(&["sleep", "1000"]);
    let only_init = children();
    let mut street = Street::at(actor);
    assert_ne!(children(), only_init, "the maker is a process of ours");
    assert_eq!(street.actor.container.processes().len(), 1, "and not of the container's");
    let port = street.port;
    assert!(Claim::tcp(None, Some(port)).is_err());
    drop(street.halt());
    assert_eq!(children(), only_init);
    Claim::tcp(None, Some(port)).unwrap();
    street.actor.strike();
}

#[test]
fn a_maker_survives_the_container_and_keeps_nothing_of_it_alive() {
    let mut actor = resident(&["sleep", "1000"]);
    let maker = maker(&actor.container);
    actor.container.kill_all().unwrap();
    actor.end();
    let error = actor.container.socket_maker(ADDRESS).unwrap_err();
    assert!(matches!(error, SocketMakerError::Ended), "{error}");
    actor.container.delete().unwrap();
    maker.ask(SocketKind::Stream).unwrap();
}
