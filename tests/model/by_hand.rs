//! What the simulator is too quick for: observations fed by hand, one by one, and the effects in their order.

use std::time::Duration;

use terrarium::model::{
    Command, ContainerSpec, Effect, Ending, ExecId, ExecSpec, Freezer, Id, Limits, MemorySwap, Name,
    Observation, Oom, PortBinding, Protocol, Removal, RestartPolicy, Signal, State, Ticket, Timer, Verb,
    Within,
};

use crate::hand::{Hand, NOTHING, STOP, create, ended, failure, it};

#[test]
fn the_stop_of_a_paused_container_sends_thaws_and_only_then_counts() {
    let mut hand = Hand::with_running();
    hand.ask(Verb::Pause);
    hand.see(Observation::Frozen);
    let effects = hand.ask(STOP);
    assert_eq!(
        effects,
        ["paused → stopping", "event kill SIGTERM", "Signal(SIGTERM)", "Thaw", "Arm(Grace(0), 10s)"]
    );
    assert_eq!(hand.see(Observation::Thawed), ["event unpause"]);
}

#[test]
fn a_death_in_the_grace_period_cancels_it_and_is_told_before_the_stop() {
    let mut hand = Hand::with_running();
    hand.ask(STOP);
    let effects = hand.see(ended(0));
    let expected = [
        "Cancel(Grace(0))",
        "Cancel(SteadyRun)",
        "Discard",
        "event die 0",
        "stopping → stopped",
        "event stop",
        "answer 2 done",
    ];
    assert_eq!(effects, expected);
}

#[test]
fn what_is_asked_while_it_starts_waits_until_it_runs() {
    let mut hand = Hand::with_created();
    assert_eq!(hand.ask(Verb::Start), ["Execute"]);
    assert_eq!(hand.ask(Verb::Pause), NOTHING);
    assert_eq!(hand.ask(STOP), NOTHING);
    let effects = hand.see(Observation::Executed);
    assert_eq!(
        effects,
        ["created → running", "event start", "Arm(SteadyRun, 10s)", "answer 1 done", "Freeze"]
    );
    assert_eq!(hand.see(Observation::Frozen)[..3], ["running → paused", "event pause", "answer 2 done"]);
    assert_eq!(hand.state(), State::Stopping);
}

#[test]
fn a_name_is_taken_until_the_last_of_its_owner_is_gone() {
    let mut hand = Hand::with_created();
    let effects = hand.ask(Verb::Remove(Removal::Gentle));
    assert_eq!(effects, ["created → removing", "Discard", "Remove"]);
    assert_eq!(hand.refused(create()), "the name it is already in use");
    assert_eq!(hand.refused(Verb::Remove(Removal::Forced)), "its removal is already in progress");
    assert_eq!(hand.refused(Verb::Start), "it is marked for removal");
    let effects = hand.see(Observation::Removed);
    assert_eq!(effects, ["ReleaseName(it)", "removing → absent", "event destroy", "answer 1 done"]);
    assert_eq!(hand.ask(create()), ["ClaimName(it)"]);
}

#[test]
fn a_removal_that_fails_leaves_a_dead_container_that_can_only_be_removed() {
    let mut hand = Hand::with_created();
    hand.ask(Verb::Remove(Removal::Gentle));
    let effects = hand.see(Observation::RemoveFailed("a mount is busy".into()));
    assert_eq!(effects, ["removing → dead", "answer 1 failed: a mount is busy"]);
    assert_eq!(hand.refused(Verb::Start), "it is marked for removal");
    assert_eq!(hand.ask(STOP), ["answer 2 noop"]);
    hand.ask(Verb::Remove(Removal::Gentle));
    hand.see(Observation::Removed);
    assert_eq!(hand.state(), State::Absent);
}

#[test]
fn what_cannot_be_frozen_runs_on_and_what_cannot_be_thawed_stays_paused() {
    let mut hand = Hand::with_running();
    hand.ask(Verb::Pause);
    assert_eq!(hand.see(Observation::FreezeFailed(failure())), ["answer 2 failed: it went wrong"]);
    assert_eq!(hand.state(), State::Running);
    hand.ask(Verb::Pause);
    hand.see(Observation::Frozen);
    hand.ask(Verb::Unpause);
    assert_eq!(hand.see(Observation::ThawFailed(failure())), ["answer 4 failed: it went wrong"]);
    assert_eq!(hand.state(), State::Paused);
}

