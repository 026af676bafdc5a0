//! Evaluates parsed paths as Jayway does, with its words for what is not found.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    filter::Condition,
    function::Function,
    token::{Argument, Token, fragments, is_definite},
};
use crate::limits;

/// Why a path has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Jayway's PathNotFoundException.
    NotFound(String),
    /// Its other exceptions.
    Invalid(String),
}

impl Failure {
    /// In Jayway's words.
    pub fn into_message(self) -> String {
        match self {
            Failure::NotFound(message) | Failure::Invalid(message) => message,
        }
    }
}

/// What `tokens` find in `model`: the node of a definite path, an array of the nodes of an indefinite one.
pub fn evaluate<'d>(tokens: &[Token], model: &'d Value, root: &'d Value) -> Result<Cow<'d, Value>, Failure> {
    if tokens.is_empty() {
        return Ok(Cow::Borrowed(model));
    }
    let (tokens, scanned) = functions_of_scan(tokens, model, root)?;
    let mut search = Search { root, found: Vec::new(), scanned };
    search.apply(tokens, true, &Trail { before: None, step: Step::Root }, model, 0)?;
    if !is_definite(tokens) {
        return Ok(Cow::Owned(search.found.into_iter().map(Cow::into_owned).collect()));
    }
    search.found.pop().ok_or_else(|| Failure::NotFound(format!("No results for path: {}", fragments(tokens))))
}

/// A function after `..` is not applied to each node but once, to all that were found: `$..price.sum()`.
fn functions_of_scan<'t, 'd>(
    tokens: &'t [Token],
    model: &'d Value,
    root: &'d Value,
) -> Result<(&'t [Token], Option<Cow<'d, Value>>), Failure> {
    let (Some(Token::Scan), [before @ .., Token::Function { function, .. }]) = (tokens.first(), tokens) else {
        return Ok((tokens, None));
    };
    let found = if *function == Function::Length {
        let mut before = before.to_vec();
        before.push(Token::Wildcard);
        Cow::Owned(evaluate(&before, model, root)?.into_owned())
    } else {
        evaluate(before, model, root)?
    };
    Ok((tokens.get(before.len()..).unwrap_or_default(), Some(found)))
}

/// Where an index, negative from the end, lies in `length` items.
pub fn position(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let index = if index < 0 { index + length } else { index };
    usize::try_from(index).ok()
}

/// The way to a node, for error texts: written only when there is an error.
struct Trail<'t> {
    before: Option<&'t Trail<'t>>,
    step: Step<'t>,
}

enum Step<'t> {
    Root,
    Name(&'t str, char),
    Index(usize),
}

impl<'t> Trail<'t> {
    fn then(&'t self, step: Step<'t>) -> Trail<'t> {
        Trail { before: Some(self), step }
    }

    fn text(&self) -> String {
        let before = self.before.map(Trail::text).unwrap_or_default();
        match self.step {
            Step::Root => "$".to_owned(),
            Step::Name(name, delimiter) => format!("{before}[{delimiter}{name}{delimiter}]"),
            Step::Index(index) => format!("{before}[{index}]"),
        }
    }
}

struct Search<'d> {
    root: &'d Value,
    found: Vec<Cow<'d, Value>>,
    /// What a `..` found, to be the argument of the function after it.
    scanned: Option<Cow<'d, Value>>,
}

