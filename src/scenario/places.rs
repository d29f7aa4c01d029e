//! Where everything stands in a file: a tree of lines and columns beside what serde reads.
//!
//! It is built first, event by event, and stops at what no scenario needs: depth, aliases, tags, a key twice.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map},
};

use saphyr_parser::{Event, Marker, Parser, ScanError, StrInput};
use thiserror::Error;

use super::{
    error::{Fault, Span},
    format::Place,
    words::shown,
};

/// A scenario needs about eight levels.
const DEEPEST: usize = 64;

/// A value and where it stands.
pub(super) struct Node<'a> {
    pub(super) span: Span,
    pub(super) content: Content<'a>,
}

/// What a value is made of.
pub(super) enum Content<'a> {
    Scalar(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Mapping(Vec<(Key<'a>, Node<'a>)>),
}

/// A key of a mapping and where it stands.
pub(super) struct Key<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) span: Span,
}

#[derive(Debug, Error)]
enum PlaceError {
    #[error("nested deeper than {DEEPEST} levels: a scenario needs about eight")]
    TooDeep,
    #[error(
        "anchors (`&`) and aliases (`*`) are not part of the format: write the value out, or quote the text"
    )]
    Alias,
    #[error("tags (`!`) are not part of the format: leave it out, or quote the text")]
    Tag,
    #[error("the key `{key}` stands here twice, first in line {line}: rename or remove one of them")]
    Duplicate { key: String, line: usize },
    #[error("a key must be one word, not a list or a mapping")]
    ComplexKey,
    #[error("a second document begins here: put each scenario into a file of its own")]
    SecondDocument,
    #[error("a tab cannot indent in YAML: use spaces")]
    Tab,
    #[error("a text that contains `: ` or begins with a special character needs quotes")]
    Unquoted,
    #[error("a value, a `,` or a closing bracket is missing here or above")]
    Bracket,
    #[error("a quoted text is not closed, or ends where more follows")]
    Quote,
    #[error("this line is indented otherwise than the lines that it belongs to")]
    Indentation,
    #[error("this does not belong to what stands above it: look at the quotes, colons and indentation")]
    Stray,
    #[error("a text cannot begin with this character: put it in quotes")]
    Character,
    #[error("the control character U+{0:04X} cannot stand in a scenario: remove it")]
    Control(u32),
    #[error("this is not YAML: {0}")]
    Syntax(String),
}

impl<'a> Node<'a> {
    /// The places of a text, or nothing if nothing is written in it.
    pub(super) fn read(text: &'a str) -> Result<Option<Self>, Fault> {
        if let Some((place, character)) = control_character(text) {
            let span = Span { place, length: 1 };
            return Err(Fault::new(span, PlaceError::Control(character.into())));
        }
        let mut reader = Reader { parser: Parser::new_from_str(text), text };
        let mut root = None;
        while let Some((event, span)) = reader.next()? {
            match event {
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(Fault::new(span, PlaceError::SecondDocument));
                }
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {}
                event => root = Some(reader.node(event, span, 0)?),
            }
        }
        // Of a file with comments alone some parsers make an empty value.
        Ok(root.filter(|node| !matches!(&node.content, Content::Scalar(text) if text.is_empty())))
    }

    /// The entry of a mapping.
    pub(super) fn entry(&self, key: &str) -> Option<(&Key<'a>, &Self)> {
        self.entries().iter().find(|(known, _)| known.text == key).map(|(key, node)| (key, node))
    }

    /// The value of an entry of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The entries of a mapping, in their order; none if it is none.
    pub(super) fn entries(&self) -> &[(Key<'a>, Self)] {
        match &self.content {
            Content::Mapping(entries) => entries,
            Content::Scalar(_) | Content::List(_) => &[],
        }
    }

    /// The items of a list, in their order; none if it is none.
    pub(super) fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            Content::Scalar(_) | Content::Mapping(_) => &[],
        }
    }

    /// Where a word stands in this value, if it does.
    pub(super) fn find(&self, word: &str) -> Option<Span> {
        match &self.content {
            Content::Scalar(text) => (text == word).then_some(self.span),
            Content::List(items) => items.iter().find_map(|item| item.find(word)),
            Content::Mapping(entries) => entries.iter().find_map(|(_, node)| node.find(word)),
        }
    }
}

