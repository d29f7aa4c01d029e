//! `terrarium check`: the rules of every life, held against all lives that there can be and against many at random.

mod real;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use self::real::Place;
use super::{BAD, GOOD, Globals, WRONG_WORDS, complain, written};
use crate::check::counterexample;
use crate::check::lives::{self, Venue};
use crate::check::orders::orders;
use crate::check::rules::{self, Rule, Tally, Violation};
use crate::check::space::{self, Reach};
use crate::check::stories;
use crate::engine::planted::Break;
use crate::model::Freezer;
use crate::report::{self, Finding, Text, Why};
use crate::scenario::Scenario;
use crate::scenario::replay::{Play, simulate};

/// Check the rules that every life keeps
///
/// First on the model: all lives of one container; of one that is asked two
/// things at once and of several, up to a depth. Then at random on an engine:
/// whole lives, each compared with what was predicted. With FILE: all orders in
/// which its commands can be asked for.
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
  terrarium check --engine docker             or on Docker, to be predicted
  terrarium check --explore                   all lives, in a browser

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

    /// Explore so many moves deep
    #[arg(long, default_value_t = DEPTH, value_name = "N", help_heading = HOW_FAR)]
    depth: usize,

    /// Live so many lives at random [default: 10000, and 20 on a real engine]
    #[arg(long, value_name = "N", help_heading = HOW_FAR)]
    cases: Option<u64>,

    /// Other lives at random
    #[arg(long, default_value_t = 1, value_name = "S", help_heading = HOW_FAR)]
    seed: u64,

    /// Show all lives of one container in a browser, to be walked by hand (only on this host; default: 127.0.0.1:3000)
    #[cfg(feature = "explore")]
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:3000", conflicts_with_all = ["files", "planted"])]
    explore: Option<std::net::SocketAddr>,

    /// Where lives at random are lived
    #[arg(long, default_value = "sim", value_name = "ENGINE", help_heading = HOW_FAR)]
    engine: EngineWord,
}

