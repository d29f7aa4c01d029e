//! The lab's own server, published, while its container is paused.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use terrarium::lab::image;
use terrarium::model::Behavior;
use terrarium::runtime::{Bundle, CreateOptions, Root};

use crate::stage::{SOON, Stage, eventually, while_writing_programs};
use crate::street::{ADDRESS, INSIDE, Street};

#[test]
fn a_client_of_a_paused_server_waits_and_is_served_afterwards() {
    let program = Path::new(env!("CARGO_BIN_EXE_terrarium"));
    if let Err(error) = fs::File::open(program) {
        println!("skipped: the lab program cannot be read by this user, {error}");
        return;
    }
    let stage = Stage::new();
    let lab = stage.path().join("lab");
    while_writing_programs(|| {
        fs::create_dir(&lab).unwrap();
        image::assemble_from(program, &lab).unwrap();
    });
    fs::set_permissions(&lab, Permissions::from_mode(0o755)).unwrap();
    let Bundle { mut spec, .. } = stage.bundle(&["lab"]);
    let process = spec.process_mut().as_mut().unwrap();
    let behavior = Behavior { listen: vec![INSIDE], ..Behavior::default() };
    let mut env = process.env().clone().unwrap();
    env.push(format!("TERRARIUM_BEHAVIOR={}", serde_json::to_string(&behavior).unwrap()));
    process.set_env(Some(env));
    let options = CreateOptions { address: Some(ADDRESS), ..CreateOptions::default() };
    let mut actor = stage.create_with(&Bundle { spec, root: Root::Directory(lab) }, options);
    actor.start();
    let mut street = Street::at(actor);

    let ask = |street: &Street| {
        let mut client = street.client();
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        client
    };
    let answer = |mut client: std::net::TcpStream| {
        let mut answer = String::new();
        client.read_to_string(&mut answer).map(|_| answer)
    };
    // It listens a moment after it has been executed.
    eventually("it serves", || answer(ask(&street)).is_ok_and(|answer| answer.ends_with("lab:8080\n")));

    street.actor.container.pause().unwrap();
    eventually("frozen", || street.actor.container.frozen().unwrap());
    let mut waiting = ask(&street);
    waiting.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(waiting.read(&mut [0]).is_err(), "it is connected, and nobody answers");
    street.actor.container.resume().unwrap();
    waiting.set_read_timeout(Some(SOON)).unwrap();
    assert!(answer(waiting).unwrap().ends_with("lab:8080\n"));
    street.leave();
}
