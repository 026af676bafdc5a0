//! What past events are held against.

use std::{fs, path::Path};

use detection::{Event, EventPattern, Guardrail, Matcher};
use serde_json::{Value, json};

use crate::{commands::Problem, content, diagnostics, start};

/// A rule that can fire.
enum Rule {
    Guardrail(Box<Guardrail>),
    /// An event pattern, by its file's name.
    Pattern(String),
}

/// The guardrails, and the rules of a folder.
pub struct Rules {
    rules: Vec<Rule>,
    matcher: Matcher<usize>,
}

impl Rules {
    /// The carried guardrails, and those and the patterns of a folder.
    pub fn load(folder: Option<&Path>) -> Result<Rules, Problem> {
        let (guardrails, broken) = content::guardrails(folder, &start::known_resources()).map_err(Problem)?;
        if let Some(file) = broken.first() {
            return Err(Problem(diagnostics::render(&file.name, &file.text, &file.diagnostics)));
        }
        let mut rules = Vec::new();
        let mut patterns = Vec::new();
        for guardrail in guardrails {
            patterns.push((rules.len(), guardrail.pattern.clone()));
            rules.push(Rule::Guardrail(Box::new(guardrail)));
        }
        for (name, pattern) in folder.map(patterns_of).transpose()?.unwrap_or_default() {
            patterns.push((rules.len(), pattern));
            rules.push(Rule::Pattern(name));
        }
        Ok(Rules { rules, matcher: Matcher::new(patterns) })
    }

    /// What fires on an event: `{event_id, rule, title, severity, resource, time}` each, one for each resource of a guardrail.
    pub fn hits(&self, event: &Event) -> Vec<Value> {
        let mut hits = Vec::new();
        for index in self.matcher.matches(&event.envelope()) {
            let hit = |rule: &str, title: &str, severity: Value, resource: Value| json!({"event_id": event.identity(), "rule": rule, "title": title, "severity": severity, "resource": resource, "time": event.time});
            match self.rules.get(*index) {
                Some(Rule::Pattern(name)) => {
                    hits.push(hit(name, name, Value::Null, event.resources.first().cloned().into()))
                }
                Some(Rule::Guardrail(guardrail)) => {
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

/// The `.json` files of a folder as event patterns, by their names.
fn patterns_of(folder: &Path) -> Result<Vec<(String, EventPattern)>, Problem> {
    let unreadable =
        |path: &Path, error: &dyn std::fmt::Display| Problem(format!("{} can't be read: {error}", path.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let pattern = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        let pattern =
            EventPattern::parse(&text).map_err(|invalid| Problem(format!("{}: {invalid}", path.display())))?;
        Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), pattern))
    };
    paths.iter().map(pattern).collect()
}
