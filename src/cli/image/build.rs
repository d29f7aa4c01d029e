//! `terrarium build`: an image from a Dockerfile.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::super::{WRONG_WORDS, complain, written};
use super::Store;
use crate::image::Reference;
use crate::image::build::{
    Begun, BuildError, Caching, Done, Kind, Likeness, Network, Verdict, Watcher, build,
};
use crate::report::docker::table::lay_out;
use crate::report::docker::words;
use crate::world::linux::lab_image;

/// Build an image from a Dockerfile
///
/// Instructions that make files make a layer; the others only change what
/// containers will be like. A layer that has been made before, on the same
/// layers and of the same files, is used again.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  terrarium build -t app .
  terrarium build -t app --build-arg VERSION=2 -f images/Dockerfile .
  terrarium build --explain .          which instruction makes what, and why"
)]
pub(in crate::cli) struct Build {
    /// The directory whose files can be copied
    #[arg(value_name = "PATH")]
    context: PathBuf,

    /// Its name; may be given several times
    #[arg(short, long, value_name = "NAME[:TAG]")]
    tag: Vec<String>,

    /// The Dockerfile [default: PATH/Dockerfile]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// A value for an ARG; without a value, this shell's
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    args: Vec<String>,

    /// A label for the image
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,

    /// The stage to stop at
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,

    /// Make every layer anew
    #[arg(long)]
    no_cache: bool,

    /// How to tell of it: auto, plain (with what commands write), or quiet
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true
    )]
    progress: Progress,

    /// Print the image's id and nothing else
    #[arg(short, long)]
    quiet: bool,

    /// Say of each instruction what it made, how large that is, and why the cache was used or not
    #[arg(long)]
    explain: bool,

    /// The network of RUN: host or none [default: the host's for root, none for others]
    #[arg(long, value_name = "NETWORK", hide_possible_values = true)]
    network: Option<NetworkWord>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Progress {
    Auto,
    Plain,
    Quiet,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NetworkWord {
    Host,
    None,
}

impl Build {
    pub(super) fn perform(&self, store: &Store) -> super::Done {
        let (tags, args, labels) = match self.words() {
            Ok(words) => words,
            Err(error) => {
                complain(&error);
                return Ok(WRONG_WORDS);
            }
        };
        let path = self.file.clone().unwrap_or_else(|| self.context.join("Dockerfile"));
        let file = path.display().to_string();
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read {file} (say where the Dockerfile is: --file)"))?;
        let context = fs::canonicalize(&self.context)
            .with_context(|| format!("cannot use {} as the build context", self.context.display()))?;
        let root = nix::unistd::geteuid().is_root();
        let network = match self.network {
            Some(NetworkWord::Host) => Network::Host,
            None if root => Network::Host,
            Some(NetworkWord::None) | None => Network::None,
        };
        let wanted = crate::image::build::Build {
            store,
            context: &context,
            file: &file,
            text: &text,
            tags: &tags,
            args: &args,
            labels: &labels,
            target: self.target.as_deref(),
            caching: if self.no_cache { Caching::Off } else { Caching::On },
            network,
            likeness: Likeness::AsFound,
        };
        let quiet = self.quiet || self.progress == Progress::Quiet;
        let mut teller =
            Teller { store, quiet, header: None, midline: false, held: Vec::new(), steps: Vec::new() };
        let built = match build(&wanted, &mut teller) {
            Ok(built) => built,
            Err(error) => {
                // What a failed command has said is the best that there is to read.
                let _ = io::stderr().write_all(&teller.held);
                // A file that is wrong is wrong words; what goes wrong in doing it is a failure.
                let status = if matches!(error, BuildError::Dockerfile(_)) && teller.header.is_none() {
                    WRONG_WORDS
                } else {
                    super::BAD
                };
                complain(&error);
                return Ok(status);
            }
        };
        if !built.unused.is_empty() {
            complain(&format_args!(
                "one or more build-args {:?} were not consumed: no ARG declares them",
                built.unused
            ));
        }
        let mut told = String::new();
        if self.explain {
            told.push_str(&teller.explained());
        }
        if quiet {
            told.extend([built.id.as_str(), "\n"]);
        } else {
            told.extend(["Successfully built ", built.id.short(), "\n"]);
            told.extend(tags.iter().map(|tag| format!("Successfully tagged {}\n", tag.familiar())));
        }
        Ok(written("what was built", &told))
    }

    #[expect(clippy::type_complexity, reason = "three lists of words, read together")]
    fn words(&self) -> anyhow::Result<(Vec<Reference>, BTreeMap<String, String>, BTreeMap<String, String>)> {
        let tag = |text: &String| text.parse::<Reference>().map(Reference::or_latest);
        let tags = self.tag.iter().map(tag).collect::<Result<_, _>>()?;
        let arg = |text: &String| match text.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => Some((text.clone(), std::env::var(text).ok()?)),
        };
        let label = |text: &String| {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            (key.to_owned(), value.to_owned())
        };
        Ok((tags, self.args.iter().filter_map(arg).collect(), self.label.iter().map(label).collect()))
    }
}

