//! `terrarium completions`: the shell completes verbs, flags and containers.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::super::written;
use super::trouble::{Trouble, status_of};
use crate::keeper::Estate;

/// Print what makes a shell complete verbs, flags and containers
#[derive(Args)]
#[command(after_help = "\
Examples:
  source <(terrarium completions bash)            for this shell
  terrarium completions fish > ~/.config/fish/completions/terrarium.fish")]
pub(in crate::cli) struct Completions {
    /// Which shell
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

/// The variable by which a shell asks for words.
const VARIABLE: &str = "COMPLETE";
const NAME: &str = "terrarium";

impl Completions {
    pub(super) fn perform(&self) -> u8 {
        let completer: &dyn EnvCompleter = match self.shell {
            Shell::Bash => &Bash,
            Shell::Elvish => &Elvish,
            Shell::Fish => &Fish,
            Shell::Powershell => &Powershell,
            Shell::Zsh => &Zsh,
        };
        let mut script = Vec::new();
        match completer.write_registration(VARIABLE, NAME, NAME, NAME, &mut script) {
            Ok(()) => written("the completions", &String::from_utf8_lossy(&script)),
            Err(error) => status_of(Err(cannot_write(&error))),
        }
    }
}

/// The `--root` of the command line that is being completed, which comes as our own words.
fn typed_root() -> Option<PathBuf> {
    let mut words = std::env::args_os().skip(1);
    while let Some(word) = words.next() {
        if word == "--root" {
            return words.next().map(PathBuf::from);
        }
        if let Some(root) = word.to_str().and_then(|word| word.strip_prefix("--root=")) {
            return Some(root.into());
        }
    }
    None
}

fn cannot_write(error: &io::Error) -> Trouble {
    Trouble::world(format_args!("cannot write the completions: {error}"))
}

/// The command line, with the containers that there are wherever one can be named.
pub(in crate::cli) fn completing(words: Command) -> Command {
    let names = || -> Vec<CompletionCandidate> {
        let names = Estate::open(typed_root().as_deref()).map(|estate| estate.names()).unwrap_or_default();
        names.into_iter().map(CompletionCandidate::new).collect()
    };
    words.mut_subcommands(|verb| {
        let is_exec = verb.get_name() == "exec";
        verb.mut_args(|arg| {
            let id = arg.get_id().as_str();
            let is_container = matches!(id, "container" | "containers") || (is_exec && id == "words");
            if is_container { arg.add(ArgValueCandidates::new(names)) } else { arg }
        })
    })
}