/// Where lives are kept that once went wrong, in a place where terrarium itself is worked on.
const REGRESSIONS: &str = "scenarios/regressions";
const HOW_FAR: &str = "How far";
const DEPTH: usize = 8;
const CASES: u64 = 10_000;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineWord {
    /// In the simulator, under the eyes of all rules
    Sim,
    /// On this kernel, in lockstep with the simulator
    Linux,
    /// On a Docker Engine, which the simulator has to predict
    Docker,
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
        #[cfg(feature = "explore")]
        if let Some(address) = self.explore {
            return explore_in_browser(address, wanted);
        }
        if !self.files.is_empty() {
            return self.check_files(wanted, globals);
        }
        if wanted.bug.is_some() {
            return self.check_broken(wanted, globals);
        }
        match self.engine {
            EngineWord::Linux => return self.in_lockstep(Place::Kernel, globals),
            EngineWord::Docker => return self.in_lockstep(Place::Docker, globals),
            EngineWord::Sim => {}
        }
        let mut tally = Tally::default();
        let mut status = self.explore(wanted, globals, &mut tally)?;
        if status == GOOD {
            status = self.at_random(wanted, globals, &mut tally)?;
        }
        if status == GOOD && self.looked_far() { self.judge_all(wanted, globals, &tally) } else { Ok(status) }
    }

    const fn looks_deep(&self) -> bool {
        self.depth >= DEPTH
    }

    /// Whoever looks at a few lives cannot say what never is.
    fn looked_far(&self) -> bool {
        self.looks_deep() && self.cases.is_none_or(|cases| cases >= CASES)
    }

    /// What has to occur somewhere among all lives: a model that does nothing is not a safe one.
    #[expect(clippy::unused_self, reason = "what is judged is what this check has seen")]
    fn judge_all(&self, wanted: Wanted, globals: &Globals, tally: &Tally) -> io::Result<u8> {
        let missed = rules::judge_all(tally, wanted.only);
        for violation in &missed {
            let found = "among all lives of one container and those at random";
            print(&page_of(violation, None, found, globals))?;
        }
        if missed.is_empty() {
            let text = "somewhere among them is every state, every arrow of the model, every event";
            print(&report::holds(text, globals.paint))?;
        }
        Ok(if missed.is_empty() { GOOD } else { BAD })
    }

    /// Every order of the commands of each file.
    fn check_files(&self, wanted: Wanted, globals: &Globals) -> io::Result<u8> {
        let mut scenarios = Vec::new();
        for path in &self.files {
            match crate::scenario::load(path) {
                Ok(mut scenario) => {
                    scenario.planted = wanted.bug.or(scenario.planted);
                    scenarios.push((path, scenario));
                }
                Err(error) => {
                    complain(&error);
                    return Ok(WRONG_WORDS);
                }
            }
        }
        let mut status = GOOD;
        for (path, scenario) in scenarios {
            let found = orders(&scenario, wanted.only);
            let file = path.display();
            let Some((broken, seen)) = found.broken else {
                let orders = match (found.all, found.tried) {
                    (true, 1) => "the only order".to_owned(),
                    (true, all) => format!("all {all} orders"),
                    (false, first) => format!("the first {first} orders"),
                };
                let text = format!("{file}: every rule holds in {orders} of its commands");
                print(&report::holds(&text, globals.paint))?;
                continue;
            };
            status = BAD;
            print(&report::fails(&format!("{file}: {seen}"), globals.paint))?;
            print("    in this order of its commands:\n")?;
            replayed(&broken, globals)?;
            self.keep(&broken)?;
        }
        Ok(status)
    }

    /// All lives of one container whose requests come one by one; those in which two come at once, and several containers, up
    /// to a depth.
    fn explore(&self, wanted: Wanted, globals: &Globals, tally: &mut Tally) -> io::Result<u8> {
        let one_by_one = if self.looks_deep() {
            Reach::ONE_BY_ONE
        } else {
            Reach { depth: self.depth, ..Reach::ONE_BY_ONE }
        };
        for reach in [one_by_one, Reach::two_at_once(self.depth)] {
            let (mut states, mut edges, mut complete) = (0, 0, true);
            for (kind, spec) in space::kinds() {
                progress(&format!("one container, {kind}"));
                let found = space::one(&spec, Freezer::CgroupV1, reach, wanted.only);
                tally.add(&found.tally);
                (states, edges) = (states + found.states, edges + found.edges);
                complete &= found.complete;
                if let Some((violation, path)) = found.broken {
                    return self.tell_path(&violation, &path, wanted, globals);
                }
            }
            progress("");
            let asked =
                if reach.requests == 1 { "asked one thing at a time" } else { "asked two things at once" };
            let far =
                if complete { "all its lives".to_owned() } else { format!("{} moves deep", reach.depth) };
            let text = format!(
                "one container, {asked}, {far}: {states} states, {edges} moves, and no rule is broken"
            );
            print(&report::holds(&text, globals.paint))?;
        }
        let (count, depth) = (usize::from(self.containers), self.depth);
        if let Some((_, spec)) = space::kinds().pop() {
            let found = space::several(&spec, Freezer::CgroupV1, count, depth, |far, states| {
                progress(&format!("{count} containers, {far} moves deep: {states} states"));
            });
            progress("");
            let text = format!("{count} containers, {depth} moves deep: {} states", found.states);
            print(&report::holds(&text, globals.paint))?;
        }
        Ok(GOOD)
    }

    /// A rule that the model breaks: as a story, if one can be staged; else as the moves that lead there.
    fn tell_path(
        &self,
        violation: &Violation,
        path: &[String],
        wanted: Wanted,
        globals: &Globals,
    ) -> io::Result<u8> {
        progress("");
        if let Some(story) = stories::shortest(wanted.bug, Some(violation.rule)) {
            let found = "among all lives of one container; then as the shortest story";
            self.keep(&told(&story.scenario, &story.violation, found, globals)?)?;
            return Ok(BAD);
        }
        print(&report::fails(&violation.to_string(), globals.paint))?;
        print("    no scenario can stage this; these moves lead there:\n")?;
        for step in path {
            print(&format!("      {step}\n"))?;
        }
        Ok(BAD)
    }

    /// With a bug planted: the shortest story in which it shows.
    fn check_broken(&self, wanted: Wanted, globals: &Globals) -> io::Result<u8> {
        let Some(story) = stories::shortest(wanted.bug, wanted.only) else {
            let text = "no story breaks a rule, with this bug in it";
            print(&report::holds(text, globals.paint))?;
            return Ok(GOOD);
        };
        let found = "by living all stories in the simulator, the shortest first";
        self.keep(&told(&story.scenario, &story.violation, found, globals)?)?;
        Ok(BAD)
    }

    /// Lives at random in the simulator, each held against the rules.
    fn at_random(&self, wanted: Wanted, globals: &Globals, tally: &mut Tally) -> io::Result<u8> {
        let cases = self.cases.unwrap_or(CASES);
        for number in 0..cases {
            let lived = lives::lived(self.seed, number, Venue::Simulator, wanted.bug, wanted.only);
            tally.add(&lived.tally);
            if let Some(violation) = lived.broken.first() {
                let breaks_it = |life: &Scenario| lives::breaks(life, wanted.bug, violation.rule).is_some();
                let shortest = lives::shrunk(&lived.scenario, breaks_it);
                let violation =
                    lives::breaks(&shortest, wanted.bug, violation.rule).unwrap_or_else(|| violation.clone());
                let found = format!("in life {number} of seed {}, and made shorter", self.seed);
                self.keep_life(number, &told(&shortest, &violation, &found, globals)?)?;
                return Ok(BAD);
            }
        }
        print(&report::holds(
            &format!("{cases} lives at random in the simulator break no rule"),
            globals.paint,
        ))?;
        Ok(GOOD)
    }

    /// Writes a life down if it is to be kept.
    fn keep(&self, scenario: &Scenario) -> io::Result<()> {
        match &self.counterexample {
            Some(path) => kept(path, scenario),
            None => print("\n  to keep this life: --counterexample FILE.yaml\n"),
        }
    }

    /// A life at random that went wrong is kept where such are kept, if this is a place that has one.
    fn keep_life(&self, number: u64, scenario: &Scenario) -> io::Result<()> {
        let place = Path::new(REGRESSIONS);
        if self.counterexample.is_some() || !place.is_dir() {
            return self.keep(scenario);
        }
        kept(&place.join(format!("life-{number}-of-seed-{}.yaml", self.seed)), scenario)
    }
}

