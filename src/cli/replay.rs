//! `terrarium replay`: scenarios, step by step.

use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::engine::{CompareWord, EngineFailure, EngineWord, Engines};
use super::keyboard::keyboard;
use super::language::Language;
use super::play::{self, OnStage};
use super::{BAD, GOOD, Globals, WRONG_WORDS, complain};
use crate::engine::trace::{Audience, Closing};
use crate::report::{Canvas, Echo, Json, Paced, Predict, Recorded, Speed, Text, UnknownCanvas, Why};
use crate::scenario::replay::{Play, Reference, ReplayError};
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
  terrarium replay paused --engine docker     does Docker do what is foretold?

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

    /// Replay there as well, and report every divergence (linux and docker are always held against sim)
    #[arg(long, value_name = "ENGINE", help_heading = LIVED)]
    compare: Option<CompareWord>,

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
        let engines = Engines::default();
        let mut status = GOOD;
        for (file, scenario) in &scenarios {
            match self.replay(file, scenario, (globals, &engines), (&mut answers, echo)) {
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
        match self.engine {
            EngineWord::Linux if self.speed.is_some() => return Err(Contradiction::SpeedOfKernel("linux")),
            EngineWord::Docker if self.speed.is_some() => return Err(Contradiction::SpeedOfKernel("docker")),
            _ => {}
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
        (globals, engines): (&Globals, &Engines),
        (answers, echo): (&mut dyn BufRead, Echo),
    ) -> Result<Closing, ReplayFailure> {
        let lang = self.language.code();
        let play = Play { scenario, file, lang: &lang };
        if self.play {
            return self.played(play, (globals, engines));
        }
        let out = io::BufWriter::new(io::stdout().lock());
        let why = if self.why { Why::Told } else { Why::Untold };
        match self.format {
            Format::Text if self.predict => {
                let text = Text::new(out, globals.paint, why);
                self.drawn(play, (globals, engines), &mut Predict::new(text, answers, echo))
            }
            Format::Text => self.drawn(play, (globals, engines), &mut Text::new(out, globals.paint, why)),
            Format::Json => self.drawn(play, (globals, engines), &mut Json::new(out)),
        }
    }

    fn drawn(
        &self,
        play: Play<'_>,
        place: (&Globals, &Engines),
        audience: &mut dyn Audience,
    ) -> Result<Closing, ReplayFailure> {
        let Some(file) = &self.timeline else { return self.at_speed(play, place, audience) };
        let mut recorded = Recorded::new(audience);
        let closing = self.at_speed(play, place, &mut recorded)?;
        let picture = recorded.drawn(Canvas::of(file)?, play.lang);
        fs::write(file, picture)
            .map_err(|error| ReplayFailure::Timeline { file: file.display().to_string(), error })?;
        Ok(closing)
    }

    /// Whoever leaves before the end has seen enough.
    fn played(&self, play: Play<'_>, place: (&Globals, &Engines)) -> Result<Closing, ReplayFailure> {
        let engine = if self.engine == EngineWord::Auto { EngineWord::Linux } else { self.engine };
        if engine == EngineWord::Sim || self.speed.is_some() {
            return Ok(play::in_the_simulator(play).map_err(EngineFailure::from)?);
        }
        let ended = place.1.play(engine, play, place.0, &mut OnStage::new()).map_err(ReplayFailure::from);
        match ended {
            Err(ReplayFailure::Engine(EngineFailure::NoKernel(obstacle)))
                if self.engine == EngineWord::Auto =>
            {
                eprintln!("terrarium: replaying in the simulator: {obstacle}");
                Ok(play::in_the_simulator(play).map_err(EngineFailure::from)?)
            }
            Err(failure) if failure.is_silent() => Ok(Closing::default()),
            ended => ended,
        }
    }

    fn at_speed(
        &self,
        play: Play<'_>,
        place: (&Globals, &Engines),
        audience: &mut dyn Audience,
    ) -> Result<Closing, ReplayFailure> {
        match self.speed {
            Some(speed) => self.on_engine(play, place, &mut Paced::new(audience, speed)),
            None => self.on_engine(play, place, audience),
        }
    }

    fn on_engine(
        &self,
        play: Play<'_>,
        (globals, engines): (&Globals, &Engines),
        audience: &mut dyn Audience,
    ) -> Result<Closing, ReplayFailure> {
        let mut engine = self.engine;
        if self.speed.is_some() && engine == EngineWord::Auto {
            eprintln!("terrarium: replaying in the simulator: a kernel's time has one --speed");
            engine = EngineWord::Sim;
        }
        let Some(other) = self.compare else { return Ok(engines.play(engine, play, globals, audience)?) };
        eprintln!("terrarium: replaying {} on {} first, to compare", play.file, other.word());
        let mut reference = Reference::new(other.word());
        engines.play(other.into(), play, globals, &mut reference)?;
        let mut beside = reference.beside(audience);
        let closing = engines.play(engine, play, globals, &mut beside)?;
        Ok(Closing { diverged: closing.diverged + beside.diverged(), ..closing })
    }
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
    Ok((file, scenario))
}

/// What a shell shows of a program that SIGPIPE ended.
const SIGPIPE_STATUS: u8 = 141;

/// Words that are right one by one.
#[derive(Debug, thiserror::Error)]
enum Contradiction {
    #[error("cannot set the --speed of --engine {0}: a kernel's time passes by itself (use --engine sim)")]
    SpeedOfKernel(&'static str),
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
    Engine(#[from] EngineFailure),
    #[error("cannot write the timeline {file}: {error} (name a file in a directory of yours)")]
    Timeline { file: String, error: io::Error },
    #[error(transparent)]
    Canvas(#[from] UnknownCanvas),
}

impl ReplayFailure {
    /// As a shell shows a program that a signal ended: 128 + n.
    fn status(&self) -> u8 {
        match self {
            Self::Engine(EngineFailure::Replay(ReplayError::Interrupted(by))) => {
                u8::try_from(by.0.exit_code()).unwrap_or(BAD)
            }
            Self::Engine(_) if self.is_silent() => SIGPIPE_STATUS,
            Self::Canvas(_) => WRONG_WORDS,
            Self::Engine(_) | Self::Timeline { .. } => BAD,
        }
    }

    /// Whoever read the replay has read enough (`terrarium replay … | head`): nothing to complain of.
    fn is_silent(&self) -> bool {
        matches!(self, Self::Engine(EngineFailure::Replay(ReplayError::Audience(error)))
            if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
