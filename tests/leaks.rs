//! Random lives, one after another, leave nothing: what the host shows of them before the first and after the last is the same.
//!
//! They are the simulator's lives, in which anything happens at any time, in a hurry: nobody compares how they go. All are lived by
//! this process, so whatever they leave is its own: its children, its descriptors, what carries its number. It is its own lab
//! program, too, and therefore has no harness. How many: `TERRARIUM_LEAK_LIVES`; which: `TERRARIUM_LEAK_SEED`. With
//! `TERRARIUM_ALONE` the counts of the whole host have to be the same as well: on a machine where nobody else does anything.
#![allow(clippy::unwrap_used, reason = "a test, though without test functions")]
#![allow(clippy::print_stdout, reason = "it says what it counts")]

#[cfg(all(target_os = "linux", feature = "linux"))]
fn main() -> std::process::ExitCode {
    if std::env::args_os().next().is_some_and(|argv0| terrarium::lab::is_lab(&argv0)) {
        return terrarium::lab::main(std::env::args_os());
    }
    kernel::many_lives_leave_nothing();
    std::process::ExitCode::SUCCESS
}

#[cfg(not(all(target_os = "linux", feature = "linux")))]
fn main() {
    println!("skipped: lives on a kernel, this is not Linux or was built without its part");
}

#[cfg(all(target_os = "linux", feature = "linux"))]
mod kernel {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::net::TcpListener;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use terrarium::check::lives::{Venue, life};
    use terrarium::engine::Local;
    use terrarium::model::{Behavior, ContainerSpec, Limits, Reaction, StopTimeout};
    use terrarium::runtime::{Cgroups, Controller};
    use terrarium::scenario::replay::Stage;
    use terrarium::scenario::{Action, Scenario};
    use terrarium::world::linux::{Linux, Obstacle};

    /// Enough to notice a leak in every life.
    const LIVES: u64 = 24;
    /// Nothing lasts longer, where a life says how long.
    const BRIEF: Duration = Duration::from_millis(60);
    /// The ports that lives publish.
    const PORTS: [u16; 2] = [18081, 18082];

    type Counts = BTreeMap<&'static str, usize>;

    pub(crate) fn many_lives_leave_nothing() {
        let asked = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
        let lives = asked("TERRARIUM_LEAK_LIVES").unwrap_or(LIVES);
        let seed = asked("TERRARIUM_LEAK_SEED").unwrap_or(1);
        // What lost its parent comes to us, and is counted.
        nix::sys::prctl::set_child_subreaper(true).unwrap();
        let root = tempfile::Builder::new().prefix("terrarium-leaks-").tempdir().unwrap();
        let can = Cgroups::detect().can_limit();
        let ports: Vec<u16> = PORTS.iter().map(|_| free_port()).collect();

        // The first takes what is taken once: the model's tables, the memory of the allocator, descriptors of libraries.
        if let Err(obstacle) = live(&hurried(life(seed, 0, Venue::Simulator), &can, &ports), root.path()) {
            println!("skipped: random lives that leave nothing, {obstacle}");
            return;
        }
        let (ours, whole) = (of_ours(root.path()), of_the_host());
        let (began, mut steps, mut left, mut passed_over) = (Instant::now(), 0, Vec::new(), 0);
        for number in 1..=lives {
            let life = hurried(life(seed, number, Venue::Simulator), &can, &ports);
            steps += life.steps.len();
            match live(&life, root.path()) {
                Ok(remains) => left.extend(remains.into_iter().map(|what| format!("life {number}: {what}"))),
                // Somebody else has taken it meanwhile.
                Err(Obstacle::Port(_)) => passed_over += 1,
                Err(other) => panic!("life {number}: {other}"),
            }
        }
        let took = began.elapsed().as_secs_f64();
        let (ours_after, whole_after) = (of_ours(root.path()), of_the_host());

        println!("{} lives of seed {seed}, {steps} steps, in {took:.1} s", lives - passed_over);
        told("of them", &ours, &ours_after);
        told("on the host", &whole, &whole_after);
        assert_eq!(left, Vec::<String>::new());
        assert_eq!(ours, ours_after, "what is left of them");
        assert!(passed_over * 10 <= lives, "{passed_over} lives found no free port");
        if std::env::var_os("TERRARIUM_ALONE").is_some() {
            assert_eq!(whole, whole_after, "what is left on the host, if nobody else does anything there");
        }
        println!("test result: ok. 1 passed; 0 failed; random lives leave nothing");
    }

    /// Lives one life, and says what the world itself finds left of it.
    fn live(life: &Scenario, root: &Path) -> Result<Vec<String>, Obstacle> {
        let world = Linux::open(Some(root), &life.containers)?;
        let mut stage = Stage::exact(Local::new(world), life);
        for (index, step) in life.steps.iter().enumerate() {
            stage.play(index + 1, step).expect("nobody interrupts a test");
        }
        Ok(stage.clear().expect("nobody interrupts a test"))
    }

    /// The same life without its long waits, and with nothing that this host cannot give.
    fn hurried(mut life: Scenario, can: &BTreeSet<Controller>, ports: &[u16]) -> Scenario {
        for spec in life.containers.values_mut() {
            hurry(spec, can, ports);
        }
        for step in &mut life.steps {
            // What was refused in the simulator may be in time here.
            step.refused = None;
            hurry_action(&mut step.action, can);
        }
        life
    }

