//! What damage begins with: for each door a few examples that it lets in, taken from what the repository has where it has any.

use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};
use terrarium::engine::journal::{HostClock, Input, Journal};
use terrarium::image::platform::Platform;
use terrarium::image::store::Store;
use terrarium::image::{Digest, archive};
use terrarium::keeper::control::{Answer, Attach, Reply, Request, Size, Which};
use terrarium::model::{Command, HostFacts, Name, Observation, Ticket, Verb};
use terrarium::runtime::{Isolation, default_spec};

use super::doors;

/// Every scenario on board.
pub fn scenarios() -> Vec<Vec<u8>> {
    let all = files_beneath(&repository().join("scenarios"));
    read(all.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml")))
}

/// A journal that has just begun, as the door takes it and as it lies on a disk.
pub fn journals() -> Vec<Vec<u8>> {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, clock) = (directory.path().join("journal"), HostClock::new());
    let mut journal =
        Journal::create(&path, "0123", HostFacts::ASSUMED, &clock).expect("a journal in a new directory");
    let container = Name::new("web").expect("a name");
    let create = Command { container, verb: Verb::Create(Box::default()) };
    for input in [Input::Asked(Ticket(0), create), Input::Seen(Observation::NameGranted)] {
        journal.write(input, &clock).expect("a journal takes what comes next");
    }
    let written = std::fs::read(&path).expect("what was written");
    // The door puts the checksums right again, or nothing else would ever be looked at.
    let records = written.split(|byte| *byte == b'\n').filter_map(|line| line.get(doors::CHECKSUM..));
    vec![records.collect::<Vec<_>>().join(&b'\n'), written.clone()]
}

/// What terrarium itself asks of its runtime, as root and as a user.
pub fn bundles() -> Vec<Vec<u8>> {
    let usual = [Isolation::Root, Isolation::Rootless].map(|isolation| {
        let mut spec = default_spec(isolation);
        let process = spec.process_mut().as_mut().expect("every container has a process");
        process.set_args(Some(vec!["sh".into()]));
        serde_json::to_vec(&spec).expect("it was made in memory")
    });
    usual.to_vec()
}

/// Lines with the flags that are read in ways of their own.
const LINES: [&str; 16] = [
    "run -d --name web -p 8080:80/udp -v /data:/data:ro --tmpfs /t:size=1m -m 64m --cpus 0.5 --restart on-failure:3 lab sh",
    "create -it -e A=B --env C -w /d -u 1:2 --health-cmd true --health-interval 1s --stop-signal 15 --stop-timeout -1 lab",
    "run --network container:a --cap-add ALL --security-opt no-new-privileges --memory-swap -1 --cpu-shares 2 -P lab",
    "run --mount type=bind,source=/a,target=/b,readonly --mount type=tmpfs,target=/c,tmpfs-size=1m --label a=b lab",
    "stop -t 3 a b",
    "kill -s TERM a",
    "exec -it a sh -c x",
    "update --memory 1g a",
    "ps -a --filter name=x --format {{.ID}}",
    "replay x --engine sim --speed 2",
    "check --rule list --cases 3",
    "cp a:/b c",
    "logs -f --tail 3 --since 1m a",
    "logs --since 2026-01-02T03:04:05.6+07:00 --until 1h1m1.5s a",
    "ps --filter name=^w[a-z]*b?$|.+",
    "build -t a:b --build-arg C=d --target e --no-cache .",
];

/// Lines from here, and from the pages of the book.
pub fn flags() -> Vec<Vec<u8>> {
    let pages = read(&files_beneath(&repository().join("book/src")));
    let typed = pages.iter().map(|page| String::from_utf8_lossy(page)).flat_map(|page| {
        let lines = page.lines().filter_map(|line| line.strip_prefix("$ terrarium "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    });
    let lines = LINES.map(str::to_owned).into_iter().chain(typed);
    lines.map(|line| line.replace(' ', "\0").into_bytes()).collect()
}

/// Every Dockerfile on board, and one with all that the language has.
pub fn dockerfiles() -> Vec<Vec<u8>> {
    let all = "# syntax\nARG V=1\nFROM lab AS one\nENV A=${V:-2} B=\"c d\"\nRUN <<EOF\necho x\nEOF\nCOPY --from=one \\\n  /a /b\n\
               HEALTHCHECK --interval=1s CMD [\"true\"]\nEXPOSE 80/udp\nUSER 1:2\nONBUILD RUN y\nSHELL [\"sh\"]\nSTOPSIGNAL 15\n";
    let shipped = files_beneath(&repository().join("scenarios/images"));
    let mut files = read(shipped.iter().filter(|path| path.ends_with("Dockerfile")));
    let by_variable = "ARG BASE=one\nFROM lab AS one\nFROM lab AS two\nFROM ${BASE}\nCOPY --from=two /x /y\n";
    files.extend([all.into(), by_variable.into()]);
    files
}

/// What people ask for, and one of everything.
pub fn templates() -> Vec<Vec<u8>> {
    let all = [
        "table {{.ID}}\t{{.Names}}",
        "{{range $i, $name := .Names}}{{if eq $i 0}}{{$name | upper}}{{else if .}}{{continue}}{{else}}{{break}}{{end}}{{end}}",
        r#"{{with .State}}{{.Running}} {{printf "%-5s|%05d|%.2f|%q|%x" "a" .Pid .Share "b" 7}}{{end}}{{/* c */}}"#,
        r#"{{json .}}{{join .Names "-"}}{{split "a/b" "/"}}{{title "a"}}{{lower "A"}}{{pad "a" 1 2}}{{truncate "abc" 2}}"#,
        r#"{{- index .Labels "a" -}}{{slice "abc" 1 2}}{{and 1 (or 0 .Nothing) (not false)}}{{len .ID}}{{print 1 2}}{{println}}"#,
        r#"{{$x := .ID}}{{$x = "b"}}{{ne 1 2}}{{lt 1 2}}{{le 1 2}}{{gt 1 2}}{{ge 1.5 -2}}{{html `<`}}{{(index .Names 0)}}"#,
    ];
    all.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// The documents of an image that has everything.
pub fn images() -> Vec<Vec<u8>> {
    let digest = Digest::of(b"");
    let described = |kind: &str| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"{digest}","size":7,"platform":{{"os":"linux","architecture":"arm","variant":"v7"}},"annotations":{{"a":"b"}}}}"#
        )
    };
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, described("manifest.v1+json"));
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
        described("config.v1+json"),
        described("layer.v1.tar+gzip"),
    );
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z","config":{{"User":"a:b","ExposedPorts":{{"80/udp":{{}}}},"Env":["A=b"],"Entrypoint":["a"],"Cmd":["b"],"Volumes":{{"/v":{{}}}},"WorkingDir":"/w","Labels":{{"c":"d"}},"StopSignal":"SIGTERM","Healthcheck":{{"Test":["CMD-SHELL","a b"],"Interval":1000000000,"Retries":3}},"OnBuild":["RUN a"],"Shell":["sh"]}},"rootfs":{{"type":"layers","diff_ids":["{digest}"]}},"history":[{{"created_by":"a","empty_layer":true}}]}}"#
    );
    [index, manifest, config].map(String::into_bytes).to_vec()
}

