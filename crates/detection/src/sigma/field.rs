//! `field|modifier|modifier: value or values`, and keywords.

use regex::RegexBuilder;
use serde_json::Value;

use super::{
    Check, Expression, Problems, Test,
    check::{Comparison, Place, Reference},
    encode::{self, Encoding},
    text::{Part, TextPattern, parts},
};
use crate::pattern::AddressRange;

/// Where CloudTrail's record is in an event.
const RECORD: &str = "detail";

/// The largest automaton that a regular expression may become, in bytes.
const REGEX_SIZE_MAX_BYTES: usize = 1 << 20;

/// What is wrong with a field or its value.
struct Fault {
    code: &'static str,
    message: String,
    help: Option<&'static str>,
}

impl Fault {
    fn value(message: impl Into<String>) -> Fault {
        Fault { code: "INVALID_VALUE", message: message.into(), help: None }
    }

    fn modifier(message: impl Into<String>, help: Option<&'static str>) -> Fault {
        Fault { code: "UNSUPPORTED_MODIFIER", message: message.into(), help }
    }
}

/// What a field's modifiers say.
#[derive(Default)]
struct Modifiers {
    place: Option<Place>,
    /// What kind of value it is, if not a text.
    kind: Option<Kind>,
    /// In the order written.
    transformations: Vec<Transformation>,
    all: bool,
    cased: bool,
    negated: bool,
    /// Of a regular expression.
    ignore_case: bool,
    multi_line: bool,
    dot_matches_new_line: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Regex,
    Cidr,
    Exists,
    Reference,
    Compare(Comparison),
}

#[derive(Clone, Copy)]
enum Transformation {
    Encoding(Encoding),
    Base64,
    Base64Offset,
    Dashes,
}

/// Reads a field with its values; `None` where something is wrong with it, which is told.
pub(super) fn read(problems: &mut Problems<'_>, pointer: &str, key: &str, value: &Value) -> Option<Expression> {
    let (name, written) = key.split_once('|').unwrap_or((key, ""));
    let modifiers = match Modifiers::parse(written) {
        Ok(modifiers) => modifiers,
        Err(fault) => {
            problems.add_of_key(fault.code, pointer, fault.message, fault.help);
            return None;
        }
    };
    let field = if name.is_empty() { RECORD.to_owned() } else { format!("{RECORD}.{name}") };
    let values: Vec<(String, &Value)> = match value {
        Value::Array(values) if values.is_empty() => {
            problems.add("INVALID_VALUE", pointer, format!("`{key}` has no values"), None);
            return None;
        }
        Value::Array(values) => {
            values.iter().enumerate().map(|(index, value)| (format!("{pointer}/{index}"), value)).collect()
        }
        value => vec![(pointer.to_owned(), value)],
    };
    let mut parts = Vec::new();
    for (pointer, value) in &values {
        match modifiers.test(&field, value) {
            Ok(expression) => parts.push(expression),
            Err(fault) => problems.add(fault.code, pointer, format!("`{key}`: {}", fault.message), fault.help),
        }
    }
    if parts.len() < values.len() {
        return None;
    }
    let expression = match parts.len() {
        1 => parts.remove(0),
        _ if modifiers.all => Expression::All(parts),
        _ => Expression::Any(parts),
    };
    Some(if modifiers.negated { Expression::Not(Box::new(expression)) } else { expression })
}

/// Reads a value without a field: anything in the record may contain it.
pub(super) fn keyword(problems: &mut Problems<'_>, pointer: &str, value: &Value) -> Option<Expression> {
    match Modifiers::default().test(RECORD, value) {
        Ok(expression) => Some(expression),
        Err(fault) => {
            problems.add(fault.code, pointer, format!("the keyword can't be read: {}", fault.message), fault.help);
            None
        }
    }
}

impl Modifiers {
    fn parse(written: &str) -> Result<Modifiers, Fault> {
        let mut modifiers = Modifiers::default();
        for modifier in written.split('|').filter(|modifier| !modifier.is_empty()) {
            modifiers.add(modifier)?;
        }
        let texts = modifiers.place.is_some() || !modifiers.transformations.is_empty();
        if texts && modifiers.kind.is_some_and(|kind| kind != Kind::Reference) {
            let help = "a regular expression is looked for anywhere in the text; `^` and `$` are its ends";
            return Err(Fault::modifier(format!("the modifiers `{written}` can't be combined"), Some(help)));
        }
        if modifiers.is_regex_flagged() && modifiers.kind != Some(Kind::Regex) {
            return Err(Fault::modifier("`i`, `m` and `s` are modifiers of `re` only", Some("write `re|i`")));
        }
        Ok(modifiers)
    }