    fn hurry(spec: &mut ContainerSpec, can: &BTreeSet<Controller>, ports: &[u16]) {
        let grace = match spec.stop_timeout {
            Some(StopTimeout::After(grace)) => brief(grace),
            _ => BRIEF,
        };
        spec.stop_timeout = Some(StopTimeout::After(grace));
        if !can.contains(&Controller::Memory) {
            spec.memory = None;
        }
        if let Some(health) = &mut spec.health {
            for time in [&mut health.interval, &mut health.timeout, &mut health.start_period] {
                *time = brief(*time);
            }
        }
        for port in &mut spec.publish {
            let nth = PORTS.iter().position(|usual| port.host == Some(*usual));
            port.host = nth.map(|nth| ports[nth]);
        }
        hurry_behavior(&mut spec.behavior);
    }

    fn hurry_behavior(behavior: &mut Behavior) {
        let exits = behavior.signals.values_mut().filter_map(|reaction| match reaction {
            Reaction::Exit(exit) => Some(exit),
            Reaction::Ignore | Reaction::Handle => None,
        });
        for exit in exits.chain(&mut behavior.exits) {
            exit.after = brief(exit.after);
        }
        behavior.runs.iter_mut().for_each(hurry_behavior);
    }

    fn hurry_action(action: &mut Action, can: &BTreeSet<Controller>) {
        match action {
            Action::Wait(time) => *time = brief(*time),
            Action::Stop(stop) | Action::Restart(stop) => {
                if let Some(StopTimeout::After(grace)) = &mut stop.timeout {
                    *grace = brief(*grace);
                }
            }
            Action::Update(update) if !can.contains(&Controller::Memory) => {
                update.memory = Limits::default().memory;
            }
            Action::Async(inner) => hurry_action(inner, can),
            _ => {}
        }
    }

    fn brief(time: Duration) -> Duration {
        (time / 40).min(BRIEF)
    }

    fn free_port() -> u16 {
        TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
    }

    /// What there is that can only be this process's doing.
    fn of_ours(root: &Path) -> Counts {
        let own = std::process::id().to_string();
        let beneath = root.display().to_string();
        let processes = descendants();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let cgroups = cgroups().into_iter().filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            path.display().to_string().contains("terrarium") && name.split('-').any(|part| part == own)
        });
        BTreeMap::from([
            ("processes", processes.len()),
            ("zombies", processes.iter().filter(|pid| state_of(pid) == Some('Z')).count()),
            ("threads", entries("/proc/self/task").len()),
            ("descriptors", entries("/proc/self/fd").len()),
            ("mounts", mounts.lines().filter(|line| line.contains(&beneath)).count()),
            ("cgroups", cgroups.count()),
            ("network namespaces", network_namespaces(&[processes, vec!["self".into()]].concat())),
            ("files", files_in(root)),
        ])
    }

    /// What there is on the host, whoever's it is.
    fn of_the_host() -> Counts {
        let all: Vec<String> = entries("/proc")
            .into_iter()
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
            .collect();
        // The kernel's own come and go with its work.
        let processes: Vec<String> =
            all.into_iter().filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok()).collect();
        let zombies = entries("/proc").iter().filter(|pid| state_of(pid) == Some('Z')).count();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        BTreeMap::from([
            ("network namespaces", network_namespaces(&processes)),
            ("processes", processes.len()),
            ("zombies", zombies),
            ("mounts", mounts.lines().count()),
            ("cgroups", cgroups().len()),
            ("network interfaces", entries("/sys/class/net").len()),
            ("files", ["/run/terrarium", "/tmp", "/var/tmp"].iter().map(|path| entries(path).len()).sum()),
        ])
    }

    fn told(whose: &str, before: &Counts, after: &Counts) {
        let row = |(what, count): (&&str, &usize)| format!("{what} {count} → {}", after[*what]);
        println!("{whose}: {}", before.iter().map(row).collect::<Vec<_>>().join(", "));
    }

    fn entries(directory: impl AsRef<Path>) -> Vec<String> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    fn files_in(directory: &Path) -> usize {
        let inside = |entry: fs::DirEntry| {
            let deeper = entry.file_type().is_ok_and(|kind| kind.is_dir());
            1 + if deeper { files_in(&entry.path()) } else { 0 }
        };
        fs::read_dir(directory).into_iter().flatten().flatten().map(inside).sum()
    }

    /// All that descend from this process, the dead ones among them, too.
    fn descendants() -> Vec<String> {
        let children = |pid: &str| {
            let threads = entries(format!("/proc/{pid}/task")).into_iter();
            let lists = threads
                .filter_map(|thread| fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).ok());
            lists
                .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        let mut all = children("self");
        let mut next = 0;
        while let Some(pid) = all.get(next).cloned() {
            all.extend(children(&pid));
            next += 1;
        }
        all
    }

    fn state_of(pid: &str) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// Those in which these processes are, and those that they only hold open.
    fn network_namespaces(processes: &[String]) -> usize {
        let mut found = BTreeSet::new();
        for pid in processes {
            let held =
                entries(format!("/proc/{pid}/fd")).into_iter().map(|fd| format!("/proc/{pid}/fd/{fd}"));
            let all = held.chain([format!("/proc/{pid}/ns/net")]);
            let names = all.filter_map(|path| fs::read_link(path).ok());
            found.extend(names.filter(|name: &PathBuf| name.to_string_lossy().starts_with("net:[")));
        }
        found.len()
    }

    /// All directories of all hierarchies.
    fn cgroups() -> Vec<PathBuf> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let is_one = |line: &&str| line.contains(" - cgroup ") || line.contains(" - cgroup2 ");
        let mut all: Vec<PathBuf> = mounts
            .lines()
            .filter(is_one)
            .filter_map(|line| line.split(' ').nth(4))
            .map(PathBuf::from)
            .collect();
        all.sort();
        all.dedup();
        let mut next = 0;
        while let Some(directory) = all.get(next).cloned() {
            let inside = fs::read_dir(directory).into_iter().flatten().flatten();
            all.extend(
                inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()),
            );
            next += 1;
        }
        all
    }
}
