//! `terrarium replay`: scenarios, step by step.

use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::keyboard::keyboard;
use super::language::Language;
use super::play::{self, OnStage};
use super::{BAD, GOOD, Globals, WRONG_WORDS, complain};
use crate::engine::trace::{Audience, Closing};
#[cfg(all(target_os = "linux", feature = "linux"))]
use crate::image::store::Store;
#[cfg(all(target_os = "linux", feature = "linux"))]
use crate::keeper::Estate;
use crate::report::{Canvas, Echo, Json, Paced, Predict, Recorded, Speed, Text, UnknownCanvas, Why};
use crate::scenario::replay::{Play, ReplayError, check_supported, simulate};
use crate::scenario::{self, Scenario, find_bundled};

/// Replay scenarios, step by step
///
/// Prints every transition and event of each step, and all that is gained and
/// released. On a kernel the simulator predicts each step, and every divergence
/// is reported.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  terrarium replay first-life                 a lesson by its name
  terrarium replay 04 --predict               or its number; guess first
  terrarium replay mine.yaml --why            a file; the rule behind each step
  terrarium replay 3 --engine sim --speed 1   simulated, in real time
  terrarium replay ten-seconds --timeline life.svg   and draw it
  terrarium replay *.yaml --format json       for programs

Exit status: 0 if all was met, 1 if something was unmet, diverged or left
behind, 2 if the file or the words are wrong."
)]
pub(super) struct Replay {
    /// Scenario files, or lessons by number or name (see `terrarium lessons`)
    #[arg(required = true, value_name = "FILE|LESSON")]
    words: Vec<String>,

    /// Where the containers live
    #[arg(long, default_value = "auto", value_name = "ENGINE", help_heading = LIVED)]
    engine: EngineWord,

    /// Simulator only: N virtual seconds a second, so that one can watch [default: as fast as it goes]
    #[arg(long, value_name = "N", help_heading = LIVED)]
    speed: Option<Speed>,

    /// Ask for a prediction before each step with a question, and keep score
    ///
    /// What can be checked of an answer is: a time (10s, ten seconds), an exit
    /// code, a state, events, or whether it is refused (yes, no). An empty line
    /// passes. On a kernel containers live on while you think, but no step
    /// takes longer for it.
    #[arg(long, help_heading = TOLD)]
    predict: bool,

    /// Print the rule behind each transition, with its source
    #[arg(long, help_heading = TOLD)]
    why: bool,

    /// How to print it
    #[arg(long, default_value = "text", value_name = "FORMAT", help_heading = TOLD)]
    format: Format,

    /// Play it on a screen: step, run, and in the simulator rewind and fork
    ///
    /// The right arrow steps, `r` runs, the left arrow rewinds, `f` asks for
    /// another step than the one that comes, `u` takes that back, `q` leaves.
    #[arg(long, help_heading = LIVED)]
    play: bool,

    /// Draw the life as well, into a file that ends in .svg or .html
    #[arg(long, value_name = "FILE", help_heading = TOLD)]
    timeline: Option<PathBuf>,

    #[command(flatten)]
    language: Language,
}

const LIVED: &str = "How it is lived";
const TOLD: &str = "How it is told";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineWord {
    /// On this kernel if it lets them, else in the simulator
    Auto,
    /// In real namespaces, with the simulator in lockstep
    Linux,
    /// In the simulator alone
    Sim,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One object a line
    Json,
}

