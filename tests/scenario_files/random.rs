//! Random scenarios: every action, every claim, every field of a container, and texts that YAML could mistake.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use proptest::{collection, option, prelude::*, sample::select};
use terrarium::{
    engine::planted::Break,
    model::{
        Access, Behavior, Children, ContainerSpec, Exit, Feat, FileDeed, HealthCheck, HealthPhase, Memory,
        Name, NetworkMode, PortBinding, Protocol, Reaction, RestartPolicy, Signal, State, StopTimeout,
        VolumeMount,
    },
    scenario::{
        Action, AskedSignal, Awaited, Build, ContainerExpect, CpuExpect, Crash, EventPattern, Events, Exec,
        Expect, HealthState, Kill, Lesson, MemoryExpect, Order, Place, Remove, Rename, Request, Rule,
        Scenario, Step, Stop, Tag, Text, Update, WaitExit, WaitFor,
    },
};

/// A scenario that is valid: it begins by running everything that it declares.
pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    let rules = || collection::vec(rule(), 0..3);
    let meta = (text(), option::of(text()), option::of(lesson()));
    let steps = collection::vec(step(), 0..24);
    (meta, specs(), steps, (rules(), rules(), rules(), planted())).prop_map(
        |((title, about, lesson), containers, mut steps, (always, never, eventually, planted))| {
            let all: Vec<Name> = containers.keys().cloned().collect();
            let begin = |action| Step {
                action,
                say: None,
                ask: None,
                expect: None,
                refused: None,
                place: Place::default(),
            };
            steps.insert(0, begin(Action::Run(all.clone())));
            steps.insert(
                1,
                begin(Action::Async(Box::new(Action::Stop(Stop {
                    containers: all,
                    timeout: None,
                    signal: None,
                })))),
            );
            Scenario { title, about, lesson, containers, steps, always, never, eventually, planted }
        },
    )
}

fn planted() -> impl Strategy<Value = Option<Break>> {
    option::weighted(0.2, select(Break::ALL))
}

fn specs() -> impl Strategy<Value = BTreeMap<Name, ContainerSpec>> {
    collection::vec(spec(), NAMES.len()).prop_map(|specs| {
        NAMES.iter().map(|name| Name::new(*name).expect("each is one")).zip(specs).collect()
    })
}

/// Names that look like other things in YAML.
const NAMES: [&str; 4] = ["web", "no", "0x1f-a", "a.b_c"];

fn name() -> impl Strategy<Value = Name> {
    select(&NAMES[..]).prop_map(|name| Name::new(name).expect("each is one"))
}

fn names() -> impl Strategy<Value = Vec<Name>> {
    collection::vec(name(), 1..4)
}

/// Texts that a careless writer of YAML would forget to quote.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,40}",
        "[ -~가-힣\n]{1,60}",
        select(vec![
            "no",
            "true",
            "null",
            "~",
            "10",
            "1e3",
            "0x1f",
            ": ",
            "# not a comment",
            "- item",
            "*a",
            "&a",
            "!t",
            "a: b",
            " lead",
            "trail ",
            "'",
            "\"",
            "tab\there",
            "line\n",
            "\n\nlines\n\n",
            "%",
            "@",
            "`",
            "{",
            "[",
            "|",
            ">",
            "1.10",
            "2024-01-01",
            "=",
            "<<"
        ])
        .prop_map(str::to_owned),
    ]
}

fn text() -> impl Strategy<Value = Text> {
    let said = || words().prop_filter("says something", |text| !text.trim().is_empty());
    prop_oneof![
        said().prop_map(Text::Plain),
        collection::btree_map(select(vec!["en".to_owned(), "ko".into(), "no".into()]), words(), 1..3)
            .prop_map(Text::ByLanguage),
    ]
}

