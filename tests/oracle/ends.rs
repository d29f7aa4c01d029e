//! How a replay on Docker ends where there is none.

use crate::court::Court;

#[test]
fn where_no_docker_engine_answers_one_sentence_says_so_and_what_to_do() {
    let court = Court::new();
    let story = court.story("none", "title: T\ncontainers: { a: }\nsteps:\n  - create: a\n");
    for (place, words) in [
        ("unix:///no/such/socket", "start one, and see whether `docker version` shows a server"),
        ("tcp://127.0.0.1:1", "its processes have to be on this host"),
    ] {
        let output = court.command().arg(&story).env("DOCKER_HOST", place).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.starts_with("terrarium: cannot replay on Docker: ") && told.contains(words), "{told}");
        assert!(output.stdout.is_empty() && told.lines().count() == 1, "{told}");
    }
}

#[test]
fn a_reboot_is_turned_away_before_anything_runs() {
    let court = Court::new();
    let story = court.story("reboot", "title: T\ncontainers: { a: }\nsteps:\n  - run: a\n  - reboot: host\n");
    let output = court.replay(&[story]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout.is_empty() && told.contains("nobody reboots a host for a replay"), "{told}");
}
