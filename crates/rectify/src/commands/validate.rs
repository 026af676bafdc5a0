//! `rectify validate FILES…`.

use std::{fs, path::PathBuf, process::ExitCode};

use asl::{Diagnostic, Document, document::Format as TextFormat, parse::AnyResource};
use detection::{
    Guardrail, Source, playbook,
    rule::{self, Names},
    sigma, source,
};
use integrations::KnownResources;
use serde_json::{Value, json};

use super::Problem;
use crate::{
    configuration::{Configuration, INVALID_CONFIGURATION},
    content::{self, FoundPlaybook},
    diagnostics,
    output::{self, Format},
    rules::RulesFolder,
    start,
};

/// Check playbooks, guardrails, rules, sources and configuration: every problem with line and column.
///
/// Exit status: 0 all are valid, 1 some are not, 2 a file can't be read.
#[derive(clap::Args)]
pub struct Arguments {
    /// The files; what each is shows by what it says
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    let resources = start::known_resources();
    let mut invalid = false;
    let mut rows = Vec::new();
    for path in &arguments.files {
        let text =
            fs::read_to_string(path).map_err(|error| Problem(format!("{} can't be read: {error}", path.display())))?;
        let name = path.display().to_string();
        let (kind, problems) = check(&text, &name, &resources);
        invalid |= diagnostics::has_error(&problems);
        match arguments.format {
            Format::Table if problems.is_empty() => output::line(&format!("{name}: a valid {kind}")),
            Format::Table => output::line(&diagnostics::render(&name, &text, &problems)),
            _ => rows.extend(problems.iter().map(|problem| row(&name, problem))),
        }
    }
    if arguments.format != Format::Table {
        output::rows(&rows, &[], arguments.format);
    }
    Ok(if invalid { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn row(file: &str, problem: &Diagnostic) -> Value {
    let mut row = json!({"file": file});
    if let (Value::Object(row), Ok(Value::Object(problem))) = (&mut row, serde_json::to_value(problem)) {
        row.extend(problem);
    }
    row
}

/// A configuration, and whether the guardrails there are can take what it says of them.
fn configuration(text: &str, resources: &KnownResources) -> Result<(), Vec<Diagnostic>> {
    let configuration = Configuration::parse(text)?;
    let problem = |text: String| Diagnostic::error(INVALID_CONFIGURATION, text);
    let folder = configuration.guardrails_folder.as_deref();
    let (guardrails, _) = content::guardrails(folder, resources).map_err(|reason| vec![problem(reason)])?;
    let mut misfits = configuration.misfits(&guardrails);
    misfits.extend(configuration.functions_without_code());
    let (sources, _) =
        content::sources(configuration.sources_folder.as_deref()).map_err(|reason| vec![problem(reason)])?;
    misfits.extend(configuration.unknown_webhooks(&sources));
    let (playbooks, _) = content::playbooks(configuration.playbooks_folder.as_deref(), resources)
        .map_err(|reason| vec![problem(reason)])?;
    misfits.extend(configuration.playbook_misfits(&playbooks));
    let is_enabled = |found: &&FoundPlaybook| matches!(configuration.playbook_settings(found), Ok(Some(_)));
    let names = Names {
        guardrails: guardrails.iter().map(|guardrail| guardrail.id.clone()).collect(),
        playbooks: playbooks.iter().filter(is_enabled).map(|found| found.playbook.id.clone()).collect(),
    };
    let rules = RulesFolder::of(&configuration, names);
    match rules {
        Ok(rules) => misfits.extend(rules.map_or_else(Vec::new, |rules| rules.unknown_rules())),
        Err(misfit) => misfits.push(misfit),
    }
    if misfits.is_empty() { Ok(()) } else { Err(misfits.into_iter().map(problem).collect()) }
}

/// Whether it is an event pattern with a header, and no source, whose `event` is made of texts.
fn is_rule(document: &Document) -> bool {
    let event = document.value().get("event").and_then(Value::as_object);
    let is_pattern = event.is_some_and(|event| event.values().all(|value| value.is_array() || value.is_object()));
    is_pattern && rule::is_headed(document) && document.value().get("webhook").is_none()
}

/// Whether a file's name says that it is a playbook, whatever is in it.
fn is_named_a_playbook(name: &str) -> bool {
    [".asl.json", ".asl.yaml", ".asl.yml"].iter().any(|end| name.to_ascii_lowercase().ends_with(end))
}

/// What is wrong with a playbook that has a header.
fn started_playbook(text: &str, machine: &str, name: &str, resources: &KnownResources) -> Vec<Diagnostic> {
    let mut found = match content::parse_playbook(text, name, resources) {
        Ok((playbook, mut found)) => {
            found.extend(playbook::failures(&playbook, text));
            found
        }
        Err(problems) => problems,
    };
    if let Ok((document, _)) = Document::read(machine, TextFormat::Yaml) {
        found.extend(lint(&document, resources));
    }
    found.sort_by_key(|problem| problem.span.start);
    found
}

/// What a machine takes and still looks wrong. What can't be called here is no reason to say less of the rest.
fn lint(document: &Document, resources: &KnownResources) -> Vec<Diagnostic> {
    let Ok((machine, _)) = asl::parse::parse(document, &AnyResource) else { return Vec::new() };
    let mut found = asl::lint::lint(document, &machine);
    found.extend(resources.lint(document, &machine));
    found
}

/// What a text is, and what is wrong with it.
fn check(text: &str, name: &str, resources: &KnownResources) -> (&'static str, Vec<Diagnostic>) {
    let (format, is_playbook) = (TextFormat::of_file_name(name), is_named_a_playbook(name));
    if !is_playbook && Configuration::is_empty(text) {
        return ("configuration", Vec::new());
    }
    if let Some((_, machine)) = content::split_playbook(text, name) {
        return ("playbook with what starts it", started_playbook(text, &machine, name, resources));
    }
    let (document, problems) = match Document::read(text, format.unwrap_or_else(|| TextFormat::of_text(text))) {
        Ok(read) => read,
        Err(problems) => return ("file", problems),
    };
    let has = |key: &str| document.value().get(key).is_some();
    let found =
        |checked: Result<((), Vec<Diagnostic>), _>| checked.map_or_else(|errors| errors, |(_, warnings)| warnings);
    if is_playbook || has("States") || has("StartAt") {
        let parsed = asl::parse::parse(&document, resources).map(|(_, warnings)| ((), warnings));
        let mut found = found(diagnostics::all(problems, parsed));
        found.extend(lint(&document, resources));
        found.sort_by_key(|problem| problem.span.start);
        ("playbook", found)
    } else if has("inspect") || has("fix") || has("resource") {
        let parsed = Guardrail::parse(&document, resources).map(|(_, warnings)| ((), warnings));
        ("guardrail", found(diagnostics::all(problems, parsed)))
    } else if sigma::is_sigma(&document) || is_rule(&document) {
        ("rule", rule::read(text, name, None).err().unwrap_or_default())
    } else if has("event") || has("pattern") || has("split") {
        let parsed = Source::parse(&document).map(|(source, mut found)| {
            found.extend(source::failures(&source, &document));
            ((), found)
        });
        ("source", found(diagnostics::all(problems, parsed)))
    } else {
        ("configuration", configuration(text, resources).err().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_checked_with_its_tests() {
        let check = |tests: &str| {
            let text = format!(
                "id: a\ntitle: A\npattern: {{a: [1]}}\nevent: {{source: a, detail-type: A}}\ntests:\n  - {{name: x, input: {{a: 1}}, expect: {tests}}}\n"
            );
            let (kind, problems) = check(&text, "a.yaml", &start::known_resources());
            (kind, problems.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(check("{source: a, detail: {a: 1}}"), ("source", Vec::new()));
        let (kind, problems) = check("{source: b}");
        assert_eq!(kind, "source");
        assert!(problems.len() == 1 && problems[0].starts_with("6:5: "), "{problems:?}");
        assert!(problems[0].contains("the test `x` fails: event 1: /source is \"a\" instead of \"b\""), "{problems:?}");
    }

    #[test]
    fn a_playbook_by_its_name_is_no_configuration() {
        let resources = start::known_resources();
        let errors = |name: &str, text: &str| {
            let (kind, problems) = check(text, name, &resources);
            (kind, diagnostics::has_error(&problems))
        };
        for name in ["e.asl.json", "e.asl.yaml", "E.ASL.YML"] {
            for text in ["", "  \n", "{}"] {
                let (kind, wrong) = errors(name, text);
                assert!(wrong && kind != "configuration", "{name} {text:?}: {kind}");
            }
        }
        assert_eq!(errors("rectify.yaml", ""), ("configuration", false));
    }
}
