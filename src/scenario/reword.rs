//! What serde says about a wrong value, in words for people who write scenarios.

use serde_path_to_error::Segment;

use super::{
    error::{Fault, Span},
    expect::EXPECT_WORDS,
    format::Place,
    places::{Content, Node},
    words::{advice, found, shown},
};

/// The sentence and the place for an error of the deserializer.
pub(super) fn fault(error: &serde_path_to_error::Error<serde_yaml::Error>, tree: &Node<'_>) -> Fault {
    let trail = Trail::follow(error.path(), tree);
    if let Some((wrong, key)) = trail.stranger(tree) {
        let words: Vec<&str> = EXPECT_WORDS.into_iter().chain(declared(tree)).collect();
        return Fault::new(key, format!("unknown key `{}`{}", shown(wrong), advice(wrong, &words)));
    }
    let message = bare_message(error);
    let (sentence, aim) = sentence(&message, &trail);
    let span = match (aim, error.inner().location()) {
        // The two parsers disagree about what is YAML.
        (Aim::Nowhere, Some(at)) => Span { place: Place { line: at.line(), column: at.column() }, length: 1 },
        (aim, _) => trail.span(aim),
    };
    Fault::new(span, sentence)
}

/// The containers that a file declares: by name, or by giving a name to one.
pub(super) fn declared<'t>(tree: &'t Node<'_>) -> impl Iterator<Item = &'t str> {
    let names =
        tree.get("containers").map_or(&[][..], Node::entries).iter().map(|(key, _)| key.text.as_ref());
    let renamed = tree.get("steps").map_or(&[][..], Node::items).iter().filter_map(|step| {
        let action = step.get("async").unwrap_or(step);
        match &action.get("rename")?.get("to")?.content {
            Content::Scalar(text) => Some(text.as_ref()),
            Content::List(_) | Content::Mapping(_) => None,
        }
    });
    names.chain(renamed)
}

/// How serde came to the value that it did not like.
struct Trail<'t, 'a> {
    keys: Vec<&'t str>,
    /// Where the last key stands, if the last step was one.
    key: Option<Span>,
    node: &'t Node<'a>,
}

/// Which part of an entry a sentence is about.
enum Aim {
    Key,
    Value,
    Nowhere,
}

impl<'t, 'a> Trail<'t, 'a> {
    fn follow(path: &serde_path_to_error::Path, tree: &'t Node<'a>) -> Self {
        let mut trail = Self { keys: Vec::new(), key: None, node: tree };
        for segment in path {
            match segment {
                Segment::Seq { index } => {
                    let Some(item) = trail.node.items().get(*index) else { break };
                    (trail.key, trail.node) = (None, item);
                }
                Segment::Map { key } => {
                    let Some((key, value)) = trail.node.entry(key) else { break };
                    (trail.key, trail.node) = (Some(key.span), value);
                    trail.keys.push(&key.text);
                }
                Segment::Enum { .. } | Segment::Unknown => break,
            }
        }
        trail
    }

    /// A key of `expect` that is neither a word of the format nor a container, so that its value cannot be judged.
    fn stranger(&self, tree: &Node<'_>) -> Option<(&'t str, Span)> {
        match self.keys.as_slice() {
            [.., "expect", key] if !EXPECT_WORDS.contains(key) && declared(tree).all(|name| name != *key) => {
                Some((key, self.key?))
            }
            _ => None,
        }
    }

    fn span(&self, aim: Aim) -> Span {
        match (aim, self.key, &self.node.content) {
            (Aim::Key, Some(key), _) => key,
            (_, Some(key), Content::Scalar(text)) if text.is_empty() => key,
            (_, _, Content::Mapping(entries)) => entries.first().map_or(self.node.span, |(key, _)| key.span),
            _ => self.node.span,
        }
    }
}

/// The message without the path and the place that `serde_yaml` puts around it: we show both in another way.
fn bare_message(error: &serde_path_to_error::Error<serde_yaml::Error>) -> String {
    let mut message = error.inner().to_string();
    if let Some(at) = error.inner().location() {
        let place = format!(" at line {} column {}", at.line(), at.column());
        message.truncate(message.strip_suffix(&place).unwrap_or(&message).len());
    }
    let path = error.path().to_string();
    let ends = path.char_indices().filter(|(_, c)| matches!(c, '.' | '[')).map(|(at, _)| at);
    for end in std::iter::once(path.len()).chain(ends.collect::<Vec<_>>().into_iter().rev()) {
        if let Some(rest) = message.strip_prefix(&path[..end]).and_then(|rest| rest.strip_prefix(": ")) {
            return rest.to_owned();
        }
    }
    message
}

fn sentence(message: &str, trail: &Trail<'_, '_>) -> (String, Aim) {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let wrong = trail.keys.last().copied().unwrap_or_default();
        let (_, valid) = rest.split_once("`, expected ").unwrap_or((rest, ""));
        let words: Vec<&str> = valid.split('`').skip(1).step_by(2).collect();
        return (format!("unknown key `{}`{}", shown(wrong), advice(wrong, &words)), Aim::Key);
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return (format!("{field} is missing here"), Aim::Key);
    }
    for prefix in ["invalid type: ", "invalid value: ", "invalid length "] {
        let parts = message.strip_prefix(prefix).and_then(|rest| rest.rsplit_once(", expected "));
        if let Some((found, expected)) = parts {
            return (format!("expected {}, found {}", in_yaml(expected), found_in_yaml(found)), Aim::Value);
        }
    }
    if trail.keys.is_empty() {
        return (message.to_owned(), Aim::Nowhere);
    }
    let names_the_key = trail.keys.last().is_some_and(|key| message.contains(&format!("`{}`", shown(key))));
    (message.to_owned(), if names_the_key { Aim::Key } else { Aim::Value })
}

/// A type of Rust's, as one says it of YAML.
fn in_yaml(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" => "a whole number",
        "a string" => "a text",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "a mapping",
        _ if expected.starts_with("struct ") => "a mapping",
        other => other,
    }
}

fn found_in_yaml(value: &str) -> String {
    match value {
        "unit value" | "Option value" => "nothing".into(),
        "map" => "a mapping".into(),
        "sequence" => "a list".into(),
        "0" => "none".into(),
        _ => {
            let value = value.split_once([' ', '"']).map_or(value, |(_, value)| value);
            found(value.trim_matches(['`', '"']))
        }
    }
}
