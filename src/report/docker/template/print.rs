//! A value, written as Go's fmt does.

use std::fmt::Write as _;

use serde_json::Value;

/// What stands for a value that is not there.
pub(super) const NO_VALUE: &str = "<no value>";

/// `%v`.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(text_of).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(entries) => {
            let mut keys: Vec<&String> = entries.keys().collect();
            keys.sort();
            let entries: Vec<String> =
                keys.into_iter().map(|key| format!("{key}:{}", text_of(&entries[key]))).collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

/// `printf`.
pub(super) fn formatted(format: &str, arguments: &[Value]) -> String {
    let mut text = String::new();
    let mut arguments = arguments.iter();
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let is_option =
            |letter: &char| letter.is_ascii_digit() || matches!(letter, '-' | '.' | '+' | '#' | ' ');
        let mut options = String::new();
        while let Some(option) = letters.next_if(is_option) {
            options.push(option);
        }
        match letters.next() {
            Some('%') => text.push('%'),
            Some(verb) => match arguments.next() {
                Some(value) => text.push_str(&padded(&one(verb, &options, value), &options)),
                None => {
                    let _ = write!(text, "%!{verb}(MISSING)");
                }
            },
            None => text.push_str("%!(NOVERB)"),
        }
    }
    text
}

fn one(verb: char, options: &str, value: &Value) -> String {
    let precision = options.split_once('.').map(|(_, digits)| digits.parse::<usize>().unwrap_or(0));
    match (verb, value) {
        ('q', Value::String(text)) => Value::String(text.clone()).to_string(),
        ('f', number) if number.is_number() => {
            format!("{:.*}", precision.unwrap_or(6), number.as_f64().unwrap_or(0.0))
        }
        ('x', Value::Number(number)) => {
            number.as_i64().map_or_else(String::new, |number| format!("{number:x}"))
        }
        ('s' | 'v', _) => {
            let text = text_of(value);
            precision.map_or(text.clone(), |length| text.chars().take(length).collect())
        }
        _ => text_of(value),
    }
}

fn padded(text: &str, options: &str) -> String {
    let width = options.split('.').next().unwrap_or("").trim_start_matches(['-', '+', '#', ' ']);
    let zeros = width.starts_with('0') && !options.starts_with('-');
    let width: usize = width.parse().unwrap_or(0);
    if options.starts_with('-') {
        format!("{text:<width$}")
    } else if zeros {
        format!("{text:0>width$}")
    } else {
        format!("{text:>width$}")
    }
}
