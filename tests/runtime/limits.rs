//! What a container may use at most, and what happens when it wants more.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};
use terrarium::runtime::{
    Bundle, Cgroups, Controller, CreateOptions, ExitStatus, Freezer, LimitError, Limits, create,
};

use crate::stage::{Actor, SOON, Stage, cgroup_name, eventually, readable, while_making_children};

const MIB: u64 = 1 << 20;
const NONE: i64 = -1;
const FREEZERS: [Freezer; 3] = [Freezer::CgroupV2, Freezer::CgroupV1, Freezer::Signals];

/// Holds about forty megabytes.
const HOLD: &str = "x=0123456789abcdef; i=0; while [ $i -lt 20 ]; do x=$x$x; i=$((i+1)); done";
const BUSY: &str = "echo ready; while :; do :; done";

/// A stage on which this can be limited; says so if there is none.
fn stage(controller: Controller, freezer: Freezer) -> Option<Stage> {
    let cgroups = match Cgroups::with(freezer) {
        Ok(cgroups) => cgroups,
        Err(error) => {
            println!("skipped: {freezer:?}, {error}");
            return None;
        }
    };
    if !cgroups.can_limit().contains(&controller) {
        println!("skipped: limits on {controller} with {freezer:?}, this host has none for this user");
        return None;
    }
    Some(Stage::with(cgroups))
}

fn best() -> Freezer {
    Cgroups::detect().freezer()
}

fn memory(bytes: i64) -> LinuxResources {
    let mut memory = LinuxMemory::default();
    memory.set_limit(Some(bytes));
    let mut resources = nothing();
    resources.set_memory(Some(memory));
    resources
}

fn quota(micros: i64) -> LinuxResources {
    let mut cpu = LinuxCpu::default();
    cpu.set_quota(Some(micros)).set_period(Some(100_000));
    let mut resources = nothing();
    resources.set_cpu(Some(cpu));
    resources
}

fn pids(count: i64) -> LinuxResources {
    let mut pids = LinuxPids::default();
    pids.set_limit(count);
    let mut resources = nothing();
    resources.set_pids(Some(pids));
    resources
}

fn nothing() -> LinuxResources {
    let mut resources = LinuxResources::default();
    resources.set_devices(None);
    resources
}

fn limited(stage: &Stage, script: &str, resources: LinuxResources) -> Bundle {
    let mut bundle = stage.bundle(&["sh", "-c", script]);
    bundle.spec.linux_mut().as_mut().unwrap().set_resources(Some(resources));
    bundle
}

fn play(stage: Stage, script: &str, resources: LinuxResources) -> Actor {
    let bundle = limited(&stage, script, resources);
    let mut actor = stage.create(&bundle);
    actor.start();
    actor
}

fn tell(actor: &Actor) {
    actor.container.kill(Signal::SIGUSR1 as i32).unwrap();
}

fn oom_word(actor: &Actor) {
    readable(actor.container.oom_event_fd().unwrap());
}

#[test]
fn a_process_over_its_memory_limit_is_killed_and_that_is_counted() {
    for freezer in FREEZERS {
        let Some(stage) = stage(Controller::Memory, freezer) else { continue };
        let mut actor = play(stage, HOLD, memory(8 << 20));
        oom_word(&actor);
        assert_eq!(actor.end(), ExitStatus::Signaled(9));
        assert_eq!(actor.container.oom_kills(), 1);
        actor.container.delete().unwrap();
    }
}

#[test]
fn a_child_is_killed_and_pid_1_lives() {
    for freezer in FREEZERS {
        let Some(stage) = stage(Controller::Memory, freezer) else { continue };
        let script = format!("exec 2>/dev/null; ({HOLD}); echo $?; while :; do sleep 1000; done");
        let mut actor = play(stage, &script, memory(8 << 20));
        assert_eq!(actor.line(), "137");
        oom_word(&actor);
        assert_eq!(actor.container.oom_kills(), 1);
        eventually("nothing more to say", || {
            actor.container.oom_kills();
            let word = PollFd::new(actor.container.oom_event_fd().unwrap(), PollFlags::POLLIN);
            poll(&mut [word], PollTimeout::ZERO).unwrap() == 0
        });
        assert_eq!(actor.container.reap().unwrap(), None);
        actor.strike();
    }
}

#[test]
fn a_plain_kill_is_no_oom_kill() {
    let Some(stage) = stage(Controller::Memory, best()) else { return };
    let mut actor = play(stage, "sleep 1000", memory(64 << 20));
    actor.container.kill(Signal::SIGKILL as i32).unwrap();
    assert_eq!(actor.end(), ExitStatus::Signaled(9));
    assert_eq!(actor.container.oom_kills(), 0);
    actor.container.delete().unwrap();
}

