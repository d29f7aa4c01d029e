//! `--format`: a table, JSON, or a template, for any list of things.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::table::{NARROWEST, lay_out};
use super::template::{Data, Part, Template, TemplateError};

/// How a list is to be shown.
#[derive(Clone, Debug)]
pub enum Format {
    /// In columns: those of a template, or the usual ones.
    Table(Option<Template>),
    /// An object a line.
    Json,
    /// Each by this template.
    Each(Template),
}

/// A column that can be shown: its field, and what stands above it.
pub type Column = (&'static str, &'static str);

/// A thing in a list.
#[derive(Clone, Debug, Default)]
pub struct Row {
    fields: Map<String, Value>,
    labels: BTreeMap<String, String>,
}

impl Row {
    /// One with these fields, in the order of the alphabet when they are shown together.
    pub fn new(fields: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let sorted: BTreeMap<_, _> = fields.into_iter().collect();
        let fields = sorted.into_iter().map(|(name, text)| (name.to_owned(), Value::String(text))).collect();
        Self { fields, labels: BTreeMap::new() }
    }

    /// What `.Label` answers from.
    #[must_use]
    pub fn labelled(self, labels: BTreeMap<String, String>) -> Self {
        Self { labels, ..self }
    }

    fn cell(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Format {
    /// Reads what was typed: `table`, `table TEMPLATE`, `json`, or a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        // A tab and the end of a line can be typed as a program writes them.
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        Ok(match text.trim() {
            "" | "table" => Self::Table(None),
            "json" | "{{json .}}" => Self::Json,
            _ => match text.strip_prefix("table ") {
                Some(columns) => Self::Table(Some(Template::parse(columns.trim())?)),
                None => Self::Each(Template::parse(&text)?),
            },
        })
    }

    /// Whether a field will be shown, where these are the usual ones.
    pub fn shows(&self, field: &str, usual: &[&str]) -> bool {
        match self {
            Self::Table(None) => usual.contains(&field),
            Self::Json => true,
            Self::Table(Some(template)) | Self::Each(template) => template.speaks_of(field),
        }
    }

    /// The list, in this format. `columns` are all that there can be, `usual` those that are shown when nobody says.
    pub fn show(&self, rows: &[Row], columns: &[Column], usual: &[&str]) -> Result<String, TemplateError> {
        match self {
            Self::Table(None) => {
                let heading = |field: &&str| {
                    columns.iter().find(|(name, _)| name == field).map_or("", |(_, heading)| heading)
                };
                let mut lines = vec![usual.iter().map(heading).collect::<Vec<_>>().join("\t")];
                lines.extend(
                    rows.iter()
                        .map(|row| usual.iter().map(|field| row.cell(field)).collect::<Vec<_>>().join("\t")),
                );
                Ok(lay_out(&lines, NARROWEST))
            }
            Self::Table(Some(template)) => {
                let headings =
                    Row::new(columns.iter().map(|(field, heading)| (*field, (*heading).to_owned())));
                let mut lines = vec![filled(template, &headings, Part::Heading)?];
                for row in rows {
                    lines.push(filled(template, row, Part::Body)?);
                }
                Ok(lay_out(&lines, NARROWEST))
            }
            Self::Json => {
                Ok(rows.iter().map(|row| Value::Object(row.fields.clone()).to_string() + "\n").collect())
            }
            Self::Each(template) => {
                let lines: Result<Vec<String>, _> = rows
                    .iter()
                    .map(|row| filled(template, row, Part::Body).map(|line| line + "\n"))
                    .collect();
                Ok(lines?.concat())
            }
        }
    }
}

fn filled(template: &Template, row: &Row, part: Part) -> Result<String, TemplateError> {
    template.fill(Data { dot: &Value::Object(row.fields.clone()), labels: &row.labels, part })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [("Names", "NAMES"), ("Status", "STATUS")];

    fn shown(format: &str) -> String {
        let rows = [("web", "Up"), ("database", "Exited")].map(|(name, status)| {
            let labels = [("team".to_owned(), name.to_uppercase())].into();
            Row::new([("Status", status.to_owned()), ("Names", name.to_owned())]).labelled(labels)
        });
        Format::parse(format).unwrap().show(&rows, &COLUMNS, &["Names"]).unwrap()
    }

    #[test]
    fn a_list_is_shown_in_every_format() {
        assert_eq!(shown("table"), "NAMES\nweb\ndatabase\n");
        assert_eq!(
            shown("table {{.Status}}\\t{{upper .Names}}\\t{{.Label \"team\"}}"),
            "STATUS    NAMES      team\nUp        WEB        WEB\nExited    DATABASE   DATABASE\n"
        );
        assert_eq!(shown("{{.Names}}:{{.Status}}"), "web:Up\ndatabase:Exited\n");
        assert_eq!(shown("json").lines().next(), Some(r#"{"Names":"web","Status":"Up"}"#));
    }

    #[test]
    fn it_is_known_what_a_format_shows() {
        let shows = |format: &str, field| Format::parse(format).unwrap().shows(field, &["Names"]);
        assert!(shows("table", "Names") && !shows("table", "Size"));
        assert!(shows("json", "Size") && shows("{{.Size}}", "Size") && !shows("{{.Names}}", "Size"));
    }
}
