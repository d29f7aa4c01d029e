//! The journal by itself: what is written folds to what was, torn or not, long or not, in this life of the host or the next.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use terrarium::engine::journal::{
    BootId, Clock, HostClock, Input, Journal, JournalError, Moment, Opened, Told, is_kept, read,
};
use terrarium::model::{
    Command, ContainerSpec, Ending, HostFacts, Name, Observation, Oom, RestartPolicy, State, Ticket, Timer,
    Verb,
};

/// Goes a second further each time it is looked at.
struct Hand(Cell<u64>);

impl Clock for Hand {
    fn now(&self) -> Moment {
        self.0.set(self.0.get() + 1);
        let since = Duration::from_secs(self.0.get());
        Moment { boot: BootId::default(), since_boot: since, wall: SystemTime::UNIX_EPOCH + since }
    }
}

struct Book {
    directory: TempDir,
    clock: Hand,
}

impl Book {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), clock: Hand(Cell::new(0)) }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("journal")
    }

    fn begin(&self) -> Journal {
        Journal::create(&self.path(), "cafe", HostFacts::ASSUMED, &self.clock).unwrap()
    }

    fn open(&self) -> Journal {
        match Journal::open(&self.path()).unwrap() {
            Opened::Ours(journal) => *journal,
            Opened::Anothers => panic!("somebody holds it"),
        }
    }
}

fn web() -> Name {
    Name::new("web").unwrap()
}

fn asked(ticket: u64, verb: Verb) -> Input {
    Input::Asked(Ticket(ticket), Command { container: web(), verb })
}

fn created(restart: RestartPolicy) -> Vec<Input> {
    let spec = ContainerSpec { restart, ..ContainerSpec::default() };
    vec![
        asked(0, Verb::Create(Box::new(spec))),
        Input::Seen(Observation::NameGranted),
        Input::Seen(Observation::Prepared),
        asked(1, Verb::Start),
        Input::Seen(Observation::Executed),
    ]
}

fn ended(code: i32) -> Input {
    Input::Seen(Observation::Ended(Ending { code, oom: Oom::None }))
}

#[test]
fn what_is_read_is_what_was_written() {
    let book = Book::new();
    let mut journal = book.begin();
    for input in created(RestartPolicy::No).into_iter().chain([ended(3)]) {
        journal.write(input, &book.clock).unwrap();
        assert_eq!(&read(&book.path()).unwrap(), journal.account());
    }
    let account = journal.account().clone();
    assert_eq!((account.status().state, account.status().exit), (State::Stopped, Some(3)));
    assert!(account.was_created() && !account.is_gone());
    drop(journal);
    assert_eq!(book.open().account(), &account);
}

#[test]
fn one_writes_and_all_may_read() {
    let book = Book::new();
    let journal = book.begin();
    assert!(is_kept(&book.path()));
    assert!(matches!(Journal::open(&book.path()).unwrap(), Opened::Anothers));
    assert!(read(&book.path()).is_ok() && is_kept(&book.path()));
    drop(journal);
    assert!(!is_kept(&book.path()));
    assert!(!is_kept(&book.directory.path().join("nosuch")));
}

#[test]
fn a_torn_last_record_is_dropped_and_written_over() {
    let book = Book::new();
    let mut journal = book.begin();
    for input in created(RestartPolicy::No) {
        journal.write(input, &book.clock).unwrap();
    }
    let whole = journal.account().clone();
    journal.write(ended(0), &book.clock).unwrap();
    let longer = journal.account().clone();
    drop(journal);
    let bytes = fs::read(book.path()).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in last..bytes.len() {
        fs::write(book.path(), &bytes[..cut]).unwrap();
        assert_eq!(read(&book.path()).unwrap(), whole, "cut at {cut} of {}", bytes.len());
    }
    let mut journal = book.open();
    journal.write(ended(0), &book.clock).unwrap();
    assert_eq!(read(&book.path()).unwrap().status(), longer.status());
}

#[test]
fn damage_anywhere_else_is_an_error_that_names_the_line() {
    let book = Book::new();
    let mut journal = book.begin();
    for input in created(RestartPolicy::No) {
        journal.write(input, &book.clock).unwrap();
    }
    drop(journal);
    let bytes = fs::read(book.path()).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    for at in (0..last).step_by(7) {
        let mut hurt = bytes.clone();
        hurt[at] ^= 1;
        fs::write(book.path(), &hurt).unwrap();
        let error = read(&book.path()).expect_err("a flipped bit is seen");
        let line = bytes[..at].split(|byte| *byte == b'\n').count();
        // A flipped line break joins two lines, the first of which is named.
        assert!(matches!(error, JournalError::Damaged { line: found, .. } if found == line), "{at}: {error}");
    }
}

