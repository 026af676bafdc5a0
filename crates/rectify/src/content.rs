//! Guardrails, playbooks and sources: those carried inside the binary, and those of a folder, which win over carried ones with the same id.

use std::{
    fs,
    path::{Path, PathBuf},
};

use asl::{Diagnostic, Document, document::Format};
use detection::{Guardrail, Playbook, Source, playbook};
use rust_embed::RustEmbed;

use crate::diagnostics;

/// `guardrails/` of the project.
#[derive(RustEmbed)]
#[folder = "../../guardrails"]
#[include = "*.yaml"]
struct CarriedGuardrails;

/// `sources/` of the project.
#[derive(RustEmbed)]
#[folder = "../../sources"]
#[include = "*.yaml"]
struct CarriedSources;

/// `playbooks/` of the project.
#[derive(RustEmbed)]
#[folder = "../../playbooks"]
#[include = "*.asl.yaml"]
struct CarriedPlaybooks;

/// A playbook, and whether it is the user's own.
pub struct FoundPlaybook {
    /// The playbook.
    pub playbook: Playbook,
    /// It comes from the folder.
    pub is_own: bool,
}

/// A file that can't be used.
pub struct Broken {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// All guardrails, by id. A broken file is reported and left out; the others go on.
pub fn guardrails(
    folder: Option<&Path>,
    resources: &dyn asl::parse::Resources,
) -> Result<(Vec<Guardrail>, Vec<Broken>), String> {
    let texts = texts::<CarriedGuardrails>(folder)?;
    Ok(all(texts, |text| parse(text, resources), |guardrail| &guardrail.id))
}

/// All sources, by id. A broken file is reported and left out; the others go on.
pub fn sources(folder: Option<&Path>) -> Result<(Vec<Source>, Vec<Broken>), String> {
    Ok(all(texts::<CarriedSources>(folder)?, parse_source, |source| &source.id))
}

/// All playbooks, by id. A broken file is reported and left out; the others go on.
pub fn playbooks(
    folder: Option<&Path>,
    resources: &dyn asl::parse::Resources,
) -> Result<(Vec<FoundPlaybook>, Vec<Broken>), String> {
    let (carried, own) = (carried::<CarriedPlaybooks>(), own(folder)?);
    let texts = carried.into_iter().map(|file| (file, false)).chain(own.into_iter().map(|file| (file, true)));
    let (mut found, mut broken) = (Vec::<FoundPlaybook>::new(), Vec::new());
    for ((name, text), is_own) in texts {
        match parse_playbook(&text, &name, resources) {
            Err(diagnostics) => broken.push(Broken { name, text, diagnostics }),
            Ok((playbook, _)) => {
                found.retain(|other| other.playbook.id != playbook.id);
                found.push(FoundPlaybook { playbook, is_own });
            }
        }
    }
    found.sort_by(|one, other| one.playbook.id.cmp(&other.playbook.id));
    Ok((found, broken))
}

/// The text of a playbook's file with its warnings; the file is called after the id.
pub fn parse_playbook(
    text: &str,
    name: &str,
    resources: &dyn asl::parse::Resources,
) -> Result<(Playbook, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (playbook, warnings) = Playbook::parse(text, resources)?;
    let file = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
    if [".asl.yaml", ".asl.yml"].iter().any(|end| file.strip_suffix(end) == Some(&playbook.id)) {
        return Ok((playbook, warnings));
    }
    let message = format!("the playbook `{}` is in a file called `{file}`", playbook.id);
    let help = format!("call it `{}.asl.yaml`, or change the id", playbook.id);
    Err(vec![Diagnostic::error("MISNAMED", message).with_help(help)])
}

/// Header and machine of a text, where it is a playbook with a header: by its name, or by what stands in it.
pub fn split_playbook<'t>(text: &'t str, name: &str) -> Option<(&'t str, String)> {
    let (header, machine) = playbook::split(text)?;
    let is_machine = |text: &str| text.lines().any(|line| line.starts_with("StartAt:") || line.starts_with("States:"));
    let is_playbook = name.ends_with(".asl.yaml") || name.ends_with(".asl.yml") || is_machine(&machine);
    (is_playbook && !is_machine(header)).then_some((header, machine))
}

/// The files carried and those of a folder: name and text.
fn texts<Carried: RustEmbed>(folder: Option<&Path>) -> Result<Vec<(String, String)>, String> {
    let mut texts = carried::<Carried>();
    texts.extend(own(folder)?);
    Ok(texts)
}

/// The files carried: name and text.
fn carried<Carried: RustEmbed>() -> Vec<(String, String)> {
    Carried::iter()
        .filter_map(|name| {
            Carried::get(&name).map(|file| (name.to_string(), String::from_utf8_lossy(&file.data).into_owned()))
        })
        .collect()
}

