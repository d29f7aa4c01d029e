//! Files with holes: how archives describe them in the POSIX format, and how zeros become holes again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Where there is data in a file: where it begins and how long it is.
pub(super) type Segments = Vec<(u64, u64)>;

/// The unit in which a file system leaves holes.
const BLOCK: usize = 4096;
const BUFFER: usize = 256 << 10;
/// The longest number in a description.
const DIGITS: usize = 20;

/// Reads the description at the beginning of an entry of `GNU.sparse` 1.0: decimal numbers, a line each, how many segments
/// and then begin and length of each, filled up to whole blocks of the archive.
pub(super) fn segments(entry: &mut impl Read, most: u64) -> io::Result<Segments> {
    let mut taken = 0;
    let mut number = || {
        let mut value: u64 = 0;
        for _ in 0..=DIGITS {
            let mut byte = [0];
            entry.read_exact(&mut byte)?;
            taken += 1;
            match byte[0] {
                b'\n' => return Ok(value),
                digit @ b'0'..=b'9' => {
                    let longer =
                        value.checked_mul(10).and_then(|value| value.checked_add((digit - b'0').into()));
                    value = longer.ok_or_else(damaged)?;
                }
                _ => return Err(damaged()),
            }
        }
        Err(damaged())
    };
    let count = number()?;
    if count > most {
        return Err(damaged());
    }
    let mut segments = Vec::new();
    for _ in 0..count {
        segments.push((number()?, number()?));
    }
    let filling = (512 - taken % 512) % 512;
    io::copy(&mut entry.take(filling), &mut io::sink())?;
    Ok(segments)
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a sparse file is described wrongly")
}

/// Writes what an entry has, with holes for its zeros, at most so many bytes; says how many there were.
pub(super) fn fill(
    file: &mut File,
    entry: &mut impl Read,
    buffer: &mut Vec<u8>,
    most: u64,
) -> io::Result<Filled> {
    buffer.resize(BUFFER, 0);
    let mut size: u64 = 0;
    let mut hole = false;
    loop {
        let count = read_full(entry, buffer)?;
        if count == 0 {
            break;
        }
        size += count as u64;
        if size > most {
            return Ok(Filled::TooMuch);
        }
        for block in runs(&buffer[..count]) {
            match block {
                Run::Zeros(length) => {
                    file.seek(SeekFrom::Current(i64::try_from(length).unwrap_or(i64::MAX)))?;
                    hole = true;
                }
                Run::Data(bytes) => {
                    file.write_all(bytes)?;
                    hole = false;
                }
            }
        }
    }
    if hole {
        file.set_len(size)?;
    }
    Ok(Filled::With(size))
}

/// Writes the segments of a sparse file.
pub(super) fn fill_segments(
    file: &mut File,
    entry: &mut impl Read,
    (segments, size): (&Segments, u64),
    most: u64,
) -> io::Result<Filled> {
    if size > most {
        return Ok(Filled::TooMuch);
    }
    for (begin, length) in segments {
        if begin.checked_add(*length).is_none_or(|end| end > size) {
            return Err(damaged());
        }
        file.seek(SeekFrom::Start(*begin))?;
        if io::copy(&mut entry.by_ref().take(*length), file)? < *length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    file.set_len(size)?;
    Ok(Filled::With(size))
}

/// What came of filling a file.
pub(super) enum Filled {
    /// It has so many bytes.
    With(u64),
    /// It would have more than it may.
    TooMuch,
}

enum Run<'a> {
    Zeros(usize),
    Data(&'a [u8]),
}

/// Whole blocks of zeros, and what is between them.
fn runs(bytes: &[u8]) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    let (mut from, mut at) = (0, 0);
    for block in bytes.chunks(BLOCK) {
        if block.len() == BLOCK && is_zero(block) {
            if from < at {
                runs.push(Run::Data(&bytes[from..at]));
            }
            match runs.last_mut() {
                Some(Run::Zeros(length)) => *length += BLOCK,
                _ => runs.push(Run::Zeros(BLOCK)),
            }
            from = at + BLOCK;
        }
        at += block.len();
    }
    if from < at {
        runs.push(Run::Data(&bytes[from..at]));
    }
    runs
}

fn is_zero(block: &[u8]) -> bool {
    block[0] == 0 && block[1..] == block[..block.len() - 1]
}

fn read_full(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_become_holes_and_data_stays() {
        let mut bytes = vec![0; 10 * BLOCK];
        bytes[3 * BLOCK + 7] = 1;
        bytes.extend([2; 100]);
        bytes.extend(vec![0; 3 * BLOCK]);
        let mut file = tempfile::tempfile().unwrap();
        let Filled::With(size) = fill(&mut file, &mut &bytes[..], &mut Vec::new(), u64::MAX).unwrap() else {
            panic!()
        };
        assert_eq!(size, bytes.len() as u64);
        let mut read = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut read).unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn a_description_is_read_and_a_wrong_one_refused() {
        let mut text = b"2\n0\n5\n4096\n3\n".to_vec();
        text.resize(512, 0);
        text.extend(b"helloabc");
        let mut entry = &text[..];
        let segments = segments(&mut entry, 100).unwrap();
        assert_eq!(segments, [(0, 5), (4096, 3)]);
        assert_eq!(entry, b"helloabc");
        for wrong in ["x\n", "99999999999999999999999\n", "3\n1\n", "101\n"] {
            assert!(super::segments(&mut wrong.as_bytes(), 100).is_err(), "{wrong}");
        }
    }
}
