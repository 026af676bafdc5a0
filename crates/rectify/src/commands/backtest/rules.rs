//! What past events are held against.

use std::{
    fs,
    path::{Path, PathBuf},
};

use asl::{Diagnostic, Document, document::Format};
use detection::{Event, EventPattern, Filter, Guardrail, Matcher, Rule, rule, sigma};
use serde_json::{Value, json};

use crate::{commands::Problem, content, diagnostics, start};

/// The keys that tell a guardrail from an event pattern: two of them, as one may be a field that a pattern asks about.
const KEYS_OF_GUARDRAILS: [&str; 9] =
    ["title", "severity", "risk", "resource", "event", "list", "inspect", "fix", "undo"];

/// What can fire.
enum Firing {
    Guardrail(Box<Guardrail>),
    /// An event pattern or a Sigma rule.
    Rule(Box<Rule>),
}

/// The guardrails, and the rules of a folder.
pub struct Rules {
    firing: Vec<Firing>,
    matcher: Matcher<usize>,
    /// Files that could not be used, and why.
    pub refused: Vec<String>,
    /// Files that are of no use here, and why.
    pub passed_over: Vec<String>,
}

/// What a file of a folder of rules is.
enum File {
    Guardrail(Box<Guardrail>),
    Rule(Box<Rule>),
    PassedOver(String),
}

impl Rules {
    /// The carried guardrails, and the guardrails, patterns and Sigma rules of a folder and all below it. A file that can't be used
    /// is kept with the reason and left out.
    pub fn load(folder: Option<&Path>) -> Result<Rules, Problem> {
        let (mut guardrails, broken) = content::guardrails(None, &start::known_resources()).map_err(Problem)?;
        if let Some(file) = broken.first() {
            return Err(Problem(diagnostics::render(&file.name, &file.text, &file.diagnostics)));
        }
        let mut paths = Vec::new();
        if let Some(folder) = folder {
            below(folder, &mut paths)?;
        }
        let (mut rules, mut refused, mut passed_over) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            match read(&path) {
                Ok(File::Rule(rule)) => rules.push(rule),
                Ok(File::Guardrail(guardrail)) => {
                    guardrails.retain(|other| other.id != guardrail.id);
                    guardrails.push(*guardrail);
                }
                Ok(File::PassedOver(why)) => passed_over.push(format!("{}: {why}", path.display())),
                Err(reason) => refused.push(reason),
            }
        }
        guardrails.sort_by(|one, other| one.id.cmp(&other.id));
        let firing: Vec<Firing> = guardrails
            .into_iter()
            .map(|guardrail| Firing::Guardrail(Box::new(guardrail)))
            .chain(rules.into_iter().map(Firing::Rule))
            .collect();
        let filters = firing.iter().enumerate().map(|(index, firing)| (index, firing.filter())).collect();
        Ok(Rules { matcher: Matcher::new(filters), firing, refused, passed_over })
    }

    /// What fires on an event: `{event_id, rule, title, severity, resource, time}` each, one for each resource of a guardrail.
    pub fn hits(&self, event: &Event) -> Vec<Value> {
        let mut hits = Vec::new();
        for index in self.matcher.matches(&event.envelope()) {
            let hit = |rule: &str, title: &str, severity: Value, resource: Value| json!({"event_id": event.identity(), "rule": rule, "title": title, "severity": severity, "resource": resource, "time": event.time});
            match self.firing.get(*index) {
                Some(Firing::Rule(rule)) => {
                    let resource = match rule.filter {
                        Filter::Pattern(_) => event.resources.first().cloned().into(),
                        Filter::Sigma(_) => rule.finding_key(event).resource.into(),
                    };
                    hits.push(hit(&rule.id, &rule.title, json!(rule.severity), resource));
                }
                Some(Firing::Guardrail(guardrail)) => {
                    let severity = json!(guardrail.severity);
                    match guardrail.sightings(event) {
                        Ok(sightings) => hits.extend(sightings.into_iter().map(|sighting| {
                            hit(&guardrail.id, &guardrail.title, severity.clone(), sighting.resource.into())
                        })),
                        Err(error) => {
                            tracing::error!(guardrail = guardrail.id, event = event.identity(), %error, "resource.id can't be evaluated on this event; the guardrail is skipped");
                        }
                    }
                }
                None => {}
            }
        }
        hits
    }
}

impl Firing {
    fn filter(&self) -> Filter {
        match self {
            Firing::Guardrail(guardrail) => guardrail.pattern.clone().into(),
            Firing::Rule(rule) => rule.filter.clone(),
        }
    }
}

/// The JSON and YAML files below a folder, in the order of their names.
fn below(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let unreadable = |error: std::io::Error| Problem(format!("{} can't be read: {error}", folder.display()));
    let mut entries = fs::read_dir(folder).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link to a folder is not followed: it could lead back.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            below(&path, paths)?;
        } else if path.file_name().and_then(|name| Format::of_file_name(name.to_str()?)).is_some() {
            paths.push(path);
        }
    }
    Ok(())
}

