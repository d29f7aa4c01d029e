//! A layer of half a gigabyte, unpacked beside `tar -x`: not slower by more than a third, and in less than 64 MiB of memory.
//! `cargo bench --bench unpack`; `TERRARIUM_BENCH_MB` chooses another size, the working directory is `TMPDIR`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement is for people to read")]

#[cfg(not(all(target_os = "linux", feature = "linux")))]
fn main() {}

#[cfg(all(target_os = "linux", feature = "linux"))]
fn main() {
    measured::main();
}

#[cfg(all(target_os = "linux", feature = "linux"))]
mod measured {
    use std::env;
    use std::fs::{self, File};
    use std::io::{self, Write};
    use std::path::Path;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use terrarium::image::digest::{Digest, Digesting};
    use terrarium::image::layer::gzip;
    use terrarium::image::store::Store;

    const ROUNDS: usize = 3;
    /// How much memory unpacking may take.
    const ROOM: u64 = 64 << 20;
    /// As what this program is told to unpack, so that its memory can be measured.
    const UNPACK: &str = "TERRARIUM_BENCH_UNPACK";

    pub(super) fn main() {
        if let Ok(words) = env::var(UNPACK) {
            return unpack(&words);
        }
        let megabytes = env::var("TERRARIUM_BENCH_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(500);
        let desk = tempfile::tempdir().unwrap();
        let layer = desk.path().join("layer.tar.gz");
        let diff_id = pack(&layer, megabytes);
        println!("a layer of {megabytes} MB, {} MB packed", fs::metadata(&layer).unwrap().len() >> 20);
        let mut best = [Duration::MAX; 2];
        let mut most = 0;
        for _ in 0..ROUNDS {
            let into = desk.path().join("tar");
            fs::create_dir(&into).unwrap();
            best[0] = best[0].min(timed(Command::new("tar").arg("-xzf").arg(&layer).arg("-C").arg(&into)));
            fs::remove_dir_all(&into).unwrap();

            let words = format!("{}\t{diff_id}", desk.path().display());
            let (took, memory) = ours(&words);
            (best[1], most) = (best[1].min(took), most.max(memory));
            fs::remove_dir_all(desk.path().join("store")).unwrap();
        }
        let ratio = best[1].as_secs_f64() / best[0].as_secs_f64();
        println!("tar -xzf   {:.2} s", best[0].as_secs_f64());
        println!("terrarium  {:.2} s, with both digests: {ratio:.2} times as long", best[1].as_secs_f64());
        println!("memory     {:.1} MiB at most", most as f64 / f64::from(1 << 20));
        assert!(most < ROOM, "it takes too much memory");
        assert!(ratio < 4.0 / 3.0, "it is too slow");
    }

    fn timed(command: &mut Command) -> Duration {
        let began = Instant::now();
        assert!(command.status().unwrap().success());
        began.elapsed()
    }

    /// In a process of its own: how long its unpacking took, and the most memory that it had.
    fn ours(words: &str) -> (Duration, u64) {
        let output = Command::new(env::current_exe().unwrap()).env(UNPACK, words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8(output.stdout).unwrap();
        let mut numbers = told.split_whitespace().map(|word| word.parse::<u64>().unwrap());
        (Duration::from_micros(numbers.next().unwrap()), numbers.next().unwrap())
    }

    fn unpack(words: &str) {
        let (desk, diff_id) = words.split_once('\t').unwrap();
        let store = Store::at(Path::new(desk).join("store"));
        let adding = store.add().unwrap();
        let mut incoming = store.incoming().unwrap();
        io::copy(&mut File::open(Path::new(desk).join("layer.tar.gz")).unwrap(), &mut incoming).unwrap();
        let blob = incoming.keep().unwrap();
        let began = Instant::now();
        store.unpack_layer(&blob.digest, &diff_id.parse().unwrap(), &adding).unwrap();
        let took = began.elapsed().as_micros();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
        println!("{took} {}", kilobytes << 10);
    }

    /// Half of it in large files, half in small ones, as images have it; half of the bytes can be packed.
    fn pack(path: &Path, megabytes: usize) -> Digest {
        let mut archive = tar::Builder::new(Digesting::new(gzip(File::create(path).unwrap())));
        let mut state = 7_u64;
        let mut piece = vec![0; 1 << 20];
        for number in 0..megabytes {
            let (noise, _) = piece.split_at_mut(1 << 19);
            for byte in noise {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (state >> 56) as u8;
            }
            if number % 2 == 0 {
                add(&mut archive, &format!("large/{number}"), &piece);
            } else {
                for (nth, part) in piece.chunks(16 << 10).enumerate() {
                    add(&mut archive, &format!("small/{number}/{nth}"), part);
                }
            }
        }
        let (packed, hasher) = archive.into_inner().unwrap().into_parts();
        packed.finish().unwrap().flush().unwrap();
        hasher.digest()
    }

    fn add(archive: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes).unwrap();
    }
}