impl Replay {
    /// Nothing runs until every file is valid.
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        if let Err(contradiction) = self.check_words() {
            complain(&contradiction);
            return WRONG_WORDS;
        }
        let mut scenarios = Vec::new();
        for word in &self.words {
            match load(word) {
                Ok(scenario) => scenarios.push(scenario),
                Err(error) => {
                    complain(&error);
                    return WRONG_WORDS;
                }
            }
        }
        let (mut answers, echo) = keyboard();
        let mut status = GOOD;
        for (file, scenario) in &scenarios {
            match self.replay(file, scenario, globals, (&mut answers, echo)) {
                Ok(closing) if closing.is_good() => {}
                Ok(_) => status = status.max(BAD),
                Err(error) => {
                    if !error.is_silent() {
                        complain(&error);
                    }
                    return error.status();
                }
            }
        }
        status
    }

    fn check_words(&self) -> Result<(), Contradiction> {
        if self.speed.is_some() && self.engine == EngineWord::Linux {
            return Err(Contradiction::SpeedOfKernel);
        }
        if self.predict && self.format == Format::Json {
            return Err(Contradiction::JsonAsks);
        }
        if self.play && (self.format == Format::Json || self.predict || self.timeline.is_some()) {
            return Err(Contradiction::PlaysAlone);
        }
        if self.play && !play::has_screen() {
            return Err(Contradiction::NoScreen);
        }
        if let Some(file) = &self.timeline {
            Canvas::of(file)?;
            if self.words.len() > 1 {
                return Err(Contradiction::ManyLives);
            }
        }
        Ok(())
    }

    fn replay(
        &self,
        file: &str,
        scenario: &Scenario,
        globals: &Globals,
        (answers, echo): (&mut dyn BufRead, Echo),
    ) -> Result<Closing, ReplayFailure> {
        let lang = self.language.code();
        let play = Play { scenario, file, lang: &lang };
        if self.play {
            return self.played(play, globals);
        }
        let out = io::BufWriter::new(io::stdout().lock());
        let why = if self.why { Why::Told } else { Why::Untold };
        match self.format {
            Format::Text if self.predict => {
                let text = Text::new(out, globals.paint, why);
                self.drawn(play, globals, &mut Predict::new(text, answers, echo))
            }
            Format::Text => self.drawn(play, globals, &mut Text::new(out, globals.paint, why)),
            Format::Json => self.drawn(play, globals, &mut Json::new(out)),
        }
    }

    fn drawn(
        &self,
        play: Play<'_>,
        globals: &Globals,
        audience: &mut dyn Audience,
    ) -> Result<Closing, ReplayFailure> {
        let Some(file) = &self.timeline else { return self.at_speed(play, globals, audience) };
        let mut recorded = Recorded::new(audience);
        let closing = self.at_speed(play, globals, &mut recorded)?;
        let picture = recorded.drawn(Canvas::of(file)?, play.lang);
        fs::write(file, picture)
            .map_err(|error| ReplayFailure::Timeline { file: file.display().to_string(), error })?;
        Ok(closing)
    }

    /// Whoever leaves before the end has seen enough.
    fn played(&self, play: Play<'_>, globals: &Globals) -> Result<Closing, ReplayFailure> {
        if self.engine == EngineWord::Sim {
            return Ok(play::in_the_simulator(play)?);
        }
        match self.on_engine(play, globals, &mut OnStage::new()) {
            Err(failure) if failure.is_silent() => Ok(Closing::default()),
            ended => ended,
        }
    }

    /// Where a kernel does not let it live.
    fn fall_back(&self, play: Play<'_>, audience: &mut dyn Audience) -> Result<Closing, ReplayFailure> {
        if self.play { Ok(play::in_the_simulator(play)?) } else { Ok(simulate(play, audience)?) }
    }

    fn at_speed(
        &self,
        play: Play<'_>,
        globals: &Globals,
        audience: &mut dyn Audience,
    ) -> Result<Closing, ReplayFailure> {
        match self.speed {
            Some(speed) => self.on_engine(play, globals, &mut Paced::new(audience, speed)),
            None => self.on_engine(play, globals, audience),
        }
    }

    #[cfg(all(target_os = "linux", feature = "linux"))]
    fn on_engine(
        &self,
        play: Play<'_>,
        globals: &Globals,
        audience: &mut dyn Audience,
    ) -> Result<Closing, ReplayFailure> {
        use crate::engine::Local;
        use crate::scenario::replay::live;
        use crate::world::linux::Linux;

        if self.speed.is_some() && self.engine == EngineWord::Auto {
            eprintln!("terrarium: replaying in the simulator: a kernel's time has one --speed");
            return Ok(simulate(play, audience)?);
        }
        if self.engine == EngineWord::Sim {
            return Ok(simulate(play, audience)?);
        }
        if play.scenario.planted.is_some() {
            if self.engine == EngineWord::Linux {
                return Err(ReplayFailure::NoKernel(PLANTED.into()));
            }
            eprintln!("terrarium: replaying in the simulator: {PLANTED}");
            return Ok(simulate(play, audience)?);
        }
        let root = globals.root.as_deref();
        let lived = with_images(play.scenario, root).and_then(|(scenario, images)| {
            let world = Linux::with_images(root, images, &scenario.containers)?;
            Ok((scenario, world))
        });
        match lived {
            Ok((scenario, world)) => {
                Ok(live(Play { scenario: &scenario, ..play }, Local::new(world), audience)?)
            }
            Err(obstacle) if self.engine == EngineWord::Auto => {
                eprintln!("terrarium: replaying in the simulator: {obstacle}");
                self.fall_back(play, audience)
            }
            Err(obstacle) => Err(ReplayFailure::NoKernel(obstacle.to_string())),
        }
    }

    #[cfg(not(all(target_os = "linux", feature = "linux")))]
    fn on_engine(
        &self,
        play: Play<'_>,
        _: &Globals,
        audience: &mut dyn Audience,
    ) -> Result<Closing, ReplayFailure> {
        const LACK: &str = "this terrarium was built without the kernel's part (on Linux, build it with the feature `linux`)";
        match self.engine {
            EngineWord::Sim => {}
            EngineWord::Auto => eprintln!("terrarium: replaying in the simulator: {LACK}"),
            EngineWord::Linux => return Err(ReplayFailure::NoKernel(LACK.into())),
        }
        self.fall_back(play, audience)
    }
}