#[test]
fn a_memory_limit_is_raised_and_lowered_while_it_runs() {
    for (at_create, later, killed) in [(8 << 20, 256 * MIB, 0), (NONE, 8 * MIB, 1)] {
        let Some(stage) = stage(Controller::Memory, best()) else { return };
        let script =
            format!("trap '{HOLD}; echo held; exit 3' USR1; echo ready; while :; do sleep 0.01; done");
        let mut actor = play(stage, &script, memory(at_create));
        assert_eq!(actor.line(), "ready");
        actor.container.limit(Limits { memory: Some(later), ..Limits::default() }).unwrap();
        tell(&actor);
        let end = if killed == 0 { ExitStatus::Exited(3) } else { ExitStatus::Signaled(9) };
        assert_eq!(actor.end(), end);
        assert_eq!(actor.container.oom_kills(), killed);
        actor.container.delete().unwrap();
    }
}

/// Time that goes by until it has used so much more.
fn time_to_use(actor: &Actor, cpu_time: Duration) -> Duration {
    let begin = Instant::now();
    let before = actor.container.cpu_time().unwrap();
    eventually("CPU time", || actor.container.cpu_time().unwrap() >= before + cpu_time);
    begin.elapsed()
}

/// With a twentieth of a CPU.
fn a_quota_holds_it_back(mut actor: Actor) {
    let piece = Duration::from_millis(50);
    // In the first periods the kernel is generous.
    time_to_use(&actor, piece);
    // It should take twenty times as long, and more on a busy machine.
    let held_back = time_to_use(&actor, piece);
    assert!(held_back > 8 * piece, "{piece:?} in {held_back:?}");
    actor.container.limit(Limits { cpus: Some(1000), ..Limits::default() }).unwrap();
    eventually("room for more", || time_to_use(&actor, piece) < 8 * piece);
    actor.strike();
}

#[test]
fn a_cpu_quota_holds_a_busy_process_back_until_it_is_raised() {
    for freezer in FREEZERS {
        let Some(stage) = stage(Controller::Cpu, freezer) else { continue };
        let mut actor = play(stage, BUSY, quota(5000));
        assert_eq!(actor.line(), "ready");
        a_quota_holds_it_back(actor);
    }
}

#[test]
fn a_quota_comes_late_and_holds_all_processes_back() {
    for freezer in FREEZERS {
        let Some(stage) = stage(Controller::Cpu, freezer) else { continue };
        let script = format!("({BUSY}) & {BUSY}");
        let mut actor = play(stage, &script, nothing());
        assert_eq!([actor.line(), actor.line()], ["ready", "ready"]);
        actor.container.limit(Limits { cpus: Some(50), ..Limits::default() }).unwrap();
        a_quota_holds_it_back(actor);
    }
}

const FORKS: &str = "trap 'sleep 1000 & echo forked' USR1; echo ready; while :; do :; done";

/// The shell leaves when it cannot fork.
fn cannot_fork(mut actor: Actor) {
    tell(&actor);
    assert_eq!(actor.end(), ExitStatus::Exited(2));
    let output = actor.output();
    assert!(output.contains("fork") && !output.contains("forked"), "{output}");
    actor.container.delete().unwrap();
}

#[test]
fn beyond_its_pids_limit_nothing_forks() {
    for freezer in FREEZERS {
        let Some(stage) = stage(Controller::Pids, freezer) else { continue };
        let mut actor = play(stage, FORKS, pids(2));
        assert_eq!(actor.line(), "ready");
        tell(&actor);
        assert_eq!(actor.line(), "forked");
        assert_eq!(actor.container.processes().len(), 2);
        cannot_fork(actor);
    }
}

#[test]
fn a_pids_limit_is_raised_and_lowered_while_it_runs() {
    let Some(stage) = stage(Controller::Pids, best()) else { return };
    let mut actor = play(stage, FORKS, pids(1));
    assert_eq!(actor.line(), "ready");
    for limit in [2, 3] {
        actor.container.limit(Limits { pids: Some(limit), ..Limits::default() }).unwrap();
        tell(&actor);
        assert_eq!(actor.line(), "forked");
    }
    actor.container.limit(Limits { pids: Some(1), ..Limits::default() }).unwrap();
    cannot_fork(actor);
}

#[test]
fn a_pids_limit_comes_late_and_counts_who_is_there() {
    for freezer in FREEZERS {
        let Some(stage) = stage(Controller::Pids, freezer) else { continue };
        let mut actor = play(stage, FORKS, nothing());
        assert_eq!(actor.line(), "ready");
        tell(&actor);
        assert_eq!(actor.line(), "forked");
        actor.container.limit(Limits { pids: Some(2), ..Limits::default() }).unwrap();
        cannot_fork(actor);
    }
}

#[test]
fn a_memory_limit_that_comes_late_counts_all_or_is_refused() {
    let Some(stage) = stage(Controller::Memory, best()) else { return };
    let mut actor = play(stage, &format!("{HOLD}; {BUSY}"), nothing());
    assert_eq!(actor.line(), "ready");
    assert!(actor.container.oom_event_fd().is_none());
    match actor.container.limit(Limits { memory: Some(8 * MIB), ..Limits::default() }) {
        Ok(()) => {
            assert_eq!(actor.end(), ExitStatus::Signaled(9));
            assert_eq!(actor.container.oom_kills(), 1);
            actor.container.delete().unwrap();
        }
        Err(error) => {
            assert!(matches!(error, LimitError::TooLate), "{error}");
            assert!(error.to_string().contains("create it with a limit"), "{error}");
            actor.strike();
        }
    }
}

