//! Walks the tree with data.

use serde_json::Value;

use super::functions::{self, is_true};
use super::parser::{Binding, Node, Operand, Pipeline};
use super::print::{NO_VALUE, text_of};
use super::{Data, Part, TemplateError};

/// Fills a template.
pub(super) fn fill(nodes: &[Node], data: Data<'_>) -> Result<String, TemplateError> {
    let mut walk = Walk { data, variables: Vec::new(), out: String::new(), rounds_left: MOST_ROUNDS };
    walk.nodes(nodes, data.dot)?;
    Ok(walk.out)
}

struct Walk<'a> {
    data: Data<'a>,
    /// The innermost last.
    variables: Vec<(String, Value)>,
    out: String,
    rounds_left: u64,
}

/// So often may its loops go round in all: nothing that there is a list of has so many entries.
const MOST_ROUNDS: u64 = 100_000;

/// How a part of a loop's body ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Went {
    Through,
    OutOfLoop,
    ToNext,
}

/// What can be found under a name: of a map, anything; of something whose fields are known, only those.
const MAPS: [&str; 8] =
    ["Attributes", "Labels", "Ports", "PortBindings", "ExposedPorts", "Networks", "Tmpfs", "Volumes"];

impl Walk<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Went, TemplateError> {
        for node in nodes {
            let scope = self.variables.len();
            let went = match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    continue;
                }
                Node::Show(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.variables.is_empty() {
                        self.out.push_str(&value.map_or_else(|| NO_VALUE.into(), |value| text_of(&value)));
                    }
                    continue;
                }
                Node::If { condition, then, otherwise } => {
                    let holds = self.pipeline(condition, dot)?.is_some_and(|value| is_true(&value));
                    self.nodes(if holds { then } else { otherwise }, dot)?
                }
                Node::With { value, body, otherwise } => match self.pipeline(value, dot)?.filter(is_true) {
                    Some(inner) => self.nodes(body, &inner)?,
                    None => self.nodes(otherwise, dot)?,
                },
                Node::Range { over, body, otherwise } => self.range(over, body, otherwise, dot)?,
                Node::Break => Went::OutOfLoop,
                Node::Continue => Went::ToNext,
            };
            self.variables.truncate(scope);
            if went != Went::Through {
                return Ok(went);
            }
        }
        Ok(Went::Through)
    }

    fn range(
        &mut self,
        over: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<Went, TemplateError> {
        let plain = Pipeline { variables: Vec::new(), ..over.clone() };
        let entries: Vec<(Value, Value)> = match self.pipeline(&plain, dot)? {
            Some(Value::Array(items)) => (0_u64..).map(Value::from).zip(items).collect(),
            Some(Value::Object(entries)) => {
                let mut entries: Vec<_> =
                    entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect();
                entries.sort_by(|(one, _), (other, _)| one.as_str().cmp(&other.as_str()));
                entries
            }
            // One more than there can be rounds is enough to say so.
            Some(Value::Number(count)) => {
                let count = count.as_u64().unwrap_or(0).min(MOST_ROUNDS + 1);
                (0..count).map(|n| (n.into(), n.into())).collect()
            }
            Some(Value::String(text)) if !text.is_empty() => {
                return Err(unfillable(format!("`range` wants a list or a map, not the text `{text}`")));
            }
            _ => Vec::new(),
        };
        if entries.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, value) in entries {
            let left = self.rounds_left.checked_sub(1);
            self.rounds_left =
                left.ok_or_else(|| unfillable(format!("`range` goes round more than {MOST_ROUNDS} times")))?;
            let scope = self.variables.len();
            match over.variables.as_slice() {
                [of_value] => self.variables.push((of_value.clone(), value.clone())),
                [of_key, of_value] => {
                    self.variables.push((of_key.clone(), key));
                    self.variables.push((of_value.clone(), value.clone()));
                }
                _ => {}
            }
            let went = self.nodes(body, &value)?;
            self.variables.truncate(scope);
            if went == Went::OutOfLoop {
                break;
            }
        }
        Ok(Went::Through)
    }

    /// Its value; none if it speaks of an entry that a map does not have.
    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Option<Value>, TemplateError> {
        let mut value = None;
        for (nth, command) in pipeline.commands.iter().enumerate() {
            let last = (nth > 0).then(|| value.take().unwrap_or(Value::Null));
            value = self.command(command, last, dot)?;
        }
        for name in &pipeline.variables {
            let value = value.clone().unwrap_or(Value::Null);
            match pipeline.binding {
                Binding::New => self.variables.push((name.clone(), value)),
                Binding::Changed => match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
                    Some((_, known)) => *known = value,
                    None => return Err(undefined(name)),
                },
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        command: &[Operand],
        last: Option<Value>,
        dot: &Value,
    ) -> Result<Option<Value>, TemplateError> {
        let Some((first, rest)) = command.split_first() else { return Ok(last) };
        let mut arguments = Vec::new();
        for operand in rest {
            arguments.push(self.operand(operand, dot)?.unwrap_or(Value::Null));
        }
        arguments.extend(last);
        match first {
            Operand::Function(name) => self.call(name, &arguments).map(Some),
            Operand::Field(path) if path.len() == 1 && path[0] == "Label" && arguments.len() == 1 => {
                let label = arguments[0].as_str().and_then(|key| self.data.labels.get(key));
                let heading = arguments[0].clone();
                Ok(Some(match self.data.part {
                    Part::Heading => heading,
                    Part::Body => label.cloned().unwrap_or_default().into(),
                }))
            }
            Operand::Field(path) if !arguments.is_empty() => {
                Err(unfillable(format!("`.{}` takes no arguments", path.join("."))))
            }
            other if !arguments.is_empty() => {
                let what = self.operand(other, dot)?.unwrap_or(Value::Null);
                Err(unfillable(format!("`{}` is no function and takes no arguments", text_of(&what))))
            }
            other => self.operand(other, dot),
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, TemplateError> {
        // A heading stays as it is, whatever is made of what stands under it.
        let shapes = ["json", "split", "join", "title", "lower", "upper", "truncate"];
        if self.data.part == Part::Heading
            && shapes.contains(&name)
            && let Some(heading) = arguments.first()
        {
            return Ok(heading.clone());
        }
        functions::call(name, arguments).map_err(unfillable)
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Option<Value>, TemplateError> {
        match operand {
            Operand::Field(path) => walk(dot, path),
            Operand::Variable(name, path) if name.is_empty() => walk(self.data.dot, path),
            Operand::Variable(name, path) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                walk(&known.ok_or_else(|| undefined(name))?.1, path)
            }
            Operand::Literal(value) => Ok(Some(value.clone())),
            Operand::Function(name) => self.call(name, &[]).map(Some),
            Operand::Inner(pipeline, path) => {
                let value = self.pipeline(pipeline, dot)?.unwrap_or(Value::Null);
                walk(&value, path)
            }
        }
    }
}

/// Goes from field to field.
fn walk(from: &Value, path: &[String]) -> Result<Option<Value>, TemplateError> {
    let mut value = from;
    let mut in_map = false;
    for name in path {
        value = match value {
            Value::Object(fields) => match fields.get(name) {
                Some(field) => field,
                None if in_map => return Ok(None),
                None => return Err(no_field(name, fields.keys())),
            },
            Value::Null => {
                return Err(unfillable(format!(
                    "there is no `.{name}` of nothing (ask first: `{{{{if}}}}`)"
                )));
            }
            other => {
                let kind = match other {
                    Value::String(_) => "a text",
                    Value::Array(_) => "a list (take one of it: `index`, `range`)",
                    _ => "a number",
                };
                return Err(unfillable(format!("there is no `.{name}` of {kind}")));
            }
        };
        in_map = MAPS.contains(&name.as_str());
    }
    Ok(Some(value.clone()))
}

fn no_field<'a>(name: &str, fields: impl Iterator<Item = &'a String>) -> TemplateError {
    let fields: Vec<&String> = fields.collect();
    let distance = |field: &&&String| edits(&name.to_lowercase(), &field.to_lowercase());
    let near = fields.iter().min_by_key(distance).filter(|field| distance(field) <= 2.max(name.len() / 3));
    let all = "see all of them: `--format '{{json .}}'`";
    unfillable(match near {
        Some(near) => format!("there is no field `.{name}` (did you mean `.{near}`? {all})"),
        None => format!("there is no field `.{name}` ({all})"),
    })
}

/// How many letters one has to change, add or leave out.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (nth, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = nth + 1;
        for (at, wanted) in other.iter().enumerate() {
            let change = diagonal + usize::from(letter != *wanted);
            diagonal = row[at + 1];
            row[at + 1] = change.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

fn undefined(name: &str) -> TemplateError {
    unfillable(format!("there is no variable `${name}`"))
}

fn unfillable(what: String) -> TemplateError {
    TemplateError::Unfillable(what)
}
