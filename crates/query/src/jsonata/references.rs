//! What an expression reads that is not in it: what a check of a definition asks.

use std::collections::BTreeSet;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

/// What an expression reads from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Names read from a context item at the top, which Step Functions does not give: `phone` in `phone.number`.
    pub top_level: BTreeSet<String>,
    /// Whether it reads `$$`, which Step Functions does not give either.
    pub root: bool,
    /// Variables read, without `$`; not `states`, and not those that the expression binds itself.
    pub variables: BTreeSet<String>,
    /// Fields of `$states` read: `input`, `result`, `errorOutput`, `context`.
    pub states: BTreeSet<String>,
    /// The paths read that begin at `$states` or at a variable, name by name: `["states", "input", "id"]`. A path ends where
    /// something else than a name follows.
    pub paths: BTreeSet<Vec<String>>,
}

impl References {
    /// Those of a parsed expression.
    pub(super) fn of(tree: &AstNode) -> References {
        let mut walk = Walk { found: References::default(), bound: Vec::new(), inside: false };
        walk.node(tree);
        walk.found
    }
}

struct Walk {
    found: References,
    /// Names that the expression binds.
    bound: Vec<String>,
    /// Whether there is a context item: behind the first step of a path, in a predicate, in a sort term.
    inside: bool,
}

impl Walk {
    fn node(&mut self, node: &AstNode) {
        match node {
            AstNode::Name(name) => self.name(name),
            AstNode::Variable(name) => self.variable(name),
            AstNode::ParentVariable(_) => self.found.root = true,
            AstNode::Path { steps } => self.path(steps),
            AstNode::Binary { op, lhs, rhs } => self.binary(*op, lhs, rhs),
            AstNode::Unary { operand, .. } => self.node(operand),
            AstNode::Function { args, .. } => self.nodes(args),
            AstNode::Call { procedure, args } => {
                self.node(procedure);
                self.nodes(args);
            }
            AstNode::Lambda { params, body, .. } => {
                let before = self.bound.len();
                self.bound.extend(params.iter().cloned());
                self.node(body);
                self.bound.truncate(before);
            }
            AstNode::Array(items) | AstNode::ArrayGroup(items) => self.nodes(items),
            AstNode::Block(items) => {
                let before = self.bound.len();
                self.nodes(items);
                self.bound.truncate(before);
            }
            AstNode::Object(pairs) => pairs.iter().for_each(|(key, value)| {
                self.node(key);
                self.node(value);
            }),
            AstNode::ObjectTransform { input, pattern } => {
                self.node(input);
                self.with_item(|walk| {
                    for (key, value) in pattern {
                        walk.node(key);
                        walk.node(value);
                    }
                });
            }
            AstNode::Conditional { condition, then_branch, else_branch } => {
                self.node(condition);
                self.node(then_branch);
                if let Some(branch) = else_branch {
                    self.node(branch);
                }
            }
            AstNode::FunctionApplication(inner) => self.with_item(|walk| walk.node(inner)),
            AstNode::Sort { input, terms } => {
                self.node(input);
                self.with_item(|walk| terms.iter().for_each(|(term, _)| walk.node(term)));
            }
            AstNode::Transform { location, update, delete } => self.with_item(|walk| {
                walk.node(location);
                walk.node(update);
                if let Some(delete) = delete {
                    walk.node(delete);
                }
            }),
            _ => {}
        }
    }

    fn nodes(&mut self, nodes: &[AstNode]) {
        nodes.iter().for_each(|node| self.node(node));
    }

    fn with_item(&mut self, walk: impl FnOnce(&mut Walk)) {
        let before = std::mem::replace(&mut self.inside, true);
        walk(self);
        self.inside = before;
    }

    fn name(&mut self, name: &str) {
        if !self.inside {
            self.found.top_level.insert(name.to_owned());
        }
    }

    fn variable(&mut self, name: &str) {
        if !name.is_empty() && name != "states" && !self.bound.iter().any(|bound| bound == name) {
            self.found.variables.insert(name.to_owned());
            self.found.paths.insert(vec![name.to_owned()]);
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &AstNode, right: &AstNode) {
        if op == BinaryOp::ColonEqual
            && let AstNode::Variable(name) = left
        {
            // A function may call itself by the name that it is bound to.
            self.bound.push(name.clone());
            return self.node(right);
        }
        self.node(left);
        self.node(right);
    }

    fn path(&mut self, steps: &[PathStep]) {
        self.note_path(steps);
        let before = (self.inside, self.bound.len());
        for step in steps {
            self.node(&step.node);
            self.bound.extend(step.focus.iter().chain(&step.index_var).cloned());
            self.inside = true;
            for stage in &step.stages {
                if let Stage::Filter(filter) = stage {
                    self.node(filter);
                }
            }
        }
        self.inside = before.0;
        self.bound.truncate(before.1);
    }

    fn note_path(&mut self, steps: &[PathStep]) {
        let Some(PathStep { node: AstNode::Variable(first), stages, .. }) = steps.first() else { return };
        if first.is_empty() || self.bound.contains(first) {
            return;
        }
        let mut path = vec![first.clone()];
        let mut whole = stages.is_empty();
        for step in steps.iter().skip(1) {
            let AstNode::Name(name) = &step.node else { break };
            if !whole {
                break;
            }
            path.push(name.clone());
            whole = step.stages.is_empty();
        }
        if first == "states"
            && let Some(field) = path.get(1)
        {
            self.found.states.insert(field.clone());
        }
        self.found.paths.insert(path);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Expression;

    fn check(expression: &str, top_level: &[&str], variables: &[&str], states: &[&str]) {
        let expression_read = Expression::parse(expression).expect(expression);
        let found = expression_read.references();
        assert_eq!(found.top_level.iter().collect::<Vec<_>>(), top_level, "{expression}");
        assert_eq!(found.variables.iter().collect::<Vec<_>>(), variables, "{expression}");
        assert_eq!(found.states.iter().collect::<Vec<_>>(), states, "{expression}");
    }

    #[test]
    fn what_is_read_from_outside() {
        check("phone.number", &["phone"], &[], &[]);
        check("$states.input.items[value > 3].name", &[], &[], &["input"]);
        check("$states.input.items{status: $sum(n)}", &[], &[], &["input"]);
        check("$states.input.items^(>n)", &[], &[], &["input"]);
        check("$map($states.result.a, function($x){ $x + b + $y })", &["b"], &["y"], &["result"]);
        check("($y := 2; $y + $z)", &[], &["z"], &[]);
        check("{'k': foo, 'l': $bar.baz}", &["foo"], &["bar"], &[]);
        check("$states.errorOutput.Error = 'x' ? $a : b", &["b"], &["a"], &["errorOutput"]);
        check("($f := function($n){ $n = 0 ? 1 : $f($n - 1) }; $f(3))", &[], &[], &[]);
        check("$states.input.a.($ & b)", &[], &[], &["input"]);
        check("'text' & 1", &[], &[], &[]);
        check("$join($split($string($states.input.a), '-'), $b) & $pad('x', 3)", &[], &["b"], &["input"]);
        check("$map($zip($distinct($a), [1]), function($x){ $match($x, /b/) })", &[], &["a"], &[]);
        assert!(Expression::parse("$$.a").expect("an expression").references().root);
    }

    #[test]
    fn paths_from_their_beginning() {
        let expression = Expression::parse("$states.input.a[0].b & $v.c.d").expect("an expression");
        let found = expression.references();
        let paths: Vec<String> = found.paths.iter().map(|path| path.join(".")).collect();
        assert_eq!(paths, ["states.input.a", "v", "v.c.d"]);
    }
}
