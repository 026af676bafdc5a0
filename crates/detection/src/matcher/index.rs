//! Which candidates an event's values make possible: exact texts and numbers by hash, parts of texts by automata.

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;

use super::{
    found::Found,
    gate::{Gate, Key, KeyKind, bits_of},
    hash::RuleMap,
};
use crate::{
    pattern::comparable,
    scalar::Scalar,
    sigma::{Place, fold},
};

/// The longest text that is folded without asking for memory.
const FOLDED_ON_STACK_BYTES: usize = 128;

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// By path.
    slots: Vec<Waiting>,
    /// What anything at all may meet.
    always: Vec<usize>,
}

/// The candidates that wait at a path.
#[derive(Clone, Debug, Default)]
struct Waiting {
    exact: RuleMap<Box<str>, Vec<usize>>,
    folded: RuleMap<Box<str>, Vec<usize>>,
    numbers: RuleMap<u64, Vec<usize>>,
    /// For any value.
    any: Vec<usize>,
    /// For an object.
    object: Vec<usize>,
    parts: Parts,
    folded_parts: Parts,
    /// Whether numbers and booleans count as texts here: to Sigma they do.
    all_is_text: bool,
}

/// The candidates that wait for a text with something in it.
#[derive(Clone, Debug, Default)]
struct Parts {
    /// By literal, until all are known.
    by_literal: RuleMap<Box<str>, Vec<(Place, usize)>>,
    automaton: Option<AhoCorasick>,
    /// By the automaton's numbers.
    waiting: Vec<Vec<(Place, usize)>>,
}

impl Index {
    /// The gates in the order of their candidates.
    pub fn new(gates: impl Iterator<Item = Gate>) -> Index {
        let mut index = Index::default();
        for (candidate, gate) in gates.enumerate() {
            match gate {
                None => index.always.push(candidate),
                Some(keys) => keys.into_iter().for_each(|key| index.add(key, candidate)),
            }
        }
        for waiting in &mut index.slots {
            waiting.parts.build(false);
            waiting.folded_parts.build(true);
        }
        index
    }

    fn add(&mut self, key: Key, candidate: usize) {
        if self.slots.len() <= key.slot {
            self.slots.resize_with(key.slot + 1, Waiting::default);
        }
        if let Some(waiting) = self.slots.get_mut(key.slot) {
            waiting.add(key, candidate);
        }
    }

    /// The candidates that may match, each once, in their order.
    pub fn candidates(&self, found: &Found<'_>) -> Vec<usize> {
        let mut candidates = Vec::with_capacity(self.always.len() + 16);
        candidates.extend(&self.always);
        for found in found.all() {
            if let Some(waiting) = self.slots.get(found.slot) {
                waiting.find(found.scalar(), &mut candidates);
            }
        }
        for slot in found.containers() {
            candidates.extend(self.slots.get(slot).into_iter().flat_map(|waiting| &waiting.object));
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }
}

impl Waiting {
    fn add(&mut self, key: Key, candidate: usize) {
        self.all_is_text |= key.is_of_sigma;
        if key.or_object {
            self.object.push(candidate);
        }
        match key.kind {
            KeyKind::Exact(text) => self.exact.entry(text.into()).or_default().push(candidate),
            KeyKind::Folded(text) => self.folded.entry(text.into()).or_default().push(candidate),
            KeyKind::Number(bits) => self.numbers.entry(bits).or_default().push(candidate),
            KeyKind::Any => self.any.push(candidate),
            KeyKind::Part { literal, place, folded } => {
                let parts = if folded { &mut self.folded_parts } else { &mut self.parts };
                parts.by_literal.entry(literal.into()).or_default().push((place, candidate));
            }
        }
    }

    fn find(&self, scalar: Scalar<'_>, candidates: &mut Vec<usize>) {
        candidates.extend(&self.any);
        match scalar {
            Scalar::Text(text) => self.find_text(text, candidates),
            Scalar::Value(value @ (Value::Number(_) | Value::Bool(_))) => {
                if let Value::Number(number) = value
                    && let Some(number) = comparable(number)
                {
                    candidates.extend(self.numbers.get(&bits_of(number)).into_iter().flatten());
                }
                if self.all_is_text {
                    self.find_text(&value.to_string(), candidates);
                }
            }
            Scalar::Value(_) | Scalar::Json(_) => {}
        }
    }

    fn find_text(&self, text: &str, candidates: &mut Vec<usize>) {
        if !self.exact.is_empty() {
            candidates.extend(self.exact.get(text).into_iter().flatten());
        }
        if !self.folded.is_empty() {
            with_folded(text, |folded| candidates.extend(self.folded.get(folded).into_iter().flatten()));
        }
        self.parts.find(text, candidates);
        if !self.folded_parts.waiting.is_empty() {
            // The automaton folds ASCII itself.
            if text.is_ascii() {
                self.folded_parts.find(text, candidates);
            } else {
                self.folded_parts.find(&fold(text), candidates);
            }
        }
    }
}

impl Parts {
    fn build(&mut self, folded: bool) {
        if self.by_literal.is_empty() {
            return;
        }
        let (literals, waiting): (Vec<Box<str>>, Vec<_>) = std::mem::take(&mut self.by_literal).into_iter().unzip();
        self.waiting = waiting;
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(folded)
            .build(literals.iter().map(|literal| literal.as_bytes()));
        self.automaton = automaton.ok();
    }

    fn find(&self, text: &str, candidates: &mut Vec<usize>) {
        let Some(automaton) = &self.automaton else {
            // None is needed; or, where there are too many literals for one, all of them wait for any text.
            candidates.extend(self.waiting.iter().flatten().map(|(_, candidate)| candidate));
            return;
        };
        for hit in automaton.find_overlapping_iter(text) {
            let (starts, ends) = (hit.start() == 0, hit.end() == text.len());
            for (place, candidate) in self.waiting.get(hit.pattern().as_usize()).into_iter().flatten() {
                let is_there = match place {
                    Place::Whole => starts && ends,
                    Place::Start => starts,
                    Place::End => ends,
                    Place::Anywhere => true,
                };
                if is_there {
                    candidates.push(*candidate);
                }
            }
        }
    }
}

/// Calls with a text's fold.
fn with_folded(text: &str, then: impl FnOnce(&str)) {
    let mut buffer = [0_u8; FOLDED_ON_STACK_BYTES];
    if text.is_ascii()
        && let Some(buffer) = buffer.get_mut(..text.len())
    {
        buffer.copy_from_slice(text.as_bytes());
        buffer.make_ascii_lowercase();
        return then(std::str::from_utf8(buffer).unwrap_or_default());
    }
    then(&fold(text));
}
