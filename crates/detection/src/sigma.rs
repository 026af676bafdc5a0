//! Sigma rules for AWS CloudTrail, as they are.
//!
//! A rule is read in three steps: `search` turns the search identifiers of `detection` into tests of fields (`field`: names and
//! modifiers, `text`: wildcards), `condition` puts them together as the rule's `condition` says. What a rule says of fields it says
//! of CloudTrail's record: an event's `detail`.
//!
//! Sources: <https://github.com/SigmaHQ/sigma-specification> (rules, modifiers), version 2.1.

mod check;
mod condition;
mod encode;
mod field;
mod naive;
mod search;
mod text;

use asl::{Diagnostic, Document, document::escape};
use serde_json::Value;

use crate::{Severity, rule::Rule};

pub(crate) use check::{Check, Place};
pub(crate) use text::{Shape, TextPattern, fold};

/// What a rule's `detection` says, ready to be matched.
#[derive(Clone, Debug)]
pub struct Condition(pub(crate) Expression);

/// Tests, put together.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Test(Test),
}

/// One test of one field of CloudTrail's record.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// The field, its steps joined by dots; `""` is the whole record.
    pub field: String,
    /// What is asked of it.
    pub check: Check,
}

/// What a Sigma file is.
#[derive(Clone, Debug)]
pub enum SigmaFile {
    /// A rule for AWS CloudTrail.
    Rule(Box<Rule>),
    /// A rule for another log, which no event here is from: its `logsource`, for people.
    OtherSource(String),
}

/// The longest title.
const TITLE_LIMIT: usize = 1_000;

/// Whether a document is meant as a Sigma rule (or as Sigma's correlation of rules).
pub fn is_sigma(document: &Document) -> bool {
    let has = |key: &str| document.value().get(key).is_some();
    has("logsource") || has("correlation") || has("detection") && has("title")
}

/// Reads a Sigma rule; tells every problem of it at once. `name` is the rule's id where it has none: its file's name.
pub fn read(document: &Document, name: &str) -> Result<SigmaFile, Vec<Diagnostic>> {
    let mut problems = Problems { document, diagnostics: Vec::new() };
    let file = read_file(&mut problems, name);
    match file {
        Some(file) if problems.diagnostics.is_empty() => Ok(file),
        _ => {
            problems.diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
            Err(problems.diagnostics)
        }
    }
}

fn read_file(problems: &mut Problems<'_>, name: &str) -> Option<SigmaFile> {
    let Some(rule) = problems.document.value().as_object() else {
        problems.add("INVALID_VALUE", "", "a Sigma rule has to be an object", None);
        return None;
    };
    if rule.contains_key("correlation") {
        let help = "the rules that it correlates can be used each for itself";
        problems.add("UNSUPPORTED_RULE", "/correlation", "Sigma's correlation rules are not supported", Some(help));
        return None;
    }
    if let Some(source) = other_source(problems)? {
        return Some(SigmaFile::OtherSource(source));
    }
    let title = problems.text("/title").filter(|title| title.chars().count() <= TITLE_LIMIT);
    if title.is_none() {
        problems.add("INVALID_VALUE", "/title", "a rule needs a `title` of at most 1000 characters", None);
    }
    let severity = severity(problems);
    let condition = search::read(problems);
    Some(SigmaFile::Rule(Box::new(Rule {
        id: problems.text("/id").unwrap_or_else(|| name.to_owned()),
        title: title?,
        severity: severity?,
        tags: problems.texts("/tags"),
        false_positives: problems.texts("/falsepositives"),
        filter: Condition::of_cloudtrail(condition?).into(),
    })))
}

/// The logsource, for people, where it is not AWS CloudTrail. `None` where it can't be read.
fn other_source(problems: &mut Problems<'_>) -> Option<Option<String>> {
    let Some(source) = problems.value("/logsource").and_then(Value::as_object) else {
        let help = "write `logsource: {product: aws, service: cloudtrail}`";
        problems.add("MISSING_KEY", "/logsource", "a rule needs a `logsource` that is an object", Some(help));
        return None;
    };
    let said = |key: &str| source.get(key).and_then(Value::as_str).unwrap_or_default();
    if said("product").eq_ignore_ascii_case("aws") && said("service").eq_ignore_ascii_case("cloudtrail") {
        return Some(None);
    }
    let parts = ["product", "service", "category"].map(|key| (key, said(key)));
    let shown: Vec<String> =
        parts.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!("{key} {value}")).collect();
    Some(Some(shown.join(", ")))
}

/// `level`, as ASFF's severity. The outer `None`: it can't be read.
fn severity(problems: &mut Problems<'_>) -> Option<Option<Severity>> {
    let Some(level) = problems.value("/level") else { return Some(None) };
    let severity = match level.as_str() {
        Some("informational") => Severity::Informational,
        Some("low") => Severity::Low,
        Some("medium") => Severity::Medium,
        Some("high") => Severity::High,
        Some("critical") => Severity::Critical,
        _ => {
            let help = "known are informational, low, medium, high, critical";
            problems.add("INVALID_VALUE", "/level", format!("there is no level {level}"), Some(help));
            return None;
        }
    };
    Some(Some(severity))
}

/// A rule's document, and what is wrong with it so far.
struct Problems<'a> {
    document: &'a Document,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Problems<'a> {
    fn add(&mut self, code: &str, pointer: &str, message: impl Into<String>, help: Option<&str>) {
        let diagnostic = Diagnostic::error(code, message).at(pointer, self.document.span(pointer));
        self.push(diagnostic, help);
    }

    /// The same of a key, and not of what it stands for.
    fn add_of_key(&mut self, code: &str, pointer: &str, message: impl Into<String>, help: Option<&str>) {
        let diagnostic = Diagnostic::error(code, message).at(pointer, self.document.key_span(pointer));
        self.push(diagnostic, help);
    }

    fn push(&mut self, diagnostic: Diagnostic, help: Option<&str>) {
        self.diagnostics.push(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
    }

    fn value(&self, pointer: &str) -> Option<&'a Value> {
        self.document.value().pointer(pointer)
    }

    fn text(&self, pointer: &str) -> Option<String> {
        self.value(pointer)?.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
    }

    /// The texts of a list; what is there for people to read fails no rule.
    fn texts(&self, pointer: &str) -> Vec<String> {
        match self.value(pointer) {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(text)) => vec![text.clone()],
            _ => Vec::new(),
        }
    }
}

/// The pointer of what is under a key.
fn under(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", escape(key))
}

#[cfg(test)]
mod tests;
