//! The paths that rules ask about, as a tree.

use super::hash::RuleMap;

/// The number of a path.
pub(super) type Slot = usize;

/// The paths that rules ask about. A dot in a key is a step like any other, so paths are split at dots.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    steps: Vec<Step>,
    slots: usize,
}

/// A step on the way to a value.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    next: RuleMap<Box<str>, usize>,
    /// The lengths of the keys in `next`, a bit each; the last bit is any longer length.
    lengths: u64,
    /// Its place among the steps beside it.
    pub ordinal: u32,
    /// The path that ends here.
    pub slot: Option<Slot>,
    /// Whether an object here is looked at too.
    pub is_whole: bool,
}

impl Default for Paths {
    fn default() -> Paths {
        Paths { steps: vec![Step::default()], slots: 0 }
    }
}

impl Paths {
    /// The number of a path, a new one where it is new.
    pub fn intern(&mut self, path: &str) -> Slot {
        self.intern_step(path, false)
    }

    /// The same of a path where objects are looked at too.
    pub fn intern_whole(&mut self, path: &str) -> Slot {
        self.intern_step(path, true)
    }

    fn intern_step(&mut self, path: &str, is_whole: bool) -> Slot {
        let mut at = 0;
        for segment in path.split('.') {
            let fresh = self.steps.len();
            let Some(step) = self.steps.get_mut(at) else {
                break;
            };
            let ordinal = u32::try_from(step.next.len()).unwrap_or(u32::MAX);
            step.lengths |= bit_of(segment.len());
            at = *step.next.entry(segment.into()).or_insert(fresh);
            if at == fresh {
                self.steps.push(Step { ordinal, ..Step::default() });
            }
        }
        let fresh = self.slots;
        let slot = self.steps.get_mut(at).map_or(fresh, |step| {
            step.is_whole |= is_whole;
            *step.slot.get_or_insert(fresh)
        });
        if slot == fresh {
            self.slots += 1;
        }
        slot
    }

    /// Where every path begins.
    pub fn root(&self) -> Option<&Step> {
        self.steps.first()
    }

    /// The step that a key leads to.
    pub fn next<'paths>(&'paths self, step: &'paths Step, key: &str) -> Option<&'paths Step> {
        if !key.contains('.') {
            return self.next_undotted(step, key);
        }
        key.split('.').try_fold(step, |step, segment| self.next_undotted(step, segment))
    }

    fn next_undotted(&self, step: &Step, key: &str) -> Option<&Step> {
        if step.lengths & bit_of(key.len()) == 0 {
            return None;
        }
        self.steps.get(*step.next.get(key)?)
    }
}

fn bit_of(length: usize) -> u64 {
    1 << length.min(63)
}
