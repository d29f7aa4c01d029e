//! The same verbs with containers that really live: their output, their processes, their files, their costs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use terrarium::world::linux::Linux;

use super::stage::Stage;

/// An estate with real containers, which are removed with it.
struct House {
    stage: Stage,
}

impl House {
    /// None where the host lets nobody make containers; that is said.
    fn open() -> Option<Self> {
        let stage = Stage::new();
        let tried = {
            // Two worlds of one process would have one cgroup between them.
            static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
            let _alone = ONE_AT_A_TIME.lock();
            Linux::open(Some(stage.root()), &BTreeMap::new()).map(drop)
        };
        if let Err(obstacle) = tried {
            println!("skipped: containers that really live, {obstacle}");
            return None;
        }
        Some(Self { stage })
    }

    fn printed(&self, words: &[&str]) -> String {
        self.stage.printed(words)
    }

    /// Runs one that stays.
    fn keep(&self, name: &str, command: &[&str]) {
        self.printed(&[&["create", "--name", name, "lab"], command].concat());
        self.printed(&["start", name]);
    }

    /// A command that goes on, and whose lines are read.
    fn begin(&self, words: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_terrarium"));
        command.arg("--root").arg(self.stage.root()).args(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let there = self.stage.terrarium(&["ps", "-aq"]).out;
        for id in there.split_whitespace() {
            let _ = self.stage.terrarium(&["rm", "-f", id]);
        }
    }
}

/// The first line with a word in it.
fn line_with(child: &mut Child, word: &str) -> String {
    let out = BufReader::new(child.stdout.take().unwrap());
    out.lines().map(|line| line.unwrap()).find(|line| line.contains(word)).unwrap_or_default()
}

#[test]
fn what_a_container_writes_can_be_read() {
    let Some(house) = House::open() else { return };
    house.keep("job", &["echo", "one line"]);
    house.printed(&["wait", "job"]);
    assert_eq!(house.printed(&["logs", "job"]), "one line\n");
    assert_eq!(house.printed(&["logs", "-f", "job"]), "one line\n");
    assert_eq!(house.printed(&["logs", "--tail", "0", "job"]), "");
    assert_eq!(house.printed(&["logs", "--until", "1h", "job"]), "");
    assert_eq!(house.printed(&["logs", "--since", "1h", "-n", "5", "job"]), "one line\n");
    let stamped = house.printed(&["logs", "-t", "job"]);
    assert!(stamped.ends_with("Z one line\n") && stamped.starts_with("20"), "{stamped}");
}

#[test]
fn processes_and_costs_are_those_of_the_container() {
    let Some(house) = House::open() else { return };
    house.keep("web", &[]);
    if Command::new("ps").arg("-ef").output().is_ok() {
        let top = house.printed(&["top", "web"]);
        let titles: Vec<&str> = top.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(titles, ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
        assert_eq!(top.lines().count(), 2, "{top}");
    } else {
        println!("skipped: the processes of a container, there is no ps here");
    }
    let stats = house.printed(&["stats", "--no-stream"]);
    let heading = "CONTAINER ID NAME CPU % MEM USAGE / LIMIT MEM % NET I/O BLOCK I/O PIDS";
    assert_eq!(stats.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" "), heading);
    assert_eq!(house.printed(&["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}"]), "web 1\n");
    let pid = house.printed(&["inspect", "-f", "{{.State.Pid}}", "web"]);
    assert!(fs::metadata(format!("/proc/{}", pid.trim())).is_ok(), "{pid}");
    house.printed(&["stop", "-t", "0", "web"]);
    let told = house.stage.terrarium(&["top", "web"]);
    assert_eq!((told.status, told.err.contains("not running")), (Some(1), true), "{}", told.err);
}

#[test]
fn a_life_can_be_followed_until_it_is_over() {
    let Some(house) = House::open() else { return };
    house.keep("web", &[]);
    let mut watching = house.begin(&["watch", "web"]);
    let mut listening = house.begin(&["events", "--since", "1m", "--filter", "event=die"]);
    house.printed(&["rm", "-f", "web"]);
    assert!(line_with(&mut watching, "removing → absent").contains("state"));
    assert!(watching.wait().unwrap().success());
    assert!(line_with(&mut listening, "exitCode=137").contains("container die"));
    listening.kill().unwrap();
    listening.wait().unwrap();
}

#[test]
fn files_go_in_and_come_out_and_are_told_of() {
    let Some(house) = House::open() else { return };
    house.keep("web", &[]);
    let at = |name: &str| house.stage.file(name).to_str().unwrap().to_owned();
    fs::create_dir_all(at("site/deep")).unwrap();
    fs::write(at("site/deep/page"), "text").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at("site/link")).unwrap();
    house.printed(&["cp", &at("site"), "web:/tmp/site"]);
    house.printed(&["cp", "web:/tmp/site", &at("back")]);
    assert_eq!(fs::read_to_string(at("back/deep/page")).unwrap(), "text");
    // The link leads to the container's own file, never to the host's.
    house.printed(&["cp", "-L", "web:/tmp/site/link", &at("passwd")]);
    assert!(fs::read_to_string(at("passwd")).unwrap().ends_with("/bin/false\n"));
    house.printed(&["cp", "web:/tmp/../../../../etc/passwd", &at("same")]);
    assert_eq!(fs::read(at("same")).unwrap(), fs::read(at("passwd")).unwrap());
    let diff = house.printed(&["diff", "web"]);
    assert_eq!(diff, "C /tmp\nA /tmp/site\nA /tmp/site/deep\nA /tmp/site/deep/page\nA /tmp/site/link\n");
    for (words, said) in [
        (["cp", "web:/none", "."], "no such file: /none"),
        (["cp", "nobody:/etc", "."], "no such container: nobody"),
        (["cp", &at("site"), "web:/none/there"], "no such directory: /none"),
        (["cp", &at("site/deep/page"), "web:/none/"], "no such directory: /none/"),
    ] {
        let told = house.stage.terrarium(&words);
        assert_eq!((told.status, told.err.contains(said)), (Some(1), true), "{words:?}: {}", told.err);
    }
    assert_eq!(house.stage.terrarium(&["cp", "a", "b"]).status, Some(2));
    let stream = house.begin(&["cp", "web:/tmp/site", "-"]).wait_with_output().unwrap().stdout;
    let mut archive = tar::Archive::new(stream.as_slice());
    let names: Vec<_> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
    assert!(names.iter().any(|name| name.ends_with("site/deep/page")), "{names:?}");
}

