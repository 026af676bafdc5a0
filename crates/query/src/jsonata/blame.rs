//! Finds out what an error is of. The library says that an argument is none of its function's, or that two values can't be
//! compared, but not which function and which values. Where an error is told in such words, the expression is evaluated once
//! more with notes before each call and each operator:
//!
//! ```text
//! ($0n! := $a; $1n! := $b; $note!("<", $, $0n!, $1n!); $0n! < $1n!)
//! ```
//!
//! What was noted last is what failed.

use std::{cell::RefCell, rc::Rc};

use jsonata_core::{
    ast::{AstNode, BinaryOp, UnaryOp},
    evaluator::{Evaluator, EvaluatorError},
    value::JValue,
};

use super::{convert, tree};

/// What was noted last.
#[derive(Clone, Debug, Default)]
pub(super) struct Noted {
    /// The function's name without its `$`, the operator's symbol.
    pub(super) what: String,
    /// `$` there.
    context: Option<JValue>,
    /// The arguments, the two sides.
    values: Vec<JValue>,
    /// The values of an order-by clause's first term, item by item.
    terms: Vec<JValue>,
}

impl Noted {
    /// An argument, a side, as JSON.
    pub(super) fn value(&self, index: usize) -> String {
        self.values.get(index).map_or_else(|| "undefined".to_owned(), as_json)
    }

    /// The first argument, or what stands for it where it is left out.
    pub(super) fn subject(&self) -> String {
        self.values.first().or(self.context.as_ref()).map_or_else(|| "undefined".to_owned(), as_json)
    }

    /// Which two values an order-by clause couldn't compare.
    pub(super) fn unlike_terms(&self) -> Option<(String, String)> {
        let order: Vec<&JValue> = self.terms.iter().collect();
        let (first, second) = sort(&order).err()?;
        Some((as_json(first), as_json(second)))
    }
}

/// Sorts as the language does, until two values are a number and a text.
fn sort<'a>(values: &[&'a JValue]) -> Result<Vec<&'a JValue>, (&'a JValue, &'a JValue)> {
    if values.len() < 2 {
        return Ok(values.to_vec());
    }
    let (left, right) = values.split_at(values.len() / 2);
    let (left, right) = (sort(left)?, sort(right)?);
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    let mut sorted = Vec::with_capacity(values.len());
    while let (Some(first), Some(second)) = (left.peek().copied(), right.peek().copied()) {
        let is_after = match (first, second) {
            (JValue::Number(first), JValue::Number(second)) => first > second,
            (JValue::String(first), JValue::String(second)) => first > second,
            (JValue::Undefined, _) => true,
            (_, JValue::Undefined) => false,
            _ => return Err((first, second)),
        };
        sorted.extend(if is_after { right.next() } else { left.next() });
    }
    sorted.extend(left.chain(right));
    Ok(sorted)
}

fn as_json(value: &JValue) -> String {
    match convert::to_json(value) {
        Ok(_) if value.is_undefined() => "undefined".to_owned(),
        Ok(json) => json.to_string(),
        Err(_) => "undefined".to_owned(),
    }
}

/// Makes the functions known that take the notes.
pub(super) fn register(evaluator: &mut Evaluator, noted: &Rc<RefCell<Noted>>) -> Result<(), EvaluatorError> {
    let of_note = Rc::clone(noted);
    evaluator.register_fn("note!", move |arguments: &[JValue]| {
        if let [JValue::String(what), context, values @ ..] = arguments {
            let mut noted = of_note.borrow_mut();
            noted.what = what.to_string();
            noted.context = Some(context.clone());
            noted.values = values.to_vec();
        }
        Ok(JValue::Undefined)
    })?;
    let of_sort = Rc::clone(noted);
    evaluator.register_fn("sort!", move |arguments: &[JValue]| {
        of_sort.borrow_mut().terms.clear();
        Ok(arguments.first().cloned().unwrap_or(JValue::Undefined))
    })?;
    let of_term = Rc::clone(noted);
    evaluator.register_fn("term!", move |arguments: &[JValue]| {
        let term = arguments.first().cloned().unwrap_or(JValue::Undefined);
        of_term.borrow_mut().terms.push(term.clone());
        Ok(term)
    })
}

