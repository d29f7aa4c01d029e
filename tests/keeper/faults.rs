//! Kill -9 at every step: of a keeper, of a command, of a container's init. Nobody is forgotten or doubled, nothing leaks.

use std::time::Duration;

use terrarium::engine::journal::is_kept;

use crate::stage::{Stage, Told, eventually, is_forbidden, kill, told};

/// How much of it is tried. With `TERRARIUM_FAULTS=300` every step is taken, and 300 commands and 300 inits are killed.
#[derive(Clone, Copy)]
struct Zeal {
    /// Every how many steps one is taken.
    stride: usize,
    /// How many are killed at some time or other.
    rounds: u64,
}

fn zeal() -> Zeal {
    match std::env::var("TERRARIUM_FAULTS").ok().and_then(|wanted| wanted.parse().ok()) {
        Some(rounds) => Zeal { stride: 1, rounds },
        None => Zeal { stride: 4, rounds: 15 },
    }
}

/// What is there before a command, and the command. Whatever comes of it, everything can be cleared up.
const VERBS: [(&[&[&str]], &[&str]); 6] = [
    (&[], &["create", "--name", "web", "lab"]),
    (&[], &["run", "-d", "--name", "web", "lab"]),
    (&[&["create", "--name", "web", "lab"]], &["start", "web"]),
    (&[&["run", "-d", "--name", "web", "lab"]], &["stop", "-t", "0", "web"]),
    (&[&["run", "-d", "--name", "web", "lab"]], &["restart", "-t", "0", "web"]),
    (&[&["run", "-d", "--name", "web", "lab"]], &["rm", "-f", "web"]),
];

/// Runs commands; the first of the keepers that they start dies at this point of its life. Says whether it got there.
fn live(stage: &Stage, point: usize, commands: &[&[&str]]) -> (Vec<Told>, Fate) {
    let mark = stage.root().with_extension("died");
    let die = |words: &&[&str]| {
        let mut dying = stage.command(words);
        dying.env("TERRARIUM_DIE_AT", point.to_string()).env("TERRARIUM_DIED", &mark);
        told(dying)
    };
    let all = commands.iter().map(die).collect();
    (all, if std::fs::remove_file(&mark).is_ok() { Fate::Died } else { Fate::Lived })
}

/// What has become of a keeper that was to die.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Died,
    /// Its life was not so long.
    Lived,
}

/// Whatever has become of it: it is there once or not at all, and can be removed.
fn clear_up(stage: &Stage, point: usize, lived: &[Told]) {
    let ids = stage.ids();
    assert!(ids.len() <= 1, "point {point}: {ids:?} {lived:#?}");
    eventually("at most one is alive", || stage.inmates().len() <= 1);
    // It is as good as any, or is not there: then its name is free.
    let again = stage.run(&["create", "--name", "web", "lab"]);
    let there = again.complaint.contains("already in use");
    assert!(again.status == 0 || there, "point {point}: {again:?} {lived:#?}");
    let mut restarted = stage.run(&["restart", "-t", "0", "web"]);
    if there && restarted.complaint.contains("no such container") {
        // Its removal had been asked for, and went on without whoever has asked.
        stage.good(&["create", "--name", "web", "lab"]);
        restarted = stage.run(&["restart", "-t", "0", "web"]);
    } else if restarted.complaint.contains("again") {
        // It died while it was being started, which was said, and what to do.
        restarted = stage.run(&["restart", "-t", "0", "web"]);
    }
    assert_eq!(restarted.status, 0, "point {point}: {restarted:?} {lived:#?}");
    let ids = stage.ids();
    assert_eq!(ids.len(), 1, "point {point}: {ids:?}");
    let removed = stage.run(&["rm", "-f", "web"]);
    assert_eq!((removed.status, removed.complaint.as_str()), (0, ""), "point {point}: {lived:#?}");
    stage.is_empty_soon(&ids);
}

fn everywhere(prepare: &[&[&str]], commands: &[&[&str]]) {
    let stage = Stage::new();
    stage.good(&["run", "--rm", "lab", "true"]);
    let mut point = 1;
    loop {
        for words in prepare {
            stage.good(words);
        }
        eventually("only what dies is there", || stage.keepers().is_empty());
        let (lived, fate) = live(&stage, point, commands);
        clear_up(&stage, point, &lived);
        if fate == Fate::Lived {
            assert!(lived.iter().all(|told| told.status == 0), "{lived:#?}");
            break;
        }
        point += zeal().stride;
        assert!(point < 1000, "it never ends");
    }
    assert!(point > 4, "only {point} points were passed");
    println!("{point} points of {commands:?} were passed");
}

