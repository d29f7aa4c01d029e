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

/// As in Go: nothing is made wider, and no number longer. Where a format asks for it, it is read no further.
pub(super) const WIDEST: usize = 1_000_000;

/// No number has more, other than zeros.
const MOST_DECIMALS: usize = 1074;

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
        if width(&options).max(precision(&options).unwrap_or(0)) > WIDEST {
            text.push_str("%!(NOVERB)");
            return text;
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
    let precision = precision(options);
    match (verb, value) {
        ('q', Value::String(text)) => Value::String(text.clone()).to_string(),
        ('f', number) if number.is_number() => {
            let wanted = precision.unwrap_or(6);
            let decimals = wanted.min(MOST_DECIMALS);
            let number = format!("{:.*}", decimals, number.as_f64().unwrap_or(0.0));
            number + &"0".repeat(wanted - decimals)
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
    let missing = width(options).saturating_sub(text.chars().count());
    let zeros = width_of(options).starts_with('0') && !options.starts_with('-');
    let filling = if zeros { "0" } else { " " }.repeat(missing);
    if options.starts_with('-') { format!("{text}{filling}") } else { format!("{filling}{text}") }
}

fn width_of(options: &str) -> &str {
    options.split('.').next().unwrap_or_default().trim_start_matches(['-', '+', '#', ' '])
}

fn width(options: &str) -> usize {
    number(width_of(options))
}

fn precision(options: &str) -> Option<usize> {
    options.split_once('.').map(|(_, digits)| number(digits))
}

/// What has more digits than a number can have is more than anything.
fn number(digits: &str) -> usize {
    let all_are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().unwrap_or(if all_are_digits { usize::MAX } else { 0 })
}
