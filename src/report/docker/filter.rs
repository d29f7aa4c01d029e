//! `--filter KEY=VALUE`: values of one key are alternatives, keys add up.

use thiserror::Error;

use super::pattern::{InvalidPattern, Pattern};

/// All that was asked for.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    wanted: Vec<(String, Vec<String>)>,
}

/// A filter that there is not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    /// Not `KEY=VALUE`.
    #[error("bad format of filter `{0}` (write it as KEY=VALUE, like status=running)")]
    NoValue(String),
    /// Nobody knows this key.
    #[error("invalid filter `{key}` (there are: {known})")]
    UnknownKey {
        /// What was typed.
        key: String,
        /// What can be.
        known: String,
    },
    /// Nobody knows this value.
    #[error("invalid filter `{key}={value}` (write {wanted})")]
    UnknownValue {
        /// Of this key.
        key: String,
        /// What was typed.
        value: String,
        /// What can be.
        wanted: String,
    },
    /// A name's pattern.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
}

impl Filters {
    /// Reads them; `known` are the keys that there are.
    pub fn parse(texts: &[String], known: &[&str]) -> Result<Self, FilterError> {
        let mut filters = Self::default();
        for text in texts {
            let (key, value) = text.split_once('=').ok_or_else(|| FilterError::NoValue(text.clone()))?;
            let (key, value) = (key.trim().to_lowercase(), value.trim().to_owned());
            if !known.contains(&key.as_str()) {
                return Err(FilterError::UnknownKey { key, known: known.join(", ") });
            }
            match filters.wanted.iter_mut().find(|(there, _)| *there == key) {
                Some((_, values)) => values.push(value),
                None => filters.wanted.push((key, vec![value])),
            }
        }
        Ok(filters)
    }

    /// Whether a key was given at all.
    pub fn asks_for(&self, key: &str) -> bool {
        !self.values(key).is_empty()
    }

    /// The values of a key.
    pub fn values(&self, key: &str) -> &[String] {
        self.wanted.iter().find(|(there, _)| there == key).map_or(&[], |(_, values)| values)
    }

    /// The values of a key, each read.
    pub fn read<T>(
        &self,
        key: &str,
        wanted: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Vec<T>>, FilterError> {
        let each = |value: &String| {
            read(value).ok_or_else(|| FilterError::UnknownValue {
                key: key.into(),
                value: value.clone(),
                wanted: wanted.into(),
            })
        };
        let values: Vec<T> = self.values(key).iter().map(each).collect::<Result<_, _>>()?;
        Ok((!values.is_empty()).then_some(values))
    }

    /// The values of a key, each a pattern.
    pub fn patterns(&self, key: &str) -> Result<Option<Vec<Pattern>>, FilterError> {
        let patterns: Vec<Pattern> =
            self.values(key).iter().map(|value| Pattern::new(value)).collect::<Result<_, _>>()?;
        Ok((!patterns.is_empty()).then_some(patterns))
    }

    /// Whether labels have all that was asked for with `label=KEY` and `label=KEY=VALUE`.
    pub fn match_labels<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.values("label").iter().all(|wanted| match wanted.split_once('=') {
            Some((key, value)) => label(key) == Some(value),
            None => label(wanted).is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_known_key_and_a_value() {
        let parse = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            Filters::parse(&texts, &["name", "status", "label"])
        };
        let filters = parse(&["status=running", "STATUS=paused", "label=a", "label=b=c=d"]).unwrap();
        assert_eq!(filters.values("status"), ["running", "paused"]);
        assert!(!filters.asks_for("name"));
        let label = |key: &str| {
            [("a", "x"), ("b", "c=d")].iter().find(|(own, _)| *own == key).map(|(_, value)| *value)
        };
        assert!(filters.match_labels(label));
        assert!(!parse(&["label=b=c"]).unwrap().match_labels(label));
        assert!(parse(&["name"]).unwrap_err().to_string().contains("bad format of filter"));
        assert!(
            parse(&["nope=1"])
                .unwrap_err()
                .to_string()
                .contains("invalid filter `nope` (there are: name, status, label)")
        );
        let read =
            |filters: &Filters| filters.read("status", "running", |word| (word == "running").then_some(()));
        assert!(read(&filters).unwrap_err().to_string().contains("invalid filter `status=paused`"));
    }
}
