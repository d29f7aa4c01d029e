//! What a shell completes: verbs, flags, and the names of the containers that there are.

use std::process::Command;

use crate::stage::{Stage, is_forbidden};

/// Asks a bash what it would complete, as it does when somebody presses the tabulator key behind the words.
const SCRIPT: &str = r#"
    source <(terrarium completions bash) || exit
    registered=$(complete -p terrarium)
    completer=$(sed -E 's/.*-F ([^ ]+).*/\1/' <<<"$registered")
    COMP_WORDS=(terrarium "$@") COMP_CWORD=$# COMP_LINE="terrarium $*" COMP_TYPE=9
    COMP_POINT=${#COMP_LINE}
    "$completer" terrarium "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\n' "${COMPREPLY[@]}"
"#;

fn completed(words: &[&str]) -> Option<Vec<String>> {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_terrarium")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let output =
        Command::new("bash").args(["-c", SCRIPT, "bash"]).args(words).env("PATH", path).output().ok()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(told.lines().map(|line| line.trim_end().to_owned()).collect())
}

#[test]
fn bash_completes_verbs_flags_and_names() {
    let stage = Stage::new();
    let root = stage.root();
    let root = root.to_str().unwrap();
    let Some(verbs) = completed(&["sto"]) else {
        println!("skipped: completions, there is no bash here");
        return;
    };
    assert_eq!(verbs, ["stop"]);
    assert_eq!(completed(&["stop", "--sig"]).unwrap(), ["--signal"]);
    if is_forbidden("the completion of names") {
        return;
    }
    for name in ["shop", "shed", "web"] {
        stage.good(&["create", "--name", name, "lab"]);
    }
    let mut names = completed(&["--root", root, "stop", "sh"]).unwrap();
    names.sort();
    assert_eq!(names, ["shed", "shop"]);
    assert_eq!(completed(&["--root", root, "exec", "-i", "w"]).unwrap(), ["web"]);
    stage.good(&["commit", "web", "page:1"]);
    for verb in [&["run", "-d"][..], &["rmi"], &["image", "inspect"], &["inspect"]] {
        let words = [&["--root", root], verb, &["pa"]].concat();
        assert_eq!(completed(&words).unwrap(), ["page:1"], "{verb:?}");
    }
    assert_eq!(completed(&["--root", root, "create", "la"]).unwrap(), ["lab"]);
    stage.good(&["rm", "-f", "shop", "shed", "web"]);
}
