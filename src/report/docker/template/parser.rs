//! From pieces to a tree.

use std::iter::Peekable;
use std::vec::IntoIter;

use serde_json::Value;

use super::TemplateError;
use super::functions;
use super::lexer::{Piece, Word, unreadable};

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Show(Pipeline),
    If { condition: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
    Range { over: Pipeline, body: Vec<Node>, otherwise: Vec<Node> },
    With { value: Pipeline, body: Vec<Node>, otherwise: Vec<Node> },
    Break,
    Continue,
}

/// Commands, each with what the one before it came to as its last argument.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    /// Variables that it gives a value.
    pub(super) variables: Vec<String>,
    pub(super) binding: Binding,
    pub(super) commands: Vec<Vec<Operand>>,
}

/// What becomes of a pipeline's variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    New,
    Changed,
}

/// A word of a command.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Literal(Value),
    Function(String),
    /// In parentheses, and a field of that.
    Inner(Pipeline, Vec<String>),
}

/// Stands for every field, where a template speaks of the data as a whole.
pub(super) const EVERYTHING: &str = ".";

/// So deep may blocks and parentheses stand within each other: whoever walks through them has a stack that ends.
const DEEPEST: usize = 200;

/// Makes a tree.
pub(super) fn parse(pieces: Vec<Piece>) -> Result<Vec<Node>, TemplateError> {
    check_depth(&pieces)?;
    let mut parser = Parser { pieces: pieces.into_iter() };
    match parser.block(None)? {
        (nodes, End::Template) => Ok(nodes),
        (_, End::Whole) => Err(unreadable("there is nothing for `{{end}}` to end".into())),
        (_, End::Else(_)) => Err(unreadable("there is no `{{if}}` for this `{{else}}`".into())),
    }
}

/// An `else if` stands deeper than what it is the `else` of.
fn check_depth(pieces: &[Piece]) -> Result<(), TemplateError> {
    let (mut blocks, mut deepest) = (0_usize, 0);
    for piece in pieces {
        let Piece::Action(words, _) = piece else { continue };
        if let Some(Word::Name(name)) = words.first() {
            match name.as_str() {
                "if" | "range" | "with" => blocks += 1,
                "else" if words.len() > 1 => blocks += 1,
                "end" => blocks = blocks.saturating_sub(1),
                _ => {}
            }
        }
        let opened = words.iter().filter(|word| **word == Word::Open).count();
        deepest = deepest.max(blocks).max(opened);
    }
    if deepest > DEEPEST {
        return Err(unreadable(format!("more than {DEEPEST} blocks or parentheses stand within each other")));
    }
    Ok(())
}

struct Parser {
    pieces: IntoIter<Piece>,
}

/// How a block ends.
enum End {
    Template,
    Whole,
    /// With what follows the word, if anything does.
    Else(Vec<Word>),
}

impl Parser {
    /// Up to an `end` or `else`; `opened` is what has to be ended.
    fn block(&mut self, opened: Option<&str>) -> Result<(Vec<Node>, End), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (words, written) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(words, written) => (words, written),
            };
            let Some(first) = words.first().cloned() else {
                return Err(unreadable("`{{}}` says nothing (say what to print, like `{{.Name}}`)".into()));
            };
            let keyword = match first {
                Word::Name(name) => name,
                _ => String::new(),
            };
            match keyword.as_str() {
                "end" => return Ok((nodes, End::Whole)),
                "else" => return Ok((nodes, End::Else(words[1..].to_vec()))),
                "if" | "range" | "with" => nodes.push(self.control(&keyword, &words[1..], &written)?),
                "break" => nodes.push(Node::Break),
                "continue" => nodes.push(Node::Continue),
                "define" | "template" | "block" => {
                    return Err(unreadable(format!("`{keyword}` is not known here (write it out)")));
                }
                _ => nodes.push(Node::Show(pipeline(words)?)),
            }
        }
        match opened {
            Some(written) => {
                Err(unreadable(format!("`{{{{{written}}}}}` is not ended (end it with `{{{{end}}}}`)")))
            }
            None => Ok((nodes, End::Template)),
        }
    }

    fn control(&mut self, keyword: &str, words: &[Word], written: &str) -> Result<Node, TemplateError> {
        let value = pipeline(words.to_vec())?;
        let (body, end) = self.block(Some(written))?;
        let otherwise = match end {
            End::Else(more) => match more.first() {
                None => self.block(Some(written))?.0,
                Some(Word::Name(inner)) if inner == keyword => {
                    let inner = inner.clone();
                    vec![self.control(&inner, &more[1..], written)?]
                }
                Some(_) => {
                    return Err(unreadable("after `else` comes nothing, or the same word again".into()));
                }
            },
            End::Whole | End::Template => Vec::new(),
        };
        Ok(match keyword {
            "if" => Node::If { condition: value, then: body, otherwise },
            "range" => Node::Range { over: value, body, otherwise },
            _ => Node::With { value, body, otherwise },
        })
    }
}

