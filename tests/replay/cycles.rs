//! Starts and stops without end, of a container with published ports: nothing of them adds up.

use crate::theatre::{Theatre, is_forbidden};

/// How often; more with `TERRARIUM_CYCLES`.
const CYCLES: usize = 25;

#[test]
fn many_starts_and_stops_leave_no_link_address_rule_or_listener() {
    if is_forbidden("starts and stops without end") {
        return;
    }
    let wanted = std::env::var("TERRARIUM_CYCLES").ok().and_then(|number| number.parse().ok());
    let cycle = "  - stop: { container: web, timeout: 0s }\n    expect: { web: { ports: [] } }\n  \
                 - start: web\n    expect: { web: { ports: [19701, 19702] } }\n";
    let theatre = Theatre::new();
    let story = theatre.story(&format!(
        "title: Again and again\ncontainers:\n  web: {{ publish: [\"19701:80\", \"19702:80/udp\"], \
         behavior: {{ listen: [80] }} }}\nsteps:\n  - run: web\n{}  - request: http://localhost:19701/\n    \
         expect: {{ status: 200 }}\n  - remove: {{ container: web, force: true }}\n",
        cycle.repeat(wanted.unwrap_or(CYCLES)),
    ));
    // Its last line counts what the host still shows of it.
    theatre.replay(&[&story]).timeout(std::time::Duration::from_secs(600)).assert().success();
    assert_eq!(theatre.remains(), Vec::<std::path::PathBuf>::new());
    // Whatever still listened there would hold the ports.
    std::net::TcpListener::bind(("0.0.0.0", 19701)).unwrap();
    std::net::UdpSocket::bind(("0.0.0.0", 19702)).unwrap();
}
