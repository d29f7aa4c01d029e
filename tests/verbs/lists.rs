//! `ps`, `port`, `inspect`: which containers there are, in Docker's columns and words.

use terrarium::model::{ContainerSpec, PortBinding, Protocol, RestartPolicy, Signal, Verb};

use super::stage::{Stage, seconds};

/// As `docker ps -a --no-trunc -s` of Docker 20.10 with client 28.2 shows them.
const DOCKERS_COLUMNS: &str = "CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES SIZE";

fn command(words: &[&str]) -> ContainerSpec {
    ContainerSpec {
        command: Some(words.iter().map(ToString::to_string).collect()),
        ..ContainerSpec::default()
    }
}

fn published() -> ContainerSpec {
    let port = |host, container, protocol| PortBinding { ip: None, host: Some(host), container, protocol };
    ContainerSpec {
        publish: vec![port(18_080, 80, Protocol::Tcp), port(18_053, 53, Protocol::Udp)],
        labels: [("team".into(), "x".into()), ("tier".into(), "front".into())].into(),
        ..ContainerSpec::default()
    }
}

/// A street with one of each.
fn street() -> Stage {
    let mut stage = Stage::new();
    stage.run(seconds(7200), "web", published());
    stage.run(seconds(600), "sleepy", command(&["sleep", "100000"])).ask(Verb::Pause);
    stage.run(seconds(300), "job", command(&["exit", "3"])).pass(seconds(5));
    stage.create(seconds(90), "fresh", command(&["echo", "a long command with many words"]));
    stage.run(seconds(60), "killed", ContainerSpec::default()).ask(Verb::Kill { signal: Signal::KILL });
    stage
}

#[test]
fn ps_has_dockers_columns_and_words() {
    let stage = street();
    let shown = stage.printed(&["ps", "-a", "-s"]);
    let mut lines = shown.lines();
    let heading = lines.next().unwrap();
    assert_eq!(heading.split_whitespace().collect::<Vec<_>>().join(" "), DOCKERS_COLUMNS);
    let column = |name: &str| heading.find(name).unwrap();
    let cell = |line: &str, name: &str, next: &str| line[column(name)..column(next)].trim().to_owned();
    let rows: Vec<(String, String, String)> = lines
        .map(|line| {
            (cell(line, "NAMES", "SIZE"), cell(line, "COMMAND", "CREATED"), cell(line, "STATUS", "PORTS"))
        })
        .collect();
    let expected = [
        ("killed", "\"lab\"", "Exited (137) About a minute ago"),
        ("fresh", "\"echo a long command…\"", "Created"),
        ("job", "\"exit 3\"", "Exited (3) 5 minutes ago"),
        ("sleepy", "\"sleep 100000\"", "Up 10 minutes (Paused)"),
        ("web", "\"lab\"", "Up 2 hours"),
    ]
    .map(|(name, command, status)| (name.into(), command.into(), status.into()));
    assert_eq!(rows, expected);
    let ports = stage.printed(&["ps", "--format", "{{.Ports}}", "--filter", "name=web"]);
    assert_eq!(
        ports,
        "0.0.0.0:18053->53/udp, [::]:18053->53/udp, 0.0.0.0:18080->80/tcp, [::]:18080->80/tcp\n"
    );
    // In a pipe nothing but containers is told.
    assert_eq!(Stage::new().printed(&["ps"]).lines().count(), 1);
    assert_eq!(Stage::new().printed(&["ps", "-q"]), "");
}

