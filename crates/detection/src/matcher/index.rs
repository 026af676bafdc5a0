//! Which branches an event's values make possible. A branch waits at its most selective condition: a path whose value must be one
//! of a few texts, the rarer among all branches the better; else a path that must be there at all.

use std::collections::HashMap;

use super::{CompiledBranch, Condition, Found, Slot};
use crate::pattern::Operator;

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Path and exact text → branches.
    by_text: HashMap<Slot, HashMap<Box<str>, Vec<usize>>>,
    /// Path that must be there → branches.
    by_presence: HashMap<Slot, Vec<usize>>,
    /// Branches that absence alone may meet.
    always: Vec<usize>,
}

impl Index {
    pub fn new(branches: &[CompiledBranch]) -> Index {
        let usage = Usage::of(branches);
        let mut index = Index::default();
        for (number, branch) in branches.iter().enumerate() {
            let required = || branch.conditions.iter().filter(|condition| !condition.may_be_absent);
            let by_text = required()
                .filter_map(|condition| texts(condition).map(|texts| (condition.slot, texts)))
                .min_by_key(|(slot, texts)| usage.of_texts(*slot, texts));
            if let Some((slot, texts)) = by_text {
                let of_slot = index.by_text.entry(slot).or_default();
                for text in texts {
                    of_slot.entry(text.into()).or_default().push(number);
                }
            } else if let Some(condition) = required().min_by_key(|condition| usage.of_slot(condition.slot)) {
                index.by_presence.entry(condition.slot).or_default().push(number);
            } else {
                index.always.push(number);
            }
        }
        index
    }

    /// The branches that may match, each once.
    pub fn candidates(&self, found: &Found<'_>) -> Vec<usize> {
        let mut candidates = self.always.clone();
        for (slot, of_slot) in &self.by_text {
            for text in found.values(*slot).iter().filter_map(|found| found.value.as_str()) {
                candidates.extend(of_slot.get(text).into_iter().flatten());
            }
        }
        for (slot, branches) in &self.by_presence {
            if !found.values(*slot).is_empty() {
                candidates.extend(branches);
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }
}

/// The exact texts that a condition allows; `None` where it allows anything else.
fn texts(condition: &Condition) -> Option<Vec<&str>> {
    condition
        .operators
        .iter()
        .map(|operator| match operator {
            Operator::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// How many branches ask for what.
struct Usage<'branch> {
    texts: HashMap<(Slot, &'branch str), usize>,
    slots: HashMap<Slot, usize>,
}

impl<'branch> Usage<'branch> {
    fn of(branches: &'branch [CompiledBranch]) -> Usage<'branch> {
        let mut usage = Usage { texts: HashMap::new(), slots: HashMap::new() };
        for condition in branches.iter().flat_map(|branch| &branch.conditions) {
            *usage.slots.entry(condition.slot).or_default() += 1;
            for text in texts(condition).into_iter().flatten() {
                *usage.texts.entry((condition.slot, text)).or_default() += 1;
            }
        }
        usage
    }

    fn of_texts(&self, slot: Slot, texts: &[&'branch str]) -> usize {
        texts.iter().map(|text| self.texts.get(&(slot, text)).copied().unwrap_or_default()).sum()
    }

    fn of_slot(&self, slot: Slot) -> usize {
        self.slots.get(&slot).copied().unwrap_or_default()
    }
}
