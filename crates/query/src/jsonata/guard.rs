//! Rewrites an expression so that the calls that can't be interrupted are looked at before they are made.
//!
//! The library looks at the clock between the parts of an expression, not within a call of a function. A few functions can run
//! for hours or fill the memory on a small input: `$distinct` compares all with all, a regular expression may look at the whole
//! rest of a text for each match, `$replace` can put a long text in place of each letter. So `$join($a, $b)` becomes
//!
//! ```text
//! ($1 := $a; $2 := $b; $check!("join", $join, $, $1, $2); $join($1, $2))
//! ```
//!
//! with names that nobody can write. `bounds` has the functions that look.

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

use super::product;
use crate::limits;

/// The functions that are looked at before they are called, and how many parameters they have.
const GUARDED: [(&str, usize); 12] = [
    ("base64decode", 1),
    ("contains", 2),
    ("decodeUrl", 1),
    ("decodeUrlComponent", 1),
    ("distinct", 1),
    ("join", 2),
    ("match", 3),
    ("pad", 3),
    ("replace", 4),
    ("split", 3),
    ("string", 1),
    ("zip", 0),
];

/// Step Functions' own functions, which take no more arguments than these: `$map` would give them three.
const ADDED: [(&str, usize); 5] = [("hash", 2), ("parse", 1), ("partition", 2), ("random", 1), ("range", 3)];

/// Functions that are lenient in the library and not on AWS.
const LENIENT: [&str; 3] = ["base64decode", "decodeUrl", "decodeUrlComponent"];

/// Functions that look for a regular expression again and again.
const SEARCHING: [&str; 3] = ["match", "replace", "split"];

/// From how many `&` on they are counted, even where each happens once.
const CONCATENATIONS: usize = 32;

/// The expression, guarded. An error says what is too large in it.
pub fn guard(tree: AstNode) -> Result<AstNode, String> {
    let mut survey = Survey::default();
    survey.look(&tree);
    if survey.empty {
        return Err("S0301: Empty regular expressions are not allowed".to_owned());
    }
    if let Some(pattern) = survey.too_large {
        return Err(format!("the regular expression /{pattern}/ is too large when it is compiled"));
    }
    let guard = Guard { rebinds_replace: survey.rebinds_replace, many: survey.concatenations > CONCATENATIONS };
    Ok(guard.node(tree, false))
}

/// What there is in an expression.
#[derive(Default)]
struct Survey {
    /// It binds `$replace`.
    rebinds_replace: bool,
    /// How many `&` it has.
    concatenations: usize,
    /// It has an empty regular expression.
    empty: bool,
    /// A regular expression that takes too much room.
    too_large: Option<String>,
}

impl Survey {
    fn look(&mut self, node: &AstNode) {
        let binds = |name: &String| name == "replace";
        match node {
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, .. } => {
                self.rebinds_replace |= matches!(&**lhs, AstNode::Variable(name) if binds(name));
            }
            AstNode::Binary { op: BinaryOp::Concatenate, .. } => self.concatenations += 1,
            AstNode::Lambda { params, .. } => self.rebinds_replace |= params.iter().any(binds),
            AstNode::Path { steps } => {
                let mut names = steps.iter().flat_map(|step| step.focus.iter().chain(&step.index_var));
                self.rebinds_replace |= names.any(binds);
            }
            AstNode::Regex { pattern, .. } if pattern.is_empty() => self.empty = true,
            AstNode::Regex { pattern, .. } if is_too_large(pattern) => self.too_large = Some(pattern.clone()),
            _ => {}
        }
        children(node, &mut |child| self.look(child));
    }
}

/// Whether a regular expression is so large that looking for it takes too long. What is none, the library refuses.
fn is_too_large(pattern: &str) -> bool {
    let compiled = regex::RegexBuilder::new(pattern).size_limit(limits::JSONATA_REGEX_SIZE).build();
    matches!(compiled, Err(regex::Error::CompiledTooBig(_))) || unrolled(pattern) > limits::JSONATA_REGEX_PARTS
}

