//! The paths that patterns ask about, as a tree; and an event's values along them.

use std::collections::HashMap;

use serde_json::Value;

use crate::pattern::Membership;

/// The number of a path.
pub(super) type Slot = usize;

/// The paths that patterns ask about. A dot in a key is a step like any other, so paths are split at dots.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    steps: Vec<Step>,
    slots: usize,
}

#[derive(Clone, Debug, Default)]
struct Step {
    next: HashMap<Box<str>, usize>,
    slot: Option<Slot>,
}

/// What an event has along the paths: as many values as it has, however many paths there are.
#[derive(Debug, Default)]
pub(super) struct Found<'event> {
    /// In the order of their slots.
    values: Vec<FoundValue<'event>>,
    has_memberships: bool,
    arrays: usize,
}

#[derive(Debug)]
pub(super) struct FoundValue<'event> {
    pub slot: Slot,
    pub value: &'event Value,
    pub membership: Membership,
}

impl<'event> Found<'event> {
    /// The scalars at all paths.
    pub fn all(&self) -> &[FoundValue<'event>] {
        &self.values
    }

    /// The scalars at a path.
    pub fn values(&self, slot: Slot) -> &[FoundValue<'event>] {
        let start = self.values.partition_point(|found| found.slot < slot);
        let rest = self.values.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|found| found.slot == slot).count();
        rest.get(..length).unwrap_or_default()
    }

    /// Whether any of the scalars is within an element of an array.
    pub fn has_memberships(&self) -> bool {
        self.has_memberships
    }
}

impl Default for Paths {
    fn default() -> Paths {
        Paths { steps: vec![Step::default()], slots: 0 }
    }
}

impl Paths {
    /// The number of a path, a new one where it is new.
    pub fn intern(&mut self, path: &str) -> Slot {
        let mut at = 0;
        for segment in path.split('.') {
            let fresh = self.steps.len();
            let Some(step) = self.steps.get_mut(at) else {
                break;
            };
            at = *step.next.entry(segment.into()).or_insert(fresh);
            if at == fresh {
                self.steps.push(Step::default());
            }
        }
        let fresh = self.slots;
        let slot = self.steps.get_mut(at).map_or(fresh, |step| *step.slot.get_or_insert(fresh));
        if slot == fresh {
            self.slots += 1;
        }
        slot
    }

    /// An event's values along the paths.
    pub fn find<'event>(&self, event: &'event Value) -> Found<'event> {
        let mut found = Found::default();
        if let Some(root) = self.steps.first() {
            self.walk(root, event, &Membership::default(), &mut found);
        }
        found.values.sort_by_key(|found| found.slot);
        found
    }

    fn walk<'event>(&self, step: &Step, value: &'event Value, membership: &Membership, found: &mut Found<'event>) {
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    if let Some(next) = self.next(step, key) {
                        self.walk(next, value, membership, found);
                    }
                }
            }
            Value::Array(elements) => {
                let array = found.arrays;
                found.arrays += 1;
                for (index, element) in elements.iter().enumerate() {
                    if element.is_object() || element.is_array() {
                        self.walk(step, element, &membership.with(array, index), found);
                    } else {
                        self.walk(step, element, membership, found);
                    }
                }
            }
            scalar => {
                if let Some(slot) = step.slot {
                    found.has_memberships |= *membership != Membership::default();
                    found.values.push(FoundValue { slot, value: scalar, membership: membership.clone() });
                }
            }
        }
    }

    fn next<'paths>(&'paths self, step: &'paths Step, key: &str) -> Option<&'paths Step> {
        if !key.contains('.') {
            return self.steps.get(*step.next.get(key)?);
        }
        key.split('.').try_fold(step, |step, segment| self.steps.get(*step.next.get(segment)?))
    }
}