#[test]
fn ps_shows_who_was_asked_for() {
    let stage = street();
    let shown = |words: &[&str]| {
        let words: Vec<&str> =
            ["ps", "--format", "{{.Names}}"].into_iter().chain(words.iter().copied()).collect();
        stage.printed(&words).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (words, names) in [
        (vec![], "sleepy web"),
        (vec!["-a"], "killed fresh job sleepy web"),
        (vec!["-l"], "killed"),
        (vec!["-n", "2"], "killed fresh"),
        (vec!["-n", "-1"], "sleepy web"),
        (vec!["--filter", "status=exited"], "killed job"),
        (vec!["-f", "status=exited", "-f", "status=created"], "killed fresh job"),
        (vec!["-a", "--filter", "exited=137"], "killed"),
        (vec!["-a", "--filter", "name=e[bs]"], "fresh web"),
        (vec!["--filter", "name=^/web$"], "web"),
        (vec!["--filter", "label=team"], "web"),
        (vec!["--filter", "label=team=y"], ""),
        (vec!["--filter", "label=team=x", "--filter", "label=tier"], "web"),
        (vec!["-a", "--filter", "before=job"], "sleepy web"),
        (vec!["-a", "--filter", "since=job"], "killed fresh"),
        (vec!["--filter", "publish=18080"], "web"),
        (vec!["--filter", "publish=18000-18100/udp"], "web"),
        (vec!["--filter", "expose=81"], ""),
        (vec!["--filter", "ancestor=lab:latest"], "sleepy web"),
        (vec!["--filter", "network=none"], ""),
        (vec!["-a", "--filter", "health=none", "--filter", "status=paused"], "sleepy"),
    ] {
        assert_eq!(shown(&words), names, "{words:?}");
    }
    let id = stage.printed(&["ps", "-q", "--no-trunc", "--filter", "name=web"]);
    assert_eq!(id.trim().len(), 64);
    assert_eq!(shown(&["--filter", &format!("id={}", &id[..12])]), "web");
    assert_eq!(stage.printed(&["ps", "-q", "--filter", "name=web"]).trim(), &id[..12]);
}

#[test]
fn words_that_are_wrong_are_named() {
    let stage = street();
    for (words, status, said) in [
        (vec!["ps", "--filter", "status=nope"], 2, "invalid filter `status=nope` (write created, running"),
        (vec!["ps", "--filter", "nope=1"], 2, "invalid filter `nope` (there are: ancestor"),
        (vec!["ps", "--filter", "name=^(web"], 2, "parentheses"),
        (vec!["ps", "--filter", "name"], 2, "bad format of filter `name`"),
        (vec!["ps", "--format", "{{.Nmes}}"], 2, "did you mean `.Names`?"),
        (vec!["ps", "--format", "{{.ID"], 2, "is not closed"),
        (vec!["ps", "--filter", "before=nobody"], 1, "no such container: nobody"),
        (vec!["inspect", "nobody"], 1, "no such container: nobody"),
        (vec!["inspect", "--type", "network", "web"], 2, "nothing of type `network`"),
        (vec!["inspect", "--type", "image", "web"], 1, "no such image: web"),
        (vec!["port", "web", "99"], 1, "no public port 99/tcp published for web"),
        (vec!["port", "web", "x"], 2, "`x` is not a port"),
        (vec!["history", "nobody"], 1, "no such container: nobody"),
    ] {
        let told = stage.terrarium(&words);
        assert_eq!(told.status, Some(status), "{words:?}: {told:?}");
        assert!(told.err.starts_with("terrarium: ") && told.err.contains(said), "{words:?}: {}", told.err);
        assert_eq!(told.err.lines().count(), 1, "{}", told.err);
    }
}

#[test]
fn ports_are_listed_and_looked_up() {
    let stage = street();
    assert_eq!(
        stage.printed(&["port", "web"]),
        "53/udp -> 0.0.0.0:18053\n53/udp -> [::]:18053\n80/tcp -> 0.0.0.0:18080\n80/tcp -> [::]:18080\n"
    );
    assert_eq!(stage.printed(&["port", "web", "80"]), "0.0.0.0:18080\n[::]:18080\n");
    assert_eq!(stage.printed(&["port", "web", "53/udp"]), "0.0.0.0:18053\n[::]:18053\n");
    assert_eq!(stage.printed(&["port", "job"]), "");
}

#[test]
fn inspect_answers_templates_and_names_what_is_missing() {
    let stage = street();
    let template = "{{.Name}} {{.State.Status}} {{.State.ExitCode}} {{json .Config.Cmd}} {{index .Config.Labels \"team\"}}";
    assert_eq!(
        stage.printed(&["inspect", "-f", template, "web", "job"]),
        "/web running 0 null x\n/job exited 3 [\"exit\",\"3\"] \n"
    );
    let told = stage.terrarium(&["inspect", "--format", "{{.Name}}", "web", "nobody"]);
    assert_eq!((told.status, told.out.as_str()), (Some(1), "/web\n"));
    assert!(told.err.contains("no such container: nobody"));
    assert_eq!(stage.terrarium(&["inspect", "nobody"]).out, "[]\n");
    let bound = "{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}";
    assert_eq!(stage.printed(&["inspect", "-f", bound, "web"]), "18080\n");
}

#[test]
fn a_pause_keeps_the_time_of_the_start_and_the_next_start_keeps_that_of_the_end() {
    let mut stage = Stage::new();
    let times = |stage: &Stage| {
        let told = stage.printed(&["inspect", "-f", "{{.State.StartedAt}} {{.State.FinishedAt}}", "web"]);
        let times: Vec<String> = told.split_whitespace().map(String::from).collect();
        <[String; 2]>::try_from(times).unwrap()
    };
    stage.run(seconds(600), "web", ContainerSpec::default()).pass(seconds(5));
    let [first_start, never] = times(&stage);
    assert_eq!(never, "0001-01-01T00:00:00Z");
    stage.life("web").ask(Verb::Pause).pass(seconds(5)).ask(Verb::Unpause).pass(seconds(5));
    assert_eq!(times(&stage), [first_start.clone(), never]);
    stage.life("web").ask(Verb::Kill { signal: Signal::KILL }).pass(seconds(5));
    let [start, end] = times(&stage);
    assert_eq!(start, first_start);
    assert!(end > start, "{end}");
    stage.life("web").ask(Verb::Start).pass(seconds(5));
    let [second_start, kept] = times(&stage);
    assert_eq!(kept, end);
    assert!(second_start > end, "{second_start}");
}

#[test]
fn what_is_paused_or_in_back_off_counts_as_running_too() {
    let mut stage = Stage::new();
    let flags = |stage: &Stage, name: &str| {
        let flags = "{{.State.Running}} {{.State.Paused}} {{.State.Restarting}} {{.State.ExitCode}}";
        stage.printed(&["inspect", "-f", flags, name])
    };
    stage.run(seconds(60), "frozen", ContainerSpec::default()).ask(Verb::Pause);
    assert_eq!(flags(&stage, "frozen"), "true true false 0\n");
    let restart = RestartPolicy::Always;
    let failing = ContainerSpec { restart, ..command(&["exit", "3"]) };
    stage.run(seconds(60), "failing", failing).pass(seconds(7));
    assert_eq!(flags(&stage, "failing"), "true false true 3\n");
    assert_eq!(stage.printed(&["inspect", "-f", "{{.State.Pid}}", "failing"]), "0\n");
}

#[test]
fn a_removal_by_force_of_what_is_absent_says_so_and_is_no_failure() {
    let told = Stage::new().terrarium(&["rm", "-f", "nobody"]);
    assert_eq!(told.status, Some(0));
    assert!(told.err.contains("no such container: nobody"), "{}", told.err);
    assert_eq!(Stage::new().terrarium(&["rm", "nobody"]).status, Some(1));
}
