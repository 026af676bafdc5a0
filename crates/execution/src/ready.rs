//! What can go on, in order. What is left of it when the budget of a step is spent is kept in the journal.

use std::collections::VecDeque;

use crate::{
    Fact,
    path::PathId,
    record::{Ready, Work},
};

/// What can go on within a step: what was kept, and before and after it what has come since.
#[derive(Debug)]
pub(crate) struct Queue(VecDeque<Entry>);

#[derive(Debug)]
struct Entry {
    ready: Ready,
    /// The journal has it.
    kept: bool,
}

impl Queue {
    /// What was kept.
    pub(crate) fn of(kept: &VecDeque<Ready>) -> Queue {
        Queue(kept.iter().map(|ready| Entry { ready: ready.clone(), kept: true }).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Before all others.
    pub(crate) fn push_first(&mut self, path: PathId, work: Work) {
        self.0.push_front(Entry { ready: Ready { path, work }, kept: false });
    }

    /// After all others.
    pub(crate) fn push_last(&mut self, path: PathId, work: Work) {
        self.0.push_back(Entry { ready: Ready { path, work }, kept: false });
    }

    /// The first, and whether the journal has it.
    pub(crate) fn pop(&mut self) -> Option<(Ready, bool)> {
        self.0.pop_front().map(|entry| (entry.ready, entry.kept))
    }

    pub(crate) fn contains(&self, path: PathId, work: &Work) -> bool {
        self.0.iter().any(|entry| entry.ready.path == path && entry.ready.work == *work)
    }

    /// What a path goes on with, where the journal does not have it.
    pub(crate) fn unkept(&self, path: PathId) -> Option<&Ready> {
        self.0.iter().find(|entry| !entry.kept && entry.ready.path == path).map(|entry| &entry.ready)
    }

    /// Nothing of this path is ready any more.
    pub(crate) fn forget(&mut self, gone: PathId) {
        self.0.retain(|entry| entry.ready.path != gone);
    }

    /// What the journal has to keep of it beside what it has.
    pub(crate) fn to_keep(&self) -> Vec<Fact> {
        let first_kept = self.0.iter().position(|entry| entry.kept).unwrap_or(0);
        let fact = |entry: &Entry, first| Fact::Ready { ready: entry.ready.clone(), first };
        let before = self.0.range(..first_kept).rev().map(|entry| fact(entry, true));
        let after = self.0.range(first_kept..).filter(|entry| !entry.kept).map(|entry| fact(entry, false));
        before.chain(after).collect()
    }
}
