//! Topics, and the tales that each makes up: every tale is told in words and as a scenario at once.

use std::fmt;

use self::Aspect::{Events, Exit, Refusal, Restarts, State, Took};
use super::super::chance::Chance;
use crate::engine::trace::Checkable;
use crate::model::{Name, Rule};

/// What questions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Which command is allowed in which state, and where it leads.
    States,
    /// Grace periods and what ends them.
    Stop,
    /// What signals do to whom.
    Signals,
    /// What is left of a process.
    ExitCodes,
    /// Who is started again.
    Policies,
    /// How long a policy waits.
    BackOff,
    /// What the host's own end makes of it all.
    Reboot,
}

/// What of a step is to be predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aspect {
    Refusal,
    Took,
    Events,
    State,
    Exit,
    Restarts,
}

impl Aspect {
    pub(super) const fn question(self) -> &'static str {
        match self {
            Self::Refusal => "Can that be done (yes or no)?",
            Self::Took => "How long does that take?",
            Self::Events => "Which events does that give, in order?",
            Self::State => "In which state is it then?",
            Self::Exit => "What is its exit code then?",
            Self::Restarts => "How often has its policy started it again?",
        }
    }

    pub(super) fn checkable(self) -> Checkable {
        match self {
            Self::Refusal => Checkable::Refusal,
            Self::Took => Checkable::Took,
            Self::Events => Checkable::Events,
            Self::State => Checkable::State(web()),
            Self::Exit => Checkable::Exit(web()),
            Self::Restarts => Checkable::Restarts(web()),
        }
    }
}

/// A container, what was done with it, and what is done now.
#[derive(Clone, Debug, Default)]
pub(super) struct Tale {
    pub(super) setting: String,
    /// The container in YAML.
    spec: String,
    /// In words, and as a step; what goes without saying has no words.
    pub(super) so_far: Vec<(String, String)>,
    pub(super) act: (String, String),
    /// What explains it where no rule of the model does.
    pub(super) aside: Option<String>,
    /// What can be asked of it, if the step goes that way.
    pub(super) aspects: &'static [Aspect],
    /// How long one waits before looking, since some commands are answered before their consequences are there.
    pub(super) settles: Option<&'static str>,
}

impl Topic {
    /// All of them, in the order of the lessons.
    pub const ALL: &[Self] = &[
        Self::States,
        Self::Stop,
        Self::Signals,
        Self::ExitCodes,
        Self::Policies,
        Self::BackOff,
        Self::Reboot,
    ];

