//! Walks the tree of an expression.

use jsonata_core::ast::{AstNode, PathStep, Stage};

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
