//! Lines of a Dockerfile: comments are dropped, continued lines are joined, and a heredoc belongs to the line that opens it.

/// A logical line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The line of the file on which it begins.
    pub(super) number: usize,
    /// All of it, joined.
    pub(super) text: String,
    /// What was written `<<NAME`, in order.
    pub(super) heredocs: Vec<Heredoc>,
}

/// Text that is written in the file itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// What ends it.
    pub name: String,
    /// Its lines.
    pub content: String,
    /// Whether variables in it are put in; not if its name was quoted.
    pub expands: bool,
}

type Wrong = (usize, String);

pub(super) fn join(text: &str) -> Result<Vec<Line>, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let escape = escape_of(text)?;
    let mut lines = (1..).zip(text.lines()).peekable();
    let mut joined = Vec::new();
    while let Some((number, first)) = lines.next() {
        if is_empty_or_comment(first) {
            continue;
        }
        let mut whole = String::new();
        let mut part = first;
        loop {
            let trimmed = part.trim_end();
            let Some(before) = trimmed.strip_suffix(escape) else {
                whole.push_str(trimmed);
                break;
            };
            whole.push_str(before);
            // Comments may stand between, and so may empty lines.
            while lines.next_if(|(_, line)| is_empty_or_comment(line)).is_some() {}
            match lines.next() {
                Some((_, next)) => part = next,
                None => break,
            }
        }
        let whole = whole.trim_start().to_owned();
        let mut heredocs = Vec::new();
        for opened in opened_in(&whole) {
            let mut content = String::new();
            loop {
                let Some((_, line)) = lines.next() else {
                    return Err((
                        number,
                        format!(
                            "the text that <<{} begins has no end (write {0} on a line of its own)",
                            opened.name
                        ),
                    ));
                };
                let line = if opened.tabs { line.trim_start_matches('\t') } else { line };
                if line == opened.name {
                    break;
                }
                content.push_str(line);
                content.push('\n');
            }
            heredocs.push(Heredoc { name: opened.name, content, expands: opened.expands });
        }
        joined.push(Line { number, text: whole, heredocs });
    }
    Ok(joined)
}

fn is_empty_or_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// `# escape=` at the very top says what continues a line.
fn escape_of(text: &str) -> Result<char, Wrong> {
    for (number, line) in (1..).zip(text.lines()) {
        let Some(directive) = line.trim().strip_prefix('#') else { break };
        let Some((key, value)) = directive.split_once('=') else { break };
        match (key.trim().to_lowercase().as_str(), value.trim()) {
            ("escape", "`") => return Ok('`'),
            ("escape", "\\") => return Ok('\\'),
            ("escape", _) => return Err((number, "invalid escape: it can be \\ or `".into())),
            ("syntax" | "check", _) => {}
            _ => break,
        }
    }
    Ok('\\')
}

struct Opened {
    name: String,
    tabs: bool,
    expands: bool,
}

/// The `<<NAME`, `<<-NAME` and `<<"NAME"` of an instruction that can have them.
fn opened_in(line: &str) -> Vec<Opened> {
    let word = line.split_whitespace().next().unwrap_or_default().to_uppercase();
    let inner = if word == "ONBUILD" {
        line.split_whitespace().nth(1).unwrap_or_default().to_uppercase()
    } else {
        word
    };
    if !matches!(inner.as_str(), "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    let mut opened = Vec::new();
    let mut quote = None;
    let mut before = ' ';
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        match quote {
            Some(open) if letter == open => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None if rest.starts_with("<<") && !rest.starts_with("<<<") && before != '<' => {
                let tabs = rest[2..].starts_with('-');
                let behind = &rest[2 + usize::from(tabs)..];
                let quoted = behind.starts_with(['"', '\'']);
                let name = behind.trim_start_matches(['"', '\'']);
                let length =
                    name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
                let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                if starts {
                    opened.push(Opened { name: name[..length].into(), tabs, expands: !quoted });
                    rest =
                        if quoted { name[length..].trim_start_matches(['"', '\'']) } else { &name[length..] };
                    continue;
                }
            }
            _ => {}
        }
        before = letter;
        rest = &rest[letter.len_utf8()..];
    }
    opened
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        join(text).unwrap().into_iter().map(|line| format!("{}: {}", line.number, line.text)).collect()
    }

    #[test]
    fn continued_lines_are_one_and_comments_are_none() {
        assert_eq!(
            texts("# top\nFROM a\n\nRUN one \\\n  # between\n\n  two\\\n three\n  ENV A=1  \n"),
            ["2: FROM a", "4: RUN one   two three", "9: ENV A=1"]
        );
        assert_eq!(texts("# escape=`\nRUN a `\n b\\\n"), ["2: RUN a  b\\"]);
    }

    #[test]
    fn a_heredoc_belongs_to_its_line() {
        let lines = join("RUN <<-'ONE' cat <<TWO\n\ta $x\n\tONE\nb\nTWO\nENV A=<<X\n").unwrap();
        assert_eq!(lines.len(), 2);
        let found: Vec<_> = lines[0].heredocs.iter().map(|doc| (doc.content.as_str(), doc.expands)).collect();
        assert_eq!(found, [("a $x\n", false), ("b\n", true)]);
        assert!(join("RUN echo '<<NO' 1 <<< x").unwrap()[0].heredocs.is_empty());
    }
}