/// Reads a file of any of the kinds; the error tells all that is wrong with it.
fn read(path: &Path) -> Result<File, String> {
    let shown = path.display().to_string();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).map_err(|error| format!("{shown} can't be read: {error}"))?;
    let rendered = |problems: Vec<Diagnostic>| diagnostics::render(&shown, &text, &problems);
    if Format::of_file_name(&name) == Some(Format::Json) {
        return EventPattern::parse(&text)
            .map(|pattern| of_pattern(name, pattern))
            .map_err(|invalid| format!("{shown}: {invalid}"));
    }
    let (document, problems) = Document::read(&text, Format::of_text(&text)).map_err(rendered)?;
    if sigma::is_sigma(&document) {
        return match sigma::read(&document, &name) {
            Ok(sigma::SigmaFile::Rule(rule)) => Ok(File::Rule(rule)),
            Ok(sigma::SigmaFile::OtherSource(source)) => {
                Ok(File::PassedOver(format!("a Sigma rule for another log than AWS CloudTrail: {source}")))
            }
            Err(problems) => Err(rendered(problems)),
        };
    }
    if rule::is_headed(&document) {
        return match rule::read(&text, &name, None) {
            Ok(rule::RuleFile::Rule(written)) => Ok(File::Rule(Box::new(written.rule))),
            Ok(_) => Ok(File::PassedOver("no rule".to_owned())),
            Err(problems) => Err(rendered(problems)),
        };
    }
    if KEYS_OF_GUARDRAILS.iter().filter(|key| document.value().get(key).is_some()).count() >= 2 {
        let parsed = Guardrail::parse(&document, &start::known_resources());
        return match diagnostics::all(problems, parsed) {
            Ok((guardrail, _)) => Ok(File::Guardrail(Box::new(guardrail))),
            Err(problems) => Err(rendered(problems)),
        };
    }
    EventPattern::from_value(document.value()).map(|pattern| of_pattern(name, pattern)).map_err(|invalid| {
        let reason = invalid.reason.lines().next().unwrap_or_default();
        let problem = Diagnostic::error("INVALID_PATTERN", format!("the event pattern is not valid: {reason}"));
        rendered(vec![problem.at(&invalid.pointer, document.span(&invalid.pointer))])
    })
}

/// A pattern has no name but its file's.
fn of_pattern(name: String, pattern: EventPattern) -> File {
    File::Rule(Box::new(Rule {
        title: name.clone(),
        id: name,
        severity: None,
        tags: Vec::new(),
        false_positives: Vec::new(),
        filter: pattern.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Sigma rule of CloudTrail's.
    fn sigma(detection: &str) -> String {
        format!(
            "title: Bucket deleted\nid: r-1\nlevel: high\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {detection}"
        )
    }

    #[test]
    fn a_folder_s_files_are_what_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        let write = |folder: &Path, name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write(&below, "sigma.yml", &sigma("{s: {eventName: deletebucket}, condition: s}"));
        write(
            folder.path(),
            "windows.yml",
            "title: W\nlogsource: {product: windows}\ndetection: {s: {a: b}, condition: s}",
        );
        write(folder.path(), "counted.yml", &sigma("{s: {a: b}, condition: s | count() > 5}"));
        write(folder.path(), "pattern.yaml", "source: [aws.s3]");
        write(folder.path(), "pattern.json", r#"{"detail": {"eventName": [{"suffix": "Bucket"}]}}"#);
        write(folder.path(), "broken.yaml", "source: aws.s3");
        write(folder.path(), "README.md", "no rule");
        let rules = Rules::load(Some(folder.path())).unwrap();
        assert_eq!(rules.passed_over.len(), 1, "{:?}", rules.passed_over);
        assert!(rules.passed_over[0].ends_with("for another log than AWS CloudTrail: product windows"));
        assert_eq!(rules.refused.len(), 2, "{:?}", rules.refused);
        assert!(
            rules.refused[0].contains("broken.yaml:1:9") && rules.refused[0].contains("must be an object or an array")
        );
        assert!(rules.refused[1].contains("counted.yml:5:") && rules.refused[1].contains("aggregation"));

        let record = json!({"eventVersion": "1.09", "eventID": "e1", "eventTime": "2026-01-01T00:00:00Z", "eventSource": "s3.amazonaws.com",
            "eventName": "DeleteBucket", "awsRegion": "us-east-1", "recipientAccountId": "123456789012", "userIdentity": {"arn": "arn:u"}});
        let event = detection::normalize::read(record.to_string().as_bytes()).remove(0).unwrap();
        let hit = |rule: &str, title: &str, severity: Value, resource: Value| json!({"event_id": "e1", "rule": rule, "title": title, "severity": severity, "resource": resource, "time": "2026-01-01T00:00:00Z"});
        assert_eq!(
            rules.hits(&event),
            [
                hit("r-1", "Bucket deleted", json!("HIGH"), json!("arn:u")),
                hit("pattern.json", "pattern.json", Value::Null, Value::Null),
                hit("pattern.yaml", "pattern.yaml", Value::Null, Value::Null),
            ]
        );
    }
}
