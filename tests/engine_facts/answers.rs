//! Every command is answered: random ones to two names, at random moments, with crashes and reboots in between.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use terrarium::engine::{Engine, Local};
use terrarium::model::{
    Behavior, Command, ContainerSpec, ExecSpec, Exit, Freezer, HealthCheck, Limits, Name, PortBinding,
    Protocol, Reaction, Removal, RestartPolicy, Signal, StopTimeout, Ticket, Verb,
};
use terrarium::world::simulated::Simulated;

use crate::story::{host_with, pass};

/// One thing that may come at any moment.
#[derive(Clone, Debug)]
enum Move {
    Ask(&'static str, Verb),
    Strike(Signal),
    Pass(Duration),
    Reboot,
}

fn moves() -> impl Strategy<Value = Move> {
    let grace = |timeout| {
        prop::option::of(timeout)
            .prop_map(|seconds| seconds.map(|s| StopTimeout::After(Duration::from_secs(s))))
    };
    let verb = prop_oneof![
        specs().prop_map(|spec| Verb::Create(Box::new(spec))),
        Just(Verb::Start),
        Just(Verb::Start),
        Just(Verb::Pause),
        Just(Verb::Unpause),
        grace(0..3_u64).prop_map(|timeout| Verb::Stop { timeout, signal: None }),
        grace(0..3_u64).prop_map(|timeout| Verb::Restart { timeout, signal: None }),
        prop::sample::select(vec![9, 10, 15, 18, 19])
            .prop_map(|number| Verb::Kill { signal: Signal::from_number(number).unwrap() }),
        Just(Verb::Remove(Removal::Gentle)),
        Just(Verb::Remove(Removal::Forced)),
        Just(Verb::Rename { to: Name::new("other").unwrap() }),
        Just(Verb::Rename { to: Name::new("web").unwrap() }),
        Just(Verb::Update { restart: Some(RestartPolicy::Always), limits: Limits::default() }),
        Just(Verb::Update { restart: None, limits: Limits { memory: Some(1 << 20), ..Limits::default() } }),
        Just(Verb::Exec(ExecSpec::of(&["sleep".into(), "1".into()]))),
        Just(Verb::Wait),
    ];
    prop_oneof![
        12 => (prop::sample::select(vec!["web", "other"]), verb).prop_map(|(name, verb)| Move::Ask(name, verb)),
        1 => Just(Move::Strike(Signal::KILL)),
        6 => prop::sample::select(vec![0, 1, 100, 1000, 11_000]).prop_map(|millis| Move::Pass(Duration::from_millis(millis))),
        1 => Just(Move::Reboot),
    ]
}

fn specs() -> impl Strategy<Value = ContainerSpec> {
    let policy = prop::sample::select(vec![
        RestartPolicy::No,
        RestartPolicy::OnFailure { max: 2 },
        RestartPolicy::Always,
        RestartPolicy::UnlessStopped,
    ]);
    let exits = prop::option::of((0..3_u64, 0..2_u8))
        .prop_map(|exit| exit.map(|(seconds, code)| Exit { after: Duration::from_secs(seconds), code }));
    let port = PortBinding { ip: None, host: Some(18088), container: 80, protocol: Protocol::Tcp };
    let check = HealthCheck {
        test: vec!["true".into()],
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        retries: 1,
        start_period: Duration::from_secs(2),
    };
    let bits = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (policy, exits, bits).prop_map(move |(restart, exits, (auto_remove, traps, publishes, checked))| {
        ContainerSpec {
            restart,
            auto_remove,
            publish: if publishes { vec![port.clone()] } else { vec![] },
            health: checked.then(|| check.clone()),
            behavior: Behavior {
                exits,
                signals: if traps {
                    [(Signal::TERM, Reaction::Exit(Exit { after: Duration::from_millis(500), code: 0 }))]
                        .into()
                } else {
                    BTreeMap::new()
                },
                ..Behavior::default()
            },
            ..ContainerSpec::default()
        }
    })
}

fn play(engine: &mut Local<Simulated>, moves: &[Move]) -> Vec<(Ticket, Verb)> {
    let mut asked = Vec::new();
    for one in moves {
        match one {
            Move::Ask(name, verb) => {
                let command = Command { container: Name::new(*name).unwrap(), verb: verb.clone() };
                asked.push((engine.submit(&command), verb.clone()));
            }
            Move::Strike(signal) => engine.strike(&Name::new("web").unwrap(), *signal),
            Move::Pass(time) => pass(engine, *time),
            Move::Reboot => {
                engine.reboot();
            }
        }
    }
    asked
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_command_is_answered_whatever_comes_between_and_nothing_is_left(
        freezer in prop::sample::select(vec![Freezer::CgroupV2, Freezer::CgroupV1, Freezer::Signals]),
        moves in prop::collection::vec(moves(), 1..25),
    ) {
        let mut engine = host_with(freezer);
        let mut asked = play(&mut engine, &moves);
        pass(&mut engine, Duration::from_secs(30));
        for container in engine.names() {
            let removal = Verb::Remove(Removal::Forced);
            asked.push((engine.submit(&Command { container, verb: removal.clone() }), removal));
        }
        pass(&mut engine, Duration::from_secs(30));
        for (ticket, verb) in asked {
            prop_assert!(engine.answer(ticket).is_some(), "{verb:?} was never answered");
        }
        prop_assert_eq!(engine.names(), vec![]);
        prop_assert_eq!(engine.left_behind(), vec![""; 0]);
    }
}
