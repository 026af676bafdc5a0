//! What is known of a value before it is there.

use std::collections::BTreeMap;

use query::{Language, Template};
use serde_json::Value;

/// How deep a value is known.
const MAX_DEPTH: usize = 8;

/// What is known of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing, or not enough: no path into it is wrong.
    Unknown,
    /// No object and no array: no path leads into it.
    Scalar,
    /// An object that has these fields at most.
    Object(BTreeMap<String, Shape>),
}

impl Shape {
    /// That of a value that is written out.
    pub(super) fn of_value(value: &Value) -> Shape {
        Shape::of(value, None, 0)
    }

    /// That of what a template makes: its expressions can be anything.
    pub(super) fn of_template(template: &Template, language: Language) -> Shape {
        Shape::of(template.source(), Some(language), 0)
    }

    fn of(value: &Value, language: Option<Language>, depth: usize) -> Shape {
        match value {
            _ if depth > MAX_DEPTH => Shape::Unknown,
            Value::Array(_) => Shape::Unknown,
            Value::String(text) if language == Some(Language::Jsonata) && text.starts_with("{%") => Shape::Unknown,
            Value::Object(fields) => {
                let field = |(key, value): (&String, &Value)| match key.strip_suffix(".$") {
                    Some(name) if language == Some(Language::JsonPath) => (name.to_owned(), Shape::Unknown),
                    _ => (key.clone(), Shape::of(value, language, depth.saturating_add(1))),
                };
                Shape::Object(fields.iter().map(field).collect())
            }
            _ => Shape::Scalar,
        }
    }

    /// That of a part, by names from the outside in; `None` where there surely is none.
    pub(super) fn part(&self, names: &[String]) -> Option<&Shape> {
        let Some((first, rest)) = names.split_first() else { return Some(self) };
        match self {
            Shape::Unknown => Some(self),
            Shape::Scalar => None,
            Shape::Object(fields) => fields.get(first)?.part(rest),
        }
    }

    /// The same with another part put into it, as ResultPath does.
    pub(super) fn with(self, names: &[String], part: Shape) -> Shape {
        let Some((first, rest)) = names.split_first() else { return part };
        match self {
            Shape::Object(mut fields) => {
                let inner = fields.remove(first).unwrap_or_else(|| Shape::Object(BTreeMap::new()));
                fields.insert(first.clone(), inner.with(rest, part));
                Shape::Object(fields)
            }
            _ => Shape::Unknown,
        }
    }

    /// What is known where it is one or the other.
    pub(super) fn or(self, other: Shape) -> Shape {
        match (self, other) {
            (Shape::Object(mut fields), Shape::Object(others)) => {
                for (name, shape) in others {
                    let joined = match fields.remove(&name) {
                        Some(known) => known.or(shape),
                        None => shape,
                    };
                    fields.insert(name, joined);
                }
                Shape::Object(fields)
            }
            (left, right) if left == right => left,
            _ => Shape::Unknown,
        }
    }
}
