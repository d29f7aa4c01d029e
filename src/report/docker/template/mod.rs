//! The templates of `--format`: the part of Go's text/template that people type, with Docker's functions.
//!
//! `lexer` cuts a text into what is written as it stands and the words of its actions, `parser` makes a tree of them,
//! `evaluate` walks the tree with data, `functions` are what it can call, and `print` writes a value as Go does.

mod evaluate;
mod functions;
mod lexer;
mod parser;
mod print;

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

use self::parser::Node;

/// A template that was read.
#[derive(Clone, Debug)]
pub struct Template {
    nodes: Vec<Node>,
    /// The fields of the data that it speaks of.
    fields: Vec<String>,
}

/// What a template cannot be read or filled for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// It is not one.
    #[error("cannot read the format: {0}")]
    Unreadable(String),
    /// It speaks of what there is not.
    #[error("cannot fill the format: {0}")]
    Unfillable(String),
}

/// What a template is filled with.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// What the dot is.
    pub dot: &'a Value,
    /// What `.Label "KEY"` answers from.
    pub labels: &'a BTreeMap<String, String>,
    /// What a function makes of its arguments.
    pub part: Part,
}

/// A part of a table, or all of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Headings: functions leave them as they are.
    Heading,
    /// What stands under them.
    Body,
}

impl Template {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let nodes = parser::parse(lexer::lex(text)?)?;
        let mut fields = Vec::new();
        parser::fields_of(&nodes, &mut fields);
        Ok(Self { nodes, fields })
    }

    /// Whether it speaks of a field of the data, or of all of it.
    pub fn speaks_of(&self, field: &str) -> bool {
        self.fields.iter().any(|named| named == field || named == parser::EVERYTHING)
    }

    /// Fills it.
    pub fn fill(&self, data: Data<'_>) -> Result<String, TemplateError> {
        evaluate::fill(&self.nodes, data)
    }

    /// Fills it with one value.
    pub fn fill_with(&self, dot: &Value) -> Result<String, TemplateError> {
        self.fill(Data { dot, labels: &BTreeMap::new(), part: Part::Body })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(template: &str) -> Result<String, TemplateError> {
        let data = json!({
            "Name": "/web", "Id": "cafe", "Running": true, "Empty": "", "Count": 3, "Nothing": null,
            "State": { "Status": "running", "Health": { "Log": [{ "ExitCode": 0 }, { "ExitCode": 1 }] } },
            "Args": ["-c", "true"],
            "Config": { "Labels": { "b": "2", "a": "1" } },
            "Ports": { "80/tcp": [{ "HostPort": "8080" }] },
        });
        Template::parse(template)?.fill_with(&data)
    }

    #[test]
    fn what_docker_prints_is_printed() {
        // Each was compared with `docker inspect --format` of client 28.
        for (template, text) in [
            ("{{.Name}}", "/web"),
            ("a {{ .Id }} b", "a cafe b"),
            ("{{.State.Status}}", "running"),
            ("{{json .State.Status}}", "\"running\""),
            ("{{json .Args}}", "[\"-c\",\"true\"]"),
            ("{{.Args}}", "[-c true]"),
            ("{{.Config.Labels}}", "map[a:1 b:2]"),
            ("{{.Config.Labels.nope}}", "<no value>"),
            ("{{index .Config.Labels \"a\"}}{{index .Config.Labels `nope`}}", "1"),
            ("{{(index (index .Ports \"80/tcp\") 0).HostPort}}", "8080"),
            ("{{range .Args}}<{{.}}>{{end}}", "<-c><true>"),
            ("{{range $i, $arg := .Args}}{{$i}}={{$arg}},{{end}}", "0=-c,1=true,"),
            ("{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}} {{end}}", "a:1 b:2 "),
            ("{{range .Empty}}x{{else}}none{{end}}", "none"),
            ("{{if .Running}}yes{{else}}no{{end}}", "yes"),
            ("{{if .Empty}}yes{{else if .Id}}id{{else}}no{{end}}", "id"),
            ("{{with .State}}{{.Status}} {{$.Id}}{{end}}", "running cafe"),
            ("{{len .Args}} {{.Count}} {{.Running}} {{.Nothing}}", "2 3 true <nil>"),
            ("{{join .Args \" \"}} {{upper .Id}} {{.Id | title}} {{lower \"AB\"}}", "-c true CAFE Cafe ab"),
            ("{{split .Name \"e\"}} {{pad .Id 1 2}}| {{truncate .Id 2}}", "[/w b]  cafe  | ca"),
            (
                "{{println .Id 1}}{{print 1 2 .Id .Id}} {{printf \"%-6s|%3d|%q|%v\" .Id 7 .Id .Args}}",
                "cafe 1\n1 2cafecafe cafe  |  7|\"cafe\"|[-c true]",
            ),
            (
                "{{eq .Id \"x\" \"cafe\"}} {{ne .Count 3}} {{lt .Count 4}} {{and .Id .Empty}}{{or .Empty .Id}} {{not .Running}}",
                "true false true cafe false",
            ),
            ("{{- /* said */ -}}  x {{- \" y\" }}", "x y"),
            ("{{$x := .Count}}{{if eq $x 3}}{{$x = 4}}{{end}}{{$x}}", "4"),
            ("{{range .State.Health.Log}}{{if .ExitCode}}{{break}}{{end}}{{.ExitCode}}{{end}}", "0"),
            ("{{slice .Id 1 3}}", "af"),
            ("{{printf \"%70000d\" 3 | len}} {{printf \"%.70000f\" 1.5 | len}}", "70000 70002"),
        ] {
            assert_eq!(filled(template).as_deref(), Ok(text), "{template}");
        }
    }

    #[test]
    fn a_format_that_asks_for_too_much_is_read_no_further() {
        // Docker says besides which arguments are left.
        for format in ["a%99999999d|", "a%.99999999f|", "a%99999999999999999999d|"] {
            assert_eq!(filled(&format!("{{{{printf \"{format}\" 3}}}}")).as_deref(), Ok("a%!(NOVERB)"));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (template, said) in [
            ("{{.Id", "`{{.Id` is not closed"),
            ("{{if .Id}}", "is not ended"),
            ("{{end}}", "nothing for `{{end}}` to end"),
            ("{{nope .Id}}", "no function `nope`"),
            ("{{.Nam}}", "no field `.Nam` (did you mean `.Name`?"),
            ("{{.State.Statu}}", "no field `.Statu` (did you mean `.Status`?"),
            ("{{.Id.Deeper}}", "`.Deeper` of a text"),
            ("{{index .Args 7}}", "no entry 7"),
            ("{{.Id \"x\"}}", "`.Id` takes no arguments"),
            ("{{}}", "says nothing"),
            ("{{\"open}}", "text is not closed"),
            ("{{pad .Id 99999999999 1}}", "`pad` wants fewer spaces"),
            ("{{range 99999999999999}}{{end}}", "`range` goes round more than"),
            ("{{range 1000}}{{range 1000}}{{end}}{{end}}", "`range` goes round more than"),
        ] {
            let error = filled(template).unwrap_err().to_string();
            assert!(error.contains(said), "{template}: {error}");
        }
    }

    #[test]
    fn it_is_known_which_fields_are_needed() {
        let template = Template::parse("{{if .Size}}{{.ID}}{{end}}").unwrap();
        assert!(template.speaks_of("Size") && template.speaks_of("ID") && !template.speaks_of("Names"));
        assert!(Template::parse("{{json .}}").unwrap().speaks_of("Size"));
    }
}
