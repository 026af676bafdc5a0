//! Who or what is behind most of what fired.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

/// How many names are counted one by one.
pub const NAMES_LIMIT: usize = 20_000;
/// How many rules are told apart for one name.
const RULES_LIMIT: usize = 100;

/// How often something was behind what fired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noise {
    /// In all.
    pub hits: u64,
    /// By the rules' numbers.
    pub rules: BTreeMap<usize, u64>,
}

/// Names, and how often each was behind what fired. The first names are counted one by one, those after only together.
#[derive(Debug, Default)]
pub struct Noisiest {
    names: HashMap<String, Noise>,
    /// Hits of names that came when there were too many.
    beyond: u64,
}

impl Noisiest {
    /// Counts one.
    pub fn add(&mut self, name: &str, rule: usize) {
        let is_full = self.names.len() >= NAMES_LIMIT;
        let noise = match self.names.get_mut(name) {
            Some(noise) => noise,
            None if is_full => {
                self.beyond += 1;
                return;
            }
            None => match self.names.entry(name.to_owned()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Noise::default()),
            },
        };
        noise.hits += 1;
        if noise.rules.len() < RULES_LIMIT || noise.rules.contains_key(&rule) {
            *noise.rules.entry(rule).or_default() += 1;
        }
    }

    /// The noisiest of them, by their hits and then their names.
    pub fn first(&self, count: usize) -> Vec<(&str, &Noise)> {
        let mut all: Vec<(&str, &Noise)> = self.names.iter().map(|(name, noise)| (name.as_str(), noise)).collect();
        all.sort_unstable_by(|(name, noise), (other_name, other)| {
            other.hits.cmp(&noise.hits).then_with(|| name.cmp(other_name))
        });
        all.truncate(count);
        all
    }

    /// Hits of names that are not among those counted one by one.
    pub fn beyond(&self) -> u64 {
        self.beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noisiest_come_first() {
        let mut noisiest = Noisiest::default();
        for (name, rule) in [("b", 1), ("a", 1), ("c", 2), ("c", 1), ("c", 2)] {
            noisiest.add(name, rule);
        }
        let names: Vec<(&str, u64)> = noisiest.first(2).into_iter().map(|(name, noise)| (name, noise.hits)).collect();
        assert_eq!(names, [("c", 3), ("a", 1)]);
        assert_eq!(noisiest.first(1)[0].1.rules, BTreeMap::from([(1, 1), (2, 2)]));
    }

    #[test]
    fn names_beyond_the_limit_are_counted_together() {
        let mut noisiest = Noisiest::default();
        for number in 0..NAMES_LIMIT + 5 {
            noisiest.add(&number.to_string(), 0);
        }
        noisiest.add("0", 0);
        assert_eq!((noisiest.beyond(), noisiest.first(1)[0].0, noisiest.first(1)[0].1.hits), (5, "0", 2));
        (0..RULES_LIMIT + 5).for_each(|rule| noisiest.add("0", rule));
        assert_eq!(noisiest.first(1)[0].1.rules.len(), RULES_LIMIT);
    }
}