#[test]
fn a_pause_that_comes_too_late_says_that_it_has_ended() {
    let mut hand = Hand::with_running();
    hand.ask(Verb::Pause);
    let effects = hand.see(ended(3));
    assert_eq!(effects[0], "answer 2 failed: it is not running: it ended with 3 before it was frozen");
    assert_eq!(hand.state(), State::Stopped);
}

#[test]
fn what_outlives_two_sigkills_goes_on_and_the_requests_fail() {
    let kill = Verb::Kill { signal: Signal::KILL };
    for (verb, state) in [(kill, "running"), (Verb::Remove(Removal::Forced), "removing")] {
        let mut hand = Hand::with_running();
        let effects = hand.ask(verb);
        assert_eq!(effects.last().map(String::as_str), Some("Arm(KillWait, 10s)"), "{state}");
        let again = hand.see(Observation::Fired(Timer::KillWait));
        assert_eq!(again, ["Signal(SIGKILL)", "Arm(KillWait, 2s)"], "{state}");
        let answer = hand.see(Observation::Fired(Timer::KillWait)).pop().unwrap();
        assert!(answer.starts_with("answer 2 failed: it was sent SIGKILL twice"), "{state}: {answer}");
        assert_eq!(hand.state(), State::Running);
    }
}

#[test]
fn a_name_is_taken_from_the_moment_that_its_creation_begins() {
    let mut hand = Hand::new();
    assert_eq!(hand.ask(create()), ["ClaimName(it)"]);
    assert_eq!(hand.refused(create()), "the name it is already in use");
    hand.see(Observation::NameGranted);
    assert_eq!(hand.refused(create()), "the name it is already in use");
    assert_eq!(hand.state(), State::Creating);
}

#[test]
fn a_create_that_failed_leaves_the_name_to_the_next() {
    let mut hand = Hand::new();
    hand.ask(create());
    hand.see(Observation::NameGranted);
    let effects = hand.see(Observation::PrepareFailed(failure()));
    assert!(effects.contains(&"answer 0 failed: it went wrong".to_owned()), "{effects:?}");
    hand.see(Observation::Removed);
    assert_eq!(hand.state(), State::Absent);
    assert_eq!(hand.ask(create()), ["ClaimName(it)"]);
}

#[test]
fn a_create_whose_process_is_killed_on_the_way_fails() {
    for (oom, told) in [(Oom::None, "somebody killed it"), (Oom::Struck, "it ran out of memory")] {
        let mut hand = Hand::new();
        hand.ask(create());
        hand.see(Observation::NameGranted);
        let effects = hand.see(Observation::Ended(Ending { code: 137, oom }));
        assert!(effects.iter().any(|effect| effect.contains("answer 0 failed") && effect.contains(told)));
        hand.see(Observation::Removed);
        assert_eq!(hand.ask(create()), ["ClaimName(it)"]);
    }
}

#[test]
fn what_is_asked_while_a_guest_is_on_its_way_in_waits_until_it_is_there() {
    for (arrival, answer) in [
        (Within::ExecBegan(ExecId(0)), None),
        (Within::ExecFailed(ExecId(0), failure()), Some("answer 2 failed: it went wrong")),
    ] {
        let mut hand = Hand::with_running();
        hand.ask(Verb::Exec(ExecSpec::of(&["sleep".into()])));
        assert_eq!(hand.ask(Verb::Pause), NOTHING);
        assert_eq!(hand.ask(Verb::Kill { signal: Signal::KILL }), NOTHING);
        let effects = hand.see(Observation::Within(arrival));
        let expected: Vec<&str> = answer.into_iter().chain(["Freeze"]).collect();
        assert_eq!(effects, expected);
    }
}

#[test]
fn a_pause_that_is_overtaken_during_a_stop_is_answered_all_the_same() {
    for overtaking in [Verb::Unpause, STOP, Verb::Remove(Removal::Forced)] {
        let mut hand = Hand::with_running();
        hand.ask(STOP);
        assert_eq!(hand.ask(Verb::Pause), ["Freeze"]);
        let effects = hand.ask(overtaking.clone());
        assert!(effects.contains(&"answer 3 done".to_owned()), "{overtaking:?}: {effects:?}");
    }
    // SIGKILL thaws, in case that it is held back: the pause is answered once, before the thaw or with it.
    let mut hand = Hand::with_running();
    hand.ask(STOP);
    hand.ask(Verb::Pause);
    let mut effects = hand.see(Observation::Fired(Timer::Grace(0)));
    effects.extend(hand.see(Observation::Thawed));
    assert_eq!(effects.iter().filter(|effect| *effect == "answer 3 done").count(), 1, "{effects:?}");
}

