//! `terrarium completions`: the shell completes verbs, flags, containers and images.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::super::written;
use super::trouble::{Trouble, status_of};
use crate::keeper::Estate;
use crate::model::LAB_IMAGE;

/// Print what makes a shell complete verbs, flags, containers and images
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

/// The command line, with the containers and images that there are wherever one can be named.
pub(in crate::cli) fn completing(words: Command) -> Command {
    let containers = || -> Vec<CompletionCandidate> {
        let names = Estate::open(typed_root().as_deref()).map(|estate| estate.names()).unwrap_or_default();
        names.into_iter().map(CompletionCandidate::new).collect()
    };
    words.mut_subcommands(|verb| {
        let is = |names: &[&str]| names.contains(&verb.get_name());
        let (is_exec, is_made_of) = (is(&["exec"]), is(&["run", "create"]));
        let (inspects, is_image) = (is(&["inspect"]), is(&["image"]));
        let verb = with_images(verb, |id| OF_IMAGES.contains(&id) || (is_made_of && id == "words"));
        let verb = if is_image {
            verb.mut_subcommands(|inner| with_images(inner, |id| OF_IMAGES.contains(&id)))
        } else {
            verb
        };
        verb.mut_args(|arg| {
            let id = arg.get_id().as_str();
            let is_container = matches!(id, "container" | "containers") || (is_exec && id == "words");
            match (is_container, inspects) {
                (true, true) => arg
                    .add(ArgValueCandidates::new(move || containers().into_iter().chain(images()).collect())),
                (true, false) => arg.add(ArgValueCandidates::new(containers)),
                (false, _) => arg,
            }
        })
    })
}

/// What verbs call an image that has to be there.
const OF_IMAGES: [&str; 4] = ["image", "images", "source", "only"];

fn with_images(verb: Command, is_one: impl Fn(&str) -> bool) -> Command {
    let fetches = matches!(verb.get_name(), "pull" | "cp");
    verb.mut_args(|arg| {
        let takes = !fetches && is_one(arg.get_id().as_str());
        if takes { arg.add(ArgValueCandidates::new(images)) } else { arg }
    })
}

/// The names of the images that there are. Whoever has the usual tag goes by the name alone, as people type it.
fn images() -> Vec<CompletionCandidate> {
    let there = Estate::images(typed_root().as_deref()).ok().and_then(|store| store.images().ok());
    let names = there.into_iter().flatten().flat_map(|(_, names)| names).map(|name| name.familiar());
    let typed = names.map(|name| name.strip_suffix(":latest").unwrap_or(&name).to_owned());
    let built_in = std::iter::once(LAB_IMAGE.to_owned());
    typed.filter(|name| name != LAB_IMAGE).chain(built_in).map(CompletionCandidate::new).collect()
}