/// How many parts a regular expression has once what is counted in it is written out: `(a{3}b){2}` has eight.
fn unrolled(pattern: &str) -> usize {
    // The parts of each group that is open so far, and those of the last part in it.
    let mut open = vec![(0usize, 0usize)];
    let mut characters = pattern.chars();
    while let Some(found) = characters.next() {
        let part = match found {
            '(' => {
                open.push((0, 0));
                continue;
            }
            ')' if open.len() > 1 => open.pop().map_or(0, |(parts, _)| parts),
            '{' => {
                let counts: String = characters.clone().take_while(|found| *found != '}').collect();
                let most = counts.split(',').filter_map(|count| count.parse::<usize>().ok()).max();
                if let (Some(most), Some((parts, last))) = (most, open.last_mut()) {
                    let more = last.saturating_mul(most);
                    *parts = parts.saturating_sub(*last).saturating_add(more);
                    *last = more;
                    characters.by_ref().take(counts.chars().count() + 1).for_each(drop);
                }
                continue;
            }
            '[' => {
                let mut escaped = false;
                for inside in characters.by_ref() {
                    match inside {
                        _ if escaped => escaped = false,
                        '\\' => escaped = true,
                        ']' => break,
                        _ => {}
                    }
                }
                1
            }
            '\\' => {
                characters.next();
                1
            }
            _ => 1,
        };
        if let Some((parts, last)) = open.last_mut() {
            *parts = parts.saturating_add(part);
            *last = part;
        }
    }
    open.iter().fold(0, |all, (parts, _)| all.saturating_add(*parts))
}

fn children(node: &AstNode, visit: &mut dyn FnMut(&AstNode)) {
    match node {
        AstNode::Path { steps } => {
            for step in steps {
                visit(&step.node);
                for stage in &step.stages {
                    if let Stage::Filter(filter) = stage {
                        visit(filter);
                    }
                }
            }
        }
        AstNode::Binary { lhs, rhs, .. } => {
            visit(lhs);
            visit(rhs);
        }
        AstNode::Unary { operand, .. } => visit(operand),
        AstNode::Function { args, .. } => args.iter().for_each(visit),
        AstNode::Call { procedure, args } => {
            visit(procedure);
            args.iter().for_each(visit);
        }
        AstNode::Lambda { body, .. } => visit(body),
        AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => items.iter().for_each(visit),
        AstNode::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            visit(key);
            visit(value);
        }),
        AstNode::ObjectTransform { input, pattern } => {
            visit(input);
            pattern.iter().for_each(|(key, value)| {
                visit(key);
                visit(value);
            });
        }
        AstNode::Conditional { condition, then_branch, else_branch } => {
            visit(condition);
            visit(then_branch);
            else_branch.iter().for_each(|branch| visit(branch));
        }
        AstNode::FunctionApplication(inner) => visit(inner),
        AstNode::Sort { input, terms } => {
            visit(input);
            terms.iter().for_each(|(term, _)| visit(term));
        }
        AstNode::Transform { location, update, delete } => {
            visit(location);
            visit(update);
            delete.iter().for_each(|delete| visit(delete));
        }
        _ => {}
    }
}

struct Guard {
    /// `$replace` may be another function than the library's.
    rebinds_replace: bool,
    many: bool,
}