#[test]
fn a_value_that_the_kernel_does_not_take_is_named_and_leaves_nothing() {
    let Some(stage) = stage(Controller::Cpu, best()) else { return };
    let run = Run::new(&stage);
    let bundle = limited(&stage, "true", quota(10));
    let error = run.create(&bundle).unwrap_err().to_string();
    assert!(error.contains("quotas from 1 ms"), "{error}");
    assert_eq!(run.remains(), 0);
}

#[test]
fn a_limit_that_this_host_cannot_enforce_is_refused_before_anything_is_made() {
    let cgroups = Cgroups::detect();
    if cgroups.can_limit().len() == 3 {
        println!("skipped: limits that cannot be enforced, this host can do all of them");
        return;
    }
    let stage = Stage::with(cgroups.clone());
    let run = Run::new(&stage);
    for (controller, words, resources) in [
        (Controller::Memory, "memory", memory(64 << 20)),
        (Controller::Cpu, "CPU time", quota(20_000)),
        (Controller::Pids, "the number of processes", pids(20)),
    ] {
        if !cgroups.can_limit().contains(&controller) {
            let error = run.create(&limited(&stage, "true", resources)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("cannot limit {words}: ")), "{error}");
            assert!(error.ends_with(')'), "{error}");
        }
    }
    assert_eq!(run.remains(), 0);
}

/// A directory of cgroups in which containers are made that nobody waits for.
struct Run {
    cgroups: Cgroups,
    name: PathBuf,
}

impl Run {
    fn new(stage: &Stage) -> Self {
        Self { cgroups: stage.cgroups.clone(), name: cgroup_name() }
    }

    fn create(
        &self,
        bundle: &Bundle,
    ) -> Result<terrarium::runtime::Container, terrarium::runtime::CreateError> {
        let options = CreateOptions { cgroup: self.name.join("0"), ..CreateOptions::default() };
        while_making_children(|| create(bundle, &self.cgroups, options))
    }

    fn remains(&self) -> usize {
        self.cgroups.remains(&self.name).len()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.cgroups.clear(&self.name);
    }
}

/// All that this host has.
fn everything(cgroups: &Cgroups) -> LinuxResources {
    let mut all = nothing();
    for controller in cgroups.can_limit() {
        match controller {
            Controller::Memory => all.set_memory(*memory(64 << 20).memory()),
            Controller::Cpu => all.set_cpu(quota(50_000).cpu().clone()),
            Controller::Pids => all.set_pids(*pids(20).pids()),
        };
    }
    all
}

/// Where cgroups of this name still are, in whatever hierarchy.
fn found(name: &Path) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let hierarchies = mounts.lines().filter(|line| line.contains(" - cgroup"));
    let tops = hierarchies.map(|line| PathBuf::from(line.split(' ').nth(4).unwrap()));
    tops.map(|top| top.join(name)).filter(|path| path.exists()).collect()
}

#[test]
fn nothing_is_left_in_any_hierarchy() {
    for freezer in FREEZERS {
        let Ok(cgroups) = Cgroups::with(freezer) else { continue };
        let stage = Stage::with(cgroups);
        let run = Run::new(&stage);
        let bundle = limited(&stage, "sleep 1000", everything(&stage.cgroups));
        let mut container = run.create(&bundle).unwrap();
        assert!(run.remains() >= stage.cgroups.can_limit().len().min(1));
        container.kill_all().unwrap();
        eventually("its end", || container.reap().unwrap().is_some());
        container.delete().unwrap();
        assert_eq!(run.remains(), 0);
        drop(run.create(&bundle).unwrap());
        assert_eq!(run.remains(), 0);
        run.cgroups.clear(&run.name).unwrap();
        assert_eq!(found(&run.name), Vec::<PathBuf>::new());
    }
}

#[test]
fn what_nobody_keeps_any_more_is_cleared_from_all_hierarchies() {
    for freezer in FREEZERS {
        let Ok(cgroups) = Cgroups::with(freezer) else { continue };
        let stage = Stage::with(cgroups);
        let run = Run::new(&stage);
        let container = run.create(&limited(&stage, "sleep 1000", everything(&stage.cgroups))).unwrap();
        let init = container.pid();
        // As after a keeper that was killed, but for the init, which is still this process's child.
        std::mem::forget(container);
        if stage.cgroups.can_limit().is_empty() && freezer == Freezer::Signals {
            nix::sys::signal::kill(init, Signal::SIGKILL).unwrap();
        } else {
            run.cgroups.clear(&run.name).unwrap();
        }
        let begin = Instant::now();
        waitpid(init, None).unwrap();
        assert!(begin.elapsed() < SOON);
        assert_eq!(found(&run.name), Vec::<PathBuf>::new());
    }
}