    fn is_regex_flagged(&self) -> bool {
        self.ignore_case || self.multi_line || self.dot_matches_new_line
    }

    fn add(&mut self, modifier: &str) -> Result<(), Fault> {
        let transformation = match modifier {
            "contains" => return self.set_place(Place::Anywhere),
            "startswith" => return self.set_place(Place::Start),
            "endswith" => return self.set_place(Place::End),
            "re" => return self.set_kind(Kind::Regex),
            "cidr" => return self.set_kind(Kind::Cidr),
            "exists" => return self.set_kind(Kind::Exists),
            "fieldref" => return self.set_kind(Kind::Reference),
            "gt" => return self.set_kind(Kind::Compare(Comparison::Greater)),
            "gte" => return self.set_kind(Kind::Compare(Comparison::GreaterOrEqual)),
            "lt" => return self.set_kind(Kind::Compare(Comparison::Less)),
            "lte" => return self.set_kind(Kind::Compare(Comparison::LessOrEqual)),
            "all" => return Modifiers::flag(&mut self.all),
            "cased" => return Modifiers::flag(&mut self.cased),
            "neq" => return Modifiers::flag(&mut self.negated),
            "i" => return Modifiers::flag(&mut self.ignore_case),
            "m" => return Modifiers::flag(&mut self.multi_line),
            "s" => return Modifiers::flag(&mut self.dot_matches_new_line),
            "base64" => Transformation::Base64,
            "base64offset" => Transformation::Base64Offset,
            "windash" => Transformation::Dashes,
            "wide" | "utf16le" => Transformation::Encoding(Encoding::Utf16Le),
            "utf16be" => Transformation::Encoding(Encoding::Utf16Be),
            "utf16" => Transformation::Encoding(Encoding::Utf16),
            "expand" => {
                let help = "write the values in place of the placeholder";
                return Err(Fault::modifier("the modifier `expand` is not supported", Some(help)));
            }
            _ => {
                let help = "supported are contains, startswith, endswith, all, re, i, m, s, cidr, exists, cased, gt, gte, lt, lte, neq, fieldref, base64, base64offset, wide, utf16le, utf16be, utf16, windash";
                return Err(Fault::modifier(format!("the modifier `{modifier}` is not supported"), Some(help)));
            }
        };
        self.transformations.push(transformation);
        Ok(())
    }

    fn flag(flag: &mut bool) -> Result<(), Fault> {
        *flag = true;
        Ok(())
    }

    fn set_place(&mut self, place: Place) -> Result<(), Fault> {
        match self.place.replace(place) {
            Some(before) if before != place => {
                Err(Fault::modifier("`contains`, `startswith` and `endswith` can't be combined", None))
            }
            _ => Ok(()),
        }
    }

    fn set_kind(&mut self, kind: Kind) -> Result<(), Fault> {
        match self.kind.replace(kind) {
            Some(before) if before != kind => {
                Err(Fault::modifier("`re`, `cidr`, `exists`, `fieldref` and comparisons can't be combined", None))
            }
            _ => Ok(()),
        }
    }

    /// The test of one value.
    fn test(&self, field: &str, value: &Value) -> Result<Expression, Fault> {
        let test = |check: Check| Expression::Test(Test { field: field.to_owned(), check });
        if value.is_null() {
            return Ok(test(Check::Absent));
        }
        match self.kind {
            Some(Kind::Exists) => match value {
                Value::Bool(true) => Ok(test(Check::Exists)),
                Value::Bool(false) => Ok(Expression::Not(Box::new(test(Check::Exists)))),
                _ => Err(Fault::value("`exists` has to be true or false")),
            },
            Some(Kind::Compare(comparison)) => number(value).map(|bound| test(Check::Compare(comparison, bound))),
            Some(Kind::Regex) => self.regex(value).map(test),
            Some(Kind::Cidr) => {
                let written = text(value)?;
                let block = AddressRange::block(&written);
                let block = block.ok_or_else(|| Fault::value(format!("`{written}` is no block of addresses")))?;
                Ok(test(Check::Cidr(block)))
            }
            Some(Kind::Reference) => Ok(test(Check::Reference(Reference {
                field: format!("{RECORD}.{}", text(value)?),
                cased: self.cased,
                place: self.place.unwrap_or(Place::Whole),
            }))),
            None => self.text_test(field, value),
        }
    }