impl Guard {
    /// `repeats`: this may be evaluated many times.
    fn node(&self, node: AstNode, repeats: bool) -> AstNode {
        match node {
            AstNode::Variable(name) => value(name),
            AstNode::Function { name, args, is_builtin } => {
                let args = self.nodes(args, repeats);
                if is_builtin { self.call(&name, &name, args) } else { AstNode::Function { name, args, is_builtin } }
            }
            // What is bound is no value.
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } => {
                let rhs = Box::new(self.node(*rhs, repeats));
                AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs }
            }
            AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } => self.pipe(*lhs, *rhs, repeats),
            AstNode::Binary { op, lhs, rhs } => {
                let (lhs, rhs) = (Box::new(self.node(*lhs, repeats)), Box::new(self.node(*rhs, repeats)));
                let is_growth = op == BinaryOp::Concatenate && (repeats || self.many);
                let node = AstNode::Binary { op, lhs, rhs };
                if is_growth { function("text!", vec![node]) } else { node }
            }
            AstNode::Unary { op, operand } => AstNode::Unary { op, operand: Box::new(self.node(*operand, repeats)) },
            AstNode::Path { steps } => AstNode::Path { steps: self.steps(steps, repeats) },
            AstNode::Call { procedure, args } => {
                AstNode::Call { procedure: Box::new(self.node(*procedure, repeats)), args: self.nodes(args, repeats) }
            }
            AstNode::Lambda { params, body, signature, thunk } => {
                AstNode::Lambda { params, body: Box::new(self.node(*body, true)), signature, thunk }
            }
            AstNode::Array(items) => AstNode::Array(self.nodes(items, repeats)),
            AstNode::ArrayGroup(items) => AstNode::ArrayGroup(self.nodes(items, true)),
            AstNode::Block(items) => AstNode::Block(self.nodes(items, repeats)),
            AstNode::Object(pairs) => AstNode::Object(self.pairs(pairs, true)),
            AstNode::ObjectTransform { input, pattern } => AstNode::ObjectTransform {
                input: Box::new(self.node(*input, repeats)),
                pattern: self.pairs(pattern, true),
            },
            AstNode::Conditional { condition, then_branch, else_branch } => AstNode::Conditional {
                condition: Box::new(self.node(*condition, repeats)),
                then_branch: Box::new(self.node(*then_branch, repeats)),
                else_branch: else_branch.map(|branch| Box::new(self.node(*branch, repeats))),
            },
            AstNode::FunctionApplication(inner) => AstNode::FunctionApplication(Box::new(self.node(*inner, true))),
            AstNode::Sort { input, terms } => AstNode::Sort {
                input: Box::new(self.node(*input, repeats)),
                terms: terms.into_iter().map(|(term, ascending)| (self.node(term, true), ascending)).collect(),
            },
            AstNode::Transform { location, update, delete } => AstNode::Transform {
                location: Box::new(self.node(*location, true)),
                update: Box::new(self.node(*update, true)),
                delete: delete.map(|delete| Box::new(self.node(*delete, true))),
            },
            other => other,
        }
    }

    fn nodes(&self, nodes: Vec<AstNode>, repeats: bool) -> Vec<AstNode> {
        nodes.into_iter().map(|node| self.node(node, repeats)).collect()
    }

    fn pairs(&self, pairs: Vec<(AstNode, AstNode)>, repeats: bool) -> Vec<(AstNode, AstNode)> {
        pairs.into_iter().map(|(key, value)| (self.node(key, repeats), self.node(value, repeats))).collect()
    }

    fn steps(&self, steps: Vec<PathStep>, repeats: bool) -> Vec<PathStep> {
        let mut first = true;
        let step = |mut step: PathStep| {
            step.node = self.node(step.node, repeats || !first);
            first = false;
            step.stages = step.stages.into_iter().map(|stage| self.stage(stage)).collect();
            step
        };
        product::counted(steps.into_iter().map(step).collect())
    }

    fn stage(&self, stage: Stage) -> Stage {
        match stage {
            Stage::Filter(filter) => Stage::Filter(Box::new(self.node(*filter, true))),
            other => other,
        }
    }

    /// `lhs ~> rhs`: a call on the right side gets the left one as its first argument.
    fn pipe(&self, lhs: AstNode, rhs: AstNode, repeats: bool) -> AstNode {
        match rhs {
            AstNode::Function { name, args, is_builtin: true }
                if is_guarded(&name) && !args.iter().any(is_placeholder) =>
            {
                let mut all = vec![self.node(lhs, repeats)];
                all.extend(self.nodes(args, repeats));
                self.call(&name, &name, all)
            }
            AstNode::Function { name, args, is_builtin } if !is_guarded(&name) => {
                let rhs = AstNode::Function { name, args: self.nodes(args, repeats), is_builtin };
                let lhs = Box::new(self.node(lhs, repeats));
                AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs: Box::new(rhs) }
            }
            rhs => {
                let (lhs, rhs) = (Box::new(self.node(lhs, repeats)), Box::new(self.node(rhs, repeats)));
                AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs }
            }
        }
    }

    /// A call of the function `name`, which is now the variable `called`. Its arguments are guarded already.
    fn call(&self, name: &str, called: &str, args: Vec<AstNode>) -> AstNode {
        let is_harmless = args.iter().all(is_literal) && !args.is_empty() && !LENIENT.contains(&name);
        if !is_guarded(name) || is_harmless {
            return function(called, args);
        }
        let mut block = Vec::with_capacity(args.len() + 3);
        let mut names = Vec::with_capacity(args.len());
        let mut parameters = Vec::new();
        for (index, argument) in args.into_iter().enumerate() {
            let name = format!("{index}!");
            names.push(name.clone());
            if is_placeholder(&argument) {
                parameters.push(name);
            } else {
                block.push(bind(name, argument));
            }
        }
        let arguments = || names.iter().cloned().map(AstNode::Variable);
        let looked_at =
            [AstNode::String(name.to_owned()), AstNode::Variable(called.to_owned()), AstNode::Variable(String::new())];
        let looked_at: Vec<AstNode> = looked_at.into_iter().chain(arguments()).collect();
        let mut guarded = vec![function("check!", looked_at.clone())];
        if SEARCHING.contains(&name) && !self.rebinds_replace {
            // The library looks at the clock at each match that it hands to a function: so a search that would take too long
            // is stopped here, before it is made in earnest.
            let nothing = AstNode::Lambda {
                params: Vec::new(),
                body: Box::new(AstNode::String(String::new())),
                signature: None,
                thunk: false,
            };
            let found = [function("text to search!", looked_at.clone()), function("pattern!", looked_at), nothing];
            guarded.push(function("replace", found.into()));
        }
        let call = function(called, arguments().collect());
        guarded.push(if name == "distinct" {
            AstNode::Conditional {
                condition: Box::new(function("few!", arguments().collect())),
                then_branch: Box::new(call),
                else_branch: Some(Box::new(function("distinct!", arguments().collect()))),
            }
        } else {
            call
        });
        if parameters.is_empty() {
            block.extend(guarded);
        } else {
            let body = Box::new(AstNode::Block(guarded));
            block.push(AstNode::Lambda { params: parameters, body, signature: None, thunk: false });
        }
        AstNode::Block(block)
    }
}

