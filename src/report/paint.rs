//! Calm colours on a terminal, none elsewhere.

use std::fmt;

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// For a terminal.
    Colour,
    /// For everything else.
    Plain,
}

/// What a piece of text is, and so how it looks.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    Heading,
    Text,
    Label,
    State,
    Good,
    Bad,
    Question,
}

impl Paint {
    pub(crate) fn as_role<T: fmt::Display>(self, role: Role, text: T) -> impl fmt::Display {
        let code = match (self, role) {
            (Self::Plain, _) | (_, Role::Text) => None,
            (Self::Colour, Role::Heading) => Some("1"),
            (Self::Colour, Role::Label) => Some("2"),
            (Self::Colour, Role::State) => Some("36"),
            (Self::Colour, Role::Good) => Some("32"),
            (Self::Colour, Role::Bad) => Some("31"),
            (Self::Colour, Role::Question) => Some("33"),
        };
        Painted { code, text }
    }
}

struct Painted<T> {
    code: Option<&'static str>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "\x1b[{code}m{}\x1b[0m", self.text),
            None => self.text.fmt(f),
        }
    }
}
