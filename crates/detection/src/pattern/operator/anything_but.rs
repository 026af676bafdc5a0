//! `anything-but`: any value at all but these. It is met by no absence.

use super::{Affix, Fault, Kind, Node, Operator, numeric, wildcard};

const TOO_MANY: &str = "Too many elements in numeric expression";

/// Reads what must not match.
pub(super) fn parse(node: &Node) -> Result<Vec<Operator>, Fault> {
    match &node.kind {
        Kind::Object(entries) => inner(node, entries),
        Kind::Array(elements) => values(node, elements),
        Kind::String(text) => Ok(vec![Operator::Text(text.clone())]),
        Kind::Number(number) => {
            numeric::check_comparable(number).map_err(Fault::nowhere)?;
            Ok(vec![Operator::Number(number.clone())])
        }
        Kind::Boolean(_) | Kind::Null => Err(must_be_array_or_value(node)),
    }
}

fn values(node: &Node, elements: &[Node]) -> Result<Vec<Operator>, Fault> {
    let mut operators = Vec::new();
    let (mut texts, mut numbers) = (false, false);
    for (index, element) in elements.iter().enumerate() {
        let step = index.to_string();
        operators.push(match &element.kind {
            Kind::String(text) => {
                texts = true;
                Operator::Text(text.clone())
            }
            Kind::Number(number) => {
                numbers = true;
                numeric::check_comparable(number).map_err(|message| Fault::at(element.end, message).under(&step))?;
                Operator::Number(number.clone())
            }
            _ => {
                let message = "Inside anything but list, start|null|boolean is not supported.";
                return Err(Fault::at(element.met, message).under(&step));
            }
        });
    }
    if texts == numbers {
        let message = "Inside anything but list, either all values are number or string, mixed type is not supported";
        return Err(Fault::at(node.end, message));
    }
    Ok(operators)
}

/// Reads `{"prefix": …}` and its like.
fn inner(node: &Node, entries: &[(String, Node)]) -> Result<Vec<Operator>, Fault> {
    let Some((name, value)) = entries.first() else {
        return Err(Fault::at(node.end, "Anything-But expression name not found"));
    };
    let operators = match name.as_str() {
        "prefix" => texts(value, affix).map(|texts| texts.map(|text| Operator::Prefix(Affix::exactly(text))).collect()),
        "suffix" => texts(value, affix).map(|texts| texts.map(|text| Operator::Suffix(Affix::exactly(text))).collect()),
        "equals-ignore-case" => {
            texts(value, any_text).map(|texts| texts.map(|text| Operator::EqualsIgnoreCase(text.to_owned())).collect())
        }
        "wildcard" => match value.kind {
            Kind::Boolean(_) | Kind::Null | Kind::Object(_) => Err(must_be_array_or_value(value)),
            _ => wildcard::parse_all(value).map(|wildcards| wildcards.into_iter().map(Operator::Wildcard).collect()),
        },
        _ => Err(Fault::at(value.met, format!("Unsupported anything-but pattern: {name}"))),
    };
    let operators: Vec<Operator> = operators.map_err(|fault| fault.under(name))?;
    match entries.get(1) {
        None => Ok(operators),
        Some((_, second)) => Err(Fault::at(second.met, TOO_MANY)),
    }
}

/// Reads a text, or an array of them.
fn texts<'node>(
    node: &'node Node,
    text: fn(&'node Node) -> Result<&'node str, Fault>,
) -> Result<impl Iterator<Item = &'node str>, Fault> {
    let texts: Vec<&str> = match &node.kind {
        Kind::Array(elements) => elements.iter().map(text).collect::<Result<_, _>>()?,
        Kind::String(_) | Kind::Number(_) => vec![text(node)?],
        _ => return Err(must_be_array_or_value(node)),
    };
    Ok(texts.into_iter())
}

fn affix(node: &Node) -> Result<&str, Fault> {
    match &node.kind {
        Kind::String(text) if text.is_empty() => Err(Fault::at(node.end, "Null prefix/suffix not allowed")),
        Kind::String(text) => Ok(text),
        _ => Err(Fault::at(node.met, "prefix/suffix match pattern must be a string")),
    }
}

fn any_text(node: &Node) -> Result<&str, Fault> {
    match &node.kind {
        Kind::String(text) => Ok(text),
        _ => {
            let message = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.";
            Err(Fault::at(node.met, message))
        }
    }
}

fn must_be_array_or_value(node: &Node) -> Fault {
    Fault::at(node.met, "Value of anything-but must be an array or single string/number value.")
}
