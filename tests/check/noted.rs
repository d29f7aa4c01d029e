//! What is noted of a life, and what is forgotten: rules see no more than that.

use std::time::Duration;

use terrarium::check::grammar::Word;
use terrarium::check::moment::{Asked, Input, Kept, Past};
use terrarium::model::{
    Action, Command, ContainerSpec, Effect, Ending, Event, EventKind, ExecSpec, Failure, Id, Limits, Look,
    Name, Observation, Oom, Outcome, Removal, Resources, RestartPolicy, Rule, Signal, State, StopTimeout,
    Ticket, Timer, Transition, Verb,
};

const SECOND: Duration = Duration::from_secs(1);
const STOP: Verb = Verb::Stop { timeout: None, signal: None };
const OWN: Id = Id(0);

/// Notes at the fifth second.
fn note(past: &mut Past, input: Input<'_>, effects: &[Effect]) {
    past.take_in(5 * SECOND, Some(OWN), input, effects);
}

fn ask(past: &mut Past, ticket: u64, verb: Verb) {
    note(past, Input::Asked(Ticket(ticket), &Command { container: name("web"), verb }), &[]);
}

fn see(past: &mut Past, seen: &Observation) {
    note(past, Input::Seen(seen), &[]);
}

fn tell(past: &mut Past, kind: EventKind) {
    note(past, Input::TimePassed, &[Effect::Emitted(Event { container: name("web"), kind })]);
}

fn act(past: &mut Past, action: Action) {
    note(past, Input::TimePassed, &[Effect::Act(OWN, action)]);
}

