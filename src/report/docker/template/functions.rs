//! What a template can call: Docker's functions, and those of Go's templates.

use serde_json::Value;

use super::print::{WIDEST, formatted, text_of};

/// All of them, Docker's first.
pub(super) const NAMES: [&str; 24] = [
    "json", "split", "join", "title", "lower", "upper", "pad", "truncate", "and", "or", "not", "len",
    "index", "slice", "print", "printf", "println", "eq", "ne", "lt", "le", "gt", "ge", "html",
];

pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Calls one; says what it wants instead.
pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value, String> {
    let wants = |what: &str| Err(format!("`{name}` wants {what}"));
    Ok(match (name, arguments) {
        ("json", [value]) => text(value.to_string()),
        ("split", [Value::String(of), Value::String(at)]) => of.split(at.as_str()).map(Value::from).collect(),
        ("split", _) => return wants("a text and what to split it at"),
        ("join", [Value::Array(items), Value::String(with)]) => {
            text(items.iter().map(text_of).collect::<Vec<_>>().join(with))
        }
        ("join", [Value::Null, Value::String(_)]) => text(String::new()),
        ("join", _) => return wants("a list and what to put between its entries"),
        ("title", [Value::String(of)]) => text(title(of)),
        ("lower", [Value::String(of)]) => text(of.to_lowercase()),
        ("upper", [Value::String(of)]) => text(of.to_uppercase()),
        ("pad", [Value::String(of), before, after]) => match (whole(before), whole(after)) {
            (Some(before), Some(after)) if before.max(after) > WIDEST => {
                return wants("fewer spaces");
            }
            (Some(before), Some(after)) if !of.is_empty() => {
                text(format!("{}{of}{}", " ".repeat(before), " ".repeat(after)))
            }
            (Some(_), Some(_)) => text(String::new()),
            _ => return wants("a text and two numbers of spaces"),
        },
        ("truncate", [Value::String(of), length]) => match whole(length) {
            Some(length) => text(of.chars().take(length).collect()),
            None => return wants("a text and a length"),
        },
        ("html", [value]) => {
            let escapes = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&#34;"), ('\'', "&#39;")];
            let escape = |letter: char| {
                escapes
                    .iter()
                    .find(|(raw, _)| *raw == letter)
                    .map_or(letter.to_string(), |(_, safe)| (*safe).into())
            };
            text(text_of(value).chars().map(escape).collect())
        }
        ("and", [.., last]) => arguments.iter().find(|value| !is_true(value)).unwrap_or(last).clone(),
        ("or", [.., last]) => arguments.iter().find(|value| is_true(value)).unwrap_or(last).clone(),
        ("not", [value]) => Value::Bool(!is_true(value)),
        ("len", [value]) => match length(value) {
            Some(length) => length.into(),
            None => return wants("a text, a list or a map"),
        },
        ("index", [value, keys @ ..]) => return index(value, keys),
        ("slice", [value, bounds @ ..]) => return slice(value, bounds),
        ("print", values) => text(print(values)),
        ("println", values) => text(values.iter().map(text_of).collect::<Vec<_>>().join(" ") + "\n"),
        ("printf", [Value::String(format), values @ ..]) => text(formatted(format, values)),
        ("eq", [one, others @ ..]) if !others.is_empty() => {
            Value::Bool(others.iter().any(|other| same(one, other)))
        }
        ("ne", [one, other]) => Value::Bool(!same(one, other)),
        ("lt", [one, other]) => Value::Bool(is_less(one, other)?),
        ("le", [one, other]) => Value::Bool(!is_less(other, one)?),
        ("gt", [one, other]) => Value::Bool(is_less(other, one)?),
        ("ge", [one, other]) => Value::Bool(!is_less(one, other)?),
        ("title" | "lower" | "upper", [_]) => return wants("a text"),
        _ => return wants("other arguments, or another number of them"),
    })
}

/// What Go takes for true.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

fn text(text: String) -> Value {
    Value::String(text)
}

fn whole(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok())
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.len()),
        Value::Array(items) => Some(items.len()),
        Value::Object(entries) => Some(entries.len()),
        Value::Null => Some(0),
        Value::Bool(_) | Value::Number(_) => None,
    }
}

fn title(of: &str) -> String {
    let mut begins = true;
    let mut title = String::new();
    for letter in of.chars() {
        if begins {
            title.extend(letter.to_uppercase());
        } else {
            title.push(letter);
        }
        begins = !letter.is_alphanumeric() && letter != '\'' && letter != '_';
    }
    title
}

/// Spaces stand between two values of which neither is a text.
fn print(values: &[Value]) -> String {
    let mut printed = String::new();
    for (nth, value) in values.iter().enumerate() {
        if nth > 0 && !value.is_string() && !values[nth - 1].is_string() {
            printed.push(' ');
        }
        printed.push_str(&text_of(value));
    }
    printed
}

fn index(value: &Value, keys: &[Value]) -> Result<Value, String> {
    let Some((key, rest)) = keys.split_first() else { return Ok(value.clone()) };
    let found = match (value, key) {
        // A map of texts answers with an empty one.
        (Value::Object(entries), Value::String(key)) => {
            entries.get(key).cloned().unwrap_or_else(|| text(String::new()))
        }
        (Value::Array(items), _) => {
            let at = whole(key).ok_or("`index` wants a number for a list")?;
            items
                .get(at)
                .cloned()
                .ok_or_else(|| format!("there is no entry {at} in a list of {}", items.len()))?
        }
        (Value::Null, _) => return Err("`index` of nothing (look at it first: {{json .}})".into()),
        _ => return Err("`index` wants a list and a number, or a map and a text".into()),
    };
    index(&found, rest)
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let length = length(value).unwrap_or(0);
    let bounds: Option<Vec<usize>> = bounds.iter().map(whole).collect();
    let (from, to) = match bounds.as_deref() {
        Some([]) => (0, length),
        Some([from]) => (*from, length),
        Some([from, to]) => (*from, *to),
        _ => return Err("`slice` wants one or two numbers".into()),
    };
    let outside = || format!("`slice` from {from} to {to} is not within {length}");
    match value {
        Value::String(of) => of.get(from..to).map(|part| text(part.into())).ok_or_else(outside),
        Value::Array(items) => items.get(from..to).map(|part| Value::Array(part.into())).ok_or_else(outside),
        _ => Err("`slice` wants a text or a list".into()),
    }
}

fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        _ => one == other,
    }
}

fn is_less(one: &Value, other: &Value) -> Result<bool, String> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Ok(one < other),
        _ => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => Ok(one < other),
            _ => Err("only two numbers or two texts can be compared".into()),
        },
    }
}
