//! `prefix`, `suffix`, and case that does not matter.

use super::{Fault, Kind, Node, only_one_key, text};

/// How a text must start or end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Affix {
    text: String,
    ignore_case: bool,
}

impl Affix {
    pub(super) fn exactly(text: &str) -> Affix {
        Affix { text: text.to_owned(), ignore_case: false }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    pub(super) fn starts(&self, text: &str) -> bool {
        if !self.ignore_case {
            return text.starts_with(&self.text);
        }
        let mut characters = text.chars();
        self.text.chars().all(|wanted| characters.next().is_some_and(|found| same_letter(wanted, found)))
    }

    pub(super) fn ends(&self, text: &str) -> bool {
        if !self.ignore_case {
            return text.ends_with(&self.text);
        }
        let mut characters = text.chars().rev();
        self.text.chars().rev().all(|wanted| characters.next().is_some_and(|found| same_letter(wanted, found)))
    }
}

pub(super) fn equal_ignoring_case(left: &str, right: &str) -> bool {
    let mut characters = right.chars();
    left.chars().all(|wanted| characters.next().is_some_and(|found| same_letter(wanted, found)))
        && characters.next().is_none()
}

fn same_letter(left: char, right: char) -> bool {
    left == right || left.to_lowercase().eq(right.to_lowercase())
}

/// Reads `"text"` or `{"equals-ignore-case": "text"}`.
pub(super) fn parse(node: &Node, operator: &str) -> Result<Affix, Fault> {
    let Kind::Object(entries) = &node.kind else {
        return text(node, operator).map(Affix::exactly);
    };
    let title = if operator == "prefix" { "Prefix" } else { "Suffix" };
    let Some((name, value)) = entries.first() else {
        return Err(Fault::at(node.end, format!("{title} expression name not found")));
    };
    if name != "equals-ignore-case" {
        return Err(Fault::at(value.met, format!("Unsupported {operator} pattern: {name}")).under(name));
    }
    let text = text(value, name).map_err(|fault| fault.under(name))?;
    match entries.get(1) {
        None => Ok(Affix { text: text.to_owned(), ignore_case: true }),
        Some((_, second)) => Err(only_one_key(second)),
    }
}
