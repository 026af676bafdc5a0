//! All patterns matched in one pass, at a cost that hardly depends on their number.
//!
//! An event is walked once, along the paths that some pattern asks about (`paths`). The values found name the few branches that
//! may match (`index`), and those are checked exactly.

mod index;
mod paths;

use std::sync::Arc;

use serde_json::Value;

use crate::{
    EventPattern,
    pattern::{Operator, Requirement, any_matches, assignable},
};
use index::Index;
use paths::{Found, Paths, Slot};

/// Many patterns, compiled together. `Id` names the rule that a pattern belongs to.
#[derive(Clone, Debug)]
pub struct Matcher<Id> {
    ids: Vec<Id>,
    paths: Paths,
    branches: Vec<CompiledBranch>,
    index: Index,
}

/// One combination of a pattern's `$or`s: all of it must be met.
#[derive(Clone, Debug)]
struct CompiledBranch {
    /// The place of its rule among the ids.
    rule: usize,
    /// In the order of the paths.
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
struct Condition {
    slot: Slot,
    operators: Arc<[Operator]>,
    /// Whether absence will do.
    may_be_absent: bool,
}

impl<Id: Clone> Matcher<Id> {
    /// Compiles the patterns.
    pub fn new(rules: Vec<(Id, EventPattern)>) -> Matcher<Id> {
        let mut paths = Paths::default();
        let mut branches = Vec::new();
        let mut ids = Vec::with_capacity(rules.len());
        for (rule, (id, pattern)) in rules.into_iter().enumerate() {
            ids.push(id);
            branches.extend(pattern.branches().iter().map(|branch| {
                CompiledBranch {
                    rule,
                    conditions: branch
                        .iter()
                        .map(|(path, operators)| Condition {
                            slot: paths.intern(path),
                            operators: Arc::clone(operators),
                            may_be_absent: operators.contains(&Operator::Absent),
                        })
                        .collect(),
                }
            }));
        }
        let index = Index::new(&branches);
        Matcher { ids, paths, branches, index }
    }

    /// The rules whose pattern matches, each once, in the order in which they were given.
    pub fn matches(&self, event: &Value) -> Vec<&Id> {
        if !event.is_object() {
            return Vec::new();
        }
        let found = self.paths.find(event);
        let mut rules: Vec<usize> = self
            .index
            .candidates(&found)
            .into_iter()
            .filter_map(|branch| self.branches.get(branch))
            .filter(|branch| branch.matches(&found))
            .map(|branch| branch.rule)
            .collect();
        rules.sort_unstable();
        rules.dedup();
        rules.into_iter().filter_map(|rule| self.ids.get(rule)).collect()
    }
}

impl CompiledBranch {
    fn matches(&self, found: &Found<'_>) -> bool {
        let each_alone = self.conditions.iter().all(|condition| {
            let values = found.values(condition.slot);
            values.iter().any(|found| any_matches(&condition.operators, found.value))
                || condition.may_be_absent && (values.is_empty() || found.has_memberships())
        });
        each_alone && (!found.has_memberships() || self.matches_together(found))
    }

    /// Whether the values agree on the elements of arrays that they are in.
    fn matches_together(&self, found: &Found<'_>) -> bool {
        let requirements: Vec<Requirement<'_>> = self
            .conditions
            .iter()
            .map(|condition| {
                let values = found.values(condition.slot);
                Requirement {
                    matching: values
                        .iter()
                        .filter(|found| any_matches(&condition.operators, found.value))
                        .map(|found| &found.membership)
                        .collect(),
                    absent: condition.may_be_absent.then(|| values.iter().map(|found| &found.membership).collect()),
                }
            })
            .collect();
        assignable(&requirements)
    }
}

#[cfg(test)]
mod tests;