    /// How it is asked for.
    pub const fn word(self) -> &'static str {
        match self {
            Self::States => "states",
            Self::Stop => "stop",
            Self::Signals => "signals",
            Self::ExitCodes => "exit-codes",
            Self::Policies => "policies",
            Self::BackOff => "back-off",
            Self::Reboot => "reboot",
        }
    }

    /// What it asks about.
    pub const fn about(self) -> &'static str {
        match self {
            Self::States => "which command is allowed in which state, and where it leads",
            Self::Stop => "grace periods, and what ends them",
            Self::Signals => "what a signal does to whom",
            Self::ExitCodes => "what is left of a process",
            Self::Policies => "who is started again, and how often",
            Self::BackOff => "how long a policy waits",
            Self::Reboot => "what is left after a reboot of the host",
        }
    }

    pub(super) fn tale(self, chance: &mut Chance) -> Tale {
        match self {
            Self::States => states(chance),
            Self::Stop => stop(chance),
            Self::Signals => signals(chance),
            Self::ExitCodes => exit_codes(chance),
            Self::Policies => policies(chance),
            Self::BackOff => back_off(chance),
            Self::Reboot => reboot(chance),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Tale {
    fn of(setting: impl Into<String>, spec: impl Into<String>) -> Self {
        Self { setting: setting.into(), spec: spec.into(), ..Self::default() }
    }

    fn after(mut self, words: impl Into<String>, step: impl Into<String>) -> Self {
        self.so_far.push((words.into(), step.into()));
        self
    }

    fn now(mut self, words: impl Into<String>, step: impl Into<String>) -> Self {
        self.act = (words.into(), step.into());
        self
    }

    pub(super) fn scenario(&self) -> String {
        let steps = self.so_far.iter().chain([&self.act]);
        let mut steps: Vec<_> = steps.map(|(_, step)| format!("  - {step}\n")).collect();
        steps.extend(self.settles.map(|time| format!("  - wait: {time}\n")));
        format!("title: A question\ncontainers:\n  web: {{{}}}\nsteps:\n{}", self.spec, steps.concat())
    }
}

/// The container in every tale.
pub(super) fn web() -> Name {
    Name::new("web").expect("a letter begins it")
}

/// Long enough for a process to end, too short for a policy.
const SOON: &str = "50ms";
const POLITE: (&str, &str) =
    ("handles SIGTERM and ends with 0 at once", "behavior: { signals: { TERM: { exit: 0 } } }");

fn states(chance: &mut Chance) -> Tale {
    let before: &[(&str, &str)] = chance.pick(&[
        &[("create web", "create: web")][..],
        &[("run web", "run: web")],
        &[("run web", "run: web"), ("pause web", "pause: web")],
        &[("run web", "run: web"), ("stop web", "stop: web")],
        &[("run web", "run: web"), ("kill web", "kill: web")],
        &[("run web", "run: web"), ("stop web", "stop: web"), ("start web", "start: web")],
        &[("create web", "create: web"), ("remove web", "remove: web")],
    ]);
    let (words, step) = chance.pick(&[
        ("start web", "start: web"),
        ("stop web", "stop: web"),
        ("pause web", "pause: web"),
        ("unpause web", "unpause: web"),
        ("restart web", "restart: web"),
        ("kill web", "kill: web"),
        ("kill web with SIGTERM", "kill: { container: web, signal: TERM }"),
        ("remove web", "remove: web"),
        ("remove web by force", "remove: { container: web, force: true }"),
        ("run `true` in web with exec", "exec: { container: web, command: ['true'] }"),
        ("rename web to shop", "rename: { container: web, to: shop }"),
    ]);
    let step_renames = step.starts_with("rename");
    let mut tale = Tale::of(format!("web {}.", POLITE.0), POLITE.1);
    for (words, step) in before {
        tale = tale.after(*words, *step);
    }
    // What a life that is over cannot be asked for is an error of a scenario, unless it is to be refused.
    let is_gone = before.last().is_some_and(|(_, step)| step.starts_with("remove"));
    let step = if is_gone { format!("{step}\n    refused: web") } else { step.into() };
    tale = tale.now(words, step);
    // Under its new name it is another one to ask for.
    tale.aspects = if step_renames { &[Refusal] } else { &[Refusal, Refusal, State, Events] };
    tale.settles = Some(SOON);
    tale.aside = Some("Nothing stands against it, and no state has to change for it.".into());
    tale
}

fn stop(chance: &mut Chance) -> Tale {
    let (setting, spec) = chance.pick(&[
        ("handles no signal", ""),
        ("handles no signal, and runs under a small init", "init: true"),
        ("handles SIGTERM and ends with 0 at once", "behavior: { signals: { TERM: { exit: 0 } } }"),
        (
            "handles SIGTERM and ends with 3 after 2 s",
            "behavior: { signals: { TERM: { exit: 3, after: 2s } } }",
        ),
        (
            "handles SIGTERM and ends with 0 after 15 s",
            "behavior: { signals: { TERM: { exit: 0, after: 15s } } }",
        ),
        ("catches SIGTERM and goes on", "behavior: { signals: { TERM: handle } }"),
        ("ignores SIGTERM", "behavior: { signals: { TERM: ignore } }"),
        (
            "handles SIGINT and ends with 0, and its stop signal is SIGINT",
            "stop_signal: INT, behavior: { signals: { INT: { exit: 0 } } }",
        ),
        (
            "handles SIGTERM and ends with 0, but its stop signal is SIGINT",
            "stop_signal: INT, behavior: { signals: { TERM: { exit: 0 } } }",
        ),
        ("handles no signal, and its stop timeout is 4 s", "stop_timeout: 4s"),
    ]);
    let (within, timeout) = chance.pick(&[
        ("", ""),
        ("", ""),
        (" within 1 s", "1s"),
        (" within 5 s", "5s"),
        (" within 20 s", "20s"),
    ]);
    let verb = chance.pick(&["stop", "stop", "restart"]);
    let step = if timeout.is_empty() {
        format!("{verb}: web")
    } else {
        format!("{verb}: {{ container: web, timeout: {timeout} }}")
    };
    let mut tale = Tale::of(format!("web {setting}."), spec).after("run web", "run: web");
    if chance.once_in(4) {
        tale = tale.after("pause web", "pause: web");
    }
    tale = tale.now(format!("{verb} web{within}"), step);
    tale.aspects = &[Took, Took, Exit, Events, State];
    tale
}

fn signals(chance: &mut Chance) -> Tale {
    let signal = chance.pick(&["TERM", "KILL", "HUP", "USR1", "QUIT", "INT"]);
    let catchable = signal != "KILL";
    let (setting, spec, aside) = match chance.pick(&["bare", "init", "handle", "exit", "ignore", "other"]) {
        "init" => ("handles no signal, and runs under a small init".into(), "init: true".into(), "bare"),
        "handle" if catchable => (
            format!("catches SIG{signal} and goes on"),
            format!("behavior: {{ signals: {{ {signal}: handle }} }}"),
            "caught",
        ),
        "exit" if catchable => (
            format!("handles SIG{signal} and ends with 5"),
            format!("behavior: {{ signals: {{ {signal}: {{ exit: 5 }} }} }}"),
            "caught",
        ),
        "ignore" if catchable => (
            format!("ignores SIG{signal}"),
            format!("behavior: {{ signals: {{ {signal}: ignore }} }}"),
            "ignored",
        ),
        "other" => (
            "handles SIGUSR2 and no other signal".into(),
            "behavior: { signals: { USR2: handle } }".into(),
            "bare",
        ),
        _ => ("handles no signal".into(), String::new(), "bare"),
    };
    let policy = chance.pick(&["no", "no", "always"]);
    let spec = if policy == "no" { spec } else { join(&spec, &format!("restart: {policy}")) };
    let setting =
        if policy == "no" { setting } else { format!("{setting}, and its restart policy is {policy}") };
    let mut tale = Tale::of(format!("web {setting}."), spec).after("run web", "run: web");
    let outside = chance.once_in(4);
    tale = if outside {
        tale.now(
            format!("somebody on the host sends SIG{signal}, past the engine"),
            format!("crash: {{ container: web, signal: {signal} }}"),
        )
    } else {
        tale.now(
            format!("kill web with SIG{signal}"),
            format!("kill: {{ container: web, signal: {signal} }}"),
        )
    };
    tale.aspects = &[State, State, Exit, Events];
    tale.settles = Some(SOON);
    tale.aside = Some(match aside {
        "caught" => "A process that catches a signal decides itself what comes of it.".into(),
        "ignored" => format!("SIG{signal} is ignored, so nothing comes of it."),
        _ => format!("It is PID 1 and has no handler for SIG{signal}: the kernel drops it."),
    });
    tale
}

fn exit_codes(chance: &mut Chance) -> Tale {
    let mut tale = match chance.pick(&["own", "missing", "kill", "term", "handled"]) {
        "own" => {
            let code = chance.pick(&[0, 1, 2, 3, 42, 126, 255]);
            let tale = Tale::of(
                format!("One second after its start web ends by itself, with {code}."),
                format!("behavior: {{ exits: {{ after: 1s, code: {code} }} }}"),
            );
            tale.after("run web", "run: web").now("wait for its exit", "wait_exit: web")
        }
        "missing" => {
            let program = chance.pick(&["nosuch", "ngnix", "jaava"]);
            let tale = Tale::of(
                format!(
                    "The program that web is to run is `{program}`, and the image has none of that name."
                ),
                format!("command: [{program}]"),
            );
            tale.after("create web", "create: web").now("start web", "start: web")
        }
        "term" => {
            let (signal, _) =
                chance.pick(&[("TERM", 15), ("INT", 2), ("HUP", 1), ("QUIT", 3), ("USR1", 10), ("USR2", 12)]);
            Tale::of("web handles no signal, and runs under a small init.", "init: true")
                .after("run web", "run: web")
                .now(
                    format!("kill web with SIG{signal}"),
                    format!("kill: {{ container: web, signal: {signal} }}"),
                )
        }
        "handled" => {
            let code = chance.pick(&[0, 1, 7, 143]);
            Tale::of(
                format!("web handles SIGTERM and ends with {code} at once."),
                format!("behavior: {{ signals: {{ TERM: {{ exit: {code} }} }} }}"),
            )
            .after("run web", "run: web")
            .now("stop web", "stop: web")
        }
        _ => {
            let (words, step) = chance.pick(&[
                ("kill web", "kill: web"),
                ("stop web within 0 s", "stop: { container: web, timeout: 0s }"),
                ("stop web within 3 s", "stop: { container: web, timeout: 3s }"),
                ("somebody on the host sends SIGKILL to its process", "crash: web"),
            ]);
            Tale::of("web handles no signal.", "").after("run web", "run: web").now(words, step)
        }
    };
    tale.aspects = &[Exit];
    tale.settles = Some(SOON);
    tale
}

fn policies(chance: &mut Chance) -> Tale {
    let policy =
        chance.pick(&["no", "on-failure", "on-failure:1", "on-failure:3", "always", "unless-stopped"]);
    let code = chance.pick(&[0, 1, 137]);
    let mut tale = Tale::of(
        format!("Each time it runs, web ends after 2 s with {code}. Its restart policy is {policy}."),
        format!("restart: {policy}, behavior: {{ exits: {{ after: 2s, code: {code} }} }}"),
    )
    .after("run web", "run: web");
    if chance.once_in(3) {
        tale = tale
            .after("stop web within 1 s", "stop: { container: web, timeout: 1s }")
            .now("five seconds pass", "wait: 5s");
    } else {
        let (words, step) = chance.pick(&[
            ("one second passes", "wait: 1s"),
            ("five seconds pass", "wait: 5s"),
            ("ten seconds pass", "wait: 10s"),
        ]);
        tale = tale.now(words, step);
    }
    tale.aspects = &[Restarts, State, Exit];
    tale.aside = Some("No death that a policy would answer has happened.".into());
    tale
}

fn back_off(chance: &mut Chance) -> Tale {
    let deaths = chance.pick(&[4_usize, 5, 6, 7, 8]);
    let lives = chance.pick(&["100ms", "300ms", "500ms", "11s"]);
    let mut tale = Tale::of(
        format!("Each time it runs, web ends with 1 after {lives}. Its restart policy is always."),
        format!("restart: always, behavior: {{ exits: {{ after: {lives}, code: 1 }} }}"),
    )
    .after("run web", "run: web");
    let step = "wait: { for: { container: web, state: restarting }, within: 10m }";
    let again = "wait: { for: { container: web, state: running }, within: 10m }";
    for death in 1..=deaths {
        let words =
            if death == deaths { format!("it dies for the {} time", ordinal(death)) } else { String::new() };
        tale = tale.after(words, step);
        if death < deaths {
            tale = tale.after("", again);
        }
    }
    tale.aside = Some(told(Rule::RestartBackOff));
    tale = tale.now("wait until it is running again", again);
    tale.aspects = &[Took];
    tale
}

fn reboot(chance: &mut Chance) -> Tale {
    let policy = chance.pick(&["no", "on-failure", "always", "unless-stopped"]);
    let mut tale = Tale::of(
        format!("web {}. Its restart policy is {policy}.", POLITE.0),
        format!("restart: {policy}, {}", POLITE.1),
    );
    tale = match chance.pick(&["created", "running", "stopped", "paused"]) {
        "created" => tale.after("create web", "create: web"),
        "stopped" => tale.after("run web", "run: web").after("stop web", "stop: web"),
        "paused" => tale.after("run web", "run: web").after("pause web", "pause: web"),
        _ => tale.after("run web", "run: web"),
    };
    tale = tale.now("the host goes down, and comes up again", "reboot: host");
    tale.aspects = &[State, State, Exit];
    tale.aside = Some("A policy looks only after what has run before.".into());
    tale
}

/// A rule in words, with its name.
pub(super) fn told(rule: Rule) -> String {
    format!("{} ({})", rule.sentence(), rule.id())
}

fn join(one: &str, other: &str) -> String {
    if one.is_empty() { other.into() } else { format!("{one}, {other}") }
}

fn ordinal(number: usize) -> String {
    const WORDS: [&str; 9] =
        ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"];
    WORDS.get(number - 1).map_or_else(|| format!("{number}th"), |word| (*word).into())
}