    fn regex(&self, value: &Value) -> Result<Check, Fault> {
        let regex = RegexBuilder::new(&text(value)?)
            .case_insensitive(self.ignore_case)
            .multi_line(self.multi_line)
            .dot_matches_new_line(self.dot_matches_new_line)
            .size_limit(REGEX_SIZE_MAX_BYTES)
            .build();
        regex.map(Check::Regex).map_err(|error| {
            let error = error.to_string();
            let reason = error.lines().next_back().unwrap_or_default().trim_start_matches("error: ");
            Fault::value(format!("the regular expression can't be used: {reason}"))
        })
    }

    fn text_test(&self, field: &str, value: &Value) -> Result<Expression, Fault> {
        let test = |check: Check| Expression::Test(Test { field: field.to_owned(), check });
        let is_plain = self.place.is_none() && self.transformations.is_empty() && field != RECORD;
        if let (Value::Number(number), true) = (value, is_plain) {
            return Ok(test(Check::Number(number.as_f64().unwrap_or(f64::NAN))));
        }
        let mut tests: Vec<Expression> = self
            .texts(text(value)?)?
            .into_iter()
            .map(|text| {
                let place = if field == RECORD { self.place.or(Some(Place::Anywhere)) } else { self.place };
                test(Check::Text(TextPattern::new(placed(parts(&text), place), self.cased)))
            })
            .collect();
        Ok(if tests.len() == 1 { tests.remove(0) } else { Expression::Any(tests) })
    }

    /// The texts that the transformations make of one, still with wildcards and escapes.
    fn texts(&self, text: String) -> Result<Vec<String>, Fault> {
        let mut texts = vec![text];
        let mut encoding = Encoding::Utf8;
        for transformation in &self.transformations {
            match transformation {
                Transformation::Encoding(other) => encoding = *other,
                Transformation::Dashes => texts = texts.iter().flat_map(|text| encode::dashes(text)).collect(),
                Transformation::Base64 | Transformation::Base64Offset => {
                    let encoded = texts.iter().map(|text| {
                        let bytes = encode::bytes(&literal(text)?, encoding);
                        Ok(match transformation {
                            Transformation::Base64 => vec![encode::base64(&bytes)],
                            _ => encode::base64_at_each_offset(&bytes),
                        })
                    });
                    texts = encoded.collect::<Result<Vec<_>, Fault>>()?.concat();
                    encoding = Encoding::Utf8;
                }
            }
        }
        if encoding == Encoding::Utf8 {
            return Ok(texts);
        }
        let help = "write `wide|base64offset|contains`";
        Err(Fault::modifier("`wide` and `utf16…` mean something before `base64` and `base64offset` only", Some(help)))
    }
}

/// A text's parts, with what may stand before and behind.
fn placed(mut parts: Vec<Part>, place: Option<Place>) -> Vec<Part> {
    if matches!(place, Some(Place::End | Place::Anywhere)) && parts.first() != Some(&Part::Any) {
        parts.insert(0, Part::Any);
    }
    if matches!(place, Some(Place::Start | Place::Anywhere)) && parts.last() != Some(&Part::Any) {
        parts.push(Part::Any);
    }
    parts
}

/// A text that must have no wildcards.
fn literal(text: &str) -> Result<String, Fault> {
    match parts(text).as_slice() {
        [] => Ok(String::new()),
        [Part::Literal(text)] => Ok(text.clone()),
        _ => Err(Fault::value("a text with wildcards has no base64")),
    }
}

/// A value as text.
fn text(value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(boolean) => Ok(boolean.to_string()),
        _ => {
            let help = "steps into nested fields are joined by dots: `requestParameters.bucketName`";
            Err(Fault { help: Some(help), ..Fault::value("a value has to be a text, a number, true, false or null") })
        }
    }
}

fn number(value: &Value) -> Result<f64, Fault> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| Fault::value("a comparison needs a number"))
}
