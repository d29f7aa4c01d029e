//! What can be written in a Dockerfile. Variables are not put in yet: their values are known when a step is done.

use std::time::Duration;

use super::lines::{Heredoc, Line};
use super::words::{flags, json, split};
use crate::model::Signal;

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the language's own")]
pub enum Instruction {
    From { image: String, name: Option<String>, platform: Option<String> },
    Run { program: Program, heredocs: Vec<Heredoc> },
    Copy(Copy),
    Add(Copy),
    Env(Vec<(String, String)>),
    Label(Vec<(String, String)>),
    Arg { name: String, default: Option<String> },
    Workdir(String),
    User(String),
    Expose(Vec<String>),
    Volume(Vec<String>),
    Entrypoint(Program),
    Cmd(Program),
    Shell(Vec<String>),
    StopSignal(String),
    Healthcheck(Health),
    OnBuild(String),
    Maintainer(String),
}

/// A program: words as they are, or a text for a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// `["program", "argument"]`
    Exec(Vec<String>),
    /// `program argument`
    Shell(String),
}

/// What COPY and ADD have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Another stage or image that the files come from.
    pub from: Option<String>,
    /// Whose they become.
    pub chown: Option<String>,
    /// Their mode, in octal.
    pub chmod: Option<String>,
    /// Files.
    pub sources: Vec<Source>,
    /// Where they go.
    pub target: String,
}

impl Program {
    /// A shell reads what was written `<<HERE` as it stands; if there is nothing else, it is the script.
    #[must_use]
    pub fn with(&self, heredocs: &[Heredoc]) -> Self {
        let (Self::Shell(line), Some(first)) = (self, heredocs.first()) else { return self.clone() };
        let bare = line.trim().trim_start_matches("<<").trim_start_matches('-').trim_matches(['"', '\'']);
        if heredocs.len() == 1 && bare == first.name {
            return Self::Shell(first.content.clone());
        }
        let bodies: String = heredocs.iter().flat_map(|doc| ["\n", &doc.content, &doc.name]).collect();
        Self::Shell(format!("{line}{bodies}\n"))
    }
}

impl Copy {
    /// How the history tells it.
    pub fn told(&self, word: &str, target: &str) -> String {
        let from = self.from.as_ref().map(|from| format!(" --from={from}")).unwrap_or_default();
        let shown = |source: &Source| match source {
            Source::Path(path) => path.clone(),
            Source::Inline(heredoc) => format!("<<{}", heredoc.name),
        };
        let sources: Vec<String> = self.sources.iter().map(shown).collect();
        format!("{word}{from} {} {target}", sources.join(" "))
    }
}

/// A file to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// By its path; it may be a pattern.
    Path(String),
    /// Written in the Dockerfile itself.
    Inline(Heredoc),
}

/// A health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// None, also not the base image's.
    None,
    /// This one.
    Check {
        /// What is run.
        program: Program,
        /// From one check to the next.
        interval: Duration,
        /// How long one may take.
        timeout: Duration,
        /// How long failures do not count.
        start_period: Duration,
        /// From one to the next in that time.
        start_interval: Duration,
        /// How many failures count.
        retries: u32,
    },
}

const WORDS: [&str; 18] = [
    "FROM",
    "RUN",
    "COPY",
    "ADD",
    "ENV",
    "LABEL",
    "ARG",
    "WORKDIR",
    "USER",
    "EXPOSE",
    "VOLUME",
    "ENTRYPOINT",
    "CMD",
    "SHELL",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ONBUILD",
    "MAINTAINER",
];

pub(super) fn read(line: &Line) -> Result<Instruction, String> {
    let (word, rest) = line.text.split_once(char::is_whitespace).unwrap_or((&line.text, ""));
    let rest = rest.trim();
    let word = word.to_uppercase();
    let word = WORDS.into_iter().find(|known| *known == word).ok_or_else(|| unknown(&word))?;
    if rest.is_empty() {
        return Err(wants(word).into());
    }
    let plain = || {
        let (flags, rest) = flags(rest);
        flags.is_empty().then_some(rest).ok_or_else(|| unknown_flag(word, &flags[0].0))
    };
    Ok(match word {
        "FROM" => from(rest)?,
        "RUN" => run(rest, &line.heredocs)?,
        "COPY" => Instruction::Copy(copy(word, rest, &line.heredocs)?),
        "ADD" => Instruction::Add(copy(word, rest, &line.heredocs)?),
        "ENV" => Instruction::Env(pairs(rest).ok_or(wants(word))?),
        "LABEL" => Instruction::Label(pairs(rest).ok_or(wants(word))?),
        "ARG" => {
            let words = split(rest);
            let [only] = words.as_slice() else { return Err(wants(word).into()) };
            let (name, default) =
                only.split_once('=').map_or((only.as_str(), None), |(name, value)| (name, Some(value)));
            Instruction::Arg { name: name.into(), default: default.map(Into::into) }
        }
        "WORKDIR" => Instruction::Workdir(plain()?.into()),
        "USER" => Instruction::User(plain()?.into()),
        "EXPOSE" => expose(rest)?,
        "VOLUME" => Instruction::Volume(json(rest).unwrap_or_else(|| split(rest))),
        "ENTRYPOINT" => Instruction::Entrypoint(program(plain()?)),
        "CMD" => Instruction::Cmd(program(plain()?)),
        "SHELL" => Instruction::Shell(json(rest).filter(|words| !words.is_empty()).ok_or(wants(word))?),
        "STOPSIGNAL" => {
            if !rest.contains('$') {
                rest.parse::<Signal>().map_err(|error| error.to_string())?;
            }
            Instruction::StopSignal(rest.into())
        }
        "HEALTHCHECK" => Instruction::Healthcheck(health(rest)?),
        "ONBUILD" => on_build(rest, line)?,
        _ => Instruction::Maintainer(rest.into()),
    })
}