#[test]
fn what_was_paused_and_outlives_two_sigkills_is_paused_again() {
    for verb in [Verb::Kill { signal: Signal::KILL }, Verb::Remove(Removal::Forced)] {
        let mut hand = Hand::with_running();
        hand.ask(Verb::Pause);
        hand.see(Observation::Frozen);
        hand.ask(verb);
        hand.see(Observation::Fired(Timer::KillWait));
        hand.see(Observation::Fired(Timer::KillWait));
        assert_eq!(hand.state(), State::Paused);
    }
}

/// As measured: Docker's runtime thaws for the SIGKILL, and Docker goes on to take the container for paused.
#[test]
fn what_was_paused_during_its_stop_counts_as_paused_until_sigkill_has_ended_it() {
    let mut hand = Hand::with_running();
    hand.ask(STOP);
    hand.ask(Verb::Pause);
    hand.see(Observation::Frozen);
    let effects = hand.see(Observation::Fired(Timer::Grace(0)));
    assert_eq!(
        effects,
        ["event kill SIGKILL", "Signal(SIGKILL)", "Thaw", "Cancel(Grace(0))", "Arm(KillWait, 10s)"]
    );
    assert_eq!(hand.see(Observation::Thawed), NOTHING);
    assert_eq!(hand.refused(Verb::Exec(ExecSpec::of(&["true".into()]))), "it is paused");
    assert_eq!(hand.refused(Verb::Start), "it is paused");
    assert_eq!(hand.refused(Verb::Pause), "it is already paused");
    assert_eq!(hand.refused(Verb::Unpause), "it is not paused");
    assert_eq!(
        hand.ask(Verb::Kill { signal: Signal::TERM }),
        ["event kill SIGTERM", "Signal(SIGTERM)", "answer 4 done"]
    );
    assert_eq!(hand.ask(STOP), ["event kill SIGTERM", "Signal(SIGTERM)"]);
    hand.see(Observation::Fired(Timer::KillWait));
    let effects = hand.see(Observation::Fired(Timer::KillWait));
    assert!(effects.contains(&"stopping → paused".to_owned()), "{effects:?}");
    assert_eq!(hand.state(), State::Paused);
}

#[test]
fn what_was_asked_for_is_known_with_all_updates_since() {
    let mut hand = Hand::with_created();
    let limits = Limits { pids: Some(5), ..Limits::default() };
    hand.ask(Verb::Update { restart: Some(RestartPolicy::Always), limits });
    let spec = hand.host.spec(&it()).unwrap();
    assert_eq!((spec.restart, spec.pids, spec.memory), (RestartPolicy::Always, Some(5), None));
}

#[test]
fn only_where_the_v1_freezer_holds_it_back_is_a_frozen_container_thawed_for_sigkill() {
    let kill = Verb::Kill { signal: Signal::KILL };
    for (freezer, thaws) in [(Freezer::CgroupV1, true), (Freezer::CgroupV2, false), (Freezer::Signals, false)]
    {
        for verb in [kill.clone(), Verb::Remove(Removal::Forced)] {
            let mut hand = Hand::running_on(freezer);
            hand.ask(Verb::Pause);
            hand.see(Observation::Frozen);
            let effects = hand.ask(verb.clone());
            assert_eq!(effects.contains(&"Thaw".to_owned()), thaws, "{freezer:?}: {effects:?}");
            let effects = Hand::running_on(freezer).ask(verb);
            assert!(!effects.contains(&"Thaw".to_owned()), "{freezer:?}, not frozen: {effects:?}");
        }
    }
}

#[test]
fn what_is_asked_while_it_is_being_killed_waits_for_its_death_but_another_kill_does_not() {
    let kill = |signal| Verb::Kill { signal };
    let mut hand = Hand::with_running();
    hand.ask(kill(Signal::KILL));
    assert_eq!(hand.ask(STOP), NOTHING);
    assert_eq!(hand.ask(kill(Signal::TERM)), NOTHING);
    assert_eq!(hand.ask(kill(Signal::KILL)), ["event kill SIGKILL", "Signal(SIGKILL)"]);
    let effects = hand.see(ended(137));
    let answers = ["answer 2 done", "answer 5 done", "answer 3 noop", "answer 4 it is not running"];
    assert!(effects.ends_with(&answers.map(str::to_owned)), "{effects:?}");
}

