//! A layer of 500 MB unpacked by us and by tar(1), by turns: `cargo bench --bench unpack`.
//!
//! Ours checks two digests on the way, of the archive as it came and as it is unpacked, which tar does not. Each number is the
//! median of the rounds. What this process has ever held in memory is the last line.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use terrarium::image::layer::{Entry, Packer, gzip, remove_tree};
use terrarium::image::store::Store;

const ROUNDS: usize = 5;
const BIG: (usize, usize) = (60, 4 << 20);
const SMALL: (usize, usize) = (4_000, 64 << 10);
/// Ours may take so much longer than tar.
const AT_MOST: f64 = 4.0 / 3.0;
/// And so much memory, in KiB.
const MEMORY: u64 = 64 << 10;

fn main() {
    let place = tempfile::tempdir().expect("there is room for temporary files");
    let archive = place.path().join("layer.tar");
    pack(&archive);
    let store = Store::at(place.path().join("store"));
    let adding = store.add().expect("the store is ours");
    let diff_id = {
        let mut incoming = store.incoming().expect("the store is ours");
        io::copy(&mut File::open(&archive).expect("it was packed"), &mut incoming).expect("there is room");
        incoming.keep().expect("there is room").digest
    };
    let mut fair = true;
    for (what, option) in [("plain", "-xf"), ("gzip", "-xzf")] {
        let packed = place.path().join(what);
        let blob = {
            let mut file = File::create(&packed).expect("there is room");
            let mut plain = File::open(&archive).expect("it was packed");
            if what == "gzip" {
                let mut stream = gzip(file);
                io::copy(&mut plain, &mut stream).expect("there is room");
                stream.finish().expect("there is room");
            } else {
                io::copy(&mut plain, &mut file).expect("there is room");
            }
            let mut incoming = store.incoming().expect("the store is ours");
            io::copy(&mut File::open(&packed).expect("it is there"), &mut incoming).expect("there is room");
            incoming.keep().expect("there is room").digest
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let began = Instant::now();
            store.unpack_layer(&blob, &diff_id, &adding).expect("it is whole");
            ours.push(began.elapsed().as_secs_f64());
            remove_tree(&store.layer(&diff_id)).expect("it is ours");
            let there = place.path().join("there");
            fs::create_dir(&there).expect("it is not there");
            let began = Instant::now();
            let tar = Command::new("tar").arg(option).arg(&packed).arg("-C").arg(&there).status();
            theirs.push(began.elapsed().as_secs_f64());
            assert!(tar.is_ok_and(|status| status.success()), "tar unpacks it");
            remove_tree(&there).expect("it is ours");
        }
        let (ours, theirs) = (median(ours), median(theirs));
        say(&format!("{what:<6} tar {theirs:.2} s   terrarium {ours:.2} s   {:.2}", ours / theirs));
        fair &= ours / theirs <= AT_MOST;
    }
    let memory = most_memory();
    say(&format!("at most {memory} KiB of memory"));
    if cfg!(debug_assertions) {
        return say("not judged: this is not a release build");
    }
    assert!(fair, "ours may take a third longer");
    assert!(memory <= MEMORY, "{MEMORY} KiB are enough");
}

/// Files of two sizes, which compress to about half.
fn pack(archive: &Path) {
    let file = File::create(archive).expect("there is room");
    let entry = || Entry::of(&file.metadata().expect("it is open"));
    let mut packer = Packer::new(io::BufWriter::new(&file));
    let mut number = 1_u64;
    for (count, size) in [BIG, SMALL] {
        for nth in 0..count {
            let mut next = || {
                number =
                    number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                u8::try_from(number >> 60).unwrap_or(0)
            };
            let bytes: Vec<u8> = (0..size).map(|_| next()).collect();
            packer.bytes(Path::new(&format!("of-{size}-{nth}")), entry(), &bytes).expect("there is room");
        }
    }
    packer.finish().expect("there is room").flush().expect("there is room");
}

fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("it is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("the kernel says it")
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
