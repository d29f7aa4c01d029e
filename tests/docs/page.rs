//! A page in Markdown: its generated parts, its blocks of code, its headings and its links.

use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use super::root;

const BEGIN: &str = "<!-- shows: ";
const BEGUN: &str = " -->\n";
const END: &str = "<!-- shown -->";
const BOOK: &str = "book/src";

pub(crate) struct Page {
    /// From the top of the package, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Something generated.
pub(crate) struct Part<'a> {
    pub(crate) line: usize,
    pub(crate) source: &'a str,
    pub(crate) shown: &'a str,
    /// Where `shown` is in the page.
    pub(crate) range: Range<usize>,
}

/// Which half of a line.
#[derive(Clone, Copy)]
enum Backticks {
    Inside,
    Outside,
}

/// Something between fences.
pub(crate) struct Block {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Page {
    /// The pages at the top, and those of the book.
    pub(crate) fn all() -> Vec<Self> {
        let mut paths = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(str::to_owned).to_vec();
        let book = fs::read_dir(root().join(BOOK)).unwrap();
        let names = book.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        paths.extend(names.filter(|name| is(name, "md")).map(|name| format!("{BOOK}/{name}")));
        let page = |path: String| Self { text: fs::read_to_string(root().join(&path)).unwrap(), path };
        paths.into_iter().map(page).collect()
    }

    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        for (at, _) in self.text.match_indices(BEGIN) {
            let line = 1 + self.text[..at].matches('\n').count();
            let place = format!("{}:{line}", self.path);
            let (source, rest) = self.text[at + BEGIN.len()..].split_once(BEGUN).expect(&place);
            let (shown, _) = rest.split_once(END).unwrap_or_else(|| panic!("{place}: no `{END}` follows"));
            let begin = self.text.len() - self.text[at..].len() + BEGIN.len() + source.len() + BEGUN.len();
            parts.push(Part { line, source, shown, range: begin..begin + shown.len() });
        }
        parts
    }

    pub(crate) fn blocks(&self, language: &str) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            let Some(found) = line.strip_prefix("```") else { continue };
            let inside = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != "```");
            let text = inside.collect::<Vec<_>>().join("\n") + "\n";
            if found == language {
                blocks.push(Block { line: number, text });
            }
        }
        blocks
    }

    /// Where a link stands, and where it leads.
    pub(crate) fn links(&self) -> Vec<(usize, String)> {
        let prose = self.prose(Backticks::Outside);
        let links = prose.iter().flat_map(|(number, line)| {
            line.split("](").skip(1).map(|rest| (*number, rest.split(')').next().unwrap_or("").to_owned()))
        });
        links.collect()
    }

    /// The files of this package that are named, like `model/rule.rs`, and where.
    pub(crate) fn files(&self) -> Vec<(usize, String)> {
        let prose = self.prose(Backticks::Inside);
        let words =
            prose.iter().flat_map(|(number, line)| line.split_whitespace().map(|word| (*number, word)));
        let named = words.filter(|(_, word)| word.contains('/') && (is(word, "rs") || is(word, "yaml")));
        named.map(|(number, word)| (number, word.to_owned())).collect()
    }

    /// A built book has no other files than its own, so its links stay in it.
    pub(crate) fn reaches(&self, link: &str, pages: &[Self]) -> bool {
        if link.starts_with("https://") {
            return true;
        }
        let (file, heading) =
            link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
        let here = Path::new(&self.path);
        let target = if file.is_empty() { here.into() } else { plain(&here.with_file_name(file)) };
        let inside = !self.path.starts_with(BOOK) || target.starts_with(BOOK);
        let page = pages.iter().find(|page| Path::new(&page.path) == target);
        let found =
            heading.is_none_or(|heading| page.is_some_and(|page| page.anchors().any(|a| a == heading)));
        inside && found && root().join(&target).exists()
    }

    fn anchors(&self) -> impl Iterator<Item = String> {
        let headings = self.prose(Backticks::Outside).into_iter().filter(|(_, line)| line.starts_with('#'));
        headings.map(|(_, line)| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
    }

    /// The numbered lines outside of fences, as far as they stand in backticks or not; headings are whole.
    fn prose(&self, wanted: Backticks) -> Vec<(usize, String)> {
        let mut fenced = false;
        let mut prose = Vec::new();
        for (number, line) in (1..).zip(self.text.lines()) {
            let pieces = || line.split('`');
            if line.starts_with("```") {
                fenced = !fenced;
            } else if !fenced {
                let words: Vec<_> = match wanted {
                    Backticks::Outside if line.starts_with('#') => vec![line],
                    Backticks::Outside => pieces().step_by(2).collect(),
                    Backticks::Inside => pieces().skip(1).step_by(2).collect(),
                };
                prose.push((number, words.join(" ")));
            }
        }
        prose
    }
}

fn is(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// Without `..`, by words alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(component);
        }
    }
    plain
}
