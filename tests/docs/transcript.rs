//! A replay as text: cut to what a page has room for, and compared with another telling of the same story.

/// Stands where something was left out.
const GAP: &str = "   ⋮";

/// The parts of a replay that are named: `opening`, numbers of steps, `closing`.
pub(crate) fn cut(text: &str, selection: &str) -> String {
    let wanted: Vec<&str> = selection.split_whitespace().collect();
    let mut kept: Vec<String> = Vec::new();
    let mut found = 0;
    for (name, part) in parts(text) {
        if wanted.contains(&name.as_str()) {
            kept.push(part);
            found += 1;
        } else if kept.last().is_some_and(|last| last != GAP) {
            kept.push(GAP.into());
        }
    }
    assert_eq!(found, wanted.len(), "`{selection}` is not all there in\n{text}");
    if kept.last().is_some_and(|last| last == GAP) {
        kept.pop();
    }
    kept.join("\n\n")
}

/// Whether two tell the same, though one may come from a kernel: there the line on the engine differs, memory is what it
/// is, a host has its own number of mounts, things take some milliseconds more, and the verdict speaks of the prediction.
pub(crate) fn tell_the_same(one: &str, other: &str) -> bool {
    story(one) == story(other)
}

fn parts(text: &str) -> Vec<(String, String)> {
    let mut parts = vec![("opening".to_owned(), String::new())];
    for line in text.lines() {
        let number = line.get(..4).map(str::trim).filter(|number| number.parse::<u32>().is_ok());
        if let Some(number) = number.filter(|_| line[4..].starts_with("  ")) {
            parts.push((number.to_owned(), String::new()));
        } else if line.starts_with("  ✓") || line.starts_with("  ✗") {
            parts.push(("closing".to_owned(), String::new()));
        }
        if let Some((_, part)) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    for (_, part) in &mut parts {
        *part = part.trim_matches('\n').to_owned();
    }
    parts
}

fn story(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut on_the_engine = false;
    for line in text.lines() {
        on_the_engine = (on_the_engine && !line.is_empty())
            || line.starts_with("  On this kernel,")
            || line.starts_with("  In the simulator:");
        if on_the_engine {
            continue;
        }
        if line.trim_start().starts_with(['✓', '✗']) {
            let verdict = line.replace(['✓', '✗'], "");
            let clauses =
                verdict.split(", ").map(str::trim).filter(|clause| !clause.ends_with("as predicted"));
            words.extend(clauses.flat_map(str::split_whitespace).map(whole));
        } else {
            words.extend(line.split_whitespace().map(whole));
        }
    }
    for unit in 1..words.len() {
        if matches!(words[unit].as_str(), "KiB" | "MiB" | "namespaces" | "mounts") {
            words[unit - 1] = "#".into();
            words[unit] = words[unit].replace("KiB", "#iB").replace("MiB", "#iB");
        }
    }
    words
}

/// `10` of `10.03`: a kernel comes a little late, and never early.
fn whole(word: &str) -> String {
    match word.split_once('.') {
        Some((whole, part)) if whole.parse::<u64>().is_ok() && part.parse::<u64>().is_ok() => whole.into(),
        _ => word.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMULATED: &str = "
  In the simulator: no process, no kernel.

   1  run web
      gained    1 process     256 KiB memory   6 namespaces  17 mounts

   2  stop web
      events    kill SIGTERM · 10.00 s later: kill SIGKILL · die 137 · stop
      ✓ as expected

  ✓ 2 steps in 10.00 s, 1 expectation met, nothing left behind
";
    const LIVED: &str = "
  On this kernel, frozen by SIGSTOP to every process (no cgroup can be made
  here); predicted by the simulator.

   1  run web
      gained    1 process     1.2 MiB memory   7 namespaces  23 mounts
      ✓ as predicted

   2  stop web
      events    kill SIGTERM · 10.03 s later: kill SIGKILL · die 137 · stop
      ✓ as predicted, as expected

  ✓ 2 steps in 10.05 s, 2 as predicted, 1 expectation met, nothing left behind
";

    #[test]
    fn a_kernel_and_the_simulator_tell_the_same_story() {
        assert_eq!(story(LIVED), story(SIMULATED));
        assert!(tell_the_same(LIVED, SIMULATED));
    }

    #[test]
    fn another_code_time_or_event_is_another_story() {
        for (from, to) in
            [("die 137", "die 0"), ("10.03", "9.99"), (" · stop", ""), ("1 process ", "2 processes")]
        {
            assert!(
                LIVED.contains(from) && !tell_the_same(&LIVED.replace(from, to), SIMULATED),
                "{from} → {to}"
            );
        }
    }

    #[test]
    fn a_cut_says_what_it_left_out() {
        let text =
            "\n  Title\n\n   1  run web\n      x\n\n   2  stop web\n\n  10  remove web\n\n  ✓ 10 steps\n";
        assert_eq!(cut(text, "1 closing"), "   1  run web\n      x\n\n   ⋮\n\n  ✓ 10 steps");
        assert_eq!(cut(text, "2 10"), "   2  stop web\n\n  10  remove web");
    }
}
