//! Words of an instruction, cut as a shell would cut them; quotes stay in them until variables have been put in.

/// Cuts at white space that is not quoted or escaped.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => {
                word.push(letter);
                word.extend(letters.next());
                continue;
            }
            _ => {}
        }
        word.push(letter);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// A list in JSON, of texts alone: the exec form.
pub(super) fn json(text: &str) -> Option<Vec<String>> {
    text.trim_start().starts_with('[').then(|| serde_json::from_str(text.trim()).ok()).flatten()
}

/// Flags at the beginning of an instruction, and the rest.
pub(super) fn flags(mut text: &str) -> (Vec<(String, Option<String>)>, &str) {
    let mut flags = Vec::new();
    loop {
        text = text.trim_start();
        let Some(flag) = text.strip_prefix("--") else { return (flags, text) };
        let end = flag.find(char::is_whitespace).unwrap_or(flag.len());
        let (flag, rest) = flag.split_at(end);
        flags.push(match flag.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (flag.to_owned(), None),
        });
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_by_a_shell() {
        assert_eq!(
            split(r#"a "b c"d 'e f' g\ h "i\" j""#),
            ["a", "\"b c\"d", "'e f'", r"g\ h", r#""i\" j""#]
        );
        assert_eq!(
            flags("--from=x --link a b"),
            (vec![("from".into(), Some("x".into())), ("link".into(), None)], "a b")
        );
        assert_eq!(json(r#" ["a", "b"] "#), Some(vec!["a".into(), "b".into()]));
        assert_eq!(json("['a']"), None);
    }
}
