//! The host goes down and comes up again: what is on the disk tells who lives again.

use std::process::Command;

use crate::stage::{Stage, eventually, is_forbidden, kill, told};

/// In the host's next life: all processes have ended, and what has its place in /run is gone.
fn reboot(stage: &Stage) {
    for pid in stage.keepers() {
        kill(pid);
    }
    eventually("everybody has ended", || stage.keepers().is_empty() && stage.inmates().is_empty());
    std::fs::remove_dir_all(stage.root().join("run")).unwrap();
}

fn in_the_next_life(stage: &Stage, words: &[&str]) -> Command {
    let mut command = stage.command(words);
    command.env("TERRARIUM_BOOT_ID", "00000000-0000-0000-0000-000000000001");
    command
}

#[test]
fn after_a_reboot_those_come_back_whose_policy_says_so() {
    if is_forbidden("a reboot") {
        return;
    }
    let stage = Stage::new();
    for (name, policy) in [
        ("no", "no"),
        ("always", "always"),
        ("stopped", "unless-stopped"),
        ("unless", "unless-stopped"),
        ("failed", "on-failure"),
    ] {
        stage.good(&["run", "-d", "--name", name, "--restart", policy, "lab"]);
    }
    stage.good(&["stop", "-t", "0", "stopped"]);
    stage.good(&["create", "--name", "created", "--restart", "always", "lab"]);
    reboot(&stage);
    // Any command will do.
    let first = told(in_the_next_life(&stage, &["rename", "no", "never"]));
    assert_eq!(first.status, 0, "{}", first.complaint);
    eventually("three live again", || stage.inmates().len() == 3);
    for (name, lives) in [
        ("never", false),
        ("always", true),
        ("stopped", false),
        ("unless", true),
        ("failed", true),
        ("created", false),
    ] {
        let paused = told(in_the_next_life(&stage, &["pause", name]));
        assert_eq!(paused.status == 0, lives, "{name}: {}", paused.complaint);
    }
    let all = ["rm", "-f", "never", "always", "stopped", "unless", "failed", "created"];
    let removed = told(in_the_next_life(&stage, &all));
    assert_eq!(removed.status, 0, "{}", removed.complaint);
    stage.is_empty_soon(&[]);
}