/// Those of a folder: name and text.
fn own(folder: Option<&Path>) -> Result<Vec<(String, String)>, String> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let read = |path: PathBuf| match fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) => Err(format!("{} can't be read: {error}", path.display())),
    };
    yaml_files(folder)?.into_iter().map(read).collect()
}

/// What the texts say, by id, later ones in the place of earlier ones; and those that say nothing that can be used.
fn all<T>(
    texts: Vec<(String, String)>,
    parse: impl Fn(&str) -> Result<T, Vec<Diagnostic>>,
    id: impl Fn(&T) -> &String,
) -> (Vec<T>, Vec<Broken>) {
    let mut found: Vec<T> = Vec::new();
    let mut broken = Vec::new();
    for (name, text) in texts {
        match parse(&text) {
            Err(diagnostics) => broken.push(Broken { name, text, diagnostics }),
            Ok(one) => {
                found.retain(|other| id(other) != id(&one));
                found.push(one);
            }
        }
    }
    found.sort_by(|one, other| id(one).cmp(id(other)));
    (found, broken)
}

/// A guardrail's text.
pub fn parse(text: &str, resources: &dyn asl::parse::Resources) -> Result<Guardrail, Vec<Diagnostic>> {
    let (document, problems) = Document::read(text, Format::of_text(text))?;
    diagnostics::all(problems, Guardrail::parse(&document, resources)).map(|(guardrail, _)| guardrail)
}

/// A source's text.
pub fn parse_source(text: &str) -> Result<Source, Vec<Diagnostic>> {
    let (document, problems) = Document::read(text, Format::of_text(text))?;
    diagnostics::all(problems, Source::parse(&document)).map(|(source, _)| source)
}

/// The YAML files below a folder, in the order of their names.
fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{} can't be read: {error}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| format!("{} can't be read: {error}", folder.display()))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_carried_playbook_is_valid_and_starts_as_its_tests_say() {
        let resources = crate::start::known_resources();
        let (found, broken) = playbooks(None, &resources).unwrap();
        let problems: Vec<String> =
            broken.iter().map(|file| diagnostics::render(&file.name, &file.text, &file.diagnostics)).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        let ids: Vec<&str> = found.iter().map(|found| found.playbook.id.as_str()).collect();
        assert_eq!(ids, ["guardduty-instance-isolation", "leaked-access-key"]);
        for FoundPlaybook { playbook, is_own } in &found {
            assert!(!is_own && !playbook.tests.is_empty(), "{}", playbook.id);
            for test in &playbook.tests {
                assert_eq!(playbook.check(test), Ok(()), "{}: {}", playbook.id, test.name);
            }
        }
    }

    #[test]
    fn a_playbook_is_called_after_its_id() {
        let text = "id: a\ntitle: A\nseverity: LOW\nrules: [r]\n---\nStartAt: A\nStates: {A: {Type: Succeed}}\n";
        let check = |name: &str, expected: bool| {
            let parsed = parse_playbook(text, name, &asl::parse::AnyResource);
            assert_eq!(parsed.is_ok(), expected, "{name}");
        };
        check("x/a.asl.yaml", true);
        check("a.asl.yml", true);
        check("a.yaml", false);
        check("b.asl.yaml", false);
    }

    #[test]
    fn a_header_is_told_from_a_machine() {
        let check = |text: &str, name: &str, expected: bool| {
            assert_eq!(split_playbook(text, name).is_some(), expected, "{name}: {text:?}");
        };
        check("id: a\n---\nx: 1\n", "a.asl.yaml", true);
        check("id: a\n---\nStartAt: A\n", "a.yaml", true);
        check("id: a\n---\nx: 1\n", "a.yaml", false);
        check("StartAt: A\n---\nStartAt: B\n", "a.asl.yaml", false);
        check("StartAt: A\n", "a.asl.yaml", false);
    }

    #[test]
    fn every_carried_source_maps_its_published_samples() {
        let (sources, broken) = sources(None).unwrap();
        let problems: Vec<String> =
            broken.iter().map(|file| diagnostics::render(&file.name, &file.text, &file.diagnostics)).collect();
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        assert!(sources.len() >= 12, "{}", sources.len());
        for source in &sources {
            assert!(!source.tests.is_empty(), "{} is untested", source.id);
            for test in &source.tests {
                assert_eq!(source.check(test), Ok(()), "{}: {}", source.id, test.name);
            }
        }
    }

    #[test]
    fn carried_sources_do_not_take_each_others_documents() {
        let (sources, _) = sources(None).unwrap();
        for test in sources.iter().filter(|source| source.pattern.is_some()).flat_map(|source| &source.tests) {
            let document = test.input.get(0).unwrap_or(&test.input);
            let message = document.get("Message").and_then(|message| serde_json::from_str(message.as_str()?).ok());
            let document = message.as_ref().unwrap_or(document);
            let by: Vec<&str> =
                sources.iter().filter(|source| source.recognises(document)).map(|source| source.id.as_str()).collect();
            assert_eq!(by.len(), 1, "{}: {by:?}", test.name);
        }
    }
}