/// Turns the parser's events into nodes.
struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Fault> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, at))) => {
                // A value of several lines is shown by its first.
                let length = if at.start.line() == at.end.line() {
                    at.end.col().saturating_sub(at.start.col())
                } else {
                    usize::MAX
                };
                Ok(Some((event, span(at.start, length.max(1)))))
            }
            Some(Err(error)) => Err(self.syntax(&error)),
        }
    }

    /// The event that has to follow inside a list or mapping.
    fn inner(&mut self, outer: Span) -> Result<(Event<'a>, Span), Fault> {
        self.next()?.ok_or_else(|| Fault::new(outer, PlaceError::Syntax("it ends in the middle".into())))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node<'a>, Fault> {
        if depth > DEEPEST {
            return Err(Fault::new(span, PlaceError::TooDeep));
        }
        let content = match event {
            Event::Alias(_) => return Err(Fault::new(span, PlaceError::Alias)),
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag)
                if anchor != 0 || tag.is_some() =>
            {
                return Err(Fault::new(
                    span,
                    if tag.is_some() { PlaceError::Tag } else { PlaceError::Alias },
                ));
            }
            Event::Scalar(text, ..) => Content::Scalar(text),
            Event::SequenceStart(..) => Content::List(self.list(span, depth)?),
            Event::MappingStart(..) => Content::Mapping(self.mapping(span, depth)?),
            _ => return Err(Fault::new(span, PlaceError::Syntax("a value is missing".into()))),
        };
        Ok(Node { span, content })
    }

    fn list(&mut self, outer: Span, depth: usize) -> Result<Vec<Node<'a>>, Fault> {
        let mut items = Vec::new();
        loop {
            match self.inner(outer)? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, outer: Span, depth: usize) -> Result<Vec<(Key<'a>, Node<'a>)>, Fault> {
        let mut entries = Vec::new();
        let mut lines = BTreeMap::new();
        loop {
            let (event, span) = self.inner(outer)?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            let Content::Scalar(text) = self.node(event, span, depth + 1)?.content else {
                return Err(Fault::new(span, PlaceError::ComplexKey));
            };
            match lines.entry(text.clone()) {
                btree_map::Entry::Vacant(vacant) => vacant.insert(span.place.line),
                btree_map::Entry::Occupied(first) => {
                    let duplicate = PlaceError::Duplicate { key: shown(&text), line: *first.get() };
                    return Err(Fault::new(span, duplicate));
                }
            };
            let (event, at) = self.inner(outer)?;
            entries.push((Key { text, span }, self.node(event, at, depth + 1)?));
        }
    }

    /// A parser's error in words for people who do not know its parts.
    fn syntax(&self, error: &ScanError) -> Fault {
        let span = span(*error.marker(), 1);
        let line = self.text.lines().nth(span.place.line.saturating_sub(1)).unwrap_or("");
        let indentation = &line[..line.len() - line.trim_start().len()];
        let error = match error.info() {
            _ if indentation.contains('\t') => PlaceError::Tab,
            info if info.contains("tab") => PlaceError::Tab,
            // The parser looks ahead, and has a limit of its own.
            info if info.contains("recursion limit") => PlaceError::TooDeep,
            "mapping values are not allowed in this context" => PlaceError::Unquoted,
            info if ["flow", "bracket", "node content"].iter().any(|word| info.contains(word)) => {
                PlaceError::Bracket
            }
            info if info.contains("quote") => PlaceError::Quote,
            info if info.contains("indent") || info.contains("did not find expected key") => {
                PlaceError::Indentation
            }
            info if info.contains("<document start>") => PlaceError::Stray,
            info if info.contains("unexpected character") => PlaceError::Character,
            info => PlaceError::Syntax(info.to_owned()),
        };
        Fault::new(span, error)
    }
}

/// The first character that YAML does not allow; editors do not show them.
fn control_character(text: &str) -> Option<(Place, char)> {
    let forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    let (at, character) = text.char_indices().find(|(_, c)| forbidden(*c))?;
    let line = text[..at].matches('\n').count() + 1;
    let column = text[..at].chars().rev().take_while(|c| *c != '\n').count() + 1;
    Some((Place { line, column }, character))
}

fn span(start: Marker, length: usize) -> Span {
    Span { place: Place { line: start.line(), column: start.col() + 1 }, length }
}
