//! A branch of a pattern, by the numbers of its paths.

use std::sync::Arc;

use super::{
    found::Found,
    paths::{Paths, Slot},
};
use crate::pattern::{Branch, Operator, Requirement, any_matches, assignable};

/// All of it must be met.
#[derive(Clone, Debug)]
pub(super) struct CompiledBranch {
    /// In the order of the paths.
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub slot: Slot,
    pub operators: Arc<[Operator]>,
    /// Whether absence will do.
    pub may_be_absent: bool,
}

impl CompiledBranch {
    pub fn new(branch: &Branch, paths: &mut Paths) -> CompiledBranch {
        let condition = |(path, operators): (&String, &Arc<[Operator]>)| Condition {
            slot: paths.intern(path),
            operators: Arc::clone(operators),
            may_be_absent: operators.contains(&Operator::Absent),
        };
        CompiledBranch { conditions: branch.iter().map(condition).collect() }
    }

    pub fn matches(&self, found: &Found<'_>) -> bool {
        let each_alone = self.conditions.iter().all(|condition| {
            let values = found.values(condition.slot);
            values.iter().any(|found| any_matches(&condition.operators, found.scalar()))
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
                        .filter(|found| any_matches(&condition.operators, found.scalar()))
                        .map(|found| &found.membership)
                        .collect(),
                    absent: condition.may_be_absent.then(|| values.iter().map(|found| &found.membership).collect()),
                }
            })
            .collect();
        assignable(&requirements)
    }
}