/// The scenario with what its containers' images say, and where those images are.
#[cfg(all(target_os = "linux", feature = "linux"))]
fn with_images(scenario: &Scenario, root: Option<&Path>) -> anyhow::Result<(Scenario, Store)> {
    let images = Estate::images(root)?;
    let mut resolved = scenario.clone();
    for spec in resolved.containers.values_mut() {
        *spec = images.resolve(spec)?;
    }
    Ok((resolved, images))
}

/// A file, or else a lesson: whoever has a file called `paused` means that one.
fn load(word: &str) -> anyhow::Result<(String, Scenario)> {
    let path = Path::new(word);
    let on_board = if path.is_dir() || !path.exists() { Some(find_bundled(word)) } else { None };
    let (file, scenario) = match on_board {
        Some(Ok(bundled)) => (bundled.name.to_owned(), bundled.scenario),
        Some(Err(error)) if !path.exists() => return Err(error.into()),
        _ => (word.to_owned(), scenario::load(path)?),
    };
    check_supported(&scenario, &file)?;
    Ok((file, scenario))
}

/// Why a scenario with a bug in it has no business on a kernel.
#[cfg(all(target_os = "linux", feature = "linux"))]
const PLANTED: &str = "a planted bug (`break`) lives in the simulator alone";

/// What a shell shows of a program that SIGPIPE ended.
const SIGPIPE_STATUS: u8 = 141;

/// Words that are right one by one.
#[derive(Debug, thiserror::Error)]
enum Contradiction {
    #[error("cannot set the --speed of --engine linux: a kernel's time passes by itself (use --engine sim)")]
    SpeedOfKernel,
    #[error("cannot --predict with --format json: a program has nobody to ask (leave one of the two out)")]
    JsonAsks,
    #[error("cannot --play and tell it as well: leave out --format, --predict and --timeline")]
    PlaysAlone,
    #[error("cannot --play without a terminal: leave it out, or draw the life with --timeline")]
    NoScreen,
    #[error("cannot draw several lives in one --timeline: name one scenario")]
    ManyLives,
    #[error(transparent)]
    Canvas(#[from] UnknownCanvas),
}

#[derive(Debug, thiserror::Error)]
enum ReplayFailure {
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error("cannot replay on this kernel: {0}")]
    NoKernel(String),
    #[error("cannot write the timeline {file}: {error} (name a file in a directory of yours)")]
    Timeline { file: String, error: io::Error },
    #[error(transparent)]
    Canvas(#[from] UnknownCanvas),
}

impl ReplayFailure {
    /// As a shell shows a program that a signal ended: 128 + n.
    fn status(&self) -> u8 {
        match self {
            Self::Replay(ReplayError::Interrupted(by)) => u8::try_from(by.0.exit_code()).unwrap_or(BAD),
            Self::Replay(ReplayError::Audience(_)) if self.is_silent() => SIGPIPE_STATUS,
            Self::Canvas(_) => WRONG_WORDS,
            Self::Replay(ReplayError::Audience(_)) | Self::NoKernel(_) | Self::Timeline { .. } => BAD,
        }
    }

    /// Whoever read the replay has read enough (`terrarium replay … | head`): nothing to complain of.
    fn is_silent(&self) -> bool {
        matches!(self, Self::Replay(ReplayError::Audience(error)) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