#[test]
fn a_keeper_may_die_at_every_step_of_a_first_life() {
    if is_forbidden("dying keepers") {
        return;
    }
    everywhere(
        &[],
        &[
            &["create", "--name", "web", "lab"],
            &["start", "web"],
            &["pause", "web"],
            &["unpause", "web"],
            &["rm", "-f", "web"],
        ],
    );
}

#[test]
fn a_keeper_may_die_at_every_step_of_a_later_life() {
    if is_forbidden("dying keepers") {
        return;
    }
    everywhere(
        &[&["run", "-d", "--name", "web", "lab"], &["stop", "-t", "0", "web"]],
        &[&["start", "web"], &["restart", "-t", "0", "web"], &["kill", "web"], &["rm", "web"]],
    );
}

#[test]
fn a_keeper_may_die_again_while_the_loss_of_the_last_is_mended() {
    if is_forbidden("dying keepers") {
        return;
    }
    let stage = Stage::new();
    for point in (1..40).step_by(2 * zeal().stride) {
        stage.good(&["run", "-d", "--name", "web", "--restart", "always", "lab"]);
        for pid in stage.keepers() {
            kill(pid);
        }
        eventually("it is gone", || stage.keepers().is_empty());
        let (lived, _) = live(&stage, point, &[&["restart", "-t", "0", "web"], &["rm", "-f", "web"]]);
        clear_up(&stage, point, &lived);
    }
}

#[test]
fn a_keeper_may_die_at_every_step_of_a_stop_and_of_a_removal() {
    if is_forbidden("dying keepers") {
        return;
    }
    let stopped: &[&[&str]] = &[&["run", "-d", "--name", "web", "lab"], &["stop", "-t", "0", "web"]];
    everywhere(stopped, &[&["start", "web"], &["stop", "-t", "0", "web"]]);
    everywhere(stopped, &[&["rm", "web"]]);
}

#[test]
fn who_asks_in_the_same_breath_finds_a_killed_keeper_dead() {
    if is_forbidden("keepers that die") {
        return;
    }
    let stage = Stage::new();
    let id = stage.good(&["create", "--name", "web", "lab"]);
    for round in 0..20 {
        stage.good(&["start", "web"]);
        assert!(is_kept(&stage.journal(&id)), "round {round}");
        stage.keepers().into_iter().for_each(kill);
        // A command needs a moment to begin; who is here already does not.
        if round % 2 == 0 {
            assert!(!is_kept(&stage.journal(&id)), "round {round}");
        }
        assert_eq!(stage.good(&["ps", "-a", "--format", "{{.State}}"]), "exited", "round {round}");
    }
    stage.good(&["rm", "web"]);
    stage.is_empty_soon(&[id]);
}

#[test]
fn a_command_may_die_at_any_time() {
    if is_forbidden("dying commands") {
        return;
    }
    let stage = Stage::new();
    let Zeal { rounds, .. } = zeal();
    for round in 0..rounds {
        let (prepare, words) = VERBS[usize::try_from(round).unwrap() % VERBS.len()];
        for before in prepare {
            stage.good(before);
        }
        let mut command = stage.begin(words);
        std::thread::sleep(Duration::from_micros(round * 30_000 / rounds));
        command.kill().unwrap();
        command.wait().unwrap();
        clear_up(&stage, usize::try_from(round).unwrap(), &[]);
    }
}

#[test]
fn an_init_may_die_at_any_time() {
    if is_forbidden("dying inits") {
        return;
    }
    let stage = Stage::new();
    let Zeal { rounds, .. } = zeal();
    for round in 0..rounds {
        let (prepare, words) = VERBS[usize::try_from(round).unwrap() % VERBS.len()];
        for before in prepare {
            stage.good(before);
        }
        let mut command = stage.begin(words);
        eventually("somebody is inside", || {
            !stage.inmates().is_empty() || command.try_wait().unwrap().is_some()
        });
        std::thread::sleep(Duration::from_micros(round * 20_000 / rounds));
        for pid in stage.inmates() {
            kill(pid);
        }
        eventually("the command ends", || command.try_wait().unwrap().is_some());
        clear_up(&stage, usize::try_from(round).unwrap(), &[]);
    }
}
