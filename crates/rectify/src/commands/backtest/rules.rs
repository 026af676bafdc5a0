//! What past events are held against.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use asl::{Diagnostic, Document, document::Format};
use detection::{
    Event, EventPattern, Filter, Guardrail, Matcher, Rule, Settings, Severity,
    rule::{self, actor},
    sigma,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{commands::Problem, configuration::Configuration, content, diagnostics, start};

/// The keys that tell a guardrail from an event pattern: two of them, as one may be a field that a pattern asks about.
const KEYS_OF_GUARDRAILS: [&str; 9] =
    ["title", "severity", "risk", "resource", "event", "list", "inspect", "fix", "undo"];

/// What can fire.
enum Firing {
    Guardrail(Box<Guardrail>),
    /// An event pattern or a Sigma rule.
    Rule(Box<Rule>),
}

/// A rule that fired on an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// Its number.
    pub rule: usize,
    /// The event's identity.
    pub event_id: String,
    /// When the event happened.
    pub time: Timestamp,
    /// The event's account.
    pub account: String,
    /// Who did it.
    pub actor: Option<String>,
    /// What it is about: every resource of a guardrail, one of another rule, which may be unknown.
    pub resources: Vec<Option<String>>,
}

/// What a rule says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Its severity, where it says one.
    pub severity: Option<Severity>,
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
    /// The guardrails that the configuration leads to, and the guardrails, patterns and Sigma rules of a folder and all below it. A
    /// file that can't be used is kept with the reason and left out.
    pub fn load(configuration: &Configuration, folder: Option<&Path>) -> Result<Rules, Problem> {
        let (mut guardrails, broken) =
            content::guardrails(configuration.guardrails_folder.as_deref(), &start::known_resources())
                .map_err(Problem)?;
        let mut paths = Vec::new();
        if let Some(folder) = folder {
            below(folder, &mut paths)?;
        }
        let (mut rules, mut passed_over) = (Vec::new(), Vec::new());
        let mut refused: Vec<String> =
            broken.iter().map(|file| diagnostics::render(&file.name, &file.text, &file.diagnostics)).collect();
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

    /// The guardrails' numbers, ids and settings. What the configuration says of guardrails that they can't take is a problem.
    pub fn settings(&self, configuration: &Configuration) -> Result<BTreeMap<usize, (String, Settings)>, Problem> {
        let guardrails = || {
            self.firing.iter().enumerate().filter_map(|(number, firing)| match firing {
                Firing::Guardrail(guardrail) => Some((number, guardrail)),
                Firing::Rule(_) => None,
            })
        };
        let all: Vec<Guardrail> = guardrails().map(|(_, guardrail)| guardrail.as_ref().clone()).collect();
        if let Some(misfit) = configuration.misfits(&all).first() {
            return Err(Problem(format!("the configuration can't be taken: {misfit}")));
        }
        guardrails()
            .map(|(number, guardrail)| {
                let settings = configuration.settings(guardrail).map_err(Problem)?;
                Ok((number, (guardrail.id.clone(), settings)))
            })
            .collect()
    }

    /// The numbers of what matches an event's envelope, given as JSON text that was checked.
    pub fn matching(&self, envelope: &str) -> Vec<usize> {
        self.matcher.matches_json(envelope).into_iter().copied().collect()
    }

    /// The same of an envelope that is a value.
    pub fn matching_value(&self, envelope: &Value) -> Vec<usize> {
        self.matcher.matches(envelope).into_iter().copied().collect()
    }

    /// What a rule that matches an event makes of it; nothing where a guardrail finds no resource in it.
    pub fn fired(&self, event: &Event, rule: usize) -> Option<Fired> {
        let resources = match self.firing.get(rule)? {
            Firing::Rule(rule) => match rule.filter {
                Filter::Pattern(_) => vec![event.resources.first().cloned()],
                Filter::Sigma(_) => vec![Some(rule.finding_key(event).resource)],
            },
            Firing::Guardrail(guardrail) => match guardrail.sightings(event) {
                Ok(sightings) => sightings.into_iter().map(|sighting| Some(sighting.resource)).collect(),
                Err(error) => {
                    tracing::error!(guardrail = guardrail.id, event = event.identity(), %error, "resource.id can't be evaluated on this event; the guardrail is skipped");
                    Vec::new()
                }
            },
        };
        (!resources.is_empty()).then(|| Fired {
            rule,
            event_id: event.identity().to_owned(),
            time: event.time,
            account: event.account.clone(),
            actor: actor(event),
            resources,
        })
    }

    /// What a rule says of itself; nothing of a number that there is none of.
    pub fn described(&self, rule: usize) -> Option<Described<'_>> {
        Some(match self.firing.get(rule)? {
            Firing::Rule(rule) => Described { id: &rule.id, title: &rule.title, severity: rule.severity },
            Firing::Guardrail(guardrail) => {
                Described { id: &guardrail.id, title: &guardrail.title, severity: Some(guardrail.severity) }
            }
        })
    }

    /// Adds what fired as JSON Lines: `{event_id, rule, title, severity, resource, time}`, one for each resource.
    pub fn write_lines(&self, fired: &Fired, lines: &mut String) {
        let Some(Described { id, title, severity }) = self.described(fired.rule) else { return };
        for resource in &fired.resources {
            let hit = json!({"event_id": fired.event_id, "rule": id, "title": title, "severity": severity, "resource": resource, "time": fired.time});
            lines.push_str(&hit.to_string());
            lines.push('\n');
        }
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
        let rules = Rules::load(&Configuration::default(), Some(folder.path())).unwrap();
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
        let matched = rules.matching_value(&event.envelope());
        assert_eq!(rules.matching(&event.envelope().to_string()), matched);
        let mut lines = String::new();
        for fired in matched.iter().filter_map(|rule| rules.fired(&event, *rule)) {
            assert_eq!(fired.actor.as_deref(), Some("arn:u"));
            rules.write_lines(&fired, &mut lines);
        }
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                r#"{"event_id":"e1","rule":"r-1","title":"Bucket deleted","severity":"HIGH","resource":"arn:u","time":"2026-01-01T00:00:00Z"}"#,
                r#"{"event_id":"e1","rule":"pattern.json","title":"pattern.json","severity":null,"resource":null,"time":"2026-01-01T00:00:00Z"}"#,
                r#"{"event_id":"e1","rule":"pattern.yaml","title":"pattern.yaml","severity":null,"resource":null,"time":"2026-01-01T00:00:00Z"}"#,
            ]
        );
    }
}