/// The expression with notes.
pub(super) fn with_notes(node: AstNode) -> AstNode {
    match node {
        AstNode::Function { name, args, is_builtin } => {
            let args: Vec<AstNode> = args.into_iter().map(with_notes).collect();
            noted_call(name, args, is_builtin)
        }
        // What is bound is no value.
        AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } => {
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs: Box::new(with_notes(*rhs)) }
        }
        AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } => piped(*lhs, *rhs),
        AstNode::Binary { op, lhs, rhs } => {
            let sides = vec![with_notes(*lhs), with_notes(*rhs)];
            let Some(symbol) = symbol(op) else { return binary(op, sides) };
            noted(symbol, sides, |sides| binary(op, sides))
        }
        AstNode::Unary { op: UnaryOp::Negate, operand } => {
            noted("-", vec![with_notes(*operand)], |values| match values.into_iter().next() {
                Some(operand) => AstNode::Unary { op: UnaryOp::Negate, operand: Box::new(operand) },
                None => AstNode::Undefined,
            })
        }
        AstNode::Sort { input, terms } => {
            let term = |(index, (term, ascending))| {
                let term = with_notes(term);
                (if index == 0 { function("term!", vec![term]) } else { term }, ascending)
            };
            let input = Box::new(function("sort!", vec![with_notes(*input)]));
            AstNode::Sort { input, terms: terms.into_iter().enumerate().map(term).collect() }
        }
        AstNode::Transform { location, update, delete } => AstNode::Transform {
            location: Box::new(with_notes(*location)),
            update: Box::new(noted_value("update", with_notes(*update))),
            delete: delete.map(|delete| Box::new(noted_value("delete", with_notes(*delete)))),
        },
        other => tree::map(other, &mut with_notes),
    }
}

/// `lhs ~> rhs`: what is called on the right side has the left one as its first argument.
fn piped(lhs: AstNode, rhs: AstNode) -> AstNode {
    match rhs {
        AstNode::Function { name, args, is_builtin }
            if !args.iter().any(|node| matches!(node, AstNode::Placeholder)) =>
        {
            let args = std::iter::once(lhs).chain(args).map(with_notes).collect();
            noted_call(name, args, is_builtin)
        }
        AstNode::Variable(name) => noted(&name.clone(), vec![with_notes(lhs)], |sides| {
            binary(BinaryOp::ChainPipe, sides.into_iter().chain([AstNode::Variable(name)]).collect())
        }),
        rhs => binary(BinaryOp::ChainPipe, vec![with_notes(lhs), with_notes(rhs)]),
    }
}

fn noted_call(name: String, args: Vec<AstNode>, is_builtin: bool) -> AstNode {
    // The functions of `bounds` don't fail in these words.
    if name.ends_with('!') || args.iter().any(|argument| matches!(argument, AstNode::Placeholder)) {
        return AstNode::Function { name, args, is_builtin };
    }
    noted(&name.clone(), args, |args| AstNode::Function { name, args, is_builtin })
}

fn noted_value(what: &str, value: AstNode) -> AstNode {
    noted(what, vec![value], |values| values.into_iter().next().unwrap_or(AstNode::Undefined))
}

/// Evaluates the values once, notes them, and makes of them what there was.
fn noted(what: &str, values: Vec<AstNode>, make: impl FnOnce(Vec<AstNode>) -> AstNode) -> AstNode {
    let mut block = Vec::with_capacity(values.len() + 2);
    let mut names = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let name = AstNode::Variable(format!("{index}n!"));
        names.push(name.clone());
        block.push(AstNode::Binary { op: BinaryOp::ColonEqual, lhs: Box::new(name), rhs: Box::new(value) });
    }
    let mut note = vec![AstNode::String(what.to_owned()), AstNode::Variable(String::new())];
    note.extend(names.iter().cloned());
    block.push(function("note!", note));
    block.push(make(names));
    AstNode::Block(block)
}

fn binary(op: BinaryOp, sides: Vec<AstNode>) -> AstNode {
    let mut sides = sides.into_iter().map(Box::new);
    match (sides.next(), sides.next()) {
        (Some(lhs), Some(rhs)) => AstNode::Binary { op, lhs, rhs },
        _ => AstNode::Undefined,
    }
}

fn function(name: &str, args: Vec<AstNode>) -> AstNode {
    AstNode::Function { name: name.to_owned(), args, is_builtin: true }
}

/// The operators that can refuse a value, as they are written.
fn symbol(op: BinaryOp) -> Option<&'static str> {
    Some(match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Modulo => "%",
        BinaryOp::LessThan => "<",
        BinaryOp::LessThanOrEqual => "<=",
        BinaryOp::GreaterThan => ">",
        BinaryOp::GreaterThanOrEqual => ">=",
        _ => return None,
    })
}
