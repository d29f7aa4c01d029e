//! Building: what a Dockerfile becomes, what is used again, and what goes wrong where.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;
use terrarium::image::store::{Image, Store};

/// A directory with a store and a build context.
struct Desk {
    desk: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = tempfile::tempdir().unwrap();
        fs::create_dir(desk.path().join("context")).unwrap();
        Self { desk }
    }

    fn context(&self) -> PathBuf {
        self.desk.path().join("context")
    }

    fn file(&self, name: &str, content: &str) -> &Self {
        let path = self.context().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn terrarium(&self, words: &[&str]) -> Output {
        let mut command = Command::new(cargo_bin("terrarium"));
        command.arg("--root").arg(self.desk.path().join("root")).args(words).output().unwrap()
    }

    /// Builds, and shows what it says.
    fn try_build(&self, dockerfile: &str, words: &[&str]) -> (bool, String) {
        let file = self.desk.path().join("Dockerfile");
        fs::write(&file, dockerfile).unwrap();
        let context = self.context();
        let mut all = vec!["build", "-t", "built", "-f", file.to_str().unwrap()];
        all.extend(words);
        all.push(context.to_str().unwrap());
        let output = self.terrarium(&all);
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), told)
    }

    fn build(&self, dockerfile: &str, words: &[&str]) -> String {
        let (good, told) = self.try_build(dockerfile, words);
        assert!(good, "{told}");
        told
    }

    fn store(&self) -> Store {
        Store::at(self.desk.path().join("root/data/store"))
    }

    fn image(&self) -> Image {
        self.store().find("built").unwrap()
    }

    /// A file of the image, in whichever layer it is.
    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.host(path)).unwrap()
    }

    fn host(&self, path: &str) -> PathBuf {
        let merged =
            terrarium::image::layer::Merged::new(self.store().stack(&self.image().config.rootfs.diff_ids));
        merged
            .find(Path::new(path))
            .unwrap()
            .unwrap_or_else(|| panic!("there is no {path}"))
            .host()
            .to_path_buf()
    }
}

/// Commands for RUN, if this host has a static busybox.
fn with_busybox(desk: &Desk) -> bool {
    let busybox = Path::new("/bin/busybox");
    let is_static =
        fs::read(busybox).is_ok_and(|bytes| !bytes.windows(12).any(|part| part == b"/ld-linux-x8"));
    if !is_static {
        println!("skipped: RUN, there is no static /bin/busybox here");
        return false;
    }
    fs::copy(busybox, desk.context().join("busybox")).unwrap();
    true
}

#[test]
fn files_are_copied_where_docker_copies_them() {
    let desk = Desk::new();
    desk.file("a.txt", "a")
        .file("b.txt", "b")
        .file("dir/inner/c.txt", "c")
        .file("dir/d.log", "d")
        .file(".dockerignore", "**/*.log\n");
    desk.build(
        "FROM scratch\n\
         WORKDIR /work\n\
         COPY a.txt b.txt ./both/\n\
         COPY a.txt renamed\n\
         COPY *.txt /all/\n\
         COPY dir /dir\n\
         COPY --chown=12:34 --chmod=600 a.txt /owned\n\
         COPY [\"a.txt\", \"/with space\"]\n",
        &[],
    );
    for (path, content) in [
        ("work/both/b.txt", "b"),
        ("work/renamed", "a"),
        ("all/a.txt", "a"),
        ("dir/inner/c.txt", "c"),
        ("with space", "a"),
        ("owned", "a"),
    ] {
        assert_eq!(desk.read(path), content, "{path}");
    }
    let dir = desk.host("dir");
    assert!(!dir.join("d.log").exists() && !dir.join("inner").join("dir").exists());
    let owned = fs::metadata(desk.host("owned")).unwrap();
    assert_eq!(owned.mode() & 0o777, 0o600);
    if nix::unistd::geteuid().is_root() {
        assert_eq!((owned.uid(), owned.gid()), (12, 34));
    }
}