/// Some of what a command says to a keeper, and of what that answers.
pub fn words() -> Vec<Vec<u8>> {
    let name = Name::new("web").expect("a name");
    let requests = [
        Request::Create(name, Box::default()),
        Request::Ask(Verb::Start),
        Request::Attach(Attach { to: Which::Next, size: Some(Size { rows: 24, columns: 80 }) }),
        Request::Measure,
    ];
    let replies = [Reply::Welcome, Reply::Answered(Answer::Refused("no".into())), Reply::Ended(137)];
    let said = |all: Vec<serde_json::Result<String>>| {
        let lines = all.into_iter().map(|words| words.expect("they were made in memory"));
        lines.collect::<Vec<_>>().join("\n").into_bytes()
    };
    vec![
        said(requests.iter().map(serde_json::to_string).collect()),
        said(replies.iter().map(serde_json::to_string).collect()),
    ]
}

/// A file, a link, what is the same under another name, and something that goes.
pub fn layers() -> Vec<Vec<u8>> {
    let mut layer = Builder::new(Vec::new());
    file(&mut layer, "d/file", b"content");
    file(&mut layer, "d/.wh.gone", b"");
    for (kind, path, target) in
        [(EntryType::Symlink, "d/link", "file"), (EntryType::Link, "d/same", "d/file")]
    {
        layer.append_link(&mut header(kind), path, target).expect("an archive in memory");
    }
    vec![layer.into_inner().expect("an archive in memory")]
}

/// An image of such a layer: as Docker writes it, and as terrarium does.
pub fn archives() -> Vec<Vec<u8>> {
    let layer = layers().concat();
    let config = format!(
        r#"{{"architecture":"{}","os":"linux","config":{{"Cmd":["sh"],"Env":["A=b"],"User":"1:2"}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        Platform::here().architecture,
        Digest::of(&layer),
    );
    let mut docker = Builder::new(Vec::new());
    file(&mut docker, "config.json", config.as_bytes());
    file(&mut docker, "layer.tar", &layer);
    let manifest = r#"[{"Config":"config.json","Layers":["layer.tar"],"RepoTags":["a:b"]}]"#;
    file(&mut docker, "manifest.json", manifest.as_bytes());
    let docker = docker.into_inner().expect("an archive in memory");
    let ours = saved_again(&docker);
    vec![docker, ours]
}

fn saved_again(archive: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::at(directory.path().join("store"));
    let loaded = archive::load(archive, &store).expect("what Docker writes");
    let images: Vec<_> = loaded
        .into_iter()
        .map(|loaded| (store.find(loaded.id.as_str()).expect("it was loaded"), loaded.names))
        .collect();
    archive::save(&images, &store, Vec::new()).expect("an image that is there")
}

fn file(archive: &mut Builder<Vec<u8>>, path: &str, content: &[u8]) {
    let mut header = header(EntryType::Regular);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, path, content).expect("an archive in memory");
}

fn header(kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    for set in [Header::set_uid, Header::set_gid, Header::set_mtime] {
        set(&mut header, 0);
    }
    header
}

/// The directory in which this is part of something, wherever it was compiled from.
fn repository() -> &'static Path {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.find(|directory| directory.join("scenarios").is_dir()).expect("this lies in the repository")
}

/// In the same order on every machine.
fn files_beneath(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory of the repository");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("its entries").path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files_beneath(&path) } else { vec![path] }).collect()
}

fn read<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Vec<Vec<u8>> {
    paths.into_iter().map(|path| std::fs::read(path).expect("a file of the repository")).collect()
}
