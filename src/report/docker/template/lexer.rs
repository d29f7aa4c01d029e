//! A template, cut into pieces: text as it stands, and the words between `{{` and `}}`.

use serde_json::{Number, Value};

use super::TemplateError;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Text as it stands.
    Text(String),
    /// The words of an action, and how it was written.
    Action(Vec<Word>, String),
}

/// A word of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// `.` alone, or `.A.B`.
    Field(Vec<String>),
    /// `$x`, `$x.A`; `$` is the data.
    Variable(String, Vec<String>),
    /// `.A` right behind a closing parenthesis.
    Of(Vec<String>),
    Literal(Value),
    Name(String),
    Pipe,
    Open,
    Close,
    Comma,
    Declare,
    Assign,
}

/// Cuts it.
pub(super) fn lex(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    while let Some(at) = rest.find("{{") {
        let (mut before, behind) = rest.split_at(at);
        let inside_to_end = &behind[2..];
        let end = end_of_action(inside_to_end).map_err(|problem| match problem {
            Open::Action => {
                let begun: String = behind.chars().take(20).collect();
                unreadable(format!("`{begun}` is not closed (close it with `}}}}`)"))
            }
            Open::Text => unreadable("a text is not closed (close it with `\"`)".into()),
        })?;
        let mut inside = &inside_to_end[..end];
        rest = &inside_to_end[end + 2..];
        if trim_next {
            before = before.trim_start();
        }
        if let Some(trimmed) = inside.strip_prefix('-').filter(|trimmed| begins_with_space(trimmed)) {
            inside = trimmed;
            before = before.trim_end();
        }
        trim_next = false;
        if let Some(trimmed) = inside.strip_suffix('-').filter(|trimmed| ends_with_space(trimmed)) {
            inside = trimmed;
            trim_next = true;
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before.into()));
        }
        let inside = inside.trim();
        if inside.starts_with("/*") && inside.ends_with("*/") {
            continue;
        }
        pieces.push(Piece::Action(words(inside)?, inside.into()));
    }
    let last = if trim_next { rest.trim_start() } else { rest };
    if !last.is_empty() {
        pieces.push(Piece::Text(last.into()));
    }
    Ok(pieces)
}

fn begins_with_space(text: &str) -> bool {
    text.starts_with(char::is_whitespace)
}

fn ends_with_space(text: &str) -> bool {
    text.ends_with(char::is_whitespace)
}

/// What is still open at the end of the template.
enum Open {
    Action,
    Text,
}

/// Where `}}` stands, outside of texts and comments.
fn end_of_action(text: &str) -> Result<usize, Open> {
    let mut quote = None;
    let mut letters = text.char_indices();
    let comment = text.trim_start_matches('-').trim_start().starts_with("/*");
    if comment {
        let end = text.find("*/").ok_or(Open::Action)?;
        return text[end..].find("}}").map(|at| end + at).ok_or(Open::Action);
    }
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (None, '"' | '`' | '\'') => quote = Some(letter),
            (None, '}') if text[at..].starts_with("}}") => return Ok(at),
            (Some('"' | '\''), '\\') => {
                letters.next();
            }
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
    }
    Err(if quote.is_some() { Open::Text } else { Open::Action })
}

fn words(text: &str) -> Result<Vec<Word>, TemplateError> {
    let letters: Vec<char> = text.chars().collect();
    let mut lexer = Lexer { letters: &letters, at: 0 };
    let mut words = Vec::new();
    while let Some(letter) = lexer.peek() {
        let word = match letter {
            _ if letter.is_whitespace() => {
                lexer.at += 1;
                continue;
            }
            '|' => lexer.single(Word::Pipe),
            '(' => lexer.single(Word::Open),
            ')' => lexer.single(Word::Close),
            ',' => lexer.single(Word::Comma),
            '=' => lexer.single(Word::Assign),
            ':' if lexer.letters.get(lexer.at + 1) == Some(&'=') => {
                lexer.at += 2;
                Word::Declare
            }
            '.' if lexer.letters.get(lexer.at + 1).is_some_and(char::is_ascii_digit) => lexer.number()?,
            '.' => {
                let adjacent = lexer.at > 0 && lexer.letters[lexer.at - 1] == ')';
                let path = lexer.path();
                if adjacent { Word::Of(path) } else { Word::Field(path) }
            }
            '$' => {
                lexer.at += 1;
                let name = lexer.name();
                Word::Variable(name, if lexer.peek() == Some('.') { lexer.path() } else { Vec::new() })
            }
            '"' | '\'' => lexer.quoted(letter)?,
            '`' => lexer.raw(),
            '-' | '+' | '0'..='9' => lexer.number()?,
            _ if letter.is_alphabetic() || letter == '_' => match lexer.name().as_str() {
                "true" => Word::Literal(Value::Bool(true)),
                "false" => Word::Literal(Value::Bool(false)),
                "nil" => Word::Literal(Value::Null),
                name => Word::Name(name.into()),
            },
            other => return Err(unreadable(format!("`{other}` means nothing in `{{{{{text}}}}}`"))),
        };
        words.push(word);
    }
    Ok(words)
}

struct Lexer<'a> {
    letters: &'a [char],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn single(&mut self, word: Word) -> Word {
        self.at += 1;
        word
    }

    fn name(&mut self) -> String {
        let rest = self.letters[self.at..].iter();
        let name: String = rest.take_while(|letter| letter.is_alphanumeric() || **letter == '_').collect();
        self.at += name.chars().count();
        name
    }

    /// `.A.B`; a dot alone has no parts.
    fn path(&mut self) -> Vec<String> {
        let mut parts = Vec::new();
        while self.peek() == Some('.') {
            self.at += 1;
            let name = self.name();
            if name.is_empty() {
                break;
            }
            parts.push(name);
        }
        parts
    }

    fn number(&mut self) -> Result<Word, TemplateError> {
        let is_part =
            |letter: &&char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+' | '_');
        let text: String = self.letters[self.at..].iter().take_while(is_part).collect();
        self.at += text.chars().count();
        let whole = text.parse::<i64>().ok().map(Number::from);
        let number = whole.or_else(|| text.parse().ok().and_then(Number::from_f64));
        number
            .map(|number| Word::Literal(Value::Number(number)))
            .ok_or_else(|| unreadable(format!("`{text}` is not a number")))
    }

    fn quoted(&mut self, quote: char) -> Result<Word, TemplateError> {
        self.at += 1;
        let mut text = String::new();
        while let Some(letter) = self.peek() {
            self.at += 1;
            match letter {
                _ if letter == quote => break,
                '\\' => {
                    let escaped = self.peek().unwrap_or('\\');
                    self.at += 1;
                    text.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        '"' | '\'' | '\\' => escaped,
                        other => {
                            return Err(unreadable(format!("`\\{other}` means nothing in a text")));
                        }
                    });
                }
                _ => text.push(letter),
            }
        }
        Ok(Word::Literal(Value::String(text)))
    }

    fn raw(&mut self) -> Word {
        let text: String = self.letters[self.at + 1..].iter().take_while(|letter| **letter != '`').collect();
        self.at += text.chars().count() + 2;
        Word::Literal(Value::String(text))
    }
}

pub(super) fn unreadable(what: String) -> TemplateError {
    TemplateError::Unreadable(what)
}