/// Tells of the steps as they go.
struct Teller<'a> {
    store: &'a Store,
    quiet: bool,
    /// The step under way, until it has been told of.
    header: Option<String>,
    /// Whether a command has stopped in the middle of a line.
    midline: bool,
    /// What a command writes that nobody wants to see unless it fails.
    held: Vec<u8>,
    steps: Vec<Done>,
}

const LONGEST: usize = 60;

impl Watcher for Teller<'_> {
    fn begins(&mut self, step: &Begun<'_>) {
        self.held.clear();
        self.header = Some(format!("[{}/{}] {}", step.number, step.of, words::shortened(step.text, LONGEST)));
    }

    fn writes(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.quiet {
            self.held.extend(bytes);
            return;
        }
        let mut error = io::stderr().lock();
        if let Some(header) = self.header.take() {
            let _ = writeln!(error, "{header}");
        }
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let indent: &[u8] = if self.midline { b"" } else { b"      | " };
            let _ = error.write_all(&[indent, line].concat());
            self.midline = !line.ends_with(b"\n");
        }
    }

    fn done(&mut self, step: &Done) {
        let told = told(step);
        if !self.quiet {
            if std::mem::take(&mut self.midline) {
                eprintln!();
            }
            match self.header.take() {
                Some(header) => eprintln!("{header:<LONGEST$}  {told}"),
                None => eprintln!("      {told}"),
            }
        }
        self.header = Some(String::new());
        self.steps.push(step.clone());
    }

    fn fetch(&mut self, image: &Reference) -> Result<(), String> {
        if *image == lab_image::reference() {
            return lab_image::keep(self.store).map_err(|error| error.to_string());
        }
        super::pull::fetch(image, self.store, self.quiet).map(|_| ()).map_err(|error| error.to_string())
    }
}

fn told(step: &Done) -> String {
    let seconds = step.took.as_secs_f64();
    match (&step.made, &step.verdict) {
        (Kind::Base(0), _) => "nothing".into(),
        (Kind::Base(1), _) => "1 layer".into(),
        (Kind::Base(count), _) => format!("{count} layers"),
        (Kind::Metadata, _) => "metadata".into(),
        (Kind::Layer(bytes), Verdict::Used(_)) => format!("layer {}, cached", words::size(*bytes)),
        (Kind::Layer(bytes), _) => format!("layer {}, {seconds:.1} s", words::size(*bytes)),
    }
}

impl Teller<'_> {
    /// A table: what each instruction has made, and why.
    fn explained(&self) -> String {
        let mut lines = vec!["INSTRUCTION\tMAKES\tSIZE\tCACHE".to_owned()];
        lines.extend(self.steps.iter().map(|step| {
            let (makes, size) = match step.made {
                Kind::Base(1) => ("a stage of 1 layer".into(), String::new()),
                Kind::Base(count) => (format!("a stage of {count} layers"), String::new()),
                Kind::Layer(bytes) => ("a layer".into(), words::size(bytes)),
                Kind::Metadata => ("only metadata".into(), "0B".into()),
            };
            let cache = match &step.verdict {
                Verdict::NothingToCache => "nothing to keep".into(),
                Verdict::Used(made) => format!("used: same layers, words and files as at {}", second(made)),
                Verdict::New => "not used: never done on these layers".into(),
                Verdict::FilesChanged => "not used: the files have changed".into(),
                Verdict::Off => "not used: --no-cache".into(),
            };
            format!("{}\t{makes}\t{size}\t{cache}", words::shortened(&step.text, 40))
        }));
        lay_out(&lines, 1) + "\n"
    }
}

/// A moment without its fractions.
fn second(moment: &str) -> String {
    moment.split('.').next().unwrap_or(moment).replace('T', " ")
}