#[test]
fn the_files_of_one_that_has_ended_go_in_and_come_out_for_whoever_owns_it() {
    let Some(house) = House::open() else { return };
    house.keep("web", &[]);
    let at = |name: &str| house.stage.file(name).to_str().unwrap().to_owned();
    fs::write(at("page"), "text").unwrap();
    house.printed(&["cp", &at("page"), "web:/tmp/before"]);
    house.printed(&["kill", "web"]);
    house.printed(&["cp", "web:/tmp/before", &at("back")]);
    house.printed(&["cp", &at("page"), "web:/tmp/after"]);
    assert_eq!(fs::read_to_string(at("back")).unwrap(), "text");
    assert_eq!(house.printed(&["diff", "web"]), "C /tmp\nA /tmp/after\nA /tmp/before\n");
    // The image's own files, too.
    house.printed(&["cp", "web:/etc/passwd", &at("passwd")]);
    assert!(fs::read_to_string(at("passwd")).unwrap().starts_with("root:"));
    // It lives with what it was given meanwhile.
    house.printed(&["start", "web"]);
    house.printed(&["cp", "web:/tmp/after", &at("after")]);
    assert_eq!(fs::read_to_string(at("after")).unwrap(), "text");
}

/// A program that tells of its surroundings, and a container that has it.
fn with_busybox(house: &House, name: &str) -> bool {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| fs::metadata(path).is_ok());
    let Some(busybox) = busybox else {
        println!("skipped: what a process sees, there is no busybox here");
        return false;
    };
    house.printed(&["create", "--name", name, "-v", &format!("{busybox}:/tmp/busybox:ro"), "lab"]);
    house.printed(&["start", name]);
    true
}

