//! The command line: words typed become calls, and errors become one sentence and an exit status.

mod check;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod container;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod doctor;
mod engine;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod image;
mod keyboard;
mod language;
mod lessons;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod look;
mod model;
mod play;
mod quiz;
mod replay;
mod schema;
mod wrong_words;

use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::report::Paint;

/// All was met.
const GOOD: u8 = 0;
/// Something was unmet, refused, diverged or left behind.
const BAD: u8 = 1;
/// The file or the words are wrong.
const WRONG_WORDS: u8 = 2;
/// The same, where other numbers are the process's own.
const BAD_WORDS_OF_A_RUN: u8 = 125;

/// Watch a container live.
///
/// One state machine predicts a container's life and drives it in real Linux
/// namespaces. Scenarios in YAML replay such lives step by step and print every
/// transition and everything that was gained or given back.
#[derive(Parser)]
#[command(
    name = "terrarium",
    version,
    arg_required_else_help = true,
    max_term_width = 80,
    verbatim_doc_comment,
    subcommand_help_heading = "Verbs",
    subcommand_value_name = "VERB",
    disable_help_subcommand = true,
    after_help = "\
Begin with:
  terrarium lessons                    what there is to learn
  terrarium replay first-life          the first lesson
  terrarium replay 4 --predict         guess before you see
  terrarium quiz                       questions without an end
  terrarium replay --help              all that a replay can do"
)]
struct Words {
    #[command(subcommand)]
    verb: Verb,

    /// Keep all that has to lie on a disk in this directory
    #[arg(long, global = true, value_name = "DIR", help_heading = GLOBAL)]
    root: Option<PathBuf>,

    /// Tell on standard error what the machinery does: off, error, warn, info, debug or trace
    #[arg(
        long, global = true, value_name = "LEVEL", default_value = "off", help_heading = GLOBAL,
        hide_possible_values = true, hide_default_value = true
    )]
    log_level: LogLevel,

    /// How to tell it: text or json
    #[arg(
        long, global = true, value_name = "FORMAT", default_value = "text", help_heading = GLOBAL,
        hide_possible_values = true, hide_default_value = true
    )]
    log_format: LogFormat,

    /// No colours (so it is too with `NO_COLOR` set, or off a terminal)
    #[arg(long, global = true, help_heading = GLOBAL)]
    no_color: bool,
}

/// The heading of what every verb takes.
const GLOBAL: &str = "With every verb";

#[derive(Subcommand)]
enum Verb {
    Replay(replay::Replay),
    Lessons(lessons::Lessons),
    Quiz(quiz::Quiz),
    Check(Box<check::Check>),
    Model(model::Model),
    Schema(schema::Schema),
    #[cfg(all(target_os = "linux", feature = "linux"))]
    Doctor(doctor::Doctor),
    #[cfg(all(target_os = "linux", feature = "linux"))]
    #[command(flatten)]
    Container(container::ContainerVerb),
    #[cfg(all(target_os = "linux", feature = "linux"))]
    #[command(flatten)]
    Look(look::Look),
    #[cfg(all(target_os = "linux", feature = "linux"))]
    #[command(flatten)]
    Image(image::ImageVerb),
}

#[derive(Clone, Copy, ValueEnum)]
enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// What every verb may want to know.
struct Globals {
    #[cfg_attr(
        not(all(target_os = "linux", feature = "linux")),
        expect(dead_code, reason = "only a kernel needs a disk")
    )]
    root: Option<PathBuf>,
    paint: Paint,
}

/// Reads the words, does what they say, and returns the exit status.
pub fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", feature = "linux"))]
    clap_complete::CompleteEnv::with_factory(|| look::completing(<Words as clap::CommandFactory>::command()))
        .complete();
    let words = match Words::try_parse() {
        Ok(words) => words,
        Err(error) => return ExitCode::from(wrong_words::answer(&error)),
    };
    log(words.log_level, words.log_format);
    let plain = words.no_color || std::env::var_os("NO_COLOR").is_some() || !std::io::stdout().is_terminal();
    let globals = Globals { root: words.root, paint: if plain { Paint::Plain } else { Paint::Colour } };
    let status = match words.verb {
        Verb::Replay(replay) => replay.perform(&globals),
        Verb::Lessons(lessons) => lessons.perform(&globals),
        Verb::Quiz(quiz) => quiz.perform(&globals),
        #[cfg(all(target_os = "linux", feature = "linux"))]
        Verb::Look(look) => look.perform(&globals),
        Verb::Check(check) => check.perform(&globals),
        Verb::Model(model) => model.perform(),
        #[cfg(all(target_os = "linux", feature = "linux"))]
        Verb::Doctor(doctor) => doctor.perform(&globals),
        Verb::Schema(schema) => schema.perform(),
        #[cfg(all(target_os = "linux", feature = "linux"))]
        Verb::Container(verb) => verb.perform(&globals),
        #[cfg(all(target_os = "linux", feature = "linux"))]
        Verb::Image(verb) => verb.perform(&globals),
    };
    ExitCode::from(status)
}

/// Whether words can be read, and what they ask for can be written down; nothing is done. Says what is wrong with them.
pub fn understand(words: impl IntoIterator<Item = std::ffi::OsString>) -> Result<(), String> {
    let words = Words::try_parse_from(words).map_err(|error| error.to_string())?;
    match words.verb {
        #[cfg(all(target_os = "linux", feature = "linux"))]
        Verb::Container(verb) => verb.understand(),
        _ => Ok(()),
    }
}

/// One sentence on standard error.
fn complain(error: &dyn std::fmt::Display) {
    eprintln!("terrarium: {error}");
}

/// Writes what a verb has to say, and returns the exit status. Who stops reading has read enough.
fn written(what: &str, text: &str) -> u8 {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format_args!("cannot write {what}: {error}"));
            BAD
        }
        _ => GOOD,
    }
}

fn log(level: LogLevel, format: LogFormat) {
    use tracing::level_filters::LevelFilter;
    let filter = match level {
        LogLevel::Off => return,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
