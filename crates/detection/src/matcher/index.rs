//! Which branches an event's values make possible. A branch waits at its most selective condition: a path whose value must be one
//! of a few texts, the rarer among all branches the better; else a path that must be there at all.

use std::collections::HashMap;

use super::{CompiledBranch, Condition, Found, Slot};
use crate::pattern::Operator;

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// By path.
    slots: Vec<Waiting>,
    /// Branches that absence alone may meet.
    always: Vec<usize>,
}

/// The branches that wait at a path.
#[derive(Clone, Debug, Default)]
struct Waiting {
    /// For one of these texts.
    for_text: HashMap<Box<str>, Vec<usize>>,
    /// For any value.
    for_any: Vec<usize>,
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
                for text in texts {
                    index.waiting(slot, |waiting| waiting.for_text.entry(text.into()).or_default().push(number));
                }
            } else if let Some(condition) = required().min_by_key(|condition| usage.of_slot(condition.slot)) {
                index.waiting(condition.slot, |waiting| waiting.for_any.push(number));
            } else {
                index.always.push(number);
            }
        }
        index
    }

    fn waiting(&mut self, slot: Slot, add: impl FnOnce(&mut Waiting)) {
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, Waiting::default);
        }
        if let Some(waiting) = self.slots.get_mut(slot) {
            add(waiting);
        }
    }

    /// The branches that may match, each once.
    pub fn candidates(&self, found: &Found<'_>) -> Vec<usize> {
        let mut candidates = self.always.clone();
        for found in found.all() {
            let Some(waiting) = self.slots.get(found.slot) else {
                continue;
            };
            candidates.extend(&waiting.for_any);
            if let Some(text) = found.value.as_str() {
                candidates.extend(waiting.for_text.get(text).into_iter().flatten());
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
