//! Reading a playbook file: a header, a line `---`, a state machine. Every problem is told at its line of the file.

use asl::{Diagnostic, Document, document::Format, parse::Resources};
use query::{Language, Template};
use serde_json::Value;

use super::{CONCURRENCY_MAX, DEFAULT_CONCURRENCY, Playbook, Test, Trigger};
use crate::{Severity, guardrail::parameters, reader::Reader};

/// The longest id: the machine's name is made of it, and may have 80 characters.
const ID_LIMIT: usize = 60;
/// The longest title.
const TITLE_LIMIT: usize = 200;

const KEYS: &[&str] = &["id", "title", "severity", "event", "rules", "input", "concurrency", "parameters", "tests"];
const REQUIRED: &[&str] = &["id", "title", "severity"];

/// The header and the machine of a playbook file; `None` where nothing but blanks and comments stands before the first `---`, or there
/// is none. In the machine's text blanks stand in the place of the header, so that every part of it is where it is in the file.
pub fn split(text: &str) -> Option<(&str, String)> {
    let mut start = 0;
    let mut header = String::new();
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if line.trim_end() == "---" && says_something(&header) {
            let machine = text.get(end..).unwrap_or_default();
            let blanks = text.get(..end).unwrap_or_default().bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' });
            return Some((text.get(..start).unwrap_or_default(), blanks.chain(machine.chars()).collect()));
        }
        header.push_str(line);
        start = end;
    }
    None
}

fn says_something(header: &str) -> bool {
    let is_silent = |line: &str| line.is_empty() || line.starts_with('#') || line.starts_with('%') || line == "---";
    !header.trim_start_matches('\u{feff}').lines().map(str::trim).all(is_silent)
}

impl Playbook {
    /// Reads a playbook file; tells every problem of it at once, in the order of the text. A playbook comes with its warnings.
    pub fn parse(text: &str, resources: &dyn Resources) -> Result<(Playbook, Vec<Diagnostic>), Vec<Diagnostic>> {
        let Some((header, machine)) = split(text) else {
            let help =
                "write `id`, `title`, `severity` and `event` or `rules`, then a line `---`, then the state machine";
            return Err(vec![Diagnostic::error("NO_HEADER", "nothing says what starts this playbook").with_help(help)]);
        };
        let header = Document::read(header, Format::Yaml);
        let (definition, mut problems) = definition(&machine, resources);
        let read = match &header {
            Ok((document, found)) => {
                problems.extend(found.iter().cloned());
                let mut reader = Reader::new(document, "the playbook's header");
                let playbook = read(&mut reader, definition);
                let (Ok(found) | Err(found)) = reader.finish();
                problems.extend(found);
                playbook
            }
            Err(found) => {
                problems.extend(found.iter().cloned());
                None
            }
        };
        problems.sort_by_key(|problem| problem.span.start);
        match read {
            Some(playbook) if problems.iter().all(|problem| problem.severity == asl::Severity::Warning) => {
                Ok((playbook, problems))
            }
            _ => Err(problems),
        }
    }
}

/// The machine as written, if it could be read, and what is wrong with it.
fn definition(text: &str, resources: &dyn Resources) -> (Option<Value>, Vec<Diagnostic>) {
    let (document, mut problems) = match Document::read(text, Format::Yaml) {
        Ok(read) => read,
        Err(problems) => return (None, problems),
    };
    let (Ok(found) | Err(found)) = asl::parse::parse(&document, resources).map(|(_, warnings)| warnings);
    problems.extend(found);
    (Some(document.value().clone()), problems)
}

/// The playbook, if all of it could be read; each part is looked at, whatever is wrong with the others.
fn read(reader: &mut Reader<'_>, definition: Option<Value>) -> Option<Playbook> {
    reader.object("", KEYS, REQUIRED)?;
    let id = reader.id("/id", ID_LIMIT);
    let title = reader.text("/title", TITLE_LIMIT);
    let severity = reader.one_of::<Severity>("/severity", &["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]);
    let trigger = trigger(reader);
    let input = input(reader);
    let concurrency = concurrency(reader);
    let parameters = parameters(reader);
    let tests = match reader.value("/tests") {
        Some(_) => reader.tests("", |test: &Test| &test.name, check_parameters),
        None => Vec::new(),
    };
    Some(Playbook {
        id: id?,
        title: title?,
        severity: severity?,
        trigger: trigger?,
        input: input?,
        concurrency,
        parameters,
        definition: definition?,
        tests,
    })
}

fn trigger(reader: &mut Reader<'_>) -> Option<Trigger> {
    let pattern = reader.pattern("/event");
    let rules = reader.value("/rules").map(|written| rules(reader, written));
    match (reader.value("/event").is_some(), rules) {
        (true, None) => pattern.map(Trigger::Event),
        (false, Some(rules)) => rules.map(Trigger::Rules),
        (true, Some(_)) => {
            let help = "write two playbooks, or a rule with the pattern of `event`";
            reader.problem("INVALID_VALUE", "/rules", "a playbook has either `event` or `rules`", Some(help));
            None
        }
        (false, None) => {
            let help = "`event` is an EventBridge pattern, `rules` is a list of rules' ids";
            let message = "the playbook has neither `event` nor `rules`: nothing would start it";
            reader.problem("MISSING_KEY", "", message, Some(help));
            None
        }
    }
}

fn rules(reader: &mut Reader<'_>, written: &Value) -> Option<Vec<String>> {
    let ids: Option<Vec<String>> = written.as_array().and_then(|ids| {
        ids.iter().map(|id| id.as_str().filter(|id| !id.trim().is_empty()).map(str::to_owned)).collect()
    });
    let ids = ids.filter(|ids| !ids.is_empty());
    if ids.is_none() {
        let help = "write the rules' ids, as in `[console-login-without-mfa]`";
        reader.problem("INVALID_VALUE", "/rules", "`rules` has to be a list of rules' ids", Some(help));
    }
    ids
}

/// The outer `None` is one that can't be read.
fn input(reader: &mut Reader<'_>) -> Option<Option<Template>> {
    let Some(written) = reader.value("/input") else { return Some(None) };
    match Template::parse(written, Language::Jsonata) {
        Ok(template) => Some(Some(template)),
        Err(errors) => {
            for error in errors {
                let message = format!("the JSONata expression can't be read: {}", error.message);
                reader.problem("INVALID_EXPRESSION", &format!("/input{}", error.pointer), message, None);
            }
            None
        }
    }
}

fn concurrency(reader: &mut Reader<'_>) -> u32 {
    let Some(written) = reader.value("/concurrency") else { return DEFAULT_CONCURRENCY };
    let number = written.as_u64().and_then(|number| u32::try_from(number).ok());
    match number.filter(|number| (1..=CONCURRENCY_MAX).contains(number)) {
        Some(number) => number,
        None => {
            let message = format!("`concurrency` has to be a whole number from 1 to {CONCURRENCY_MAX}");
            reader.problem("INVALID_VALUE", "/concurrency", message, None);
            DEFAULT_CONCURRENCY
        }
    }
}

fn check_parameters(reader: &mut Reader<'_>, pointer: &str, test: &Test) {
    for name in test.parameters.keys() {
        if reader.value("/parameters").and_then(|parameters| parameters.get(name)).is_none() {
            let pointer = format!("{pointer}/parameters/{}", asl::document::escape(name));
            reader.problem("UNKNOWN_KEY", &pointer, format!("the playbook has no parameter `{name}`"), None);
        }
    }
}
