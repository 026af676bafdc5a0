//! An event's values along the paths, from a JSON value.

use serde_json::Value;

use super::{
    found::{Found, Held},
    paths::{Paths, Step},
};
use crate::pattern::Membership;

impl Paths {
    /// An event's values along the paths.
    pub fn walk<'event>(&self, event: &'event Value) -> Found<'event> {
        let mut walk = Walk { paths: self, found: Found::new(), arrays: 0 };
        if let Some(root) = self.root() {
            walk.value(root, event, &Membership::default());
        }
        walk.found.sorted()
    }
}

struct Walk<'paths, 'event> {
    paths: &'paths Paths,
    found: Found<'event>,
    arrays: usize,
}

impl<'event> Walk<'_, 'event> {
    fn value(&mut self, step: &Step, value: &'event Value, membership: &Membership) {
        match value {
            Value::Object(entries) => {
                self.container(step, value);
                for (key, value) in entries {
                    if let Some(next) = self.paths.next(step, key) {
                        self.value(next, value, membership);
                    }
                }
            }
            Value::Array(elements) => {
                if elements.is_empty() {
                    self.container(step, value);
                }
                let array = self.arrays;
                self.arrays += 1;
                for (index, element) in elements.iter().enumerate() {
                    if element.is_object() || element.is_array() {
                        self.value(step, element, &membership.with(array, index));
                    } else {
                        self.value(step, element, membership);
                    }
                }
            }
            scalar => {
                if let Some(slot) = step.slot {
                    self.found.add(slot, Held::Value(scalar), membership);
                }
            }
        }
    }

    fn container(&mut self, step: &Step, value: &'event Value) {
        if let Some(slot) = step.slot.filter(|_| step.is_whole) {
            self.found.add_container(slot, Held::Value(value));
        }
    }
}
