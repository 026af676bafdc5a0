//! Rules' files: Sigma rules as they are published, event patterns, and event patterns with a header.

use std::collections::BTreeSet;

use asl::{Diagnostic, Document, document::Format, nearest::nearest};
use serde_json::Value;

use super::Rule;
use crate::{EventPattern, Severity, reader::Reader, sigma};

/// The longest id of a rule.
const ID_LIMIT: usize = 200;
/// The longest title.
const TITLE_LIMIT: usize = 200;
/// The longest window in which further matches belong to the same occurrence: thirty days.
pub const DEDUP_WINDOW_MAX_SECONDS: u64 = 2_592_000;

const KEYS: &[&str] = &["id", "title", "severity", "tags", "guardrail", "playbook", "dedup_window_seconds", "event"];
/// What tells a guardrail from an event pattern: two of them, as one may be a field that a pattern asks about.
const KEYS_OF_GUARDRAILS: [&str; 9] =
    ["title", "severity", "risk", "resource", "event", "list", "inspect", "fix", "undo"];
/// What no rule has.
const KEYS_OF_GUARDRAILS_ALONE: [&str; 6] = ["risk", "resource", "list", "inspect", "fix", "undo"];

/// What a match of a rule leads to, beside its finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeadsTo {
    /// The guardrail that takes the match for its own, whatever its own pattern says.
    Guardrail(String),
    /// The playbook that is started.
    Playbook(String),
}

/// A rule as its file has it.
#[derive(Clone, Debug)]
pub struct WrittenRule {
    /// What it matches, and what a match is called.
    pub rule: Rule,
    /// What a match leads to.
    pub leads_to: Option<LeadsTo>,
    /// For how long further matches belong to the same occurrence, in seconds.
    pub dedup_window_seconds: Option<u64>,
}

/// What a file of a folder of rules is.
#[derive(Clone, Debug)]
pub enum RuleFile {
    /// A rule.
    Rule(Box<WrittenRule>),
    /// A Sigma rule for another log, which no event here is from: its `logsource`, for people.
    OtherSource(String),
    /// A guardrail.
    Guardrail,
}

/// What rules may lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Ids of guardrails.
    pub guardrails: BTreeSet<String>,
    /// Ids of the playbooks that are enabled.
    pub playbooks: BTreeSet<String>,
}