fn lesson() -> impl Strategy<Value = Lesson> {
    (any::<u32>(), collection::vec(text(), 0..3), any::<Option<u32>>(), option::of(text()))
        .prop_map(|(order, teaches, minutes, notes)| Lesson { order, teaches, minutes, notes })
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        select(vec![Duration::ZERO, Duration::from_secs(30), Duration::from_secs(60)]),
        (0..100_000_u64).prop_map(Duration::from_millis),
        (0..u64::from(u32::MAX), 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
    ]
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (0..4096_u64).prop_map(|mib| mib << 20),
        (0..4096_u64).prop_map(|mb| mb * 1_000_000)
    ]
}

fn signal() -> impl Strategy<Value = Signal> {
    (1..=64).prop_map(|n| Signal::from_number(n).expect("1 to 64 are signals"))
}

fn exit() -> impl Strategy<Value = Exit> {
    (duration(), any::<u8>()).prop_map(|(after, code)| Exit { after, code })
}

fn policy() -> impl Strategy<Value = RestartPolicy> {
    prop_oneof![
        Just(RestartPolicy::No),
        any::<u32>().prop_map(|max| RestartPolicy::OnFailure { max }),
        Just(RestartPolicy::Always),
        Just(RestartPolicy::UnlessStopped),
    ]
}

fn grace() -> impl Strategy<Value = StopTimeout> {
    prop_oneof![duration().prop_map(StopTimeout::After), Just(StopTimeout::Never)]
}

fn spec() -> impl Strategy<Value = ContainerSpec> {
    let program = (
        select(vec!["lab", "localhost:5000/a/b:1"]),
        option::of(collection::vec(words(), 0..3)),
        option::of(collection::vec(words(), 0..3)),
        collection::btree_map("[A-Z]{1,4}", words(), 0..3),
        (option::of(words()), option::of(words()), option::of(words())),
    );
    let outside = (
        collection::vec(binding(), 0..3),
        collection::vec(volume(), 0..3),
        policy(),
        prop_oneof![Just(NetworkMode::Bridge), Just(NetworkMode::None), Just(NetworkMode::Host),],
        option::of(health_check()),
    );
    let limits = (
        option::of(signal()),
        option::of(grace()),
        option::of(size()),
        option::of(1..1_000_000_u32),
        any::<Option<u32>>(),
    );
    let flags = any::<[bool; 3]>();
    (program, outside, limits, flags, behavior()).prop_map(
        |(
            (image, command, entrypoint, env, (workdir, user, hostname)),
            (publish, volumes, restart, network, health),
            (stop_signal, stop_timeout, memory, cpus, pids),
            [init, auto_remove, read_only],
            behavior,
        )| ContainerSpec {
            image: image.to_owned(),
            command,
            entrypoint,
            env,
            workdir,
            user,
            hostname,
            publish,
            volumes,
            restart,
            stop_signal,
            stop_timeout,
            memory,
            cpus,
            pids,
            init,
            auto_remove,
            read_only,
            network,
            health,
            behavior,
            ..ContainerSpec::default()
        },
    )
}

fn binding() -> impl Strategy<Value = PortBinding> {
    let ip = select(vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16])]);
    (option::of(ip), option::of(1..=u16::MAX), 1..=u16::MAX, select(vec![Protocol::Tcp, Protocol::Udp]))
        .prop_map(|(ip, host, container, protocol)| PortBinding { ip, host, container, protocol })
}

fn volume() -> impl Strategy<Value = VolumeMount> {
    ("/?[a-z]{1,5}", "/[a-z/]{0,5}", select(vec![Access::ReadWrite, Access::ReadOnly]))
        .prop_map(|(source, target, access)| VolumeMount { source, target, access })
}

fn health_check() -> impl Strategy<Value = HealthCheck> {
    (collection::vec(words(), 0..3), duration(), duration(), any::<u32>(), duration()).prop_map(
        |(test, interval, timeout, retries, start_period)| HealthCheck {
            test,
            interval,
            timeout,
            retries,
            start_period,
        },
    )
}