#[test]
fn metadata_makes_no_layers_and_says_what_containers_are_like() {
    let desk = Desk::new();
    desk.file("app.jar", "jar");
    desk.build(
        "FROM scratch AS base\n\
         CMD [\"inherited\"]\n\
         FROM base\n\
         COPY app.jar app.jar\n\
         ARG VERSION=1\n\
         ENV V=${VERSION} W=\"$V two\"\n\
         LABEL a=b \"c d\"='e f'\n\
         EXPOSE 80 8000-8001/udp\n\
         USER me\n\
         VOLUME /data\n\
         STOPSIGNAL SIGQUIT\n\
         HEALTHCHECK --interval=5s --retries=2 CMD check it\n\
         ENTRYPOINT [\"java\", \"-jar\"]\n\
         ONBUILD RUN echo later\n",
        &["--build-arg", "VERSION=7", "--label", "more=yes"],
    );
    let config = desk.image().config;
    assert_eq!(config.rootfs.diff_ids.len(), 1);
    assert_eq!(config.history.iter().filter(|step| !step.empty_layer).count(), 1);
    let runs = config.config;
    // The environment of one instruction is what was before it.
    assert_eq!(runs.env, ["V=7", "W= two"]);
    assert_eq!((runs.labels["c d"].as_str(), runs.labels["more"].as_str()), ("e f", "yes"));
    assert_eq!(runs.exposed_ports.into_iter().collect::<Vec<_>>(), ["80/tcp", "8000/udp", "8001/udp"]);
    assert_eq!((runs.user.as_str(), runs.stop_signal.as_deref()), ("me", Some("SIGQUIT")));
    assert_eq!(runs.healthcheck.unwrap().test, ["CMD-SHELL", "check it"]);
    assert_eq!(
        (runs.entrypoint.unwrap().len(), runs.cmd),
        (2, None),
        "an entry point takes the inherited command away"
    );
    assert_eq!(runs.on_build, ["RUN echo later"]);
}

#[test]
fn what_was_made_before_is_used_again_and_the_same_file_makes_the_same_image() {
    let desk = Desk::new();
    desk.file("one", "1").file("two", "2");
    let dockerfile = "FROM scratch\nCOPY one /\nENV A=1\nCOPY two /\n";
    desk.build(dockerfile, &[]);
    let first = desk.image().id;
    let told = desk.build(dockerfile, &["--explain"]);
    assert_eq!(desk.image().id, first);
    assert_eq!(told.matches("used: same layers, words and files").count(), 2, "{told}");
    desk.file("two", "other");
    let told = desk.build(dockerfile, &["--explain"]);
    assert_eq!(told.matches("used: same layers").count(), 1, "{told}");
    assert!(told.contains("not used: the files have changed"), "{told}");
    assert_ne!(desk.image().id, first);
    let told = desk.build(dockerfile, &["--explain", "--no-cache"]);
    assert_eq!(told.matches("not used: --no-cache").count(), 2, "{told}");
}

#[test]
fn an_error_shows_the_line_that_it_is_on() {
    let desk = Desk::new();
    for (dockerfile, line, expected) in [
        (
            "FROM scratch\nCOPY nothing /\n",
            2,
            "file not found in the build context, or left out by .dockerignore: nothing",
        ),
        ("FROM scratch\n\nCOPY ../secret /\n", 3, "forbidden path outside the build context"),
        ("FROM 127.0.0.1:1/nosuchimage\n", 1, "cannot begin with 127.0.0.1:1/nosuchimage"),
        ("FROM scratch\nCOPY --from=never /a /b\n", 2, "never"),
        ("FROM scratch\nFORM x\n", 2, "did you mean FROM?"),
        ("FROM --platform=linux/s390x scratch\n", 1, "linux/s390x"),
    ] {
        let (good, told) = desk.try_build(dockerfile, &[]);
        assert!(!good && told.contains(expected), "{told}");
        assert!(told.contains(&format!("Dockerfile:{line}: ")), "{told}");
        assert!(
            told.contains(&format!("\n  {line} | {}", dockerfile.lines().nth(line - 1).unwrap())),
            "{told}"
        );
    }
    assert_eq!(fs::read_dir(desk.store().path().join("making")).unwrap().count(), 0);
}

