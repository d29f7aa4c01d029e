//! The shape of most images: a runtime's image, one file upon it, and words that start it. The runtime is Python, from Debian's
//! packages.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use terrarium::image::store::Store;

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

    fn build(&self, name: &str, recipe: &Path, context: &Path) -> String {
        let file = recipe.join("Dockerfile");
        let context = context.to_str().unwrap();
        self.done(&["build", "--explain", "-t", name, "-f", file.to_str().unwrap(), context])
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.terrarium(&["rm", "-f", "greeter"]);
    }
}

/// What the server says, once it does.
fn asked(port: u16) -> String {
    let began = Instant::now();
    loop {
        let said = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
            let mut said = String::new();
            stream.read_to_string(&mut said).map(|_| said)
        });
        match said {
            Ok(said) if !said.is_empty() => return said,
            other => assert!(began.elapsed() < Duration::from_secs(60), "{other:?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_program_in_one_file_is_built_upon_the_image_of_its_runtime_and_runs() {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/images");
    let desk = Desk { desk: tempfile::tempdir().unwrap() };
    let (runtime, app): (PathBuf, PathBuf) = (desk.desk.path().join("python"), desk.desk.path().join("app"));
    let collected = Command::new("sh").arg(recipes.join("python/collect")).arg(&runtime).output().unwrap();
    if !collected.status.success() {
        println!("skipped: an image of Python, {}", String::from_utf8_lossy(&collected.stderr).trim());
        return;
    }
    fs::create_dir(&app).unwrap();
    let zipped = Command::new("/usr/bin/python3")
        .args(["-m", "zipapp"])
        .arg(recipes.join("app/greeter"))
        .arg("-o")
        .arg(app.join("greeter.pyz"))
        .status()
        .unwrap();
    assert!(zipped.success());

    desk.build("python", &recipes.join("python"), &runtime);
    let explained = desk.build("greeter", &recipes.join("app"), &app);
    let makes = |word: &str| explained.lines().find(|line| line.starts_with(word)).unwrap().to_owned();
    assert!(makes("FROM").contains("a stage of 1 layer"), "{explained}");
    assert!(makes("COPY").contains("a layer"), "{explained}");
    assert!(makes("CMD").contains("only metadata"), "{explained}");
    let store = Store::at(desk.desk.path().join("root/data/store"));
    let (python, greeter) = (store.find("python").unwrap(), store.find("greeter").unwrap());
    assert_eq!(greeter.manifest.layers[..1], python.manifest.layers[..]);
    assert_eq!(greeter.manifest.layers.len(), 2);

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let publish = format!("127.0.0.1:{port}:80");
    let started = desk.terrarium(&["run", "-d", "--name", "greeter", "-p", &publish, "greeter"]);
    let complaint = String::from_utf8_lossy(&started.stderr).into_owned();
    if complaint.contains("this host does not let containers") {
        println!("skipped: a life of a Python program, {}", complaint.trim());
        return;
    }
    assert!(started.status.success(), "{complaint}");
    assert!(asked(port).ends_with("hello from --profile=dev\n"), "{}", asked(port));
    // The program itself is PID 1 and hears SIGTERM: nobody has to wait for ten seconds.
    desk.done(&["stop", "-t", "60", "greeter"]);
    assert_eq!(desk.done(&["wait", "greeter"]), "0");
    // Other words in the place of the image's.
    let other = ["run", "--rm", "greeter", "/usr/bin/python3", "-c", "print(6 * 7)"];
    assert_eq!(desk.done(&other), "42");
}