#[test]
fn a_process_has_the_variables_and_the_groups_that_docker_gives_it() {
    let Some(house) = House::open() else { return };
    if !with_busybox(&house, "web") {
        return;
    }
    let seen = house.printed(&["exec", "-e", "A=B", "web", "/tmp/busybox", "env"]);
    for variable in ["HOSTNAME=web", "A=B"] {
        assert!(seen.lines().any(|line| line == variable), "{variable}: {seen}");
    }
    assert!(seen.lines().any(|line| line.starts_with("HOME=/")), "{seen}");
    assert_eq!(house.printed(&["exec", "web", "/tmp/busybox", "id", "-G"]), "0\n");
}

#[test]
fn what_cannot_be_is_refused_with_dockers_codes() {
    let Some(house) = House::open() else { return };
    house.keep("web", &[]);
    for (words, status, said) in [
        (["exec", "-w", "/none", "web", "true"].as_slice(), 126, "/none"),
        (&["exec", "-t", "-i", "web", "true"], 125, "the input device is not a TTY"),
        (&["update", "web"], 2, "one or more flags"),
        (&["run", "--memory", "1m", "lab", "true"], 125, "minimum memory limit allowed is 6MB"),
        (&["run", "--cpus", "4000", "lab", "true"], 125, "range of CPUs is from 0.01 to"),
    ] {
        let told = house.stage.terrarium(words);
        assert_eq!((told.status, told.err.contains(said)), (Some(status), true), "{words:?}: {}", told.err);
    }
    // A name as `inspect` shows it, and what Docker leaves out where it is empty.
    let template =
        "{{.Name}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}[{{.Config.StopSignal}}]";
    assert_eq!(house.printed(&["inspect", "-f", template, "/web"]), "/web none[]\n");
    let template = "{{.Config.Entrypoint}} {{.HostConfig.Binds}} {{.HostConfig.Init}}";
    assert_eq!(house.printed(&["inspect", "-f", template, "web"]), "[] [] <nil>\n");
    assert_eq!(house.printed(&["inspect", "-f", "{{json .HostConfig.Binds}}", "web"]), "null\n");
    house.printed(&["create", "--name", "kept", "-v", "files:/srv", "-v", "/tmp:/host:ro", "lab"]);
    let template = "{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.Mode}} {{.RW}};{{end}}";
    let mounts = house.printed(&["inspect", "-f", template, "kept"]);
    assert_eq!(mounts, "volume files /srv z true;bind  /host ro false;\n");
    let sources = house.printed(&["inspect", "-f", "{{range .Mounts}}{{.Source}}\n{{end}}", "kept"]);
    assert!(sources.lines().all(|source| source.is_empty() || fs::metadata(source).is_ok()), "{sources}");
    house.printed(&["commit", "web", "page:1"]);
    assert_eq!(house.printed(&["inspect", "-f", "{{.Os}} {{.RepoTags}}", "page:1"]), "linux [page:1]\n");
    assert_eq!(house.printed(&["inspect", "--type", "image", "-f", "{{.Os}}", "page:1"]), "linux\n");
}

/// What has been told of it so far.
fn events(house: &House, name: &str) -> Vec<String> {
    let told = house.printed(&["history", "--format", "json", name]);
    told.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|object| object["type"] == "event")
        .filter_map(|object| object["action"].as_str().map(String::from))
        .collect()
}

#[test]
fn a_commit_of_what_runs_is_told_as_pause_commit_unpause_and_of_what_is_paused_as_commit_alone() {
    let Some(house) = House::open() else { return };
    house.keep("web", &[]);
    house.printed(&["commit", "web", "page:1"]);
    assert_eq!(events(&house, "web"), ["create", "start", "pause", "commit", "unpause"]);
    house.printed(&["commit", "--no-pause", "web", "page:2"]);
    assert_eq!(events(&house, "web")[5..], ["commit"]);
    house.printed(&["pause", "web"]);
    house.printed(&["commit", "web", "page:3"]);
    assert_eq!(events(&house, "web")[6..], ["pause", "commit"]);
    assert_eq!(house.printed(&["inspect", "-f", "{{.State.Status}}", "web"]), "paused\n");
    house.printed(&["kill", "web"]);
    house.printed(&["commit", "web", "page:4"]);
    assert_eq!(events(&house, "web")[8..], ["kill", "die", "commit"]);
}

