//! Finds and parses the expressions of a template.

use serde_json::{Map, Value};

use super::{Field, Language, Node};
use crate::{
    SyntaxError,
    intrinsic::Call,
    java,
    jsonata::{self, Expression},
    jsonpath::Path,
    limits,
};

/// The template, or everything that is wrong with it.
pub fn parse(source: &Value, language: Language) -> Result<Node, Vec<SyntaxError>> {
    let mut parser = Parser { language, errors: Vec::new(), pointer: String::new() };
    let root = parser.node(source, 0);
    if parser.errors.is_empty() { Ok(root) } else { Err(parser.errors) }
}

struct Parser {
    language: Language,
    errors: Vec<SyntaxError>,
    /// Where in the template.
    pointer: String,
}

impl Parser {
    fn fail(&mut self, mut error: SyntaxError) -> Node {
        error.pointer.clone_from(&self.pointer);
        self.errors.push(error);
        Node::Static(Value::Null)
    }

    /// Parses a part of what is here.
    fn inside<T>(&mut self, part: &str, parse: impl FnOnce(&mut Parser) -> T) -> T {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        let parsed = parse(self);
        self.pointer.truncate(length);
        parsed
    }

    fn node(&mut self, source: &Value, depth: usize) -> Node {
        if depth > limits::VALUE_DEPTH {
            return self
                .fail(SyntaxError::new(format!("the template nests deeper than {}", limits::VALUE_DEPTH), None));
        }
        match source {
            Value::Array(items) => {
                let parse = |(index, item): (usize, &Value)| {
                    self.inside(&index.to_string(), |parser| parser.node(item, depth + 1))
                };
                let items: Vec<Node> = items.iter().enumerate().map(parse).collect();
                if items.iter().all(is_static) { Node::Static(source.clone()) } else { Node::Array(items) }
            }
            Value::Object(fields) => self.object(source, fields, depth),
            Value::String(text) if self.language == Language::Jsonata => self.jsonata(text),
            other => Node::Static(other.clone()),
        }
    }

    fn object(&mut self, source: &Value, fields: &Map<String, Value>, depth: usize) -> Node {
        let mut parsed = Vec::with_capacity(fields.len());
        let mut dynamic = Vec::new();
        for (key, value) in fields {
            self.inside(key, |parser| match key.strip_suffix(".$") {
                Some(name) if parser.language == Language::JsonPath => {
                    let node = parser.jsonpath(key, value);
                    dynamic.push(Field { name: name.to_owned(), key: key.clone(), node });
                }
                _ => {
                    let node = parser.node(value, depth + 1);
                    parsed.push(Field { name: key.clone(), key: key.clone(), node });
                }
            });
        }
        if dynamic.is_empty() && parsed.iter().all(|field| is_static(&field.node)) {
            return Node::Static(source.clone());
        }
        let names: Vec<&str> = dynamic.iter().map(|field| field.name.as_str()).collect();
        let order = java::hash_map_order(&names);
        let mut dynamic: Vec<Option<Field>> = dynamic.into_iter().map(Some).collect();
        parsed.extend(order.into_iter().filter_map(|index| dynamic.get_mut(index)?.take()));
        Node::Object(parsed)
    }

    /// The value of a field whose name ends in `.$`.
    fn jsonpath(&mut self, key: &str, value: &Value) -> Node {
        let Value::String(text) = value else {
            return self.fail(SyntaxError::new(refusal(key), None));
        };
        let parsed =
            if text.starts_with('$') { Path::parse(text).map(Node::Path) } else { Call::parse(text).map(Node::Call) };
        parsed.unwrap_or_else(|error| {
            self.fail(SyntaxError { message: refusal(key), detail: Some(error.message.clone()), ..error })
        })
    }

    fn jsonata(&mut self, text: &str) -> Node {
        match jsonata::delimited(text) {
            Some(inside) => Expression::parse(inside).map(Node::Expression).unwrap_or_else(|error| self.fail(error)),
            None if text.starts_with("{%") || text.ends_with("%}") => {
                self.fail(SyntaxError::new(jsonata::NOT_DELIMITED, None))
            }
            None => Node::Static(Value::String(text.to_owned())),
        }
    }
}

fn is_static(node: &Node) -> bool {
    matches!(node, Node::Static(_))
}

/// In AWS's words.
fn refusal(key: &str) -> String {
    format!("The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call")
}
