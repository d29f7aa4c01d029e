//! `terrarium top`: the processes of a container.

use std::collections::BTreeSet;
use std::process::Command;

use clap::Args;

use super::super::container::estate;
use super::super::{Globals, written};
use super::trouble::{Trouble, status_of};
use crate::keeper::control::Answer;
use crate::keeper::{Asked, ask};
use crate::model::{Look, Verb};
use crate::report::docker::table::{NARROWEST_OF_PROCESSES, lay_out};
use crate::runtime::companions;

/// List the processes of a container
#[derive(Args)]
#[command(after_help = "\
Examples:
  terrarium top web
  terrarium top web -o pid,stat,comm              as for ps; one column has to be the pid")]
pub(in crate::cli) struct Top {
    /// By name, id, or the beginning of an id
    container: String,

    /// Options for ps, which lists them [default: -ef]
    #[arg(value_name = "PS OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

impl Top {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        match self.text(globals) {
            Ok(text) => written("the processes", &text),
            Err(trouble) => status_of(Err(trouble)),
        }
    }

    fn text(&self, globals: &Globals) -> Result<String, Trouble> {
        let estate = estate(globals)?;
        let id = estate.find(&self.container)?;
        let pid = match ask(&estate, &id, &Verb::Look(Look::Top)).and_then(Asked::answer)? {
            Answer::Done(Some(pid)) => pid,
            Answer::Refused(why) => return Err(Trouble::world(why)),
            _ => {
                return Err(Trouble::world(format_args!(
                    "{} has just ended (terrarium ps -a)",
                    self.container
                )));
            }
        };
        let own: BTreeSet<i32> = companions(pid).into_iter().collect();
        let options: Vec<&str> = if self.options.is_empty() {
            vec!["-ef"]
        } else {
            self.options.iter().map(String::as_str).collect()
        };
        let listed = Command::new("ps").args(&options).output().map_err(|error| {
            Trouble::world(format_args!("cannot list processes with ps: {error} (install procps)"))
        })?;
        if !listed.status.success() {
            let said = String::from_utf8_lossy(&listed.stderr);
            let said = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
            return Err(Trouble::words(format_args!("ps does not take these options: {said} (see: man ps)")));
        }
        only_of(&String::from_utf8_lossy(&listed.stdout), &own)
    }
}

/// The heading, and the lines of these processes.
fn only_of(listed: &str, own: &BTreeSet<i32>) -> Result<String, Trouble> {
    let mut lines = listed.lines();
    let titles: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let Some(pid) = titles.iter().position(|title| *title == "PID") else {
        return Err(Trouble::words(
            "cannot tell whose the processes are: there is no column PID (add it: -o pid,…)",
        ));
    };
    let mut rows = vec![titles.join("\t")];
    for line in lines {
        let cells = cells(line, titles.len());
        if cells.get(pid).and_then(|cell| cell.parse().ok()).is_some_and(|pid: i32| own.contains(&pid)) {
            rows.push(cells.join("\t"));
        }
    }
    Ok(lay_out(&rows, NARROWEST_OF_PROCESSES))
}

/// The last column may contain spaces.
fn cells(line: &str, columns: usize) -> Vec<String> {
    let mut cells: Vec<String> = Vec::new();
    let mut rest = line.trim_start();
    while cells.len() + 1 < columns {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        cells.push(rest[..end].into());
        rest = rest[end..].trim_start();
    }
    cells.push(rest.trim_end().into());
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_processes_are_listed_as_docker_lists_them() {
        let listed = "UID          PID    PPID  C STIME TTY          TIME CMD\n\
                      root           1       0  0 Nov24 ?        00:00:01 init of all\n\
                      root       28541   28521  0 23:56 ?        00:00:00 sleep 1000\n";
        let shown = only_of(listed, &[28_541].into()).map_err(|trouble| trouble.said).unwrap();
        let docker = "\
UID                 PID                 PPID                C                   STIME               TTY                 TIME                CMD
root                28541               28521               0                   23:56               ?                   00:00:00            sleep 1000
";
        assert_eq!(shown, docker);
        assert!(only_of("A B\n", &BTreeSet::new()).is_err());
    }
}