fn wants(word: &str) -> &'static str {
    match word {
        "FROM" => "FROM wants an image, and a name after AS: FROM image [AS name]",
        "RUN" => "RUN wants a command",
        "COPY" => "COPY wants at least one source and a destination: COPY source... destination",
        "ADD" => "ADD wants at least one source and a destination: ADD source... destination",
        "ENV" => "ENV wants names and values: ENV NAME=value ...",
        "LABEL" => "LABEL wants keys and values: LABEL key=value ...",
        "ARG" => "ARG wants one name: ARG NAME[=default]",
        "SHELL" => "SHELL wants a list in JSON: SHELL [\"/bin/sh\", \"-c\"]",
        "HEALTHCHECK" => "HEALTHCHECK wants NONE or CMD and a command",
        "ONBUILD" => "ONBUILD wants an instruction",
        _ => "this instruction wants something after it",
    }
}

fn unknown(word: &str) -> String {
    let near = WORDS.into_iter().map(|known| (distance(known, word), known)).min();
    match near {
        Some((distance, known)) if distance <= 2 => {
            format!("unknown instruction: {word} (did you mean {known}?)")
        }
        _ => format!("unknown instruction: {word} (there are {})", WORDS.join(" ")),
    }
}

fn unknown_flag(word: &str, flag: &str) -> String {
    format!("{word}: unknown flag: --{flag} (leave it out)")
}

/// How many letters have to be changed; two that were swapped count as one.
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let last = &rows[i];
            let mut best = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

fn from(rest: &str) -> Result<Instruction, String> {
    let (flags, rest) = flags(rest);
    let mut platform = None;
    for (flag, value) in flags {
        match flag.as_str() {
            "platform" => platform = value,
            _ => return Err(unknown_flag("FROM", &flag)),
        }
    }
    match split(rest).as_slice() {
        [image] => Ok(Instruction::From { image: image.clone(), name: None, platform }),
        [image, as_word, name] if as_word.eq_ignore_ascii_case("as") => {
            Ok(Instruction::From { image: image.clone(), name: Some(name.to_lowercase()), platform })
        }
        _ => Err(wants("FROM").into()),
    }
}

fn run(rest: &str, heredocs: &[Heredoc]) -> Result<Instruction, String> {
    let (flags, rest) = flags(rest);
    if let Some((flag, _)) = flags.first() {
        return Err(match flag.as_str() {
            "mount" | "network" | "security" => {
                format!(
                    "RUN --{flag} cannot be done (leave it out; a step's network is chosen with build --network)"
                )
            }
            _ => unknown_flag("RUN", flag),
        });
    }
    Ok(Instruction::Run { program: program(rest), heredocs: heredocs.to_vec() })
}

fn copy(word: &str, rest: &str, heredocs: &[Heredoc]) -> Result<Copy, String> {
    let (flags, rest) = flags(rest);
    let mut copy = Copy { from: None, chown: None, chmod: None, sources: Vec::new(), target: String::new() };
    for (flag, value) in flags {
        match (flag.as_str(), value) {
            ("from", Some(value)) if word == "COPY" => copy.from = Some(value),
            ("chown", Some(value)) => copy.chown = Some(value),
            ("chmod", Some(value)) => copy.chmod = Some(value),
            // Nothing would be different: every layer of ours is made by itself.
            ("link", _) => {}
            (flag, _) => return Err(unknown_flag(word, flag)),
        }
    }
    let mut words = json(rest).unwrap_or_else(|| split(rest));
    copy.target = words.pop().ok_or(wants(word))?;
    if words.is_empty() {
        return Err(wants(word).into());
    }
    let mut heredocs = heredocs.iter();
    let source = |path: String| match path.strip_prefix("<<").and_then(|_| heredocs.next()) {
        Some(heredoc) => Source::Inline(heredoc.clone()),
        None => Source::Path(path),
    };
    copy.sources = words.into_iter().map(source).collect();
    Ok(copy)
}

