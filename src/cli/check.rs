//! `terrarium check`: the rules of every life, held against all lives that there can be and against many at random.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{BAD, GOOD, Globals, WRONG_WORDS, complain, written};
use crate::check::counterexample;
use crate::check::lives::{self, Venue};
use crate::check::rules::{self, Rule, Tally, Violation};
use crate::check::stories;
use crate::engine::planted::Break;
use crate::report::{self, Finding, Text, Why};
use crate::scenario::Scenario;
use crate::scenario::replay::{Play, simulate};

/// Check the rules that every life keeps
///
/// First on the model: all lives of one container, and of several up to a
/// depth. Then at random on an engine: whole lives, each compared with what was
/// predicted. With FILE: all orders in which its commands can be asked for.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  terrarium check                             all rules, all lives
  terrarium check --break no-sigkill          plant a bug, and see it caught
  terrarium check --break list                the bugs that can be planted
  terrarium check --rule list                 the rules
  terrarium check mine.yaml                   its own rules, in every order
  terrarium check --engine linux --cases 100  random lives on this kernel

Exit status: 0 if every rule holds, 1 if one is broken, 2 if the file or the
words are wrong."
)]
pub(super) struct Check {
    /// Scenario files, with rules of their own (`always`, `never`, `eventually`)
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Only this rule (`list`: all of them, with what they say)
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,

    /// Plant a known bug and watch a rule catch it (`list`: all of them)
    #[arg(long = "break", value_name = "NAME")]
    planted: Option<String>,

    /// Write the shortest failing life as a scenario
    #[arg(long, value_name = "FILE.yaml")]
    counterexample: Option<PathBuf>,

    /// Explore so many containers side by side
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4), help_heading = HOW_FAR)]
    containers: u8,

    /// Explore several containers so many moves deep
    #[arg(long, default_value_t = 8, value_name = "N", help_heading = HOW_FAR)]
    depth: usize,

    /// Live so many lives at random [default: 10000, and 20 on a real engine]
    #[arg(long, value_name = "N", help_heading = HOW_FAR)]
    cases: Option<u64>,

    /// Other lives at random
    #[arg(long, default_value_t = 1, value_name = "S", help_heading = HOW_FAR)]
    seed: u64,

    /// Where lives at random are lived
    #[arg(long, default_value = "sim", value_name = "ENGINE", help_heading = HOW_FAR)]
    engine: EngineWord,
}

const HOW_FAR: &str = "How far";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineWord {
    /// In the simulator, under the eyes of all rules
    Sim,
    /// On this kernel, in lockstep with the simulator
    Linux,
}

/// What is asked for, understood.
#[derive(Clone, Copy)]
struct Wanted {
    bug: Option<Break>,
    only: Option<&'static Rule>,
}

impl Check {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        if self.rule.as_deref() == Some("list") {
            let rows: Vec<_> = rules::rules().map(|rule| (rule.name, rule.sentence)).collect();
            return written("the rules", &report::listing(&rows, globals.paint));
        }
        if self.planted.as_deref() == Some("list") {
            let rows: Vec<_> = Break::ALL.iter().map(|bug| (bug.name(), bug.sentence())).collect();
            return written("the bugs", &report::listing(&rows, globals.paint));
        }
        let wanted = match self.understand() {
            Ok(wanted) => wanted,
            Err(error) => {
                complain(&error);
                return WRONG_WORDS;
            }
        };
        match self.check(wanted, globals) {
            Ok(status) => status,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => GOOD,
            Err(error) => {
                complain(&error);
                BAD
            }
        }
    }

    fn understand(&self) -> anyhow::Result<Wanted> {
        let only = match &self.rule {
            None => None,
            Some(name) => Some(rules::find(name).ok_or_else(|| {
                anyhow::anyhow!("there is no rule `{name}` (see all: terrarium check --rule list)")
            })?),
        };
        let bug = self.planted.as_deref().map(str::parse).transpose()?;
        Ok(Wanted { bug, only })
    }

    fn check(&self, wanted: Wanted, globals: &Globals) -> io::Result<u8> {
        if wanted.bug.is_some() {
            return self.check_broken(wanted, globals);
        }
        self.at_random(wanted, globals)
    }

    /// With a bug planted: the shortest story in which it shows.
    fn check_broken(&self, wanted: Wanted, globals: &Globals) -> io::Result<u8> {
        let Some(story) = stories::shortest(wanted.bug, wanted.only) else {
            let text = "no story breaks a rule, with this bug in it";
            print(&report::holds(text, globals.paint))?;
            return Ok(GOOD);
        };
        let found = "by living all stories in the simulator, the shortest first";
        self.tell(&story.scenario, &story.violation, found, globals)?;
        Ok(BAD)
    }

    /// Lives at random in the simulator, each held against the rules.
    fn at_random(&self, wanted: Wanted, globals: &Globals) -> io::Result<u8> {
        let cases = self.cases.unwrap_or(10_000);
        let mut tally = Tally::default();
        for number in 0..cases {
            let lived = lives::lived(self.seed, number, Venue::Simulator, wanted.bug, wanted.only);
            tally.add(&lived.tally);
            if let Some(violation) = lived.broken.first() {
                let breaks_it = |life: &Scenario| lives::breaks(life, wanted.bug, violation.rule).is_some();
                let shortest = lives::shrunk(&lived.scenario, breaks_it);
                let violation =
                    lives::breaks(&shortest, wanted.bug, violation.rule).unwrap_or_else(|| violation.clone());
                let found = format!("in life {number} of seed {}, and made shorter", self.seed);
                self.tell(&shortest, &violation, &found, globals)?;
                return Ok(BAD);
            }
        }
        print(&report::holds(
            &format!("{cases} lives at random in the simulator break no rule"),
            globals.paint,
        ))?;
        Ok(GOOD)
    }

    /// Tells of a broken rule, with the life in which it is broken, and writes that down if it is to be kept.
    fn tell(
        &self,
        scenario: &Scenario,
        violation: &Violation,
        found: &str,
        globals: &Globals,
    ) -> io::Result<()> {
        let rule = violation.rule;
        let page = report::finding(
            Finding {
                planted: scenario.planted.map(|bug| (bug.name(), bug.sentence())),
                rule: rule.name,
                sentence: rule.sentence,
                why: rule.why,
                source: rule.source,
                seen: &violation.seen,
                found,
            },
            globals.paint,
        );
        print(&page)?;
        let told = counterexample::written(scenario, violation);
        let out = io::BufWriter::new(io::stdout().lock());
        let play = Play { scenario: &told, file: "counterexample", lang: "en" };
        simulate(play, &mut Text::new(out, globals.paint, Why::Untold)).map_err(io::Error::other)?;
        match &self.counterexample {
            Some(path) => {
                write(path, &told)?;
                print(&format!("\n  written: {0}\n  again:   terrarium replay {0}\n", path.display()))
            }
            None => print("\n  to keep it: --counterexample FILE.yaml\n"),
        }
    }
}

fn write(path: &Path, scenario: &Scenario) -> io::Result<()> {
    std::fs::write(path, scenario.to_yaml()).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot write {}: {error} (name a file in a directory of yours)", path.display()),
        )
    })
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
