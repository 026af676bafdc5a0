//! Paths that give each item of a list for each item of another: `list.$states.input.list`, `list@$a.list@$b`. The library
//! neither looks at the clock nor at the length before such a product is complete, so what the steps give is counted as they
//! give it:
//!
//! ```text
//! list.$items!($states).$items!(input).$items!(list)
//! ```

use jsonata_core::ast::{AstNode, PathStep, StepId};

/// Functions that give one value for each item, which need no count.
const SCALAR: [&str; 22] = [
    "abs",
    "boolean",
    "ceil",
    "contains",
    "count",
    "exists",
    "floor",
    "formatNumber",
    "join",
    "length",
    "lowercase",
    "max",
    "min",
    "not",
    "number",
    "round",
    "string",
    "substring",
    "sum",
    "trim",
    "type",
    "uppercase",
];

/// The steps of a path, counted where their results can multiply.
pub(super) fn counted(steps: Vec<PathStep>) -> Vec<PathStep> {
    let is_tuple = steps.iter().any(|step| step.is_tuple || step.focus.is_some() || step.index_var.is_some());
    let name = if is_tuple { "tuples!" } else { "items!" };
    let mut multiplies = is_tuple;
    let count = |(index, mut step): (usize, PathStep)| {
        // A step of names goes down in what is there; one of another kind may begin anew for each item.
        multiplies |= index > 0 && gives_anew(&step.node);
        if index > 0 && multiplies && is_countable(&step) {
            let call = |node| AstNode::Function { name: name.to_owned(), args: vec![node], is_builtin: true };
            step.node = match step.node {
                node @ (AstNode::Name(_) | AstNode::Wildcard | AstNode::Descendant) => {
                    call(AstNode::Path { steps: vec![PathStep::new(node)] })
                }
                AstNode::FunctionApplication(inner) => AstNode::FunctionApplication(Box::new(call(*inner))),
                node => call(node),
            };
            step.id = StepId::default();
        }
        step
    };
    steps.into_iter().enumerate().map(count).collect()
}

fn gives_anew(node: &AstNode) -> bool {
    !matches!(node, AstNode::Name(_) | AstNode::Wildcard) && is_plain(node)
}

fn is_countable(step: &PathStep) -> bool {
    !step.inner_tuple && (matches!(step.node, AstNode::Name(_) | AstNode::Wildcard) || is_plain(&step.node))
}

/// Whether its arrays are spread out in a path, as those of a function are. Those of an array constructor are not.
fn is_plain(node: &AstNode) -> bool {
    match node {
        AstNode::Variable(_) | AstNode::ParentVariable(_) | AstNode::Descendant | AstNode::Call { .. } => true,
        AstNode::Function { name, .. } => !SCALAR.contains(&name.as_str()),
        AstNode::Block(items) => match items.last() {
            Some(AstNode::Path { .. }) => true,
            Some(last) => is_plain(last),
            None => false,
        },
        AstNode::FunctionApplication(inner) => matches!(**inner, AstNode::Path { .. }) || is_plain(inner),
        _ => false,
    }
}
