//! The commands of the lab image and what each does: one table, read by the simulator and by the program itself.

use std::{ffi::OsStr, path::Path, time::Duration};

use crate::model::{Behavior, ContainerSpec, Exit, LAB_IMAGE};

/// What stands in `/bin` of the lab image. `lab` acts out the declared behaviour, or runs the command after it.
pub const COMMANDS: [&str; 6] = ["lab", "true", "false", "sleep", "exit", "echo"];

/// Asks the lab program how healthy the container is, by the phases of its behaviour.
pub const HEALTH: [&str; 2] = ["lab", "health"];

/// Images that begin with the lab image say so by this label.
pub const LABEL: &str = "terrarium.lab";

/// The exit code of a command that was used wrongly.
pub(super) const MISUSED: u8 = 2;
/// The exit code of a shell that does not find a command.
pub(super) const NOT_FOUND: u8 = 127;

/// Whether a process that was started under this name is the lab program.
pub fn is_lab(argv0: &OsStr) -> bool {
    let name = Path::new(argv0).file_name().and_then(OsStr::to_str);
    name.is_some_and(|name| COMMANDS.contains(&name))
}

/// Whether the process of such a container is the lab program, which acts out the declared behaviour: in the lab image always,
/// in one that begins with it if it runs one of its commands.
pub fn acts_out(spec: &ContainerSpec) -> bool {
    let first = [&spec.entrypoint, &spec.command].into_iter().flatten().flatten().next();
    spec.image == LAB_IMAGE
        || (spec.labels.contains_key(LABEL) && first.is_some_and(|program| is_lab(OsStr::new(program))))
}

/// What this command line does in the lab image, where `declared` is the container's own behaviour.
///
/// `None` when the image has no such command: the engine then fails with 127.
pub fn conduct(argv: &[String], declared: &Behavior) -> Option<Behavior> {
    let (program, words) = argv.split_first()?;
    Some(match (program.strip_prefix("/bin/").unwrap_or(program), words) {
        ("lab", []) => declared.clone(),
        ("lab", words) => conduct(words, declared)
            .unwrap_or_else(|| says_and_exits(format!("lab: there is no command `{}`", words[0]), NOT_FOUND)),
        ("true", _) => exits(Duration::ZERO, 0),
        ("false", _) => exits(Duration::ZERO, 1),
        ("sleep", words) => sleep(words),
        ("exit", words) => exit(words),
        ("echo", words) => says_and_exits(words.join(" "), 0),
        _ => return None,
    })
}

/// A health check's command, without the word that says in which form it is given.
pub fn without_form(test: &[String]) -> &[String] {
    match test {
        [form, command @ ..] if form == "CMD" || form == "CMD-SHELL" => command,
        _ => test,
    }
}

fn sleep(words: &[String]) -> Behavior {
    let times: Option<Vec<f64>> = words.iter().map(|word| seconds(word)).collect();
    match times {
        Some(times) if !times.is_empty() => match Duration::try_from_secs_f64(times.iter().sum()) {
            Ok(time) => exits(time, 0),
            Err(_) => Behavior::default(), // longer than any clock counts: for ever
        },
        _ => misused("sleep takes times like 5, 1.5, 250ms, 2m or inf"),
    }
}

fn exit(words: &[String]) -> Behavior {
    match words {
        [] => exits(Duration::ZERO, 0),
        [word] if word.parse::<u8>().is_ok() => exits(Duration::ZERO, word.parse().unwrap_or_default()),
        _ => misused("exit takes one code from 0 to 255"),
    }
}

/// A time as sleep(1) has it, and in milliseconds too.
fn seconds(word: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)];
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((word.strip_suffix(suffix)?, *unit)))
        .unwrap_or((word, 1.0));
    number.parse().ok().map(|count: f64| count * unit).filter(|time| *time >= 0.0)
}

fn exits(after: Duration, code: u8) -> Behavior {
    Behavior { exits: Some(Exit { after, code }), ..Behavior::default() }
}

fn says_and_exits(text: String, code: u8) -> Behavior {
    Behavior { output: Some(text), ..exits(Duration::ZERO, code) }
}

fn misused(how_to: &str) -> Behavior {
    says_and_exits(format!("lab: {how_to}"), MISUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Behavior> {
        let declared = Behavior { cpu: 7, ..Behavior::default() };
        let argv: Vec<String> = line.split_whitespace().map(String::from).collect();
        conduct(&argv, &declared)
    }

    #[test]
    fn true_false_and_exit_end_at_once() {
        for (line, code) in [("true", 0), ("/bin/false x", 1), ("exit", 0), ("exit 3", 3), ("exit 255", 255)]
        {
            assert_eq!(of(line), Some(exits(Duration::ZERO, code)), "{line}");
        }
    }

    #[test]
    fn sleep_understands_what_coreutils_does_and_milliseconds() {
        let times =
            [("5", 5000), ("1.5", 1500), ("10s", 10_000), ("250ms", 250), ("2m", 120_000), ("1 0.1", 1100)];
        for (words, millis) in times {
            let time = Duration::from_millis(millis);
            assert_eq!(of(&format!("sleep {words}")), Some(exits(time, 0)), "{words}");
        }
        for words in ["inf", "infinity", "1e300"] {
            assert_eq!(of(&format!("sleep {words}")), Some(Behavior::default()), "{words}");
        }
    }

    #[test]
    fn a_misused_command_says_how_it_is_meant() {
        for line in
            ["sleep", "sleep x", "sleep -1", "sleep nan", "sleep 1x", "exit 256", "exit x", "exit 1 2"]
        {
            let behavior = of(line).unwrap();
            assert_eq!(behavior.exits.unwrap().code, MISUSED, "{line}");
            assert!(behavior.output.unwrap().contains(line.split(' ').next().unwrap()), "{line}");
        }
    }

    #[test]
    fn lab_is_the_declared_behaviour_or_the_command_after_it() {
        assert_eq!(of("lab").unwrap().cpu, 7);
        assert_eq!(of("/bin/lab exit 4"), of("exit 4"));
        assert_eq!(of("lab nosuch").unwrap().exits.unwrap().code, NOT_FOUND);
    }

    #[test]
    fn what_the_image_does_not_have_is_not_found() {
        for line in ["", "sh", "/usr/bin/true", "/bin/", "labs", "TRUE"] {
            assert_eq!(of(line), None, "{line}");
        }
    }

    #[test]
    fn every_command_of_the_table_is_known_by_its_name_and_path() {
        for command in COMMANDS {
            assert!(of(command).is_some() && is_lab(OsStr::new(command)), "{command}");
            assert!(is_lab(Path::new("/somewhere/bin").join(command).as_os_str()), "{command}");
        }
        assert!(!is_lab(OsStr::new("terrarium")) && !is_lab(OsStr::new("/")));
    }
}
