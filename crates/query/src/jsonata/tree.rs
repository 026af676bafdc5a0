//! Walks the tree of an expression.

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

/// How deep the evaluation of an expression nests whatever it is evaluated on, as the language's own implementation counts: a
/// level for each operator, call, path and pair of parentheses. What is evaluated only sometimes (a branch, the body of a
/// function, what follows in a path) is left out.
pub(super) fn nesting(node: &AstNode) -> usize {
    let deepest = |nodes: &[AstNode]| nodes.iter().map(nesting).max().unwrap_or(0);
    match node {
        AstNode::Path { steps } => 1 + steps.first().map_or(0, |step| nesting(&step.node)),
        AstNode::Binary { op: BinaryOp::ColonEqual, rhs, .. } => 1 + nesting(rhs),
        AstNode::Binary { op: BinaryOp::And | BinaryOp::Or | BinaryOp::Coalesce | BinaryOp::Default, lhs, .. } => {
            1 + nesting(lhs)
        }
        // The call on the right side is no level of its own.
        AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } => match &**rhs {
            AstNode::Function { args, .. } | AstNode::Call { args, .. } => 1 + nesting(lhs).max(deepest(args)),
            rhs => 1 + nesting(lhs).max(nesting(rhs)),
        },
        AstNode::Binary { lhs, rhs, .. } => 1 + nesting(lhs).max(nesting(rhs)),
        AstNode::Unary { operand, .. } => 1 + nesting(operand),
        AstNode::Function { args, .. } => 1 + deepest(args).max(1),
        AstNode::Call { procedure, args } => 1 + nesting(procedure).max(deepest(args)),
        AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => 1 + deepest(items),
        AstNode::Object(pairs) => {
            1 + pairs.iter().map(|(key, value)| nesting(key).max(nesting(value))).max().unwrap_or(0)
        }
        AstNode::Conditional { condition, .. } => 1 + nesting(condition),
        AstNode::Sort { input, .. } | AstNode::ObjectTransform { input, .. } => nesting(input),
        _ => 1,
    }
}

/// The node with what is directly in it replaced. The left side of `:=` is a name and is handed over like all else.
pub(super) fn map(node: AstNode, replace: &mut dyn FnMut(AstNode) -> AstNode) -> AstNode {
    match node {
        AstNode::Path { steps } => {
            AstNode::Path { steps: steps.into_iter().map(|step| map_step(step, replace)).collect() }
        }
        AstNode::Binary { op, lhs, rhs } => {
            AstNode::Binary { op, lhs: Box::new(replace(*lhs)), rhs: Box::new(replace(*rhs)) }
        }
        AstNode::Unary { op, operand } => AstNode::Unary { op, operand: Box::new(replace(*operand)) },
        AstNode::Function { name, args, is_builtin } => {
            AstNode::Function { name, args: args.into_iter().map(replace).collect(), is_builtin }
        }
        AstNode::Call { procedure, args } => {
            AstNode::Call { procedure: Box::new(replace(*procedure)), args: args.into_iter().map(replace).collect() }
        }
        AstNode::Lambda { params, body, signature, thunk } => {
            AstNode::Lambda { params, body: Box::new(replace(*body)), signature, thunk }
        }
        AstNode::Array(items) => AstNode::Array(items.into_iter().map(replace).collect()),
        AstNode::ArrayGroup(items) => AstNode::ArrayGroup(items.into_iter().map(replace).collect()),
        AstNode::Block(items) => AstNode::Block(items.into_iter().map(replace).collect()),
        AstNode::Object(pairs) => AstNode::Object(map_pairs(pairs, replace)),
        AstNode::ObjectTransform { input, pattern } => {
            AstNode::ObjectTransform { input: Box::new(replace(*input)), pattern: map_pairs(pattern, replace) }
        }
        AstNode::Conditional { condition, then_branch, else_branch } => AstNode::Conditional {
            condition: Box::new(replace(*condition)),
            then_branch: Box::new(replace(*then_branch)),
            else_branch: else_branch.map(|branch| Box::new(replace(*branch))),
        },
        AstNode::FunctionApplication(inner) => AstNode::FunctionApplication(Box::new(replace(*inner))),
        AstNode::Sort { input, terms } => AstNode::Sort {
            input: Box::new(replace(*input)),
            terms: terms.into_iter().map(|(term, ascending)| (replace(term), ascending)).collect(),
        },
        AstNode::Transform { location, update, delete } => AstNode::Transform {
            location: Box::new(replace(*location)),
            update: Box::new(replace(*update)),
            delete: delete.map(|delete| Box::new(replace(*delete))),
        },
        other => other,
    }
}

fn map_step(mut step: PathStep, replace: &mut dyn FnMut(AstNode) -> AstNode) -> PathStep {
    step.node = replace(step.node);
    let stage = |stage| match stage {
        Stage::Filter(filter) => Stage::Filter(Box::new(replace(*filter))),
        other => other,
    };
    step.stages = step.stages.into_iter().map(stage).collect();
    step
}

fn map_pairs(pairs: Vec<(AstNode, AstNode)>, replace: &mut dyn FnMut(AstNode) -> AstNode) -> Vec<(AstNode, AstNode)> {
    pairs.into_iter().map(|(key, value)| (replace(key), replace(value))).collect()
}
