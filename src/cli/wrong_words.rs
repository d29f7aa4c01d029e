//! What was typed and means nothing: one sentence on standard error, with what was probably meant and where to look.

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{BAD_WORDS_OF_A_RUN, GOOD, WRONG_WORDS, Words, complain};

/// Verbs whose exit status is that of the process that they run: what is wrong before it runs has a status of its own.
const RUNNING: [&str; 2] = ["run", "exec"];

/// Prints help, or the complaint; returns the exit status.
pub(super) fn answer(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        let _ = error.print();
        return GOOD;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return WRONG_WORDS;
    }
    let verb = std::env::args().skip(1).find(|word| Words::command().find_subcommand(word).is_some());
    complain(&sentence(error, verb.as_deref()));
    match verb {
        Some(verb) if RUNNING.contains(&verb.as_str()) => BAD_WORDS_OF_A_RUN,
        _ => WRONG_WORDS,
    }
}

fn sentence(error: &clap::Error, verb: Option<&str>) -> String {
    let told = error.render().to_string();
    let first = told.split("\n\n").next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let what = first.split_whitespace().collect::<Vec<_>>().join(" ");
    let command = match verb {
        Some(verb) => format!("terrarium {verb}"),
        None => "terrarium".into(),
    };
    match meant(error) {
        Some(meant) => format!("{what} (did you mean '{meant}'? See: {command} --help)"),
        None => format!("{what} (see: {command} --help)"),
    }
}

/// The nearest of the words that would have been right.
fn meant(error: &clap::Error) -> Option<String> {
    let kinds = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    kinds.iter().find_map(|kind| match error.get(*kind)? {
        ContextValue::String(word) => Some(word.clone()),
        // The nearest comes last.
        ContextValue::Strings(words) => words.last().cloned(),
        _ => None,
    })
}