#[test]
fn another_version_and_an_empty_file_are_refused_in_words() {
    let book = Book::new();
    drop(book.begin());
    let text = fs::read_to_string(book.path()).unwrap().replace("\"version\":1", "\"version\":7");
    let json = text.trim_end().split_once(' ').unwrap().1;
    fs::write(book.path(), format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))).unwrap();
    assert!(read(&book.path()).unwrap_err().to_string().contains("has version 7"));
    fs::write(book.path(), "").unwrap();
    assert!(read(&book.path()).unwrap_err().to_string().contains("no beginning"));
}

#[test]
fn the_journal_of_one_that_restarts_for_months_stays_small_and_folds_to_the_same() {
    let book = Book::new();
    let mut journal = book.begin();
    let mut whole = book.directory.path().join("other");
    whole.set_extension("journal");
    for input in created(RestartPolicy::Always) {
        journal.write(input, &book.clock).unwrap();
    }
    for _ in 0..5000 {
        let again = [
            ended(1),
            Input::Seen(Observation::Fired(Timer::BackOff)),
            Input::Seen(Observation::Prepared),
            Input::Seen(Observation::Executed),
        ];
        for input in again {
            journal.write(input, &book.clock).unwrap();
        }
    }
    let length = fs::metadata(book.path()).unwrap().len();
    assert!(length < 1 << 20, "{length} bytes");
    let account = read(&book.path()).unwrap();
    assert_eq!(account.status().restarts, 5000);
    assert_eq!(&account, journal.account());
    assert!(account.forgotten > 0 && account.tale.len() < 4096, "{}", account.tale.len());
}

#[test]
fn timers_have_left_what_was_left_of_them() {
    let book = Book::new();
    let mut journal = book.begin();
    for input in created(RestartPolicy::Always).into_iter().chain([ended(1)]) {
        journal.write(input, &book.clock).unwrap();
    }
    let account = journal.account();
    let armed = account.latest;
    let later = |by: Duration, boot| Moment { boot, since_boot: armed.since_boot + by, wall: armed.wall };
    let left = |now: Moment| account.timers_left(&now).collect::<Vec<_>>();
    let (none, some) = (Duration::ZERO, Duration::from_millis(40));
    assert_eq!(left(later(none, armed.boot)), [(Timer::BackOff, Duration::from_millis(100))]);
    assert_eq!(left(later(some, armed.boot)), [(Timer::BackOff, Duration::from_millis(60))]);
    // Nobody has measured a reboot: what was armed before is due.
    assert_eq!(left(later(some, HostClock::new().now().boot)), [(Timer::BackOff, none)]);
}

#[test]
fn a_clock_on_the_wall_that_jumps_changes_no_length_of_time() {
    let now = HostClock::new().now();
    let back =
        Moment { since_boot: now.since_boot + Duration::from_secs(5), wall: SystemTime::UNIX_EPOCH, ..now };
    assert_eq!(back.since(&now), Some(Duration::from_secs(5)));
    assert_eq!(now.since(&back), Some(Duration::ZERO));
}

#[test]
fn the_loss_of_a_keeper_is_told_and_counts_as_killed() {
    let book = Book::new();
    let mut journal = book.begin();
    for input in created(RestartPolicy::No).into_iter().chain([Input::KeeperLost]) {
        journal.write(input, &book.clock).unwrap();
    }
    let account = read(&book.path()).unwrap();
    assert_eq!((account.status().state, account.status().exit), (State::Stopped, Some(137)));
    assert!(account.tale.iter().any(|tale| tale.told == Told::KeeperLost));
    assert!(!account.host.needs_keeper());
}

#[test]
fn something_behind_the_last_record_is_no_record() {
    let book = Book::new();
    let mut journal = book.begin();
    for input in created(RestartPolicy::No) {
        journal.write(input, &book.clock).unwrap();
    }
    let account = journal.account().clone();
    drop(journal);
    OpenOptions::new().append(true).open(book.path()).unwrap().write_all(b"00000000 {\"wall\"").unwrap();
    assert_eq!(read(&book.path()).unwrap(), account);
}
