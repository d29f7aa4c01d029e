//! Variables: `$NAME`, `${NAME}`, `${NAME:-otherwise}`, `${NAME:+instead}`, also without the colon; quotes are taken off.

use std::collections::BTreeMap;

/// A word with its variables put in.
pub fn expand(word: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    Expansion { letters: word.chars().collect(), at: 0, depth: 0, variables }
        .all(Until::End, Quotes::TakenOff)
}

/// The lines of a heredoc: quotes in them are text.
pub fn expand_text(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    Expansion { letters: text.chars().collect(), at: 0, depth: 0, variables }.all(Until::End, Quotes::Text)
}

/// So deep may variables stand within each other: whoever reads them has a stack that ends.
const DEEPEST: usize = 100;

struct Expansion<'a> {
    letters: Vec<char>,
    at: usize,
    /// In how many variables this one stands.
    depth: usize,
    variables: &'a BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    End,
    Brace,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    TakenOff,
    Text,
}

impl Expansion<'_> {
    fn next(&mut self) -> Option<char> {
        let letter = self.letters.get(self.at).copied();
        self.at += 1;
        letter
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn all(&mut self, until: Until, quotes: Quotes) -> Result<String, String> {
        let mut out = String::new();
        let mut within = false;
        while let Some(letter) = self.next() {
            match letter {
                '}' if until == Until::Brace && !within => return Ok(out),
                '\'' if quotes == Quotes::TakenOff && !within => loop {
                    match self.next() {
                        Some('\'') => break,
                        Some(inner) => out.push(inner),
                        None => return Err("a quote ' is not closed".into()),
                    }
                },
                '"' if quotes == Quotes::TakenOff => within = !within,
                '\\' => match self.next() {
                    // In double quotes only these are escaped.
                    Some(escaped) if within && !matches!(escaped, '"' | '\\' | '$') => {
                        out.extend(['\\', escaped]);
                    }
                    Some(escaped) if quotes == Quotes::Text && escaped != '$' && escaped != '\\' => {
                        out.extend(['\\', escaped]);
                    }
                    Some(escaped) => out.push(escaped),
                    None => out.push('\\'),
                },
                '$' => out.push_str(&self.variable()?),
                other => out.push(other),
            }
        }
        match (until, within) {
            (_, true) => Err("a quote \" is not closed".into()),
            (Until::Brace, _) => Err("a ${ is not closed (close it with })".into()),
            (Until::End, _) => Ok(out),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(letter) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            if name.is_empty() && letter.is_ascii_digit() {
                break;
            }
            name.push(letter);
            self.at += 1;
        }
        name
    }

    fn variable(&mut self) -> Result<String, String> {
        if self.peek() != Some('{') {
            let name = self.name();
            return Ok(if name.is_empty() { "$".into() } else { self.value(&name).unwrap_or_default() });
        }
        self.at += 1;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("more than {DEEPEST} variables stand within each other"));
        }
        let value = self.in_braces();
        self.depth -= 1;
        value
    }

    fn in_braces(&mut self) -> Result<String, String> {
        let name = self.name();
        if name.is_empty() {
            return Err("${ wants a variable's name".into());
        }
        let value = self.value(&name);
        let mut operator = self.next();
        let empty_counts = operator == Some(':');
        if empty_counts {
            operator = self.next();
        }
        let set = value.clone().filter(|value| !empty_counts || !value.is_empty());
        match operator {
            Some('}') if !empty_counts => Ok(value.unwrap_or_default()),
            Some('-') => {
                let otherwise = self.all(Until::Brace, Quotes::TakenOff)?;
                Ok(set.unwrap_or(otherwise))
            }
            Some('+') => {
                let instead = self.all(Until::Brace, Quotes::TakenOff)?;
                Ok(set.map(|_| instead).unwrap_or_default())
            }
            Some('?') => {
                let message = self.all(Until::Brace, Quotes::TakenOff)?;
                set.ok_or_else(|| format!("{name}: {message}"))
            }
            _ => Err(format!("unsupported modifier in ${{{name}… (there are :- :+ :?)")),
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_as_docker_does() {
        let variables =
            [("A", "1"), ("E", "")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (word, expected) in [
            ("$A", "1"),
            ("${A}b", "1b"),
            ("$AB", ""),
            ("$A.b", "1.b"),
            ("'$A'", "$A"),
            ("\"$A b\"", "1 b"),
            (r"\$A", "$A"),
            ("${X:-d}", "d"),
            ("${E:-d}", "d"),
            ("${E-d}", ""),
            ("${X:-${A}}", "1"),
            ("${A:+i}", "i"),
            ("${E:+i}", ""),
            ("$", "$"),
            ("a\\ b", "a b"),
        ] {
            assert_eq!(expand(word, &variables).as_deref(), Ok(expected), "{word}");
        }
        for word in ["${A", "'a", "\"a", "${}", "${A%x}", "${X:?is needed}"] {
            assert!(expand(word, &variables).is_err(), "{word}");
        }
        assert_eq!(expand_text("\"$A\" '$A' \\$A\n", &variables).unwrap(), "\"1\" '1' $A\n");
    }
}