#[test]
fn what_is_paused_takes_nobody_in_and_can_still_be_looked_at() {
    let Some(house) = House::open() else { return };
    house.keep("web", &[]);
    house.printed(&["pause", "web"]);
    for (words, status) in [(["exec", "web", "true"].as_slice(), 125), (&["attach", "web"], 1)] {
        let told = house.stage.terrarium(words);
        assert_eq!(
            (told.status, told.err.contains("paused")),
            (Some(status), true),
            "{words:?}: {}",
            told.err
        );
    }
    let page = house.stage.file("passwd").to_str().unwrap().to_owned();
    house.printed(&["cp", "web:/etc/passwd", &page]);
    house.printed(&["logs", "web"]);
    house.printed(&["stats", "--no-stream", "web"]);
    house.printed(&["rename", "web", "site"]);
    house.printed(&["update", "--restart", "always", "site"]);
    assert_eq!(house.printed(&["inspect", "-f", "{{.State.Status}}", "site"]), "paused\n");
}

#[test]
fn from_inside_not_even_sigkill_reaches_pid_1() {
    let Some(house) = House::open() else { return };
    if !with_busybox(&house, "web") {
        return;
    }
    house.printed(&["exec", "web", "/tmp/busybox", "kill", "-KILL", "1"]);
    assert_eq!(house.printed(&["inspect", "-f", "{{.State.Status}}", "web"]), "running\n");
    assert_eq!(events(&house, "web").last().map(String::as_str), Some("exec_die"));
}

#[test]
fn a_restart_keeps_name_and_writable_layer_and_neither_the_process_nor_shared_memory() {
    let Some(house) = House::open() else { return };
    house.keep("web", &[]);
    fs::write(house.stage.file("page"), "text").unwrap();
    let page = house.stage.file("page").to_str().unwrap().to_owned();
    house.printed(&["cp", &page, "web:/tmp/page"]);
    house.printed(&["cp", &page, "web:/dev/shm/page"]);
    let told =
        || house.printed(&["inspect", "-f", "{{.Id}} {{.Name}} {{.GraphDriver.Data.UpperDir}}", "web"]);
    let pid = || house.printed(&["inspect", "-f", "{{.State.Pid}}", "web"]);
    let (before, first) = (told(), pid());
    house.printed(&["restart", "-t", "0", "web"]);
    assert_eq!(told(), before);
    assert_ne!(pid(), first);
    let copy = house.stage.file("copy").to_str().unwrap().to_owned();
    house.printed(&["cp", "web:/tmp/page", &copy]);
    assert_eq!(fs::read_to_string(&copy).unwrap(), "text");
    assert_eq!(house.stage.terrarium(&["cp", "web:/dev/shm/page", &copy]).status, Some(1));
}

#[test]
fn a_recorded_life_of_a_real_container_replays() {
    let Some(house) = House::open() else { return };
    house.keep("web", &[]);
    for words in
        [vec!["pause", "web"], vec!["unpause", "web"], vec!["stop", "-t", "1", "web"], vec!["start", "web"]]
    {
        house.printed(&words);
    }
    house.printed(&["kill", "web"]);
    let file = house.stage.file("web.yaml");
    fs::write(&file, house.printed(&["record", "web"])).unwrap();
    house.printed(&["replay", "--engine", "sim", file.to_str().unwrap()]);
}

#[test]
fn the_init_of_another_image_is_a_copy_that_nobody_inside_can_write_to() {
    let Some(house) = House::open() else { return };
    let busybox = "/bin/busybox";
    if !fs::read(busybox).is_ok_and(|bytes| !bytes.windows(12).any(|part| part == b"/ld-linux-x8")) {
        println!("skipped: an init for an image without one, there is no static {busybox} here");
        return;
    }
    let context = house.stage.file("context");
    fs::create_dir_all(context.join("bin")).unwrap();
    fs::copy(busybox, context.join("bin/sh")).unwrap();
    fs::write(context.join("Dockerfile"), "FROM scratch\nCOPY bin /bin\n").unwrap();
    house.stage.terrarium(&["build", "-q", "-t", "bare", context.to_str().unwrap()]);
    let script = "echo pid $$; (echo x >>/proc/1/exe) 2>/dev/null || echo refused; exit 5";
    let told = house.stage.terrarium(&["run", "--rm", "--init", "bare", "sh", "-c", script]);
    assert_eq!((told.status, told.out.as_str()), (Some(5), "pid 2\nrefused\n"), "{}", told.err);
}
