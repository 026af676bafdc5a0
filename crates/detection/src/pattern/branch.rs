//! From the nodes of a pattern to its branches, one for each combination of `$or`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    COMBINATIONS_MAX, complexity,
    document::{Fault, Kind, Node},
    operator::{self, Operator},
};

/// What a branch asks: of every path, that one of the operators matches. Paths are joined by dots, so that a dot in a key and a
/// step into an object are the same, as on AWS; they are sorted, because AWS decides absence in that order.
pub(crate) type Branch = BTreeMap<String, Arc<[Operator]>>;

/// Names that make `$or` an ordinary field where they are used in it.
const RESERVED: &[&str] = &[
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// The branches of a pattern.
pub(super) fn branches(root: &Node) -> Result<Vec<Branch>, Fault> {
    let mut branches = vec![Branch::new()];
    object(root, None, false, &mut branches)?;
    Ok(branches)
}

fn object(node: &Node, path: Option<&str>, inside_or: bool, branches: &mut Vec<Branch>) -> Result<(), Fault> {
    let Kind::Object(entries) = &node.kind else {
        return Err(Fault::at(node.met, "Only JSON object is allowed in array of $or relationship."));
    };
    if entries.is_empty() {
        return Err(Fault::at(node.end, "Empty objects are not allowed"));
    }
    let last: HashMap<&str, usize> =
        entries.iter().enumerate().map(|(index, (key, _))| (key.as_str(), index)).collect();
    for (index, (key, value)) in entries.iter().enumerate() {
        if last.get(key.as_str()) == Some(&index) {
            entry(key, value, path, inside_or, branches).map_err(|fault| fault.under(key))?;
        }
    }
    Ok(())
}

fn entry(
    key: &str,
    value: &Node,
    path: Option<&str>,
    inside_or: bool,
    branches: &mut Vec<Branch>,
) -> Result<(), Fault> {
    if let ("$or", Kind::Array(alternatives)) = (key, &value.kind)
        && is_or_relationship(alternatives)
    {
        return or(value, alternatives, path, branches);
    }
    if inside_or && RESERVED.contains(&key) {
        let message = format!("{key} is Ruler reserved fieldName which cannot be used inside $or.");
        return Err(Fault::at(value.met, message));
    }
    let path = path.map_or_else(|| key.to_owned(), |path| format!("{path}.{key}"));
    match &value.kind {
        Kind::Object(_) => object(value, Some(&path), inside_or, branches),
        Kind::Array(elements) => {
            let operators = leaf(value, elements)?;
            for branch in branches.iter_mut() {
                branch.insert(path.clone(), Arc::clone(&operators));
            }
            Ok(())
        }
        _ => Err(Fault::at(value.met, format!("\"{key}\" must be an object or an array"))),
    }
}

/// Whether the array of a `$or` is alternatives of objects; a field may be called `$or` too.
fn is_or_relationship(alternatives: &[Node]) -> bool {
    let objects = || {
        alternatives.iter().filter_map(|alternative| match &alternative.kind {
            Kind::Object(entries) => Some(entries),
            _ => None,
        })
    };
    objects().next().is_some() && !objects().flatten().any(|(key, _)| RESERVED.contains(&key.as_str()))
}

fn or(node: &Node, alternatives: &[Node], path: Option<&str>, branches: &mut Vec<Branch>) -> Result<(), Fault> {
    let before = std::mem::take(branches);
    for (index, alternative) in alternatives.iter().enumerate() {
        let mut forked = before.clone();
        object(alternative, path, true, &mut forked).map_err(|fault| fault.under(&index.to_string()))?;
        branches.append(&mut forked);
        if branches.len() > COMBINATIONS_MAX {
            let message = format!("The $or relationships make more than {COMBINATIONS_MAX} combinations");
            return Err(Fault::at(alternative.end, message));
        }
    }
    match alternatives.len() {
        0 | 1 => Err(Fault::at(node.end, "There must have at least 2 Objects in $or relationship.")),
        _ => Ok(()),
    }
}

fn leaf(node: &Node, elements: &[Node]) -> Result<Arc<[Operator]>, Fault> {
    if elements.is_empty() {
        return Err(Fault::at(node.end, "Empty arrays are not allowed"));
    }
    let operators: Arc<[Operator]> = elements
        .iter()
        .enumerate()
        .map(|(index, element)| operator::parse(element).map_err(|fault| fault.under(&index.to_string())))
        .collect::<Result<_, _>>()?;
    complexity::check(&operators)?;
    Ok(operators)
}
