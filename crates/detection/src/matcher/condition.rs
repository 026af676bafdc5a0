//! The conditions of Sigma rules, over tests that rules share: each is made at most once an event.

use std::collections::HashMap;

use super::{
    found::Found,
    paths::{Paths, Slot},
};
use crate::sigma::{Check, Expression, Test};

/// The tests of all rules, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Tests {
    tests: Vec<CompiledTest>,
    /// By what a test looks like.
    numbers: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
pub(super) struct CompiledTest {
    pub slot: Slot,
    pub check: Check,
    /// The field that it refers to.
    reference: Option<Slot>,
}

/// A condition over the numbers of tests.
#[derive(Clone, Debug)]
pub(super) enum CompiledExpression {
    All(Vec<CompiledExpression>),
    Any(Vec<CompiledExpression>),
    Not(Box<CompiledExpression>),
    Test(usize),
}

/// What the tests said of one event so far.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<Option<bool>>);

impl Tests {
    pub fn compile(&mut self, expression: &Expression, paths: &mut Paths) -> CompiledExpression {
        let mut all = |parts: &[Expression]| parts.iter().map(|part| self.compile(part, paths)).collect();
        match expression {
            Expression::All(parts) => CompiledExpression::All(all(parts)),
            Expression::Any(parts) => CompiledExpression::Any(all(parts)),
            Expression::Not(part) => CompiledExpression::Not(Box::new(self.compile(part, paths))),
            Expression::Test(test) => CompiledExpression::Test(self.number(test, paths)),
        }
    }

    fn number(&mut self, test: &Test, paths: &mut Paths) -> usize {
        let fresh = self.tests.len();
        let number = *self.numbers.entry(format!("{test:?}")).or_insert(fresh);
        if number == fresh {
            self.tests.push(CompiledTest {
                slot: paths.intern_whole(&test.field),
                check: test.check.clone(),
                reference: test.check.reference().map(|field| paths.intern_whole(field)),
            });
        }
        number
    }

    pub fn get(&self, number: usize) -> Option<&CompiledTest> {
        self.tests.get(number)
    }

    pub fn hold(&self, expression: &CompiledExpression, found: &Found<'_>, memory: &mut Memory) -> bool {
        match expression {
            CompiledExpression::All(parts) => parts.iter().all(|part| self.hold(part, found, memory)),
            CompiledExpression::Any(parts) => parts.iter().any(|part| self.hold(part, found, memory)),
            CompiledExpression::Not(part) => !self.hold(part, found, memory),
            CompiledExpression::Test(number) => self.holds(*number, found, memory),
        }
    }

    fn holds(&self, number: usize, found: &Found<'_>, memory: &mut Memory) -> bool {
        memory.0.resize(self.tests.len(), None);
        if let Some(Some(known)) = memory.0.get(number) {
            return *known;
        }
        let holds = self.tests.get(number).is_some_and(|test| {
            let there = test.reference.map(|slot| found.all_at(slot)).into_iter().flatten();
            test.check.holds(found.all_at(test.slot), there)
        });
        if let Some(place) = memory.0.get_mut(number) {
            *place = Some(holds);
        }
        holds
    }
}