fn pipeline(words: Vec<Word>) -> Result<Pipeline, TemplateError> {
    let mut words = words.into_iter().peekable();
    let pipeline = pipeline_of(&mut words)?;
    match words.next() {
        None => Ok(pipeline),
        Some(_) => Err(unreadable("there is a `)` too many".into())),
    }
}

/// Up to the end, or to the parenthesis that closes it.
fn pipeline_of(words: &mut Peekable<IntoIter<Word>>) -> Result<Pipeline, TemplateError> {
    let (variables, binding) = variables_of(words);
    let mut commands = vec![Vec::new()];
    while let Some(word) = words.next_if(|word| *word != Word::Close) {
        let operand = match word {
            Word::Pipe => {
                commands.push(Vec::new());
                continue;
            }
            Word::Field(path) => Operand::Field(path),
            Word::Variable(name, path) => Operand::Variable(name, path),
            Word::Literal(value) => Operand::Literal(value),
            Word::Name(name) if functions::is_known(&name) => Operand::Function(name),
            Word::Name(name) => {
                let known = functions::NAMES.join(", ");
                return Err(unreadable(format!("there is no function `{name}` (there are: {known})")));
            }
            Word::Open => {
                let inner = pipeline_of(words)?;
                if words.next().is_none() {
                    return Err(unreadable("a `(` is not closed".into()));
                }
                let path = match words.next_if(|word| matches!(word, Word::Of(_))) {
                    Some(Word::Of(path)) => path,
                    _ => Vec::new(),
                };
                Operand::Inner(inner, path)
            }
            Word::Of(_) | Word::Close | Word::Comma | Word::Declare | Word::Assign => {
                return Err(unreadable("a sign stands where a value should".into()));
            }
        };
        commands.last_mut().expect("there is always one").push(operand);
    }
    if commands.iter().any(Vec::is_empty) {
        return Err(unreadable("an action says nothing before or after a `|`".into()));
    }
    Ok(Pipeline { variables, binding, commands })
}

/// `$x :=`, `$i, $x :=`, `$x =`.
fn variables_of(words: &mut Peekable<IntoIter<Word>>) -> (Vec<String>, Binding) {
    let mut ahead = words.clone();
    let mut variables = Vec::new();
    loop {
        match ahead.next() {
            Some(Word::Variable(name, path)) if path.is_empty() => variables.push(name),
            _ => break,
        }
        match ahead.next() {
            Some(Word::Comma) => {}
            Some(sign @ (Word::Declare | Word::Assign)) => {
                *words = ahead;
                let binding = if sign == Word::Declare { Binding::New } else { Binding::Changed };
                return (variables, binding);
            }
            _ => break,
        }
    }
    (Vec::new(), Binding::New)
}

/// The fields of the data that are spoken of.
pub(super) fn fields_of(nodes: &[Node], found: &mut Vec<String>) {
    for node in nodes {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => {}
            Node::Show(pipeline) => fields_in(pipeline, found),
            Node::If { condition: value, then: body, otherwise }
            | Node::Range { over: value, body, otherwise }
            | Node::With { value, body, otherwise } => {
                fields_in(value, found);
                fields_of(body, found);
                fields_of(otherwise, found);
            }
        }
    }
}

fn fields_in(pipeline: &Pipeline, found: &mut Vec<String>) {
    for operand in pipeline.commands.iter().flatten() {
        match operand {
            Operand::Field(path) | Operand::Variable(_, path) => {
                found.push(path.first().map_or(EVERYTHING, String::as_str).into());
            }
            Operand::Inner(inner, _) => fields_in(inner, found),
            Operand::Literal(_) | Operand::Function(_) => {}
        }
    }
}
