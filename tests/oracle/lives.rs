//! Lives at random on Docker, each predicted before: `terrarium check --engine docker`.
//!
//! `TERRARIUM_ORACLE_LIVES` says how many, `TERRARIUM_ORACLE_SEED` which.

use crate::court::{Court, is_closed};

/// Enough to notice that something is wrong.
const LIVES: &str = "6";

#[test]
fn random_lives_go_on_docker_as_the_model_has_predicted() {
    if is_closed("random lives on Docker") {
        return;
    }
    let asked = |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.into());
    let lives = asked("TERRARIUM_ORACLE_LIVES", LIVES);
    let seed = asked("TERRARIUM_ORACLE_SEED", "1");
    let output = Court::new()
        .terrarium()
        .args(["check", "--engine", "docker", "--cases", &lives, "--seed", &seed])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    println!("{told}");
    assert_eq!((output.status.code(), complaint.as_ref()), (Some(0), ""), "{told}");
    assert!(told.contains(&format!("{lives} lives at random")), "{told}");
}