/// What is behind a link of the context is inside the context too, or not there.
#[test]
fn a_link_does_not_lead_out_of_the_context() {
    let desk = Desk::new();
    fs::write(desk.desk.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", desk.context().join("out")).unwrap();
    std::os::unix::fs::symlink(desk.desk.path().join("secret"), desk.context().join("absolute")).unwrap();
    for source in ["out", "absolute"] {
        let (good, told) = desk.try_build(&format!("FROM scratch\nCOPY {source} /\n"), &[]);
        assert!(!good && told.contains("file not found"), "{told}");
    }
}

#[test]
fn an_archive_is_added_unpacked_and_links_of_the_base_are_followed() {
    let desk = Desk::new();
    let archive = crate::crafted::Crafted::default()
        .directory("usr/bin")
        .symlink("bin", "usr/bin")
        .file("etc/x", "x")
        .bytes();
    fs::write(desk.context().join("root.tar.gz"), crate::crafted::gzipped(&archive)).unwrap();
    desk.file("tool", "tool").file("plain.txt", "no archive");
    desk.build("FROM scratch\nADD root.tar.gz /\nCOPY tool /bin/tool\nADD plain.txt /etc/\n", &[]);
    assert_eq!(desk.read("usr/bin/tool"), "tool");
    assert_eq!(desk.read("etc/plain.txt"), "no archive");
    let link = terrarium::image::layer::Merged::new(desk.store().stack(&desk.image().config.rootfs.diff_ids));
    assert!(link.find_itself(Path::new("bin")).unwrap().unwrap().host().is_symlink());
}

#[test]
fn commands_run_in_a_container_and_what_they_change_is_the_layer() {
    let desk = Desk::new();
    if !with_busybox(&desk) {
        return;
    }
    let told = desk.build(
        "FROM scratch AS tools\n\
         COPY busybox /bin/busybox\n\
         RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
         FROM tools AS made\n\
         ARG WHO=world\n\
         ENV GREETING=hello\n\
         WORKDIR /w\n\
         RUN echo \"$GREETING $WHO\" > greeting; pwd; rm /bin/vi; test ! -e /proc/1/root/etc/shadow\n\
         RUN <<END\n\
         set -e\n\
         echo script > script\n\
         END\n\
         FROM scratch\n\
         COPY --from=made /w /w\n\
         FROM made\n",
        &["--build-arg", "WHO=you"],
    );
    assert!(told.contains("| /w\n"), "{told}");
    assert_eq!((desk.read("w/greeting"), desk.read("w/script")), ("hello you\n".into(), "script\n".into()));
    let image = desk.image();
    let layers = &image.config.rootfs.diff_ids;
    let names = |nth: usize| -> Vec<String> {
        let entries = fs::read_dir(desk.store().layer(&layers[nth])).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    // Nothing of what a container needs beside its image is in the layer.
    assert_eq!((names(3), names(4)), (vec!["bin".to_owned(), "w".to_owned()], vec!["w".to_owned()]));
}

#[test]
fn a_command_that_fails_ends_the_build_with_its_output_and_code() {
    let desk = Desk::new();
    if !with_busybox(&desk) {
        return;
    }
    for (words, run, expected) in [
        (
            &[][..],
            "RUN [\"/bin/busybox\", \"sh\", \"-c\", \"echo why; exit 3\"]",
            "returned a non-zero code: 3",
        ),
        (&["-q"][..], "RUN [\"/bin/busybox\", \"sh\", \"-c\", \"echo why; exit 3\"]", "why"),
        (&[][..], "RUN [\"/nothing\"]", "no such file or directory"),
        (&[][..], "USER nobody\nRUN [\"/bin/busybox\"]", "unable to find user nobody"),
    ] {
        let (good, told) =
            desk.try_build(&format!("FROM scratch\nCOPY busybox /bin/busybox\n{run}\n"), words);
        assert!(!good && told.contains(expected), "{told}");
    }
    assert_eq!(fs::read_dir(desk.store().path().join("making")).unwrap().count(), 0);
}

#[test]
fn lessons_images_can_be_built_upon() {
    let desk = Desk::new();
    desk.file("note", "note");
    desk.build("FROM lab\nRUN [\"true\"]\nCOPY note /note\n", &[]);
    assert_eq!(desk.read("note"), "note");
    assert_eq!(desk.image().config.config.cmd, Some(vec!["lab".into()]));
}

/// The same Dockerfile, the same directory: what containers are like is the same.
#[test]
fn docker_builds_the_same() {
    let there = Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success());
    if !there {
        println!("skipped: a comparison with Docker's build, docker does not answer here");
        return;
    }
    let desk = Desk::new();
    desk.file("a.txt", "a").file("dir/b", "b");
    let dockerfile = "FROM scratch\nCOPY a.txt dir /w/\nENV A=1 B=\"x y\"\nWORKDIR /w\nWORKDIR inner\nEXPOSE 80\nLABEL k=v\nUSER 7\n\
        STOPSIGNAL SIGINT\nCMD echo $A\nENTRYPOINT [\"e\"]\nVOLUME /v\nHEALTHCHECK --timeout=2s CMD [\"x\"]\n";
    desk.build(dockerfile, &[]);
    let name = format!("images-same-{}", std::process::id());
    let file = desk.desk.path().join("Dockerfile");
    let docker = |words: &[&str]| {
        let output = Command::new("docker").env("DOCKER_BUILDKIT", "0").args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    docker(&["build", "-q", "-t", &name, "-f", file.to_str().unwrap(), desk.context().to_str().unwrap()]);
    let theirs = docker(&["image", "inspect", "-f", "{{json .Config}}", &name]);
    docker(&["rmi", &name]);
    let theirs: serde_json::Value = serde_json::from_str(&theirs).unwrap();
    let ours = desk.terrarium(&["image", "inspect", "-f", "{{json .Config}}", "built"]);
    let ours: serde_json::Value = serde_json::from_slice(&ours.stdout).unwrap();
    for key in [
        "Cmd",
        "Entrypoint",
        "ExposedPorts",
        "Labels",
        "User",
        "WorkingDir",
        "StopSignal",
        "Volumes",
        "Healthcheck",
    ] {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    let env = |of: &serde_json::Value| -> Vec<String> {
        let all = of["Env"].as_array().unwrap().iter().map(|pair| pair.as_str().unwrap().to_owned());
        all.filter(|pair| !pair.starts_with("PATH=")).collect()
    };
    assert_eq!(env(&ours), env(&theirs));
}
