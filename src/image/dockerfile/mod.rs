//! The Dockerfile language: a text becomes instructions, each with its place.
//!
//! `lines` joins what is continued and takes in what is written `<<HERE`, `words` cuts a line as a shell would, `instruction`
//! says what each may be, and `expand` puts variables in. `plan` finds the stages, `outline` knows what a stage's containers will be
//! like, and `ignore` which files of the build's directory are not seen.

mod expand;
mod ignore;
mod instruction;
mod lines;
mod outline;
mod plan;
mod words;

use std::fmt;

use thiserror::Error;

pub use expand::{expand, expand_text};
pub use ignore::{Ignore, fits};
pub use instruction::{Copy, Health, Instruction, Program, Source};
pub use lines::Heredoc;
pub use outline::Outline;
pub use plan::{Section, find_stage, needed, sections};

/// An instruction and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line that it begins on.
    pub line: usize,
    /// As it was written, in one line.
    pub text: String,
    /// What it says.
    pub instruction: Instruction,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct DockerfileError {
    file: String,
    line: usize,
    shown: String,
    message: String,
}

impl fmt::Display for DockerfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, shown, message } = self;
        let clean: String = shown.chars().map(|c| if c.is_control() { ' ' } else { c }).take(100).collect();
        write!(f, "{file}:{line}: {message}\n  {line} | {clean}")
    }
}

impl DockerfileError {
    /// For a step that went wrong when it was done.
    pub fn at(file: &str, step: &Step, message: impl fmt::Display) -> Self {
        Self { file: file.into(), line: step.line, shown: step.text.clone(), message: message.to_string() }
    }
}

/// Reads a file: its instructions in order.
pub fn parse(file: &str, text: &str) -> Result<Vec<Step>, DockerfileError> {
    let wrong = |line: usize, message: String| DockerfileError {
        file: file.into(),
        line,
        shown: text.lines().nth(line.saturating_sub(1)).unwrap_or_default().into(),
        message,
    };
    let lines = lines::join(text).map_err(|(line, message)| wrong(line, message))?;
    let mut steps = Vec::new();
    let mut begun = false;
    for logical in lines {
        let instruction = instruction::read(&logical).map_err(|message| wrong(logical.number, message))?;
        match instruction {
            Instruction::From { .. } => begun = true,
            Instruction::Arg { .. } => {}
            _ if !begun => {
                let message = "no build stage in current context: the first instruction has to be FROM (or ARG before it)";
                return Err(wrong(logical.number, message.into()));
            }
            _ => {}
        }
        steps.push(Step { line: logical.number, text: logical.text, instruction });
    }
    if !begun {
        return Err(wrong(1, "there is no FROM in it (begin with FROM scratch, or with an image)".into()));
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse("Dockerfile", text).unwrap_err().to_string()
    }

    #[test]
    fn an_error_shows_the_file_the_line_and_the_line_itself() {
        assert_eq!(
            error("FROM scratch\n\n# no such thing\nFORM x\n"),
            "Dockerfile:4: unknown instruction: FORM (did you mean FROM?)\n  4 | FORM x"
        );
        for (text, expected) in [
            ("", "there is no FROM"),
            ("RUN true", "the first instruction has to be FROM"),
            ("FROM", "FROM wants an image"),
            ("FROM a AS", "FROM wants an image"),
            ("FROM scratch\nCOPY a", "COPY wants at least"),
            ("FROM scratch\nCOPY --form=x a b", "unknown flag: --form"),
            ("FROM scratch\nRUN --mount=type=cache,target=/x true", "--mount"),
            ("FROM scratch\nENV A", "ENV wants"),
            ("FROM scratch\nEXPOSE x", "port"),
            ("FROM scratch\nHEALTHCHECK --interval=x CMD true", "interval"),
            ("FROM scratch\nSHELL sh", "SHELL wants"),
            ("FROM scratch\nONBUILD FROM x", "ONBUILD"),
            ("FROM scratch\nCOPY <<E /x\nnever ends", "<<E"),
            ("FROM scratch\nSTOPSIGNAL SIGNONE", "SIGNONE"),
        ] {
            assert!(error(text).contains(expected), "{text}: {}", error(text));
        }
    }
}
