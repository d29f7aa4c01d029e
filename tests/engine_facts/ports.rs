//! Ports: reserved at start and not at create, kept while paused, free as soon as a command that ends it is answered.

use std::time::Duration;

use terrarium::engine::Engine;
use terrarium::model::{ContainerSpec, Freezer, PortBinding, Protocol, Verb};
use terrarium::world::HttpRequest;

use crate::story::{ask, holds, host_with, pass};

#[test]
fn a_port_is_reserved_at_start_and_not_at_create() {
    holds(
        "
containers: { web: { publish: ['18086:80'] }, other: { publish: ['18086:80'] } }
steps:
  - create: [web, other]
    expect: { web: { ports: [] }, other: { ports: [] } }
  - start: web
    expect: { web: { ports: [18086] } }
  - start: other
    refused: port is already allocated
    expect: { other: { state: created, exit: 128, error: already allocated }, events: [] }
",
    );
}

#[test]
fn a_port_is_kept_while_paused() {
    holds(
        "
containers: { web: { publish: ['18086:80'] }, other: { publish: ['18086:80'] } }
steps:
  - run: web
  - pause: web
    expect: { web: { ports: [18086] } }
  - run: other
    refused: port is already allocated
",
    );
}

#[test]
fn a_port_is_free_at_the_moment_that_stop_kill_or_rm_replies() {
    for end in ["stop: web", "kill: web", "remove: { container: web, force: true }"] {
        holds(&format!(
            "
containers: {{ web: {{ publish: ['18086:80'] }}, other: {{ publish: ['18086:80'] }} }}
steps:
  - run: web
  - {end}
    expect: {{ web: {{ ports: [] }} }}
  - run: other
    expect: {{ other: {{ state: running, ports: [18086] }} }}
"
        ));
    }
}

#[test]
fn a_port_is_free_in_back_off() {
    holds(
        "
containers:
  web: { restart: always, publish: ['18086:80'], behavior: { exits: { after: 1s } } }
  other: { publish: ['18086:80'], behavior: { exits: { after: 50ms } } }
steps:
  - run: web
  - wait: { for: { container: web, state: restarting } }
  - run: other
    expect: { other: { state: running, ports: [18086] } }
  - wait: 100ms
    expect: { web: { state: running, ports: [18086] } }
",
    );
}

#[test]
fn an_ephemeral_port_is_another_one_after_a_restart() {
    holds(
        "
containers: { web: { publish: ['80'] } }
steps:
  - run: web
    expect: { web: { ports: [32768] } }
  - restart: { container: web, timeout: 0s }
    expect: { web: { ports: [32769] } }
",
    );
}

#[test]
fn two_addresses_can_share_a_port_and_so_can_tcp_and_udp() {
    holds(
        "
containers:
  one: { publish: ['127.0.0.1:18086:80'] }
  two: { publish: ['127.0.0.2:18086:80'] }
  udp: { publish: ['18086:80/udp'] }
  all: { publish: ['18086:80'] }
steps:
  - run: [one, two, udp]
  - run: all
    refused: port is already allocated
",
    );
}

#[test]
fn of_several_ports_it_holds_all_or_none() {
    holds(
        "
containers: { web: { publish: ['18087:80'] }, both: { publish: ['18086:80', '18087:81'] }, first: { publish: ['18086:80'] } }
steps:
  - run: web
  - run: both
    refused: port is already allocated
    expect: { both: { ports: [] } }
  - run: first
    expect: { first: { ports: [18086] } }
",
    );
}

#[test]
fn a_server_answers_and_a_port_with_nobody_behind_it_is_reset() {
    holds(
        "
containers:
  web: { publish: ['18086:80'], behavior: { listen: [80] } }
  deaf: { publish: ['18087:80'] }
steps:
  - request: http://127.0.0.1:18086/
    refused: connection refused
    expect: { error: refused }
  - run: [web, deaf]
  - request: http://127.0.0.1:18086/
    expect: { took: 0s, status: 200, body: 'web:80' }
  - request: http://127.0.0.1:18087/
    refused: connection reset
    expect: { error: reset }
",
    );
}

#[test]
fn a_client_of_a_paused_server_connects_and_hangs() {
    holds(
        "
containers: { web: { publish: ['18086:80'], behavior: { listen: [80] } } }
steps:
  - run: web
  - pause: web
  - request: { url: 'http://127.0.0.1:18086/', within: 2s }
    refused: timed out
    expect: { took: 2s, error: timed out }
  - unpause: web
  - request: http://127.0.0.1:18086/
    expect: { status: 200 }
",
    );
}

#[test]
fn a_client_that_waits_is_served_after_the_unpause() {
    let mut engine = host_with(Freezer::CgroupV2);
    let mut spec = ContainerSpec::default();
    spec.behavior.listen = vec![80];
    spec.publish = vec![PortBinding { ip: None, host: Some(18086), container: 80, protocol: Protocol::Tcp }];
    for verb in [Verb::Create(Box::new(spec)), Verb::Start, Verb::Pause] {
        ask(&mut engine, "web", verb);
    }
    let client = engine.request(&HttpRequest {
        url: "http://127.0.0.1:18086/".into(),
        method: "GET".into(),
        body: None,
        within: Duration::from_secs(10),
    });
    pass(&mut engine, Duration::from_millis(1500));
    assert_eq!(engine.response(client), None);
    ask(&mut engine, "web", Verb::Unpause);
    assert_eq!(engine.response(client).map(|response| response.map(|served| served.status)), Some(Ok(200)));
}