impl Names {
    /// What is wrong with a name, and what may have been meant.
    pub fn misfit(&self, leads_to: &LeadsTo) -> Option<(String, String)> {
        let (kind, id, known) = match leads_to {
            LeadsTo::Guardrail(id) => ("guardrail", id, &self.guardrails),
            LeadsTo::Playbook(id) => ("playbook", id, &self.playbooks),
        };
        if known.contains(id) {
            return None;
        }
        let enabled = if matches!(leads_to, LeadsTo::Playbook(_)) { " that is enabled" } else { "" };
        let help = match nearest(id, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("there is no {kind}{enabled} at all"),
            None => format!("there are: {}", known.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
        };
        Some((format!("there is no {kind} `{id}`{enabled}"), help))
    }
}

/// Reads a rule's file; tells every problem of it at once. `name` is the file's, and the rule's id where it has none. `names` are
/// what it may lead to; `None` where that is not known.
pub fn read(text: &str, name: &str, names: Option<&Names>) -> Result<RuleFile, Vec<Diagnostic>> {
    if Format::of_file_name(name) == Some(Format::Json) {
        return match EventPattern::parse(text) {
            Ok(pattern) => plain(name, pattern),
            Err(invalid) => Err(vec![Diagnostic::error("INVALID_PATTERN", invalid.to_string())]),
        };
    }
    let (document, problems) = Document::read(text, Format::of_text(text))?;
    let file = if sigma::is_sigma(&document) {
        of_sigma(&document, name)
    } else if is_headed(&document) {
        headed(&document, names)
    } else if is_guardrail(&document) {
        Ok(RuleFile::Guardrail)
    } else {
        of_pattern(&document, name)
    };
    match file {
        Ok(file) if problems.is_empty() => Ok(file),
        Ok(_) => Err(problems),
        Err(mut found) => {
            found.extend(problems);
            found.sort_by_key(|problem| problem.span.start);
            Err(found)
        }
    }
}

/// Whether a document is an event pattern with a header.
pub fn is_headed(document: &Document) -> bool {
    let value = document.value();
    let is_text = |key: &&str| value.get(*key).is_some_and(|value| !value.is_array() && !value.is_object());
    value.get("event").is_some_and(Value::is_object)
        && KEYS.iter().any(is_text)
        && !KEYS_OF_GUARDRAILS_ALONE.iter().any(|key| value.get(*key).is_some())
}

fn is_guardrail(document: &Document) -> bool {
    KEYS_OF_GUARDRAILS.iter().filter(|key| document.value().get(**key).is_some()).count() >= 2
}

fn of_sigma(document: &Document, name: &str) -> Result<RuleFile, Vec<Diagnostic>> {
    match sigma::read(document, name)? {
        sigma::SigmaFile::OtherSource(source) => Ok(RuleFile::OtherSource(source)),
        sigma::SigmaFile::Rule(rule) => match misfit_of_id(&rule.id) {
            Some(problem) => Err(vec![problem.at("/id", document.span("/id"))]),
            None => Ok(of_rule(*rule)),
        },
    }
}

fn of_pattern(document: &Document, name: &str) -> Result<RuleFile, Vec<Diagnostic>> {
    match EventPattern::from_value(document.value()) {
        Ok(pattern) => plain(name, pattern),
        Err(invalid) => {
            // Behind the first line AWS repeats the pattern.
            let reason = invalid.reason.lines().next().unwrap_or_default();
            let problem = Diagnostic::error("INVALID_PATTERN", format!("the event pattern is not valid: {reason}"));
            Err(vec![problem.at(&invalid.pointer, document.span(&invalid.pointer))])
        }
    }
}

/// A pattern has no name but its file's.
fn plain(name: &str, pattern: EventPattern) -> Result<RuleFile, Vec<Diagnostic>> {
    if let Some(problem) = misfit_of_id(name) {
        return Err(vec![problem]);
    }
    Ok(of_rule(Rule {
        id: name.to_owned(),
        title: name.to_owned(),
        severity: None,
        tags: Vec::new(),
        false_positives: Vec::new(),
        filter: pattern.into(),
    }))
}

fn of_rule(rule: Rule) -> RuleFile {
    RuleFile::Rule(Box::new(WrittenRule { rule, leads_to: None, dedup_window_seconds: None }))
}

/// What is wrong with an id.
fn misfit_of_id(id: &str) -> Option<Diagnostic> {
    if id.chars().count() <= ID_LIMIT && !id.chars().any(char::is_control) {
        return None;
    }
    let message = format!("a rule's id has at most {ID_LIMIT} characters, none of them a control character");
    Some(Diagnostic::error("INVALID_VALUE", message))
}

fn headed(document: &Document, names: Option<&Names>) -> Result<RuleFile, Vec<Diagnostic>> {
    let mut reader = Reader::new(document, "the rule");
    let rule = read_headed(&mut reader, names);
    match (rule, reader.finish()) {
        (Some(rule), Ok(_)) => Ok(RuleFile::Rule(Box::new(rule))),
        (_, Ok(problems) | Err(problems)) => Err(problems),
    }
}

fn read_headed(reader: &mut Reader<'_>, names: Option<&Names>) -> Option<WrittenRule> {
    reader.object("", KEYS, &["id", "title", "event"])?;
    let id = reader.id("/id", ID_LIMIT);
    let title = reader.text("/title", TITLE_LIMIT);
    let severity = reader.one_of::<Severity>("/severity", &["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]);
    let filter = reader.pattern("/event");
    let leads_to = leads_to(reader, names);
    let rule = Rule {
        id: id?,
        title: title?,
        severity,
        tags: tags(reader),
        false_positives: Vec::new(),
        filter: filter?.into(),
    };
    Some(WrittenRule { rule, leads_to, dedup_window_seconds: dedup_window(reader) })
}

fn leads_to(reader: &mut Reader<'_>, names: Option<&Names>) -> Option<LeadsTo> {
    let guardrail = reader.text("/guardrail", ID_LIMIT).map(LeadsTo::Guardrail);
    let playbook = reader.text("/playbook", ID_LIMIT).map(LeadsTo::Playbook);
    if guardrail.is_some() && playbook.is_some() {
        let help =
            "a guardrail makes the finding and responds to it; a playbook is started beside the rule's own finding";
        reader.problem("INVALID_VALUE", "/playbook", "a rule names a guardrail or a playbook, not both", Some(help));
    }
    let named = guardrail.or(playbook)?;
    if let Some((message, help)) = names.and_then(|names| names.misfit(&named)) {
        let pointer = if matches!(named, LeadsTo::Guardrail(_)) { "/guardrail" } else { "/playbook" };
        reader.problem("UNKNOWN_NAME", pointer, message, Some(&help));
    }
    Some(named)
}

fn tags(reader: &mut Reader<'_>) -> Vec<String> {
    let Some(written) = reader.value("/tags") else { return Vec::new() };
    let tags: Option<Vec<String>> =
        written.as_array().and_then(|tags| tags.iter().map(|tag| tag.as_str().map(str::to_owned)).collect());
    tags.unwrap_or_else(|| {
        reader.problem("INVALID_VALUE", "/tags", "`tags` has to be a list of texts", None);
        Vec::new()
    })
}

fn dedup_window(reader: &mut Reader<'_>) -> Option<u64> {
    let seconds =
        reader.value("/dedup_window_seconds")?.as_u64().filter(|seconds| *seconds <= DEDUP_WINDOW_MAX_SECONDS);
    if seconds.is_none() {
        let message =
            format!("`dedup_window_seconds` has to be a whole number of seconds from 0 to {DEDUP_WINDOW_MAX_SECONDS}");
        reader.problem("INVALID_VALUE", "/dedup_window_seconds", message, None);
    }
    seconds
}
