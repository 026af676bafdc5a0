//! What an event has along the paths.

use std::borrow::Cow;

use serde_json::Value;

use super::paths::Slot;
use crate::{pattern::Membership, scalar::Scalar};

/// How many values an event is expected to have along the paths.
const USUAL: usize = 16;

/// What an event has along the paths: as many values as it has, however many paths there are.
#[derive(Debug)]
pub(super) struct Found<'event> {
    /// In the order of their slots.
    values: Vec<FoundValue<'event>>,
    /// Objects and empty arrays, which Sigma rules look at.
    containers: Vec<(Slot, Held<'event>)>,
    has_memberships: bool,
}

/// A scalar at a path.
#[derive(Debug)]
pub(super) struct FoundValue<'event> {
    pub slot: Slot,
    pub membership: Membership,
    held: Held<'event>,
}

/// A value of the event, or read from its text.
#[derive(Debug)]
pub(super) enum Held<'event> {
    Text(Cow<'event, str>),
    Value(&'event Value),
    Read(Value),
    Json(&'event str),
}

impl Held<'_> {
    fn scalar(&self) -> Scalar<'_> {
        match self {
            Held::Text(text) => Scalar::Text(text),
            Held::Value(value) => Scalar::from(*value),
            Held::Read(value) => Scalar::from(value),
            Held::Json(text) => Scalar::Json(text),
        }
    }
}

impl FoundValue<'_> {
    pub fn scalar(&self) -> Scalar<'_> {
        self.held.scalar()
    }
}

impl<'event> Found<'event> {
    pub fn new() -> Found<'event> {
        Found { values: Vec::with_capacity(USUAL), containers: Vec::new(), has_memberships: false }
    }

    pub fn add(&mut self, slot: Slot, held: Held<'event>, membership: &Membership) {
        self.has_memberships |= !membership.is_empty();
        self.values.push(FoundValue { slot, held, membership: membership.clone() });
    }

    pub fn add_container(&mut self, slot: Slot, held: Held<'event>) {
        self.containers.push((slot, held));
    }

    /// To be called when all was added.
    pub fn sorted(mut self) -> Found<'event> {
        self.values.sort_by_key(|found| found.slot);
        self.containers.sort_by_key(|(slot, _)| *slot);
        self
    }

    /// The scalars at all paths.
    pub fn all(&self) -> &[FoundValue<'event>] {
        &self.values
    }

    /// The paths at which there is an object or an empty array.
    pub fn containers(&self) -> impl Iterator<Item = Slot> {
        self.containers.iter().map(|(slot, _)| *slot)
    }

    /// The scalars at a path.
    pub fn values(&self, slot: Slot) -> &[FoundValue<'event>] {
        of(&self.values, slot, |found| found.slot)
    }

    /// All that is at a path.
    pub fn all_at(&self, slot: Slot) -> impl Iterator<Item = Scalar<'_>> + Clone {
        let containers = of(&self.containers, slot, |(slot, _)| *slot);
        self.values(slot).iter().map(FoundValue::scalar).chain(containers.iter().map(|(_, held)| held.scalar()))
    }

    /// Whether any of the scalars is within an element of an array.
    pub fn has_memberships(&self) -> bool {
        self.has_memberships
    }
}

/// What belongs to a slot among what is sorted by slot.
fn of<T>(sorted: &[T], slot: Slot, slot_of: impl Fn(&T) -> Slot) -> &[T] {
    let start = sorted.partition_point(|found| slot_of(found) < slot);
    let rest = sorted.get(start..).unwrap_or_default();
    let length = rest.iter().take_while(|found| slot_of(found) == slot).count();
    rest.get(..length).unwrap_or_default()
}
