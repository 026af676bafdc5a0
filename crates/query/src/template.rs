//! Payload templates: JSON with expressions in it.

mod evaluate;
mod parse;

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::{Error, Scope, SyntaxError, intrinsic::Call, jsonata::Expression, jsonpath::Path};

/// The query language of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// JSONPath: a field whose name ends in `.$` holds a path or an intrinsic function.
    #[default]
    JsonPath,
    /// JSONata: a string `{% … %}` holds an expression.
    Jsonata,
}

/// A JSON value with expressions in it, all parsed: Parameters, ResultSelector, Arguments, Output, Assign, ItemSelector ….
#[derive(Clone, Debug)]
pub struct Template {
    source: Value,
    root: Node,
}

/// A part of a template.
#[derive(Clone, Debug)]
enum Node {
    /// JSON without an expression in it.
    Static(Value),
    Array(Vec<Node>),
    /// In the order of the output.
    Object(Vec<Field>),
    Path(Path),
    Call(Call),
    Expression(Expression),
}

/// A field of an object.
#[derive(Clone, Debug)]
struct Field {
    /// The name in the output.
    name: String,
    /// The name in the template: with `.$`, where it has that.
    key: String,
    node: Node,
}

/// An expression of a template.
#[derive(Clone, Copy, Debug)]
pub enum TemplateExpression<'t> {
    /// A JSONPath.
    Path(&'t Path),
    /// An intrinsic function.
    Call(&'t Call),
    /// A JSONata expression.
    Jsonata(&'t Expression),
}

impl Template {
    /// Parses a template, and tells every expression in it that is none. The pointers name the fields themselves; AWS's
    /// texts end in the pointer of the object around ("… at /States/X/Parameters").
    pub fn parse(source: &Value, language: Language) -> Result<Template, Vec<SyntaxError>> {
        let root = parse::parse(source, language)?;
        Ok(Template { source: source.clone(), root })
    }

    /// The template as it was written.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Every expression in it, in the order of the output.
    pub fn expressions(&self) -> Vec<TemplateExpression<'_>> {
        let mut found = Vec::new();
        collect(&self.root, &mut found);
        found
    }

    /// The template with every expression replaced by its value. In JSONPath static fields come first, then those of
    /// expressions in the order of a Java HashMap, as AWS has it; in JSONata the order is the template's. The same as
    /// [`Template::evaluate_at`] with an empty field.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Error> {
        self.evaluate_at(scope, "")
    }

    /// The same; `field` is the name of the state's field that holds the template (`Output`), so that the same expression
    /// in two fields of one moment draws different randomness.
    pub fn evaluate_at(&self, scope: &Scope<'_>, field: &str) -> Result<Value, Error> {
        evaluate::evaluate(&self.root, scope, field)
    }
}

fn collect<'t>(node: &'t Node, found: &mut Vec<TemplateExpression<'t>>) {
    match node {
        Node::Static(_) => {}
        Node::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Node::Object(fields) => fields.iter().for_each(|field| collect(&field.node, found)),
        Node::Path(path) => found.push(TemplateExpression::Path(path)),
        Node::Call(call) => found.push(TemplateExpression::Call(call)),
        Node::Expression(expression) => found.push(TemplateExpression::Jsonata(expression)),
    }
}
