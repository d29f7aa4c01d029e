//! A journal on the disk: read as a whole, written at its end by one keeper at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use thiserror::Error;

use super::account::Account;
use super::clock::{Clock, Moment};
use super::lock::lock;
use super::record::{self, Input, Opening, VERSION};
use crate::model::HostFacts;

/// A journal that one can write, and nobody else meanwhile.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Locked as long as it is open.
    file: File,
    length: u64,
    /// How far the disk has room for sure.
    reserved: u64,
    account: Account,
    /// Whether a write has failed: then the account is ahead of the file.
    is_behind: bool,
}

/// Whether a journal could be opened for writing.
#[derive(Debug)]
pub enum Opened {
    /// Now it is ours.
    Ours(Box<Journal>),
    /// Its keeper lives.
    Anothers,
}

/// Why a journal cannot be read or written.
#[derive(Debug, Error)]
pub enum JournalError {
    /// A file operation.
    #[error("cannot {action} the journal {}: {source} (is the disk full, or not ours to write?)", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// To which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A record is not as it was written.
    #[error(
        "the journal {} is damaged in line {line} (what is before it can be kept: cut it off there; or remove its directory)",
        path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Where.
        line: usize,
    },
    /// It is of another version.
    #[error("the journal {} has version {found}, and this terrarium reads {VERSION} (use the terrarium that wrote it)", path.display())]
    Version {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It does not say whose it is.
    #[error("the journal {} has no beginning (its container never came to be: remove its directory)", .0.display())]
    Empty(PathBuf),
    /// What was to be written cannot be.
    #[error("cannot write the record of {}: {source}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
}

/// Room on the disk that is kept for the records to come, so that a stop and a removal work when it is full.
const RESERVE: u64 = 64 << 10;
/// It is renewed when so much is left of it.
const LOW: u64 = 32 << 10;
/// A journal longer than this is compacted.
const LONG: u64 = 256 << 10;

/// What a journal comes to, whoever writes it meanwhile.
pub fn read(path: &Path) -> Result<Account, JournalError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(failed("read", path))?;
    Ok(fold(path, &bytes)?.0)
}

impl Journal {
    /// Begins a journal in a directory that is there. It is there as a whole, and ours, or not at all.
    pub fn create(path: &Path, id: &str, facts: HostFacts, clock: &impl Clock) -> Result<Self, JournalError> {
        let at = clock.now();
        let opening = Opening { version: VERSION, id: id.into(), facts };
        let line = encode(path, &Input::Opened(opening.clone()), at, None)?;
        let file = put_in_place(path, &line).map_err(failed("begin", path))?;
        let account = Account::begin(opening, at);
        let mut journal = Self {
            path: path.into(),
            file,
            length: line.len() as u64,
            reserved: 0,
            account,
            is_behind: false,
        };
        journal.keep_in_reserve();
        Ok(journal)
    }