#[test]
fn a_command_inside_that_ends_while_its_container_is_removed_tells_its_own_code() {
    let mut hand = Hand::with_running();
    hand.ask(Verb::Exec(ExecSpec::of(&["sleep".into()])));
    hand.see(Observation::Within(Within::ExecBegan(ExecId(0))));
    hand.ask(Verb::Remove(Removal::Forced));
    assert_eq!(
        hand.see(Observation::Within(Within::ExecEnded(ExecId(0), 7))),
        ["event exec_die 7", "answer 2 exited 7"]
    );
}

#[test]
fn a_start_by_its_policy_that_fails_leaves_it_stopped() {
    let mut hand =
        Hand::running_of(ContainerSpec { restart: RestartPolicy::Always, ..ContainerSpec::default() });
    hand.see(ended(3));
    assert_eq!(hand.see(Observation::Fired(Timer::BackOff)), ["Prepare"]);
    assert_eq!(hand.see(Observation::PrepareFailed(failure())), ["Discard", "restarting → stopped"]);
    assert_eq!((hand.state(), hand.exit()), (State::Stopped, Some(3)));
}

#[test]
fn a_grant_that_comes_twice_starts_nothing_twice() {
    let port = PortBinding { ip: None, host: Some(18080), container: 80, protocol: Protocol::Tcp };
    let mut hand = Hand::created_of(ContainerSpec { publish: vec![port], ..ContainerSpec::default() });
    hand.ask(Verb::Start);
    assert_eq!(hand.see(Observation::PortsGranted(vec![])), ["Execute"]);
    assert_eq!(hand.see(Observation::PortsGranted(vec![])), NOTHING);
    hand.see(Observation::Executed);
    hand.see(ended(0));
    hand.ask(Verb::Start);
    assert_eq!(hand.see(Observation::PortsGranted(vec![])), ["Prepare"]);
    assert_eq!(hand.see(Observation::PortsGranted(vec![])), NOTHING);
}

#[test]
fn what_has_no_name_yet_has_no_process_that_could_end() {
    let mut hand = Hand::new();
    hand.ask(create());
    assert_eq!(hand.see(ended(137)), NOTHING);
    assert_eq!(hand.see(Observation::NameGranted), ["absent → creating", "Prepare"]);
}

#[test]
fn a_new_limit_on_memory_or_on_swap_takes_both_along_and_another_neither() {
    let (memory, memory_swap) = (Some(64 << 20), Some(MemorySwap::Both(128 << 20)));
    let mut hand = Hand::created_of(ContainerSpec { memory, memory_swap, ..ContainerSpec::default() });
    for (asked, told) in [
        (
            Limits { memory: Some(96 << 20), ..Limits::default() },
            Limits { memory: Some(96 << 20), memory_swap, ..Limits::default() },
        ),
        (
            Limits { memory_swap: Some(MemorySwap::Unlimited), ..Limits::default() },
            Limits { memory: Some(96 << 20), memory_swap: Some(MemorySwap::Unlimited), ..Limits::default() },
        ),
        (Limits { pids: Some(5), ..Limits::default() }, Limits { pids: Some(5), ..Limits::default() }),
    ] {
        let effects = hand.ask(Verb::Update { restart: None, limits: asked });
        assert_eq!(effects[0], format!("Limit({told:?})"));
    }
}

#[test]
fn counts_that_are_brought_down_give_no_number_twice() {
    let guest = || Verb::Exec(ExecSpec::of(&["sleep".into()]));
    let mut hand = Hand::with_running();
    for exec in [0, 1] {
        hand.ask(guest());
        hand.see(Observation::Within(Within::ExecBegan(ExecId(exec))));
    }
    hand.see(Observation::Within(Within::ExecEnded(ExecId(0), 0)));
    hand.host.saturate_counts(3, Duration::from_secs(1));
    let effects = hand.ask(guest());
    assert!(effects[2].starts_with("Exec { exec: ExecId(2)"), "{effects:?}");
    let other = Command { container: Name::new("other").unwrap(), verb: create() };
    let effects = hand.host.command(Ticket(10), &other).unwrap();
    assert!(matches!(effects.0[0], Effect::Act(Id(1), _)), "{effects:?}");
}
