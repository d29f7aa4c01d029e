//! Who is in a random life: containers with policies, behaviours and limits of every kind that its stage can act out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::chance::Chance;
use super::Venue;
use crate::model::{
    Behavior, Children, ContainerSpec, Exit, HealthCheck, HealthPhase, Memory, Name, PortBinding, Protocol,
    Reaction, RestartPolicy, Signal, StopTimeout,
};

const NAMES: [&str; 3] = ["a", "b", "c"];
const MIB: u64 = 1 << 20;

/// One to three containers.
pub(super) fn cast(chance: &mut Chance, venue: Venue) -> BTreeMap<Name, ContainerSpec> {
    let count = chance.pick(&[1, 1, 1, 2, 2, 3]);
    let names = NAMES.iter().take(count).map(|name| Name::new(*name).expect("a letter begins it"));
    names.map(|name| (name, member(chance, venue))).collect()
}

fn member(chance: &mut Chance, venue: Venue) -> ContainerSpec {
    let auto_remove = chance.percent(8);
    let restart = if auto_remove { RestartPolicy::No } else { policy(chance, venue) };
    let mut spec = ContainerSpec {
        restart,
        auto_remove,
        init: chance.percent(12),
        stop_signal: chance.percent(12).then(|| signal(chance)),
        stop_timeout: Some(StopTimeout::After(grace(chance, venue))),
        behavior: behavior(chance, venue),
        ..ContainerSpec::default()
    };
    if venue == Venue::Simulator {
        spec.stop_timeout = spec.stop_timeout.filter(|_| chance.percent(60));
        if chance.percent(25) {
            spec.publish = vec![PortBinding {
                ip: None,
                host: Some(chance.pick(&[18081, 18081, 18082])),
                container: 80,
                protocol: Protocol::Tcp,
            }];
        }
        if chance.percent(10) {
            spec.command = Some(vec!["nosuchcommand".into()]);
        }
        if chance.percent(10) {
            spec.memory = Some(chance.pick(&[16, 64]) * MIB);
        }
        if chance.percent(10) {
            spec.health = Some(health(chance));
            spec.behavior.health = vec![
                HealthPhase { lasts: Duration::from_secs(2), ok: chance.percent(50) },
                HealthPhase { lasts: Duration::from_secs(5), ok: chance.percent(50) },
            ];
        }
    }
    spec
}

/// On a real engine a container that goes on crashing takes its time, and races with whoever looks at it.
fn policy(chance: &mut Chance, venue: Venue) -> RestartPolicy {
    let some = [
        RestartPolicy::No,
        RestartPolicy::No,
        RestartPolicy::No,
        RestartPolicy::OnFailure { max: 1 },
        RestartPolicy::OnFailure { max: 2 },
        RestartPolicy::Always,
        RestartPolicy::UnlessStopped,
    ];
    match venue {
        Venue::Simulator => chance.pick(&some),
        Venue::Kernel | Venue::Docker => chance.pick(&some[..5]),
    }
}

fn grace(chance: &mut Chance, venue: Venue) -> Duration {
    match venue {
        Venue::Simulator => chance.millis(&[0, 500, 1000, 3000, 12_000]),
        Venue::Kernel => chance.millis(&[700, 1000]),
        Venue::Docker => chance.millis(&[1000, 1000, 2000]),
    }
}

fn signal(chance: &mut Chance) -> Signal {
    let number = chance.pick(&[2, 10, 15]);
    Signal::from_number(number).expect("each is one")
}

/// What ends by itself does so at once or late, never while a step is on its way.
fn behavior(chance: &mut Chance, venue: Venue) -> Behavior {
    let mut behavior = Behavior::default();
    if chance.percent(60) {
        behavior.signals = reactions(chance);
    }
    if chance.percent(35) {
        behavior.exits = Some(Exit { after: lifetime(chance, venue), code: chance.pick(&[0, 1, 3]) });
    }
    if chance.percent(15) {
        behavior.children =
            Some(Children { count: chance.pick(&[1, 2, 3]), memory: None, exits: None, reap: true });
    }
    if chance.percent(15) {
        behavior.memory = Some(Memory { size: 20 * MIB, after: Duration::ZERO });
    }
    if venue == Venue::Simulator && chance.percent(20) {
        behavior.cpu = chance.pick(&[30, 100]);
    }
    if venue == Venue::Simulator && chance.percent(10) {
        let second = Behavior { exits: None, ..behavior.clone() };
        return Behavior { runs: vec![behavior, second], ..Behavior::default() };
    }
    behavior
}

fn lifetime(chance: &mut Chance, venue: Venue) -> Duration {
    match venue {
        Venue::Simulator => chance.millis(&[0, 100, 1000, 4000, 11_000]),
        Venue::Kernel | Venue::Docker => chance.millis(&[0, 0, 100]),
    }
}

fn reactions(chance: &mut Chance) -> BTreeMap<Signal, Reaction> {
    let mut reactions = BTreeMap::new();
    for number in [15, 10, 2, 1] {
        if !chance.percent(if number == 15 { 80 } else { 20 }) {
            continue;
        }
        let reaction = match chance.below(10) {
            0 => Reaction::Ignore,
            1 => Reaction::Handle,
            2..=5 => Reaction::Exit(Exit { after: Duration::ZERO, code: chance.pick(&[0, 0, 7]) }),
            _ => Reaction::Exit(Exit { after: Duration::from_millis(300), code: chance.pick(&[0, 5]) }),
        };
        reactions.insert(Signal::from_number(number).expect("each is one"), reaction);
    }
    reactions
}

fn health(chance: &mut Chance) -> HealthCheck {
    HealthCheck {
        test: vec!["true".into()],
        interval: chance.millis(&[1000, 3000]),
        timeout: Duration::from_secs(1),
        retries: chance.pick(&[1, 2]),
        start_period: chance.millis(&[0, 3000]),
    }
}
