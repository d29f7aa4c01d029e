//! What a container has written, on the disk, in the format that Kubernetes' runtimes write.
//!
//! A record is a line: time, stream, a tag, and what was written up to the end of a line (`F`) or only so far (`P`):
//!
//! ```text
//! 2026-11-24T23:55:54.123456789Z stdout F it is a whole line
//! 2026-11-24T23:55:54.223456789Z stderr P and this is the beginning of one
//! 2026-11-24T23:56:00.000000000Z lost F 4096
//! ```
//!
//! The last one says that so many bytes could not be written. A last line that is torn belongs to a keeper that was killed. When
//! a log is long it becomes `log.1`, in place of the one that was called so before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Which of its streams a container has written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output; all of it, if it has a terminal.
    Output,
    /// Standard error.
    Error,
    /// None: what it has written could not be kept, so many bytes.
    Lost,
}

/// A piece of what a container has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: SystemTime,
    /// Where.
    pub stream: Stream,
    /// What; it ends a line if a line break is its last byte.
    pub bytes: Vec<u8>,
}

/// A log longer than this becomes the old one.
const LONG: u64 = 16 << 20;

/// Writes a log. What cannot be written is counted and let go: a container does not wait for a disk.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: Option<(File, u64)>,
    lost: u64,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, lost: 0 }
    }

    /// Writes what has just been read from the container.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let at = SystemTime::now();
        let mut text = Vec::with_capacity(bytes.len() + 64);
        if self.lost > 0 {
            encode(&mut text, at, Stream::Lost, format!("{}\n", self.lost).as_bytes());
        }
        encode(&mut text, at, stream, bytes);
        match self.append(&text) {
            Ok(()) => self.lost = 0,
            Err(_) => self.lost += bytes.len() as u64,
        }
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|(_, length)| *length > LONG) {
            self.file = None;
            fs::rename(&self.path, older(&self.path))?;
        }
        let (file, length) = match &mut self.file {
            Some(open) => open,
            closed => closed.insert(open(&self.path)?),
        };
        match file.write_all(text) {
            Ok(()) => {
                *length += text.len() as u64;
                Ok(())
            }
            Err(error) => {
                // No half record stays.
                let _ = file.set_len(*length);
                self.file = None;
                Err(error)
            }
        }
    }
}

/// Opens a log to go on with it, behind its last whole record.
fn open(path: &Path) -> io::Result<(File, u64)> {
    const TAIL: u64 = 128 << 10;
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    (&file).take(TAIL).read_to_end(&mut tail)?;
    let torn = tail.iter().rev().take_while(|byte| **byte != b'\n').count() as u64;
    if torn > 0 {
        file.set_len(length - torn)?;
    }
    Ok((file, length - torn))
}

/// Where a log goes that has become too long.
pub fn older(log: &Path) -> PathBuf {
    log.with_extension("1")
}

fn encode(text: &mut Vec<u8>, at: SystemTime, stream: Stream, bytes: &[u8]) {
    let time = humantime::format_rfc3339_nanos(at);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (line, tag) = line.strip_suffix(b"\n").map_or((line, 'P'), |line| (line, 'F'));
        let _ = write!(text, "{time} {} {tag} ", stream.word());
        text.extend_from_slice(line);
        text.push(b'\n');
    }
}

/// Reads a log from a place on, and goes on when there is more.
#[derive(Debug)]
pub struct Reader {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl Reader {
    /// From the beginning of a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?), line: Vec::new() })
    }

    /// The file, to find out whether another one is there under its name.
    pub fn file(&self) -> &File {
        self.file.get_ref()
    }

    /// The next record; none if there is no whole one yet. Lines that are no records are passed over.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        loop {
            self.file.read_until(b'\n', &mut self.line)?;
            if self.line.last() != Some(&b'\n') {
                return Ok(None);
            }
            let entry = decode(&self.line);
            self.line.clear();
            if entry.is_some() {
                return Ok(entry);
            }
        }
    }
}

fn decode(line: &[u8]) -> Option<Entry> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let mut word = || std::str::from_utf8(parts.next()?).ok();
    let at = humantime::parse_rfc3339(word()?).ok()?;
    let stream = Stream::of(word()?)?;
    let tag = word()?;
    let content = parts.next()?;
    let bytes = if tag == "F" { content } else { content.strip_suffix(b"\n")? };
    Some(Entry { at, stream, bytes: bytes.to_vec() })
}

impl Stream {
    const fn word(self) -> &'static str {
        match self {
            Self::Output => "stdout",
            Self::Error => "stderr",
            Self::Lost => "lost",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Output, Self::Error, Self::Lost].into_iter().find(|stream| stream.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(path: &Path) -> Vec<(Stream, Vec<u8>)> {
        let mut reader = Reader::open(path).unwrap();
        std::iter::from_fn(|| reader.next_entry().unwrap()).map(|entry| (entry.stream, entry.bytes)).collect()
    }

    #[test]
    fn what_was_written_reads_back_byte_for_byte() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = Log::new(path.clone());
        log.write(Stream::Output, b"one\n\xff\0two");
        log.write(Stream::Error, b"\n");
        let all = [
            (Stream::Output, b"one\n".to_vec()),
            (Stream::Output, b"\xff\0two".to_vec()),
            (Stream::Error, b"\n".to_vec()),
        ];
        assert_eq!(entries(&path), all);
    }

    #[test]
    fn a_torn_end_is_cut_off_by_the_next_keeper() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        Log::new(path.clone()).write(Stream::Output, b"whole\n");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"2026-11-24T23:5").unwrap();
        assert_eq!(entries(&path).len(), 1);
        Log::new(path.clone()).write(Stream::Output, b"next\n");
        assert_eq!(entries(&path).last(), Some(&(Stream::Output, b"next\n".to_vec())));
    }

    #[test]
    fn a_long_log_becomes_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = Log::new(path.clone());
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..40 {
            log.write(Stream::Output, &piece);
        }
        let length = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(length(&path) + length(&older(&path)) <= 2 * (LONG + (2 << 20)));
        assert!(length(&older(&path)) > LONG);
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_told_later() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::create_dir(&path).unwrap();
        let mut log = Log::new(path.clone());
        log.write(Stream::Output, b"12345");
        fs::remove_dir(&path).unwrap();
        log.write(Stream::Output, b"6");
        let told = [(Stream::Lost, b"5\n".to_vec()), (Stream::Output, b"6".to_vec())];
        assert_eq!(entries(&path), told);
    }
}