fn program(text: &str) -> Program {
    json(text).map_or_else(|| Program::Shell(text.into()), Program::Exec)
}

/// `NAME=value ...`, or the old `NAME value`.
fn pairs(rest: &str) -> Option<Vec<(String, String)>> {
    let words = split(rest);
    if words.first()?.contains('=') {
        let pair =
            |word: &String| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        return words.iter().map(pair).collect();
    }
    let (name, value) = rest.split_once(char::is_whitespace)?;
    Some(vec![(name.into(), value.trim().into())])
}

fn expose(rest: &str) -> Result<Instruction, String> {
    let ports = split(rest);
    for port in ports.iter().filter(|port| !port.contains('$')) {
        exposed(port)?;
    }
    Ok(Instruction::Expose(ports))
}

/// `80`, `80/udp`, `8000-8010/tcp`: each port with its protocol.
pub(in crate::image) fn exposed(text: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`{text}` is no port (write 80, 53/udp or 8000-8010)");
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last): (u16, u16) = (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
    let protocol = protocol.to_lowercase();
    if first == 0 || first > last || !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(wrong());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

fn health(rest: &str) -> Result<Health, String> {
    let (flags, rest) = flags(rest);
    let (word, program_text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match word.to_uppercase().as_str() {
        "NONE" if program_text.is_empty() => return Ok(Health::None),
        "CMD" if !program_text.trim().is_empty() => {}
        _ => return Err(wants("HEALTHCHECK").into()),
    }
    let zero = Duration::ZERO;
    let (mut interval, mut timeout, mut start_period, mut start_interval, mut retries) =
        (zero, zero, zero, zero, 0);
    for (flag, value) in flags {
        let value = value.unwrap_or_default();
        let time = || {
            humantime::parse_duration(&value)
                .map_err(|_| format!("--{flag}={value} is no time (write 30s, 1m)"))
        };
        match flag.as_str() {
            "interval" => interval = time()?,
            "timeout" => timeout = time()?,
            "start-period" => start_period = time()?,
            "start-interval" => start_interval = time()?,
            "retries" => retries = value.parse().map_err(|_| format!("--retries={value} is no number"))?,
            _ => return Err(unknown_flag("HEALTHCHECK", &flag)),
        }
    }
    let program = program(program_text.trim());
    Ok(Health::Check { program, interval, timeout, start_period, start_interval, retries })
}

fn on_build(rest: &str, line: &Line) -> Result<Instruction, String> {
    let word = rest.split_whitespace().next().unwrap_or_default().to_uppercase();
    if matches!(word.as_str(), "FROM" | "ONBUILD" | "MAINTAINER") {
        return Err(format!("{word} isn't allowed as an ONBUILD trigger"));
    }
    read(&Line { number: line.number, text: rest.into(), heredocs: line.heredocs.clone() })?;
    Ok(Instruction::OnBuild(rest.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Instruction {
        read(&Line { number: 1, text: text.into(), heredocs: Vec::new() }).unwrap()
    }

    #[test]
    fn each_form_is_read() {
        let exec = |words: &[&str]| Program::Exec(words.iter().map(ToString::to_string).collect());
        assert_eq!(one(r#"cmd ["a", "b c"]"#), Instruction::Cmd(exec(&["a", "b c"])));
        assert_eq!(one("CMD ['a']"), Instruction::Cmd(Program::Shell("['a']".into())));
        assert_eq!(
            one("FROM --platform=linux/amd64 a:1 as B"),
            Instruction::From {
                image: "a:1".into(),
                name: Some("b".into()),
                platform: Some("linux/amd64".into())
            }
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(one("ENV A=1 B='2 3'"), Instruction::Env(vec![pair("A", "1"), pair("B", "'2 3'")]));
        assert_eq!(one("ENV A the rest"), Instruction::Env(vec![pair("A", "the rest")]));
        assert_eq!(exposed("8000-8002/UDP").unwrap(), ["8000/udp", "8001/udp", "8002/udp"]);
        let Instruction::Copy(copy) = one("COPY --from=0 --chown=1:2 --chmod=755 a b /c/") else { panic!() };
        assert_eq!((copy.from.as_deref(), copy.sources.len(), copy.target.as_str()), (Some("0"), 2, "/c/"));
        let Instruction::Healthcheck(Health::Check { interval, retries, .. }) =
            one("HEALTHCHECK --interval=5s --retries=2 CMD curl -f x || exit 1")
        else {
            panic!()
        };
        assert_eq!((interval, retries), (Duration::from_secs(5), 2));
    }
}
