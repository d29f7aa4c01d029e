//! A real server, built here from Debian's packages: three containers of it share what they have in common.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;

/// What a busy machine may need for anything that should take a moment.
const SOON: Duration = Duration::from_secs(30);

struct Desk {
    desk: tempfile::TempDir,
}

impl Desk {
    fn terrarium(&self, words: &[&str]) -> Output {
        let mut command = Command::new(cargo_bin("terrarium"));
        command.arg("--root").arg(self.desk.path().join("root")).args(words).output().unwrap()
    }

    fn done(&self, words: &[&str]) -> String {
        let output = self.terrarium(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.terrarium(&["rm", "-f", "web1", "web2", "web3", "late"]);
    }
}

/// The options of the root's mount of the container with this id, as its own processes see it.
fn root_mount(id: &str) -> String {
    let began = Instant::now();
    while began.elapsed() < SOON {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let table = fs::read_to_string(entry.path().join("mountinfo")).unwrap_or_default();
            let root =
                table.lines().find(|line| line.split(' ').nth(4) == Some("/") && line.contains("overlay"));
            if let Some(root) = root.filter(|root| root.contains(id)) {
                return root.rsplit(' ').next().unwrap().to_owned();
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no process has the root of {id}");
}

fn option<'a>(mount: &'a str, name: &str) -> &'a str {
    mount.split(',').find_map(|option| option.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

/// A desk with an image of nginx on it; none where that cannot be.
fn desk_with_nginx() -> Option<Desk> {
    let recipe = recipe();
    let desk = Desk { desk: tempfile::tempdir().unwrap() };
    let context: PathBuf = desk.desk.path().join("context");
    let collected = Command::new("sh").arg(recipe.join("collect")).arg(&context).output().unwrap();
    if !collected.status.success() {
        println!("skipped: an image of nginx, {}", String::from_utf8_lossy(&collected.stderr).trim());
        return None;
    }
    let file = recipe.join("Dockerfile");
    let built =
        desk.terrarium(&["build", "-t", "nginx", "-f", file.to_str().unwrap(), context.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&built.stderr).into_owned();
    if told.contains("this host does not let containers") || told.contains("cannot run it: cannot") {
        println!("skipped: an image of nginx, {}", told.lines().last().unwrap_or_default());
        return None;
    }
    assert!(built.status.success(), "{told}");
    assert!(told.contains("test is successful"), "{told}");
    Some(desk)
}

fn recipe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/images/nginx")
}

/// What a server says to whoever asks for `path`; nothing, if it resets the connection or does not listen.
fn page(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(SOON))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok(body.trim_end().to_owned())
}

/// It begins to listen a moment after it has been started.
fn is_answered(port: u16, path: &str, wanted: &str) {
    let began = Instant::now();
    let mut last = page(port, path);
    while last.as_ref().ok().is_none_or(|body| body != wanted) {
        assert!(began.elapsed() < SOON, "{path} of {port}: {last:?}");
        std::thread::sleep(Duration::from_millis(20));
        last = page(port, path);
    }
}

#[test]
fn three_containers_of_nginx_share_its_layers_and_each_writes_to_its_own() {
    let Some(desk) = desk_with_nginx() else { return };
    let ids: Vec<String> = (1..=3)
        .map(|nth| {
            let (name, site) = (format!("web{nth}"), desk.desk.path().join(format!("site{nth}")));
            fs::create_dir(&site).unwrap();
            fs::write(site.join("index.html"), format!("the page of {name}\n")).unwrap();
            let volume = format!("{}:/var/www:ro", site.display());
            desk.done(&["run", "-d", "-p", "127.0.0.1::80", "-v", &volume, "--name", &name, "nginx"])
        })
        .collect();
    let mounts: Vec<String> = ids.iter().map(|id| root_mount(id)).collect();
    let different =
        |name: &str| mounts.iter().map(|mount| option(mount, name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(different("lowerdir").len(), 1, "{mounts:?}");
    assert_eq!(different("upperdir").len(), 3, "{mounts:?}");
    // One layer of files, and what `nginx -t` wrote.
    assert_eq!(option(&mounts[0], "lowerdir").split(':').count(), 2, "{mounts:?}");

    // All three have port 80, and each answers on a port of its own.
    let ports: Vec<u16> = (1..=3)
        .map(|nth| {
            let told = desk.done(&["port", &format!("web{nth}"), "80"]);
            told.strip_prefix("127.0.0.1:").unwrap().parse().unwrap()
        })
        .collect();
    for (nth, port) in (1..).zip(&ports) {
        is_answered(*port, "/", &format!("the page of web{nth}"));
        is_answered(*port, "/who", &format!("web{nth}"));
    }
    let taken = format!("127.0.0.1:{}:80", ports[1]);
    let refused = desk.terrarium(&["run", "-d", "-p", &taken, "--name", "late", "nginx"]);
    assert_eq!(refused.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("port is already allocated"));

    let refused = desk.terrarium(&["rmi", "nginx"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is using it"));
    // SIGQUIT, as the image says: it ends at once, and well.
    let began = Instant::now();
    desk.done(&["stop", "web2"]);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(desk.done(&["wait", "web2"]), "0");

    page(ports[1], "/").unwrap_err();
    desk.done(&["start", "late"]);
    is_answered(ports[1], "/who", "late");
    is_answered(ports[0], "/", "the page of web1");
}

#[test]
fn the_lessons_on_ports_can_be_lived_with_nginx() {
    let Some(desk) = desk_with_nginx() else { return };
    // The ports of the story may be somebody's on this host.
    let free: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind(("0.0.0.0", 0)).unwrap()).collect();
    let mut story = fs::read_to_string(recipe().join("multinginx.yaml")).unwrap();
    for (nth, listener) in free.iter().enumerate() {
        let port = listener.local_addr().unwrap().port();
        story = story.replace(&format!("808{}", nth + 1), &port.to_string());
    }
    let file = desk.desk.path().join("multinginx.yaml");
    fs::write(&file, story).unwrap();
    drop(free);
    let played = desk.terrarium(&["replay", "--engine", "linux", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&played.stdout);
    // How long it took is not what this is about, on a machine that has other things to do.
    assert!(told.contains("expectations met, nothing left behind") && !told.contains("unmet"), "{told}");
    let strange =
        |line: &&str| line.contains('✗') && !line.contains("✗ took") && !line.contains(" steps in ");
    assert_eq!(told.lines().filter(strange).collect::<Vec<_>>(), Vec::<&str>::new(), "{told}");
}
