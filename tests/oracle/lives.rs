//! Lives at random on Docker, each predicted before: several containers, short graces, few back-offs.
//!
//! Nothing is timed so closely that a busy machine could decide what comes first: what a process does by itself it does at once
//! or much later than any step ends. `TERRARIUM_ORACLE_LIVES` says how many, `TERRARIUM_ORACLE_SEED` which.

use std::fmt::Write as _;

use crate::chance::Chance;
use crate::court::{Court, is_closed};

/// Enough to notice that something is wrong.
const LIVES: u64 = 6;

#[test]
fn random_lives_go_on_docker_as_the_model_has_predicted() {
    if is_closed("random lives on Docker") {
        return;
    }
    let asked = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let lives = asked("TERRARIUM_ORACLE_LIVES").unwrap_or(LIVES);
    let seed = asked("TERRARIUM_ORACLE_SEED").unwrap_or(1);
    let court = Court::new();
    let files: Vec<_> =
        (0..lives).map(|number| court.story(&format!("{seed}-{number}"), &life(seed, number))).collect();
    let records = court.judge(&files);
    assert_eq!(records.len(), files.len(), "some were not lived");
    let steps: usize = records.iter().map(|record| record.steps.len()).sum();
    let explained: Vec<String> = records.iter().flat_map(crate::court::Record::explained).collect();
    let wrong: Vec<String> = records
        .iter()
        .filter(|record| !record.objections().is_empty())
        .map(crate::court::Record::report)
        .collect();
    println!(
        "{} of {lives} lives ({steps} steps) went as predicted, {} explained by a named difference",
        records.len() - wrong.len(),
        explained.len()
    );
    for text in explained {
        println!("  {text}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_same_number_is_the_same_life() {
    assert_eq!(life(1, 7), life(1, 7));
    assert_ne!(life(1, 7), life(1, 8));
    assert_ne!(life(1, 7), life(2, 7));
}

/// One life, as YAML.
fn life(seed: u64, number: u64) -> String {
    let mut chance = Chance::new(seed, number);
    let mut text = format!("title: Life {number} of seed {seed}\ncontainers:\n");
    let names = &["a", "b", "c"][..chance.pick(&[1, 1, 2, 2, 2, 3])];
    for name in names {
        writeln!(text, "  {name}: {}", member(&mut chance)).unwrap();
    }
    text.push_str("steps:\n");
    let mut story = Story { chance, text, there: Vec::new() };
    let mut steps: usize = 4 + story.chance.below(5);
    while steps > 0 {
        steps = usize::saturating_sub(steps, story.tell(names));
    }
    story.text
}

/// A container: its process ends at once, when it is asked to, or never.
fn member(chance: &mut Chance) -> String {
    let behavior = chance.pick(&[
        "",
        "",
        "signals: { SIGTERM: { exit: 0 } }",
        "signals: { SIGTERM: { exit: 7 }, SIGUSR1: handle }",
        "signals: { SIGTERM: { exit: 5, after: 200ms }, SIGINT: { exit: 4 } }",
        "signals: { SIGTERM: ignore }",
        "signals: { SIGTERM: handle }, children: 2",
        "children: 2",
        "exits: { after: 0s, code: 0 }",
        "exits: { after: 0s, code: 3 }",
        "memory: 20MiB",
        "output: hello",
        "runs: [{ exits: { after: 0s, code: 3 } }, {}]",
    ]);
    let ends = behavior.contains("exits: { after: 0s, code");
    let restart = if ends && !behavior.starts_with("runs") {
        chance.pick(&["no", "no", "on-failure:1", "on-failure:2"])
    } else {
        chance.pick(&["no", "no", "no", "on-failure:2", "always", "unless-stopped"])
    };
    let mut parts = vec![format!("behavior: {{ {behavior} }}"), format!("restart: \"{restart}\"")];
    parts.push(format!("stop_timeout: {}", chance.pick(&["1s", "1s", "2s"])));
    if chance.percent(12) {
        parts.push("init: true".into());
    }
    if chance.percent(12) {
        parts.push(format!("stop_signal: {}", chance.pick(&["SIGINT", "SIGUSR1", "SIGTERM"])));
    }
    if restart == "no" && chance.percent(8) {
        parts.push("auto_remove: true".into());
    }
    format!("{{ {} }}", parts.join(", "))
}

struct Story<'a> {
    chance: Chance,
    text: String,
    there: Vec<&'a str>,
}

impl<'a> Story<'a> {
    /// One step, or a few that belong together; says how many.
    fn tell(&mut self, names: &[&'a str]) -> usize {
        let name = self.chance.pick(names);
        if !self.there.contains(&name) {
            self.there.push(name);
            let how = self.chance.pick(&["run", "run", "run", "create"]);
            return self.step(&format!("{how}: {name}"));
        }
        match self.chance.below(40) {
            0..=5 => self.step(&format!("start: {name}")),
            6..=10 => self.step(&format!("stop: {name}")),
            11 | 12 => self.step(&format!("stop: {{ container: {name}, timeout: {} }}", "2s")),
            13 | 14 => self.step(&format!("restart: {name}")),
            15..=18 => self.step(&format!("pause: {name}")),
            19..=21 => self.step(&format!("unpause: {name}")),
            22..=25 => self.step(&format!("kill: {name}")),
            26..=28 => {
                let signal =
                    self.chance.pick(&["SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP", "SIGSTOP", "SIGCONT"]);
                self.step(&format!("kill: {{ container: {name}, signal: {signal} }}"))
            }
            29 | 30 => self.step(&format!("crash: {name}")),
            31 => self.step(&format!("exec: {{ container: {name}, command: [exit, \"7\"] }}")),
            32 => self.step(&format!("exec: {{ container: {name}, command: [nosuch] }}")),
            33 => {
                let policy = self.chance.pick(&["\"no\"", "unless-stopped", "on-failure:1"]);
                self.step(&format!("update: {{ container: {name}, restart: {policy} }}"))
            }
            34 => self.step(&format!("remove: {name}")) + self.step(&format!("run: {name}")),
            35 => {
                self.step(&format!("remove: {{ container: {name}, force: true }}"))
                    + self.step(&format!("run: {name}"))
            }
            36 => self.step(&format!("wait_exit: {{ container: {name}, within: 1s }}")),
            37 => self.step("wait: 300ms"),
            _ => self.beside(name),
        }
    }

    /// Something done to a container while it is being stopped.
    fn beside(&mut self, name: &str) -> usize {
        let what = self.chance.pick(&["stop", "restart"]);
        let first = self.step(&format!("async: {{ {what}: {name} }}"));
        let meanwhile = self.chance.pick(&["kill", "pause", "start", "stop", "unpause"]);
        first + self.step(&format!("{meanwhile}: {name}")) + self.step(&format!("join: {name}"))
    }

    fn step(&mut self, action: &str) -> usize {
        writeln!(self.text, "  - {action}").unwrap();
        1
    }
}
