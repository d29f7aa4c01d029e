//! One life, command by command.

use crate::stage::{Stage, eventually, is_forbidden, kill, names_in};

#[test]
fn a_container_lives_from_command_to_command_and_leaves_nothing() {
    if is_forbidden("a life in commands") {
        return;
    }
    let stage = Stage::new();
    let id = stage.good(&["create", "--name", "web", "lab"]);
    assert_eq!((id.len(), stage.ids()), (64, vec![id.clone()]));
    assert_eq!(stage.good(&["start", "web"]), "web");
    assert_eq!(stage.good(&["start", &id[..10]]), &id[..10]);
    stage.good(&["pause", "web"]);
    assert!(stage.bad(&["pause", "web"], 1).contains("already paused"));
    stage.good(&["unpause", "web"]);
    stage.good(&["restart", "-t", "0", "web"]);
    stage.good(&["rename", "web", "shop"]);
    assert!(stage.bad(&["stop", "web"], 1).contains("no such container: web"));
    stage.good(&["stop", "-t", "0", "shop"]);
    eventually("its keeper has left", || stage.keepers().is_empty());
    assert_eq!(stage.good(&["wait", "shop"]), "137");
    assert!(stage.bad(&["exec", "shop", "true"], 125).contains("not running"));
    stage.good(&["start", "shop"]);
    assert!(stage.bad(&["rm", "shop"], 1).contains("it is running"));
    stage.good(&["rm", "-f", "shop"]);
    stage.is_empty_soon(std::slice::from_ref(&id));
    assert_eq!(names_in(&stage.root().join("data/past")), [id]);
}

#[test]
fn a_run_has_the_exit_code_of_its_process() {
    if is_forbidden("exit codes") {
        return;
    }
    let stage = Stage::new();
    assert_eq!(stage.good(&["run", "--rm", "lab", "echo", "hello"]), "hello");
    for (words, status) in [(vec!["exit", "7"], 7), (vec!["nosuch"], 127), (vec!["/etc"], 126)] {
        let told = stage.run(&[vec!["run", "--rm", "lab"], words.clone()].concat());
        assert_eq!(told.status, status, "{words:?}: {}", told.complaint);
    }
    assert_eq!(stage.run(&["run", "--rm", "127.0.0.1:1/nosuchimage"]).status, 125);
    assert_eq!(stage.run(&["run", "--nosuchflag", "lab"]).status, 125);
    stage.is_empty_soon(&[]);
    stage.good(&["create", "--name", "once", "lab", "exit", "3"]);
    assert_eq!(stage.run(&["start", "-a", "once"]).status, 3);
    stage.good(&["rm", "once"]);
}

#[test]
fn a_command_inside_has_its_own_exit_code() {
    if is_forbidden("exec") {
        return;
    }
    let stage = Stage::new();
    stage.good(&["run", "-d", "--name", "web", "lab"]);
    assert_eq!(stage.good(&["exec", "web", "echo", "inside"]), "inside");
    assert_eq!(stage.run(&["exec", "web", "exit", "5"]).status, 5);
    assert_eq!(stage.run(&["exec", "web", "nosuch"]).status, 126);
    assert_eq!(stage.good(&["exec", "-d", "web", "sleep", "inf"]), "");
    assert_eq!(stage.inmates().len(), 2);
    stage.good(&["pause", "web"]);
    assert!(stage.bad(&["exec", "web", "true"], 125).contains("paused"));
    stage.good(&["rm", "-f", "web"]);
    stage.is_empty_soon(&[]);
}

#[test]
fn a_name_has_one_owner_and_a_refused_create_leaves_nothing() {
    if is_forbidden("names") {
        return;
    }
    let stage = Stage::new();
    stage.good(&["create", "--name", "web", "lab"]);
    assert!(stage.bad(&["create", "--name", "web", "lab"], 1).contains("already in use"));
    assert!(stage.bad(&["run", "--name", "web", "lab"], 125).contains("already in use"));
    stage.good(&["create", "--name", "other", "lab"]);
    assert!(stage.bad(&["rename", "other", "web"], 1).contains("already in use"));
    assert_eq!(stage.ids().len(), 2);
    stage.good(&["rm", "web", "other"]);
    stage.is_empty_soon(&[]);
}

#[test]
fn a_name_may_be_typed_with_the_slash_that_inspect_shows() {
    if is_forbidden("names") {
        return;
    }
    let stage = Stage::new();
    let names = || stage.good(&["ps", "-a", "--format", "{{.Names}}"]);
    stage.good(&["create", "--name", "/web", "lab"]);
    assert_eq!(names(), "web");
    assert_eq!(stage.good(&["inspect", "--format", "{{.Name}}", "/web"]), "/web");
    let peer = stage.run(&["create", "--name", "peer", "--network", "container:/web", "lab"]);
    if peer.status == 0 {
        stage.good(&["rm", "peer"]);
    } else {
        assert!(peer.complaint.contains("takes root"), "{peer:?}");
    }
    stage.good(&["rename", "/web", "/shop"]);
    assert_eq!(names(), "shop");
    for wrong in ["//shop", "/", "/-shop"] {
        let told = stage.run(&["rename", "shop", wrong]);
        assert!(told.status != 0 && told.complaint.contains(&format!("`{wrong}` is not")), "{told:?}");
    }
    stage.good(&["rm", "/shop"]);
    stage.is_empty_soon(&[]);
}