    /// Opens one to go on with it, unless somebody else does.
    pub fn open(path: &Path) -> Result<Opened, JournalError> {
        loop {
            let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed("open", path))?;
            match lock(&file) {
                Ok(()) => {}
                Err(Errno::EAGAIN | Errno::EACCES) => return Ok(Opened::Anothers),
                Err(errno) => return Err(failed("lock", path)(errno.into())),
            }
            // Whoever held it may have put another file in its place meanwhile.
            let ours = file.metadata().map_err(failed("look at", path))?;
            if fs::metadata(path).is_ok_and(|there| there.ino() == ours.ino()) {
                return Self::resume(path, file).map(|journal| Opened::Ours(Box::new(journal)));
            }
        }
    }

    fn resume(path: &Path, mut file: File) -> Result<Self, JournalError> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_end(&mut bytes))
            .map_err(failed("read", path))?;
        let (account, length) = fold(path, &bytes)?;
        let mut journal = Self { path: path.into(), file, length, reserved: 0, account, is_behind: false };
        // A torn last record was never acted upon. To cut where nothing is torn would give the reserve away.
        if bytes.len() as u64 > length {
            journal.file.set_len(length).map_err(failed("cut off the torn end of", path))?;
        }
        journal.keep_in_reserve();
        Ok(journal)
    }

    /// What it comes to so far.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Whether there is room for sure for the records of a new life: a start should not begin without.
    pub fn has_reserve(&mut self) -> bool {
        self.keep_in_reserve();
        self.reserved >= self.length + LOW
    }

    /// Writes down what goes into the model. What could not be written is taken into account all the same, if it `has happened`
    /// anyway; the next reader will find that the keeper was lost.
    pub fn write(&mut self, input: Input, clock: &impl Clock) -> Result<(), JournalError> {
        let at = clock.now();
        let written = self.append(&input, at);
        self.account.take_in(at, input);
        written?;
        if self.length > LONG {
            self.compact(at)?;
        }
        Ok(())
    }

    /// As [`Journal::write`], for what has not happened yet: if it cannot be written nothing has changed.
    pub fn write_first(&mut self, input: Input, clock: &impl Clock) -> Result<(), JournalError> {
        let at = clock.now();
        self.append(&input, at)?;
        self.account.take_in(at, input);
        Ok(())
    }

    fn append(&mut self, input: &Input, at: Moment) -> Result<(), JournalError> {
        // Something is missing in the file: what all of it comes to has to be there before anything can follow.
        if self.is_behind {
            self.compact(at)?;
            self.is_behind = false;
        }
        let line = encode(&self.path, input, at, Some(self.account.latest.boot))?;
        if let Err(source) = self.file.write_all_at(line.as_bytes(), self.length) {
            // No half record stays: whatever comes next begins where this one began.
            let _ = self.file.set_len(self.length);
            (self.is_behind, self.reserved) = (true, 0);
            return Err(failed("write", &self.path)(source));
        }
        self.length += line.len() as u64;
        self.keep_in_reserve();
        Ok(())
    }

    fn keep_in_reserve(&mut self) {
        if self.reserved >= self.length + LOW {
            return;
        }
        if reserve(&self.file, self.length, RESERVE).is_ok() {
            self.reserved = self.length + RESERVE;
        }
    }

    /// Puts what it comes to in the place of what led there.
    fn compact(&mut self, at: Moment) -> Result<(), JournalError> {
        let mut account = self.account.clone();
        account.abridge();
        let opening = Input::Opened(account.opening.clone());
        let opened = account.opened;
        let mut text = encode(&self.path, &opening, opened, None)?;
        text += &encode(&self.path, &Input::Compacted(Box::new(account.clone())), at, Some(opened.boot))?;
        self.file = put_in_place(&self.path, &text).map_err(failed("compact", &self.path))?;
        (self.account, self.length, self.reserved) = (account, text.len() as u64, 0);
        self.account.latest = at;
        self.keep_in_reserve();
        Ok(())
    }
}

/// The account, and where the last whole record ends.
fn fold(path: &Path, bytes: &[u8]) -> Result<(Account, u64), JournalError> {
    let mut account: Option<Account> = None;
    let mut whole = 0;
    for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let boot = account.as_ref().map(|account| account.latest.boot);
        let read = line.strip_suffix(b"\n").and_then(|line| record::read(line, boot));
        let Some((at, input)) = read else {
            let is_last = whole + line.len() == bytes.len();
            if is_last {
                break;
            }
            return Err(JournalError::Damaged { path: path.into(), line: number });
        };
        whole += line.len();
        match (&mut account, input) {
            (None, Input::Opened(opening)) if opening.version == VERSION => {
                account = Some(Account::begin(opening, at));
            }
            (None, Input::Opened(opening)) => {
                return Err(JournalError::Version { path: path.into(), found: opening.version });
            }
            (None, _) => return Err(JournalError::Damaged { path: path.into(), line: number }),
            (Some(account), input) => account.take_in(at, input),
        }
    }
    account.map(|account| (account, whole as u64)).ok_or_else(|| JournalError::Empty(path.into()))
}

fn encode(
    path: &Path,
    input: &Input,
    at: Moment,
    boot: Option<super::BootId>,
) -> Result<String, JournalError> {
    record::write(input, at, boot).map_err(|source| JournalError::Unwritable { path: path.into(), source })
}

/// Writes a journal as a whole, locks it, and only then gives it its name.
fn put_in_place(path: &Path, text: &str) -> io::Result<File> {
    let half = path.with_extension("new");
    let mut file =
        OpenOptions::new().create(true).truncate(true).read(true).write(true).mode(0o600).open(&half)?;
    lock(&file)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&half, path)?;
    Ok(file)
}

fn reserve(file: &File, from: u64, length: u64) -> io::Result<()> {
    let signed = |number: u64| i64::try_from(number).map_err(io::Error::other);
    let (from, length) = (signed(from)?, signed(length)?);
    fallocate(file.as_fd(), FallocateFlags::FALLOC_FL_KEEP_SIZE, from, length).map_err(Into::into)
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> JournalError + 'a {
    move |source| JournalError::File { action, path: path.into(), source }
}