impl<'d> Search<'d> {
    /// Applies the first token to `model` and the others to what that leads to.
    fn apply(
        &mut self,
        tokens: &[Token],
        upstream_definite: bool,
        trail: &Trail<'_>,
        model: &'d Value,
        depth: usize,
    ) -> Result<(), Failure> {
        let Some((token, rest)) = tokens.split_first() else { return self.add(Cow::Borrowed(model)) };
        if depth > limits::DOCUMENT_DEPTH {
            return Err(Failure::Invalid(format!("The document is deeper than {}", limits::DOCUMENT_DEPTH)));
        }
        let definite = upstream_definite && token.is_definite(rest.is_empty());
        match token {
            Token::Property { names, delimiter } => {
                let Value::Object(fields) = model else {
                    return if upstream_definite { Err(not_an_object(token, trail, model)) } else { Ok(()) };
                };
                if names.len() > 1 && rest.is_empty() {
                    let merged: Map<String, Value> =
                        names.iter().filter_map(|name| Some((name.clone(), fields.get(name)?.clone()))).collect();
                    return self.add(Cow::Owned(Value::Object(merged)));
                }
                for name in names {
                    let trail = trail.then(Step::Name(name, *delimiter));
                    match fields.get(name) {
                        Some(field) => self.apply(rest, definite, &trail, field, depth + 1)?,
                        None if rest.is_empty() && upstream_definite => {
                            return Err(Failure::NotFound(format!("No results for path: {}", trail.text())));
                        }
                        None if definite => {
                            return Err(Failure::NotFound(format!("Missing property in path {}", trail.text())));
                        }
                        None => {}
                    }
                }
                Ok(())
            }
            Token::Index(indices) => {
                let Some(items) = array(token, upstream_definite, model)? else { return Ok(()) };
                indices.iter().try_for_each(|index| self.item(*index, items, rest, definite, trail, depth))
            }
            Token::Slice { from, to } => {
                let Some(items) = array(token, upstream_definite, model)? else { return Ok(()) };
                let (from, to) = bounds(*from, *to, items.len());
                (from..to).try_for_each(|index| self.item(index, items, rest, definite, trail, depth))
            }
            Token::Wildcard => self.wildcard(rest, trail, model, depth),
            Token::Scan => self.scan(rest, trail, model, depth),
            Token::Filter { condition, .. } => {
                self.filter(condition, token, rest, upstream_definite, trail, model, depth)
            }
            Token::Function { function, arguments } => self.function(*function, arguments, rest, model),
        }
    }

    fn add(&mut self, value: Cow<'d, Value>) -> Result<(), Failure> {
        if self.found.len() >= limits::PATH_RESULTS {
            return Err(Failure::Invalid(format!("The path finds more than {} nodes", limits::PATH_RESULTS)));
        }
        self.found.push(value);
        Ok(())
    }

    fn item(
        &mut self,
        index: i64,
        items: &'d [Value],
        rest: &[Token],
        definite: bool,
        trail: &Trail<'_>,
        depth: usize,
    ) -> Result<(), Failure> {
        let found = position(index, items.len()).and_then(|at| Some((at, items.get(at)?)));
        let Some((at, item)) = found else { return Ok(()) };
        self.apply(rest, definite, &trail.then(Step::Index(at)), item, depth + 1)
    }