fn go(past: &mut Past, to: State, rule: Rule) {
    let moved = Transition { container: name("web"), from: State::Running, to, rule };
    note(past, Input::TimePassed, &[Effect::Moved(moved)]);
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn made_of(spec: ContainerSpec) -> Past {
    let mut past = Past::default();
    ask(&mut past, 0, Verb::Create(Box::new(spec)));
    past.open.clear();
    past
}

fn under(restart: RestartPolicy) -> Past {
    made_of(ContainerSpec { restart, ..ContainerSpec::default() })
}

fn failure() -> Failure {
    Failure { code: None, message: "it went wrong".into() }
}

#[test]
fn a_request_is_open_until_it_is_answered() {
    let kill = Verb::Kill { signal: Signal::KILL };
    let update = Verb::Update { restart: None, limits: Limits::default() };
    let all = [
        (Verb::Create(Box::default()), Asked::Create),
        (Verb::Start, Asked::Start),
        (Verb::Pause, Asked::Pause),
        (Verb::Unpause, Asked::Unpause),
        (STOP, Asked::Stop),
        (Verb::Restart { timeout: None, signal: None }, Asked::Restart),
        (kill, Asked::Kill),
        (Verb::Remove(Removal::Gentle), Asked::GentleRemoval),
        (Verb::Remove(Removal::Forced), Asked::ForcedRemoval),
        (Verb::Rename { to: name("db") }, Asked::Rename),
        (update, Asked::Update),
        (Verb::Exec(ExecSpec::default()), Asked::Exec),
        (Verb::Wait, Asked::Wait),
        (Verb::Commit, Asked::Commit),
        (Verb::Look(Look::Top), Asked::Look),
    ];
    for (verb, asked) in all {
        let mut past = Past::default();
        ask(&mut past, 1, verb);
        assert!(past.is_asked(&[Asked::Look, asked]) && past.open.len() == 1);
        note(&mut past, Input::TimePassed, &[Effect::Reply(Ticket(2), Outcome::Done)]);
        assert!(past.is_asked(&[asked]), "somebody else was answered");
        note(&mut past, Input::TimePassed, &[Effect::Reply(Ticket(1), Outcome::Done)]);
        assert!(!past.is_asked(&[asked]));
    }
}

#[test]
fn a_stop_is_due_after_the_grace_that_it_asks_for_or_the_containers_or_ten_seconds() {
    let due = |own, timeout, restart: bool| {
        let mut past = made_of(ContainerSpec { stop_timeout: own, ..ContainerSpec::default() });
        let verb = if restart {
            Verb::Restart { timeout, signal: None }
        } else {
            Verb::Stop { timeout, signal: None }
        };
        ask(&mut past, 1, verb);
        past.open[&Ticket(1)].due
    };
    let after = |seconds| Some(StopTimeout::After(seconds * SECOND));
    for restart in [false, true] {
        assert_eq!(due(None, None, restart), Some(15 * SECOND));
        assert_eq!(due(after(2), None, restart), Some(7 * SECOND));
        assert_eq!(due(after(2), after(1), restart), Some(6 * SECOND));
        assert_eq!(due(after(2), Some(StopTimeout::Never), restart), None);
    }
    let mut past = Past::default();
    ask(&mut past, 1, Verb::Start);
    assert_eq!(past.open[&Ticket(1)].due, None);
}

#[test]
fn what_it_was_made_from_lasts_until_it_is_gone_and_its_policy_until_an_update() {
    let mut past = under(RestartPolicy::Always);
    ask(&mut past, 1, Verb::Create(Box::default()));
    assert_eq!(past.policy(), RestartPolicy::Always, "another of this name makes no difference");
    ask(&mut past, 2, Verb::Update { restart: None, limits: Limits::default() });
    assert_eq!(past.policy(), RestartPolicy::Always);
    ask(
        &mut past,
        3,
        Verb::Update { restart: Some(RestartPolicy::UnlessStopped), limits: Limits::default() },
    );
    assert_eq!(past.policy(), RestartPolicy::UnlessStopped);
    go(&mut past, State::Dead, Rule::RemoveFailed);
    assert!(past.spec.is_some());
    go(&mut past, State::Absent, Rule::RemoveDone);
    assert_eq!((past.spec.is_none(), past.policy()), (true, RestartPolicy::No));
}

#[test]
fn a_timer_is_armed_until_it_fires_or_is_cancelled() {
    let mut past = Past::default();
    act(&mut past, Action::Arm(Timer::Grace(0), SECOND));
    act(&mut past, Action::Arm(Timer::SteadyRun, SECOND));
    assert_eq!((past.timers.len(), past.last_wait), (2, None));
    act(&mut past, Action::Cancel(Timer::Grace(0)));
    see(&mut past, &Observation::Fired(Timer::SteadyRun));
    assert!(past.timers.is_empty() && past.steady && !past.policy_starts);
    act(&mut past, Action::Arm(Timer::BackOff, SECOND));
    assert_eq!(past.last_wait, Some(SECOND));
    past.steady = false;
    see(&mut past, &Observation::Fired(Timer::BackOff));
    assert!(past.policy_starts && !past.steady);
    let foreign = Effect::Act(Id(1), Action::Arm(Timer::KillWait, SECOND));
    note(&mut past, Input::TimePassed, std::slice::from_ref(&foreign));
    assert!(past.timers.is_empty(), "it is another's");
    past.take_in(SECOND, None, Input::TimePassed, &[foreign]);
    assert_eq!(past.timers.len(), 1, "where there is only one, all is its own");
}

#[test]
fn when_the_host_goes_down_nothing_is_left_but_what_its_policy_remembers() {
    for (policy, remembers) in [
        (RestartPolicy::UnlessStopped, true),
        (RestartPolicy::Always, false),
        (RestartPolicy::OnFailure { max: 0 }, false),
    ] {
        for (word, after) in
            [(Word::Up, Word::Down), (Word::Still, Word::Down), (Word::Nothing, Word::Nothing)]
        {
            let mut past = Past {
                ended_by_hand: true,
                word,
                timers: [Timer::BackOff, Timer::KillWait].into(),
                last_wait: Some(SECOND),
                policy_restarts: 2,
                ..busy(under(policy))
            };
            note(&mut past, Input::HostWoke, &[]);
            assert_eq!(past, Past { ended_by_hand: remembers, word: after, ..under(policy) });
        }
        let mut past = under(policy);
        note(&mut past, Input::HostWoke, &[]);
        assert!(!past.ended_by_hand);
    }
}

/// In the midst of all that has to do with a process.
fn busy(past: Past) -> Past {
    Past { killed: Some(SECOND), freezing: true, frozen: true, set_up: true, policy_starts: true, ..past }
}

#[test]
fn what_loses_its_keeper_counts_as_killed_if_it_had_a_process() {
    let killed = Some(Ending { code: 137, oom: Oom::None });
    for (word, end) in [(Word::Up, killed), (Word::Still, killed), (Word::Down, None)] {
        let mut past = Past {
            word,
            timers: [Timer::BackOff, Timer::KillWait, Timer::Health].into(),
            policy_restarts: 2,
            ..Past::default()
        };
        note(&mut past, Input::KeeperLost, &[]);
        assert_eq!(past.last_end, end);
        assert!(past.timers.contains(&Timer::BackOff) && past.timers.len() == 1, "a back-off goes on");
        assert!(past.policy_restarts == 2 && !past.failed_start);
    }
    let mut past = busy(Past::default());
    note(&mut past, Input::KeeperLost, &[]);
    assert_eq!(past, Past { failed_start: true, last_end: killed, ..Past::default() });
}

#[test]
fn with_its_process_ends_all_that_was_to_be_done_with_it() {
    let ending = Ending { code: 3, oom: Oom::None };
    let mut past = busy(Past::default());
    see(&mut past, &Observation::Ended(ending));
    assert_eq!(past, Past { failed_start: true, last_end: Some(ending), ..Past::default() });
    let mut past = Past::default();
    see(&mut past, &Observation::Ended(ending));
    assert!(!past.failed_start, "it was not being started");
    let mut past = busy(Past::default());
    act(&mut past, Action::Discard);
    assert_eq!(past, Past::default());
}

#[test]
fn it_stands_still_only_between_a_freezing_and_a_thaw() {
    let mut past = Past::default();
    see(&mut past, &Observation::Frozen);
    assert!(!past.frozen, "it comes too late");
    act(&mut past, Action::Freeze);
    assert!(past.freezing && !past.frozen);
    see(&mut past, &Observation::Frozen);
    assert!(past.frozen);
    act(&mut past, Action::Thaw);
    assert!(!past.frozen && !past.freezing);
    let mut past = Past { frozen: true, ..Past::default() };
    see(&mut past, &Observation::Thawed);
    assert!(!past.frozen);
    act(&mut past, Action::Freeze);
    see(&mut past, &Observation::FreezeFailed(failure()));
    see(&mut past, &Observation::Frozen);
    assert!(!past.frozen);
}

#[test]
fn a_start_that_fails_is_over_and_one_that_succeeds_makes_up_for_it() {
    for seen in [
        Observation::PortsDenied(failure()),
        Observation::PrepareFailed(failure()),
        Observation::ExecuteFailed(failure()),
    ] {
        let mut past = Past { set_up: true, policy_starts: true, steady: true, ..Past::default() };
        see(&mut past, &seen);
        assert_eq!(past, Past { failed_start: true, steady: true, ..Past::default() });
        act(&mut past, Action::Execute);
        assert!(past.set_up);
        past.word = Word::Down;
        tell(&mut past, EventKind::Start);
        assert_eq!(past, Past { word: Word::Up, ..Past::default() });
    }
    let mut past = Past::default();
    act(&mut past, Action::ClaimPorts(Vec::new()));
    assert!(past.set_up);
    tell(&mut past, EventKind::Create);
    assert!(!past.set_up && past.word == Word::Down);
}

#[test]
fn a_start_by_hand_forgets_who_ended_it_and_how_often_its_policy_has_started_it() {
    let restart = Verb::Restart { timeout: None, signal: None };
    for verb in [Verb::Start, restart] {
        let ended = || Past {
            ended_by_hand: true,
            policy_restarts: 2,
            last_wait: Some(SECOND),
            word: Word::Down,
            ..Past::default()
        };
        let begun = |past: &mut Past| {
            act(past, Action::Execute);
            tell(past, EventKind::Start);
            (past.ended_by_hand, past.policy_restarts, past.last_wait)
        };
        let mut by_hand = ended();
        ask(&mut by_hand, 1, verb.clone());
        assert_eq!(begun(&mut by_hand), (false, 0, None));
        assert_eq!(begun(&mut ended()), (true, 2, Some(SECOND)), "nobody asked");
        let mut by_policy = Past { policy_starts: true, ..ended() };
        ask(&mut by_policy, 1, verb);
        assert_eq!(begun(&mut by_policy), (true, 2, Some(SECOND)));
        assert!(!by_policy.policy_starts);
    }
}

#[test]
fn a_signal_by_hand_ends_its_policys_say_unless_another_stop_signal_is_configured() {
    let ended = |stop_signal, signal| {
        let mut past = made_of(ContainerSpec { stop_signal, ..ContainerSpec::default() });
        tell(&mut past, EventKind::Kill(signal));
        past.ended_by_hand
    };
    let usr1 = Signal::from_number(10).unwrap();
    assert!(ended(None, usr1) && ended(None, Signal::KILL));
    assert!(ended(Some(usr1), usr1) && ended(Some(usr1), Signal::KILL));
    assert!(!ended(Some(usr1), Signal::TERM));
    let mut past = Past::default();
    go(&mut past, State::Stopped, Rule::StopEnded);
    assert!(!past.ended_by_hand);
    go(&mut past, State::Stopped, Rule::StopBackOff);
    assert!(past.ended_by_hand);
}

#[test]
fn its_policys_starts_are_counted_and_a_pause_counts_until_the_next_stop() {
    let mut past = Past::default();
    go(&mut past, State::Restarting, Rule::RestartPolicy);
    go(&mut past, State::Restarting, Rule::RestartPolicy);
    assert_eq!(past.policy_restarts, 2);
    past.word = Word::Up;
    tell(&mut past, EventKind::Pause);
    assert!(past.paused_in_stop && past.word == Word::Still);
    go(&mut past, State::Stopping, Rule::StopPaused);
    assert!(!past.paused_in_stop);
}

#[test]
fn of_several_sigkills_the_first_counts() {
    let mut past = Past::default();
    act(&mut past, Action::Signal(Signal::TERM));
    assert_eq!(past.killed, None);
    act(&mut past, Action::Signal(Signal::KILL));
    past.take_in(9 * SECOND, None, Input::TimePassed, &[Effect::Act(OWN, Action::Signal(Signal::KILL))]);
    assert_eq!(past.killed, Some(5 * SECOND));
}

#[test]
fn what_a_paused_container_costs_is_noted_when_its_pause_begins() {
    let costs = |processes| Resources {
        processes: Some(processes),
        memory_bytes: Some(7),
        ports: vec!["80".into()],
        address: Some("10.80.0.2".into()),
        ..Resources::zero()
    };
    let mut past = Past::default();
    past.take_in_costs(State::Running, &costs(1));
    assert_eq!(past.paused_with, None);
    past.take_in_costs(State::Paused, &costs(1));
    past.take_in_costs(State::Paused, &costs(2));
    let kept = Kept {
        processes: Some(1),
        memory: Some(7),
        ports: vec!["80".into()],
        address: Some("10.80.0.2".into()),
    };
    assert_eq!(past.paused_with, Some(kept));
    past.take_in_costs(State::Stopping, &costs(1));
    assert_eq!(past.paused_with, None);
}