fn behavior() -> impl Strategy<Value = Behavior> {
    let memory = (size(), prop_oneof![Just(Duration::ZERO), duration()])
        .prop_map(|(size, after)| Memory { size, after });
    let children = (any::<u32>(), option::of(size()), option::of(exit()), any::<bool>())
        .prop_map(|(count, memory, exits, reap)| Children { count, memory, exits, reap });
    let reaction =
        prop_oneof![Just(Reaction::Ignore), Just(Reaction::Handle), exit().prop_map(Reaction::Exit)];
    let phase = (duration(), any::<bool>()).prop_map(|(lasts, ok)| HealthPhase { lasts, ok });
    let deed = select(vec![("write", "/note"), ("read", "/etc/group"), ("delete", "/bin/true")])
        .prop_map(|(word, path)| FileDeed::of(word, path).unwrap());
    let once = (
        0..200_u32,
        option::of(memory),
        collection::vec(1..=u16::MAX, 0..3),
        (option::of(words()), collection::vec(select(Feat::ALL.to_vec()), 0..3), collection::vec(deed, 0..3)),
        option::of(children),
        option::of(exit()),
        collection::vec(phase, 0..3),
        collection::btree_map(signal(), reaction, 0..3),
    )
        .prop_map(|(cpu, memory, listen, (output, tries, files), children, exits, health, signals)| {
            Behavior {
                cpu,
                memory,
                listen,
                output,
                tries,
                files,
                children,
                exits,
                health,
                signals,
                runs: Vec::new(),
            }
        });
    once.prop_recursive(2, 6, 3, |inner| {
        collection::vec(inner, 1..3).prop_map(|runs| Behavior { runs, ..Behavior::default() })
    })
}

fn step() -> impl Strategy<Value = Step> {
    let said = || (option::of(text()), option::of(text()));
    prop_oneof![
        5 => (action(), said(), option::of(expect())).prop_map(|(action, (say, ask), expect)| Step {
            action,
            say,
            ask,
            expect,
            refused: None,
            place: Place::default()
        }),
        1 => (refused_action(), said(), "[a-z]{1,5}").prop_map(|(action, (say, ask), refused)| Step {
            action,
            say,
            ask,
            expect: None,
            refused: Some(refused),
            place: Place::default()
        }),
    ]
}

fn refused_action() -> impl Strategy<Value = Action> {
    (names(), "[A-Z]{1,3}!").prop_map(|(containers, signal)| {
        Action::Kill(Kill { containers, signal: Some(AskedSignal::Unknown(signal)) })
    })
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        on_names(),
        on_one(),
        on_images(),
        Just(Action::Reboot),
        duration().prop_map(Action::Wait),
        on_names().prop_map(|action| match action {
            Action::Join(names) => Action::Join(names),
            action => Action::Async(Box::new(action)),
        }),
    ]
}

fn on_names() -> impl Strategy<Value = Action> {
    prop_oneof![
        names().prop_map(Action::Create),
        names().prop_map(Action::Start),
        names().prop_map(Action::Pause),
        names().prop_map(Action::Unpause),
        names().prop_map(Action::Join),
        (names(), option::of(grace())).prop_map(|(containers, timeout)| Action::Stop(Stop {
            containers,
            timeout,
            signal: None
        })),
        (names(), option::of(grace())).prop_map(|(containers, timeout)| Action::Restart(Stop {
            containers,
            timeout,
            signal: None
        })),
        (names(), option::of(signal().prop_map(AskedSignal::Known)))
            .prop_map(|(containers, signal)| Action::Kill(Kill { containers, signal })),
        (names(), any::<bool>()).prop_map(|(containers, force)| Action::Remove(Remove { containers, force })),
        (names(), collection::vec(words(), 1..4))
            .prop_map(|(containers, command)| Action::Exec(Exec { containers, command })),
        (names(), policy(), option::of(size()), option::of(1..9999_u32), any::<Option<u32>>()).prop_map(
            |(containers, restart, memory, cpus, pids)| {
                Action::Update(Update { containers, restart: Some(restart), memory, cpus, pids })
            }
        ),
        (names(), signal())
            .prop_map(|(containers, signal)| Action::Crash(Crash::Process { containers, signal })),
        (names(), duration())
            .prop_map(|(containers, within)| Action::WaitExit(WaitExit { containers, within })),
    ]
}