#[test]
fn a_restart_policy_is_lived_by_the_keeper() {
    if is_forbidden("restart policies") {
        return;
    }
    let stage = Stage::new();
    stage.good(&["run", "-d", "--name", "twice", "--restart", "on-failure:2", "lab", "exit", "3"]);
    eventually("it has been started twice more, and its keeper has left", || stage.keepers().is_empty());
    assert_eq!(stage.good(&["wait", "twice"]), "3");
    stage.good(&["rm", "twice"]);
    let refused = stage.bad(&["create", "--rm", "--restart", "always", "lab"], 1);
    assert!(refused.contains("contradict"), "{refused}");
    stage.is_empty_soon(&[]);
}

#[test]
fn a_killed_keeper_takes_its_container_along_and_the_policy_decides() {
    if is_forbidden("killed keepers") {
        return;
    }
    let stage = Stage::new();
    stage.good(&["run", "-d", "--name", "plain", "lab"]);
    for pid in stage.keepers() {
        kill(pid);
    }
    eventually("its container is gone with it", || stage.inmates().is_empty());
    assert_eq!(stage.good(&["wait", "plain"]), "137");
    stage.good(&["start", "plain"]);
    stage.good(&["rm", "-f", "plain"]);

    stage.good(&["run", "-d", "--name", "always", "--restart", "always", "lab"]);
    for pid in stage.keepers() {
        kill(pid);
    }
    eventually("its container is gone with it", || stage.inmates().is_empty());
    // Whatever is asked of it: it is started again first.
    stage.good(&["update", "--restart", "always", "always"]);
    eventually("it lives again", || stage.inmates().len() == 1);
    stage.good(&["rm", "-f", "always"]);
    stage.is_empty_soon(&[]);
}

#[test]
fn those_without_a_process_are_pruned() {
    if is_forbidden("prune") {
        return;
    }
    let stage = Stage::new();
    stage.good(&["run", "-d", "--name", "lives", "lab"]);
    stage.good(&["create", "lab"]);
    let told = stage.run(&["prune"]);
    assert!(told.complaint.contains("--force"), "{}", told.complaint);
    assert_eq!(stage.ids().len(), 2);
    stage.good(&["prune", "--force"]);
    assert_eq!(stage.ids().len(), 1);
    stage.good(&["rm", "-f", "lives"]);
    stage.is_empty_soon(&[]);
}

#[test]
fn a_health_check_is_lived_by_the_keeper_and_shown() {
    if is_forbidden("health checks") {
        return;
    }
    let stage = Stage::new();
    let check = ["--health-interval", "50ms", "--health-retries", "2", "lab"];
    let health = |name: &str, field: &str| {
        stage.good(&["inspect", "--format", &format!("{{{{.State.Health.{field}}}}}"), name])
    };
    for (name, test, becomes) in [("well", "true", "healthy"), ("ill", "false", "unhealthy")] {
        let run = [&["run", "-d", "--name", name, "--health-cmd", test], &check[..]].concat();
        stage.good(&run);
        eventually("its health is found out", || health(name, "Status") == becomes);
    }
    assert_eq!(health("well", "FailingStreak"), "0");
    assert!(health("ill", "FailingStreak").parse::<u32>().unwrap() >= 2);
    eventually("five are remembered", || {
        stage.good(&["inspect", "--format", "{{len .State.Health.Log}}", "ill"]) == "5"
    });
    assert_eq!(stage.good(&["inspect", "--format", "{{(index .State.Health.Log 4).ExitCode}}", "ill"]), "1");
    stage.good(&["stop", "-t", "0", "ill"]);
    assert_eq!(health("ill", "Status"), "unhealthy");
    stage.good(&["rm", "-f", "well", "ill"]);
    stage.is_empty_soon(&[]);
}

#[test]
fn an_address_is_shown_while_there_is_one() {
    if is_forbidden("addresses") {
        return;
    }
    let stage = Stage::new();
    stage.good(&["run", "-d", "--name", "web", "lab"]);
    let address = || stage.good(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}", "web"]);
    let by_network = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    assert!(address().parse::<std::net::Ipv4Addr>().is_ok(), "{}", address());
    assert_eq!(stage.good(&["inspect", "--format", by_network, "web"]), address());
    stage.good(&["stop", "-t", "0", "web"]);
    assert_eq!(address(), "");
    stage.good(&["rm", "web"]);
}
