//! A day in the life of 100 containers under restart policies: it has to take under two seconds, and no more memory as it goes on.

#![expect(clippy::print_stdout, reason = "what was measured is shown")]

use std::fs;
use std::time::{Duration, Instant};

use terrarium::engine::{Engine, Local, Passed};
use terrarium::model::{
    Behavior, Command, ContainerSpec, Exit, HealthCheck, HostFacts, Name, RestartPolicy, Verb,
};
use terrarium::world::simulated::Simulated;

const CONTAINERS: usize = 100;
const HOUR: Duration = Duration::from_secs(3600);
const HOURS: u32 = 24;
const AT_MOST: Duration = Duration::from_secs(2);
/// What the memory of a process may grow by between the second hour and the last, in KiB.
const NOISE: u64 = 512;

fn main() {
    let mut engine = Local::new(Simulated::new(HostFacts::ASSUMED));
    for (number, spec) in (0..CONTAINERS).zip(specs().iter().cycle()) {
        let container = Name::new(format!("c{number}")).expect("a letter begins it");
        for verb in [Verb::Create(Box::new(spec.clone())), Verb::Start] {
            engine.submit(&Command { container: container.clone(), verb });
        }
    }
    let began = Instant::now();
    let mut happened = 0;
    let mut memory = Vec::new();
    for hour in 1..=HOURS {
        while engine.advance(HOUR * hour) == Ok(Passed::Something) {
            // Who watches for days lets go of what has been read.
            if engine.happened().len() >= 10_000 {
                happened += engine.happened().len();
                engine.forget();
            }
        }
        memory.push(resident_kib());
    }
    happened += engine.happened().len();
    let took = began.elapsed();
    println!(
        "{CONTAINERS} containers, a day: {happened} events and transitions in {:.2} s",
        took.as_secs_f64()
    );
    println!("resident memory by the hour, in KiB: {memory:?}");
    if cfg!(debug_assertions) {
        return println!("not judged: this is not a release build");
    }
    assert!(took < AT_MOST, "a day took {took:?}, and has to take under {AT_MOST:?}");
    if let (Some(Some(early)), Some(Some(late))) = (memory.get(1), memory.last()) {
        assert!(late.saturating_sub(*early) <= NOISE, "memory grew from {early} to {late} KiB");
    }
}

/// Crash loops at the cap, crash loops that begin anew each time, healthy services, and failures that are given up.
fn specs() -> Vec<ContainerSpec> {
    let that = |restart, seconds, code| ContainerSpec {
        restart,
        behavior: Behavior {
            exits: Some(Exit { after: Duration::from_secs(seconds), code }),
            ..Behavior::default()
        },
        ..ContainerSpec::default()
    };
    let check = HealthCheck {
        test: vec!["true".into()],
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(30),
        retries: 3,
        start_period: Duration::ZERO,
    };
    vec![
        that(RestartPolicy::Always, 0, 1),
        that(RestartPolicy::Always, 11, 0),
        that(RestartPolicy::OnFailure { max: 0 }, 11, 1),
        that(RestartPolicy::UnlessStopped, 9, 3),
        ContainerSpec { health: Some(check), ..that(RestartPolicy::UnlessStopped, 3600, 0) },
        that(RestartPolicy::OnFailure { max: 5 }, 1, 1),
    ]
}

fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
