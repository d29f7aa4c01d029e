//! Datagrams between the host and a container.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{SockaddrIn, bind};
use terrarium::network::Claim;
use terrarium::runtime::SocketKind;

use crate::stage::{SOON, eventually};
use crate::street::{ADDRESS, INSIDE, Street, maker, resident, socket_inside};

fn server(street: &Street) -> UdpSocket {
    let socket = socket_inside(&maker(&street.actor.container), SocketKind::Datagram);
    bind(socket.as_raw_fd(), &SockaddrIn::from(std::net::SocketAddrV4::new(ADDRESS, INSIDE))).unwrap();
    let server = UdpSocket::from(socket);
    server.set_nonblocking(false).unwrap();
    server.set_read_timeout(Some(SOON)).unwrap();
    server
}

fn client(street: &Street, address: &str) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket.connect((address, street.port)).unwrap();
    socket
}

fn street() -> Street {
    Street::leading_from(Claim::udp(None, None).unwrap(), resident(&["sleep", "1000"]))
}

#[test]
fn each_client_is_answered_and_nobody_else_hears_it() {
    let street = street();
    let server = server(&street);
    let clients: Vec<UdpSocket> = (0..3).map(|_| client(&street, "127.0.0.1")).collect();
    let mut bytes = [0; 16];
    for (nth, client) in clients.iter().enumerate() {
        client.send(&[u8::try_from(nth).unwrap(); 3]).unwrap();
    }
    for _ in &clients {
        let (length, from) = server.recv_from(&mut bytes).unwrap();
        server.send_to(&bytes[..length], from).unwrap();
    }
    for (nth, client) in clients.iter().enumerate() {
        let length = client.recv(&mut bytes).unwrap();
        assert_eq!(bytes[..length], [u8::try_from(nth).unwrap(); 3]);
    }
    street.leave();
}

#[test]
fn an_answer_comes_from_the_address_that_was_asked() {
    let street = street();
    let server = server(&street);
    // A connected socket hears only whom it is connected to.
    let client = client(&street, "127.0.0.2");
    client.send(b"ping").unwrap();
    let mut bytes = [0; 16];
    let (_, from) = server.recv_from(&mut bytes).unwrap();
    server.send_to(b"pong", from).unwrap();
    assert_eq!(client.recv(&mut bytes).unwrap(), 4);
    street.leave();
}

#[test]
fn a_datagram_to_a_paused_container_is_answered_after_the_unpause() {
    let mut street = street();
    let server = server(&street);
    street.actor.container.pause().unwrap();
    eventually("frozen", || street.actor.container.frozen().unwrap());
    let client = client(&street, "127.0.0.1");
    client.send(b"ping").unwrap();
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut bytes = [0; 16];
    assert!(client.recv(&mut bytes).is_err(), "whoever could answer stands still");
    street.actor.container.resume().unwrap();
    let (length, from) = server.recv_from(&mut bytes).unwrap();
    assert_eq!(&bytes[..length], b"ping");
    server.send_to(b"pong", from).unwrap();
    client.set_read_timeout(Some(SOON)).unwrap();
    let length = client.recv(&mut bytes).unwrap();
    assert_eq!(&bytes[..length], b"pong");
    street.leave();
}

#[test]
fn where_nothing_listens_a_datagram_is_lost_and_the_next_is_not() {
    let street = street();
    let client = client(&street, "127.0.0.1");
    client.send(b"lost").unwrap();
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    client.recv(&mut [0; 16]).unwrap_err();
    client.set_read_timeout(Some(SOON)).unwrap();
    let server = server(&street);
    client.send(b"heard").unwrap();
    let mut bytes = [0; 16];
    let (length, from) = server.recv_from(&mut bytes).unwrap();
    assert_eq!(&bytes[..length], b"heard");
    server.send_to(b"yes", from).unwrap();
    assert_eq!(client.recv(&mut bytes).unwrap(), 3);
    street.leave();
}

#[test]
fn a_large_datagram_arrives_whole() {
    let street = street();
    let server = server(&street);
    let client = client(&street, "127.0.0.1");
    let large: Vec<u8> = (0..60_000_u32).map(|place| place.to_le_bytes()[0]).collect();
    client.send(&large).unwrap();
    let mut bytes = vec![0; 65_535];
    let (length, _) = server.recv_from(&mut bytes).unwrap();
    assert_eq!(bytes[..length], large);
    street.leave();
}