fn is_guarded(name: &str) -> bool {
    GUARDED.iter().any(|(guarded, _)| *guarded == name)
}

fn is_placeholder(node: &AstNode) -> bool {
    matches!(node, AstNode::Placeholder)
}

fn is_literal(node: &AstNode) -> bool {
    matches!(node, AstNode::String(text) if text.len() < 1_000)
}

fn function(name: &str, args: Vec<AstNode>) -> AstNode {
    AstNode::Function { name: name.to_owned(), args, is_builtin: true }
}

fn bind(name: String, value: AstNode) -> AstNode {
    AstNode::Binary { op: BinaryOp::ColonEqual, lhs: Box::new(AstNode::Variable(name)), rhs: Box::new(value) }
}

/// A variable that is not called here: where it is one of these functions, another takes its place, which has as many parameters
/// and looks first.
fn value(name: String) -> AstNode {
    let mut known = GUARDED.iter().chain(&ADDED);
    let Some((_, parameters)) = known.find(|(known, parameters)| *known == name && *parameters > 0) else {
        return AstNode::Variable(name);
    };
    let params: Vec<String> = (0..*parameters).map(|index| format!("p{index}!")).collect();
    let args = params.iter().cloned().map(AstNode::Variable).collect();
    // What the name means later is another matter.
    let called = "called!";
    let guard = Guard { rebinds_replace: true, many: false };
    let body = Box::new(guard.call(&name, called, args));
    let lambda = AstNode::Lambda { params, body, signature: None, thunk: false };
    // In a block, since `~>` would put its left side among the arguments of a call.
    let chosen = function("function!", vec![AstNode::Variable(called.to_owned()), lambda]);
    AstNode::Block(vec![bind(called.to_owned(), AstNode::Variable(name)), chosen])
}

#[cfg(test)]
mod tests {
    use super::unrolled;

    #[test]
    fn what_is_counted_is_written_out() {
        for (pattern, parts) in [
            ("", 0),
            ("abc", 3),
            ("(a{3}b){2}", 8),
            (r"\d{2,4}-[x\]{]{3}", 8),
            ("((a{10}){10}){10}", 1_000),
            ("a{", 1),
            ("a{,}b)", 5),
            ("(a{99999999999}){99999999999}", usize::MAX),
        ] {
            assert_eq!(unrolled(pattern), parts, "{pattern}");
        }
    }
}
