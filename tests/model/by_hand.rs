//! What the simulator is too quick for: observations fed by hand, one by one, and the effects in their order.

use terrarium::model::{
    Action, Command, Effect, Effects, Ending, ExecId, ExecSpec, Failure, Host, HostFacts, Id, Name,
    Observation, Oom, Outcome, Removal, Signal, State, Ticket, Timer, Verb, Within,
};

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

const STOP: Verb = Verb::Stop { timeout: None, signal: None };
const NOTHING: [&str; 0] = [];

/// One container, led by hand. The tickets are counted from 0.
struct Hand {
    host: Host,
    asked: u64,
}

impl Hand {
    fn new() -> Self {
        Self { host: Host::new(HostFacts::ASSUMED), asked: 0 }
    }

    fn with_created() -> Self {
        let mut hand = Self::new();
        hand.ask(create());
        hand.see(Observation::NameGranted);
        hand.see(Observation::Prepared);
        hand
    }

    fn with_running() -> Self {
        let mut hand = Self::with_created();
        hand.ask(Verb::Start);
        hand.see(Observation::Executed);
        hand
    }

    /// Asks for something that is not refused.
    fn ask(&mut self, verb: Verb) -> Vec<String> {
        let ticket = Ticket(self.asked);
        self.asked += 1;
        words(self.host.command(ticket, &Command { container: it(), verb }).unwrap())
    }

    fn refused(&mut self, verb: Verb) -> String {
        let command = Command { container: it(), verb };
        self.host.command(Ticket(u64::MAX), &command).unwrap_err().reason.to_string()
    }

    fn see(&mut self, seen: Observation) -> Vec<String> {
        words(self.host.observe(self.host.id(&it()).unwrap_or(Id(0)), seen))
    }

    fn state(&self) -> State {
        self.host.status(&it()).state
    }
}

fn words(effects: Effects) -> Vec<String> {
    let word = |effect| match effect {
        Effect::Act(_, action) => deed(&action),
        Effect::Moved(moved) => format!("{} → {}", moved.from, moved.to),
        Effect::Emitted(event) => format!("event {}", event.kind),
        Effect::Reply(ticket, Outcome::Done) => format!("answer {} done", ticket.0),
        Effect::Reply(ticket, Outcome::Exited(code)) => format!("answer {} exited {code}", ticket.0),
        Effect::Reply(ticket, Outcome::Noop) => format!("answer {} noop", ticket.0),
        Effect::Reply(ticket, Outcome::Refused(refusal)) => format!("answer {} {}", ticket.0, refusal.reason),
        Effect::Reply(ticket, Outcome::Failed(failure)) => format!("answer {} failed: {failure}", ticket.0),
    };
    effects.0.into_iter().map(word).collect()
}

fn deed(action: &Action) -> String {
    match action {
        Action::ClaimName(name) => format!("ClaimName({name})"),
        Action::ReleaseName(name) => format!("ReleaseName({name})"),
        Action::Prepare { .. } => "Prepare".into(),
        other => format!("{other:?}"),
    }
}

fn it() -> Name {
    Name::new("it").unwrap()
}

fn create() -> Verb {
    Verb::Create(Box::default())
}

fn ended(code: i32) -> Observation {
    Observation::Ended(Ending { code, oom: Oom::None })
}

fn failure() -> Failure {
    Failure { code: None, message: "it went wrong".into() }
}
