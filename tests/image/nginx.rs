//! A real server, built here from Debian's packages: three containers of it share what they have in common.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;

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
        for nth in 1..=3 {
            self.terrarium(&["rm", "-f", &format!("web{nth}")]);
        }
    }
}

/// The options of the root's mount of the container with this id, as its own processes see it.
fn root_mount(id: &str) -> String {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
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

#[test]
fn three_containers_of_nginx_share_its_layers_and_each_writes_to_its_own() {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/images/nginx");
    let desk = Desk { desk: tempfile::tempdir().unwrap() };
    let context: PathBuf = desk.desk.path().join("context");
    let collected = Command::new("sh").arg(recipe.join("collect")).arg(&context).output().unwrap();
    if !collected.status.success() {
        println!("skipped: an image of nginx, {}", String::from_utf8_lossy(&collected.stderr).trim());
        return;
    }
    let file = recipe.join("Dockerfile");
    let built =
        desk.terrarium(&["build", "-t", "nginx", "-f", file.to_str().unwrap(), context.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&built.stderr).into_owned();
    if told.contains("this host does not let containers") || told.contains("cannot run it: cannot") {
        println!("skipped: an image of nginx, {}", told.lines().last().unwrap_or_default());
        return;
    }
    assert!(built.status.success(), "{told}");
    assert!(told.contains("test is successful"), "{told}");

    let ids: Vec<String> =
        (1..=3).map(|nth| desk.done(&["run", "-d", "--name", &format!("web{nth}"), "nginx"])).collect();
    let mounts: Vec<String> = ids.iter().map(|id| root_mount(id)).collect();
    let different =
        |name: &str| mounts.iter().map(|mount| option(mount, name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(different("lowerdir").len(), 1, "{mounts:?}");
    assert_eq!(different("upperdir").len(), 3, "{mounts:?}");
    // One layer of files, and what `nginx -t` wrote.
    assert_eq!(option(&mounts[0], "lowerdir").split(':').count(), 2, "{mounts:?}");

    let refused = desk.terrarium(&["rmi", "nginx"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is using it"));
    // SIGQUIT, as the image says: it ends at once, and well.
    let began = Instant::now();
    desk.done(&["stop", "web1"]);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(desk.done(&["wait", "web1"]), "0");
}
