//! Files, written, read and deleted. What is written is a line with the writer's name, so that a reader can tell.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
};

use crate::model::{Came, FileDeed};

const SIGNED: &str = "written by ";
/// A longer first line is nobody's name.
const LONGEST: u64 = 4096;

/// Does it, as the process of the container of this name.
pub(super) fn act(deed: &FileDeed, name: &str) -> Came {
    let done = match deed {
        FileDeed::Write(path) => fs::write(path, format!("{SIGNED}{name}\n")).map(|()| Came::Done),
        FileDeed::Read(path) => read(path),
        FileDeed::Delete(path) => fs::remove_file(path).map(|()| Came::Done),
    };
    done.unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound if !matches!(deed, FileDeed::Write(_)) => Came::Nothing,
        _ => Came::Refused,
    })
}

fn read(path: &str) -> io::Result<Came> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let writer = text.strip_prefix(SIGNED).and_then(|rest| rest.lines().next());
    Ok(writer.map_or(Came::AsItCame, |writer| Came::WrittenBy(writer.to_owned())))
}
