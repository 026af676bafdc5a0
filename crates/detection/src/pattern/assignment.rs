//! Array consistency: whether the paths of a branch can be met by values that do not contradict each other.
//!
//! Two values contradict each other when they come from different elements of the same array. A scalar that is itself an element
//! contradicts nothing: `[1, 2]` is both 1 and 2.

use std::collections::{HashMap, HashSet};

/// Which element of which array a value is in, outermost array first: (array, index) pairs. Arrays are numbered as they are met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Membership(Vec<(usize, usize)>);

impl Membership {
    /// Whether the value is in no array's element.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The membership of what is in an element of an array within this.
    pub fn with(&self, array: usize, index: usize) -> Membership {
        let mut inner = self.clone();
        inner.0.push((array, index));
        inner
    }

    /// The membership after a value with another one was taken too; `None` where they contradict each other.
    fn joined(&self, other: &Membership) -> Option<Membership> {
        let mut joined = self.clone();
        for &(array, index) in &other.0 {
            match self.0.iter().find(|(known, _)| *known == array) {
                Some((_, known)) if *known != index => return None,
                Some(_) => {}
                None => joined.0.push((array, index)),
            }
        }
        Some(joined)
    }

    fn contradicts(&self, other: &Membership) -> bool {
        other.0.iter().any(|(array, index)| self.0.iter().any(|(known, at)| known == array && at != index))
    }
}

/// What one path of a branch found in an event.
#[derive(Debug)]
pub(crate) struct Requirement<'event> {
    /// The memberships of the values that match.
    pub matching: Vec<&'event Membership>,
    /// Where absence will do: the memberships of all values at the path.
    pub absent: Option<Vec<&'event Membership>>,
}

/// Whether one value can be taken for every requirement, without contradiction. Requirements come in the order of their paths: as on
/// AWS, a path counts as absent where it is absent from the elements that the paths before it have settled on.
pub(crate) fn assignable(requirements: &[Requirement<'_>]) -> bool {
    if requirements.iter().any(|requirement| requirement.matching.is_empty() && requirement.absent.is_none()) {
        return false;
    }
    Search { last_use: last_use(requirements), requirements, failed: HashSet::new() }.from(0, &Membership::default())
}

/// The last requirement that each array has a say in.
fn last_use(requirements: &[Requirement<'_>]) -> HashMap<usize, usize> {
    let mut last_use = HashMap::new();
    for (position, requirement) in requirements.iter().enumerate() {
        for membership in requirement.matching.iter().chain(requirement.absent.iter().flatten()) {
            last_use.extend(membership.0.iter().map(|(array, _)| (*array, position)));
        }
    }
    last_use
}

struct Search<'search, 'event> {
    requirements: &'search [Requirement<'event>],
    last_use: HashMap<usize, usize>,
    /// Where the search has been without success. As the paths of one array stand together in the order, only the arrays on the
    /// way to one value are open at a time: so the search is short even where an event has long arrays.
    failed: HashSet<(usize, Membership)>,
}

impl Search<'_, '_> {
    fn from(&mut self, position: usize, settled: &Membership) -> bool {
        let requirements = self.requirements;
        let Some(requirement) = requirements.get(position) else {
            return true;
        };
        let open = Membership(
            settled
                .0
                .iter()
                .filter(|(array, _)| self.last_use.get(array).is_some_and(|last| *last >= position))
                .copied()
                .collect(),
        );
        if self.failed.contains(&(position, open.clone())) {
            return false;
        }
        let found = requirement
            .matching
            .iter()
            .any(|taken| open.joined(taken).is_some_and(|joined| self.from(position + 1, &joined)))
            || requirement.absent.as_ref().is_some_and(|present| {
                present.iter().all(|membership| open.contradicts(membership)) && self.from(position + 1, &open)
            });
        if !found {
            self.failed.insert((position, open));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every way, one after the other.
    fn brute_force(requirements: &[Requirement<'_>], settled: &Membership) -> bool {
        let Some((requirement, rest)) = requirements.split_first() else {
            return true;
        };
        let absent = |present: &Vec<&Membership>| {
            present.iter().all(|membership| settled.contradicts(membership)) && brute_force(rest, settled)
        };
        requirement.matching.iter().any(|taken| settled.joined(taken).is_some_and(|joined| brute_force(rest, &joined)))
            || requirement.absent.as_ref().is_some_and(absent)
    }

    fn memberships() -> impl Strategy<Value = Vec<Membership>> {
        let membership = prop::collection::btree_map(0..3_usize, 0..3_usize, 0..3)
            .prop_map(|pairs| Membership(pairs.into_iter().collect()));
        prop::collection::vec(membership, 0..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_remembered_changes_nothing(
            found in prop::collection::vec((memberships(), prop::option::of(memberships())), 0..5),
        ) {
            let requirements: Vec<Requirement<'_>> = found
                .iter()
                .map(|(matching, absent)| Requirement {
                    matching: matching.iter().collect(),
                    absent: absent.as_ref().map(|absent| absent.iter().collect()),
                })
                .collect();
            prop_assert_eq!(assignable(&requirements), brute_force(&requirements, &Membership::default()));
        }
    }
}
