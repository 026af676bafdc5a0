//! All rules matched in one pass, at a cost that hardly depends on their number.
//!
//! An event is walked once, along the paths that some rule asks about (`paths`; `walk` in a value, `scan` in a JSON text). The values
//! found name the few candidates that may match (`index`, by the keys that `gate` chooses), and those are checked exactly: the
//! branches of patterns (`branch`) and the conditions of Sigma rules (`condition`). A matcher never changes: who adds or removes a
//! rule makes another and puts it in its place.

mod branch;
mod condition;
mod found;
mod gate;
mod hash;
mod index;
mod paths;
mod scan;
mod walk;

use serde_json::Value;

use crate::Filter;
use branch::CompiledBranch;
use condition::{CompiledExpression, Memory, Tests};
use found::Found;
use gate::Usage;
use index::Index;
use paths::Paths;

/// Many rules, compiled together. `Id` names the rule that a filter belongs to.
#[derive(Clone, Debug)]
pub struct Matcher<Id> {
    ids: Vec<Id>,
    paths: Paths,
    candidates: Vec<Candidate>,
    tests: Tests,
    index: Index,
}

/// One way in which a rule matches.
#[derive(Clone, Debug)]
struct Candidate {
    /// The place of its rule among the ids.
    rule: usize,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    /// One combination of a pattern's `$or`s: all of it must be met.
    Branch(CompiledBranch),
    /// A Sigma rule's condition.
    Condition(CompiledExpression),
}

impl<Id> Matcher<Id> {
    /// Compiles patterns and conditions of Sigma rules.
    pub fn new(rules: Vec<(Id, impl Into<Filter>)>) -> Matcher<Id> {
        let (mut paths, mut tests) = (Paths::default(), Tests::default());
        let mut candidates = Vec::new();
        let mut ids = Vec::with_capacity(rules.len());
        for (rule, (id, filter)) in rules.into_iter().enumerate() {
            ids.push(id);
            match filter.into() {
                Filter::Pattern(pattern) => candidates.extend(pattern.branches().iter().map(|branch| {
                    let wanted = Wanted::Branch(CompiledBranch::new(branch, &mut paths));
                    Candidate { rule, wanted }
                })),
                Filter::Sigma(condition) => {
                    let wanted = Wanted::Condition(tests.compile(&condition.0, &mut paths));
                    candidates.push(Candidate { rule, wanted });
                }
            }
        }
        let index = {
            let usage = Usage::of(&candidates, &tests);
            Index::new(candidates.iter().map(|candidate| usage.gate(candidate, &tests)))
        };
        Matcher { ids, paths, candidates, tests, index }
    }

    /// The rules that match an event's envelope, each once, in the order in which they were given.
    pub fn matches(&self, event: &Value) -> Vec<&Id> {
        if event.is_object() { self.matching(&self.paths.walk(event)) } else { Vec::new() }
    }

    /// The same of an event's JSON text, of which only what some rule asks about is read. So a text that is no JSON may go
    /// unnoticed: who takes it from outside checks that first.
    pub fn matches_json(&self, event: &str) -> Vec<&Id> {
        match self.paths.scan(event) {
            Some(found) => self.matching(&found),
            None => serde_json::from_str(event).map(|event| self.matches(&event)).unwrap_or_default(),
        }
    }

    fn matching(&self, found: &Found<'_>) -> Vec<&Id> {
        let mut memory = Memory::default();
        let mut rules: Vec<usize> = Vec::new();
        for candidate in self.index.candidates(found) {
            let Some(candidate) = self.candidates.get(candidate) else { continue };
            // Candidates stand in the order of their rules.
            if rules.last() != Some(&candidate.rule)
                && match &candidate.wanted {
                    Wanted::Branch(branch) => branch.matches(found),
                    Wanted::Condition(condition) => self.tests.hold(condition, found, &mut memory),
                }
            {
                rules.push(candidate.rule);
            }
        }
        rules.into_iter().filter_map(|rule| self.ids.get(rule)).collect()
    }
}

#[cfg(test)]
mod tests;