/// A rule that is broken: what it says, why it matters, what was seen.
fn page_of(violation: &Violation, planted: Option<Break>, found: &str, globals: &Globals) -> String {
    let rule = violation.rule;
    let finding = Finding {
        planted: planted.map(|bug| (bug.name(), bug.sentence())),
        rule: rule.name,
        sentence: rule.sentence,
        why: rule.why,
        source: rule.source,
        seen: &violation.seen,
        found,
    };
    report::finding(finding, globals.paint)
}

#[cfg(feature = "explore")]
fn explore_in_browser(address: std::net::SocketAddr, wanted: Wanted) -> io::Result<u8> {
    let served = space::explorer::serve(address, wanted.only, |kind| {
        print(&format!("  all lives of a container with `{kind}`: http://{address} (Ctrl-C ends it)\n"))
    });
    let told = |error: io::Error| {
        let next = "choose another address: --explore=127.0.0.1:PORT";
        io::Error::new(error.kind(), format!("cannot show all lives at {address}: {error} ({next})"))
    };
    served.map(|()| GOOD).map_err(told)
}

/// Tells of a broken rule, with the life in which it is broken; that life, with what would have been right.
fn told(scenario: &Scenario, violation: &Violation, found: &str, globals: &Globals) -> io::Result<Scenario> {
    print(&page_of(violation, scenario.planted, found, globals))?;
    let told = counterexample::written(scenario, violation);
    replayed(&told, globals)?;
    Ok(told)
}

fn replayed(scenario: &Scenario, globals: &Globals) -> io::Result<()> {
    let out = io::BufWriter::new(io::stdout().lock());
    let play = Play { scenario, file: "counterexample", lang: "en" };
    simulate(play, &mut Text::new(out, globals.paint, Why::Untold)).map_err(io::Error::other)?;
    Ok(())
}

fn kept(path: &Path, scenario: &Scenario) -> io::Result<()> {
    write(path, scenario)?;
    print(&format!("\n  written   {0}\n  again     terrarium replay {0}\n", path.display()))
}

fn write(path: &Path, scenario: &Scenario) -> io::Result<()> {
    std::fs::write(path, scenario.to_yaml()).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot write {}: {error} (name a file in a directory of yours)", path.display()),
        )
    })
}

/// What is under way, on a terminal alone.
fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[2K{text}");
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