fn on_one() -> impl Strategy<Value = Action> {
    prop_oneof![
        (name(), name()).prop_map(|(container, to)| Action::Rename(Rename { container, to })),
        name().prop_map(|name| Action::Crash(Crash::Keeper(name))),
        (name(), state(), duration()).prop_map(|(container, state, within)| {
            Action::WaitFor(WaitFor { awaited: Awaited { container, state }, within })
        }),
        (select(vec!["GET", "POST"]), option::of(words()), duration()).prop_map(|(method, body, within)| {
            let url = "http://127.0.0.1:8080/a?b=c#d".to_owned();
            Action::Request(Request { url, method: method.to_owned(), body, within })
        }),
    ]
}

fn on_images() -> impl Strategy<Value = Action> {
    let image = || "[a-z]{1,5}(:[0-9]{1,2})?";
    let images = move || collection::vec(image(), 1..3);
    prop_oneof![
        (image(), image()).prop_map(|(image, to)| Action::Tag(Tag { image, to })),
        (image(), option::of(words())).prop_map(|(image, file)| {
            Action::Build(Build {
                image,
                from: "a b".into(),
                file: file.map(Into::into),
                context: terrarium::world::images::Context::default(),
            })
        }),
        images().prop_map(Action::Push),
        images().prop_map(Action::Pull),
        images().prop_map(Action::RemoveImage),
    ]
}

fn state() -> impl Strategy<Value = State> {
    select(State::ALL.to_vec()).prop_filter("can be waited for", |state| *state != State::Creating)
}

/// Claims that make sense after every action.
fn expect() -> impl Strategy<Value = Expect> {
    let pattern = (
        name(),
        select(vec![("kill", "SIGTERM"), ("die", "137"), ("health_status", "healthy"), ("stop", "")]),
    )
        .prop_map(|(container, (action, detail))| EventPattern {
            container,
            action: action.to_owned(),
            detail: (!detail.is_empty()).then(|| detail.to_owned()),
        });
    let events = (collection::vec(pattern, 0..4), select(vec![Order::Exact, Order::Any]))
        .prop_map(|(list, order)| Events { list, order });
    (option::of(words()), option::of(events), conditions()).prop_map(|(output, events, containers)| Expect {
        output,
        events,
        containers,
        ..Expect::default()
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    conditions()
        .prop_filter("has a condition", |containers| !containers.is_empty())
        .prop_map(|containers| Rule { containers, place: Place::default() })
}

fn conditions() -> impl Strategy<Value = BTreeMap<Name, ContainerExpect>> {
    collection::btree_map(name(), condition(), 0..3)
}

fn condition() -> impl Strategy<Value = ContainerExpect> {
    let cpu =
        prop_oneof![Just(CpuExpect::Idle), Just(CpuExpect::Busy), (0..200_u32).prop_map(CpuExpect::Percent)];
    let memory = prop_oneof![size().prop_map(MemoryExpect::More), size().prop_map(MemoryExpect::Less)];
    let health =
        select(vec![HealthState::None, HealthState::Starting, HealthState::Healthy, HealthState::Unhealthy]);
    let counts = (any::<Option<u8>>(), any::<Option<bool>>(), any::<Option<u32>>(), any::<Option<u64>>());
    let ports = option::of(collection::vec(1..=u16::MAX, 0..3));
    (
        option::of(state()),
        counts,
        option::of(cpu),
        option::of(memory),
        ports,
        option::of(health),
        option::of(words()),
    )
        .prop_map(|(state, (exit, oom, restarts, processes), cpu, memory, ports, health, error)| {
            ContainerExpect { state, exit, oom, restarts, processes, cpu, memory, ports, health, error }
        })
}