    fn wildcard(&mut self, rest: &[Token], trail: &Trail<'_>, model: &'d Value, depth: usize) -> Result<(), Failure> {
        for (step, child) in children(model) {
            match self.apply(rest, false, &trail.then(step), child, depth + 1) {
                Err(Failure::NotFound(_)) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// `..`: `tokens` begins with the token that is applied at every depth.
    fn scan(&mut self, tokens: &[Token], trail: &Trail<'_>, model: &'d Value, depth: usize) -> Result<(), Failure> {
        if depth > limits::DOCUMENT_DEPTH {
            return Err(Failure::Invalid(format!("The document is deeper than {}", limits::DOCUMENT_DEPTH)));
        }
        let Some((token, rest)) = tokens.split_first() else { return Ok(()) };
        match model {
            Value::Object(fields) => {
                let wanted = match token {
                    Token::Property { names, .. } => {
                        !token.is_definite(rest.is_empty()) || names.iter().all(|name| fields.contains_key(name))
                    }
                    Token::Wildcard => true,
                    Token::Filter { condition, .. } => condition.holds(model, self.root),
                    _ => false,
                };
                if wanted {
                    self.apply(tokens, false, trail, model, depth)?;
                }
            }
            Value::Array(items) => {
                let wanted = match token {
                    Token::Index(_) | Token::Slice { .. } | Token::Wildcard => true,
                    Token::Filter { condition, .. } => condition.holds(model, self.root),
                    _ => false,
                };
                if wanted && rest.is_empty() {
                    self.apply(tokens, false, trail, model, depth)?;
                } else if wanted {
                    // Jayway goes on with every item of the array here, whatever the token says.
                    for (index, item) in items.iter().enumerate() {
                        self.apply(rest, false, &trail.then(Step::Index(index)), item, depth + 1)?;
                    }
                }
            }
            _ => {}
        }
        for (step, child) in children(model) {
            self.scan(tokens, &trail.then(step), child, depth + 1)?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one place calls it, which has them all")]
    fn filter(
        &mut self,
        condition: &Condition,
        token: &Token,
        rest: &[Token],
        upstream_definite: bool,
        trail: &Trail<'_>,
        model: &'d Value,
        depth: usize,
    ) -> Result<(), Failure> {
        match model {
            Value::Object(_) if condition.holds(model, self.root) => self.apply(rest, false, trail, model, depth + 1),
            Value::Object(_) => Ok(()),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if condition.holds(item, self.root) {
                        self.apply(rest, false, &trail.then(Step::Index(index)), item, depth + 1)?;
                    }
                }
                Ok(())
            }
            _ if upstream_definite => Err(Failure::Invalid(format!(
                "Filter: {} can not be applied to primitives. Current context is: {model}",
                token.fragment()
            ))),
            _ => Ok(()),
        }
    }

    fn function(
        &mut self,
        function: Function,
        arguments: &[Argument],
        rest: &[Token],
        model: &'d Value,
    ) -> Result<(), Failure> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(match argument {
                Argument::Literal(value) => Cow::Borrowed(value),
                Argument::Path(tokens) => evaluate(tokens, self.root, self.root)?,
            });
        }
        let result = match &self.scanned {
            Some(scanned) => function.call(scanned, &values)?,
            None => function.call(model, &values)?,
        };
        let result = if rest.is_empty() { result } else { evaluate(rest, &result, &result)?.into_owned() };
        self.add(Cow::Owned(result))
    }
}

fn children(model: &Value) -> Box<dyn Iterator<Item = (Step<'_>, &Value)> + '_> {
    match model {
        Value::Object(fields) => Box::new(fields.iter().map(|(name, field)| (Step::Name(name, '\''), field))),
        Value::Array(items) => Box::new(items.iter().enumerate().map(|(index, item)| (Step::Index(index), item))),
        _ => Box::new(std::iter::empty()),
    }
}

fn array<'d>(token: &Token, upstream_definite: bool, model: &'d Value) -> Result<Option<&'d Vec<Value>>, Failure> {
    match model {
        Value::Array(items) => Ok(Some(items)),
        _ if !upstream_definite => Ok(None),
        _ => Err(Failure::NotFound(format!(
            "Filter: {} can only be applied to arrays. Current context is: {model}",
            token.fragment()
        ))),
    }
}

/// A slice's bounds. Where both are given, a negative beginning is left as it is, as in Jayway.
fn bounds(from: Option<i64>, to: Option<i64>, length: usize) -> (i64, i64) {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    match (from, to) {
        (Some(from), None) => ((if from < 0 { from + length } else { from }).max(0), length),
        (None, Some(to)) => (0, (if to < 0 { to + length } else { to }).min(length)),
        (Some(from), Some(to)) => (from, to.min(length)),
        (None, None) => (0, length),
    }
}

fn not_an_object(token: &Token, trail: &Trail<'_>, model: &Value) -> Failure {
    let class = match model {
        Value::Null => "NullNode",
        Value::Bool(_) => "BooleanNode",
        Value::Number(number) if number.is_f64() => "DoubleNode",
        Value::Number(_) => "IntNode",
        Value::String(_) => "TextNode",
        Value::Array(_) => "ArrayNode",
        Value::Object(_) => "ObjectNode",
    };
    Failure::NotFound(format!(
        "Expected to find an object with property {} in path {} but found 'com.fasterxml.jackson.databind.node.{class}'. \
         This is not a json object according to the JsonProvider: \
         'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'.",
        token.fragment(),
        trail.text()
    ))
}
