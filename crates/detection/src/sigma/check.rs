//! What a test asks of a field's values.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use super::text::{TextPattern, fold};
use crate::{pattern::AddressRange, scalar::Scalar};

/// What a test asks of a field. Of an array, any element will do.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    /// `null`: the field is not there, or null.
    Absent,
    /// `exists: true`: the field is there, null too.
    Exists,
    /// A text, wildcards in it.
    Text(TextPattern),
    /// A number, however it is written.
    Number(f64),
    /// `gt`, `gte`, `lt`, `lte`.
    Compare(Comparison, f64),
    /// `re`: somewhere in the text.
    Regex(Regex),
    /// `cidr`
    Cidr(AddressRange),
    /// `fieldref`: as another field says.
    Reference(Reference),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// How a field's text stands to another field's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The other field.
    pub field: String,
    pub cased: bool,
    pub place: Place,
}

/// Where a text has to be in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// It is all of it.
    Whole,
    /// `startswith`
    Start,
    /// `endswith`
    End,
    /// `contains`
    Anywhere,
}

impl Check {
    /// The other field that it needs.
    pub fn reference(&self) -> Option<&str> {
        match self {
            Check::Reference(reference) => Some(&reference.field),
            _ => None,
        }
    }

    /// Whether a field is as asked for: `here` are its values, elements of arrays one by one, `there` those of the field that
    /// it refers to.
    pub fn holds<'v>(
        &self,
        mut here: impl Iterator<Item = Scalar<'v>> + Clone,
        there: impl Iterator<Item = Scalar<'v>> + Clone,
    ) -> bool {
        match self {
            Check::Absent => here.clone().next().is_none() || here.any(Scalar::is_null),
            Check::Exists => here.next().is_some(),
            Check::Reference(reference) => here.any(|value| there.clone().any(|other| reference.holds(value, other))),
            _ => here.any(|value| self.matches(value)),
        }
    }

    fn matches(&self, scalar: Scalar<'_>) -> bool {
        match scalar {
            Scalar::Text(text) => self.matches_text(text),
            Scalar::Value(value) => self.matches_value(value),
            Scalar::Json(text) => {
                self.looks_into() && serde_json::from_str(text).is_ok_and(|value| self.matches_inside(&value))
            }
        }
    }

    fn matches_value(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.matches_text(text),
            Value::Object(_) | Value::Array(_) => self.looks_into() && self.matches_inside(value),
            Value::Number(number) => match self {
                Check::Number(wanted) => number.as_f64() == Some(*wanted),
                Check::Compare(comparison, bound) => {
                    number.as_f64().is_some_and(|number| comparison.holds(number, *bound))
                }
                _ => self.matches_text(&number.to_string()),
            },
            Value::Bool(boolean) => self.matches_text(if *boolean { "true" } else { "false" }),
            Value::Null => false,
        }
    }

    fn matches_text(&self, text: &str) -> bool {
        match self {
            Check::Text(pattern) => pattern.matches(text),
            Check::Number(wanted) => text.parse() == Ok(*wanted),
            Check::Compare(comparison, bound) => text.parse().is_ok_and(|number| comparison.holds(number, *bound)),
            Check::Regex(regex) => regex.is_match(text),
            Check::Cidr(range) => range.matches(text),
            Check::Absent | Check::Exists | Check::Reference(_) => false,
        }
    }

    /// Whether an object is looked into: for a part of a text, yes; equal to a text it never is.
    pub fn looks_into(&self) -> bool {
        match self {
            Check::Text(pattern) => !pattern.is_exact(),
            Check::Regex(_) => true,
            _ => false,
        }
    }

    /// Whether an object's JSON text, or any value in it, is as asked for.
    fn matches_inside(&self, value: &Value) -> bool {
        self.matches_text(&value.to_string()) || self.matches_a_part(value)
    }

    fn matches_a_part(&self, value: &Value) -> bool {
        match value {
            Value::Object(entries) => entries.values().any(|value| self.matches_a_part(value)),
            Value::Array(elements) => elements.iter().any(|value| self.matches_a_part(value)),
            value => self.matches_value(value),
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Comparison::Greater => number > bound,
            Comparison::GreaterOrEqual => number >= bound,
            Comparison::Less => number < bound,
            Comparison::LessOrEqual => number <= bound,
        }
    }
}

impl Reference {
    fn holds(&self, value: Scalar<'_>, other: Scalar<'_>) -> bool {
        let (Some(text), Some(other)) = (self.text(value), self.text(other)) else {
            return false;
        };
        match self.place {
            Place::Whole => text == other,
            Place::Start => text.starts_with(&*other),
            Place::End => text.ends_with(&*other),
            Place::Anywhere => text.contains(&*other),
        }
    }

    fn text<'v>(&self, scalar: Scalar<'v>) -> Option<Cow<'v, str>> {
        match scalar {
            Scalar::Text(text) if self.cased => Some(Cow::Borrowed(text)),
            Scalar::Text(text) => Some(fold(text)),
            Scalar::Value(value @ (Value::Number(_) | Value::Bool(_))) => Some(Cow::Owned(value.to_string())),
            Scalar::Value(_) | Scalar::Json(_) => None,
        }
    }
}
