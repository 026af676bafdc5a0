//! Evaluates templates.

use serde_json::{Map, Value};

use super::Node;
use crate::{Error, Scope, jsonata::Session};

/// The template's value in a scope.
pub fn evaluate(root: &Node, scope: &Scope<'_>, field: &str) -> Result<Value, Error> {
    let mut evaluation =
        Evaluation { scope, session: Session::new(scope), place: field.to_owned(), field_length: field.len() };
    evaluation.node(root)
}

struct Evaluation<'a> {
    scope: &'a Scope<'a>,
    session: Session<'a>,
    /// Where in the state: the field's name, then where in the template.
    place: String,
    /// How much of `place` is the field's name.
    field_length: usize,
}

impl Evaluation<'_> {
    fn node(&mut self, node: &Node) -> Result<Value, Error> {
        match node {
            Node::Static(value) => Ok(value.clone()),
            Node::Array(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    values.push(self.inside(&format!("[{index}]"), item)?);
                }
                Ok(Value::Array(values))
            }
            Node::Object(fields) => {
                let mut values = Map::with_capacity(fields.len());
                for field in fields {
                    let value = self.inside(&format!("/{}", field.key), &field.node)?;
                    values.insert(field.name.clone(), value);
                }
                Ok(Value::Object(values))
            }
            Node::Path(path) => path.evaluate_for_field(self.scope).map_err(|error| self.locate(error)),
            Node::Call(call) => call.evaluate_at(self.scope, &self.place).map_err(|error| self.locate(error)),
            Node::Expression(expression) => {
                self.session.evaluate(expression, &self.place).map_err(|error| self.locate(error))
            }
        }
    }

    fn inside(&mut self, step: &str, node: &Node) -> Result<Value, Error> {
        let length = self.place.len();
        self.place.push_str(step);
        let value = self.node(node);
        self.place.truncate(length);
        value
    }

    /// The error with where it is in the template.
    fn locate(&self, mut error: Error) -> Error {
        let location = self.place.get(self.field_length..).unwrap_or_default();
        error.location = location.strip_prefix('/').unwrap_or(location).to_owned();
        error
    }
}
